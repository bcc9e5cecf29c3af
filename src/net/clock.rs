//! The one place that reads the clocks.
//!
//! The loop reads once when it wakes and once before it sleeps; everything that decides gets that reading as a value. How
//! long a command took is measured with [`Clock::micros`], one reading between two commands.

use std::time::{self, SystemTime, UNIX_EPOCH};

use crate::base::time::{Instant, Now};

/// The monotonic clock starts a day after its origin, so that "an hour ago" exists from the first moment.
const HEAD_START_US: u64 = 24 * 3600 * 1_000_000;

/// A reader of both clocks. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: time::Instant,
}

impl Clock {
    /// A clock whose monotonic time starts now.
    pub fn start() -> Clock {
        Clock { origin: time::Instant::now() }
    }

    /// Reads both clocks.
    pub fn now(&self) -> Now {
        let mono_us = self.micros();
        let wall_us = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_micros() as i64,
            Err(before) => -(before.duration().as_micros() as i64),
        };
        Now { mono: Instant::from_millis(mono_us / 1000), mono_us, wall_us }
    }

    /// Monotonic microseconds, as in [`Now::mono_us`].
    #[inline]
    pub fn micros(&self) -> u64 {
        HEAD_START_US + self.origin.elapsed().as_micros() as u64
    }

    /// Microseconds for which the calling thread has had a processor. Takes a system call.
    pub fn cpu_micros(&self) -> u64 {
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        spent.tv_sec as u64 * 1_000_000 + spent.tv_nsec as u64 / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_starts_with_a_past_and_copies_agree() {
        let clock = Clock::start();
        let copy = clock;
        let (a, b) = (clock.now(), copy.now());
        assert!(a.mono.as_millis() >= 24 * 3600 * 1000 && b.mono_us >= a.mono_us);
        assert_eq!(a.mono.as_millis(), a.mono_us / 1000);
    }

    #[test]
    fn a_thread_that_waits_takes_no_processor_time() {
        let clock = Clock::start();
        let (wall, cpu) = (clock.micros(), clock.cpu_micros());
        let works = move || {
            let begun = clock.cpu_micros();
            while clock.cpu_micros() - begun < 5000 {}
        };
        std::thread::spawn(works).join().unwrap();
        assert!(clock.cpu_micros() - cpu < clock.micros() - wall);
    }
}
