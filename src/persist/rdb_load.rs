//! Reading an image into the keyspace, a slice at a time.
//!
//! [`Loader`] takes bytes from wherever they come: blocks of a file, or whatever a master's socket gave. It never waits,
//! so the server answers `-LOADING`, PING and INFO between slices. What it does with keys:
//!
//! * A master drops keys whose time is over (`drop_expired`); a replica keeps them, its master says when they go.
//! * A key twice in one file, or a database beyond those configured, means that the file is not what it claims: an error.
//! * Keys are put in by batches: their places in the table are far apart, and while one is on its way from memory many
//!   others can be. Each is asked for when its key is read, and needed when the batch is full.
//!
//! After an error the keyspace holds part of the image; the caller empties it or ends the program.
//!
//! An item that lies across two feeds is put together in a small buffer; everything else is read where it lies.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use tracing::info;

use crate::base::hash::Crc64;
use crate::base::time::UnixMillis;
use crate::data::string::NewStr;
use crate::data::{Limits, NewValue, TypeName, Value};
use crate::keyspace::{Access, Event as KeyEvent, Keyspace, Recency};
use crate::rdb::decode::{DecodeError, Decoder, Event};
use crate::rdb::encode::KeyFacts;
use crate::rdb::header::Facts;

/// Keys put in at a time.
const BATCH: usize = 64;

/// An item whose beginning is carried over gets at least so many bytes more at a time.
const CARRY_STEP: usize = 4096;

/// A key takes at least its type, two lengths, and one byte in most of its names.
const KEY_BYTES_MIN: u64 = 4;

/// `more` is asked after so many events.
const ASK_EVERY: u32 = 64;

/// How to load.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Check the checksum (`rdbchecksum`).
    pub verify_checksum: bool,
    /// Leave out keys whose time is over.
    pub drop_expired: bool,
    /// A key that is there already is replaced instead of being an error: a file merged into existing data.
    pub replace: bool,
    /// Bytes that are known to be there: room is made for no more keys than those can hold, whatever the file announces.
    /// 0 when nothing is known; the tables then grow as the keys come.
    pub bytes_there: u64,
    /// The wall clock when loading began.
    pub now: UnixMillis,
    /// Which encodings collections get.
    pub limits: Limits,
}

/// What was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Keys put in.
    pub keys: u64,
    /// Keys left out because their time was over.
    pub expired: u64,
    /// Keys left out because there was nothing in them: old servers wrote such.
    pub empty: u64,
}

impl fmt::Display for Loaded {
    /// What the log says when all is in.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Done loading RDB, keys loaded: {}, keys expired: {}", self.keys, self.expired)?;
        match self.empty {
            0 => f.write_str("."),
            empty => write!(f, ", empty keys skipped: {empty}."),
        }
    }
}

/// How far a feed came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// All bytes were taken; there must be more.
    NeedsMore,
    /// `more` said stop; what is left of the input has to be given again.
    Paused,
    /// The image is complete; what is left of the input lies behind it.
    Done,
}

/// Why loading failed. `Display` is what the log shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The bytes make no sense.
    Decode(DecodeError),
    /// A key is there twice.
    Duplicate {
        /// Made printable.
        key: String,
        /// Its database.
        db: u32,
        /// Bytes read so far.
        offset: u64,
    },
    /// A database that we do not have.
    Database {
        /// Its number in the file.
        db: u64,
        /// How many we have.
        databases: u32,
    },
    /// The checksum says that bytes are damaged.
    Checksum {
        /// What the file says.
        stored: u64,
        /// What its bytes give.
        computed: u64,
    },
    /// The file cannot be read.
    Read(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Decode(error) => error.fmt(f),
            LoadError::Duplicate { key, db, offset } => {
                write!(f, "RDB has duplicated key '{key}' in DB {db}, found before offset {offset}")
            }
            LoadError::Database { db, databases } => write!(
                f,
                "FATAL: Data file was created with a Redis server configured to handle more than {databases} \
                 databases (it holds database {db})"
            ),
            LoadError::Checksum { stored, computed } => {
                write!(f, "RDB CRC error: expected {stored:x} but got {computed:x}")
            }
            LoadError::Read(error) => write!(f, "error reading the file: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl LoadError {
    /// Notes how far reading had come.
    fn before(mut self, read: u64) -> LoadError {
        if let LoadError::Duplicate { offset, .. } = &mut self {
            *offset = read;
        }
        self
    }
}

impl From<DecodeError> for LoadError {
    fn from(error: DecodeError) -> LoadError {
        LoadError::Decode(error)
    }
}

/// Loads one image.
pub struct Loader {
    decoder: Decoder,
    /// The beginning of an item whose end has not arrived.
    carry: Vec<u8>,
    crc: Option<Crc64>,
    /// Bytes whose checksum was taken.
    summed: u64,
    target: Target,
}

/// Where keys go.
struct Target {
    rules: Rules,
    facts: Facts,
    loaded: Loaded,
    db: u32,
    batch: Batch,
    gone: Gone,
}

/// Keys left out because their time was over, by database: noted when the file says where a replication stream stood.
/// Replicas that go on from there still have these keys.
pub type Gone = Vec<(u32, Vec<u8>)>;

impl Loader {
    /// Before the first byte.
    pub fn new(rules: Rules) -> Loader {
        Loader {
            decoder: Decoder::new(rules.limits),
            carry: Vec::new(),
            crc: rules.verify_checksum.then(Crc64::new),
            summed: 0,
            target: Target {
                rules,
                facts: Facts::default(),
                loaded: Loaded::default(),
                db: 0,
                batch: Batch::default(),
                gone: Gone::new(),
            },
        }
    }

    /// Takes bytes off the front of `input`. `more` is asked now and then whether to go on.
    pub fn feed(
        &mut self,
        keyspace: &mut Keyspace,
        input: &mut &[u8],
        more: &mut dyn FnMut() -> bool,
    ) -> Result<Fed, LoadError> {
        while !self.carry.is_empty() {
            let step = input.len().min(self.carry.len().max(CARRY_STEP));
            let mut carry = std::mem::take(&mut self.carry);
            let begun = carry.len();
            carry.extend_from_slice(&input[..step]);
            let mut view = &carry[..];
            let fed = self.run(keyspace, &mut view, begun, &mut || true)?;
            let taken = carry.len() - view.len();
            if taken >= begun {
                *input = &input[taken - begun..];
                if fed == Fed::Done {
                    return Ok(fed);
                }
                carry.clear();
                break;
            }
            *input = &input[step..];
            carry.drain(..taken);
            self.carry = carry;
            if input.is_empty() {
                return Ok(Fed::NeedsMore);
            }
        }
        let fed = self.run(keyspace, input, usize::MAX, more)?;
        if fed == Fed::NeedsMore {
            self.carry.extend_from_slice(input);
            *input = &[];
        }
        Ok(fed)
    }

    /// Reads items that begin in the first `until` bytes of `view`, and takes the checksum of what was read.
    fn run(
        &mut self,
        keyspace: &mut Keyspace,
        view: &mut &[u8],
        until: usize,
        more: &mut dyn FnMut() -> bool,
    ) -> Result<Fed, LoadError> {
        if self.decoder.is_done() {
            return Ok(Fed::Done);
        }
        let all = *view;
        let mut events = 0;
        let fed = loop {
            let result = match self.decoder.next(view)? {
                None => break Fed::NeedsMore,
                Some(Event::End { checksum, covered }) => {
                    let left = &all[..(covered - self.summed) as usize];
                    self.target.put_in(keyspace).map_err(|error| error.before(covered))?;
                    self.check(left, checksum)?;
                    break Fed::Done;
                }
                Some(event) => self.target.apply(keyspace, event),
            };
            result.map_err(|error| error.before(self.decoder.offset()))?;
            events += 1;
            if all.len() - view.len() >= until || (events % ASK_EVERY == 0 && !more()) {
                break Fed::Paused;
            }
        };
        if fed != Fed::Done {
            let taken = &all[..all.len() - view.len()];
            self.summed += taken.len() as u64;
            if let Some(crc) = &mut self.crc {
                crc.update(taken);
            }
        }
        Ok(fed)
    }

    /// Compares the checksum once the last covered bytes, `left`, are added to it.
    fn check(&mut self, left: &[u8], stored: Option<u64>) -> Result<(), LoadError> {
        let Some(mut crc) = self.crc.take() else { return Ok(()) };
        let Some(stored) = stored else {
            info!("RDB file was saved with checksum disabled: no check performed.");
            return Ok(());
        };
        crc.update(left);
        if crc.value() == stored { Ok(()) } else { Err(LoadError::Checksum { stored, computed: crc.value() }) }
    }

    /// The error for a source that ended too early.
    pub fn truncated(&self) -> LoadError {
        LoadError::Decode(self.decoder.truncated())
    }

    /// Whether the end was read.
    pub fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.decoder.offset()
    }

    /// What was loaded so far.
    pub fn loaded(&self) -> Loaded {
        self.target.loaded
    }

    /// The keys left out, of which replicas must hear.
    pub fn take_gone(&mut self) -> Gone {
        std::mem::take(&mut self.target.gone)
    }

    /// What the image says about itself.
    pub fn facts(&self) -> &Facts {
        &self.target.facts
    }
}

impl Target {
    fn apply(&mut self, keyspace: &mut Keyspace, event: Event<'_>) -> Result<(), LoadError> {
        match event {
            Event::Key { key, value: NewValue::Other(value), .. }
                if value.is_empty() && value.type_name() != TypeName::Stream =>
            {
                info!("rdbLoadObject skipping empty key: {}", key.escape_ascii());
                self.loaded.empty += 1;
                Ok(())
            }
            Event::Key { key, value, facts } => {
                if self.rules.drop_expired && facts.expiry.is_some_and(|at| at < self.rules.now) {
                    self.loaded.expired += 1;
                    if self.facts.repl().is_some() {
                        self.gone.push((self.db, key.to_vec()));
                    }
                    return Ok(());
                }
                let recency = recency_of(keyspace.recency(), facts, self.rules.now);
                let hash = keyspace.hash(key);
                keyspace.prefetch_insert(self.db, hash);
                self.batch.push(hash, key, value, facts.expiry, recency);
                if self.batch.len() >= BATCH { self.put_in(keyspace) } else { Ok(()) }
            }
            Event::SelectDb(db) => {
                self.put_in(keyspace)?;
                let databases = keyspace.databases();
                match u32::try_from(db) {
                    Ok(number) if number < databases => self.db = number,
                    _ => return Err(LoadError::Database { db, databases }),
                }
                Ok(())
            }
            Event::ResizeDb { keys, .. } => {
                keyspace.reserve(self.db, keys.min(self.rules.bytes_there / KEY_BYTES_MIN));
                Ok(())
            }
            Event::Library(text) => {
                self.facts.libraries.push(Bytes::copy_from_slice(text));
                Ok(())
            }
            Event::Aux { name, value } => {
                self.fact(name, value);
                Ok(())
            }
            Event::End { .. } => self.put_in(keyspace),
        }
    }

    fn put_in(&mut self, keyspace: &mut Keyspace) -> Result<(), LoadError> {
        let (db, keys) = (self.db, self.batch.len() as u64);
        let replace = self.rules.replace.then_some(self.rules.now);
        let duplicate = self.batch.put_in(keyspace, db, replace);
        self.loaded.keys += keys;
        match duplicate {
            None => Ok(()),
            Some(key) => Err(LoadError::Duplicate { key: key.escape_ascii().to_string(), db, offset: 0 }),
        }
    }

    fn fact(&mut self, name: &[u8], value: &[u8]) {
        if name.starts_with(b"%") {
            info!("RDB '{}': {}", name.escape_ascii(), value.escape_ascii());
            return;
        }
        if !self.facts.note(name, value) {
            tracing::trace!("Unrecognized RDB AUX field: '{}'", name.escape_ascii());
        }
        match (name, &self.facts) {
            (b"redis-ver", Facts { redis_version: Some(version), .. }) => {
                info!("Loading RDB produced by version {}", version.escape_default());
            }
            (b"ctime", Facts { created: Some(created), .. }) => {
                info!("RDB age {} seconds", self.rules.now.as_secs().saturating_sub(*created).max(0));
            }
            (b"used-mem", Facts { used_memory: Some(bytes), .. }) => {
                info!("RDB memory usage when created {:.2} Mb", *bytes as f64 / (1024.0 * 1024.0));
            }
            (b"aof-base", Facts { is_aof_base: true, .. }) => info!("RDB is base AOF"),
            _ => {}
        }
    }
}

/// The recency bits of a key, from what the file says of it.
fn recency_of(recency: Recency, facts: KeyFacts, now: UnixMillis) -> u32 {
    match (recency, facts) {
        (Recency::Lru, KeyFacts { idle: Some(seconds), .. }) => Recency::from_idle(seconds, now),
        (Recency::Lfu { .. }, KeyFacts { freq: Some(counter), .. }) => Recency::from_frequency(counter, now),
        _ => recency.fresh(now),
    }
}

/// Keys read but not put in.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    keys: Vec<Pending>,
}

struct Pending {
    hash: u64,
    key: Range<usize>,
    value: PendingValue,
    expiry: Option<UnixMillis>,
    recency: u32,
}

enum PendingValue {
    Text(Range<usize>),
    Int(i64),
    Shared(Bytes),
    Other(Value),
}

impl Batch {
    fn len(&self) -> usize {
        self.keys.len()
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn push(&mut self, hash: u64, key: &[u8], value: NewValue<'_>, expiry: Option<UnixMillis>, recency: u32) {
        let key = self.keep(key);
        let value = match value {
            NewValue::Str(NewStr::Int(number)) => PendingValue::Int(number),
            NewValue::Str(NewStr::Text(text) | NewStr::Raw(text)) => PendingValue::Text(self.keep(text)),
            NewValue::Str(NewStr::Shared(bytes)) => PendingValue::Shared(bytes),
            NewValue::Other(value) => PendingValue::Other(value),
        };
        self.keys.push(Pending { hash, key, value, expiry, recency });
    }

    /// Puts all keys in, up to one that exists already, which is returned unless it is to be replaced.
    fn put_in(&mut self, keyspace: &mut Keyspace, db: u32, replace: Option<UnixMillis>) -> Option<Vec<u8>> {
        let mut duplicate = None;
        for pending in self.keys.drain(..) {
            let key = &self.bytes[pending.key];
            if let Some(now) = replace {
                keyspace.db(db, Access::history(now)).remove(key, KeyEvent::DEL);
            }
            let value = match pending.value {
                PendingValue::Text(range) => NewStr::Text(&self.bytes[range]).into(),
                PendingValue::Int(number) => NewStr::Int(number).into(),
                PendingValue::Shared(bytes) => NewStr::Shared(bytes).into(),
                PendingValue::Other(value) => value.into(),
            };
            if !keyspace.insert_loaded(db, pending.hash, key, value, pending.expiry, pending.recency) {
                duplicate = Some(key.to_vec());
                break;
            }
        }
        self.bytes.clear();
        duplicate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::data::string::{Str, StrView};
    use crate::rdb::encode::Chunk;
    use crate::rdb::pack::Packer;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const RULES: Rules = Rules {
        verify_checksum: true,
        drop_expired: true,
        replace: false,
        bytes_there: 1 << 20,
        now: NOW,
        limits: Limits::DEFAULT,
    };

    fn image(write: impl FnOnce(&mut Chunk)) -> Vec<u8> {
        let mut chunk = Chunk::new(0, true);
        chunk.magic();
        chunk.aux("redis-ver", b"7.2.6");
        chunk.aux("ctime", b"1600000000");
        chunk.aux("%remark", b"hello");
        write(&mut chunk);
        chunk.eof();
        let mut bytes = Vec::new();
        Packer::new(true).pack(chunk, |piece| bytes.extend_from_slice(&piece));
        let crc = crate::base::hash::crc64(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn sample() -> Vec<u8> {
        image(|chunk| {
            chunk.select_db(0);
            chunk.resize_db(200, 1);
            for i in 0..200 {
                let key = format!("key:{i}");
                chunk.key(key.as_bytes(), StrView::Bytes(&vec![b'v'; i * 3]), KeyFacts::default());
            }
            chunk.select_db(9);
            let past = KeyFacts { expiry: Some(UnixMillis(NOW.0 - 1)), ..KeyFacts::default() };
            let future = KeyFacts { expiry: Some(UnixMillis(NOW.0 + 1)), ..KeyFacts::default() };
            chunk.key(b"gone", StrView::Int(1), past);
            chunk.key(b"stays", StrView::Int(-5), future);
            let noise: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            chunk.key(b"large", StrView::Bytes(&noise), KeyFacts::default());
        })
    }

    fn load(bytes: &[u8], piece: usize, rules: Rules) -> (Keyspace, Loader, Result<Fed, LoadError>) {
        let mut keyspace = Keyspace::new(16, Rng::seeded(1));
        let mut loader = Loader::new(rules);
        let mut fed = Ok(Fed::NeedsMore);
        for part in bytes.chunks(piece) {
            let mut input = part;
            fed = loader.feed(&mut keyspace, &mut input, &mut || true);
            assert!(input.is_empty() || fed != Ok(Fed::NeedsMore));
            if fed.is_err() {
                break;
            }
        }
        (keyspace, loader, fed)
    }

    fn value(keyspace: &mut Keyspace, db: u32, key: &[u8]) -> Option<Vec<u8>> {
        let mut db = keyspace.db(db, Access::history(NOW));
        db.read::<Str>(key).unwrap().map(|view| view.to_vec())
    }

    #[test]
    fn keys_left_out_are_noted_when_a_stream_goes_on_from_the_file() {
        let file = |has_position: bool| {
            image(|chunk| {
                if has_position {
                    chunk.aux("repl-stream-db", b"0");
                    chunk.aux("repl-id", &[b'a'; 40]);
                    chunk.aux("repl-offset", b"77");
                }
                chunk.select_db(3);
                let past = KeyFacts { expiry: Some(UnixMillis(NOW.0 - 1)), ..KeyFacts::default() };
                chunk.key(b"gone", StrView::Int(1), past);
                chunk.key(b"stays", StrView::Int(1), KeyFacts::default());
            })
        };
        let (_, mut loader, _) = load(&file(true), 10, RULES);
        assert_eq!(loader.take_gone(), [(3, b"gone".to_vec())]);
        let (_, mut loader, _) = load(&file(false), 10, RULES);
        assert!(loader.take_gone().is_empty() && loader.loaded().expired == 1);
    }

    #[test]
    fn an_image_is_loaded_whatever_the_pieces() {
        let bytes = sample();
        for piece in [bytes.len(), 65_536, 4096, 100, 13, 1] {
            let (mut keyspace, loader, fed) = load(&bytes, piece, RULES);
            assert_eq!(fed, Ok(Fed::Done), "pieces of {piece}");
            assert_eq!(loader.loaded(), Loaded { keys: 202, expired: 1, empty: 0 });
            assert_eq!(loader.offset(), bytes.len() as u64);
            assert_eq!(keyspace.len(), 202);
            assert_eq!(value(&mut keyspace, 0, b"key:50").unwrap(), [b'v'; 150]);
            assert_eq!(value(&mut keyspace, 9, b"stays").unwrap(), b"-5");
            assert_eq!(value(&mut keyspace, 9, b"large").unwrap().len(), 200_000);
            assert_eq!(value(&mut keyspace, 9, b"gone"), None);
            assert_eq!(keyspace.db(9, Access::history(NOW)).expires_len(), 1);
        }
    }

    #[test]
    fn a_replica_keeps_keys_whose_time_is_over() {
        let (mut keyspace, loader, _) = load(&sample(), 1000, Rules { drop_expired: false, ..RULES });
        assert_eq!(loader.loaded(), Loaded { keys: 203, expired: 0, empty: 0 });
        assert_eq!(value(&mut keyspace, 9, b"gone").unwrap(), b"1");
    }

    #[test]
    fn loading_pauses_when_asked_to_and_goes_on() {
        let bytes = sample();
        let mut keyspace = Keyspace::new(16, Rng::seeded(1));
        let mut loader = Loader::new(RULES);
        let (mut input, mut pauses) = (&bytes[..], 0);
        while loader.feed(&mut keyspace, &mut input, &mut || false).unwrap() == Fed::Paused {
            pauses += 1;
        }
        assert_eq!(pauses, 3); // 208 events, asked every 64
        assert!(loader.is_done() && loader.loaded().keys == 202);
    }

    #[test]
    fn what_follows_the_end_is_left_alone() {
        let mut bytes = sample();
        let len = bytes.len();
        bytes.extend_from_slice(b"*1\r\n");
        let (mut keyspace, mut loader) = (Keyspace::new(16, Rng::seeded(1)), Loader::new(RULES));
        let mut input = &bytes[..len - 3];
        assert_eq!(loader.feed(&mut keyspace, &mut input, &mut || true), Ok(Fed::NeedsMore));
        let mut input = &bytes[len - 3..];
        assert_eq!(loader.feed(&mut keyspace, &mut input, &mut || true), Ok(Fed::Done));
        assert_eq!(input, b"*1\r\n");
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let bytes = image(|chunk| {
            chunk.select_db(0);
            for i in 0..20 {
                let expiry = (i % 3 == 0).then_some(UnixMillis(NOW.0 * 2));
                let facts = KeyFacts { expiry, ..KeyFacts::default() };
                chunk.key(format!("k{i}").as_bytes(), StrView::Bytes(&vec![b'v'; i * 4]), facts);
            }
        });
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let (_, loader, fed) = load(&damaged, 64, RULES);
            assert!(fed.is_err() || !loader.is_done(), "byte {at}");
        }
        for cut in 0..bytes.len() {
            let (_, loader, fed) = load(&bytes[..cut], 64, RULES);
            assert!(
                !loader.is_done()
                    && fed == Ok(Fed::NeedsMore)
                    && loader.truncated().to_string().contains("unexpected end")
            );
        }
    }

    #[test]
    fn the_checksum_is_checked_unless_it_was_not_taken_or_is_not_wanted() {
        let mut bytes = sample();
        let end = bytes.len() - 8;
        bytes[end] ^= 1;
        let error = load(&bytes, 1000, RULES).2.unwrap_err();
        assert!(error.to_string().starts_with("RDB CRC error: expected "), "{error}");
        assert_eq!(load(&bytes, 1000, Rules { verify_checksum: false, ..RULES }).2, Ok(Fed::Done));
        bytes[end..].fill(0);
        assert_eq!(load(&bytes, 1000, RULES).2, Ok(Fed::Done));
    }

    #[test]
    fn a_key_twice_and_a_database_too_many_are_errors() {
        let twice = image(|chunk| {
            chunk.select_db(2);
            chunk.key(b"k\n", StrView::Int(1), KeyFacts::default());
            chunk.key(b"k\n", StrView::Int(2), KeyFacts::default());
        });
        let error = load(&twice, 1000, RULES).2.unwrap_err().to_string();
        assert!(error.starts_with("RDB has duplicated key 'k\\n' in DB 2, found before offset"), "{error}");
        let (mut keyspace, loader, fed) = load(&twice, 1000, Rules { replace: true, ..RULES });
        assert_eq!((fed, loader.loaded().keys), (Ok(Fed::Done), 2));
        assert_eq!(value(&mut keyspace, 2, b"k\n").unwrap(), b"2");
        let error = load(&image(|chunk| chunk.select_db(16)), 1000, RULES).2.unwrap_err().to_string();
        assert!(error.contains("more than 16 databases"), "{error}");
    }

    #[test]
    fn room_is_made_for_no_more_keys_than_the_bytes_can_hold() {
        let liar = image(|chunk| chunk.resize_db(u64::MAX, u64::MAX));
        let (keyspace, _, fed) = load(&liar, 1000, Rules { bytes_there: liar.len() as u64, ..RULES });
        assert_eq!(fed, Ok(Fed::Done));
        assert!(keyspace.index_memory() < 100_000, "{}", keyspace.index_memory());
    }

    #[test]
    fn idle_times_and_counters_are_taken_over_under_their_policy() {
        let facts = KeyFacts { idle: Some(50), freq: Some(77), ..KeyFacts::default() };
        let lfu = Recency::Lfu { log_factor: 10, decay_minutes: 1 };
        assert_eq!(Recency::Lru.idle_secs(recency_of(Recency::Lru, facts, NOW), NOW), 50);
        assert_eq!(lfu.frequency(recency_of(lfu, facts, NOW), NOW), 77);
        assert_eq!(recency_of(lfu, KeyFacts::default(), NOW), lfu.fresh(NOW));
    }
}
