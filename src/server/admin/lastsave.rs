//! LASTSAVE: when the data set was last saved, in seconds since 1970; the start of the server before the first save.
//!
//! Reply:   integer.
//! Source:  redis.io/commands/lastsave, since 1.0.0.

use crate::commands::contract::{CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::Session;
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// LASTSAVE.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "lastsave",
        group: Group::Server,
        since: "1.0.0",
        arity: Arity::Exactly(1),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
        categories: Category::ADMIN.and(Category::DANGEROUS),
        summary: "Returns the Unix time of the last save that succeeded.",
        tips: &["nondeterministic_output"],
        ..Meta::NEW
    },
    handler: lastsave,
};

fn lastsave(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    reply.int(turn.server.snapshots.record.last_save);
    Ok(Outcome::Done)
}
