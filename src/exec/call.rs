//! Running one admitted command: timing, MONITOR, the handler, and then what follows.

use crate::commands::contract::{Blocking, CommandError, DataCtx, Outcome};
use crate::exec::flow::Flow;
use crate::exec::scripts::Listeners;
use crate::exec::{Engine, Handler, Host, after, blocked, flow, reply, tracking};
use crate::resp::args::{Args, OwnedArgs};
use crate::resp::out::Out;
use crate::session::redact::redacted;
use crate::session::{Kind, Session, SessionCtx, SessionOutcome};
use crate::spec::keys::keys_of;
use crate::spec::{Command, Flags, Table};

/// Runs a command whose admission was decided.
#[inline]
pub fn call<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &mut Session,
    command: &Command,
    args: &Args<'_>,
    out: &mut Out,
) {
    let db = session.db;
    if let Some((blocking, spent_us)) = attempt(host, table, session, command, args, out, None) {
        blocked::begin(host, session, db, command, args, *blocking, spent_us);
    }
}

/// Runs a command again that found nothing before, and on which `spent_us` microseconds were spent. Gives what was spent by
/// now if it has found nothing this time either.
pub fn call_again<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &mut Session,
    command: &Command,
    args: &Args<'_>,
    spent_us: u64,
    out: &mut Out,
) -> Option<u64> {
    host.lap();
    attempt(host, table, session, command, args, out, Some(spent_us)).map(|(_, spent_us)| spent_us)
}

/// What the command waits for, and the microseconds spent on it so far, when it has found nothing.
fn attempt<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &mut Session,
    command: &Command,
    args: &Args<'_>,
    out: &mut Out,
    spent_before_us: Option<u64>,
) -> Option<(Box<Blocking>, u64)> {
    let dirty_before = host.engine().keyspace.changes().dirty();
    let db_before = session.db;
    if matches!(table.handler(command), Handler::Flow(Flow::Eval(_) | Flow::Fcall { .. })) {
        // A script is shown before the commands that it calls.
        feed_monitors(host, session, command, args);
    }
    // What a transaction or a script calls reads the clock as well.
    let flow_began_us = matches!(table.handler(command), Handler::Flow(_)).then(|| host.clock_us());
    let result = match table.handler(command) {
        Handler::Data(handler) => {
            let engine = host.engine();
            let access = engine.access(session);
            let mut ctx = DataCtx {
                db: engine.keyspace.db(session.db as u32, access),
                reply: reply(session, out),
                now: engine.now,
                rng: &mut engine.rng,
                settings: &engine.settings,
                is_propagated: engine.journal.is_on() && engine.scripts.listeners != Listeners::Nobody,
                is_scripted: engine.scripts.running.is_some(),
                may_read_all_keys: !command.flags.has(Flags::MOVABLEKEYS)
                    || session.user.is_none_or(|user| engine.acl.may_read_all_keys(user, command, args)),
                may_block: engine.depth == 0 && matches!(session.kind, Kind::Client | Kind::Monitor),
            };
            let result = handler(&mut ctx, args);
            if command.flags.has(Flags::READONLY)
                && session.tracking.as_ref().is_some_and(|tracking| tracking.remembers_reads())
                && let Ok(keys) = keys_of(command.meta, args)
            {
                let keys = keys.iter().map(|key| args.get(key.index));
                tracking::remember_reads(&mut engine.tracking, session, keys);
            }
            result
        }
        Handler::Session(handler) => host.with_peers(|engine, peers| {
            let mut ctx = SessionCtx {
                reply: reply(session, out),
                session,
                peers,
                acl: &mut engine.acl,
                pubsub: &mut engine.pubsub,
                catalog: table.catalog(),
                program: &engine.program,
                now: engine.now,
                rng: &mut engine.rng,
            };
            match handler(&mut ctx, args) {
                Ok(SessionOutcome::Done) => Ok(Outcome::Done),
                Ok(SessionOutcome::ToReplicas) => Ok(Outcome::ForReplicas),
                Ok(SessionOutcome::Reset) => {
                    flow::multi::forget_watches(engine, session);
                    tracking::disable(engine, session);
                    Ok(Outcome::Done)
                }
                Err(error) => Err(CommandError::text(error.to_string()).into()),
            }
        }),
        Handler::Flow(flow) => flow::run(host, table, *flow, session, args, out),
        Handler::Admin(handler) => {
            let reply = reply(session, out);
            host.admin(*handler, session, args, reply)
        }
    };
    let lap = host.lap();
    let elapsed = flow_began_us.map_or(lap, |began| host.clock_us().saturating_sub(began));
    let elapsed = elapsed + spent_before_us.unwrap_or_default();
    let mut blocking = None;
    let outcome = match result {
        Ok(Outcome::Block(mut found)) => {
            // What happened all the same happens now; counted and logged is the command when it ends.
            let entries = std::mem::take(&mut found.told);
            blocking = Some((found, elapsed));
            Some(Outcome::propagate_each(entries))
        }
        Ok(outcome) => {
            account(host.engine(), session, command, args, elapsed, false);
            Some(outcome)
        }
        Err(error) if *error == CommandError::Replied => {
            account(host.engine(), session, command, args, elapsed, true);
            None
        }
        Err(error) => {
            let (engine, text) = (host.engine(), error.to_string());
            account(engine, session, command, args, elapsed, true);
            engine.command_stats.error(&text);
            reply(session, out).error(&text);
            None
        }
    };
    if spent_before_us.is_none() && !command.flags.has(Flags::SKIP_MONITOR.and(Flags::ADMIN)) {
        feed_monitors(host, session, command, args);
    }
    if matches!(table.handler(command), Handler::Flow(_)) {
        // What an EXEC changed, its commands changed: each has had its consequences. What FUNCTION changed is its own.
        if matches!(outcome, Some(Outcome::Forced)) {
            host.engine().keyspace.changes_mut().add_dirty(1);
            after::consequences(host, session, db_before, args, outcome, dirty_before);
        }
        return None;
    }
    if command.flags.has(Flags::TOUCHES_ARBITRARY_KEYS) && host.engine().depth == 0 {
        // SCAN may meet any number of keys whose time is over; they have nothing to do with each other.
        host.engine().journal.bare_unit();
    }
    after::consequences(host, session, db_before, args, outcome, dirty_before);
    blocking
}

fn feed_monitors<H: Host>(host: &mut H, session: &Session, command: &Command, args: &Args<'_>) {
    if !host.engine().monitors.is_empty() {
        let redacted = redacted(command, args);
        host.feed_monitors(session, &redacted.as_ref().map_or(*args, OwnedArgs::as_args));
    }
}

/// Counts a command that is over, and logs it when it was slow. Others must not see passwords.
pub fn account(
    engine: &mut Engine,
    session: &Session,
    command: &Command,
    args: &Args<'_>,
    elapsed_us: u64,
    is_failed: bool,
) {
    engine.counters.total_commands_processed += 1;
    if engine.depth == 0 {
        engine.counters.eventloop_duration_cmd_sum += elapsed_us;
    }
    engine.command_stats.called(command.id, elapsed_us);
    if is_failed {
        engine.command_stats.failed(command.id);
    }
    let event = if command.flags.has(Flags::FAST) { "fast-command" } else { "command" };
    engine.latency.note(event, elapsed_us, &engine.now);
    if engine.slowlog.is_slow(elapsed_us) && !command.flags.has(Flags::SKIP_SLOWLOG) {
        let redacted = redacted(command, args);
        let shown = redacted.as_ref().map_or(*args, OwnedArgs::as_args);
        engine.slowlog.consider(shown.iter(), elapsed_us, engine.now, &session.addr, session.name.as_deref());
    }
}
