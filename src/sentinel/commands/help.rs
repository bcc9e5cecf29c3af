//! SENTINEL HELP: read off the command table by the shell.

use super::{BASE, SentinelHandler};
use crate::sentinel::commands::Act;
use crate::spec::{Arity, Flags, Meta, Spec};

const HELP: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "help",
        since: "6.2.0",
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::SENTINEL).and(Flags::ONLY_SENTINEL),
        summary: "Lists the subcommands.",
        ..BASE
    },
    handler: |view, _, reply| {
        crate::spec::docs::reply_help(reply, view.figures.catalog(), "sentinel");
        Ok(Act::Answered)
    },
};

/// The family.
pub const TABLE: &[&Spec<SentinelHandler>] = &[&HELP];
