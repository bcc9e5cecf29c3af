//! Moving entries out of chunks of the arena that are mostly gaps, one segment at a time.
//!
//! Segments are not moved: they are few, and change places as the table grows and shrinks.

#![allow(unsafe_code)]

use super::arena::Arena;
use super::segment::{SLOTS, Slot};
use super::{AHEAD, Table};

/// Where a round is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Round {
    /// Looking how full the chunks are.
    #[default]
    Survey,
    /// The segment at this position of the hash space is next.
    Walk(u64),
}

/// Entries looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Those that were moved.
    pub moved: u64,
    /// Those that stayed.
    pub left: u64,
}

impl Table {
    /// Bytes that entries and segments take, and that are mapped for them.
    pub fn arena_figures(&self) -> (usize, usize) {
        (self.arena.used(), self.arena.mapped())
    }

    /// Goes on with defragmentation, some 50 µs. False when a round is over.
    pub fn defrag_step(&mut self, moves: &mut Moves) -> bool {
        let position = match self.round {
            Round::Walk(position) => position,
            Round::Survey => {
                match self.arena.survey() {
                    None => return true,
                    Some(true) => self.round = Round::Walk(0),
                    Some(false) => {
                        self.end_defrag();
                        return false;
                    }
                }
                return true;
            }
        };
        self.move_entries(position, moves);
        match self.after_segment(position) {
            Some(next) => self.round = Round::Walk(next),
            None => self.end_defrag(),
        }
        matches!(self.round, Round::Walk(_))
    }

    /// Ends a round, wherever it is.
    pub fn end_defrag(&mut self) {
        self.arena.settle();
        self.round = Round::Survey;
    }

    fn move_entries(&mut self, position: u64, moves: &mut Moves) {
        let segment = self.segment(position);
        let end = segment.buckets() * SLOTS;
        let slot_at = |at: usize| Some(segment.slot(at)).filter(|slot| slot.0 != 0);
        for at in 0..end {
            if at + AHEAD < end
                && let Some(later) = slot_at(at + AHEAD)
            {
                later.prefetch();
            }
            let Some(slot) = slot_at(at) else { continue };
            match moved(&mut self.arena, slot) {
                Some(slot) => {
                    segment.set_slot(at, slot);
                    moves.moved += 1;
                }
                None => moves.left += 1,
            }
        }
    }
}

/// The slot of an entry after its move, if it had to move.
fn moved(arena: &mut Arena, slot: Slot) -> Option<Slot> {
    let (block, size) = (slot.block(), slot.entry().shape().size());
    // SAFETY: a slot names a live entry, whose block the arena gave for this size. What is in an entry may be moved, as it
    // owns what it refers to and nothing refers to it but the slot, which the caller overwrites. The blocks do not overlap.
    unsafe {
        if !arena.is_draining(block, size) {
            return None;
        }
        let target = arena.alloc(size);
        std::ptr::copy_nonoverlapping(block.as_ptr(), target.as_ptr(), size);
        arena.free(block, size);
        Some(slot.at(target))
    }
}
