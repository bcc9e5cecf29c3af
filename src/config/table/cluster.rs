//! Cluster mode.

use crate::config::directive::Effect;
use crate::config::directive::{
    Apply, Directive, Flags, INT_MAX, LONG_MAX, PORT_MAX, RUNTIME, START, flag, integer, text, word,
};
use crate::config::table::{Group, special};
use crate::config::values::EndpointType;

const NO_CLUSTER: Effect = Effect::NoSubject("there is no cluster mode");

/// Cluster mode.
pub static GROUP: Group = Group {
    title: "Cluster",
    intro: "",
    directives: &[
        Directive {
            name: "cluster-enabled",
            kind: flag!(cluster.cluster_enabled, false),
            check: Some(special::cluster_is_off),
            effect: NO_CLUSTER,
            doc: "Be a node of a cluster.",
            ..START
        },
        Directive {
            name: "cluster-config-file",
            kind: text!(cluster.cluster_config_file, "nodes.conf"),
            effect: NO_CLUSTER,
            doc: "File the node keeps its picture of the cluster in.",
            ..START
        },
        Directive {
            name: "cluster-node-timeout",
            kind: integer!(Int, cluster.cluster_node_timeout, 15000, 0..=LONG_MAX),
            effect: NO_CLUSTER,
            doc: "Milliseconds of silence after which a node counts as failing.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-ping-interval",
            kind: integer!(Int, cluster.cluster_ping_interval, 0, 0..=LONG_MAX),
            flags: Flags::HIDDEN,
            effect: NO_CLUSTER,
            doc: "Milliseconds between pings, for tests.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-port",
            kind: integer!(Int, cluster.cluster_port, 0, 0..=PORT_MAX),
            effect: NO_CLUSTER,
            doc: "Port of the cluster bus. 0: port + 10000.",
            ..START
        },
        Directive {
            name: "cluster-require-full-coverage",
            kind: flag!(cluster.cluster_require_full_coverage, true),
            effect: NO_CLUSTER,
            doc: "Refuse all queries while any slot has no owner.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-replica-no-failover",
            alias: Some("cluster-slave-no-failover"),
            kind: flag!(cluster.cluster_replica_no_failover, false),
            apply: Some(Apply::Cluster),
            effect: NO_CLUSTER,
            doc: "Never start a failover by itself.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-replica-validity-factor",
            alias: Some("cluster-slave-validity-factor"),
            kind: integer!(Int, cluster.cluster_replica_validity_factor, 10, 0..=INT_MAX),
            effect: NO_CLUSTER,
            doc: "How stale a replica may be to take over, in node timeouts.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-migration-barrier",
            kind: integer!(Int, cluster.cluster_migration_barrier, 1, 0..=INT_MAX),
            effect: NO_CLUSTER,
            doc: "Replicas a master keeps before one may move to another master.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-allow-replica-migration",
            kind: flag!(cluster.cluster_allow_replica_migration, true),
            effect: NO_CLUSTER,
            doc: "Let replicas move to masters that have none.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-allow-reads-when-down",
            kind: flag!(cluster.cluster_allow_reads_when_down, false),
            effect: NO_CLUSTER,
            doc: "Answer reads while the cluster is down.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-allow-pubsubshard-when-down",
            kind: flag!(cluster.cluster_allow_pubsubshard_when_down, true),
            effect: NO_CLUSTER,
            doc: "Serve sharded channels while the cluster is down.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-link-sendbuf-limit",
            kind: integer!(Bytes, cluster.cluster_link_sendbuf_limit, 0, 0..=u64::MAX as i128),
            effect: NO_CLUSTER,
            doc: "Most bytes waiting on one link of the cluster bus. 0: no limit.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-announce-ip",
            kind: text!(cluster.cluster_announce_ip, ""),
            apply: Some(Apply::Cluster),
            effect: NO_CLUSTER,
            doc: "Address others should use.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-announce-port",
            kind: integer!(Int, cluster.cluster_announce_port, 0, 0..=PORT_MAX),
            apply: Some(Apply::Cluster),
            effect: NO_CLUSTER,
            doc: "Port others should use.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-announce-tls-port",
            kind: integer!(Int, cluster.cluster_announce_tls_port, 0, 0..=PORT_MAX),
            apply: Some(Apply::Cluster),
            effect: NO_CLUSTER,
            doc: "Encrypted port others should use.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-announce-bus-port",
            kind: integer!(Int, cluster.cluster_announce_bus_port, 0, 0..=PORT_MAX),
            apply: Some(Apply::Cluster),
            effect: NO_CLUSTER,
            doc: "Port of the bus others should use.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-announce-hostname",
            kind: text!(cluster.cluster_announce_hostname, ""),
            check: Some(special::announced_hostname_is_valid),
            apply: Some(Apply::Cluster),
            effect: NO_CLUSTER,
            doc: "Host name others should use.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-announce-human-nodename",
            kind: text!(cluster.cluster_announce_human_nodename, ""),
            check: Some(special::announced_nodename_is_valid),
            apply: Some(Apply::Cluster),
            effect: NO_CLUSTER,
            doc: "Name of the node in logs.",
            ..RUNTIME
        },
        Directive {
            name: "cluster-preferred-endpoint-type",
            kind: word!(cluster.cluster_preferred_endpoint_type: EndpointType::Ip),
            effect: NO_CLUSTER,
            doc: "What clients are told to connect to.",
            ..RUNTIME
        },
    ],
};
