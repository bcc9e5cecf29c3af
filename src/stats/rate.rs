//! How fast a counter has grown lately: the mean of the last sixteen intervals.

use crate::base::time::Instant;

const SAMPLES: usize = 16;

/// The recent growth of one counter.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    last: Option<(u64, Instant)>,
    samples: [u64; SAMPLES],
    next: usize,
}

impl Rate {
    /// Notes the counter's value. A counter that went back to zero starts anew.
    pub fn sample(&mut self, value: u64, now: Instant) {
        let Some((before, at)) = self.last.replace((value, now)) else { return };
        let elapsed = now.since(at);
        if elapsed == 0 {
            // Too early to tell; count this growth into the next interval.
            self.last = Some((before, at));
            return;
        }
        self.samples[self.next] = value.saturating_sub(before).saturating_mul(1000) / elapsed;
        self.next = (self.next + 1) % SAMPLES;
    }

    /// Growth per second. Until sixteen samples were taken the missing ones count as zero, as in Redis.
    pub fn per_second(&self) -> u64 {
        self.samples.iter().sum::<u64>() / SAMPLES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_sixteen_intervals() {
        let mut rate = Rate::default();
        for tick in 0..=16 {
            rate.sample(tick * 10, Instant::from_millis(tick * 100));
        }
        assert_eq!(rate.per_second(), 100);
    }

    #[test]
    fn two_samples_at_one_moment_lose_nothing() {
        let mut rate = Rate::default();
        rate.sample(0, Instant::from_millis(0));
        rate.sample(160, Instant::from_millis(0));
        rate.sample(160, Instant::from_millis(100));
        assert_eq!(rate.per_second(), 100);
    }
}
