//! MONITOR: see every command that is executed, as it is executed.
//!
//! Reply:   OK, then a status line per command: time, database, client, words.
//! Source:  redis.io/commands/monitor, since 1.0.0.
//!
//! Administrative commands are not shown and passwords are not either.

use crate::commands::contract::{CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::{Kind, Session};
use crate::spec::{Arity, Flags, Group, Meta, Spec};

/// MONITOR.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "monitor",
        group: Group::Server,
        since: "1.0.0",
        arity: Arity::Exactly(1),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
        summary: "Shows every command the server executes from now on.",
        ..Meta::NEW
    },
    handler: monitor,
};

fn monitor(turn: &mut Turn<'_>, session: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    // A client that already monitors, or is a replica, changes nothing.
    if session.kind == Kind::Client {
        session.kind = Kind::Monitor;
        turn.server.engine.monitors.push(session.id);
    }
    reply.ok();
    Ok(Outcome::Done)
}
