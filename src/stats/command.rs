//! Figures per command and per kind of error: INFO's sections `commandstats`, `latencystats`, `errorstats`, and LATENCY
//! HISTOGRAM.
//!
//! Commands are rows by their number in the command table; this module does not know their names. Times go into a
//! histogram with two significant digits from a nanosecond to a second (longer counts as a second), which is created
//! when a command is called for the first time: most of the four hundred commands never are.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::base::limits::ERROR_KINDS_MAX;

/// One command's figures.
#[derive(Clone, Debug, Default)]
pub struct CommandFigures {
    /// How often it ran, failures included.
    pub calls: u64,
    /// Microseconds it took in all.
    pub usec: u64,
    /// How often it was refused before it ran.
    pub rejected: u64,
    /// How often it ran and answered with an error.
    pub failed: u64,
    times: Option<Box<Histogram<u64>>>,
}

/// Nanoseconds in the unit that times are given in.
const NANOS: u64 = 1000;
const LONGEST: u64 = 1_000_000_000;

impl CommandFigures {
    /// The time, in microseconds, within which `percentile` percent of the calls were done. `None` without calls.
    pub fn percentile(&self, percentile: f64) -> Option<f64> {
        let times = self.times.as_ref()?;
        Some(times.value_at_percentile(percentile) as f64 / NANOS as f64)
    }

    /// LATENCY HISTOGRAM: `(microseconds, calls within that time)` for doubling times, each row with more calls than
    /// the one before.
    pub fn distribution(&self) -> Vec<(u64, u64)> {
        let mut rows: Vec<(u64, u64)> = Vec::new();
        let mut total = 0;
        for step in self.times.iter().flat_map(|times| times.iter_recorded()) {
            total += step.count_since_last_iteration();
            let bucket = (step.value_iterated_to() + 1).next_power_of_two().max(1024);
            let micros = (bucket - 1) / NANOS;
            match rows.last_mut() {
                Some(last) if last.0 == micros => last.1 = total,
                _ => rows.push((micros, total)),
            }
        }
        rows
    }
}

/// Figures of all commands and errors.
#[derive(Clone, Debug)]
pub struct CommandStats {
    rows: Vec<CommandFigures>,
    errors: BTreeMap<Box<str>, u64>,
    /// Error replies of any kind.
    pub total_errors: u64,
    /// Whether times are kept (`latency-tracking`).
    pub is_tracking: bool,
}

impl CommandStats {
    /// For a table of `commands` commands.
    pub fn new(commands: usize) -> CommandStats {
        CommandStats {
            rows: vec![CommandFigures::default(); commands],
            errors: BTreeMap::new(),
            total_errors: 0,
            is_tracking: true,
        }
    }

    /// The command ran and took this long.
    pub fn called(&mut self, command: impl Into<usize>, usec: u64) {
        let row = &mut self.rows[command.into()];
        row.calls += 1;
        row.usec += usec;
        if self.is_tracking {
            let new = || Box::new(Histogram::new_with_bounds(1, LONGEST, 2).expect("the bounds are valid"));
            let times = row.times.get_or_insert_with(new);
            times.saturating_record(usec.saturating_mul(NANOS).clamp(1, LONGEST));
        }
    }

    /// The command ran and answered with an error.
    pub fn failed(&mut self, command: impl Into<usize>) {
        self.rows[command.into()].failed += 1;
    }

    /// The command was refused before it ran.
    pub fn rejected(&mut self, command: impl Into<usize>) {
        self.rows[command.into()].rejected += 1;
    }

    /// An error was answered; `text` begins with its code (`ERR`, `WRONGTYPE`).
    pub fn error(&mut self, text: &str) {
        self.total_errors += 1;
        let code = text.split([' ', '\r', '\n']).next().unwrap_or_default();
        if let Some(count) = self.errors.get_mut(code) {
            *count += 1;
        } else if self.errors.len() < ERROR_KINDS_MAX {
            self.errors.insert(code.into(), 1);
        }
    }

    /// A command's figures.
    pub fn get(&self, command: impl Into<usize>) -> &CommandFigures {
        &self.rows[command.into()]
    }

    /// Kinds of errors by their code, with how often each was answered.
    pub fn errors(&self) -> impl Iterator<Item = (&str, u64)> {
        self.errors.iter().map(|(code, count)| (&**code, *count))
    }

    /// Everything back to zero: CONFIG RESETSTAT.
    pub fn reset(&mut self) {
        self.rows.fill(CommandFigures::default());
        self.errors.clear();
        self.total_errors = 0;
    }

    /// Forgets one command's times: LATENCY RESET's counterpart for histograms.
    pub fn forget_times(&mut self) {
        self.rows.iter_mut().for_each(|row| row.times = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_redis_shows() {
        let mut stats = CommandStats::new(2);
        assert_eq!(stats.get(1usize).percentile(50.0), None);
        for usec in [3, 3, 3, 15] {
            stats.called(1usize, usec);
        }
        let row = stats.get(1usize);
        assert_eq!((row.calls, row.usec), (4, 24));
        assert_eq!(format!("{:.3}", row.percentile(50.0).unwrap()), "3.007");
        assert_eq!(format!("{:.3}", row.percentile(100.0).unwrap()), "15.039");
    }

    #[test]
    fn the_distribution_doubles_and_accumulates() {
        let mut stats = CommandStats::new(1);
        for usec in [0, 1, 11, 12, 2_000_000] {
            stats.called(0usize, usec);
        }
        assert_eq!(stats.get(0usize).distribution(), [(1, 2), (16, 4), (1_073_741, 5)]);
    }

    #[test]
    fn errors_are_counted_by_their_code_within_a_bound() {
        let mut stats = CommandStats::new(0);
        stats.error("ERR syntax error");
        stats.error("ERR no such key");
        stats.error("WRONGTYPE Operation");
        assert_eq!(stats.errors().collect::<Vec<_>>(), [("ERR", 2), ("WRONGTYPE", 1)]);
        (0..1000).for_each(|n| stats.error(&format!("E{n} x")));
        assert_eq!((stats.errors().count(), stats.total_errors), (ERROR_KINDS_MAX, 1003));
    }

    #[test]
    fn without_tracking_only_sums_are_kept() {
        let mut stats = CommandStats::new(1);
        stats.is_tracking = false;
        stats.called(0usize, 5);
        assert_eq!((stats.get(0usize).calls, stats.get(0usize).percentile(50.0)), (1, None));
    }
}
