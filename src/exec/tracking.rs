//! Client-side caching: who has read which keys, and who is told that one changed.
//!
//! A client that asked for it (CLIENT TRACKING) keeps answers, and must hear when they are no longer true. There are two ways:
//!
//! ```text
//!  reads      [TrackingTable] remembers for each key which clients have read it. A change of the key is told to them, once;
//!             then the key is forgotten until somebody reads it again.
//!  broadcast  nothing is remembered. Changed keys gather under the prefixes that clients named, and at the end of the
//!             turn each of these clients hears of all of them at once.
//! ```
//!
//! Keys are remembered without their database: a change in one invalidates the key of that name in all. That is what clients
//! expect, since the message has no database in it.
//!
//! # When a client hears
//!
//! Another client's change is told at once. What the client changed itself follows the reply of its own command (or EXEC, or
//! script), so that the message never stands inside a reply. A client of RESP3 hears a push; one of RESP2 can only redirect to
//! another connection, which hears a push too, or a message on `__redis__:invalidate` if it is a subscriber with RESP2.
//!
//! # Bounds
//!
//! `tracking-table-max-keys` bounds the number of keys. When there are more, keys chosen by chance are forgotten, and whoever
//! has read them is told as if they had changed. A client that leaves is not searched for: its number stays with the keys it
//! read until they change or go, and numbers are never given to another. When the last client stops tracking everything is
//! forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

use bytes::{BufMut, Bytes, BytesMut};
use hashbrown::{DefaultHashBuilder, HashTable};
use smallvec::SmallVec;

use crate::base::id::ClientId;
use crate::exec::{Engine, Host};
use crate::resp::reply::Proto;
use crate::session::Session;
use crate::session::tracking::{Mode, Tracking};

/// Where RESP2 subscribers hear what is redirected to them.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// Of so many keys too many, one command (and one tick of the recurring work) forgets this many.
const EFFORT: usize = 100;

/// One key and who has read it, in the order of their numbers.
struct Read {
    hash: u64,
    key: Box<[u8]>,
    clients: SmallVec<[ClientId; 2]>,
}

/// Changes under one prefix.
#[derive(Default)]
struct Prefix {
    clients: BTreeSet<ClientId>,
    /// Changed in this turn, and by whom last; nobody when it was no command.
    changed: BTreeMap<Box<[u8]>, Option<ClientId>>,
}

/// What is remembered for all clients.
#[derive(Default)]
pub struct TrackingTable {
    hasher: DefaultHashBuilder,
    /// Places in `reads`, by the hash of their key.
    places: HashTable<usize>,
    reads: Vec<Read>,
    items: u64,
    prefixes: BTreeMap<Bytes, Prefix>,
    clients: usize,
    has_broadcast: bool,
    /// How often in a row the table was found too large and could not be brought down.
    failures: usize,
}

impl TrackingTable {
    /// Whether a change may be of interest to somebody.
    pub fn is_active(&self) -> bool {
        self.clients > 0
    }

    /// Clients with tracking on (INFO's `tracking_clients`).
    pub fn clients(&self) -> usize {
        self.clients
    }

    /// Keys remembered.
    pub fn keys(&self) -> usize {
        self.reads.len()
    }

    /// Pairs of a key and a client.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Prefixes that somebody named.
    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    /// `client`, which did not track, does from now on.
    fn add_client(&mut self) {
        self.clients += 1;
    }

    /// `client` is to hear of changes under `prefix`.
    fn add_prefix(&mut self, client: ClientId, prefix: Bytes) {
        self.prefixes.entry(prefix).or_default().clients.insert(client);
    }

    /// A client that tracked does so no longer.
    fn remove_client(&mut self, client: ClientId, tracking: &Tracking) {
        for prefix in &tracking.prefixes {
            let Some(entry) = self.prefixes.get_mut(prefix) else { continue };
            entry.clients.remove(&client);
            if entry.clients.is_empty() {
                self.prefixes.remove(prefix);
            }
        }
        self.clients -= 1;
    }

    fn find(&self, key: &[u8]) -> (u64, Option<usize>) {
        let hash = self.hasher.hash_one(key);
        (hash, self.places.find(hash, |place| *self.reads[*place].key == *key).copied())
    }

    /// Remembers that `client` has read `key`.
    fn remember(&mut self, client: ClientId, key: &[u8]) {
        let (hash, found) = self.find(key);
        let Some(place) = found else {
            let place = self.reads.len();
            self.reads.push(Read { hash, key: key.into(), clients: SmallVec::from_slice(&[client]) });
            self.places.insert_unique(hash, place, |place| self.reads[*place].hash);
            self.items += 1;
            return;
        };
        let clients = &mut self.reads[place].clients;
        if let Err(at) = clients.binary_search(&client) {
            clients.insert(at, client);
            self.items += 1;
        }
    }

    /// Forgets `key`. Who has read it.
    fn take(&mut self, key: &[u8]) -> SmallVec<[ClientId; 2]> {
        match self.find(key) {
            (_, Some(place)) => self.take_at(place).1,
            _ => SmallVec::new(),
        }
    }

    fn take_at(&mut self, place: usize) -> (Box<[u8]>, SmallVec<[ClientId; 2]>) {
        let last = self.reads.len() - 1;
        let moved = self.reads[last].hash;
        if let Ok(found) = self.places.find_entry(self.reads[place].hash, |other| *other == place) {
            found.remove();
        }
        if place != last
            && let Some(other) = self.places.find_mut(moved, |other| *other == last)
        {
            *other = place;
        }
        let read = self.reads.swap_remove(place);
        self.items -= read.clients.len() as u64;
        (read.key, read.clients)
    }

    /// Notes a change of `key` for those who hear of all changes under a prefix of it.
    fn note_change(&mut self, key: &[u8], by: Option<ClientId>) {
        for (prefix, entry) in &mut self.prefixes {
            if key.starts_with(prefix) {
                entry.changed.insert(key.into(), by);
                self.has_broadcast = true;
            }
        }
    }

    /// Everything that was remembered, for its memory to be given back elsewhere. What gathered for broadcasts stays.
    fn take_reads(&mut self) -> impl Send + use<> {
        self.items = 0;
        (std::mem::take(&mut self.places), std::mem::take(&mut self.reads))
    }
}

/// Remembers the keys at these places of a command that `session` has just called and that only reads.
pub fn remember_reads<'a>(table: &mut TrackingTable, session: &Session, keys: impl Iterator<Item = &'a [u8]>) {
    keys.for_each(|key| table.remember(session.id, key));
}

/// CLIENT TRACKING ON: from now on, with these options; prefixes join those that were there.
pub fn enable<H: Host>(host: &mut H, session: &mut Session, mut tracking: Tracking) {
    let table = &mut host.engine().tracking;
    match &session.tracking {
        None => table.add_client(),
        Some(old) => {
            tracking.is_caching = old.is_caching;
            tracking.prefixes.extend(old.prefixes.iter().cloned());
        }
    }
    for prefix in &tracking.prefixes {
        table.add_prefix(session.id, prefix.clone());
    }
    tracking.prefixes.sort_unstable();
    tracking.prefixes.dedup();
    session.tracking = Some(Box::new(tracking));
    host.engine().refresh_observers();
}

/// CLIENT TRACKING OFF, RESET, the end of the connection.
pub fn disable(engine: &mut Engine, session: &mut Session) {
    let Some(tracking) = session.tracking.take() else { return };
    engine.tracking.remove_client(session.id, &tracking);
    if !engine.tracking.is_active() {
        forget_reads(engine);
    }
    engine.refresh_observers();
}

fn forget_reads(engine: &mut Engine) {
    let keys = engine.tracking.keys();
    if keys > 0 {
        let reads = engine.tracking.take_reads();
        engine.keyspace.free_elsewhere(keys as u64, reads);
    }
}

/// A key has changed, or is gone: whoever has read it is told. `caller` is the client whose command runs; it did it, unless
/// the key went `by_itself`.
pub fn key_changed<H: Host>(host: &mut H, key: &[u8], mut caller: Option<&mut Session>, by_itself: bool) {
    let by = caller.as_deref().map(|session| session.id).filter(|_| !by_itself);
    let table = &mut host.engine().tracking;
    if !table.prefixes.is_empty() {
        table.note_change(key, by);
    }
    if !table.reads.is_empty() {
        let clients = table.take(key);
        tell_readers(host, key, &clients, by, &mut caller);
    }
}

fn tell_readers<H: Host>(
    host: &mut H,
    key: &[u8],
    clients: &[ClientId],
    by: Option<ClientId>,
    caller: &mut Option<&mut Session>,
) {
    for client in clients {
        let is_own = by == Some(*client);
        tell(host, *client, caller, &What::Keys(&[key]), |tracking| {
            tracking.mode != Mode::Broadcast && !(is_own && tracking.is_noloop)
        });
    }
}

/// All keys of a database (or of all) are gone or others: clients are told to forget everything.
pub fn all_changed<H: Host>(host: &mut H, mut caller: Option<&mut Session>) {
    if !host.engine().tracking.is_active() {
        return;
    }
    for client in host.clients() {
        tell(host, client, &mut caller, &What::Everything, |_| true);
    }
    // The caller is not among the others while its command runs.
    if let Some(id) = caller.as_deref().map(|session| session.id) {
        tell(host, id, &mut caller, &What::Everything, |_| true);
    }
    forget_reads(host.engine());
}

/// Forgets keys while there are more than the settings allow; more of them, the longer this has been so. `caller` is the client
/// whose command is about to run.
#[inline]
pub fn keep_limit<H: Host>(host: &mut H, caller: Option<&mut Session>) {
    let engine = host.engine();
    let most = engine.config.clients.tracking_table_max_keys as usize;
    if engine.tracking.keys() <= most || most == 0 {
        engine.tracking.failures = 0;
        return;
    }
    shrink(host, most, caller);
}

#[cold]
fn shrink<H: Host>(host: &mut H, most: usize, mut caller: Option<&mut Session>) {
    let effort = EFFORT * (host.engine().tracking.failures + 1);
    for _ in 0..effort {
        let engine = host.engine();
        if engine.tracking.keys() <= most {
            engine.tracking.failures = 0;
            return;
        }
        let place = engine.rng.below(engine.tracking.keys() as u64) as usize;
        let (key, clients) = engine.tracking.take_at(place);
        tell_readers(host, &key, &clients, None, &mut caller);
    }
    let table = &mut host.engine().tracking;
    table.failures = if table.keys() <= most { 0 } else { table.failures + 1 };
}

/// Tells what gathered under the prefixes. To be called between turns, when no command runs.
pub fn broadcast<H: Host>(host: &mut H) {
    if !std::mem::take(&mut host.engine().tracking.has_broadcast) {
        return;
    }
    let prefixes = &mut host.engine().tracking.prefixes;
    let rounds: Vec<_> = prefixes
        .values_mut()
        .filter(|prefix| !prefix.changed.is_empty())
        .map(|prefix| (prefix.clients.clone(), std::mem::take(&mut prefix.changed)))
        .collect();
    for (clients, changed) in rounds {
        let all: Vec<&[u8]> = changed.keys().map(|key| &**key).collect();
        for client in clients {
            let own = Some(client);
            let others = || changed.iter().filter(|(_, by)| **by != own).map(|(key, _)| &**key).collect::<Vec<_>>();
            let mut is_noloop = false;
            host.push(client, |session| {
                is_noloop = session.tracking.as_ref().is_some_and(|tracking| tracking.is_noloop);
                None
            });
            let keys = if is_noloop { others() } else { all.clone() };
            if !keys.is_empty() {
                tell(host, client, &mut None, &What::Keys(&keys), |_| true);
            }
        }
    }
}

/// What is no longer true.
enum What<'a> {
    /// What is known of these keys.
    Keys(&'a [&'a [u8]]),
    /// All that is known.
    Everything,
}

/// Tells a client, or who it has named in its place, unless it does not track (any more) or does not `want` it.
fn tell<H: Host>(
    host: &mut H,
    client: ClientId,
    caller: &mut Option<&mut Session>,
    what: &What<'_>,
    wants: impl FnOnce(&Tracking) -> bool,
) {
    let mut redirect = None;
    let direct = |session: &mut Session| {
        let tracking = session.tracking.as_ref()?;
        if !wants(tracking) {
            return None;
        }
        redirect = tracking.redirect;
        (redirect.is_none() && session.push_proto() == Proto::Resp3).then(|| push(what))
    };
    send(host, client, caller, direct);
    let Some(target) = redirect else { return };
    let is_there = send(host, target, caller, |session| match session.push_proto() {
        Proto::Resp3 => Some(push(what)),
        Proto::Resp2 if session.is_subscriber() => Some(message(what)),
        Proto::Resp2 => None,
    });
    if !is_there {
        send(host, client, caller, |session| {
            session.tracking.as_mut()?.is_redirect_broken = true;
            (session.push_proto() == Proto::Resp3).then(|| redirect_broken(target))
        });
    }
}

/// Sends a client what `encode` makes for it: to the caller after its reply, to others at once. False when there is no such client.
fn send<H: Host>(
    host: &mut H,
    client: ClientId,
    caller: &mut Option<&mut Session>,
    encode: impl FnOnce(&mut Session) -> Option<Bytes>,
) -> bool {
    match caller.as_deref_mut() {
        Some(session) if session.id == client => {
            if let Some(bytes) = encode(session) {
                session.pending_pushes.push(bytes);
            }
            true
        }
        _ => host.push(client, encode),
    }
}

/// `>2 invalidate [key …]`.
fn push(what: &What<'_>) -> Bytes {
    let mut out = BytesMut::from(&b">2\r\n$10\r\ninvalidate\r\n"[..]);
    put(&mut out, what, Proto::Resp3);
    out.freeze()
}

/// `message __redis__:invalidate [key …]`.
fn message(what: &What<'_>) -> Bytes {
    let mut out = BytesMut::from(&b"*3\r\n$7\r\nmessage\r\n"[..]);
    put_bulk(&mut out, CHANNEL);
    put(&mut out, what, Proto::Resp2);
    out.freeze()
}

/// `>2 tracking-redir-broken id`.
fn redirect_broken(target: ClientId) -> Bytes {
    Bytes::from(format!(">2\r\n$21\r\ntracking-redir-broken\r\n:{target}\r\n"))
}

fn put(out: &mut BytesMut, what: &What<'_>, proto: Proto) {
    match (what, proto) {
        (What::Everything, Proto::Resp2) => out.put_slice(b"$-1\r\n"),
        (What::Everything, Proto::Resp3) => out.put_slice(b"_\r\n"),
        (What::Keys(keys), _) => {
            put_header(out, b'*', keys.len());
            keys.iter().for_each(|key| put_bulk(out, key));
        }
    }
}

fn put_bulk(out: &mut BytesMut, bytes: &[u8]) {
    put_header(out, b'$', bytes.len());
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

fn put_header(out: &mut BytesMut, kind: u8, n: usize) {
    out.put_u8(kind);
    out.put_slice(itoa::Buffer::new().format(n).as_bytes());
    out.put_slice(b"\r\n");
}
