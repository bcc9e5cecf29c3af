//! INFO [section …]: what the server says about itself.
//!
//! Reply:   verbatim text of sections, each a title and `name:value` lines.
//! Source:  redis.io/commands/info, since 1.0.0; several sections since 7.0.0.

use crate::commands::contract::{CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::admin::AdminHandler;
use crate::server::{Turn, info};
use crate::session::Session;
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};
use crate::stats::info::Sections;

/// INFO.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "info",
        group: Group::Server,
        since: "1.0.0",
        arity: Arity::AtLeast(1),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::SENTINEL),
        categories: Category::DANGEROUS,
        summary: "Returns what the server says about itself, by section.",
        history: &[("7.0.0", "Takes several sections.")],
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        args: &[Arg::new("section", ArgKind::String).optional().multiple()],
        ..Meta::NEW
    },
    handler: info_command,
};

fn info_command(turn: &mut Turn<'_>, _: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let text = info::text(turn, &Sections::parse(args.from(1)));
    reply.verbatim("txt", text.as_bytes());
    Ok(Outcome::Done)
}
