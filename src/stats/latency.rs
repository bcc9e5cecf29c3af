//! What took too long, and when: the samples behind the LATENCY commands.
//!
//! An *event* is a kind of work that keeps clients waiting (`command`, `expire-cycle`, `aof-write`, …). When it takes at least
//! `latency-monitor-threshold` milliseconds, a sample is kept: one for each second, the longest of that second, and of the last
//! 160 such seconds. Work below the threshold costs one comparison.

use std::collections::{BTreeMap, VecDeque};

use crate::base::time::Now;

/// Samples kept of one event.
const SAMPLES_MAX: usize = 160;

/// One second in which the event took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Unix time in seconds.
    pub at: i64,
    /// The longest in that second, in milliseconds.
    pub ms: u64,
}

/// The samples of one event.
#[derive(Clone, Debug, Default)]
pub struct Series {
    samples: VecDeque<Sample>,
    /// The longest since the last reset, in milliseconds.
    pub longest_ms: u64,
}

impl Series {
    /// From the oldest to the newest.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = Sample> {
        self.samples.iter().copied()
    }

    /// The newest.
    pub fn latest(&self) -> Option<Sample> {
        self.samples.back().copied()
    }

    /// What the samples have in common, as seen at `now` (unix seconds).
    pub fn analysis(&self, now: i64) -> Analysis {
        let count = self.samples.len() as u64;
        let (Some(first), 1..) = (self.samples.front(), count) else { return Analysis::default() };
        let average_ms = self.samples.iter().map(|sample| sample.ms).sum::<u64>() / count;
        let deviation_ms = self.samples.iter().map(|sample| sample.ms.abs_diff(average_ms)).sum::<u64>() / count;
        let span_secs = now.saturating_sub(first.at).max(1) as f64;
        Analysis { count, average_ms, deviation_ms, period_secs: span_secs / count as f64 }
    }
}

/// What the samples of an event have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Analysis {
    /// How many there are.
    pub count: u64,
    /// Their average.
    pub average_ms: u64,
    /// How far they are from it on average.
    pub deviation_ms: u64,
    /// Seconds between two of them, on average.
    pub period_secs: f64,
}

/// All events.
#[derive(Clone, Debug, Default)]
pub struct LatencyMonitor {
    /// `latency-monitor-threshold`; 0: off.
    pub threshold_ms: u64,
    events: BTreeMap<&'static str, Series>,
}

impl LatencyMonitor {
    /// One that keeps what takes so many milliseconds.
    pub fn with_threshold(threshold_ms: u64) -> LatencyMonitor {
        LatencyMonitor { threshold_ms, events: BTreeMap::new() }
    }

    /// An event took so long. Kept if that is too long.
    #[inline]
    pub fn note(&mut self, event: &'static str, elapsed_us: u64, now: &Now) {
        if self.threshold_ms > 0 && elapsed_us >= self.threshold_ms.saturating_mul(1000) {
            self.keep(event, Sample { at: now.wall_us.div_euclid(1_000_000), ms: elapsed_us / 1000 });
        }
    }

    #[cold]
    fn keep(&mut self, event: &'static str, sample: Sample) {
        let series = self.events.entry(event).or_default();
        series.longest_ms = series.longest_ms.max(sample.ms);
        match series.samples.back_mut() {
            Some(last) if last.at == sample.at => last.ms = last.ms.max(sample.ms),
            _ => {
                if series.samples.len() == SAMPLES_MAX {
                    series.samples.pop_front();
                }
                series.samples.push_back(sample);
            }
        }
    }

    /// The events of which there are samples, by name.
    pub fn events(&self) -> impl ExactSizeIterator<Item = (&'static str, &Series)> {
        self.events.iter().map(|(name, series)| (*name, series))
    }

    /// One event, in any case of letters.
    pub fn event(&self, name: &[u8]) -> Option<(&'static str, &Series)> {
        self.events().find(|(own, _)| own.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Forgets one event, or all (`None`). How many were forgotten.
    pub fn reset(&mut self, name: Option<&[u8]>) -> usize {
        let before = self.events.len();
        self.events.retain(|own, _| name.is_some_and(|name| !own.as_bytes().eq_ignore_ascii_case(name)));
        before - self.events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor() -> LatencyMonitor {
        LatencyMonitor::with_threshold(10)
    }

    #[test]
    fn a_second_has_one_sample_its_longest() {
        let mut monitor = monitor();
        for (ms, us) in [(1000, 9_999), (1000, 10_000), (1500, 30_000), (1900, 20_000), (5000, 12_000)] {
            monitor.note("command", us, &Now::at_millis(ms));
        }
        let (name, series) = monitor.event(b"COMMAND").unwrap();
        let samples: Vec<_> = series.samples().map(|sample| (sample.at, sample.ms)).collect();
        assert_eq!((name, samples, series.longest_ms), ("command", vec![(1, 30), (5, 12)], 30));
        let expected = Analysis { count: 2, average_ms: 21, deviation_ms: 9, period_secs: 5.0 };
        assert_eq!(series.analysis(11), expected);
    }

    #[test]
    fn nothing_is_kept_while_the_threshold_is_zero() {
        let mut monitor = LatencyMonitor::default();
        monitor.note("command", u64::MAX, &Now::at_millis(1000));
        assert_eq!(monitor.events().len(), 0);
    }

    #[test]
    fn old_samples_make_room_and_events_are_forgotten_by_name() {
        let mut monitor = monitor();
        (0..500).for_each(|second| monitor.note("a", 10_000, &Now::at_millis(second * 1000)));
        monitor.note("b", 10_000, &Now::at_millis(0));
        assert_eq!(monitor.event(b"a").unwrap().1.samples().len(), SAMPLES_MAX);
        assert_eq!((monitor.reset(Some(b"x")), monitor.reset(Some(b"A")), monitor.reset(None)), (0, 1, 1));
    }
}
