//! Words and quotes: how a line of a config file, an inline request or a command line option is cut into words, and how
//! bytes are written so that they can be read back.
//!
//! Words are separated by white space. Quotes may start anywhere in a word and end it:
//!
//! ```text
//!   set  "a b\n"   'it\'s'   "\x41"      → set | a b<newline> | it's | A
//!   ab"c d"                              → abc d
//!   "a"b                                 → refused: a closing quote must be followed by white space
//!   "a                                   → refused: the quote is never closed
//! ```
//!
//! Inside `"…"` a backslash starts an escape: `\n \r \t \b \a`, `\xHH`, and any other character stands for itself. Inside
//! `'…'` only `\'` is one.

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while_m_n};
use nom::character::complete::one_of;
use nom::combinator::{map, map_opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// One word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The bytes it stands for, quotes and escapes resolved.
    pub bytes: Vec<u8>,
    /// Some of it was written in quotes.
    pub is_quoted: bool,
}

/// What separates words: C's `isspace`.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Cuts a line into words; `None` when a quote is not closed or is followed by more of a word.
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    while let (after, Some(word)) = next_word(rest)? {
        words.push(word.bytes);
        rest = after;
    }
    Some(words)
}

/// The next word and what follows it; no word at the end of the line; `None` on a quoting error.
pub fn next_word(line: &[u8]) -> Option<(&[u8], Option<Word>)> {
    let start = line.iter().position(|&byte| !is_space(byte)).unwrap_or(line.len());
    let mut rest = &line[start..];
    if rest.is_empty() {
        return Some((rest, None));
    }
    let mut word = Word { bytes: Vec::new(), is_quoted: false };
    loop {
        match rest.first() {
            None => break,
            Some(&byte) if is_space(byte) => break,
            Some(b'"') => {
                word.is_quoted = true;
                rest = quoted_section(&rest[1..], b'"', double_quoted_char, &mut word.bytes)?;
                break;
            }
            Some(b'\'') => {
                word.is_quoted = true;
                rest = quoted_section(&rest[1..], b'\'', single_quoted_char, &mut word.bytes)?;
                break;
            }
            Some(&byte) => {
                word.bytes.push(byte);
                rest = &rest[1..];
            }
        }
    }
    Some((rest, Some(word)))
}

/// Reads up to the closing quote, which must end the word. Returns what follows the quote.
fn quoted_section<'a>(
    mut rest: &'a [u8],
    quote: u8,
    character: fn(&[u8]) -> IResult<&[u8], u8>,
    out: &mut Vec<u8>,
) -> Option<&'a [u8]> {
    loop {
        if let Some((&first, after)) = rest.split_first()
            && first == quote
        {
            return after.first().is_none_or(|&next| is_space(next)).then_some(after);
        }
        let (after, byte) = character(rest).ok()?;
        out.push(byte);
        rest = after;
    }
}

fn double_quoted_char(input: &[u8]) -> IResult<&[u8], u8> {
    alt((hex_escape, preceded(tag("\\"), map(any_byte, unescape)), any_byte)).parse(input)
}

fn single_quoted_char(input: &[u8]) -> IResult<&[u8], u8> {
    alt((map(tag("\\'"), |_| b'\''), any_byte)).parse(input)
}

fn hex_escape(input: &[u8]) -> IResult<&[u8], u8> {
    let digits = take_while_m_n(2, 2, |byte: u8| byte.is_ascii_hexdigit());
    let number = map_opt(digits, |hex: &[u8]| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
    preceded((tag("\\"), one_of("x")), number).parse(input)
}

fn any_byte(input: &[u8]) -> IResult<&[u8], u8> {
    map(take(1usize), |bytes: &[u8]| bytes[0]).parse(input)
}

fn unescape(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// Bytes in double quotes, with everything that is not printable ASCII escaped. [`split_args`] reads it back.
pub fn quoted(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend(['\\', byte as char]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b' '..=b'~' => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// Bytes as one word of a line: quoted only where they would not be read back otherwise.
pub fn quoted_if_needed(bytes: &[u8]) -> String {
    let is_plain = |byte: &u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'\'' | b'\\');
    // A bare `#` would start a comment.
    if !bytes.is_empty() && bytes.iter().all(is_plain) && bytes != b"#" {
        String::from_utf8_lossy(bytes).into_owned()
    } else {
        quoted(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Option<Vec<String>> {
        let words = split_args(line.as_bytes())?;
        Some(words.iter().map(|word| word.escape_ascii().to_string()).collect())
    }

    #[test]
    fn words_are_cut_at_white_space() {
        assert_eq!(split("  set\ta \x0b b\r\n"), Some(vec!["set".into(), "a".into(), "b".into()]));
        assert_eq!(split(""), Some(vec![]));
        assert_eq!(split(" \t "), Some(vec![]));
    }

    #[test]
    fn quotes_group_and_escape() {
        assert_eq!(split(r#""a b" 'c d'"#), Some(vec!["a b".into(), "c d".into()]));
        assert_eq!(split(r#""\n\r\t\b\a\x41\q\"""#), Some(vec![r#"\n\r\t\x08\x07Aq\""#.into()]));
        assert_eq!(split(r#"'it\'s \n'"#), Some(vec![r"it\'s \\n".into()]));
        assert_eq!(split(r#"ab"c d""#), Some(vec!["abc d".into()]));
        assert_eq!(split(r#""" ''"#), Some(vec!["".into(), "".into()]));
        assert_eq!(split(r#""\xZZ""#), Some(vec!["xZZ".into()]));
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [r#""a"#, r#"'a"#, r#""a"b"#, r#"'a'b"#, r#"a"b"c"#, r#""a\"#, r#""a\""#, "\"\"\""] {
            assert_eq!(split(line), None, "{line}");
        }
    }

    #[test]
    fn every_byte_survives_quoting() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(split_args(quoted(&all).as_bytes()), Some(vec![all]));
        assert_eq!(quoted(b"a\"\\\n\x01"), r#""a\"\\\n\x01""#);
    }

    #[test]
    fn plain_words_stay_bare() {
        assert_eq!(quoted_if_needed(b"a:b/c#1"), "a:b/c#1");
        for word in ["", "a b", "#", "it's", "a\\b", "\u{e4}"] {
            let written = quoted_if_needed(word.as_bytes());
            assert!(written.starts_with('"'), "{written}");
            assert_eq!(split_args(written.as_bytes()), Some(vec![word.as_bytes().to_vec()]));
        }
    }
}
