//! WAIT numreplicas timeout: until so many replicas have executed what this client wrote.
//!
//! Reply:   how many have, at once when they are enough, else when they become enough or the time (in milliseconds, 0
//!          for ever) is over.
//! Errors:  on a replica; numbers out of range.
//! Source:  redis.io/commands/wait, since 3.0.0.
//!
//! Inside MULTI it never waits. Acknowledgements are asked for once at the end of the turn, whoever waits. Where the
//! stream stood after the client's last write is in its session; a client that wrote nothing has nothing to wait for.

use crate::base::number;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::repl::Input;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::server::clients::{BlockReason, Blocked};
use crate::session::Session;
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

/// WAIT.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "wait",
        group: Group::Generic,
        since: "3.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::NONE,
        categories: Category::CONNECTION,
        summary: "Blocks until the client's writes have reached the given number of replicas.",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        args: &[Arg::new("numreplicas", ArgKind::Integer), Arg::new("timeout", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: wait,
};

fn wait(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    if turn.server.repl.node.is_replica() {
        return Err(CommandError::err(
            "WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is \
             configured to be writable (which is not the default) writes to replicas are just local and are not \
             propagated.",
        )
        .into());
    }
    let replicas = number::parse_i64(args.get(1)).ok_or(CommandError::NotInteger)?;
    let timeout =
        number::parse_i64(args.get(2)).ok_or_else(|| CommandError::err("timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(CommandError::err("timeout is negative").into());
    }
    let now = turn.server.engine.now;
    if timeout.checked_add(now.wall().0).is_none() {
        return Err(CommandError::err("timeout is out of range").into());
    }
    let offset = session.written_to;
    let acked = turn.server.repl.node.master().acked_by(offset);
    if acked as i64 >= replicas || turn.server.engine.depth > 0 {
        reply.int(acked as i64);
        return Ok(Outcome::Done);
    }
    let deadline = (timeout > 0).then(|| now.mono + timeout as u64);
    turn.block(session, Blocked { reason: BlockReason::Wait { replicas: replicas as u64, offset }, deadline });
    turn.repl(Input::AckWanted);
    Ok(Outcome::Done)
}
