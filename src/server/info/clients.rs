//! INFO clients: who is connected.

use crate::server::Turn;
use crate::session::Kind;
use crate::stats::info::InfoWriter;

/// `# Clients`
pub fn write(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    let server = &turn.server;
    // The caller's session is out while INFO runs; it is a client like the others.
    let replicas = server.clients.sessions().filter(|session| session.kind == Kind::Replica).count();
    let masters = server.clients.sessions().filter(|session| session.kind == Kind::Master).count();
    let sockets = || server.clients.iter().filter_map(|client| turn.net.conn(client.conn));
    let largest_input = sockets().map(|socket| socket.input().memory()).max().unwrap_or_default();
    let largest_output = sockets().map(|socket| socket.out().memory()).max().unwrap_or_default();
    // Who is held back by a pause counts as blocked, as in Redis.
    let held = server.clients.iter().filter(|client| client.is_held).count();
    let others = server.clients.waiting();
    let with_deadline =
        server.engine.blocked.with_deadline() + others.iter().filter(|(_, b)| b.deadline.is_some()).count();
    let (blocking_keys, blocking_keys_on_nokey) = server.engine.blocked.keys();
    info.section("Clients")
        .field("connected_clients", server.clients.len() - replicas - masters)
        .field("cluster_connections", 0)
        .field("maxclients", server.engine.config.clients.maxclients)
        .field("client_recent_max_input_buffer", largest_input)
        .field("client_recent_max_output_buffer", largest_output)
        .field("blocked_clients", server.clients.blocked + held)
        .field("tracking_clients", server.engine.tracking.clients())
        .field("pubsub_clients", server.engine.pubsub.clients_len())
        .field("watching_clients", server.engine.watch.clients())
        .field("clients_in_timeout_table", with_deadline)
        .field("total_watched_keys", server.engine.watch.keys())
        .field("total_blocking_keys", blocking_keys)
        .field("total_blocking_keys_on_nokey", blocking_keys_on_nokey);
}
