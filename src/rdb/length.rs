//! Lengths as RDB stores them, and the prefix that marks a string as not being plain bytes.
//!
//! | first byte | meaning |
//! |---|---|
//! | `00xxxxxx` | 6-bit length |
//! | `01xxxxxx` + 1 byte | 14-bit length, big endian |
//! | `0x80` + 4 bytes | 32-bit length, big endian |
//! | `0x81` + 8 bytes | 64-bit length, big endian |
//! | `11tttttt` | no length: a string in special form `t` |
//!
//! The reader accepts a length in a longer form than it needs, because Redis does.

/// A length or the mark of a special form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many bytes or elements.
    Plain(u64),
    /// The string follows in this special form.
    Special(u8),
}

/// Appends `len` in its shortest form.
#[inline]
pub fn put(out: &mut Vec<u8>, len: u64) {
    if len < 1 << 6 {
        out.push(len as u8);
    } else if len < 1 << 14 {
        out.extend_from_slice(&(0x4000 | len as u16).to_be_bytes());
    } else if let Ok(len) = u32::try_from(len) {
        out.push(0x80);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(0x81);
        out.extend_from_slice(&len.to_be_bytes());
    }
}

/// Why a length could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthError {
    /// More bytes are needed.
    Short,
    /// No length begins with this byte.
    Unknown(u8),
}

/// Reads a length and moves `input` past it; on error `input` is where it was.
#[inline]
pub fn take(input: &mut &[u8]) -> Result<Length, LengthError> {
    let Some((&first, rest)) = input.split_first() else { return Err(LengthError::Short) };
    let (length, rest) = match first >> 6 {
        0 => (Length::Plain(u64::from(first)), rest),
        1 => {
            let (&second, rest) = rest.split_first().ok_or(LengthError::Short)?;
            (Length::Plain(u64::from(first & 0x3f) << 8 | u64::from(second)), rest)
        }
        2 => match first {
            0x80 => {
                let (bytes, rest) = rest.split_first_chunk().ok_or(LengthError::Short)?;
                (Length::Plain(u64::from(u32::from_be_bytes(*bytes))), rest)
            }
            0x81 => {
                let (bytes, rest) = rest.split_first_chunk().ok_or(LengthError::Short)?;
                (Length::Plain(u64::from_be_bytes(*bytes)), rest)
            }
            other => return Err(LengthError::Unknown(other)),
        },
        _ => (Length::Special(first & 0x3f), rest),
    };
    *input = rest;
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_round_trip_in_their_shortest_form() {
        for (len, size) in [
            (0, 1),
            (63, 1),
            (64, 2),
            (16383, 2),
            (16384, 5),
            (u64::from(u32::MAX), 5),
            (u64::from(u32::MAX) + 1, 9),
            (u64::MAX, 9),
        ] {
            let mut out = Vec::new();
            put(&mut out, len);
            assert_eq!(out.len(), size, "{len}");
            for cut in 0..size {
                assert_eq!(take(&mut &out[..cut]), Err(LengthError::Short));
            }
            out.push(7);
            let mut input = &out[..];
            assert_eq!(take(&mut input), Ok(Length::Plain(len)));
            assert_eq!(input, [7]);
        }
    }

    #[test]
    fn special_forms_and_unknown_prefixes_are_told_apart() {
        assert_eq!(take(&mut &[0xc3][..]), Ok(Length::Special(3)));
        assert_eq!(take(&mut &[0x82, 0, 0, 0, 0][..]), Err(LengthError::Unknown(0x82)));
    }
}
