//! TILT: half a minute of watching without acting, after time itself looked wrong.
//!
//! The rules of a Sentinel compare moments. When this process was stopped for a while, or the machine was suspended, or
//! somebody moved the clock, what looks like two seconds of silence of a master may be two seconds in which nobody
//! listened. Redis notices by two ticks being more than two seconds apart or in the wrong order. We have no ticks, but the
//! core asks to be called at least every half second, which serves as well.
//!
//! Deadlines use the monotonic clock, so a moved wall clock cannot make an instance look silent. It still counts: a
//! suspended machine may show up in the wall clock alone.
//!
//! A stop too short for TILT is dealt with quietly. Calls that come later than asked for tell how long nobody listened; that
//! time does not count as silence of those we watch, and a failover of ours that has not told its replica yet is given up
//! after a long one: the others may have elected somebody else by now.
//!
//! During TILT everything is observed and answered, but nothing goes down, no question is answered with "down", and no
//! failover moves.

use super::Sentinel;
use super::io::{Level, Outputs};
use crate::base::time::{Instant, Now};

/// Longest time between two calls of the core while it watches anything.
const HEARTBEAT: u64 = 500;

/// A call later than this after it was due means that this process was held up, in milliseconds.
const LATE: u64 = 40;
/// A process held up for so long may have lost its leadership.
const TOO_LATE_TO_LEAD: u64 = 500;

/// When the clocks were last seen, and whether they are mistrusted.
#[derive(Clone, Debug, Default)]
pub struct Tilt {
    last: Option<Now>,
    since: Option<Instant>,
}

impl Tilt {
    /// Since when, while in TILT.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.last.map(|last| last.mono + HEARTBEAT)
    }
}

impl Sentinel {
    /// Compares the clocks with what they showed at the last call.
    pub(super) fn watch_clock(&mut self, now: Now, out: &mut Outputs) {
        let trigger = self.periods.tilt_trigger;
        // Due "at once" means due since the last call.
        let due = self.tilt.last.and_then(|last| self.next_deadline().map(|due| due.max(last.mono)));
        let late = due.map_or(0, |due| now.mono.since(due));
        if late > LATE {
            self.links.forgive(late);
            if late > TOO_LATE_TO_LEAD {
                self.give_up_leading(now.mono, out);
            }
        }
        if let Some(last) = self.tilt.last.replace(now) {
            let elapsed = now.mono.since(last.mono);
            let drift = (now.wall().0 - last.wall().0).abs_diff(elapsed as i64);
            let went_back = now.mono < last.mono;
            if elapsed > trigger || drift > trigger || went_back {
                self.tilt.since = Some(now.mono);
                let text = "#tilt mode entered".to_owned();
                self.event_text(out, now.mono, Level::Warning, "+tilt", None, text);
            }
        }
        if self.tilt.since.is_some_and(|since| now.mono.since(since) >= self.periods.tilt) {
            self.tilt.since = None;
            self.event_text(out, now.mono, Level::Warning, "-tilt", None, "#tilt mode exited".to_owned());
            self.touch_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sentinel::core::io::Output;
    use crate::sentinel::core::tests::Bench;

    fn tilts(out: &[Output]) -> Vec<&'static str> {
        let name = |o: &Output| if let Output::Event(e) = o { Some(e.name) } else { None };
        out.iter().filter_map(name).filter(|name| name.ends_with("tilt")).collect()
    }

    #[test]
    fn a_gap_between_calls_is_tilt_for_thirty_seconds() {
        let mut bench = Bench::empty();
        bench.timer();
        bench.advance(2001);
        assert_eq!(tilts(&bench.timer()), ["+tilt"]);
        for _ in 0..59 {
            bench.advance(500);
            assert!(tilts(&bench.timer()).is_empty());
        }
        bench.advance(500);
        assert_eq!(tilts(&bench.timer()), ["-tilt"]);
    }

    #[test]
    fn a_moved_wall_clock_is_tilt_in_either_direction() {
        for shift in [-3_000_000i64, 3_000_000] {
            let mut bench = Bench::empty();
            bench.timer();
            bench.shift_wall(shift);
            bench.advance(100);
            assert_eq!(tilts(&bench.timer()), ["+tilt"]);
        }
    }

    #[test]
    fn time_in_which_we_did_not_listen_is_not_silence() {
        let mut bench = Bench::watching_one_master(1000);
        bench.run_answering(500);
        // A PING is out and unanswered when this process is stopped for longer than down-after.
        bench.stop_answering();
        bench.run(150);
        bench.advance(1500);
        bench.run(0);
        assert!(!bench.sentinel.masters()[0].instance.is_down);
        bench.run(1000);
        assert!(bench.sentinel.masters()[0].instance.is_down);
    }

    #[test]
    fn two_seconds_and_small_drifts_are_no_tilt() {
        let mut bench = Bench::empty();
        bench.timer();
        bench.advance(2000);
        bench.shift_wall(-1_000_000);
        assert!(tilts(&bench.timer()).is_empty());
    }
}
