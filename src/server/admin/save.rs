//! SAVE: writes the RDB file before answering.
//!
//! Reply:   OK.
//! Errors:  `ERR Background save already in progress`; `ERR` alone when the file could not be written (the log says why).
//! Source:  redis.io/commands/save, since 1.0.0.
//!
//! Everybody waits meanwhile, so BGSAVE is what one wants.

use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::server::drivers::saves::Target;
use crate::session::Session;
use crate::spec::{Arity, Flags, Group, Meta, Spec};

/// SAVE.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "save",
        group: Group::Server,
        since: "1.0.0",
        arity: Arity::Exactly(1),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_ASYNC_LOADING).and(Flags::NO_MULTI),
        summary: "Saves the data set to disk and waits until that is done.",
        complexity: "O(N) in the number of keys.",
        ..Meta::NEW
    },
    handler: save,
};

fn save(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    if turn.server.snapshots.target().is_some_and(|target| target != Target::AofBase) {
        return Err(CommandError::err("Background save already in progress").into());
    }
    if turn.save_now().is_err() {
        return Err(CommandError::text("ERR").into());
    }
    reply.ok();
    Ok(Outcome::Done)
}
