//! What follows from a command, once for all commands, in a fixed order: watched keys, keys that clients wait for,
//! notifications, the journal.
//!
//! The order is part of what clients can observe: a subscriber to keyspace events that also replicates must never see an
//! event before the change is in the stream of the same turn, and a key found expired leaves the stream before the
//! command that found it.

use crate::commands::contract::Outcome;
use crate::config::values::EventClasses;
use crate::exec::notify::notification;
use crate::exec::scripts::Listeners;
use crate::exec::watch::note_change;
use crate::exec::{Engine, Host, tracking};
use crate::keyspace::{Change, Effect, Event};
use crate::resp::args::{Args, OwnedArgs};
use crate::session::Session;

/// Everything that follows from a command of `session`. `outcome` is `None` when it failed.
pub fn consequences<H: Host>(
    host: &mut H,
    session: &mut Session,
    db: usize,
    args: &Args<'_>,
    outcome: Option<Outcome>,
    dirty_before: u64,
) {
    let engine = host.engine();
    let has_changes = !engine.keyspace.changes().is_empty();
    if has_changes {
        observed_changes(host, Some(session));
    }
    let engine = host.engine();
    let is_dirty = engine.keyspace.changes().dirty() != dirty_before;
    if is_dirty {
        engine.dirty_since_save += engine.keyspace.changes().dirty() - dirty_before;
    }
    if !engine.journal.is_on() || engine.scripts.listeners == Listeners::Nobody {
        return;
    }
    match outcome {
        Some(Outcome::Forced) => record(engine, db, args),
        Some(Outcome::ForReplicas) if engine.scripts.listeners == Listeners::File => {}
        Some(Outcome::ForReplicas) => engine.journal.append_for_replicas(db, args),
        Some(Outcome::Done) if is_dirty => record(engine, db, args),
        Some(Outcome::PropagateAs(rewritten)) if is_dirty => record(engine, db, &rewritten.as_args()),
        Some(Outcome::PropagateEach(all)) if is_dirty => {
            all.0.iter().for_each(|rewritten| record(engine, db, &rewritten.as_args()));
        }
        _ => {}
    }
}

#[inline]
fn record(engine: &mut Engine, db: usize, args: &Args<'_>) {
    match engine.scripts.listeners {
        Listeners::All => engine.journal.append(db, args),
        Listeners::Replicas => engine.journal.append_for_replicas(db, args),
        Listeners::File => engine.journal.append_for_file(db, args),
        Listeners::Nobody => {}
    }
}

/// What follows from changes that no command made: active expiry, eviction. Entries are bare, never wrapped. `caller` is the
/// client whose command is about to run, if any: what it is told waits in its `pending_pushes`.
pub fn background_changes<H: Host>(host: &mut H, caller: Option<&mut Session>) {
    if host.engine().keyspace.changes().is_empty() {
        return;
    }
    host.engine().journal.bare_unit();
    observed_changes(host, caller);
    host.engine().journal.close_unit();
}

/// Marks watchers, notes what may serve waiting clients, publishes notifications, and puts keys and fields that expired, and
/// keys evicted, into the journal.
fn observed_changes<H: Host>(host: &mut H, mut caller: Option<&mut Session>) {
    let mut log = std::mem::take(host.engine().keyspace.changes_mut());
    for change in log.iter() {
        if !matches!(change.effect, Effect::Note | Effect::Inside) && !host.engine().watch.is_empty() {
            touch(host, &change, caller.as_deref_mut());
        }
        if !matches!(change.effect, Effect::Note | Effect::Inside) && host.engine().tracking.is_active() {
            // A key that went by itself was taken by nobody.
            let by_itself = matches!(change.effect, Effect::Expired | Effect::Evicted);
            tracking::key_changed(host, change.key, caller.as_deref_mut(), by_itself);
        }
        if !host.engine().blocked.is_empty() {
            host.engine().blocked.note(&change);
        }
        if change.effect == Effect::Created {
            notify(host, &Change { event: Event::NEW, ..change }, caller.as_deref_mut());
        }
        notify(host, &change, caller.as_deref_mut());
        let engine = host.engine();
        match change.effect {
            Effect::Expired => propagate_removal(engine, &change, engine.config.memory.lazyfree_lazy_expire),
            Effect::FieldExpired if !engine.facts.is_replica => {
                let words = OwnedArgs::of(&[b"HDEL", change.key, change.field]);
                engine.journal.append(change.db as usize, &words.as_args());
            }
            Effect::Evicted => propagate_removal(engine, &change, engine.config.memory.lazyfree_lazy_eviction),
            _ => {}
        }
    }
    log.clear();
    *host.engine().keyspace.changes_mut() = log;
}

fn propagate_removal(engine: &mut Engine, change: &Change<'_>, is_lazy: bool) {
    if engine.facts.is_replica {
        return;
    }
    let word: &[u8] = if is_lazy { b"UNLINK" } else { b"DEL" };
    engine.journal.append(change.db as usize, &OwnedArgs::of(&[word, change.key]).as_args());
}

fn touch<H: Host>(host: &mut H, change: &Change<'_>, mut caller: Option<&mut Session>) {
    let db = change.db as usize;
    let is_gone = matches!(change.effect, Effect::Removed | Effect::Expired | Effect::Evicted);
    let watchers = host.engine().watch.watchers(db, change.key).to_vec();
    for client in watchers {
        match caller.as_deref_mut() {
            Some(session) if session.id == client => note_change(session, db, change.key, is_gone),
            _ => host.watched_changed(client, db, change.key, is_gone),
        }
    }
}

fn notify<H: Host>(host: &mut H, change: &Change<'_>, mut caller: Option<&mut Session>) {
    let events = host.engine().config.keyspace.notify_keyspace_events;
    let Some(class) = change.event.class.letter().and_then(|letter| EventClasses::parse(&[letter])) else { return };
    if !events.contains(class) {
        return;
    }
    let has_keyspace = events.contains(EventClasses::KEYSPACE);
    let has_keyevent = events.contains(EventClasses::KEYEVENT);
    let message = notification(change.db as usize, change.key, change.event.name, has_keyspace, has_keyevent);
    for (channel, payload) in [message.keyspace, message.keyevent].into_iter().flatten() {
        publish(host, &channel, &payload, caller.as_deref_mut());
    }
}

/// Publishes on behalf of the server. The caller's own copy follows its reply.
fn publish<H: Host>(host: &mut H, channel: &[u8], payload: &[u8], mut caller: Option<&mut Session>) {
    host.with_peers(|engine, peers| {
        engine.pubsub.publish(channel, payload, &mut |client, message| match caller.as_deref_mut() {
            Some(session) if session.id == client => {
                session.pending_pushes.push(message.encoded(session.push_proto()).clone())
            }
            _ => peers.deliver(client, message),
        });
    });
}
