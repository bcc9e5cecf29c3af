//! Reading the optional words of a command in any order, with Redis's errors.
//!
//! ```text
//! let mut words = Words::new(args, 2);
//! while let Some(word) = words.next() {
//!     match () {
//!         _ if is(word, "NX") => …,
//!         _ if is(word, "COUNT") => count = words.integer()?,
//!         _ => return Err(BadOption::Syntax),
//!     }
//! }
//! ```

use crate::base::number::parse_i64;
use crate::resp::args::Args;

/// Why an option was refused. `Display` is the wire text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOption {
    /// Not part of the grammar, or its value is missing.
    #[error("ERR syntax error")]
    Syntax,
    /// A number that is none, or does not fit.
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
}

/// The words of a command from some place on.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    args: Args<'a>,
    next: usize,
}

/// Whether a word is this one, in any case.
pub fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

impl<'a> Words<'a> {
    /// The words from number `start` on.
    pub fn new(args: &Args<'a>, start: usize) -> Words<'a> {
        Words { args: *args, next: start }
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.args.len().saturating_sub(self.next)
    }

    /// The value of an option: the next word, which must be there.
    pub fn value(&mut self) -> Result<&'a [u8], BadOption> {
        self.next().ok_or(BadOption::Syntax)
    }

    /// An option's value that is an integer.
    pub fn integer(&mut self) -> Result<i64, BadOption> {
        parse_i64(self.value()?).ok_or(BadOption::NotInteger)
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let word = (self.next < self.args.len()).then(|| self.args.get(self.next))?;
        self.next += 1;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;

    #[test]
    fn words_are_read_one_after_the_other_and_missing_values_are_syntax_errors() {
        let args = OwnedArgs::of(&[b"cmd", b"Count", b"5", b"COUNT", b"x", b"count"]);
        let args = args.as_args();
        let mut words = Words::new(&args, 1);
        assert!(words.next().is_some_and(|word| is(word, "COUNT")));
        assert_eq!(words.integer(), Ok(5));
        words.next();
        assert_eq!(words.integer(), Err(BadOption::NotInteger));
        words.next();
        assert_eq!((words.integer(), words.left()), (Err(BadOption::Syntax), 0));
        assert_eq!(Words::new(&args, 9).next(), None);
    }
}
