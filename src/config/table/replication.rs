//! Masters and replicas.

use crate::config::directive::Effect::NoSubject;
use crate::config::directive::{
    Apply, Directive, Flags, INT_MAX, LONG_MAX, MIB, PORT_MAX, RUNTIME, START, flag, integer, text, word,
};
use crate::config::table::{Group, special};
use crate::config::values::{DisklessLoad, PropagationError};

/// Masters and replicas.
pub static GROUP: Group = Group {
    title: "Replication",
    intro: "A replica keeps a copy of its master's data set. It connects by itself, gets a snapshot once, then the stream \
            of changes, and after a short interruption goes on where it stopped.",
    directives: &[
        Directive {
            name: "replicaof",
            alias: Some("slaveof"),
            kind: special::REPLICAOF,
            flags: Flags::MULTI,
            doc: "Be a replica of this master: host (address or name) and port. `no one` means none. At run time use the \
                  command REPLICAOF.",
            ..START
        },
        Directive {
            name: "masterauth",
            kind: text!(replication.masterauth, ""),
            flags: Flags::SENSITIVE,
            apply: Some(Apply::Replication),
            doc: "Password to give to the master. Under Sentinel every server needs it, since each may become a replica.",
            ..RUNTIME
        },
        Directive {
            name: "masteruser",
            kind: text!(replication.masteruser, ""),
            flags: Flags::SENSITIVE,
            apply: Some(Apply::Replication),
            doc: "User to be at the master. Empty: the user `default`.",
            ..RUNTIME
        },
        Directive {
            name: "replica-serve-stale-data",
            alias: Some("slave-serve-stale-data"),
            kind: flag!(replication.replica_serve_stale_data, true),
            doc: "Answer with what we have while the link to the master is down. With `no` most commands get MASTERDOWN.",
            ..RUNTIME
        },
        Directive {
            name: "replica-read-only",
            alias: Some("slave-read-only"),
            kind: flag!(replication.replica_read_only, true),
            flags: Flags::DEBUG,
            doc: "Refuse writes of clients while we are a replica. What is written to a replica is seen by nobody else \
                  and lost at the next full synchronization.",
            ..RUNTIME
        },
        Directive {
            name: "replica-priority",
            alias: Some("slave-priority"),
            kind: integer!(Int, replication.replica_priority, 100, 0..=INT_MAX),
            doc: "Sentinel promotes the replica with the smallest number. 0: never this one.",
            ..RUNTIME
        },
        Directive {
            name: "replica-announced",
            kind: flag!(replication.replica_announced, true),
            doc: "Whether Sentinel lists this replica to clients. Unlisted replicas can still be promoted; set \
                  replica-priority 0 as well to prevent it.",
            ..RUNTIME
        },
        Directive {
            name: "replica-announce-ip",
            alias: Some("slave-announce-ip"),
            kind: text!(replication.replica_announce_ip, ""),
            apply: Some(Apply::Replication),
            doc: "Address that others should use to reach this replica, when it is behind NAT or in a container. Empty: \
                  the one the master sees.",
            ..RUNTIME
        },
        Directive {
            name: "replica-announce-port",
            alias: Some("slave-announce-port"),
            kind: integer!(Int, replication.replica_announce_port, 0, 0..=PORT_MAX),
            apply: Some(Apply::Replication),
            doc: "Port that others should use. 0: the port we listen on.",
            ..RUNTIME
        },
        Directive {
            name: "repl-backlog-size",
            kind: integer!(Bytes, replication.repl_backlog_size, MIB, 1..=LONG_MAX),
            apply: Some(Apply::Backlog),
            doc: "How much of the stream of changes is kept, so that a replica that was away for a short while can go \
                  on where it stopped instead of loading a whole snapshot. Bytes written per second times the longest \
                  interruption to survive is a good size.",
            ..RUNTIME
        },
        Directive {
            name: "repl-backlog-ttl",
            kind: integer!(Int, replication.repl_backlog_ttl, 3600, 0..=LONG_MAX),
            apply: Some(Apply::Replication),
            doc: "Seconds after the last replica left when the backlog is freed. 0: never. A replica never frees it.",
            ..RUNTIME
        },
        Directive {
            name: "repl-timeout",
            kind: integer!(Int, replication.repl_timeout, 60, 1..=INT_MAX),
            apply: Some(Apply::Replication),
            doc: "Seconds of silence after which either side gives the other up. Must be more than \
                  repl-ping-replica-period.",
            ..RUNTIME
        },
        Directive {
            name: "repl-ping-replica-period",
            alias: Some("repl-ping-slave-period"),
            kind: integer!(Int, replication.repl_ping_replica_period, 10, 1..=INT_MAX),
            apply: Some(Apply::Replication),
            doc: "How often, in seconds, a master sends PING down the stream.",
            ..RUNTIME
        },
        Directive {
            name: "repl-disable-tcp-nodelay",
            kind: flag!(replication.repl_disable_tcp_nodelay, false),
            apply: Some(Apply::Replication),
            doc: "With `yes` the kernel collects small packets to replicas: less traffic, up to 40 ms later.",
            ..RUNTIME
        },
        Directive {
            name: "repl-diskless-sync",
            kind: flag!(replication.repl_diskless_sync, true),
            flags: Flags::DEBUG,
            apply: Some(Apply::Replication),
            doc: "Send the snapshot for new replicas straight to their sockets instead of to a file first.",
            ..RUNTIME
        },
        Directive {
            name: "repl-diskless-sync-delay",
            kind: integer!(Int, replication.repl_diskless_sync_delay, 5, 0..=INT_MAX),
            apply: Some(Apply::Replication),
            doc: "Seconds to wait for more replicas before such a transfer starts, as late ones must wait for the next. \
                  0: start at once.",
            ..RUNTIME
        },
        Directive {
            name: "repl-diskless-sync-max-replicas",
            kind: integer!(Int, replication.repl_diskless_sync_max_replicas, 0, 0..=INT_MAX),
            apply: Some(Apply::Replication),
            doc: "Do not wait any longer once this many replicas are there. 0: wait the whole delay.",
            ..RUNTIME
        },
        Directive {
            name: "repl-diskless-load",
            kind: word!(replication.repl_diskless_load: DisklessLoad::Disabled),
            flags: Flags::DEBUG.and(Flags::DENY_LOADING),
            apply: Some(Apply::Replication),
            doc: "How a replica loads a snapshot: from a file written first (`disabled`), straight from the socket when it \
                  has no data (`on-empty-db`), or straight from the socket beside the old data (`swapdb`), which stay \
                  until the new are whole and are served meanwhile if they belong to the same history. That needs \
                  memory for both.",
            ..RUNTIME
        },
        Directive {
            name: "newborn-master-protection",
            kind: flag!(replication.newborn_master_protection, true),
            apply: Some(Apply::Replication),
            doc: "A master that started without data does not wipe its replicas: it refuses to synchronize who has more, and a \
                  replica does not take an empty data set from a master that has a new history. A replica that has just been \
                  sent REPLICAOF takes what is there. Not in Redis.",
            ..RUNTIME
        },
        Directive {
            name: "min-replicas-to-write",
            alias: Some("min-slaves-to-write"),
            kind: integer!(Int, replication.min_replicas_to_write, 0, 0..=INT_MAX),
            apply: Some(Apply::GoodReplicas),
            doc: "Refuse writes (NOREPLICAS) while fewer replicas than this are connected and lag at most \
                  min-replicas-max-lag seconds. It bounds what a failover can lose. 0: never refuse.",
            ..RUNTIME
        },
        Directive {
            name: "min-replicas-max-lag",
            alias: Some("min-slaves-max-lag"),
            kind: integer!(Int, replication.min_replicas_max_lag, 10, 0..=INT_MAX),
            apply: Some(Apply::GoodReplicas),
            doc: "See min-replicas-to-write. In seconds; 0 switches the rule off.",
            ..RUNTIME
        },
        Directive {
            name: "replica-ignore-maxmemory",
            alias: Some("slave-ignore-maxmemory"),
            kind: flag!(replication.replica_ignore_maxmemory, true),
            doc: "Leave eviction to the master, whose removals arrive like any other change. A replica that does not would lose keys \
                  that its master has.",
            ..RUNTIME
        },
        Directive {
            name: "replica-lazy-flush",
            alias: Some("slave-lazy-flush"),
            kind: flag!(replication.replica_lazy_flush, false),
            apply: Some(Apply::LazyFree),
            doc: "Free the old data set in the background when a full synchronization replaces it.",
            ..RUNTIME
        },
        Directive {
            name: "replica-ignore-disk-write-errors",
            kind: flag!(replication.replica_ignore_disk_write_errors, false),
            effect: NoSubject("a replica always goes on, and INFO persistence and the log tell of the errors"),
            doc: "Whether a replica goes on although it cannot write to its disk.",
            ..RUNTIME
        },
        Directive {
            name: "propagation-error-behavior",
            kind: word!(replication.propagation_error_behavior: PropagationError::Ignore),
            doc: "What to do when a command from the master fails on a read-only replica, which means that the data differ: go \
                  on, or end the process, with either of the other words. With `panic`, a failing command of the AOF ends the \
                  start too.",
            ..RUNTIME
        },
    ],
};
