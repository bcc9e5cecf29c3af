//! Running one admitted command: timing, MONITOR, the handler, and then what follows.

use crate::commands::contract::{DataCtx, Outcome};
use crate::exec::{Handler, Host, after, flow, reply};
use crate::resp::args::{Args, OwnedArgs};
use crate::resp::out::Out;
use crate::session::redact::redacted;
use crate::session::{Session, SessionCtx, SessionOutcome};
use crate::spec::{Command, Flags, Table};

/// Runs a command whose admission was decided.
pub fn call<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &mut Session,
    command: &Command,
    args: &Args<'_>,
    out: &mut Out,
) {
    let dirty_before = host.engine().keyspace.changes().dirty();
    let db_before = session.db;
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
                is_propagated: engine.journal.is_on() && !engine.facts.is_replica,
                may_block: false,
            };
            handler(&mut ctx, args).map_err(|error| error.to_string())
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
                Ok(SessionOutcome::ToReplicas) => Ok(Outcome::Forced),
                Ok(SessionOutcome::Reset) => {
                    flow::multi::forget_watches(engine, session);
                    Ok(Outcome::Done)
                }
                Err(error) => Err(error.to_string()),
            }
        }),
        Handler::Flow(flow) => flow::run(host, table, *flow, session, args, out).map_err(|error| error.to_string()),
        Handler::Admin(handler) => {
            let reply = reply(session, out);
            host.admin(*handler, session, args, reply).map_err(|error| error.to_string())
        }
    };
    let elapsed = host.lap();
    let engine = host.engine();
    engine.counters.total_commands_processed += 1;
    let outcome = match result {
        Ok(outcome) => {
            engine.command_stats.called(command.id, elapsed);
            Some(outcome)
        }
        Err(text) => {
            engine.command_stats.called(command.id, elapsed);
            engine.command_stats.failed(command.id);
            engine.command_stats.error(&text);
            reply(session, out).error(&text);
            None
        }
    };
    let is_for_slowlog = engine.slowlog.is_slow(elapsed) && !command.flags.has(Flags::SKIP_SLOWLOG);
    let is_for_monitors = !engine.monitors.is_empty() && !command.flags.has(Flags::SKIP_MONITOR.and(Flags::ADMIN));
    if is_for_slowlog || is_for_monitors {
        // Others must not see passwords.
        let redacted = redacted(command, args);
        let shown = redacted.as_ref().map_or(*args, OwnedArgs::as_args);
        if is_for_slowlog {
            engine.slowlog.consider(shown.iter(), elapsed, engine.now, &session.addr, session.name.as_deref());
        }
        if is_for_monitors {
            host.feed_monitors(session, &shown);
        }
    }
    if matches!(table.handler(command), Handler::Flow(_)) {
        // What an EXEC changed, its commands changed: each has had its consequences.
        return;
    }
    if command.flags.has(Flags::TOUCHES_ARBITRARY_KEYS) && host.engine().depth == 0 {
        // SCAN may meet any number of keys whose time is over; they have nothing to do with each other.
        host.engine().journal.bare_unit();
    }
    after::consequences(host, session, db_before, args, outcome, dirty_before);
}
