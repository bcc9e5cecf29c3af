//! BGREWRITEAOF: begins a new append only file that holds the data as they are, in the background.
//!
//! Reply:   `Background append only file rewriting started`, or `… scheduled` when something else is under way or inside
//!          MULTI.
//! Errors:  `ERR Background append only file rewriting already in progress`; a rewrite that cannot begin.
//! Source:  redis.io/commands/bgrewriteaof, since 1.0.0.
//!
//! It works without `appendonly` too and then leaves a base alone.

use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::Session;
use crate::spec::{Arity, Flags, Group, Meta, Spec};

/// BGREWRITEAOF.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "bgrewriteaof",
        group: Group::Server,
        since: "1.0.0",
        arity: Arity::Exactly(1),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_ASYNC_LOADING),
        summary: "Rewrites the append only file in the background.",
        complexity: "O(1) for the answer; the work is O(N) in the number of keys.",
        ..Meta::NEW
    },
    handler: bgrewriteaof,
};

fn bgrewriteaof(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    if turn.server.aof.is_rewriting() {
        return Err(CommandError::err("Background append only file rewriting already in progress").into());
    }
    if turn.server.snapshots.target().is_some() || turn.server.engine.depth > 0 {
        turn.server.aof.schedule_rewrite();
        reply.simple("Background append only file rewriting scheduled");
        return Ok(Outcome::Done);
    }
    if let Err(error) = turn.begin_rewrite() {
        error.log();
        return Err(CommandError::err(
            "Can't execute an AOF background rewriting. Please check the server logs for more information.",
        )
        .into());
    }
    reply.simple("Background append only file rewriting started");
    Ok(Outcome::Done)
}
