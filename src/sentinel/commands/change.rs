//! SENTINEL MONITOR, REMOVE, SET, RESET, FAILOVER, FLUSHCONFIG, SIMULATE-FAILURE, DEBUG, IS-MASTER-DOWN-BY-ADDR: what the
//! core decides. Words that are numbers are read here, with Redis's errors; everything else is the core's.

use super::{Act, BASE, SentinelHandler, View, text};
use crate::base::number;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::sentinel::core::io::{Command, DownQuestion};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

const NAME: Arg = Arg::new("master-name", ArgKind::String);

const MONITOR: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "monitor",
        arity: Arity::Exactly(6),
        summary: "Starts to monitor a master.",
        args: &[
            Arg::new("name", ArgKind::String),
            Arg::new("ip", ArgKind::String),
            Arg::new("port", ArgKind::Integer),
            Arg::new("quorum", ArgKind::Integer),
        ],
        ..BASE
    },
    handler: monitor,
};

const REMOVE: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "remove",
        arity: Arity::Exactly(3),
        summary: "Stops monitoring a master.",
        args: &[NAME],
        ..BASE
    },
    handler: |_, args, _| Ok(Act::Change(Command::Remove { name: text(args, 2) })),
};

const SET: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "set",
        arity: Arity::AtLeast(5),
        summary: "Changes settings of a monitored master.",
        args: &[
            NAME,
            Arg::block("data", &[Arg::new("option", ArgKind::String), Arg::new("value", ArgKind::String)]).multiple(),
        ],
        ..BASE
    },
    handler: |_, args, _| Ok(Act::Change(Command::Set { name: text(args, 2), words: words(args, 3) })),
};

const RESET: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "reset",
        arity: Arity::Exactly(3),
        summary: "Forgets what was learnt about masters whose names match a pattern.",
        args: &[Arg::new("pattern", ArgKind::Pattern)],
        ..BASE
    },
    handler: |_, args, _| Ok(Act::Change(Command::Reset { pattern: args.get(2).to_vec() })),
};

const FAILOVER: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "failover",
        arity: Arity::Exactly(3),
        summary: "Hands the role of master over without asking the other Sentinels.",
        args: &[NAME],
        ..BASE
    },
    handler: |_, args, _| Ok(Act::Change(Command::Failover { name: text(args, 2) })),
};

const FLUSHCONFIG: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "flushconfig",
        arity: Arity::Exactly(2),
        summary: "Writes the configuration file anew.",
        ..BASE
    },
    handler: |_, _, _| Ok(Act::Change(Command::FlushConfig)),
};

const SIMULATE_FAILURE: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "simulate-failure",
        since: "3.2.0",
        arity: Arity::AtLeast(3),
        summary: "Makes the Sentinel crash at a chosen point of the next failover.",
        args: &[Arg::new("mode", ArgKind::String).multiple()],
        ..BASE
    },
    handler: simulate_failure,
};

const DEBUG: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "debug",
        since: "7.0.0",
        arity: Arity::AtLeast(2),
        summary: "Lists or changes the periods and limits that are usually fixed.",
        args: &[Arg::block("data", &[Arg::new("parameter", ArgKind::String), Arg::new("value", ArgKind::String)])
            .optional()
            .multiple()],
        ..BASE
    },
    handler: debug,
};

const DOWN: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "is-master-down-by-addr",
        arity: Arity::Exactly(6),
        summary: "Asks, as another Sentinel, whether a master is down, and for a vote.",
        args: &[
            Arg::new("ip", ArgKind::String),
            Arg::new("port", ArgKind::Integer),
            Arg::new("current-epoch", ArgKind::Integer),
            Arg::new("runid", ArgKind::String),
        ],
        ..BASE
    },
    handler: is_down,
};

const PRIMARY_DOWN: Spec<SentinelHandler> =
    Spec { meta: Meta { name: "is-primary-down-by-addr", since: "8.0.0", ..DOWN.meta }, handler: is_down };

/// The family.
pub const TABLE: &[&Spec<SentinelHandler>] =
    &[&MONITOR, &REMOVE, &SET, &RESET, &FAILOVER, &FLUSHCONFIG, &SIMULATE_FAILURE, &DEBUG, &DOWN, &PRIMARY_DOWN];

fn words(args: &Args<'_>, start: usize) -> Vec<Vec<u8>> {
    args.from(start).map(<[u8]>::to_vec).collect()
}

fn monitor(_: &View<'_>, args: &Args<'_>, _: &mut Reply<'_>) -> Result<Act, String> {
    let quorum = number::parse_i64(args.get(5)).ok_or("ERR Invalid quorum")?;
    let port = number::parse_i64(args.get(4)).ok_or("ERR Invalid port")?;
    Ok(Act::Change(Command::Monitor { name: text(args, 2), host: text(args, 3), port, quorum }))
}

fn simulate_failure(_: &View<'_>, args: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    if args.is(2, "help") {
        reply.array(2);
        reply.bulk(b"crash-after-election");
        reply.bulk(b"crash-after-promotion");
        return Ok(Act::Answered);
    }
    Ok(Act::Change(Command::SimulateFailure { words: words(args, 2) }))
}

fn debug(view: &View<'_>, args: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    if args.len() > 2 {
        return Ok(Act::Change(Command::Debug { words: words(args, 2) }));
    }
    let periods = view.sentinel.periods().list();
    reply.map(periods.len());
    for (name, value) in periods {
        reply.bulk(name.as_bytes());
        reply.bulk_int(value as i64);
    }
    Ok(Act::Answered)
}

fn is_down(_: &View<'_>, args: &Args<'_>, _: &mut Reply<'_>) -> Result<Act, String> {
    let not_integer = || "ERR value is not an integer or out of range".to_owned();
    let port = number::parse_i64(args.get(3)).ok_or_else(not_integer)?;
    let epoch = number::parse_i64(args.get(4)).ok_or_else(not_integer)?;
    let epoch = u64::try_from(epoch).map_err(|_| not_integer())?;
    Ok(Act::Question(DownQuestion { host: text(args, 2), port, epoch, candidate: text(args, 5) }))
}
