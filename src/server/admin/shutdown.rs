//! SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] | ABORT: leave, after replicas caught up and the data are saved.
//!
//! Reply:   none when it works, the connection is closed; OK for ABORT.
//! Errors:  `Errors trying to SHUTDOWN. Check logs.`, `No shutdown in progress.`, a syntax error.
//! Source:  redis.io/commands/shutdown, since 1.0.0; NOW, FORCE, ABORT since 7.0.0.

use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::server::clients::{BlockReason, Blocked};
use crate::server::shutdown::{Progress, Wish};
use crate::session::Session;
use crate::spec::{Arg, Arity, Flags, Group, Meta, Spec};

const SAVE_OR_NOT: Arg =
    Arg::one_of("save-selector", &[Arg::token("nosave", "NOSAVE"), Arg::token("save", "SAVE")]).optional();

/// SHUTDOWN.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "shutdown",
        group: Group::Server,
        since: "1.0.0",
        arity: Arity::AtLeast(1),
        flags: Flags::ADMIN
            .and(Flags::NOSCRIPT)
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::NO_MULTI)
            .and(Flags::SENTINEL)
            .and(Flags::ALLOW_BUSY),
        summary: "Saves the data set and ends the server.",
        complexity: "O(N) in the number of keys when saving, else O(1).",
        history: &[("7.0.0", "Added NOW, FORCE and ABORT.")],
        args: &[
            SAVE_OR_NOT,
            Arg::token("now", "NOW").optional().since("7.0.0"),
            Arg::token("force", "FORCE").optional().since("7.0.0"),
            Arg::token("abort", "ABORT").optional().since("7.0.0"),
        ],
        ..Meta::NEW
    },
    handler: shutdown,
};

fn shutdown(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let mut wish = Wish::default();
    let mut is_abort = false;
    for word in args.from(1) {
        match word.to_ascii_lowercase().as_slice() {
            b"nosave" => wish.nosave = true,
            b"save" => wish.save = true,
            b"now" => wish.now = true,
            b"force" => wish.force = true,
            b"abort" => is_abort = true,
            _ => return Err(CommandError::Syntax.into()),
        }
    }
    let has_wishes = wish != Wish::default();
    if (is_abort && has_wishes) || (wish.save && wish.nosave) {
        return Err(CommandError::Syntax.into());
    }
    if is_abort {
        if !turn.abort_shutdown() {
            return Err(CommandError::err("No shutdown in progress.").into());
        }
        reply.ok();
        return Ok(Outcome::Done);
    }
    tracing::warn!("User requested shutdown...");
    match turn.shut_down(wish) {
        Progress::Leaving => {
            session.marks.is_closing_asap = true;
            Ok(Outcome::Done)
        }
        Progress::Waiting => {
            turn.block(session, Blocked { reason: BlockReason::Shutdown, deadline: None });
            Ok(Outcome::Done)
        }
        Progress::Failed => Err(CommandError::err("Errors trying to SHUTDOWN. Check logs.").into()),
    }
}
