//! What one client may use.

use crate::config::directive::{Apply, Directive, Flags, INT_MAX, LONG_MAX, MIB, RUNTIME, integer};
use crate::config::table::{Group, special};

/// What one client may use.
pub static GROUP: Group = Group {
    title: "Clients",
    intro: "What one client may use, so that it cannot take all of the server.",
    directives: &[
        Directive {
            name: "maxclients",
            kind: integer!(Int, clients.maxclients, 10000, 1..=u32::MAX as i128),
            apply: Some(Apply::MaxClients),
            doc: "How many clients may be connected at a time; further ones get an error and are closed. Lowered at \
                  start when the process may not open that many files, of which 32 are kept for ourselves.",
            ..RUNTIME
        },
        Directive {
            name: "timeout",
            kind: integer!(Int, clients.timeout, 0, 0..=INT_MAX),
            apply: Some(Apply::ClientLimits),
            doc: "Close a client that was silent for this many seconds. Subscribers, blocked clients, replicas and the \
                  master are left alone. 0: never.",
            ..RUNTIME
        },
        Directive {
            name: "client-output-buffer-limit",
            kind: special::CLIENT_OUTPUT_BUFFER_LIMIT,
            flags: Flags::MULTI,
            apply: Some(Apply::ClientLimits),
            doc: "How much output may wait for a client that does not read it: class, hard limit, soft limit, soft \
                  seconds. A client is closed as soon as it exceeds the hard limit, or once it has exceeded the soft \
                  limit for that many seconds on end. 0 switches a limit off. Classes are `normal` (ordinary clients, \
                  MONITOR among them), `replica` and `pubsub` (clients with a subscription); classes not named keep \
                  their limits.",
            ..RUNTIME
        },
        Directive {
            name: "client-query-buffer-limit",
            kind: integer!(Bytes, clients.client_query_buffer_limit, 1024 * MIB, MIB..=LONG_MAX),
            flags: Flags::DEBUG,
            apply: Some(Apply::ClientLimits),
            doc: "How much unexecuted input of one client may wait, so that a broken client cannot fill the memory.",
            ..RUNTIME
        },
        Directive {
            name: "proto-max-bulk-len",
            kind: integer!(Bytes, clients.proto_max_bulk_len, 512 * MIB, MIB..=LONG_MAX),
            flags: Flags::DEBUG,
            apply: Some(Apply::ClientLimits),
            doc: "The longest single argument a request may have, which is also the longest string value.",
            ..RUNTIME
        },
        Directive {
            name: "maxmemory-clients",
            kind: special::MAXMEMORY_CLIENTS,
            apply: Some(Apply::ClientLimits),
            doc: "How much memory all clients together may use before the largest are closed: bytes, or a share of \
                  maxmemory such as `5%`. 0: no limit.",
            ..RUNTIME
        },
        Directive {
            name: "tracking-table-max-keys",
            kind: integer!(Int, clients.tracking_table_max_keys, 1_000_000, 0..=LONG_MAX),
            apply: Some(Apply::ClientLimits),
            doc: "How many keys the table of client side caching remembers before it invalidates some early. 0: no limit.",
            ..RUNTIME
        },
    ],
};
