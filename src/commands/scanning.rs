//! What SCAN, SSCAN, HSCAN and ZSCAN have in common: their cursor, their options, and the shape of their answer.

use crate::base::glob;
use crate::base::number::parse_i64;
use crate::commands::contract::CommandError;
use crate::resp::args::Args;
use crate::resp::reply::Reply;

/// The option that only one of them has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// None.
    Nothing,
    /// `TYPE name` (SCAN).
    Type,
    /// `NOVALUES` (HSCAN).
    NoValues,
}

/// The words after the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanOptions<'a> {
    /// COUNT: about how many elements to look at. At least 1.
    pub count: usize,
    /// TYPE
    pub type_name: Option<&'a [u8]>,
    /// NOVALUES
    pub is_novalues: bool,
    /// MATCH; `None` also for a pattern that everything matches.
    pattern: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    /// Reads the words from number `start` on.
    pub fn parse(args: &Args<'a>, start: usize, extra: Extra) -> Result<ScanOptions<'a>, CommandError> {
        let mut options = ScanOptions { count: 10, type_name: None, is_novalues: false, pattern: None };
        let mut words = args.from(start);
        while let Some(word) = words.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("NOVALUES") && extra == Extra::NoValues {
                options.is_novalues = true;
                continue;
            }
            let is_type = is("TYPE") && extra == Extra::Type;
            if !is("COUNT") && !is("MATCH") && !is_type {
                return Err(CommandError::Syntax);
            }
            let value = words.next().ok_or(CommandError::Syntax)?;
            if is("COUNT") {
                let count = parse_i64(value).ok_or(CommandError::NotInteger)?;
                options.count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(CommandError::Syntax)?;
            } else if is_type {
                options.type_name = Some(value);
            } else {
                options.pattern = (value != b"*").then_some(value);
            }
        }
        Ok(options)
    }

    /// Whether MATCH lets this name pass.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }
}

/// Reads a cursor as C's `strtoul` does, since that is what clients have always been able to send: an empty text is 0, a
/// sign is allowed, a minus wraps around.
pub fn parse_cursor(text: &[u8]) -> Result<u64, CommandError> {
    cursor(text).ok_or_else(|| CommandError::err("invalid cursor"))
}

fn cursor(text: &[u8]) -> Option<u64> {
    let (is_negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if is_negative { value.wrapping_neg() } else { value })
}

/// What one call returns. The next cursor comes first in the answer but is known last, so the texts wait here.
#[derive(Debug, Default)]
pub struct Page {
    texts: Vec<u8>,
    lengths: Vec<usize>,
}

impl Page {
    /// Adds one text.
    pub fn push(&mut self, text: &[u8]) {
        self.texts.extend_from_slice(text);
        self.lengths.push(text.len());
    }

    /// The whole answer: the next cursor, and an array of the texts.
    pub fn reply(&self, reply: &mut Reply<'_>, next: u64) {
        reply.array(2);
        reply.bulk_display(next);
        reply.array(self.lengths.len());
        let mut rest = &self.texts[..];
        for length in &self.lengths {
            let (text, more) = rest.split_at(*length);
            reply.bulk(text);
            rest = more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;

    #[test]
    fn cursors_are_read_as_c_reads_them() {
        for (text, expected) in [
            ("", Some(0)),
            ("0", Some(0)),
            ("007", Some(7)),
            ("+5", Some(5)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            (" 1", None),
            ("1 ", None),
            ("-", None),
            ("1a", None),
        ] {
            assert_eq!(cursor(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn each_command_has_its_own_option_only() {
        let parse = |words: &[&[u8]], extra| {
            let args = OwnedArgs::of(words);
            ScanOptions::parse(&args.as_args(), 0, extra).map(|o| (o.count, o.is_novalues, o.type_name.is_some()))
        };
        assert_eq!(parse(&[b"count", b"5", b"MATCH", b"*", b"novalues"], Extra::NoValues), Ok((5, true, false)));
        assert_eq!(parse(&[b"type", b"set"], Extra::Type), Ok((10, false, true)));
        for (words, extra) in [([&b"type"[..], b"set"], Extra::Nothing), ([b"novalues", b"novalues"], Extra::Type)] {
            assert_eq!(parse(&words, extra), Err(CommandError::Syntax));
        }
        assert_eq!(parse(&[b"count", b"0"], Extra::Nothing), Err(CommandError::Syntax));
        assert_eq!(parse(&[b"count", b"x"], Extra::Nothing), Err(CommandError::NotInteger));
    }
}
