//! SLOWLOG GET [count], LEN, RESET, HELP: the commands that took longest.
//!
//! Reply:   GET: array of entries, newest first: number, unix time, microseconds, words, client address, client name.
//! Errors:  `count should be greater than or equal to -1`.
//! Source:  redis.io/commands/slowlog-get, since 2.2.12.

use crate::base::number;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::Session;
use crate::spec::{Arg, ArgKind, Arity, Flags, Group, Meta, Spec};

/// The container.
pub const CONTAINER: Meta = Meta {
    name: "slowlog",
    group: Group::Server,
    since: "2.2.12",
    arity: Arity::AtLeast(2),
    summary: "A container for slow log commands.",
    complexity: "Depends on the subcommand.",
    ..Meta::NEW
};

const BASE: Meta = Meta {
    container: "slowlog",
    group: Group::Server,
    since: "2.2.12",
    flags: Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE),
    ..Meta::NEW
};

/// SLOWLOG GET.
pub const GET: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "get",
        arity: Arity::AtLeast(2),
        summary: "Returns the slow log's entries, newest first.",
        complexity: "O(N) in the number of entries.",
        history: &[("4.0.0", "Added client address and name.")],
        tips: &["request_policy:all_nodes", "nondeterministic_output"],
        args: &[Arg::new("count", ArgKind::Integer).optional()],
        ..BASE
    },
    handler: get,
};

/// SLOWLOG LEN.
pub const LEN: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "len",
        arity: Arity::Exactly(2),
        summary: "Returns how many entries the slow log holds.",
        tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
        ..BASE
    },
    handler: len,
};

/// SLOWLOG RESET.
pub const RESET: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "reset",
        arity: Arity::Exactly(2),
        summary: "Empties the slow log.",
        complexity: "O(N) in the number of entries.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..BASE
    },
    handler: reset,
};

/// SLOWLOG HELP.
pub const HELP: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "help",
        since: "6.2.0",
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Returns what the subcommands do.",
        ..BASE
    },
    handler: help,
};

fn get(turn: &mut Turn<'_>, _: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let log = &turn.server.engine.slowlog;
    let count = match args.len() {
        2 => 10.min(log.len()),
        3 => match number::parse_i64(args.get(2)) {
            Some(-1) => log.len(),
            Some(count @ 0..) => (count as usize).min(log.len()),
            _ => return Err(CommandError::err("count should be greater than or equal to -1").into()),
        },
        _ => return Err(CommandError::WrongArity { command: "slowlog|get".into() }.into()),
    };
    reply.array(count);
    for entry in log.entries().take(count) {
        reply.array(6);
        reply.int(entry.id as i64);
        reply.int(entry.at);
        reply.int(entry.usec as i64);
        reply.array(entry.args.len());
        entry.args.iter().for_each(|arg| reply.bulk(arg));
        reply.bulk(entry.addr.as_bytes());
        reply.bulk(&entry.name);
    }
    Ok(Outcome::Done)
}

fn len(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    reply.int(turn.server.engine.slowlog.len() as i64);
    Ok(Outcome::Done)
}

fn reset(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    turn.server.engine.slowlog.clear();
    reply.ok();
    Ok(Outcome::Done)
}

fn help(_: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    const LINES: &[&str] = &[
        "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET [<count>]",
        "    Return the <count> newest entries (default: 10, -1 means all).",
        "    Each entry holds:",
        "    number, unix time, microseconds, words of the command, client address and port, client name",
        "LEN",
        "    Return the number of entries.",
        "RESET",
        "    Empty the slow log.",
        "HELP",
        "    Print this help.",
    ];
    reply.array(LINES.len());
    LINES.iter().for_each(|line| reply.simple(line));
    Ok(Outcome::Done)
}
