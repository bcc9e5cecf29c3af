//! LATENCY DOCTOR's report and LATENCY GRAPH's drawing.

use std::fmt::Write;

use crate::base::time::Now;
use crate::config::model::Config;
use crate::config::values::AppendFsync;
use crate::stats::latency::{LatencyMonitor, Sample, Series};

/// What is to be said about latency, for a person to read.
pub fn report(latency: &LatencyMonitor, config: &Config, now: &Now) -> String {
    if latency.threshold_ms == 0 && latency.events().len() == 0 {
        return "Latency is not watched. 'CONFIG SET latency-monitor-threshold <milliseconds>' makes the server remember \
                what takes that long, and then this report has something to report.\n"
            .to_owned();
    }
    if latency.events().len() == 0 {
        return format!(
            "Nothing has taken {} milliseconds or longer since the samples were last reset.\n",
            latency.threshold_ms
        );
    }
    let mut text = String::from("What kept clients waiting:\n\n");
    for (number, (name, series)) in latency.events().enumerate() {
        let analysis = series.analysis(now.wall_us.div_euclid(1_000_000));
        writeln!(
            text,
            "{}. {name}: {} latency spikes (average {}ms, mean deviation {}ms, period {:.2} sec). Worst all time event \
             {}ms.",
            number + 1,
            analysis.count,
            analysis.average_ms,
            analysis.deviation_ms,
            analysis.period_secs,
            series.longest_ms
        )
        .expect("writing to a string cannot fail");
    }
    let mut advice: Vec<String> = Vec::new();
    for (name, _) in latency.events() {
        for line in advice_on(name, latency, config) {
            if !advice.contains(&line) {
                advice.push(line);
            }
        }
    }
    match advice.is_empty() {
        true => text.push_str("\nThere is no simple advice for this.\n"),
        false => text.push_str("\nWhat can be tried:\n\n"),
    }
    for line in advice {
        text.push_str("- ");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn advice_on(event: &str, latency: &LatencyMonitor, config: &Config) -> Vec<String> {
    let threshold_us = latency.threshold_ms.saturating_mul(1000);
    let large = "Commands that work on large collections take long: split them, use SCAN and its relatives, and UNLINK instead \
                 of DEL.";
    let disk = "The disk is slow at times. See what else writes to it, and whether it is a local one.";
    let lines: &[&str] = match event {
        "command" => {
            let slower_than = config.logging.slowlog_log_slower_than;
            let first = match slower_than {
                ..0 => format!(
                    "The slow log is off. 'CONFIG SET slowlog-log-slower-than {threshold_us}' makes it tell which commands \
                     it was."
                ),
                _ if slower_than as u64 > threshold_us => format!(
                    "The slow log keeps only what takes longer than the threshold of this report; 'CONFIG SET \
                     slowlog-log-slower-than {threshold_us}' makes it keep all of it."
                ),
                _ => "SLOWLOG GET tells which commands it was.".to_owned(),
            };
            return vec![first, large.to_owned()];
        }
        "fast-command" => {
            &["Commands that are always short took long: the process did not get the processor, or its memory was \
             swapped out. Look at the load of the machine and at its neighbours, and let 'redis-cli --intrinsic-latency \
             100' measure it without the server."]
        }
        "expire-cycle" => {
            &["Many or large keys were over at the same time. Give keys lives of different length, and set \
             'lazyfree-lazy-expire yes' if large ones expire."]
        }
        "eviction-cycle" | "eviction-del" => &[
            "Much had to be evicted at once. 'lazyfree-lazy-eviction yes' frees large values in the background; a lower \
             'maxmemory-eviction-tenacity' makes eviction give way to clients.",
        ],
        "aof-write" | "aof-write-alone" | "aof-write-pending-fsync" | "aof-write-active-child" | "aof-rename"
            if config.persistence.appendfsync == AppendFsync::Always =>
        {
            &[disk, "'appendfsync always' waits for the disk with every write; 'everysec' loses at most a second."]
        }
        "aof-write" | "aof-write-alone" | "aof-write-pending-fsync" | "aof-write-active-child" | "aof-rename" => {
            &[disk]
        }
        _ => &[],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// Rows of the drawing.
const ROWS: u64 = 4;
/// What stands at the top of a column, from its lowest to its highest third of a row.
const TOPS: [char; 3] = ['_', 'o', '#'];
/// Columns side by side.
const COLUMNS: usize = 80;

/// The samples of an event as columns, with how long ago each was written below it from top to bottom.
pub fn graph(name: &str, series: &Series, now: i64) -> String {
    let samples: Vec<Sample> = series.samples().collect();
    let high = samples.iter().map(|sample| sample.ms).max().unwrap_or_default();
    let low = samples.iter().map(|sample| sample.ms).min().unwrap_or_default();
    let mut text = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.longest_ms,
        "-".repeat(COLUMNS)
    );
    for part in samples.chunks(COLUMNS) {
        draw(part, low, high, now, &mut text);
    }
    text
}

fn draw(samples: &[Sample], low: u64, high: u64, now: i64, text: &mut String) {
    let steps = ROWS * TOPS.len() as u64 - 1;
    let heights: Vec<u64> = samples.iter().map(|sample| (sample.ms - low) * steps / (high - low).max(1)).collect();
    let labels: Vec<Vec<char>> =
        samples.iter().map(|sample| ago(now.saturating_sub(sample.at)).chars().collect()).collect();
    let mut line = |column: &dyn Fn(usize) -> char| {
        let row: String = (0..samples.len()).map(column).collect();
        text.push_str(row.trim_end());
        text.push('\n');
    };
    for row in (0..ROWS).rev() {
        line(&|column| {
            let (own, part) = (heights[column] / TOPS.len() as u64, heights[column] % TOPS.len() as u64);
            match own.cmp(&row) {
                std::cmp::Ordering::Greater => '|',
                std::cmp::Ordering::Equal => TOPS[part as usize],
                std::cmp::Ordering::Less => ' ',
            }
        });
    }
    line(&|_| ' ');
    for letter in 0..labels.iter().map(Vec::len).max().unwrap_or_default() {
        line(&|column| labels[column].get(letter).copied().unwrap_or(' '));
    }
}

fn ago(secs: i64) -> String {
    match secs {
        ..60 => format!("{secs}s"),
        60..3600 => format!("{}m", secs / 60),
        3600..86_400 => format!("{}h", secs / 3600),
        _ => format!("{}d", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency() -> LatencyMonitor {
        let mut latency = LatencyMonitor::with_threshold(10);
        for (at, us) in [(1_000, 10_000), (100_000, 60_000), (100_990_000, 120_000)] {
            latency.note("command", us, &Now::at_millis(at));
        }
        latency
    }

    #[test]
    fn a_graph_has_a_column_for_each_sample() {
        let latency = latency();
        let (name, series) = latency.event(b"command").unwrap();
        let line = "-".repeat(80);
        let expected = [
            "command - high 120 ms, low 10 ms (all time high 120 ms)",
            &line,
            "  #",
            "  |",
            " #|",
            "_||",
            "",
            "111",
            "dd0",
            "  s",
            "",
        ];
        assert_eq!(graph(name, series, 101_000), expected.join("\n"));
    }

    #[test]
    fn the_report_says_what_was_slow_and_what_can_be_done() {
        let config = Config::default();
        let text = report(&latency(), &config, &Now::at_millis(101_000_000));
        assert!(
            text.contains("1. command: 3 latency spikes (average 63ms, mean deviation 37ms, period 33666.33 sec).")
        );
        assert!(text.contains("SLOWLOG GET"), "{text}");
        let quiet = LatencyMonitor::with_threshold(10);
        assert!(report(&quiet, &config, &Now::at_millis(0)).starts_with("Nothing has taken 10 milliseconds"));
        assert!(report(&LatencyMonitor::default(), &config, &Now::at_millis(0)).starts_with("Latency is not watched."));
    }
}
