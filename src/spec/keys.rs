//! Where a command's keys are among its words: Redis's key specs.

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

    /// The same, with access that depends on the arguments.
    pub const fn variable(self) -> KeySpec {
        KeySpec { variable_flags: true, ..self }
    }

    /// The same, for channels.
    pub const fn not_key(self) -> KeySpec {
        KeySpec { not_key: true, ..self }
    }
}
