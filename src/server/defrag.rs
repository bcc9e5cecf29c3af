//! When keys are moved together (`activedefrag`), and how much of the time that may take.
//!
//! It begins when more is wasted than `active-defrag-ignore-bytes` and, of what keys take, than `active-defrag-threshold-lower` per
//! cent. From then on a slice of a quarter of a millisecond comes again and again, at distances that make up a share of the time
//! between `active-defrag-cycle-min` and `-max`, larger the more is wasted. When a pass has given little back, the rest cannot be
//! helped, and nothing is done before waste has grown again.

use crate::base::time::Instant;
use crate::keyspace::Fragmentation;
use crate::server::Turn;

/// Microseconds of a slice.
const SLICE_US: u64 = 250;
/// A pass that gave back less than one part in this many of the waste was the last for now.
const PROGRESS: usize = 20;

/// Where it is.
#[derive(Default)]
pub struct Defrag {
    /// What was wasted when the present pass began.
    pass: Option<usize>,
    /// What was wasted when the last pass gave up.
    settled: usize,
    /// When the next slice is due.
    next: Instant,
    /// Share of the time, per cent; 0 when nothing is done.
    pub percent: u64,
    /// Microseconds since it was last idle, in slices.
    pub current_us: u64,
    /// Microseconds of all slices before.
    past_us: u64,
}

impl Defrag {
    /// Microseconds of all slices.
    pub fn total_us(&self) -> u64 {
        self.past_us + self.current_us
    }

    fn rest(&mut self) {
        self.past_us += std::mem::take(&mut self.current_us);
        (self.pass, self.percent) = (None, 0);
    }
}

impl Turn<'_> {
    /// Ten times a second: whether there is something to do.
    pub fn consider_defrag(&mut self) {
        let engine = &self.server.engine;
        let defrag = &mut self.server.defrag;
        let memory = &engine.config.memory;
        if !memory.activedefrag {
            defrag.settled = 0;
            if defrag.pass.is_some() {
                defrag.rest();
                self.server.engine.keyspace.end_defrag();
            }
            return;
        }
        let now = engine.keyspace.fragmentation();
        let lower = memory.active_defrag_threshold_lower as usize;
        let is_much = now.waste() as u64 > memory.active_defrag_ignore_bytes && now.waste() > now.used / 100 * lower;
        if defrag.pass.is_none() {
            // What could not be helped the last time is no reason to begin.
            if !is_much || now.waste() <= defrag.settled + defrag.settled / PROGRESS {
                return;
            }
            defrag.pass = Some(now.waste());
            defrag.next = engine.now.mono;
        }
        defrag.percent = share(
            &now,
            lower,
            memory.active_defrag_threshold_upper as usize,
            [memory.active_defrag_cycle_min, memory.active_defrag_cycle_max],
        );
    }

    /// A slice, if one is due; when the next is. Nothing is moved while keys are loaded or an image is being taken.
    pub fn end_turn_of_defrag(&mut self) -> Option<Instant> {
        let began = self.server.defrag.pass?;
        let now = self.server.engine.now.mono;
        if now < self.server.defrag.next {
            return Some(self.server.defrag.next);
        }
        let facts = &self.server.engine.facts;
        if facts.is_loading || facts.busy.is_some() || self.server.engine.keyspace.is_cutting() {
            self.server.defrag.next = now + 100;
            return Some(self.server.defrag.next);
        }
        let started = self.net.clock().micros();
        let (mut is_over, mut elapsed) = (false, 0);
        while !is_over && elapsed < SLICE_US {
            is_over = !self.server.engine.keyspace.defrag_step();
            elapsed = self.net.clock().micros().saturating_sub(started);
        }
        let waste = self.server.engine.keyspace.fragmentation().waste();
        let defrag = &mut self.server.defrag;
        defrag.current_us += elapsed;
        defrag.next = now + (elapsed * 100 / defrag.percent.max(1) / 1000).max(1);
        if is_over {
            let is_progress = waste + began / PROGRESS < began;
            defrag.settled = if is_progress { 0 } else { waste };
            defrag.rest();
            return None;
        }
        Some(defrag.next)
    }
}

/// Per cent of the time: `shares` at the two thresholds, in between in between.
fn share(now: &Fragmentation, lower: usize, upper: usize, shares: [u32; 2]) -> u64 {
    let wasted = (now.waste() * 100 / now.used.max(1)).clamp(lower, upper.max(lower));
    let [least, most] = shares.map(|share| share as usize);
    let most = most.max(least);
    let part = (most - least) * (wasted - lower) / (upper.saturating_sub(lower)).max(1);
    (least + part.min(most - least)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_is_wasted_the_more_time_it_may_take() {
        let at = |waste: usize| share(&Fragmentation { used: 1000, mapped: 1000 + waste }, 10, 100, [1, 25]);
        assert_eq!([0, 100, 550, 1000, 9000].map(at), [1, 1, 13, 25, 25]);
        assert_eq!(share(&Fragmentation::default(), 50, 10, [30, 20]), 30);
    }
}
