//! Finds the commands in the bytes of an AOF.
//!
//! ```text
//!   *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n      a command: how many words, then each with its length
//!   #TS:1700000000\r\n                          an annotation: one line, meant for whoever looks for it
//! ```
//!
//! Unlike a client's request a file is never trusted to mean something else: there are no inline commands, every line ends
//! where it says, and what is wrong is told with its place. [`Reader`] can be interrupted at any byte; as long as a command
//! is not complete it keeps what it has found, so that a command of a million words is not read again with each block.

use std::fmt;

use bytes::Bytes;

use crate::base::limits::{BIG_ARG, BULK_MAX};
use crate::resp::args::{ArgRef, Args};

/// Longest line `*n` or `$n`: a sign would be wrong, and twenty digits hold every length.
const HEADER_MAX: usize = 24;

/// Longest annotation. Redis reads 1 KiB.
const ANNOTATION_MAX: usize = 64 * 1024;

/// Most words of one command.
const WORDS_MAX: u64 = i32::MAX as u64;

/// What was found.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    /// A command.
    Command(Args<'a>),
    /// An annotation, without its `#` and line end.
    Annotation(&'a [u8]),
}

/// Where reading stands within a command.
#[derive(Debug, Default)]
pub struct Reader {
    /// Words of the command, once that is known.
    expected: Option<u64>,
    words: Vec<ArgRef>,
    large: Vec<Bytes>,
    /// Bytes of the command that are understood.
    at: usize,
    is_complete: bool,
}

/// What is wrong, and how many bytes into the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defect {
    /// Counted from the first byte of the command.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl Reader {
    /// Looks for the next item at the beginning of `input`: `None` when its end is not there yet; then more bytes are to be
    /// added *behind* the same ones. How many bytes it takes is the second value.
    pub fn next<'a>(&'a mut self, input: &'a [u8]) -> Result<Option<(Item<'a>, usize)>, Defect> {
        if std::mem::take(&mut self.is_complete) {
            self.reset();
        }
        match input.first() {
            None => return Ok(None),
            Some(b'#') => return annotation(input),
            Some(b'*') => {}
            Some(_) => return Err(Defect { at: 0, expected: "'*' or '#'" }),
        }
        while self.expected.is_none_or(|expected| (self.words.len() as u64) < expected) {
            if !self.step(input)? {
                return Ok(None);
            }
        }
        self.is_complete = true;
        Ok(Some((Item::Command(Args::new(input, &self.words, &self.large)), self.at)))
    }

    /// Forgets a command that was begun.
    pub fn reset(&mut self) {
        self.expected = None;
        self.words.clear();
        self.large.clear();
        self.at = 0;
        self.is_complete = false;
    }

    /// Whether part of a command was read.
    pub fn is_inside(&self) -> bool {
        self.at > 0 && !self.is_complete
    }

    /// Reads the count, or one word. False when there is not enough.
    fn step(&mut self, input: &[u8]) -> Result<bool, Defect> {
        let Some(expected) = self.expected else {
            let Some((count, end)) = header(input, 0, b'*', "the number of words")? else { return Ok(false) };
            if count == 0 || count > WORDS_MAX {
                return Err(Defect { at: 1, expected: "a possible number of words" });
            }
            self.expected = Some(count);
            self.at = end;
            return Ok(true);
        };
        debug_assert!((self.words.len() as u64) < expected);
        let Some((len, start)) = header(input, self.at, b'$', "the length of a word")? else { return Ok(false) };
        if len > BULK_MAX {
            return Err(Defect { at: self.at + 1, expected: "a possible length" });
        }
        let end = start + len as usize;
        match input.get(end..end + 2) {
            Some(b"\r\n") => {}
            Some(bytes) => {
                let at = end + usize::from(bytes[0] == b'\r');
                return Err(Defect { at, expected: "the end of a word" });
            }
            // One wrong byte is wrong whatever follows.
            None if input.get(end).is_some_and(|&byte| byte != b'\r') => {
                return Err(Defect { at: end, expected: "the end of a word" });
            }
            None => return Ok(false),
        }
        if end > u32::MAX as usize - 1 || len as usize >= BIG_ARG {
            self.words.push(ArgRef::big(self.large.len() as u32));
            self.large.push(Bytes::copy_from_slice(&input[start..end]));
        } else {
            self.words.push(ArgRef::inline(start as u32, len as u32));
        }
        self.at = end + 2;
        Ok(true)
    }
}

/// `mark` and a number at `at`; the number, and where the line ends. `None` when the line is not complete.
fn header(input: &[u8], at: usize, mark: u8, what: &'static str) -> Result<Option<(u64, usize)>, Defect> {
    let line = &input[at..input.len().min(at + HEADER_MAX)];
    let Some(&first) = line.first() else { return Ok(None) };
    if first != mark {
        let expected = if mark == b'$' { "'$'" } else { "'*'" };
        return Err(Defect { at, expected });
    }
    let mut number: u64 = 0;
    for (index, &byte) in line.iter().enumerate().skip(1) {
        match byte {
            b'0'..=b'9' => {
                number = number.checked_mul(10).and_then(|n| n.checked_add(u64::from(byte - b'0'))).unwrap_or(u64::MAX);
            }
            b'\r' if index > 1 => {
                return match line.get(index + 1) {
                    None if line.len() < HEADER_MAX => Ok(None),
                    Some(b'\n') => Ok(Some((number, at + index + 2))),
                    _ => Err(Defect { at: at + index + 1, expected: "the end of a line" }),
                };
            }
            _ => return Err(Defect { at: at + index, expected: what }),
        }
    }
    if line.len() == HEADER_MAX { Err(Defect { at, expected: what }) } else { Ok(None) }
}

fn annotation(input: &[u8]) -> Result<Option<(Item<'_>, usize)>, Defect> {
    match memchr::memchr(b'\n', &input[..input.len().min(ANNOTATION_MAX)]) {
        Some(end) => {
            let line = &input[1..end];
            Ok(Some((Item::Annotation(line.strip_suffix(b"\r").unwrap_or(line)), end + 1)))
        }
        None if input.len() < ANNOTATION_MAX => Ok(None),
        None => Err(Defect { at: ANNOTATION_MAX, expected: "the end of an annotation" }),
    }
}

/// The seconds since 1970 in an annotation `TS:…`, without its `#`.
pub fn timestamp(annotation: &[u8]) -> Option<i64> {
    std::str::from_utf8(annotation.strip_prefix(b"TS:")?).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"#TS:17\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$0\r\n\r\n";

    fn shown(item: Item<'_>) -> String {
        match item {
            Item::Command(args) => {
                args.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
            }
            Item::Annotation(line) => format!("#{}", line.escape_ascii()),
        }
    }

    fn defect(input: &[u8]) -> Defect {
        let mut reader = Reader::default();
        reader.next(input).err().unwrap_or_else(|| panic!("{}", input.escape_ascii()))
    }

    #[test]
    fn items_are_found_however_the_bytes_are_cut() {
        for piece in 1..FILE.len() {
            let (mut reader, mut seen, mut buffer) = (Reader::default(), Vec::new(), Vec::new());
            for bytes in FILE.chunks(piece) {
                buffer.extend_from_slice(bytes);
                while let Some((item, taken)) = reader.next(&buffer).unwrap() {
                    seen.push(shown(item));
                    buffer.drain(..taken);
                }
            }
            assert_eq!(seen, ["#TS:17", "GET k", ""], "pieces of {piece}");
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn large_words_have_a_buffer_of_their_own() {
        let large = vec![b'x'; BIG_ARG];
        let mut input = format!("*2\r\n$1\r\na\r\n${}\r\n", large.len()).into_bytes();
        input.extend_from_slice(&large);
        input.extend_from_slice(b"\r\n");
        let mut reader = Reader::default();
        let Some((Item::Command(args), taken)) = reader.next(&input).unwrap() else { panic!("it is complete") };
        assert_eq!((taken, args.shared(1).map(|bytes| bytes.len())), (input.len(), Some(BIG_ARG)));
    }

    #[test]
    fn whatever_is_wrong_has_a_place() {
        assert_eq!(defect(b"!!!"), Defect { at: 0, expected: "'*' or '#'" });
        assert_eq!(defect(b"*0\r\n").at, 1);
        assert_eq!(defect(b"*x").at, 1);
        assert_eq!(defect(b"*-1\r\n").at, 1);
        assert_eq!(defect(b"*\r\n").at, 1);
        assert_eq!(defect(b"*1\rx").at, 3);
        assert_eq!(defect(b"*11111111111111111111111111111").at, 0);
        assert_eq!(defect(b"*99999999999999999999\r\n").at, 1);
        assert_eq!(defect(b"*1\r\n:1\r\n"), Defect { at: 4, expected: "'$'" });
        assert_eq!(defect(b"*1\r\n$99999999999\r\n").at, 5);
        assert_eq!(defect(b"*1\r\n$1\r\nabc"), Defect { at: 9, expected: "the end of a word" });
        assert_eq!(defect(b"*1\r\n$1\r\na!").at, 9);
        assert!(Reader::default().next(b"*1\r\n$1\r\na\r").unwrap().is_none());
        assert_eq!(defect(&[b'#'; ANNOTATION_MAX]).at, ANNOTATION_MAX);
    }

    #[test]
    fn timestamps_are_read_and_other_annotations_are_none() {
        assert_eq!(timestamp(b"TS:1628217470"), Some(1_628_217_470));
        assert_eq!(timestamp(b"TS:x"), None);
        assert_eq!(timestamp(b"X:1"), None);
    }
}
