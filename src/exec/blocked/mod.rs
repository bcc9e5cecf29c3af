//! Blocking commands: BLPOP and its relatives, XREAD BLOCK.
//!
//! # One path
//!
//! A blocking command that finds nothing answers nothing and says what it waits for ([`Outcome::Block`]). When one of its keys
//! changes, it is *run again*, admission included, with the words it came with. It then finds something, answers and
//! leaves its consequences like any command, or it fails, or it finds nothing once more and goes on waiting: in its old place and
//! with its old deadline. So there is no second way to serve a client, and whatever made the key ready (LPUSH, RENAME,
//! RESTORE, SWAPDB, the stream of our master) does not know that anybody waits.
//!
//! ```text
//!    call: found nothing ──► waiting ──► a key is ready ──► run again ──► answered
//!                               ▲                              │
//!                               └────── found nothing ─────────┘
//!    waiting ──► deadline: null    CLIENT UNBLOCK: null or an error    role change: an error    disconnected
//! ```
//!
//! # When
//!
//! Changes are read from the change log, command by command (`after.rs`), and only noted. Clients are served at the end of the
//! unit: after the command, the whole EXEC or the whole script. What a unit pushed and popped again was never there for
//! them. Each is served as a unit of its own, before anything else of other clients runs. A key that becomes ready by that
//! (BLMOVE into a list for which somebody waits) is served in the same round, after those that were ready before it.
//!
//! Clients that wait for the same key are served in the order in which they came. A client that waits for several keys is
//! served from the first of them, in its own order, that has something: running it again looks at all.
//!
//! # What it does not do
//!
//! Inside MULTI and in scripts nothing blocks; the handler is told ([`DataCtx::may_block`](crate::commands::contract::DataCtx)),
//! and behaves as if its time were over. The streams of masters and files do not block either.
//!
//! Counted and logged is the command as a whole, once, when it ends; MONITOR shows it once, when it begins.

mod registry;

pub use registry::{Begun, BlockedClients, Waiting};

use crate::base::id::ClientId;
use crate::commands::contract::Blocking;
use crate::data::TypeName;
use crate::exec::{Engine, Handler, Host, admit, call, describe, reject, release_own_pushes, reply};
use crate::keyspace::{Access, AnyValue, ExpiredKeys};
use crate::resp::args::{Args, OwnedArgs};
use crate::resp::out::Out;
use crate::session::Session;
use crate::spec::{Command, Table};

/// What a client is told when CLIENT UNBLOCK … ERROR ends its command.
pub const UNBLOCKED_BY_CLIENT: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

/// How waiting ends without being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The time is over: null.
    TimedOut,
    /// With this error.
    Failed(&'static str),
}

/// The client whose command found nothing waits from now on. `spent_us` were spent on the command.
pub fn begin<H: Host>(
    host: &mut H,
    session: &mut Session,
    db: usize,
    command: &Command,
    args: &Args<'_>,
    mut what: Blocking,
    spent_us: u64,
) {
    let args = what.again.take().unwrap_or_else(|| OwnedArgs::copy_of(args));
    let engine = host.engine();
    let begun = Begun { db: db as u32, command: command.id, args, spent_us };
    engine.blocked.add(session.id, begun, what, engine.now.mono);
    engine.refresh_observers();
    session.marks.is_blocked = true;
    host.blocked(session.id);
}

/// Serves everybody whose keys are ready, between units: nobody while a script lets others be served because it takes so long.
pub fn serve<H: Host>(host: &mut H, table: &Table<Handler<H::Admin>>) {
    if host.engine().depth > 0 {
        return;
    }
    // The unit may have been a long one, and what it made may be over already.
    host.read_clock();
    while let Some(key) = host.engine().blocked.pop_ready() {
        // Who comes while we are at it, or waits again, is not served twice for the same change.
        let Some(last) = host.engine().blocked.last_place(&key) else { continue };
        let mut place = 0;
        while let Some((next, client)) = host.engine().blocked.next_between(&key, place, last) {
            place = next;
            let present = host.engine().type_at(key.0, &key.1);
            if host.engine().blocked.wants(client, present) {
                run_again(host, table, client);
            } else if present.is_none() && !host.engine().blocked.is_loss_wanted(&key) {
                break;
            }
        }
    }
}

impl Engine {
    /// The type of a key, if it is there for clients. This does not count as a use.
    fn type_at(&mut self, db: u32, key: &[u8]) -> Option<TypeName> {
        let access = Access { now: self.now.wall(), expired: ExpiredKeys::Hide, touch: false };
        self.keyspace.db(db, access).peek::<AnyValue>(key).ok()?.map(|value| value.type_name())
    }
}

fn run_again<H: Host>(host: &mut H, table: &Table<Handler<H::Admin>>, client: ClientId) {
    let Some(waiting) = host.engine().blocked.take(client) else { return };
    host.with_client(client, |host, session, out| try_again(host, table, session, waiting, out));
    host.engine().refresh_observers();
}

fn try_again<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &mut Session,
    mut waiting: Waiting,
    out: &mut Out,
) {
    let command = table.catalog().get(waiting.begun.command);
    let args = waiting.begun.args.as_args();
    let caller = describe(host.engine(), session, false);
    // Rights and roles may have changed in the meantime.
    if let Err(text) = admit(host, table, session, command, &args, &caller) {
        reject(host, session, Some(command), &text, out);
        return finish(host, session, out);
    }
    if host.is_held_back(session, command, command.flags, &caller) {
        host.engine().blocked.hold(&waiting);
        return host.engine().blocked.put_back(session.id, waiting);
    }
    let spent_us = call::call_again(host, table, session, command, &args, waiting.begun.spent_us, out);
    host.engine().end_unit();
    match spent_us {
        None => finish(host, session, out),
        Some(spent_us) => {
            waiting.begun.spent_us = spent_us;
            host.engine().blocked.put_back(session.id, waiting);
        }
    }
}

/// Ends the waiting of a client without serving it. Nothing happens when it does not wait for keys.
pub fn end<H: Host>(host: &mut H, table: &Table<Handler<H::Admin>>, client: ClientId, end: End) {
    let Some(Waiting { begun, .. }) = host.engine().blocked.take(client) else { return };
    host.with_client(client, |host, session, out| {
        match end {
            End::TimedOut => reply(session, out).null_array(),
            End::Failed(text) => {
                host.engine().command_stats.error(text);
                reply(session, out).error(text);
            }
        }
        let command = table.catalog().get(begun.command);
        call::account(host.engine(), session, command, &begun.args.as_args(), begun.spent_us, end != End::TimedOut);
        finish(host, session, out);
    });
    host.engine().refresh_observers();
}

/// Ends the waiting of everybody whose time is over.
pub fn time_out<H: Host>(host: &mut H, table: &Table<Handler<H::Admin>>) {
    let now = host.engine().now.mono;
    while let Some(client) = host.engine().blocked.overdue(now) {
        end(host, table, client, End::TimedOut);
    }
}

/// The command is over.
fn finish<H: Host>(host: &mut H, session: &mut Session, out: &mut Out) {
    session.marks.is_blocked = false;
    session.command_ended();
    release_own_pushes(session, out);
    host.unblocked(session.id);
}
