//! WAITAOF numlocal numreplicas timeout: until what this client wrote is on disk, here and at so many replicas.
//!
//! Reply:   two numbers: 1 when the own append only file has it, else 0; and how many replicas have it. At once when that is
//!          enough, else when it becomes enough or the time (in milliseconds, 0 for ever) is over.
//! Errors:  on a replica; `numlocal` without `appendonly`; numbers out of range.
//! Source:  redis.io/commands/waitaof, since 7.2.0.
//!
//! Inside MULTI it never waits.

use crate::base::number;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::repl::Input;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::server::clients::{BlockReason, Blocked};
use crate::server::drivers::aof::NO_AOF;
use crate::session::Session;
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

/// WAITAOF.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "waitaof",
        group: Group::Generic,
        since: "7.2.0",
        arity: Arity::Exactly(4),
        flags: Flags::NOSCRIPT,
        categories: Category::CONNECTION,
        summary: "Blocks until the client's writes are on the disks of the server and of the given number of replicas.",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        args: &[
            Arg::new("numlocal", ArgKind::Integer),
            Arg::new("numreplicas", ArgKind::Integer),
            Arg::new("timeout", ArgKind::Integer),
        ],
        ..Meta::NEW
    },
    handler: waitaof,
};

fn waitaof(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let local = match number::parse_i64(args.get(1)) {
        Some(local @ (0 | 1)) => local as u64,
        Some(_) => return Err(CommandError::err("value is out of range, must be between 0 and 1").into()),
        None => return Err(CommandError::NotInteger.into()),
    };
    let replicas = match number::parse_i64(args.get(2)) {
        Some(replicas) if replicas >= 0 => replicas as u64,
        Some(_) => return Err(CommandError::err("value is out of range, must be positive").into()),
        None => return Err(CommandError::NotInteger.into()),
    };
    let timeout =
        number::parse_i64(args.get(3)).ok_or_else(|| CommandError::err("timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(CommandError::err("timeout is negative").into());
    }
    let now = turn.server.engine.now;
    if timeout.checked_add(now.wall().0).is_none() {
        return Err(CommandError::err("timeout is out of range").into());
    }
    if turn.server.repl.node.is_replica() {
        return Err(CommandError::err(
            "WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and \
             are not propagated.",
        ).into());
    }
    if local > 0 && !turn.server.engine.config.persistence.appendonly {
        return Err(CommandError::text(NO_AOF).into());
    }
    let offset = session.written_to;
    let synced = u64::from(turn.server.is_synced_to(offset));
    let acked = turn.server.replicas_synced_to(offset) as u64;
    if (synced >= local && acked >= replicas) || turn.server.engine.depth > 0 {
        reply.array(2);
        reply.int(synced as i64);
        reply.int(acked as i64);
        return Ok(Outcome::Done);
    }
    let deadline = (timeout > 0).then(|| now.mono + timeout as u64);
    turn.block(session, Blocked { reason: BlockReason::WaitAof { local, replicas, offset }, deadline });
    turn.repl(Input::AckWanted);
    Ok(Outcome::Done)
}
