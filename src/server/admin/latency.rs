//! LATENCY LATEST, HISTORY, GRAPH, DOCTOR, RESET, HISTOGRAM, HELP: what took too long, and how long commands take.
//!
//! Reply:   LATEST: for each event its name, when it last took too long, for how long, and the longest ever. HISTORY: pairs of unix time and
//!          milliseconds. GRAPH and DOCTOR: text. RESET: how many events were forgotten. HISTOGRAM: a map of commands to their
//!          number of calls and how many of these were done within so many microseconds.
//! Errors:  `No samples available for event …` (GRAPH).
//! Source:  redis.io/commands/latency-latest, since 2.8.13.
//!
//! What is sampled stands in `stats/latency.rs`; HISTOGRAM reads the figures of the commands, which `latency-tracking` switches.

use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::{AdminHandler, latency_text};
use crate::session::Session;
use crate::spec::{Arg, ArgKind, Arity, Command, Flags, Group, Meta, Spec};
use crate::stats::command::CommandFigures;

/// The container.
pub const CONTAINER: Meta = Meta {
    name: "latency",
    group: Group::Server,
    since: "2.8.13",
    arity: Arity::AtLeast(2),
    summary: "What took too long, and how long commands take.",
    complexity: "Depends on the subcommand.",
    ..Meta::NEW
};

const BASE: Meta = Meta {
    container: "latency",
    group: Group::Server,
    since: "2.8.13",
    arity: Arity::Exactly(2),
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    ..Meta::NEW
};

const EVENT: Arg = Arg::new("event", ArgKind::String);

/// LATENCY DOCTOR.
pub const DOCTOR: Spec<AdminHandler> = Spec {
    meta: Meta { name: "doctor", summary: "Returns a report on what took too long, with advice.", ..BASE },
    handler: doctor,
};

/// LATENCY GRAPH.
pub const GRAPH: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "graph",
        arity: Arity::Exactly(3),
        summary: "Draws the samples of an event.",
        args: &[EVENT],
        ..BASE
    },
    handler: graph,
};

/// LATENCY HELP.
pub const HELP: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "help",
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Returns what the subcommands do.",
        tips: &[],
        ..BASE
    },
    handler: super::help_handler!("latency"),
};

/// LATENCY HISTOGRAM.
pub const HISTOGRAM: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "histogram",
        since: "7.0.0",
        arity: Arity::AtLeast(2),
        summary: "Returns how long the calls of commands took, as cumulative distributions.",
        complexity: "O(N) in the number of commands with figures.",
        args: &[Arg::new("COMMAND", ArgKind::String).optional().multiple()],
        ..BASE
    },
    handler: histogram,
};

/// LATENCY HISTORY.
pub const HISTORY: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "history",
        arity: Arity::Exactly(3),
        summary: "Returns the samples of an event.",
        args: &[EVENT],
        ..BASE
    },
    handler: history,
};

/// LATENCY LATEST.
pub const LATEST: Spec<AdminHandler> = Spec {
    meta: Meta { name: "latest", summary: "Returns the newest sample of each event.", ..BASE },
    handler: latest,
};

/// LATENCY RESET.
pub const RESET: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "reset",
        arity: Arity::AtLeast(2),
        summary: "Forgets the samples of some events, or of all.",
        tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
        args: &[Arg::new("event", ArgKind::String).optional().multiple()],
        ..BASE
    },
    handler: reset,
};

fn doctor(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let engine = &turn.server.engine;
    let text = latency_text::report(&engine.latency, &engine.config, &engine.now);
    reply.verbatim("txt", text.as_bytes());
    Ok(Outcome::Done)
}

fn graph(turn: &mut Turn<'_>, _: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let engine = &turn.server.engine;
    let Some((name, series)) = engine.latency.event(args.get(2)) else {
        let name = String::from_utf8_lossy(args.get(2));
        return Err(CommandError::err(format!("No samples available for event '{name}'")).into());
    };
    let text = latency_text::graph(name, series, engine.now.wall_us.div_euclid(1_000_000));
    reply.verbatim("txt", text.as_bytes());
    Ok(Outcome::Done)
}

fn history(turn: &mut Turn<'_>, _: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let samples: Vec<_> =
        turn.server.engine.latency.event(args.get(2)).map(|(_, series)| series.samples().collect()).unwrap_or_default();
    reply.array(samples.len());
    for sample in samples {
        reply.array(2);
        reply.int(sample.at);
        reply.int(sample.ms as i64);
    }
    Ok(Outcome::Done)
}

fn latest(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let events = turn.server.engine.latency.events();
    reply.array(events.len());
    for (name, series) in events {
        let (at, ms) = series.latest().map_or((0, 0), |sample| (sample.at, sample.ms));
        reply.array(4);
        reply.bulk(name.as_bytes());
        reply.int(at);
        reply.int(ms as i64);
        reply.int(series.longest_ms as i64);
    }
    Ok(Outcome::Done)
}

fn reset(turn: &mut Turn<'_>, _: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let latency = &mut turn.server.engine.latency;
    let forgotten = match args.len() {
        2 => latency.reset(None),
        _ => args.from(2).map(|name| latency.reset(Some(name))).sum(),
    };
    reply.int(forgotten as i64);
    Ok(Outcome::Done)
}

fn histogram(turn: &mut Turn<'_>, _: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let (catalog, stats) = (turn.server.table.catalog(), &turn.server.engine.command_stats);
    let chosen: Vec<&Command> = match args.len() {
        2 => catalog.all().collect(),
        // A container stands for its subcommands. Names that are none are passed over.
        _ => args
            .from(2)
            .filter_map(|name| catalog.by_full_name(name))
            .flat_map(|named| {
                catalog.all().filter(move |command| {
                    command.id == named.id || command.meta.container.eq_ignore_ascii_case(named.meta.name)
                })
            })
            .collect(),
    };
    let rows: Vec<_> = chosen
        .into_iter()
        .map(|command| (command, stats.get(command.id)))
        .filter(|(_, figures)| figures.percentile(0.0).is_some())
        .collect();
    reply.map(rows.len());
    for (command, figures) in rows {
        reply.bulk(command.full_name.as_bytes());
        distribution(figures, &mut reply);
    }
    Ok(Outcome::Done)
}

fn distribution(figures: &CommandFigures, reply: &mut Reply<'_>) {
    let rows = figures.distribution();
    reply.map(2);
    reply.bulk(b"calls");
    reply.int(rows.last().map_or(0, |(_, calls)| *calls) as i64);
    reply.bulk(b"histogram_usec");
    reply.map(rows.len());
    for (usec, calls) in rows {
        reply.int(usec as i64);
        reply.int(calls as i64);
    }
}
