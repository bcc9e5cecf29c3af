//! Sizes with units: `100mb`, `1gb`, `512`.
//!
//! The short units are powers of ten and the long ones powers of two, in either case:
//!
//! ```text
//!   k 1000   m 1000²   g 1000³      kb 1024   mb 1024²   gb 1024³      b or nothing: bytes
//! ```

const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("k", 1000),
    ("kb", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1 << 30),
];

/// Reads a size in bytes; `None` for anything else. As in Redis no digits mean 0, and what does not fit into 64 bits is
/// the largest number that does.
pub fn parse(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(unit))?;
    let number = number.iter().fold(0u64, |n, digit| n.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(number.saturating_mul(*factor))
}

/// Writes a size with the largest power-of-two unit that leaves a whole number.
pub fn format(bytes: u64) -> String {
    for (unit, factor) in [("gb", 1u64 << 30), ("mb", 1 << 20), ("kb", 1 << 10)] {
        if bytes != 0 && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_in_either_case() {
        for (text, bytes) in [("0", 0), ("12", 12), ("1b", 1), ("1k", 1000), ("1KB", 1024), ("2m", 2_000_000)] {
            assert_eq!(parse(text.as_bytes()), Some(bytes), "{text}");
        }
        assert_eq!(parse(b"3Mb"), Some(3 << 20));
        assert_eq!(parse(b"1g"), Some(1_000_000_000));
        assert_eq!(parse(b"1gb"), Some(1 << 30));
        assert_eq!(parse(b""), Some(0));
        assert_eq!(parse(b"18446744073709551616"), Some(u64::MAX));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["-1", "1.5gb", "1tb", "mb1", " 1", "1 mb", "0x10"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_written_size_reads_back() {
        for bytes in [0, 1, 1023, 1024, 1025, 3 << 20, 1 << 30, 5 << 30, u64::MAX] {
            assert_eq!(parse(format(bytes).as_bytes()), Some(bytes));
        }
        assert_eq!(format(512 << 20), "512mb");
    }
}
