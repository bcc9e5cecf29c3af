//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! EXEC runs its queue as one unit: the commands are admitted once, as a whole, and then called one after the other; the
//! journal puts MULTI and EXEC around what they leave when that is more than one entry. A transaction that was spoilt
//! while it was queued (an unknown command, a refused one) answers EXECABORT; one whose watched keys changed answers
//! null. A command that fails while the queue runs is an error in its place of the answer and stops nothing.

use crate::acl::Context;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::exec::{Engine, Handler, Host, acl_refusal, call, reply};
use crate::keyspace::{Access, ExpiredKeys};
use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::session::{Session, Transaction};
use crate::spec::{Command, Flags, Table};

/// MULTI: opens a transaction.
pub fn multi(session: &mut Session, out: &mut Out) -> CommandResult {
    if session.multi.is_some() {
        return Err(CommandError::err("MULTI calls can not be nested").into());
    }
    session.multi = Some(Box::<Transaction>::default());
    reply(session, out).ok();
    Ok(Outcome::Done)
}

/// Adds a command to the open transaction.
pub fn queue(session: &mut Session, command: &Command, flags: Flags, args: &Args<'_>) {
    let multi = session.multi.as_mut().expect("only called inside MULTI");
    multi.push(command, flags, args);
}

/// EXEC.
pub fn exec<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &mut Session,
    out: &mut Out,
) -> CommandResult {
    let Some(multi) = session.multi.take() else {
        return Err(CommandError::err("EXEC without MULTI").into());
    };
    let engine = host.engine();
    let is_broken = session.is_watch_broken || has_expired_watch(engine, session);
    forget_watches(engine, session);
    if multi.is_aborted {
        return Err(CommandError::text("EXECABORT Transaction discarded because of previous errors.").into());
    }
    if is_broken {
        reply(session, out).null_array();
        return Ok(Outcome::Done);
    }
    engine.depth += 1;
    reply(session, out).array(multi.queue.len());
    for queued in &multi.queue {
        let command = table.catalog().get(queued.command);
        let args = queued.args.as_args();
        // What a user may do can have been changed by a command of this very queue.
        let denied = acl_refusal(host, table, session, command, &args, Context::Multi);
        match denied {
            Some(text) => reply(session, out).error(&text),
            None => call::call(host, table, session, command, &args, out),
        }
    }
    host.engine().depth -= 1;
    Ok(Outcome::Done)
}

/// DISCARD.
pub fn discard_command(engine: &mut Engine, session: &mut Session, out: &mut Out) -> CommandResult {
    if session.multi.is_none() {
        return Err(CommandError::err("DISCARD without MULTI").into());
    }
    discard(engine, session);
    reply(session, out).ok();
    Ok(Outcome::Done)
}

/// Ends an open transaction without running it.
pub fn discard(engine: &mut Engine, session: &mut Session) {
    session.discard_multi();
    forget_watches(engine, session);
}

/// WATCH key…
pub fn watch(engine: &mut Engine, session: &mut Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    if session.multi.is_some() {
        return Err(CommandError::err("WATCH inside MULTI is not allowed").into());
    }
    // Once broken, more keys cannot make it whole; Redis does not add them either.
    if !session.is_watch_broken {
        for key in args.from(1) {
            let is_expired = is_logically_expired(engine, session.db, key);
            engine.watch.watch(session.id, &mut session.watched, session.db, key, is_expired);
        }
        engine.refresh_observers();
    }
    reply(session, out).ok();
    Ok(Outcome::Done)
}

/// UNWATCH.
pub fn unwatch(engine: &mut Engine, session: &mut Session, out: &mut Out) -> CommandResult {
    forget_watches(engine, session);
    reply(session, out).ok();
    Ok(Outcome::Done)
}

/// Forgets what the client watches, and that any of it changed.
pub fn forget_watches(engine: &mut Engine, session: &mut Session) {
    session.is_watch_broken = false;
    if !session.watched.is_empty() {
        engine.watch.unwatch_all(session.id, &mut session.watched);
        engine.refresh_observers();
    }
}

/// A watched key whose time has come since WATCH counts as changed, though nobody has deleted it yet.
fn has_expired_watch(engine: &mut Engine, session: &Session) -> bool {
    session.watched.iter().any(|watched| !watched.was_expired && is_logically_expired(engine, watched.db, &watched.key))
}

fn is_logically_expired(engine: &mut Engine, db: usize, key: &[u8]) -> bool {
    let now = engine.now.wall();
    let access = Access { now, expired: ExpiredKeys::Ignore, touch: false };
    matches!(engine.keyspace.db(db as u32, access).expiry(key), Some(Some(at)) if at < now)
}

/// Whether the queue of an open transaction contains a command with one of these flags.
pub fn queue_has(session: &Session, flags: Flags) -> bool {
    session.multi.as_ref().is_some_and(|multi| multi.any_flags.has(flags))
}
