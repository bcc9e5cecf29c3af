//! When a client is cut off: too much output waiting, too long without a word.

use crate::base::time::Instant;
use crate::config::values::{BufferLimit, BufferLimits};

/// The rows of `client-output-buffer-limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitClass {
    /// Clients.
    Normal,
    /// Replicas.
    Replica,
    /// Clients with subscriptions.
    Pubsub,
}

impl LimitClass {
    /// The class's row.
    pub fn of(self, limits: &BufferLimits) -> BufferLimit {
        match self {
            LimitClass::Normal => limits.normal,
            LimitClass::Replica => limits.replica,
            LimitClass::Pubsub => limits.pubsub,
        }
    }
}

/// Whether a client with `waiting` bytes of output must be cut off. `since` remembers when the soft limit was first seen
/// exceeded; it is cleared when the output falls back below it.
pub fn is_output_exceeded(limit: BufferLimit, waiting: u64, since: &mut Option<Instant>, now: Instant) -> bool {
    let is_soft = limit.soft != 0 && waiting >= limit.soft;
    let is_too_long = match (is_soft, *since) {
        (false, _) => {
            *since = None;
            false
        }
        (true, None) => {
            *since = Some(now);
            false
        }
        // Redis asks for more than the limit, by a clock of whole seconds.
        (true, Some(first)) => (now.as_millis() / 1000).saturating_sub(first.as_millis() / 1000) > limit.soft_seconds,
    };
    is_too_long || limit.hard != 0 && waiting >= limit.hard
}

/// Whether a client that last spoke at `last` is to be closed under `timeout` seconds (zero: never). Callers leave out
/// replicas, masters, blocked clients and subscribers, whom `timeout` does not concern.
pub fn is_idle_too_long(last: Instant, timeout_seconds: u64, now: Instant) -> bool {
    timeout_seconds != 0 && now.since(last) / 1000 > timeout_seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_limit_cuts_at_once_and_the_soft_one_after_its_time() {
        let limit = BufferLimit { hard: 100, soft: 10, soft_seconds: 2 };
        let mut since = None;
        let at = Instant::from_millis;
        assert!(!is_output_exceeded(limit, 9, &mut since, at(0)));
        assert!(!is_output_exceeded(limit, 10, &mut since, at(700)));
        assert!(!is_output_exceeded(limit, 50, &mut since, at(2999)));
        assert!(is_output_exceeded(limit, 50, &mut since, at(3000)), "after 2.3 seconds: the third has begun");
        assert!(is_output_exceeded(limit, 100, &mut None, at(0)));
    }

    #[test]
    fn falling_below_the_soft_limit_starts_its_clock_anew() {
        let limit = BufferLimit { soft: 10, soft_seconds: 2, ..BufferLimit::default() };
        let mut since = None;
        is_output_exceeded(limit, 10, &mut since, Instant::from_millis(0));
        is_output_exceeded(limit, 1, &mut since, Instant::from_millis(1000));
        assert!(!is_output_exceeded(limit, 10, &mut since, Instant::from_millis(9000)));
    }

    #[test]
    fn zero_means_no_limit() {
        assert!(!is_output_exceeded(BufferLimit::default(), u64::MAX, &mut None, Instant::default()));
        assert!(!is_idle_too_long(Instant::default(), 0, Instant::from_millis(u64::MAX)));
        assert!(is_idle_too_long(Instant::default(), 1, Instant::from_millis(2000)));
    }
}
