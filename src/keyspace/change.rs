//! What happened to the data, in order: the one thing a command leaves behind besides its reply.
//!
//! Every verb of `DbHandle` that alters a key notes a [`Change`]. Whoever runs commands reads the log after each of
//! them and derives everything else from it: watched keys, client-side caches, keyspace events, blocked clients, DELs
//! for keys that turned out to be expired. So no command mentions any of these.
//!
//! When nobody observes, a change costs one addition: only `dirty` grows. Three kinds are noted even then, because
//! replicas and the AOF must hear of them: keys and fields removed because their time was over, and keys evicted.

/// The class of a keyspace event: which letter of `notify-keyspace-events` asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventClass {
    /// `g`: commands for any type (DEL, EXPIRE, RENAME, ...).
    Generic,
    /// `$`: string commands.
    String,
    /// `l`: list commands.
    List,
    /// `s`: set commands.
    Set,
    /// `h`: hash commands.
    Hash,
    /// `z`: sorted set commands.
    Zset,
    /// `t`: stream commands.
    Stream,
    /// `x`: a key's time was over.
    Expired,
    /// `e`: a key was evicted for memory.
    Evicted,
    /// `m`: a read found nothing.
    KeyMiss,
    /// `n`: a key came to exist.
    New,
    /// No event is published; the key still counts as touched.
    Silent,
}

impl EventClass {
    /// The letter of `notify-keyspace-events`; `None` for [`EventClass::Silent`].
    pub const fn letter(self) -> Option<u8> {
        Some(match self {
            EventClass::Generic => b'g',
            EventClass::String => b'$',
            EventClass::List => b'l',
            EventClass::Set => b's',
            EventClass::Hash => b'h',
            EventClass::Zset => b'z',
            EventClass::Stream => b't',
            EventClass::Expired => b'x',
            EventClass::Evicted => b'e',
            EventClass::KeyMiss => b'm',
            EventClass::New => b'n',
            EventClass::Silent => return None,
        })
    }
}

/// The name and class of a keyspace event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// As subscribers see it.
    pub name: &'static str,
    /// Which letter asks for it.
    pub class: EventClass,
}

macro_rules! events {
    ($($constant:ident = $class:ident $name:literal;)*) => {
        impl Event {
            $(
                #[doc = concat!("The event `", $name, "`.")]
                pub const $constant: Event = Event { name: $name, class: EventClass::$class };
            )*
        }
    };
}

events! {
    SET = String "set";
    SETRANGE = String "setrange";
    APPEND = String "append";
    INCRBY = String "incrby";
    INCRBYFLOAT = String "incrbyfloat";
    SETBIT = String "setbit";
    PFADD = String "pfadd";
    LPUSH = List "lpush";
    RPUSH = List "rpush";
    LPOP = List "lpop";
    RPOP = List "rpop";
    LINSERT = List "linsert";
    LSET = List "lset";
    LREM = List "lrem";
    LTRIM = List "ltrim";
    SORTSTORE = List "sortstore";
    SADD = Set "sadd";
    SREM = Set "srem";
    SPOP = Set "spop";
    SINTERSTORE = Set "sinterstore";
    SUNIONSTORE = Set "sunionstore";
    SDIFFSTORE = Set "sdiffstore";
    HSET = Hash "hset";
    HDEL = Hash "hdel";
    HINCRBY = Hash "hincrby";
    HINCRBYFLOAT = Hash "hincrbyfloat";
    HEXPIRE = Hash "hexpire";
    HEXPIRED = Hash "hexpired";
    HPERSIST = Hash "hpersist";
    ZADD = Zset "zadd";
    ZINCR = Zset "zincr";
    ZREM = Zset "zrem";
    ZREMRANGEBYRANK = Zset "zremrangebyrank";
    ZREMRANGEBYSCORE = Zset "zremrangebyscore";
    ZREMRANGEBYLEX = Zset "zremrangebylex";
    ZPOPMIN = Zset "zpopmin";
    ZPOPMAX = Zset "zpopmax";
    ZRANGESTORE = Zset "zrangestore";
    ZUNIONSTORE = Zset "zunionstore";
    ZINTERSTORE = Zset "zinterstore";
    ZDIFFSTORE = Zset "zdiffstore";
    GEORADIUSSTORE = Zset "georadiusstore";
    GEOSEARCHSTORE = Zset "geosearchstore";
    XADD = Stream "xadd";
    XDEL = Stream "xdel";
    XTRIM = Stream "xtrim";
    XSETID = Stream "xsetid";
    XGROUP_CREATE = Stream "xgroup-create";
    XGROUP_SETID = Stream "xgroup-setid";
    XGROUP_DESTROY = Stream "xgroup-destroy";
    XGROUP_CREATECONSUMER = Stream "xgroup-createconsumer";
    XGROUP_DELCONSUMER = Stream "xgroup-delconsumer";
    DEL = Generic "del";
    EXPIRE = Generic "expire";
    PERSIST = Generic "persist";
    RENAME_FROM = Generic "rename_from";
    RENAME_TO = Generic "rename_to";
    MOVE_FROM = Generic "move_from";
    MOVE_TO = Generic "move_to";
    COPY_TO = Generic "copy_to";
    RESTORE = Generic "restore";
    EXPIRED = Expired "expired";
    EVICTED = Evicted "evicted";
    KEY_MISS = KeyMiss "keymiss";
    NEW = New "new";
    SILENT = Silent "";
}

/// What a change did to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The key did not exist and does now. Event `new` precedes the change's own.
    Created,
    /// The key existed and has another value or expiry now.
    Written,
    /// The key existed and something that belongs to its value is different now, but not what it holds: the groups of a stream.
    Inside,
    /// The key is gone because a command took it away.
    Removed,
    /// The key is gone because its time was over. To be propagated as DEL.
    Expired,
    /// The key is gone because memory was needed. To be propagated as DEL.
    Evicted,
    /// A field of a hash is gone because its time was over. To be propagated as HDEL.
    FieldExpired,
    /// Nothing changed: an additional event about a change already noted, or a miss.
    Note,
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// Number of the database.
    pub db: u32,
    /// The key.
    pub key: &'a [u8],
    /// The event subscribers are told.
    pub event: Event,
    /// What it did to the key.
    pub effect: Effect,
    /// The field that is gone ([`Effect::FieldExpired`]); else empty.
    pub field: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
struct Item {
    db: u32,
    start: usize,
    /// Where the key ends and the field begins.
    middle: usize,
    end: usize,
    event: Event,
    effect: Effect,
}

/// The log. Owned by the keyspace, drained by whoever runs commands.
#[derive(Debug, Default)]
pub struct ChangeLog {
    observed: bool,
    misses: bool,
    dirty: u64,
    items: Vec<Item>,
    keys: Vec<u8>,
}

/// The log's buffers are given back when they grew beyond this.
const KEEP_BYTES: usize = 64 * 1024;

impl ChangeLog {
    /// Says whether anybody wants every change (`observed`), and misses of reads as well (`misses`).
    pub fn observe(&mut self, observed: bool, misses: bool) {
        self.observed = observed;
        self.misses = misses;
    }

    /// Whether every change is being noted.
    pub fn is_observed(&self) -> bool {
        self.observed
    }

    /// Number of changes since the start, whether noted or not. Expirations and evictions are not counted.
    pub fn dirty(&self) -> u64 {
        self.dirty
    }

    /// Counts changes that have no key of their own, such as the keys that a flush removed.
    pub fn add_dirty(&mut self, changes: u64) {
        self.dirty = self.dirty.wrapping_add(changes);
    }

    /// Takes back what was counted and noted since `dirty` was read: what happened changed nothing after all, as when the
    /// data are emptied and loaded again.
    pub fn take_back(&mut self, dirty: u64) {
        self.clear();
        self.dirty = dirty;
    }

    /// Whether nothing was noted since the last [`ChangeLog::clear`].
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many were noted since the last [`ChangeLog::clear`].
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The noted changes, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Change<'_>> {
        self.items.iter().map(|item| Change {
            db: item.db,
            key: &self.keys[item.start..item.middle],
            event: item.event,
            effect: item.effect,
            field: &self.keys[item.middle..item.end],
        })
    }

    /// Forgets what was noted; `dirty` stays.
    pub fn clear(&mut self) {
        self.items.clear();
        self.keys.clear();
        if self.keys.capacity() > KEEP_BYTES || self.items.capacity() > KEEP_BYTES / size_of::<Item>() {
            self.keys.shrink_to(KEEP_BYTES);
            self.items.shrink_to(KEEP_BYTES / size_of::<Item>());
        }
    }

    /// Notes a change made by a command.
    #[inline]
    pub(super) fn changed(&mut self, db: u32, key: &[u8], event: Event, effect: Effect) {
        self.dirty = self.dirty.wrapping_add(1);
        if self.observed {
            self.push(db, key, event, effect);
        }
    }

    /// Notes a change that counts as `amount` changes.
    #[inline]
    pub(super) fn changed_by(&mut self, db: u32, key: &[u8], event: Event, effect: Effect, amount: u64) {
        self.dirty = self.dirty.wrapping_add(amount);
        if self.observed {
            self.push(db, key, event, effect);
        }
    }

    /// Notes a change that replicas must always hear of.
    pub(super) fn always(&mut self, db: u32, key: &[u8], event: Event, effect: Effect) {
        self.push(db, key, event, effect);
    }

    /// Notes a field whose time was over.
    pub(super) fn field_expired(&mut self, db: u32, key: &[u8], field: &[u8]) {
        self.push(db, key, Event::SILENT, Effect::FieldExpired);
        self.keys.extend_from_slice(field);
        self.items.last_mut().expect("just pushed").end = self.keys.len();
    }

    /// Notes an additional event.
    pub(super) fn note(&mut self, db: u32, key: &[u8], event: Event) {
        if self.observed {
            self.push(db, key, event, Effect::Note);
        }
    }

    /// Notes a miss, when somebody wants to know.
    #[inline]
    pub(super) fn missed(&mut self, db: u32, key: &[u8]) {
        if self.misses {
            self.push(db, key, Event::KEY_MISS, Effect::Note);
        }
    }

    #[cold]
    #[inline(never)]
    fn push(&mut self, db: u32, key: &[u8], event: Event, effect: Effect) {
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        let end = self.keys.len();
        self.items.push(Item { db, start, middle: end, end, event, effect });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unobserved_changes_only_count() {
        let mut log = ChangeLog::default();
        log.changed(0, b"k", Event::SET, Effect::Created);
        log.note(0, b"k", Event::EXPIRE);
        log.missed(0, b"k");
        assert!(log.is_empty());
        assert_eq!(log.dirty(), 1);
    }

    #[test]
    fn expirations_are_noted_even_when_nobody_observes() {
        let mut log = ChangeLog::default();
        log.always(3, b"gone", Event::EXPIRED, Effect::Expired);
        let change = log.iter().next().unwrap();
        assert_eq!((change.db, change.key, change.effect), (3, &b"gone"[..], Effect::Expired));
        assert_eq!(log.dirty(), 0);
        log.clear();
        assert_eq!(log.len(), 0);
    }

    #[test]
    fn observed_changes_come_in_order() {
        let mut log = ChangeLog::default();
        log.observe(true, true);
        log.changed(0, b"a", Event::SET, Effect::Created);
        log.note(0, b"a", Event::EXPIRE);
        log.missed(1, b"b");
        log.changed(0, b"", Event::DEL, Effect::Removed);
        let names: Vec<_> = log.iter().map(|c| (c.event.name, c.key.to_vec())).collect();
        assert_eq!(
            names,
            [("set", b"a".to_vec()), ("expire", b"a".to_vec()), ("keymiss", b"b".to_vec()), ("del", vec![])]
        );
        assert_eq!(log.dirty(), 2);
    }

    #[test]
    fn letters_are_those_of_the_directive() {
        assert_eq!(Event::EXPIRE.class.letter(), Some(b'g'));
        assert_eq!(Event::EXPIRED.class.letter(), Some(b'x'));
        assert_eq!(Event::SILENT.class.letter(), None);
    }
}
