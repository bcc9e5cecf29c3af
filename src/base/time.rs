//! Moments and durations, as values. Nothing here reads a clock: the shell (`net/clock.rs`) does, once per turn of the
//! loop, and passes `Now` down.
//!
//! Two clocks must never be mixed, so they are two types. [`Instant`] is monotonic and has no meaning outside this
//! process; timeouts and deadlines use it. [`UnixMillis`] is the wall clock that users see; expiry times use it, because
//! they travel to replicas and disks. A duration is a plain `u64` of milliseconds.

use std::ops::{Add, Sub};

/// A moment on a clock that never goes backwards, in milliseconds since an arbitrary origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment `ms` milliseconds after the origin.
    pub const fn from_millis(ms: u64) -> Instant {
        Instant(ms)
    }

    /// Milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Milliseconds from `earlier` to here; zero when `earlier` is later.
    pub const fn since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Instant {
    type Output = Instant;
    fn add(self, ms: u64) -> Instant {
        Instant(self.0.saturating_add(ms))
    }
}

impl Sub<u64> for Instant {
    type Output = Instant;
    fn sub(self, ms: u64) -> Instant {
        Instant(self.0.saturating_sub(ms))
    }
}

/// A moment on the wall clock: milliseconds since 1970-01-01 UTC. May be negative, and may jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Whole seconds since 1970, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// One reading of both clocks, taken by the shell and passed to everything that decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Monotonic, for deadlines.
    pub mono: Instant,
    /// Monotonic microseconds since the same origin, for measuring how long a command took.
    pub mono_us: u64,
    /// Wall clock in microseconds since 1970, for expiry, TIME and log lines.
    pub wall_us: i64,
}

impl Now {
    /// A reading for tests and simulation: both clocks at `ms`.
    pub const fn at_millis(ms: u64) -> Now {
        Now { mono: Instant::from_millis(ms), mono_us: ms * 1000, wall_us: ms as i64 * 1000 }
    }

    /// The wall clock in milliseconds.
    pub const fn wall(&self) -> UnixMillis {
        UnixMillis(self.wall_us.div_euclid(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_backwards_in_time_is_zero() {
        assert_eq!(Instant::from_millis(5).since(Instant::from_millis(9)), 0);
        assert_eq!((Instant::from_millis(5) + 4).since(Instant::from_millis(5)), 4);
    }

    #[test]
    fn seconds_before_1970_round_down() {
        assert_eq!(UnixMillis(-1).as_secs(), -1);
        assert_eq!(UnixMillis(1999).as_secs(), 1);
    }
}
