//! Holding clients back: CLIENT PAUSE, a failover that hands over, a shutdown that waits for its replicas.
//!
//! Several reasons can hold at once; the strictest counts, and each ends on its own. A command that is held back stays
//! unread in its connection's buffer and is taken up again when the last reason that concerned it ends. While writes
//! are paused nothing may change the data set: active expiry rests too, and expired keys are hidden instead of removed.

use crate::base::time::Instant;
use crate::session::context::Pause;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// CLIENT PAUSE.
    Client,
    /// SHUTDOWN waits for replicas.
    Shutdown,
    /// FAILOVER, or a Sentinel's hand-over.
    Failover,
}

/// All pauses.
#[derive(Clone, Debug, Default)]
pub struct Pauses {
    active: [Option<(Pause, Instant)>; 3],
}

impl Pauses {
    /// Pauses until `until`. The same reason asked again never makes a pause shorter or weaker.
    pub fn pause(&mut self, reason: Reason, what: Pause, until: Instant) {
        let slot = &mut self.active[reason as usize];
        *slot = Some(match *slot {
            Some((old, end)) => (old.max(what), end.max(until)),
            None => (what, until),
        });
    }

    /// Ends a reason's pause.
    pub fn end(&mut self, reason: Reason) {
        self.active[reason as usize] = None;
    }

    /// Forgets pauses that are over; true when one was.
    pub fn expire(&mut self, now: Instant) -> bool {
        let mut ended = false;
        for slot in &mut self.active {
            if slot.is_some_and(|(_, until)| now >= until) {
                *slot = None;
                ended = true;
            }
        }
        ended
    }

    /// What is held back now.
    pub fn current(&self) -> Option<Pause> {
        self.active.iter().flatten().map(|(what, _)| *what).max()
    }

    /// Whether anything that changes data is held back.
    pub fn is_write_paused(&self) -> bool {
        self.current().is_some()
    }

    /// The first moment at which a pause ends.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.active.iter().flatten().map(|(_, until)| *until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_never_made_shorter_or_weaker_by_another() {
        let at = Instant::from_millis;
        let mut pauses = Pauses::default();
        pauses.pause(Reason::Client, Pause::All, at(100));
        pauses.pause(Reason::Client, Pause::Write, at(50));
        assert_eq!((pauses.current(), pauses.next_deadline()), (Some(Pause::All), Some(at(100))));
        pauses.pause(Reason::Shutdown, Pause::Write, at(200));
        assert!(pauses.expire(at(100)));
        assert_eq!(pauses.current(), Some(Pause::Write));
        pauses.end(Reason::Shutdown);
        assert!(!pauses.is_write_paused() && !pauses.expire(at(300)));
    }
}
