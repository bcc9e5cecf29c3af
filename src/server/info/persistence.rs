//! INFO persistence: loading, snapshots, saves.
//!
//! Nothing is forked here, so the figures that Redis names after the child and its copy-on-write pages say what stands in
//! their place: memory of records laid out and not yet written, and of what writes made the server copy of large values. The two
//! `…_slice_max_usec` are ours, the longest time that a snapshot has kept the loop, and `rdb_last_slice_cpu_max_usec`, how much of
//! such a time it had the processor.

use crate::server::Turn;
use crate::server::drivers::saves::Target;
use crate::stats::info::InfoWriter;

/// `# Persistence`
pub fn write(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    let server = &turn.server;
    let (engine, record) = (&server.engine, &server.snapshots.record);
    let aof = &server.aof;
    let current = server.snapshots.current(engine.now);
    let is_saving = current.is_some_and(|current| current.target != Target::AofBase);
    let figures = current.map(|current| current.figures).unwrap_or_default();
    let percent = figures.keys_done as f64 * 100.0 / figures.keys_total.max(1) as f64;
    info.section("Persistence")
        .flag("loading", engine.facts.is_loading)
        .flag("async_loading", engine.facts.is_loading_async)
        .field("current_cow_peak", current.map_or(0, |current| current.added_peak))
        .field("current_cow_size", current.map_or(0, |current| current.added))
        .field("current_cow_size_age", 0)
        .ratio("current_fork_perc", percent)
        .field("current_save_keys_processed", figures.keys_done)
        .field("current_save_keys_total", figures.keys_total)
        .field("current_save_slice_max_usec", figures.slice_max_us)
        .field("rdb_changes_since_last_save", engine.dirty_since_save)
        .flag("rdb_bgsave_in_progress", is_saving)
        .field("rdb_last_save_time", record.last_save)
        .field("rdb_last_bgsave_status", if record.is_last_ok { "ok" } else { "err" })
        .field("rdb_last_bgsave_time_sec", record.last_seconds.unwrap_or(-1))
        .field("rdb_current_bgsave_time_sec", current.filter(|_| is_saving).map_or(-1, |current| current.seconds))
        .field("rdb_saves", record.saves)
        .field("rdb_last_cow_size", record.last_memory)
        .field("rdb_last_slice_max_usec", record.last_slice_max_us)
        .field("rdb_last_slice_cpu_max_usec", record.last_slice_cpu_max_us)
        .field("rdb_last_load_keys_expired", record.load_keys_expired)
        .field("rdb_last_load_keys_loaded", record.load_keys_loaded)
        .flag("aof_enabled", aof.is_enabled())
        .flag("aof_rewrite_in_progress", aof.is_rewriting())
        .flag("aof_rewrite_scheduled", aof.is_rewrite_scheduled())
        .field("aof_last_rewrite_time_sec", aof.record.last_seconds.unwrap_or(-1))
        .field("aof_current_rewrite_time_sec", aof.rewrite_seconds(engine.now).unwrap_or(-1))
        .field("aof_last_bgrewrite_status", if aof.record.is_last_ok { "ok" } else { "err" })
        .field("aof_rewrites", aof.record.rewrites)
        .field("aof_rewrites_consecutive_failures", aof.failures())
        .field("aof_last_write_status", if aof.is_write_ok() { "ok" } else { "err" })
        .field("aof_last_cow_size", aof.record.last_memory)
        .flag("module_fork_in_progress", false)
        .field("module_fork_last_cow_size", 0);
    if let Some(sizes) = aof.sizes() {
        info.field("aof_current_size", sizes.current)
            .field("aof_base_size", sizes.base)
            .flag("aof_pending_rewrite", aof.is_rewrite_scheduled())
            .field("aof_buffer_length", sizes.buffer)
            .field("aof_pending_bio_fsync", sizes.pending_syncs)
            .field("aof_delayed_fsync", sizes.delayed);
    }
    if let Some(load) = server.load_figures() {
        info.field("loading_start_time", load.start_time)
            .field("loading_total_bytes", load.total_bytes)
            .field("loading_rdb_used_mem", load.rdb_used_memory)
            .field("loading_loaded_bytes", load.loaded_bytes)
            .ratio("loading_loaded_perc", load.percent)
            .field("loading_eta_seconds", load.eta_seconds);
    }
}
