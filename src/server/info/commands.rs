//! INFO commandstats, errorstats, latencystats: figures per command and per kind of error.

use crate::server::Turn;
use crate::stats::info::{InfoWriter, percentile_name};

/// `# Commandstats`
pub fn write_commands(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    info.section("Commandstats");
    for command in turn.server.table.catalog().all() {
        let figures = turn.server.engine.command_stats.get(command.id);
        if figures.calls == 0 && figures.rejected == 0 && figures.failed == 0 {
            continue;
        }
        let per_call = if figures.calls == 0 { 0.0 } else { figures.usec as f64 / figures.calls as f64 };
        info.line(format_args!(
            "cmdstat_{}:calls={},usec={},usec_per_call={per_call:.2},rejected_calls={},failed_calls={}",
            command.full_name, figures.calls, figures.usec, figures.rejected, figures.failed
        ));
    }
}

/// `# Errorstats`
pub fn write_errors(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    info.section("Errorstats");
    for (kind, count) in turn.server.engine.command_stats.errors() {
        info.line(format_args!("errorstat_{kind}:count={count}"));
    }
}

/// `# Latencystats`
pub fn write_latencies(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    info.section("Latencystats");
    let percentiles = &turn.server.engine.config.logging.latency_tracking_info_percentiles;
    for command in turn.server.table.catalog().all() {
        let figures = turn.server.engine.command_stats.get(command.id);
        let shown: Vec<String> = percentiles
            .iter()
            .filter_map(|p| Some(format!("{}={:.3}", percentile_name(*p), figures.percentile(*p)?)))
            .collect();
        if !shown.is_empty() {
            info.line(format_args!("latency_percentiles_usec_{}:{}", command.full_name, shown.join(",")));
        }
    }
}
