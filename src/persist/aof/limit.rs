//! When the AOF rewrites itself: after so much growth, and not again and again when it keeps failing.

use crate::base::time::Instant;

/// Failures in a row after which the server waits before it tries again by itself. Redis's number.
const FAILURES_MAX: u32 = 3;

/// Longest wait, in minutes.
const MINUTES_MAX: u64 = 60;

/// Whether an AOF of `size` bytes, which had `base` after the last rewrite, has grown enough: `auto-aof-rewrite-percentage`
/// and `auto-aof-rewrite-min-size`. The growth in per cent, when it has.
pub fn growth_due(size: u64, base: u64, percentage: u32, min_size: u64) -> Option<u64> {
    if percentage == 0 || size <= min_size {
        return None;
    }
    let growth = (u128::from(size) * 100 / u128::from(base.max(1))).saturating_sub(100);
    (growth >= u128::from(percentage)).then(|| u64::try_from(growth).unwrap_or(u64::MAX))
}

/// Holds rewrites back that fail again and again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limit {
    failures: u32,
    minutes: u64,
    until: Option<Instant>,
}

/// What [`Limit::check`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Go on.
    May,
    /// Not yet.
    Wait,
    /// From now on wait for so many minutes.
    WaitFrom {
        /// Minutes.
        minutes: u64,
    },
}

impl Limit {
    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// A rewrite failed.
    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// A rewrite succeeded.
    pub fn succeeded(&mut self) {
        *self = Limit::default();
    }

    /// Whether the server may begin a rewrite on its own initiative.
    pub fn check(&mut self, now: Instant) -> Check {
        if self.failures < FAILURES_MAX {
            return Check::May;
        }
        match self.until {
            Some(until) if now < until => Check::Wait,
            Some(_) => {
                // One try; if that fails too, the next wait is longer.
                self.until = None;
                Check::May
            }
            None => {
                self.minutes = (self.minutes * 2).clamp(1, MINUTES_MAX);
                self.until = Some(now + self.minutes * 60_000);
                Check::WaitFrom { minutes: self.minutes }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_counts_from_the_last_rewrite_and_above_the_minimum() {
        assert_eq!(growth_due(200, 100, 100, 64), Some(100));
        assert_eq!(growth_due(199, 100, 100, 64), None);
        assert_eq!(growth_due(200, 100, 0, 64), None);
        assert_eq!(growth_due(64, 1, 100, 64), None);
        assert_eq!(growth_due(65, 0, 100, 64), Some(6400));
        assert_eq!(growth_due(u64::MAX, 1, 100, 0), Some(u64::MAX));
        assert_eq!(growth_due(50, 100, 1, 0), None);
    }

    #[test]
    fn after_three_failures_the_waits_double_up_to_an_hour() {
        let (mut limit, mut now) = (Limit::default(), Instant::from_millis(0));
        for _ in 0..3 {
            assert_eq!(limit.check(now), Check::May);
            limit.failed();
        }
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(limit.check(now), Check::WaitFrom { minutes });
            now = now + minutes * 60_000;
            assert_eq!(limit.check(Instant::from_millis(now.as_millis() - 1)), Check::Wait);
            assert_eq!(limit.check(now), Check::May);
            limit.failed();
        }
        limit.succeeded();
        assert_eq!((limit.check(now), limit.failures()), (Check::May, 0));
    }
}
