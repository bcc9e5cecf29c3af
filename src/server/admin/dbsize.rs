//! DBSIZE: how many keys the selected database has, those whose time is over but who are not yet removed included.
//!
//! Reply:   integer.
//! Source:  redis.io/commands/dbsize, since 1.0.0.

use crate::commands::contract::{CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::Session;
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// DBSIZE.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "dbsize",
        group: Group::Server,
        since: "1.0.0",
        arity: Arity::Exactly(1),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::KEYSPACE,
        summary: "Returns how many keys the selected database has.",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        ..Meta::NEW
    },
    handler: dbsize,
};

fn dbsize(turn: &mut Turn<'_>, session: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let access = turn.server.engine.access(session);
    reply.int(turn.server.engine.keyspace.db(session.db as u32, access).len() as i64);
    Ok(Outcome::Done)
}
