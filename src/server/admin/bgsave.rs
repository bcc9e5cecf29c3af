//! BGSAVE [SCHEDULE]: writes the RDB file while the server goes on.
//!
//! Reply:   `Background saving started`, or `Background saving scheduled` inside MULTI or while the AOF is rewritten.
//! Errors:  `ERR Background save already in progress`; `ERR Another child process is active (AOF?) …` without SCHEDULE while
//!          the AOF is rewritten; a syntax error for any other word.
//! Source:  redis.io/commands/bgsave, since 1.0.0; SCHEDULE since 3.2.2.
//!
//! The image is that of the moment of the answer. Inside MULTI it is taken after EXEC, as soon as no other snapshot runs,
//! because a transaction may not be half in it. SCHEDULE matters while the append only file is being rewritten; a snapshot for
//! replicas counts as a save here, as it does in Redis.

use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::server::drivers::saves::Target;
use crate::session::Session;
use crate::spec::{Arg, Arity, Flags, Group, Meta, Spec};

/// BGSAVE.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "bgsave",
        group: Group::Server,
        since: "1.0.0",
        arity: Arity::AtLeast(1),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_ASYNC_LOADING),
        summary: "Saves the data set to disk in the background.",
        complexity: "O(1) for the answer; the work is O(N) in the number of keys.",
        history: &[("3.2.2", "Added the SCHEDULE option.")],
        args: &[Arg::token("schedule", "SCHEDULE").optional().since("3.2.2")],
        ..Meta::NEW
    },
    handler: bgsave,
};

fn bgsave(turn: &mut Turn<'_>, _: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    if args.len() > 2 || (args.len() == 2 && !args.is(1, "schedule")) {
        return Err(CommandError::Syntax.into());
    }
    let is_scheduling = args.len() == 2;
    match turn.is_image_running() {
        Some(Target::AofBase) if is_scheduling => {
            turn.server.snapshots.schedule();
            reply.simple("Background saving scheduled");
            return Ok(Outcome::Done);
        }
        Some(Target::AofBase) => {
            return Err(CommandError::err(
                "Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a \
                 BGSAVE whenever possible.",
            ).into());
        }
        Some(_) => return Err(CommandError::err("Background save already in progress").into()),
        None => {}
    }
    if turn.server.engine.depth > 0 {
        turn.server.snapshots.schedule();
        reply.simple("Background saving scheduled");
        return Ok(Outcome::Done);
    }
    turn.begin_snapshot(Target::File);
    reply.simple("Background saving started");
    Ok(Outcome::Done)
}
