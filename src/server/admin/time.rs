//! TIME: the server's clock.
//!
//! Reply:   array of two bulk strings, unix seconds and the microseconds of that second.
//! Source:  redis.io/commands/time, since 2.6.0.

use crate::commands::contract::{CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::Session;
use crate::spec::{Arity, Flags, Group, Meta, Spec};

/// TIME.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "time",
        group: Group::Server,
        since: "2.6.0",
        arity: Arity::Exactly(1),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
        summary: "Returns the server's clock.",
        tips: &["nondeterministic_output"],
        ..Meta::NEW
    },
    handler: time,
};

fn time(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let us = turn.server.engine.now.wall_us;
    reply.array(2);
    reply.bulk_int(us.div_euclid(1_000_000));
    reply.bulk_int(us.rem_euclid(1_000_000));
    Ok(Outcome::Done)
}
