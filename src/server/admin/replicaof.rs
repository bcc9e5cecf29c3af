//! REPLICAOF host port | NO ONE (and SLAVEOF, its old name): follow another server, or stop following.
//!
//! Reply:   OK; `OK Already connected to specified master` when nothing changes.
//! Errors:  `REPLICAOF not allowed in cluster mode.`, `REPLICAOF not allowed while failing over.`,
//!          `Command is not valid when client is a replica.`, `Invalid master port`.
//! Source:  redis.io/commands/replicaof, since 5.0.0; SLAVEOF since 1.0.0.
//!
//! The answer does not wait for the new link. Nothing is written to the config file until CONFIG REWRITE.

use tracing::info;

use crate::base::number;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::repl::HostPort;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::{Kind, Session};
use crate::spec::{Arg, ArgKind, Arity, Flags, Group, Meta, Spec};

const ARGS: &[Arg] = &[Arg::one_of(
    "args",
    &[
        Arg::block("host-port", &[Arg::new("host", ArgKind::String), Arg::new("port", ArgKind::Integer)]),
        Arg::block("no-one", &[Arg::token("no", "NO"), Arg::token("one", "ONE")]),
    ],
)];

const BASE: Meta = Meta {
    group: Group::Server,
    arity: Arity::Exactly(3),
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::STALE).and(Flags::NO_ASYNC_LOADING),
    complexity: "O(1)",
    args: ARGS,
    ..Meta::NEW
};

/// REPLICAOF.
pub const REPLICAOF: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "replicaof",
        since: "5.0.0",
        summary: "Makes the server a replica of another one, or a master.",
        ..BASE
    },
    handler: replicaof,
};

/// SLAVEOF.
pub const SLAVEOF: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "slaveof",
        since: "1.0.0",
        summary: "Makes the server a replica of another one, or a master.",
        deprecated: Some(("5.0.0", "`REPLICAOF`")),
        ..BASE
    },
    handler: replicaof,
};

fn replicaof(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    if turn.server.engine.config.cluster.cluster_enabled {
        return Err(CommandError::err("REPLICAOF not allowed in cluster mode.").into());
    }
    if turn.server.repl.node.is_failing_over() {
        return Err(CommandError::err("REPLICAOF not allowed while failing over.").into());
    }
    let client = turn.describe(session);
    if args.is(1, "no") && args.is(2, "one") {
        if turn.server.repl.node.is_replica() {
            turn.become_master();
            info!("MASTER MODE enabled (user request from '{client}')");
        }
        reply.ok();
        return Ok(Outcome::Done);
    }
    if session.kind == Kind::Replica {
        return Err(CommandError::err("Command is not valid when client is a replica.").into());
    }
    let port = number::parse_i64(args.get(2)).and_then(|port| u16::try_from(port).ok());
    let Some(port) = port else { return Err(CommandError::err("Invalid master port").into()) };
    let master = HostPort { host: String::from_utf8_lossy(args.get(1)).into_owned(), port };
    if turn.server.repl.node.link().is_some_and(|link| link.master() == &master) {
        info!(
            "REPLICAOF would result into synchronization with the master we are already connected with. No operation \
             performed."
        );
        reply.simple("OK Already connected to specified master");
        return Ok(Outcome::Done);
    }
    turn.follow(master.clone());
    info!("REPLICAOF {}:{} enabled (user request from '{client}')", master.host, master.port);
    reply.ok();
    Ok(Outcome::Done)
}
