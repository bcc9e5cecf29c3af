//! How long turns of the event loop take, for INFO stats and INFO debug. The time between two turns, in which the loop waits
//! or sends, is not counted.

use crate::base::time::Instant;
use crate::stats::rate::Rate;

/// Microseconds, since the start or CONFIG RESETSTAT.
#[derive(Clone, Debug, Default)]
pub struct LoopTimes {
    began: Option<u64>,
    /// Commands that had been processed when the turn before ended.
    commands: u64,
    cycles: u64,
    /// In all turns together.
    pub sum: u64,
    /// In the longest one.
    pub longest: u64,
    /// Spent on recurring work.
    pub cron_sum: u64,
    /// Spent on the append only file.
    pub aof_sum: u64,
    /// Most commands of one turn.
    pub commands_max: u64,
    durations: Rate,
    rate: Rate,
}

impl LoopTimes {
    /// A turn begins, if it has not begun already.
    pub fn begin(&mut self, now_us: u64) {
        self.began.get_or_insert(now_us);
    }

    /// The turn ends; so many commands have been processed since the server started.
    pub fn end(&mut self, now_us: u64, commands: u64) {
        let spent = now_us.saturating_sub(self.began.take().unwrap_or(now_us));
        self.sum += spent;
        self.cycles += 1;
        self.longest = self.longest.max(spent);
        self.commands_max = self.commands_max.max(commands.saturating_sub(self.commands));
        self.commands = commands;
    }

    /// One sample of how long turns take lately.
    pub fn sample(&mut self, now: Instant) {
        self.durations.sample(self.sum, now);
        self.rate.sample(self.cycles, now);
    }

    /// Microseconds that a turn has taken lately, on average.
    pub fn recent_us(&self) -> u64 {
        self.durations.per_second().checked_div(self.rate.per_second()).unwrap_or_default()
    }

    /// CONFIG RESETSTAT. The turn goes on.
    pub fn reset(&mut self) {
        *self = LoopTimes { began: self.began, commands: 0, ..LoopTimes::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_turns_is_not_counted() {
        let mut times = LoopTimes::default();
        times.begin(100);
        times.begin(150);
        times.end(180, 3);
        times.begin(1000);
        times.end(1010, 4);
        times.end(2000, 4);
        assert_eq!((times.sum, times.longest, times.commands_max), (90, 80, 3));
        times.reset();
        assert_eq!((times.sum, times.longest), (0, 0));
    }
}
