//! The words of SORT.

use smallvec::SmallVec;

use super::pattern::Pattern;
use crate::base::number::parse_i64;
use crate::commands::contract::CommandError;
use crate::resp::args::Args;

/// What was asked for.
#[derive(Debug)]
pub struct Options<'a> {
    /// DESC
    pub is_descending: bool,
    /// ALPHA
    pub is_alpha: bool,
    /// BY a pattern without a star: no order is wanted.
    pub is_unsorted: bool,
    /// BY a pattern that stands for a weight.
    pub by: Option<Pattern<'a>>,
    /// GET, in the order given.
    pub get: SmallVec<[Pattern<'a>; 2]>,
    /// STORE
    pub store: Option<&'a [u8]>,
    /// LIMIT: how many to leave out, and how many to take; negative for all.
    limit: (i64, i64),
}

impl<'a> Options<'a> {
    /// Reads the words after the key. Patterns name keys that nobody has checked, so they need the right to read all keys.
    pub fn parse(args: &Args<'a>, may_store: bool, may_read_all_keys: bool) -> Result<Options<'a>, CommandError> {
        let mut options = Options {
            is_descending: false,
            is_alpha: false,
            is_unsorted: false,
            by: None,
            get: SmallVec::new(),
            store: None,
            limit: (0, -1),
        };
        let mut index = 2;
        while index < args.len() {
            let left = args.len() - index - 1;
            let mut taken = 0;
            if args.is(index, "ASC") {
                options.is_descending = false;
            } else if args.is(index, "DESC") {
                options.is_descending = true;
            } else if args.is(index, "ALPHA") {
                options.is_alpha = true;
            } else if args.is(index, "LIMIT") && left >= 2 {
                let integer = |index| parse_i64(args.get(index)).ok_or(CommandError::NotInteger);
                options.limit = (integer(index + 1)?, integer(index + 2)?);
                taken = 2;
            } else if args.is(index, "STORE") && left >= 1 && may_store {
                options.store = Some(args.get(index + 1));
                taken = 1;
            } else if args.is(index, "BY") && left >= 1 {
                options.set_by(args.get(index + 1), may_read_all_keys)?;
                taken = 1;
            } else if args.is(index, "GET") && left >= 1 {
                if !may_read_all_keys {
                    return Err(denied("GET"));
                }
                options.get.push(Pattern::of(args.get(index + 1)));
                taken = 1;
            } else {
                return Err(CommandError::Syntax);
            }
            index += 1 + taken;
        }
        Ok(options)
    }

    /// Once it was said that no order is wanted, that stays so, whatever other patterns come.
    fn set_by(&mut self, pattern: &'a [u8], may_read_all_keys: bool) -> Result<(), CommandError> {
        if !pattern.contains(&b'*') {
            self.is_unsorted = true;
        } else if !may_read_all_keys {
            return Err(denied("BY"));
        }
        self.by = Some(Pattern::of(pattern));
        Ok(())
    }

    /// The elements of `len` that LIMIT asks for, in the order of the result.
    pub fn range(&self, len: usize) -> std::ops::Range<usize> {
        let all = len as i64;
        let (start, count) = (self.limit.0.clamp(0, all), self.limit.1.clamp(-1, all));
        let end = if count < 0 { all } else { (start + count).min(all) };
        start as usize..end.max(start) as usize
    }
}

fn denied(option: &str) -> CommandError {
    CommandError::err(format!("{option} option of SORT denied due to insufficient ACL permissions."))
}
