//! Who waits for which keys, in which order they came, and which of these keys may have become ready.
//!
//! ```text
//! waiting    client → its keys, its place in the order of arrival, its deadline, the command to run again
//! queues     key    → the clients that wait for it, by their place
//! ready      keys that changed since, each once, oldest first
//! ```
//!
//! A client has one place for all its keys, and keeps it when its command finds nothing once more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use hashbrown::HashMap;

use crate::base::id::ClientId;
use crate::base::time::Instant;
use crate::commands::contract::Blocking;
use crate::data::TypeName;
use crate::keyspace::{Change, Effect, Event, EventClass};
use crate::resp::args::OwnedArgs;
use crate::spec::CommandId;

/// A command that has begun and not ended.
#[derive(Debug)]
pub struct Begun {
    /// Number of the database.
    pub db: u32,
    /// Which command.
    pub command: CommandId,
    /// Its words.
    pub args: OwnedArgs,
    /// Microseconds spent on it so far.
    pub spent_us: u64,
}

/// A client that waits.
#[derive(Debug)]
pub struct Waiting {
    /// Its command.
    pub begun: Begun,
    keys: Vec<Box<[u8]>>,
    wanted: TypeName,
    is_woken_by_loss: bool,
    deadline: Option<Instant>,
    place: u64,
}

/// The clients that wait for one key.
#[derive(Debug, Default)]
struct Queue {
    by_place: BTreeMap<u64, ClientId>,
    /// How many of them also want to know when the key goes away.
    woken_by_loss: usize,
    /// It is in the list of ready keys.
    is_ready: bool,
}

/// A key of a database.
pub type DbKey = (u32, Box<[u8]>);

/// All clients that wait for keys.
#[derive(Debug, Default)]
pub struct BlockedClients {
    waiting: HashMap<ClientId, Waiting>,
    queues: HashMap<u32, HashMap<Box<[u8]>, Queue>>,
    deadlines: BTreeSet<(Instant, ClientId)>,
    ready: VecDeque<DbKey>,
    /// Ready, but to be looked at only when the present pause is over.
    held: Vec<DbKey>,
    last_place: u64,
}

impl BlockedClients {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many clients have a deadline.
    pub fn with_deadline(&self) -> usize {
        self.deadlines.len()
    }

    /// For how many keys somebody waits, and for how many somebody also wants to know when they go away. O(keys).
    pub fn keys(&self) -> (usize, usize) {
        let queues = || self.queues.values().flat_map(HashMap::values);
        (queues().count(), queues().filter(|queue| queue.woken_by_loss > 0).count())
    }

    /// Everybody who waits, in the order in which they connected.
    pub fn clients(&self) -> Vec<ClientId> {
        let mut clients: Vec<ClientId> = self.waiting.keys().copied().collect();
        clients.sort();
        clients
    }

    /// The first moment at which somebody has waited long enough.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Somebody whose deadline has come.
    pub fn overdue(&self, now: Instant) -> Option<ClientId> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, client)| *client)
    }

    /// Puts a client at the end of the queues of its keys.
    pub fn add(&mut self, client: ClientId, begun: Begun, what: Blocking, now: Instant) {
        self.last_place += 1;
        let Blocking { mut keys, wanted, is_woken_by_loss, timeout_ms, .. } = what;
        keys.sort();
        keys.dedup();
        let (deadline, place) = (timeout_ms.map(|timeout| now + timeout), self.last_place);
        self.put_back(client, Waiting { begun, keys, wanted, is_woken_by_loss, deadline, place });
    }

    /// Puts a client that was [taken](BlockedClients::take) back in its place.
    pub fn put_back(&mut self, client: ClientId, waiting: Waiting) {
        let queues = self.queues.entry(waiting.begun.db).or_default();
        for key in &waiting.keys {
            let queue = queues.entry_ref(key).or_default();
            queue.by_place.insert(waiting.place, client);
            queue.woken_by_loss += usize::from(waiting.is_woken_by_loss);
        }
        if let Some(deadline) = waiting.deadline {
            self.deadlines.insert((deadline, client));
        }
        let earlier = self.waiting.insert(client, waiting);
        debug_assert!(earlier.is_none(), "{client} waits twice");
    }

    /// Takes a client out of all queues.
    pub fn take(&mut self, client: ClientId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&client)?;
        if let Some(queues) = self.queues.get_mut(&waiting.begun.db) {
            for key in &waiting.keys {
                let Some(queue) = queues.get_mut(key) else { continue };
                queue.by_place.remove(&waiting.place);
                queue.woken_by_loss -= usize::from(waiting.is_woken_by_loss);
                if queue.by_place.is_empty() {
                    queues.remove(key);
                }
            }
            if queues.is_empty() {
                self.queues.remove(&waiting.begun.db);
            }
        }
        if let Some(deadline) = waiting.deadline {
            self.deadlines.remove(&(deadline, client));
        }
        Some(waiting)
    }

    // ---- which keys are ready ---------------------------------------------------------------------------------------

    /// Whether some key may be ready.
    #[inline]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Looks whether a change concerns somebody.
    pub fn note(&mut self, change: &Change<'_>) {
        let is_loss = match change.effect {
            Effect::Note | Effect::FieldExpired => return,
            Effect::Written | Effect::Inside if gives_nothing(change.event) => return,
            Effect::Created | Effect::Written | Effect::Inside => false,
            Effect::Removed | Effect::Expired | Effect::Evicted => true,
        };
        let Some(queue) = self.queues.get_mut(&change.db).and_then(|queues| queues.get_mut(change.key)) else { return };
        if !queue.is_ready && (!is_loss || queue.woken_by_loss > 0) {
            queue.is_ready = true;
            self.ready.push_back((change.db, change.key.into()));
        }
    }

    /// Any key of this database may have changed: it was emptied, exchanged or loaded.
    pub fn note_database(&mut self, db: u32) {
        for (key, queue) in self.queues.get_mut(&db).into_iter().flatten() {
            if !std::mem::replace(&mut queue.is_ready, true) {
                self.ready.push_back((db, key.clone()));
            }
        }
    }

    /// The same for all databases.
    pub fn note_all_databases(&mut self) {
        let databases: Vec<u32> = self.queues.keys().copied().collect();
        databases.into_iter().for_each(|db| self.note_database(db));
    }

    /// The next ready key. From here on a change of it is news again.
    pub fn pop_ready(&mut self) -> Option<DbKey> {
        let (db, key) = self.ready.pop_front()?;
        if let Some(queue) = self.queues.get_mut(&db).and_then(|queues| queues.get_mut(&key)) {
            queue.is_ready = false;
        }
        Some((db, key))
    }

    /// The last place in the queue for a key.
    pub fn last_place(&self, key: &DbKey) -> Option<u64> {
        self.queue(key)?.by_place.last_key_value().map(|(place, _)| *place)
    }

    /// Who comes next in the queue for a key after a place, up to another.
    pub fn next_between(&self, key: &DbKey, after: u64, last: u64) -> Option<(u64, ClientId)> {
        let rest = (Bound::Excluded(after), Bound::Included(last));
        self.queue(key)?.by_place.range(rest).next().map(|(place, client)| (*place, *client))
    }

    /// Whether a client that waits can do something with a key that now holds this type.
    pub fn wants(&self, client: ClientId, present: Option<TypeName>) -> bool {
        let waiting = self.waiting.get(&client);
        waiting.is_some_and(|waiting| waiting.is_woken_by_loss || present == Some(waiting.wanted))
    }

    /// Whether somebody wants to know that a key went away.
    pub fn is_loss_wanted(&self, key: &DbKey) -> bool {
        self.queue(key).is_some_and(|queue| queue.woken_by_loss > 0)
    }

    fn queue(&self, (db, key): &DbKey) -> Option<&Queue> {
        self.queues.get(db)?.get(key)
    }

    // ---- pauses -----------------------------------------------------------------------------------------------------

    /// The keys of this client are to be looked at when the present pause is over.
    pub fn hold(&mut self, waiting: &Waiting) {
        self.held.extend(waiting.keys.iter().map(|key| (waiting.begun.db, key.clone())));
    }

    /// A pause is over.
    pub fn release_held(&mut self) {
        self.ready.extend(self.held.drain(..));
    }
}

/// Events of values that were there and give nobody more to read: of a stream, all but new entries and the loss of a
/// group; deadlines. Many clients may wait for one busy stream, and running their commands again for each of these would cost much
/// and change nothing.
fn gives_nothing(event: Event) -> bool {
    match event.class {
        EventClass::Stream => event != Event::XADD && event != Event::XGROUP_DESTROY,
        EventClass::Silent => true,
        _ => event == Event::EXPIRE || event == Event::PERSIST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;

    const LIST: TypeName = TypeName::List;

    fn begun(db: u32) -> Begun {
        Begun { db, command: CommandId(0), args: OwnedArgs::of(&[b"BLPOP"]), spent_us: 0 }
    }

    fn on(keys: &[&[u8]], timeout_ms: Option<u64>) -> Blocking {
        Blocking::on(keys.iter().copied(), LIST, timeout_ms)
    }

    fn change(key: &[u8], event: Event, effect: Effect) -> Change<'_> {
        Change { db: 0, key, event, effect, field: &[] }
    }

    fn queue_of(blocked: &BlockedClients, key: &DbKey) -> Vec<u64> {
        let (mut clients, mut place) = (Vec::new(), 0);
        while let Some((next, client)) = blocked.next_between(key, place, u64::MAX) {
            clients.push(client.0);
            place = next;
        }
        clients
    }

    #[test]
    fn a_client_keeps_its_place_and_is_in_each_queue_once() {
        let mut blocked = BlockedClients::default();
        let now = Instant::from_millis(1000);
        blocked.add(ClientId(5), begun(0), on(&[b"a", b"b", b"a"], Some(50)), now);
        blocked.add(ClientId(3), begun(0), on(&[b"a"], Some(20)), now);
        blocked.add(ClientId(4), begun(1), on(&[b"a"], None), now);
        let key: DbKey = (0, b"a"[..].into());
        assert_eq!((queue_of(&blocked, &key), blocked.keys()), (vec![5, 3], (3, 0)));
        assert_eq!((blocked.next_deadline(), blocked.with_deadline()), (Some(now + 20), 2));
        let first = blocked.take(ClientId(5)).unwrap();
        assert_eq!((queue_of(&blocked, &key), blocked.keys()), (vec![3], (2, 0)));
        blocked.put_back(ClientId(5), first);
        assert_eq!(queue_of(&blocked, &key), [5, 3]);
        assert_eq!((blocked.overdue(now + 19), blocked.overdue(now + 20)), (None, Some(ClientId(3))));
        for client in blocked.clients() {
            assert!(blocked.take(client).is_some() && blocked.take(client).is_none());
        }
        assert!(blocked.is_empty() && blocked.keys() == (0, 0) && blocked.next_deadline().is_none());
    }

    #[test]
    fn a_changed_key_is_ready_once_until_it_was_looked_at() {
        let mut blocked = BlockedClients::default();
        blocked.add(ClientId(1), begun(0), on(&[b"a", b"b"], None), Instant::default());
        blocked.note(&change(b"b", Event::LPUSH, Effect::Created));
        blocked.note(&change(b"other", Event::LPUSH, Effect::Created));
        blocked.note(&change(b"a", Event::LPUSH, Effect::Created));
        blocked.note(&change(b"b", Event::LPUSH, Effect::Written));
        assert_eq!(blocked.pop_ready(), Some((0, b"b"[..].into())));
        blocked.note(&change(b"b", Event::LPUSH, Effect::Written));
        assert_eq!(blocked.pop_ready(), Some((0, b"a"[..].into())));
        assert_eq!(blocked.pop_ready(), Some((0, b"b"[..].into())));
        assert_eq!(blocked.pop_ready(), None);
    }

    #[test]
    fn a_key_that_goes_away_concerns_only_who_asked() {
        let mut blocked = BlockedClients::default();
        blocked.add(ClientId(1), begun(0), on(&[b"a"], None), Instant::default());
        for effect in [Effect::Removed, Effect::Expired, Effect::Evicted, Effect::Note] {
            blocked.note(&change(b"a", Event::DEL, effect));
            assert!(!blocked.has_ready());
        }
        let group = Blocking { is_woken_by_loss: true, ..on(&[b"a"], None) };
        blocked.add(ClientId(2), begun(0), group, Instant::default());
        blocked.note(&change(b"a", Event::DEL, Effect::Removed));
        let key = blocked.pop_ready().unwrap();
        assert!(blocked.is_loss_wanted(&key) && blocked.keys() == (1, 1));
        assert_eq!((blocked.wants(ClientId(1), None), blocked.wants(ClientId(2), None)), (false, true));
        assert!(blocked.wants(ClientId(1), Some(LIST)) && !blocked.wants(ClientId(1), Some(TypeName::Zset)));
    }

    #[test]
    fn what_gives_nothing_to_read_wakes_nobody() {
        let mut blocked = BlockedClients::default();
        blocked.add(ClientId(1), begun(0), on(&[b"a"], None), Instant::default());
        for event in [Event::XTRIM, Event::XGROUP_CREATE, Event::SILENT, Event::EXPIRE] {
            blocked.note(&change(b"a", event, Effect::Written));
            assert!(!blocked.has_ready(), "{event:?}");
        }
        blocked.note(&change(b"a", Event::XADD, Effect::Written));
        assert!(blocked.has_ready());
    }

    #[test]
    fn a_whole_database_makes_all_its_keys_ready() {
        let mut blocked = BlockedClients::default();
        blocked.add(ClientId(1), begun(0), on(&[b"a", b"b"], None), Instant::default());
        blocked.add(ClientId(2), begun(3), on(&[b"c"], None), Instant::default());
        blocked.note_database(0);
        blocked.note_all_databases();
        let ready: Vec<DbKey> = std::iter::from_fn(|| blocked.pop_ready()).collect();
        assert_eq!((ready.len(), ready[2].0), (3, 3));
    }
}
