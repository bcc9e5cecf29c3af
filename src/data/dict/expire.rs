//! Elements with an expiry: counting them, and finding those that are over.
//!
//! Each segment knows a moment before which none of its elements is over, and the table knows the least of these. A sweep
//! passes segments that are not due after a look at that moment; in one that is due it takes out what is over and learns
//! the moment anew. So a hundred fields that are over among ten million are found by passing 200,000 words, and nothing
//! at all is done while nothing is due. The moments may be too early (the element they came from is gone), never too late.

use super::{Dict, MapDict, Spot};
use crate::base::time::UnixMillis;

/// How far the sweep is, and what it knows.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    /// Elements with an expiry.
    pub timed: usize,
    /// The segment with which it goes on.
    position: usize,
    /// No segment is due earlier, except perhaps behind `position` if a sweep is under way.
    due: i64,
    /// The earliest moment met so far in this sweep.
    met: i64,
}

impl Default for Sweep {
    fn default() -> Sweep {
        Sweep { timed: 0, position: 0, due: i64::MAX, met: i64::MAX }
    }
}

impl Sweep {
    /// A moment was set, or came to a place that the sweep may have passed.
    pub fn met(&mut self, due: i64) {
        self.due = self.due.min(due);
        self.met = self.met.min(due);
    }
}

impl<const MAP: bool> Dict<MAP> {
    pub(super) fn count_expiry(&mut self, expiry: Option<UnixMillis>) {
        if let Some(when) = expiry {
            self.sweep.timed += 1;
            self.sweep.met(when.0);
        }
    }
}

impl MapDict {
    /// How many elements have an expiry.
    pub fn timed(&self) -> usize {
        self.sweep.timed
    }

    /// A moment before which no element is over; `None` if none has an expiry.
    pub fn due(&self) -> Option<UnixMillis> {
        (self.sweep.timed > 0).then_some(UnixMillis(self.sweep.due))
    }

    /// Takes out elements that are over at `now`, which means that their moment lies before it, and gives each key to
    /// `gone`. Stops after about `max` of them, or segments looked at; true when none is left.
    pub fn expire(&mut self, now: UnixMillis, max: usize, gone: &mut dyn FnMut(&[u8])) -> bool {
        if self.sweep.timed == 0 {
            self.sweep = Sweep::default();
            return true;
        }
        let mut work = 0;
        if self.sweep.position == 0 {
            if self.sweep.due >= now.0 {
                return true;
            }
            self.sweep.met = i64::MAX;
        }
        while work < max.max(1) {
            let index = self.sweep.position;
            if index >= self.segments.len() {
                self.sweep.due = self.sweep.met;
                self.sweep.position = 0;
                return self.sweep.due >= now.0;
            }
            work += 1;
            if self.segment(index).due < now.0 {
                work += self.expire_segment(index, now, gone);
            }
            if index < self.segments.len() {
                self.sweep.met = self.sweep.met.min(self.segment(index).due);
            }
            self.sweep.position = index + 1;
        }
        false
    }

    fn expire_segment(&mut self, index: usize, now: UnixMillis, gone: &mut dyn FnMut(&[u8])) -> usize {
        let (mut due, mut removed) = (i64::MAX, 0);
        let segments = self.segments.len();
        // Backwards, as a removal fills the hole with the last.
        for slot in (0..self.segment(index).len()).rev() {
            let entry = self.segment(index).entry(slot);
            let Some(when) = entry.expiry else { continue };
            if when.0 >= now.0 {
                due = due.min(when.0);
                continue;
            }
            gone(entry.key);
            removed += 1;
            self.remove_at(Spot { segment: index as u32, slot: slot as u32 });
            if self.segments.len() < segments {
                // Segments were merged, perhaps with this one, which stays due; the next sweep looks again.
                return removed;
            }
        }
        self.segments.get_mut(index).due = due;
        removed
    }
}
