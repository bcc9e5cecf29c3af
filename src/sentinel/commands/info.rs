//! INFO of a Sentinel: server, clients, stats, cpu, sentinel, in this order. Other sections do not exist here.

use super::View;
use crate::base::process::CpuTimes;
use crate::sentinel::core::Sentinel;
use crate::stats::info::{InfoWriter, Sections};

/// The text of the sections asked for.
pub fn text(view: &View<'_>, sections: &Sections) -> String {
    let mut info = InfoWriter::new();
    let figures = view.figures;
    if sections.wants("server", true) {
        let uptime = view.now.mono.since(figures.started) / 1000;
        info.section("Server")
            .field("redis_version", figures.program.version)
            .field("server_name", "rredis")
            .field("rredis_version", env!("CARGO_PKG_VERSION"))
            .field("redis_mode", "sentinel")
            .field("arch_bits", usize::BITS)
            .field("multiplexing_api", "epoll")
            .field("process_id", std::process::id())
            .field("run_id", figures.run_id)
            .field("tcp_port", figures.port)
            .field("server_time_usec", view.now.wall_us)
            .field("uptime_in_seconds", uptime)
            .field("uptime_in_days", uptime / 86_400)
            .field("config_file", &figures.config_file);
    }
    if sections.wants("clients", true) {
        info.section("Clients")
            .field("connected_clients", figures.clients)
            .field("maxclients", figures.maxclients)
            .field("blocked_clients", figures.waiting_clients)
            .field("pubsub_clients", figures.pubsub_clients);
    }
    if sections.wants("stats", true) {
        let counters = &figures.counters;
        info.section("Stats")
            .field("total_connections_received", counters.total_connections_received)
            .field("total_commands_processed", counters.total_commands_processed)
            .field("instantaneous_ops_per_sec", counters.recent.ops_per_sec())
            .field("total_net_input_bytes", counters.total_net_input_bytes)
            .field("total_net_output_bytes", counters.total_net_output_bytes)
            .field("rejected_connections", counters.rejected_connections)
            .field("total_reads_processed", counters.total_reads_processed)
            .field("total_writes_processed", counters.total_writes_processed)
            .field("eventloop_cycles", counters.eventloop_cycles)
            .field("sentinel_config_writes", figures.config_writes)
            .field("sentinel_config_write_longest_usec", figures.config_write_longest_us);
    }
    if sections.wants("cpu", true) {
        let process = CpuTimes::of_process();
        info.section("CPU")
            .field("used_cpu_sys", format_args!("{:.6}", process.system))
            .field("used_cpu_user", format_args!("{:.6}", process.user));
    }
    if sections.wants("sentinel", true) {
        write_sentinel(view.sentinel, view, &mut info);
    }
    info.finish()
}

fn write_sentinel(sentinel: &Sentinel, view: &View<'_>, info: &mut InfoWriter) {
    let tilt = sentinel.tilt().since();
    let failures = sentinel.simulated_failures();
    let since = tilt.map_or(-1, |since| (view.now.mono.since(since) / 1000) as i64);
    info.section("Sentinel")
        .field("sentinel_masters", sentinel.masters().len())
        .flag("sentinel_tilt", tilt.is_some())
        .field("sentinel_tilt_since_seconds", since)
        .field("sentinel_running_scripts", sentinel.scripts().running())
        .field("sentinel_scripts_queue_length", sentinel.scripts().jobs().len())
        .field(
            "sentinel_simulate_failure_flags",
            u8::from(failures.after_election) | u8::from(failures.after_promotion) << 1,
        );
    for (index, master) in sentinel.summaries().iter().enumerate() {
        info.line(format_args!(
            "master{index}:name={},status={},address={},slaves={},sentinels={}",
            master.name, master.status, master.address, master.replicas, master.sentinels
        ));
    }
}
