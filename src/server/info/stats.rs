//! INFO stats: counters since the start or the last CONFIG RESETSTAT.

use crate::pubsub::Space;
use crate::server::Turn;
use crate::stats::info::InfoWriter;

/// `# Stats`
pub fn write(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    turn.collect_traffic();
    let server = &turn.server;
    let engine = &server.engine;
    let counters = &engine.counters;
    let keys = engine.keyspace.stats();
    let syncs = server.sync_figures();
    let now_us = turn.net.clock().micros();
    info.section("Stats")
        .field("total_connections_received", counters.total_connections_received)
        .field("total_commands_processed", counters.total_commands_processed)
        .field("instantaneous_ops_per_sec", counters.recent.ops_per_sec())
        .field("total_net_input_bytes", counters.total_net_input_bytes + counters.total_net_repl_input_bytes)
        .field("total_net_output_bytes", counters.total_net_output_bytes + counters.total_net_repl_output_bytes)
        .field("total_net_repl_input_bytes", counters.total_net_repl_input_bytes)
        .field("total_net_repl_output_bytes", counters.total_net_repl_output_bytes)
        .ratio("instantaneous_input_kbps", counters.recent.input_kbps())
        .ratio("instantaneous_output_kbps", counters.recent.output_kbps())
        .ratio("instantaneous_input_repl_kbps", counters.recent.input_repl_kbps())
        .ratio("instantaneous_output_repl_kbps", counters.recent.output_repl_kbps())
        .field("rejected_connections", counters.rejected_connections)
        .field("sync_full", syncs.full)
        .field("sync_partial_ok", syncs.partial_ok)
        .field("sync_partial_err", syncs.partial_err)
        .field("expired_subkeys", keys.expired_fields)
        .field("expired_keys", keys.expired)
        .field("expired_time_cap_reached_count", server.expire.time_cap_reached)
        .field("expire_cycle_cpu_milliseconds", server.expire.cpu_us / 1000)
        .field("expire_cycle_max_slice_usec", server.expire.longest_slice_us)
        .field("evicted_keys", keys.evicted)
        .field("evicted_clients", counters.evicted_clients)
        .field("total_eviction_exceeded_time", engine.shortage.total_us(now_us) / 1000)
        .field("current_eviction_exceeded_time", engine.shortage.current_us(now_us) / 1000)
        .field("keyspace_hits", keys.hits)
        .field("keyspace_misses", keys.misses)
        .field("pubsub_channels", engine.pubsub.active_len(Space::Channel))
        .field("pubsub_patterns", engine.pubsub.active_len(Space::Pattern))
        .field("pubsubshard_channels", engine.pubsub.active_len(Space::Shard))
        .field("latest_fork_usec", 0)
        .field("total_forks", server.snapshots.record.begun)
        .field("migrate_cached_sockets", server.links.len())
        .field("slave_expires_tracked_keys", engine.keyspace.own_expires())
        // A key is one block.
        .field("active_defrag_hits", keys.defrag_moved)
        .field("active_defrag_misses", keys.defrag_left)
        .field("active_defrag_key_hits", keys.defrag_moved)
        .field("active_defrag_key_misses", keys.defrag_left)
        .field("total_active_defrag_time", server.defrag.total_us() / 1000)
        .field("current_active_defrag_time", server.defrag.current_us / 1000)
        .field("tracking_total_keys", engine.tracking.keys())
        .field("tracking_total_items", engine.tracking.items())
        .field("tracking_total_prefixes", engine.tracking.prefixes())
        .field("unexpected_error_replies", counters.unexpected_error_replies)
        .field("total_error_replies", engine.command_stats.total_errors)
        .field("total_reads_processed", counters.total_reads_processed)
        .field("total_writes_processed", counters.total_writes_processed)
        .field("io_threaded_reads_processed", turn.net.stats().threaded_reads)
        .field("io_threaded_writes_processed", turn.net.stats().threaded_writes)
        .field("reply_buffer_shrinks", 0)
        .field("reply_buffer_expands", 0)
        .field("client_query_buffer_limit_disconnections", counters.client_query_buffer_limit_disconnections)
        .field("client_output_buffer_limit_disconnections", counters.client_output_buffer_limit_disconnections)
        .field("eventloop_cycles", counters.eventloop_cycles)
        .field("eventloop_duration_sum", server.loop_times.sum)
        .field("eventloop_duration_cmd_sum", counters.eventloop_duration_cmd_sum)
        .field("instantaneous_eventloop_cycles_per_sec", counters.recent.cycles_per_sec())
        .field("instantaneous_eventloop_duration_usec", server.loop_times.recent_us())
        .field("acl_access_denied_auth", engine.acl.denials.auth)
        .field("acl_access_denied_cmd", engine.acl.denials.command)
        .field("acl_access_denied_key", engine.acl.denials.key)
        .field("acl_access_denied_channel", engine.acl.denials.channel);
}

/// `# Debug`
pub fn write_debug(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    let times = &turn.server.loop_times;
    info.section("Debug")
        .field("eventloop_duration_aof_sum", times.aof_sum)
        .field("eventloop_duration_cron_sum", times.cron_sum)
        .field("eventloop_duration_max", times.longest)
        .field("eventloop_cmd_per_cycle_max", times.commands_max);
}
