//! LOLWUT [VERSION version] [word …]: the version, and in some releases of Redis a picture.
//!
//! Reply:   text.
//! Errors:  not an integer, after VERSION.
//! Source:  redis.io/commands/lolwut, since 5.0.0.
//!
//! The pictures of the releases 5 and 6 are not drawn: every version gets what 7.2 answers by itself.

use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::admin::AdminHandler;
use crate::server::{COMPATIBLE_VERSION, Turn};
use crate::session::Session;
use crate::spec::{Arg, ArgKind, Arity, Flags, Group, Meta, Spec};

/// LOLWUT.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "lolwut",
        group: Group::Server,
        since: "5.0.0",
        arity: Arity::AtLeast(1),
        flags: Flags::READONLY.and(Flags::FAST),
        summary: "Shows the version.",
        args: &[Arg::new("version", ArgKind::Integer).after("VERSION").optional()],
        ..Meta::NEW
    },
    handler: lolwut,
};

fn lolwut(_: &mut Turn<'_>, _: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    if args.len() >= 3 && args.is(1, "version") {
        parse_i64(args.get(2)).ok_or(CommandError::NotInteger)?;
    }
    reply.verbatim("txt", format!("Redis ver. {COMPATIBLE_VERSION}\n").as_bytes());
    Ok(Outcome::Done)
}
