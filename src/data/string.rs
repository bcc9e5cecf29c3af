//! String values: how one is looked at, how one is given, and which encoding follows.
//!
//! A string is kept in one of three forms. The canonical text of an `i64` ("12", "-7", but not "012" or "+1") is kept
//! as the integer, so that counters are small and INCR parses nothing. A value of up to `INLINE_VALUE_MAX` bytes lies
//! inside its key's entry. A larger one is a [`Bytes`], so that a reply or a snapshot can hold it without a copy.
//!
//! OBJECT ENCODING follows Redis: `int`; `embstr` for at most 44 bytes; `raw` for longer values and for values that
//! were edited in place (APPEND, SETRANGE), however short they are.

use bytes::Bytes;

use crate::data::Encoding;

/// Longest text that reports `embstr`.
pub const EMBSTR_MAX: usize = 44;

/// Longest canonical text of an `i64`: a sign and nineteen digits.
pub const INT_TEXT_MAX: usize = 20;

/// The string type, as a type parameter: `db.read::<Str>(key)`.
#[derive(Clone, Copy, Debug)]
pub struct Str;

/// A stored string, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum StrView<'a> {
    /// Kept as an integer; its text is the canonical decimal form.
    Int(i64),
    /// Kept as bytes inside the entry.
    Bytes(&'a [u8]),
    /// Kept as shared memory; clone the handle to keep it without copying.
    Shared(&'a Bytes),
}

/// Room for the text of an integer, see [`StrView::as_bytes`].
pub type IntText = itoa::Buffer;

impl<'a> StrView<'a> {
    /// The text. Integers are written into `room`.
    pub fn as_bytes<'r>(&self, room: &'r mut IntText) -> &'r [u8]
    where
        'a: 'r,
    {
        match *self {
            StrView::Int(value) => room.format(value).as_bytes(),
            StrView::Bytes(bytes) => bytes,
            StrView::Shared(bytes) => bytes,
        }
    }

    /// The text, copied.
    pub fn to_vec(&self) -> Vec<u8> {
        self.as_bytes(&mut IntText::new()).to_vec()
    }

    /// Length of the text.
    pub fn len(&self) -> usize {
        match *self {
            StrView::Int(value) => int_text_len(value),
            StrView::Bytes(bytes) => bytes.len(),
            StrView::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The integer whose canonical text this is, however it is kept.
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            StrView::Int(value) => Some(value),
            StrView::Bytes(bytes) => canonical_int(bytes),
            StrView::Shared(_) => None,
        }
    }
}

/// A string to be stored.
#[derive(Clone, Debug)]
pub enum NewStr<'a> {
    /// A text; kept as an integer when it is the canonical text of one. What SET does.
    Text(&'a [u8]),
    /// An integer.
    Int(i64),
    /// A text that stays text and reports encoding `raw`, as after APPEND.
    Raw(&'a [u8]),
    /// Memory that is already shared. Copied after all when it is small.
    Shared(Bytes),
}

impl NewStr<'_> {
    /// Length of the text.
    pub fn len(&self) -> usize {
        match self {
            NewStr::Int(value) => int_text_len(*value),
            NewStr::Text(bytes) | NewStr::Raw(bytes) => bytes.len(),
            NewStr::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The integer that `text` denotes, if `text` is exactly what printing that integer gives: an optional `-`, no leading
/// zero, no `+`, no space, within `i64`.
pub fn canonical_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() < INT_TEXT_MAX => {}
        _ => return None,
    }
    let mut magnitude = 0u64;
    for &digit in digits {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        // Nineteen digits stay below 10^19, which a u64 holds.
        magnitude = magnitude * 10 + u64::from(value);
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// How many bytes printing `value` gives.
pub fn int_text_len(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(value < 0)
}

/// The encoding that OBJECT ENCODING reports for `view`; `edited` is whether it was edited in place since it was set.
pub fn encoding_of(view: StrView<'_>, edited: bool) -> Encoding {
    match view {
        StrView::Int(_) => Encoding::Int,
        StrView::Bytes(bytes) if bytes.len() <= EMBSTR_MAX && !edited => Encoding::Embstr,
        _ => Encoding::Raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_text_of_an_integer_is_one() {
        for value in [0, 1, -1, 9, 10, 12345, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1, 1_000_000_000_000_000_000]
        {
            let text = value.to_string();
            assert_eq!(canonical_int(text.as_bytes()), Some(value));
            assert_eq!(int_text_len(value), text.len());
        }
        for text in ["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1a", "0x1", "1.0", "9223372036854775808"] {
            assert_eq!(canonical_int(text.as_bytes()), None, "{text:?}");
        }
        for text in ["-9223372036854775809", "99999999999999999999", "18446744073709551616", "-99999999999999999999"] {
            assert_eq!(canonical_int(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_view_gives_its_text_in_every_form() {
        let shared = Bytes::from(vec![b'x'; 5000]);
        let mut room = IntText::new();
        assert_eq!(StrView::Int(-42).as_bytes(&mut room), b"-42");
        assert_eq!(StrView::Bytes(b"abc").as_bytes(&mut room), b"abc");
        assert_eq!(StrView::Shared(&shared).as_bytes(&mut room).len(), 5000);
        assert_eq!((StrView::Int(-42).len(), StrView::Bytes(b"").is_empty()), (3, true));
        assert_eq!(StrView::Bytes(b"17").as_int(), Some(17));
        assert_eq!(StrView::Shared(&shared).as_int(), None);
    }

    #[test]
    fn encodings_follow_length_and_editing() {
        let text = [b'a'; 45];
        assert_eq!(encoding_of(StrView::Int(5), false), Encoding::Int);
        assert_eq!(encoding_of(StrView::Bytes(&text[..44]), false), Encoding::Embstr);
        assert_eq!(encoding_of(StrView::Bytes(&text), false), Encoding::Raw);
        assert_eq!(encoding_of(StrView::Bytes(b"a"), true), Encoding::Raw);
    }
}
