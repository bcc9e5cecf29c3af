//! CONFIG GET, SET, RESETSTAT, REWRITE: settings at run time.
//!
//! Reply:   GET: map of names and values; the others: OK.
//! Errors:  SET is all or nothing and names the argument that was refused; REWRITE without a config file is refused.
//! Source:  redis.io/commands/config-set, since 2.0.0; several names since 7.0.0.
//!
//! Setting a directive that is not in effect is logged by name: it is kept and shown, and does nothing.

use std::path::Path;

use crate::base::alloc;
use crate::base::files::RealFiles;
use crate::base::rng::Rng;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::config::access::{self, Rights};
use crate::config::rewrite::{self, Defaults, Extra, ExtraLine};
use crate::config::table;
use crate::config::values::Allowed;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::admin::AdminHandler;
use crate::server::{Turn, is_local};
use crate::session::Session;
use crate::spec::{Arg, ArgKind, Arity, Flags, Group, Meta, Spec};

/// The container.
pub const CONTAINER: Meta = Meta {
    name: "config",
    group: Group::Server,
    since: "2.0.0",
    arity: Arity::AtLeast(2),
    summary: "A container for server configuration commands.",
    complexity: "Depends on the subcommand.",
    ..Meta::NEW
};

const BASE: Meta = Meta {
    container: "config",
    group: Group::Server,
    since: "2.0.0",
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    ..Meta::NEW
};

/// CONFIG GET.
pub const GET: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "get",
        arity: Arity::AtLeast(3),
        summary: "Returns settings whose names match patterns.",
        complexity: "O(N) in the number of settings.",
        history: &[("7.0.0", "Takes several patterns.")],
        args: &[Arg::new("parameter", ArgKind::String).multiple()],
        ..BASE
    },
    handler: get,
};

/// CONFIG SET.
pub const SET: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "set",
        arity: Arity::AtLeast(4),
        summary: "Changes settings, all or none.",
        complexity: "O(N) in the number of settings given.",
        history: &[("7.0.0", "Takes several settings.")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        args: &[Arg::block("data", &[Arg::new("parameter", ArgKind::String), Arg::new("value", ArgKind::String)])
            .multiple()],
        ..BASE
    },
    handler: set,
};

/// CONFIG RESETSTAT.
pub const RESETSTAT: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "resetstat",
        arity: Arity::Exactly(2),
        summary: "Sets the counters that INFO shows to zero.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..BASE
    },
    handler: resetstat,
};

/// CONFIG REWRITE.
pub const REWRITE: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "rewrite",
        since: "2.8.0",
        arity: Arity::Exactly(2),
        summary: "Brings the config file up to date with the present settings.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..BASE
    },
    handler: rewrite_command,
};

/// CONFIG HELP.
pub const HELP: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "help",
        since: "5.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Lists the subcommands.",
        ..BASE
    },
    handler: super::help_handler!("config"),
};

fn get(turn: &mut Turn<'_>, _: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let patterns: Vec<&[u8]> = args.from(2).collect();
    let found = access::get(&turn.server.engine.config, &patterns);
    reply.map(found.len());
    for (name, value) in &found {
        reply.bulk(name);
        reply.bulk(value);
    }
    Ok(Outcome::Done)
}

fn set(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let pairs: Vec<&[u8]> = args.from(2).collect();
    let engine = &turn.server.engine;
    let rights = Rights {
        may_change_protected: match engine.config.security.enable_protected_configs {
            Allowed::Yes => true,
            Allowed::Local => is_local(session),
            Allowed::No => false,
        },
        is_loading: engine.facts.is_loading || engine.facts.is_loading_async,
    };
    let before = engine.config.clone();
    let refused = |error: access::SetError| CommandError::text(error.to_string());
    let change = access::prepare(&before, &pairs, rights).map_err(refused)?;
    let after = change.carry_out(&before, |effect, from, to| turn.apply(effect, from, to)).map_err(refused)?;
    turn.server.engine.config = after;
    turn.settings_changed();
    for name in pairs.iter().step_by(2) {
        if let Some(directive) = table::find(name)
            && let Some(excuse) = directive.effect.excuse()
        {
            tracing::warn!("CONFIG SET {}: without effect, {excuse}.", directive.name);
        }
    }
    reply.ok();
    Ok(Outcome::Done)
}

fn resetstat(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    turn.net.reset_stats();
    let server = &mut *turn.server;
    server.engine.counters.reset();
    server.engine.command_stats.reset();
    server.engine.shortage.reset();
    server.engine.acl.denials = Default::default();
    server.engine.keyspace.reset_stats();
    server.repl.node.reset_counters();
    server.expire.reset();
    server.loop_times.reset();
    alloc::reset_peak();
    reply.ok();
    Ok(Outcome::Done)
}

fn rewrite_command(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, reply: Reply<'_>) -> CommandResult {
    rewrite_file(turn, Defaults::LeftOut, reply)
}

/// CONFIG REWRITE, and what tests want of it: the file with all settings.
pub fn rewrite_file(turn: &mut Turn<'_>, defaults: Defaults, mut reply: Reply<'_>) -> CommandResult {
    let server = &mut *turn.server;
    if server.identity.config_file.is_empty() {
        return Err(CommandError::err("The server is running without a config file").into());
    }
    // With a file of their own, users have no place here.
    let lines = if server.engine.acl.file.is_some() { Vec::new() } else { server.engine.acl.lines() };
    let users = lines.iter().map(|line| ExtraLine {
        key: "user".to_owned(),
        text: String::from_utf8_lossy(line).into_owned(),
        is_new_line_wanted: true,
    });
    let extra = Extra { keys: ["user".to_owned()].into(), lines: users.collect() };
    let mut rng = Rng::seeded(server.engine.rng.next_u64());
    let path = Path::new(&server.identity.config_file);
    match rewrite::replace_file(&RealFiles, path, &server.engine.config, &extra, defaults, &mut rng) {
        Ok(()) => {
            tracing::warn!("CONFIG REWRITE executed with success.");
            reply.ok();
            Ok(Outcome::Done)
        }
        Err(error) => {
            let text = crate::net::error_text(&error);
            tracing::warn!("CONFIG REWRITE failed: {text}");
            Err(CommandError::err(format!("Rewriting config file: {text}")).into())
        }
    }
}
