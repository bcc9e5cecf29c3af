//! Where a command's keys are among its words: Redis's key specs, and the search they describe.
//!
//! A spec says where to begin (a position, or after a keyword) and how keys follow from there (a range, or a count in one
//! of the words). Most commands need nothing else. Where positions cannot tell (`SORT … STORE key`) or what is done to a
//! key depends on an option (`SET … GET`), the declaration carries a function of its own, [`crate::spec::Meta::keys_by`].

use smallvec::SmallVec;

use crate::base::number::parse_i64;
use crate::resp::args::Args;
use crate::spec::{Flags, Meta};

/// One group of keys: where the search begins, how the keys follow, and what is done to them.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Where to begin.
    pub begin: BeginSearch,
    /// How the keys lie from there.
    pub find: FindKeys,
    /// What happens to them.
    pub access: Access,
    /// These are not keys of the data set (a channel, for cluster routing only).
    pub not_key: bool,
    /// The spec does not always find all keys.
    pub incomplete: bool,
    /// What is done depends on the arguments.
    pub variable_flags: bool,
}

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this word.
    Index(usize),
    /// After this keyword, looked for from word `from` (negative: from the end).
    Keyword {
        /// The keyword.
        word: &'static str,
        /// Where the look-up starts.
        from: isize,
    },
    /// Not describable.
    Unknown,
}

/// How the keys lie from where the search began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// Every `step`-th word up to `last` (relative to the beginning; negative: from the end of the words). `limit` of
    /// 2 means only the first half of the remaining words, 0 and 1 mean all.
    Range {
        /// Relative to the beginning, or negative from the end.
        last: isize,
        /// Distance of keys.
        step: usize,
        /// Which part of the rest.
        limit: usize,
    },
    /// A word says how many keys follow.
    KeyNum {
        /// Where the number is, relative to the beginning.
        index: usize,
        /// Where the first key is, relative to the beginning.
        first: usize,
        /// Distance of keys.
        step: usize,
    },
    /// Not describable.
    Unknown,
}

/// What a command does to the keys of one spec: one main word (RO, RW, OW, RM), and what it does with the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(u16);

impl Access {
    /// Nothing: the word is no key.
    pub const NONE: Access = Access(0);
    /// Reads the value, and changes nothing.
    pub const RO: Access = Access(1);
    /// Reads and changes.
    pub const RW: Access = Access(2);
    /// Overwrites without reading.
    pub const OW: Access = Access(4);
    /// Removes.
    pub const RM: Access = Access(8);
    /// Returns user data from it, or copies it.
    pub const ACCESS: Access = Access(16);
    /// Updates what is there.
    pub const UPDATE: Access = Access(32);
    /// Only adds.
    pub const INSERT: Access = Access(64);
    /// Deletes content or the key.
    pub const DELETE: Access = Access(128);

    /// Both.
    pub const fn and(self, other: Access) -> Access {
        Access(self.0 | other.0)
    }

    /// Whether any of `other` is in it.
    pub const fn has(self, other: Access) -> bool {
        self.0 & other.0 != 0
    }

    /// The words of COMMAND INFO, in Redis's order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        const WORDS: [&str; 8] = ["RO", "RW", "OW", "RM", "access", "update", "insert", "delete"];
        (0..8).filter(move |bit| self.0 & (1 << bit) != 0).map(|bit| WORDS[bit])
    }
}

impl KeySpec {
    /// Exactly one key, at word `index`.
    pub const fn one(index: usize, access: Access) -> KeySpec {
        KeySpec::range(index, 0, 1, access)
    }

    /// Keys from word `first` to `last` (relative, negative from the end), every `step` words.
    pub const fn range(first: usize, last: isize, step: usize, access: Access) -> KeySpec {
        KeySpec {
            begin: BeginSearch::Index(first),
            find: FindKeys::Range { last, step, limit: 0 },
            access,
            not_key: false,
            incomplete: false,
            variable_flags: false,
        }
    }

    /// Word `index` says how many keys follow it.
    pub const fn counted(index: usize, access: Access) -> KeySpec {
        KeySpec { find: FindKeys::KeyNum { index: 0, first: 1, step: 1 }, ..KeySpec::range(index, 0, 1, access) }
    }

    /// Keys whose names the words do not tell.
    pub const fn unknown(access: Access) -> KeySpec {
        KeySpec { begin: BeginSearch::Unknown, find: FindKeys::Unknown, ..KeySpec::range(0, 0, 1, access) }
    }

    /// The same, with access that depends on the arguments.
    pub const fn variable(self) -> KeySpec {
        KeySpec { variable_flags: true, ..self }
    }

    /// The same, for channels.
    pub const fn not_key(self) -> KeySpec {
        KeySpec { not_key: true, ..self }
    }
}

/// One key among a command's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAt {
    /// Which word.
    pub index: usize,
    /// What happens to it.
    pub access: Access,
}

/// The keys of one call.
pub type KeyList = SmallVec<[KeyAt; 4]>;

/// Finds the keys of a call where the specs alone cannot. `None`: the words make no sense.
pub type KeysBy = fn(&Args<'_>) -> Option<KeyList>;

/// Why the keys of a call cannot be told: its words contradict the declaration (a count beyond the end, a number that
/// is none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKeys;

/// The keys of this call, in the order of the declaration. Arity was checked before.
pub fn keys_of(meta: &Meta, args: &Args<'_>) -> Result<KeyList, InvalidKeys> {
    let is_vague = meta.keys.iter().any(|spec| spec.variable_flags || spec.incomplete);
    if let (Some(keys_by), true) = (meta.keys_by, is_vague) {
        return keys_by(args).ok_or(InvalidKeys);
    }
    let mut keys = KeyList::new();
    let found = meta.keys.iter().filter(|spec| !spec.not_key).try_for_each(|spec| search(spec, args, &mut keys));
    let is_keyword = |spec: &KeySpec| matches!(spec.begin, BeginSearch::Keyword { .. });
    let found = found.and_then(|()| match keys.is_empty() && meta.keys.iter().any(is_keyword) {
        true => Err(InvalidKeys),
        false => Ok(()),
    });
    match (found, meta.keys_by) {
        (Ok(()), _) => Ok(keys),
        (Err(_), Some(keys_by)) => keys_by(args).ok_or(InvalidKeys),
        // A count of zero where no key is mandatory (EVAL with 0).
        (Err(_), None) if meta.flags.has(Flags::NO_MANDATORY_KEYS) => Ok(KeyList::new()),
        (Err(invalid), None) => Err(invalid),
    }
}

/// Follows one spec.
fn search(spec: &KeySpec, args: &Args<'_>, keys: &mut KeyList) -> Result<(), InvalidKeys> {
    let words = args.len() as isize;
    let begin = match spec.begin {
        BeginSearch::Index(index) => index as isize,
        BeginSearch::Keyword { word, from } => match after_keyword(args, word, from) {
            Some(begin) => begin,
            // An option that was not used. The other specs still hold.
            None => return Ok(()),
        },
        BeginSearch::Unknown => return Err(InvalidKeys),
    };
    let (first, last, step) = match spec.find {
        FindKeys::Range { last, step, limit } => {
            let last = match (last, limit) {
                (0.., _) => begin + last,
                (_, 0 | 1) => words + last,
                (_, limit) => begin + (words - begin) / limit as isize + last,
            };
            (begin, last, step)
        }
        FindKeys::KeyNum { index, first, step } => {
            let at = begin as usize + index;
            let count = (at < args.len()).then(|| parse_i64(args.get(at))).flatten().ok_or(InvalidKeys)?;
            // More keys than words can only be nonsense; refusing here keeps the arithmetic below small.
            if count < 0 || count > words as i64 {
                return Err(InvalidKeys);
            }
            let first = begin + first as isize;
            (first, first + (count as isize - 1) * step as isize, step)
        }
        FindKeys::Unknown => return Err(InvalidKeys),
    };
    if first < 1 || first >= words || last < first || last >= words {
        return Err(InvalidKeys);
    }
    let positions = (first as usize..=last as usize).step_by(step.max(1));
    keys.extend(positions.map(|index| KeyAt { index, access: spec.access }));
    Ok(())
}

/// The position after `word`, looked for from word `from` onwards, or backwards when `from` is negative.
fn after_keyword(args: &Args<'_>, word: &str, from: isize) -> Option<isize> {
    let words = args.len();
    let found = if from >= 0 {
        (from as usize..words).find(|index| args.is(*index, word))
    } else {
        let start = words.checked_sub(from.unsigned_abs())?;
        (1..=start).rev().find(|index| args.is(*index, word))
    };
    found.map(|index| index as isize + 1)
}

/// The old description of keys: first, last (negative: from the end) and step, and whether it leaves out some keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegacyRange {
    /// Zero when there are no keys at known places.
    pub first: isize,
    /// Negative: from the end.
    pub last: isize,
    /// Distance.
    pub step: isize,
    /// `movablekeys`: the three numbers do not tell all.
    pub is_partial: bool,
}

/// What of the specs fits into first, last and step: ranges that follow each other without a gap.
pub fn legacy_range(specs: &[KeySpec]) -> LegacyRange {
    let mut range = LegacyRange::default();
    for (number, spec) in specs.iter().enumerate() {
        let (BeginSearch::Index(first), FindKeys::Range { last, step, .. }) = (spec.begin, spec.find) else {
            range.is_partial = true;
            continue;
        };
        let first = first as isize;
        if number > 0 && range.last != 0 && range.last != first - 1 {
            range.is_partial = true;
            continue;
        }
        let last = if last >= 0 { first + last } else { last };
        if range.first == 0 {
            (range.first, range.step) = (first, step as isize);
        }
        // A position from the end is beyond any counted from the start.
        range.last = if last < 0 || range.last < 0 { last.min(range.last) } else { last.max(range.last) };
    }
    range
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;

    fn keys(specs: &'static [KeySpec], words: &str) -> Option<Vec<usize>> {
        let meta = Meta { keys: specs, ..Meta::NEW };
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let found = keys_of(&meta, &OwnedArgs::of(&words).as_args()).ok()?;
        Some(found.iter().map(|key| key.index).collect())
    }

    #[test]
    fn ranges_count_from_the_start_or_from_the_end() {
        const MSET: &[KeySpec] = &[KeySpec::range(1, -1, 2, Access::OW)];
        const DEL: &[KeySpec] = &[KeySpec::range(1, -1, 1, Access::RM)];
        const BLPOP: &[KeySpec] = &[KeySpec::range(1, -2, 1, Access::RW)];
        assert_eq!(keys(MSET, "mset a 1 b 2"), Some(vec![1, 3]));
        assert_eq!(keys(DEL, "del a b c"), Some(vec![1, 2, 3]));
        assert_eq!(keys(BLPOP, "blpop a b 0"), Some(vec![1, 2]));
        assert_eq!(keys(BLPOP, "blpop 0"), None);
    }

    #[test]
    fn a_count_in_the_words_is_believed_only_within_the_words() {
        const LMPOP: &[KeySpec] = &[KeySpec::counted(1, Access::RW)];
        assert_eq!(keys(LMPOP, "lmpop 2 a b LEFT"), Some(vec![2, 3]));
        assert_eq!(keys(LMPOP, "lmpop 5 a b LEFT"), None);
        assert_eq!(keys(LMPOP, "lmpop -1 a b LEFT"), None);
        assert_eq!(keys(LMPOP, "lmpop 9223372036854775807 a"), None);
        assert_eq!(keys(LMPOP, "lmpop x a"), None);
        assert_eq!(keys(LMPOP, "lmpop 0 a"), None);
    }

    #[test]
    fn a_keyword_is_looked_for_from_either_end() {
        const RANGE_HALF: FindKeys = FindKeys::Range { last: -1, step: 1, limit: 2 };
        const XREAD: &[KeySpec] = &[KeySpec {
            begin: BeginSearch::Keyword { word: "STREAMS", from: 1 },
            find: RANGE_HALF,
            ..KeySpec::one(1, Access::RO)
        }];
        assert_eq!(keys(XREAD, "xread count 2 streams a b 0 0"), Some(vec![4, 5]));
        assert_eq!(keys(XREAD, "xread count 2"), None);
        const MIGRATE: &[KeySpec] = &[KeySpec {
            begin: BeginSearch::Keyword { word: "KEYS", from: -2 },
            ..KeySpec::range(1, -1, 1, Access::RW)
        }];
        assert_eq!(keys(MIGRATE, "migrate h p x 0 9 KEYS a b"), Some(vec![7, 8]));
        assert_eq!(keys(MIGRATE, "migrate"), None);
    }

    #[test]
    fn an_option_that_is_not_used_does_not_hide_the_other_keys() {
        const fn option(word: &'static str) -> KeySpec {
            KeySpec { begin: BeginSearch::Keyword { word, from: 2 }, ..KeySpec::one(1, Access::OW) }
        }
        const GEORADIUS: &[KeySpec] = &[KeySpec::one(1, Access::RO), option("STORE"), option("STOREDIST")];
        assert_eq!(keys(GEORADIUS, "georadius k 1 2"), Some(vec![1]));
        assert_eq!(keys(GEORADIUS, "georadius k 1 STOREDIST d"), Some(vec![1, 4]));
        assert_eq!(keys(GEORADIUS, "georadius k 1 STORE d"), Some(vec![1, 4]));
    }

    #[test]
    fn a_function_decides_where_options_do_and_where_specs_fail() {
        const ON_READ: KeysBy = |args| Some(KeyList::from_iter([KeyAt { index: args.len() - 1, access: Access::RO }]));
        let call = OwnedArgs::of(&[b"x", b"a", b"b"]);
        let found =
            |meta: &Meta| keys_of(meta, &call.as_args()).map(|keys| keys.iter().map(|k| k.index).collect::<Vec<_>>());
        const VARIABLE: &[KeySpec] = &[KeySpec::one(1, Access::RW).variable()];
        const COUNTED: &[KeySpec] = &[KeySpec::counted(1, Access::RW)];
        let variable = Meta { keys: VARIABLE, keys_by: Some(ON_READ), ..Meta::NEW };
        assert_eq!(found(&variable), Ok(vec![2]));
        let failing = Meta { keys: COUNTED, keys_by: Some(ON_READ), ..Meta::NEW };
        assert_eq!(found(&failing), Ok(vec![2]));
        assert_eq!(found(&Meta { keys_by: None, ..failing }), Err(InvalidKeys));
        let optional = Meta { keys_by: None, flags: Flags::NO_MANDATORY_KEYS, ..failing };
        assert_eq!(found(&optional), Ok(vec![]));
    }

    #[test]
    fn old_style_ranges_join_what_is_contiguous() {
        let range = |first, last, step, is_partial| LegacyRange { first, last, step, is_partial };
        let one = |index| KeySpec::one(index, Access::RW);
        assert_eq!(legacy_range(&[]), range(0, 0, 0, false));
        assert_eq!(legacy_range(&[one(1), one(2)]), range(1, 2, 1, false));
        assert_eq!(legacy_range(&[one(2), KeySpec::range(3, -1, 1, Access::RO)]), range(2, -1, 1, false));
        assert_eq!(legacy_range(&[one(1), KeySpec::counted(2, Access::RO)]), range(1, 1, 1, true));
        assert_eq!(legacy_range(&[KeySpec::range(1, -2, 1, Access::RW)]), range(1, -2, 1, false));
    }
}
