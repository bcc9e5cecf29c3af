//! INFO replication: role, link, replicas, offsets, backlog, in Redis's order.

use crate::server::Turn;
use crate::stats::info::InfoWriter;

/// `# Replication`
pub fn write(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    turn.drain_journal();
    let server = &turn.server;
    let config = &server.engine.config.replication;
    let now = server.engine.now.mono;
    let node = &server.repl.node;
    let history = node.history();
    info.section("Replication").field("role", if node.is_replica() { "slave" } else { "master" });
    if let Some(link) = node.link() {
        let progress = link.progress();
        let last_io = if link.is_up() { link.idle_secs(now) as i64 } else { -1 };
        let known = link.is_up() || link.resume_db().is_some();
        let applied = if known { history.end() } else { 1 };
        info.field("master_host", &link.master().host)
            .field("master_port", link.master().port)
            .field("master_link_status", if link.is_up() { "up" } else { "down" })
            .field("master_last_io_seconds_ago", last_io)
            .flag("master_sync_in_progress", progress.is_some())
            .field("slave_read_repl_offset", applied + link.ahead().unwrap_or(0))
            .field("slave_repl_offset", applied);
        if let Some(progress) = progress {
            let read = progress.read as i64;
            let percent = if progress.total > 0 { read as f64 * 100.0 / progress.total as f64 } else { 0.0 };
            info.field("master_sync_total_bytes", progress.total)
                .field("master_sync_read_bytes", read)
                .field("master_sync_left_bytes", progress.total - read)
                .ratio("master_sync_perc", percent)
                .field("master_sync_last_io_seconds_ago", link.idle_secs(now));
        }
        if !link.is_up() {
            info.field("master_link_down_since_seconds", link.down_secs(now).map_or(-1, |secs| secs as i64));
        }
        info.field("slave_priority", config.replica_priority)
            .flag("slave_read_only", config.replica_read_only)
            .flag("replica_announced", config.replica_announced);
    }
    let refused = node.newborn_refused(now);
    if refused > 0 {
        info.field("newborn_master_refused", refused);
    }
    info.field("connected_slaves", node.master().len());
    if config.min_replicas_to_write > 0 && config.min_replicas_max_lag > 0 {
        info.field("min_slaves_good_slaves", node.master().good());
    }
    for (number, replica) in node.master().replicas().iter().enumerate() {
        info.line(format_args!(
            "slave{number}:ip={},port={},state={},offset={},lag={}",
            replica.ip(),
            replica.port(),
            replica.state_name(),
            replica.acked(),
            replica.lag_secs(now)
        ));
    }
    let identity = history.identity();
    let backlog = history.backlog();
    info.field("master_failover_state", node.failover_state())
        .field("master_replid", identity.id())
        .field("master_replid2", identity.second_id())
        .field("master_repl_offset", history.end())
        .field("second_repl_offset", identity.second_offset())
        .flag("repl_backlog_active", backlog.is_some())
        .field("repl_backlog_size", history.backlog_limit())
        .field("repl_backlog_first_byte_offset", backlog.map_or(0, |backlog| backlog.first()))
        .field("repl_backlog_histlen", backlog.map_or(0, |backlog| backlog.history_len()));
}
