//! PSYNC replid offset [FAILOVER] and SYNC: the connection becomes that of a replica.
//!
//! Reply:   PSYNC: `CONTINUE [replid]` and the stream, or `FULLRESYNC replid offset` when a snapshot starts, the snapshot
//!          and the stream. SYNC: the snapshot and the stream.
//! Errors:  see `repl/master/psync.rs`; an offset that is not a number; `NOMASTERLINK` from a master that started
//!          without data (`repl/newborn.rs`).
//! Source:  redis.io/docs/management/replication; PSYNC since 2.8.0, SYNC since 1.0.0.

use tracing::warn;

use crate::base::number;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::repl::Input;
use crate::repl::io::SyncRequest;
use crate::repl::master::psync::{Circumstances, refuse};
use crate::repl::newborn;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::{Kind, Session};
use crate::spec::{Arg, ArgKind, Arity, Flags, Group, Meta, Spec};

const FLAGS: Flags = Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_ASYNC_LOADING).and(Flags::NO_MULTI);

/// PSYNC.
pub const PSYNC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "psync",
        group: Group::Server,
        since: "2.8.0",
        arity: Arity::AtLeast(3),
        flags: FLAGS,
        summary: "An internal command used in replication.",
        args: &[Arg::new("replicationid", ArgKind::String), Arg::new("offset", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: sync,
};

/// SYNC.
pub const SYNC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "sync",
        group: Group::Server,
        since: "1.0.0",
        arity: Arity::Exactly(1),
        flags: FLAGS,
        summary: "An internal command used in replication.",
        ..Meta::NEW
    },
    handler: sync,
};

fn sync(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    if session.kind == Kind::Replica {
        return Ok(Outcome::Done);
    }
    let node = &turn.server.repl.node;
    let circumstances = Circumstances {
        failover: (args.len() > 3 && args.is(3, "failover")).then(|| args.get(1)),
        failing_over: node.is_failing_over(),
        pending_output: !reply.out().is_empty(),
        filter_without_eof: node.master().filter_without_eof(session.id),
    };
    if let Some(text) = refuse(&circumstances, node.link_up(), node.history().identity().id()) {
        return Err(CommandError::text(text).into());
    }
    let request = if args.len() > 1 {
        let Some(position) = number::parse_i64(args.get(2)) else {
            warn!("Replica {} asks for synchronization but with a wrong offset", session.addr);
            return Err(CommandError::NotInteger.into());
        };
        SyncRequest::Psync { replid: args.get(1), position }
    } else {
        SyncRequest::Sync
    };
    if circumstances.failover.is_some() {
        let id = String::from_utf8_lossy(args.get(1));
        tracing::info!("Failover request received for replid {id}.");
        let client = turn.describe(session);
        turn.become_master();
        tracing::info!("MASTER MODE enabled (failover request from '{client}')");
    }
    let ip = crate::server::drivers::repl::ip_of(&session.addr).to_owned();
    if let SyncRequest::Psync { replid, position } = request {
        let now = turn.net.now().mono;
        if turn.server.repl.node.refuses_history(now, session.id, &ip, replid, position) {
            return Err(CommandError::text(newborn::REFUSAL).into());
        }
    }
    session.kind = Kind::Replica;
    if turn.server.engine.config.replication.repl_disable_tcp_nodelay && !session.marks.is_unix {
        let conn = turn.server.clients.conn_of(session.id).and_then(|conn| turn.net.conn(conn));
        let _ = conn.map(|conn| conn.set_nodelay(false));
    }
    turn.repl(Input::Sync { client: session.id, ip: &ip, request });
    Ok(Outcome::Done)
}
