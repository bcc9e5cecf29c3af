//! FLUSHDB and FLUSHALL [ASYNC | SYNC]: remove every key of one database, or of all.
//!
//! Reply:   OK.
//! Errors:  a syntax error for any other word.
//! Source:  redis.io/commands/flushall, since 1.0.0; ASYNC since 4.0.0, SYNC since 6.2.0.
//!
//! Without a word `lazyfree-lazy-user-flush` decides. ASYNC gives the old tables to the background thread; SYNC frees
//! them here. A running snapshot keeps the old tables until it has written them. Replicas receive the command even when
//! there was nothing to remove. FLUSHALL also counts the flush as done for the save points: it saves at once when save
//! points exist, so that a restart does not bring the keys back.

use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::exec::tracking;
use crate::keyspace::FlushMode;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::Session;
use crate::spec::{Arg, Arity, Category, Flags, Group, Meta, Spec};

const MODE: Arg = Arg::one_of(
    "flush-type",
    &[Arg::token("async", "ASYNC").since("4.0.0"), Arg::token("sync", "SYNC").since("6.2.0")],
)
.optional();

const BASE: Meta = Meta {
    group: Group::Server,
    since: "1.0.0",
    arity: Arity::AtLeast(1),
    flags: Flags::WRITE,
    categories: Category::KEYSPACE.and(Category::DANGEROUS),
    complexity: "O(N) in the number of keys removed; O(1) with ASYNC.",
    history: &[("4.0.0", "Added the ASYNC option."), ("6.2.0", "Added the SYNC option.")],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    args: &[MODE],
    ..Meta::NEW
};

/// FLUSHALL.
pub const FLUSHALL: Spec<AdminHandler> = Spec {
    meta: Meta { name: "flushall", summary: "Removes every key of every database.", ..BASE },
    handler: flushall,
};

/// FLUSHDB.
pub const FLUSHDB: Spec<AdminHandler> = Spec {
    meta: Meta { name: "flushdb", summary: "Removes every key of the selected database.", ..BASE },
    handler: flushdb,
};

fn flushall(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let mode = mode(turn, args)?;
    turn.touch_watched_before_flush(session, None);
    let engine = &mut turn.server.engine;
    let dirty_before = engine.keyspace.changes().dirty();
    engine.keyspace.flush_all(mode);
    engine.blocked.note_all_databases();
    tracking::all_changed(turn, Some(session));
    reply.ok();
    turn.after_flushall(dirty_before);
    Ok(Outcome::Forced)
}

fn flushdb(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let mode = mode(turn, args)?;
    turn.touch_watched_before_flush(session, Some(session.db));
    let engine = &mut turn.server.engine;
    engine.keyspace.flush_db(session.db as u32, mode);
    engine.blocked.note_database(session.db as u32);
    tracking::all_changed(turn, Some(session));
    reply.ok();
    Ok(Outcome::Forced)
}

fn mode(turn: &Turn<'_>, args: &Args<'_>) -> Result<FlushMode, CommandError> {
    let is_lazy = match args.len() {
        1 => turn.server.engine.config.memory.lazyfree_lazy_user_flush,
        2 if args.is(1, "async") => true,
        2 if args.is(1, "sync") => false,
        _ => return Err(CommandError::Syntax),
    };
    Ok(if is_lazy { FlushMode::Async } else { FlushMode::Sync })
}
