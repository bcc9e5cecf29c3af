//! Active defragmentation: keys are moved together where their memory is mostly gaps.
//!
//! Keys that are removed at random leave gaps, which serve keys of their size and nobody else. A *pass* looks at one database after the
//! other: how full the chunks of its memory are, and, if some are mostly gaps, at all its keys, to move those that lie in the emptiest
//! (`table/defrag.rs`, `table/arena/drain.rs`). A pass moves a part of what could be moved, so that it never takes much memory itself;
//! then the next one may begin.
//!
//! What moves is a key's entry: the key, its expiry, and a value that is a number or a string that lies there with them. What large
//! strings and collections own outside of it stays where it is.

use super::Keyspace;
use super::table::Moves;

/// How much memory is mapped for keys, and how much of it they take. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fragmentation {
    /// What keys and their index take.
    pub used: usize,
    /// What is mapped for them.
    pub mapped: usize,
}

impl Fragmentation {
    /// Bytes that nobody uses.
    pub fn waste(&self) -> usize {
        self.mapped.saturating_sub(self.used)
    }
}

impl Keyspace {
    /// How full the memory is that keys have.
    pub fn fragmentation(&self) -> Fragmentation {
        let figures = self.dbs.iter().map(|(_, db)| db.table.arena_figures());
        figures.fold(Fragmentation::default(), |sum, (used, mapped)| Fragmentation {
            used: sum.used + used,
            mapped: sum.mapped + mapped,
        })
    }

    /// Goes on with a pass, for some 50 µs. False when it is over. Not while an image is being taken: that may hold
    /// on to where keys were.
    pub fn defrag_step(&mut self) -> bool {
        if self.cut.is_some() {
            return true;
        }
        let next = self.dbs.iter().map(|(index, _)| index).find(|index| *index >= self.defrag_at_db);
        let Some(index) = next else {
            self.defrag_at_db = 0;
            return false;
        };
        let mut moves = Moves::default();
        if !self.dbs.get(index).table.defrag_step(&mut moves) {
            self.defrag_at_db = index + 1;
        }
        self.stats.defrag_moved += moves.moved;
        self.stats.defrag_left += moves.left;
        true
    }

    /// Ends a pass, wherever it is.
    pub fn end_defrag(&mut self) {
        let indexes: Vec<u32> = self.dbs.iter().map(|(index, _)| index).collect();
        indexes.into_iter().for_each(|index| self.dbs.get(index).table.end_defrag());
        self.defrag_at_db = 0;
    }
}
