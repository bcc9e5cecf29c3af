//! Snapshots of collections: large ones are handed out as copies that share their parts, and are laid out when others are long
//! at work on the originals.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use super::{COMPRESSED, NOW, header, keyspace};
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::data::hash::{Fresh, Hash, Ttl};
use crate::data::list::{End, List, Packing};
use crate::data::rows::copied_bytes;
use crate::data::set::Set;
use crate::data::stream::{GivenId, Group, Id, Keep, NodeLimits, Stream, Trim, WantedId};
use crate::data::zset::Zset;
use crate::data::{Limits, NewValue, ValueRef};
use crate::keyspace::{Access, Event, FlushMode, Keyspace};
use crate::persist::snapshot::{Form, Progress, Settings, Snapshot};
use crate::rdb::decode::{Decoder, Event as Read};
use crate::rdb::dump;
use crate::rdb::encode::Chunk;
use crate::rdb::pack::Packer;

/// Small parts, so that values of some hundred elements have many.
const LIMITS: Limits = Limits {
    hash_max_listpack_entries: 8,
    set_max_intset_entries: 8,
    set_max_listpack_entries: 8,
    zset_max_listpack_entries: 8,
    list_max_listpack_size: 4,
    ..Limits::DEFAULT
};

const NODES: NodeLimits = NodeLimits { bytes: 0, entries: 4 };

/// A value's type, its elements (sorted where their order means nothing), and for streams the rest.
type Content = (&'static str, Vec<Vec<Vec<u8>>>, Vec<u8>);

/// (database, key) to content and expiry.
type Image = BTreeMap<(u32, Vec<u8>), (Content, Option<UnixMillis>)>;

fn content(value: ValueRef<'_>) -> Content {
    let mut elements = Vec::new();
    let is_ordered = value.visit(&mut |parts| elements.push(parts.iter().map(|part| part.to_vec()).collect()));
    if is_ordered == Some(false) {
        elements.sort();
    }
    let whole = if let ValueRef::Stream(_) = value { dump::dump(value) } else { Vec::new() };
    (value.type_name().as_str(), elements, whole)
}

fn image_of(keyspace: &Keyspace) -> Image {
    let mut image = Image::new();
    for size in keyspace.sizes(NOW) {
        keyspace.for_each(size.db, &mut |entry| {
            image.insert((size.db, entry.key().to_vec()), (content(entry.value()), entry.expiry()));
        });
    }
    image
}

fn read(bytes: &[u8]) -> Image {
    let (mut decoder, mut input, mut db, mut image) = (Decoder::default(), bytes, 0, Image::new());
    while let Some(event) = decoder.next(&mut input).unwrap() {
        match event {
            Read::SelectDb(number) => db = number as u32,
            Read::Key { key, value, facts } => {
                let NewValue::Other(value) = value else { panic!("a string") };
                let old = image.insert((db, key.to_vec()), (content(value.as_ref()), facts.expiry));
                assert!(old.is_none(), "{} twice", key.escape_ascii());
            }
            _ => {}
        }
    }
    assert!(decoder.is_done());
    image
}

/// What is laid out, packed sooner or later.
#[derive(Default)]
struct Packed {
    waiting: VecDeque<Chunk>,
    bytes: Vec<u8>,
}

impl Packed {
    fn take(&mut self, snapshot: &mut Snapshot, keyspace: &mut Keyspace) {
        self.waiting.extend(std::iter::from_fn(|| snapshot.take(keyspace)));
    }

    fn pack(&mut self, chunks: usize) {
        let count = chunks.min(self.waiting.len());
        for chunk in self.waiting.drain(..count) {
            Packer::new(true).pack(chunk, |piece| self.bytes.extend_from_slice(&piece));
        }
    }

    fn image(mut self) -> Image {
        self.pack(usize::MAX);
        self.bytes.extend_from_slice(&[0; 8]);
        read(&self.bytes)
    }
}

fn word(rng: &mut Rng, range: u64) -> Vec<u8> {
    let number = rng.below(range);
    let mut word = number.to_string().into_bytes();
    if number.is_multiple_of(7) {
        word.resize(30 + number as usize % 1500, b'w');
    }
    word
}

/// Alters the value of `key`, or makes it; the key's number says of which type it is.
fn alter(keyspace: &mut Keyspace, db: u32, number: u64, rng: &mut Rng, now: UnixMillis) {
    let key = format!("key:{number}").into_bytes();
    let mut db = keyspace.db(db, Access::master(now));
    let range = [20, 400, 3000][(number / 5 % 3) as usize];
    let (times, adds) = (1 + rng.below(range / 10), rng.percent(75));
    let words: Vec<Vec<u8>> = (0..times).map(|_| word(rng, range)).collect();
    match number % 5 {
        0 => db.edit_or_create::<Set, _>(&key, |set, notes| {
            for word in &words {
                if if adds { set.insert(word, &LIMITS) } else { set.remove(word) } {
                    notes.changed(Event::SADD, 1);
                }
            }
        }),
        1 => db.edit_or_create::<Hash, _>(&key, |hash, notes| {
            for word in &words {
                let value = self::word(rng, 5000);
                let ttl = match rng.below(4) {
                    0 => Ttl::At(UnixMillis(now.0 + 1 + rng.below(500) as i64)),
                    1 => Ttl::Keep,
                    _ => Ttl::Clear,
                };
                if adds {
                    hash.set(word, Fresh::Copied(&value), ttl, &LIMITS);
                } else if rng.percent(50) {
                    hash.remove(word);
                } else {
                    hash.set_expiry(word, None);
                }
                notes.changed(Event::HSET, 1);
            }
        }),
        2 => db.edit_or_create::<Zset, _>(&key, |zset, notes| {
            for word in &words {
                match adds {
                    true => ignore(zset.put(word, rng.below(range) as f64, &LIMITS)),
                    false => ignore(zset.remove(word)),
                }
                notes.changed(Event::ZADD, 1);
            }
            if !adds && rng.percent(20) {
                let from = rng.below(zset.len() as u64 + 1) as usize;
                zset.remove_range(from..from + rng.below(100) as usize, |_, _| {});
            }
        }),
        3 => db.edit_or_create::<List, _>(&key, |list, notes| {
            let packing = Packing::from(&LIMITS);
            for word in &words {
                let len = list.len();
                let at = rng.below(len as u64 + 1) as usize;
                match rng.below(10) {
                    0..3 => list.push_one(End::Left, word, packing),
                    3..6 => list.push_one(End::Right, word, packing),
                    6 if at < len => list.insert(at, rng.percent(50), word, packing),
                    7 if at < len => list.set(at, word, packing),
                    8 if at < len => list.remove(at..(at + rng.below(9) as usize).min(len), packing),
                    _ => ignore(list.remove_matching(word, 1, End::Right, packing)),
                }
                notes.changed(Event::RPUSH, 1);
            }
        }),
        _ => db.edit_or_create::<Stream, _>(&key, |stream, notes| {
            notes.changed(Event::XADD, 1);
            for word in &words {
                let id = stream.log().next_id(WantedId::Auto { now: now.0 as u64 }).unwrap();
                stream.log_mut().add(id, [(&b"f"[..], &word[..])].into_iter(), NODES);
                let group = stream.groups_mut().entry(b"group"[..].into()).or_insert_with(|| Group::new(Id::MIN, None));
                let name = [b"ann", b"bob"][rng.below(2) as usize];
                let consumer = group.find_consumer(name).unwrap_or_else(|| group.add_consumer(name, now.0));
                group.assign(id, consumer, now.0, 1);
                let pending: Vec<Id> = group.pending_in(..).map(|(id, _)| id).collect();
                let one = pending[rng.below(pending.len() as u64) as usize];
                match rng.below(4) {
                    0 => ignore(group.acknowledge(one)),
                    1 => group.delivered_again(one, now.0 + 1),
                    2 => ignore(stream.log_mut().delete(&[one])),
                    _ => {}
                }
            }
            if !adds {
                let keep = Keep::MaxLen(rng.below(stream.log().len() + 1));
                stream.log_mut().trim(Trim { keep, is_approximate: rng.percent(50), limit: 0 });
            }
        }),
    }
    .unwrap();
}

/// What a call says is of no interest here.
fn ignore<T>(_: T) {}

const KEYS: u64 = 40;

fn act(keyspace: &mut Keyspace, rng: &mut Rng, now: UnixMillis) {
    let (db, other) = (rng.below(2) as u32, rng.below(2) as u32);
    let number = rng.below(KEYS);
    let key = format!("key:{number}").into_bytes();
    // Of the same type, so that what is there may be altered further.
    let to = format!("key:{}", (number + 5 * (1 + rng.below(7))) % KEYS).into_bytes();
    let mut handle = keyspace.db(db, Access::master(now));
    match rng.below(1000) {
        0..860 => alter(keyspace, db, number, rng, now),
        860..885 => ignore(handle.remove(&key, Event::DEL)),
        885..910 => ignore(key != to && handle.rename(&key, &to)),
        910..930 if db != other => ignore(handle.move_to(&key, other)),
        930..950 => ignore(handle.copy_to(&key, db, &to, true)),
        950..965 => ignore(handle.expire_at(&key, Some(UnixMillis(now.0 + rng.below(300) as i64)), Event::EXPIRE)),
        965..990 => ignore(keyspace.expire_step(now, &mut || rng.percent(90))),
        990..994 => keyspace.swap(db, other),
        994 if rng.percent(40) => ignore(keyspace.flush_db(db, FlushMode::Async)),
        995 if rng.percent(20) => ignore(keyspace.flush_all(FlushMode::Sync)),
        _ => {}
    }
    keyspace.changes_mut().clear();
}

/// Whatever happens to a collection while it is saved, the image has it as it was at the beginning.
#[test]
fn collections_are_saved_as_they_were_whatever_is_written_meanwhile() {
    let seeds: Vec<u64> = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (1..=12).collect(),
    };
    for seed in seeds {
        println!("SEED={seed}");
        let (mut keyspace, mut rng, mut now) = (keyspace(seed), Rng::seeded(seed), NOW);
        (0..300).for_each(|_| act(&mut keyspace, &mut rng, now));
        let mut packed_late = None;
        for _ in 0..4 {
            let expected = image_of(&keyspace);
            let mut snapshot = Snapshot::begin(&mut keyspace, &header(), COMPRESSED, 0);
            let (mut packed, mut clock, patience) = (Packed::default(), 0, rng.below(60));
            let is_prompt = rng.percent(50);
            loop {
                for _ in 0..rng.below(patience + 1) {
                    act(&mut keyspace, &mut rng, now);
                }
                now = UnixMillis(now.0 + rng.below(30) as i64);
                let progress = snapshot.step(&mut keyspace, rng.percent(50), &mut || {
                    clock += 400;
                    clock
                });
                packed.take(&mut snapshot, &mut keyspace);
                if is_prompt {
                    packed.pack(rng.below(2) as usize);
                }
                if progress == Progress::Done {
                    break;
                }
            }
            snapshot.end(&mut keyspace);
            (0..rng.below(100)).for_each(|_| act(&mut keyspace, &mut rng, now));
            // The image before may still be on its way when the next one is taken.
            let late = packed_late.replace((packed, expected));
            if let Some((packed, expected)) = late {
                compare(packed.image(), expected, seed);
            }
        }
        let (packed, expected) = packed_late.expect("four were taken");
        compare(packed.image(), expected, seed);
    }
}

fn compare(image: Image, expected: Image, seed: u64) {
    assert_eq!(image.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "SEED={seed}");
    for (key, (content, expiry)) in image {
        let (expected, expected_expiry) = &expected[&key];
        assert_eq!(expiry, *expected_expiry, "SEED={seed}");
        assert!(content == *expected, "SEED={seed}: {} differs", key.1.escape_ascii());
    }
}

/// One value of each type with `count` elements.
fn large(keyspace: &mut Keyspace, count: u64) {
    let mut db = keyspace.db(0, Access::master(NOW));
    let words: Vec<Vec<u8>> = (0..count).map(|n| format!("element:{n}").into_bytes()).collect();
    let limits = Limits::DEFAULT;
    db.edit_or_create::<Set, _>(b"set", |set, notes| {
        words.iter().for_each(|word| ignore(set.insert(word, &limits)));
        notes.changed(Event::SADD, 1);
    })
    .unwrap();
    db.edit_or_create::<Hash, _>(b"hash", |hash, notes| {
        for (n, word) in words.iter().enumerate() {
            hash.set(word, Fresh::Copied(word), Ttl::At(UnixMillis(NOW.0 + 1000 + n as i64)), &limits);
        }
        notes.changed(Event::HSET, 1);
    })
    .unwrap();
    db.edit_or_create::<Zset, _>(b"zset", |zset, notes| {
        words.iter().enumerate().for_each(|(n, word)| ignore(zset.put(word, n as f64, &limits)));
        notes.changed(Event::ZADD, 1);
    })
    .unwrap();
    db.edit_or_create::<List, _>(b"list", |list, notes| {
        words.iter().for_each(|word| list.push_one(End::Right, word, Packing::from(&limits)));
        notes.changed(Event::RPUSH, 1);
    })
    .unwrap();
    db.edit_or_create::<Stream, _>(b"stream", |stream, notes| {
        let mut group = Group::new(Id::MIN, None);
        let consumer = group.add_consumer(b"c", 0);
        for (n, word) in words.iter().enumerate() {
            let id = Id::new(1 + n as u64, 0);
            stream.log_mut().add(id, [(&b"f"[..], &word[..])].into_iter(), NodeLimits::default());
            group.assign(id, consumer, 0, 1);
        }
        stream.groups_mut().insert(b"group"[..].into(), group);
        notes.changed(Event::XADD, 1);
    })
    .unwrap();
}

/// One write to each value.
fn touch(keyspace: &mut Keyspace, n: u64) {
    let mut db = keyspace.db(0, Access::master(NOW));
    let limits = Limits::DEFAULT;
    let word = format!("element:{n}").into_bytes();
    db.edit::<Set, _>(b"set", |set, _| set.remove(&word)).unwrap();
    db.edit::<Hash, _>(b"hash", |hash, _| hash.remove(&word)).unwrap();
    db.edit::<Zset, _>(b"zset", |zset, _| zset.put(&word, -1.0, &limits)).unwrap();
    db.edit::<List, _>(b"list", |list, _| list.set(n as usize, b"other", Packing::from(&limits))).unwrap();
    db.edit::<Stream, _>(b"stream", |stream, _| {
        let id = Id::new(1 + n, 0);
        stream.log_mut().delete(&[id]);
        stream.groups_mut().values_mut().for_each(|group| ignore(group.acknowledge(id)));
        let id = stream.log().next_id(WantedId::Given(GivenId::Millis(1_000_000 + n))).unwrap();
        stream.log_mut().add(id, [(&b"f"[..], &b"v"[..])].into_iter(), NodeLimits::default());
    })
    .unwrap();
}

/// What a slice does for a large value does not grow with it: nothing of it is laid out, and a write copies some parts.
#[test]
fn the_work_for_a_large_value_is_bounded_whatever_its_size() {
    let work = |count: u64| {
        let mut keyspace = keyspace(1);
        large(&mut keyspace, count);
        let expected = image_of(&keyspace);
        let mut snapshot = Snapshot::begin(&mut keyspace, &header(), COMPRESSED, 0);
        let mut packed = Packed::default();
        while snapshot.step(&mut keyspace, false, &mut || 0) != Progress::Done {}
        let (laid_out, copied) = (snapshot.figures(&mut keyspace).waiting_bytes, copied_bytes());
        touch(&mut keyspace, count / 2);
        let by_write = copied_bytes() - copied;
        packed.take(&mut snapshot, &mut keyspace);
        snapshot.end(&mut keyspace);
        compare(packed.image(), expected, count);
        (laid_out, by_write)
    };
    let (small, large) = (work(5_000), work(60_000));
    assert!(small.0 == large.0 && large.0 < 400_000, "buffers of two chunks: {small:?} {large:?}");
    // A segment of the set and of the hash, a page and four nodes of the sorted set, a run of the list, two lists of the
    // stream's nodes and two of its group.
    assert!(small.1 > 0 && large.1 < 500_000 && large.1 < 2 * small.1 + 50_000, "copied: {small:?} {large:?}");
}

/// Packing gives a large value in pieces, and stops as soon as nobody wants more.
#[test]
fn a_large_value_is_packed_in_pieces_as_long_as_somebody_wants_them() {
    let mut keyspace = keyspace(2);
    large(&mut keyspace, 30_000);
    let chunks = |keyspace: &mut Keyspace| {
        let mut snapshot = Snapshot::begin(keyspace, &header(), COMPRESSED, 0);
        while snapshot.step(keyspace, false, &mut || 0) != Progress::Done {}
        let chunks: Vec<Chunk> = std::iter::from_fn(|| snapshot.take(keyspace)).collect();
        snapshot.end(keyspace);
        chunks
    };
    let (mut pieces, mut largest) = (0, 0);
    for chunk in chunks(&mut keyspace) {
        Packer::new(false).pack(chunk, |piece| (pieces, largest) = (pieces + 1, largest.max(piece.len())));
    }
    assert!(pieces > 30 && largest < 100_000, "{pieces} pieces, the largest of {largest}");
    let (mut wanted, mut first) = (5, chunks(&mut keyspace).swap_remove(0));
    let packed = Packer::new(false).pack_while(&mut first, &mut |_| {
        wanted -= 1;
        if wanted > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert!(packed.is_break() && wanted == 0 && first.is_empty());
}

/// An image as commands holds the same payloads for large values as DUMP gives.
#[test]
fn an_image_as_commands_restores_large_values() {
    let mut keyspace = keyspace(3);
    large(&mut keyspace, 3000);
    let settings = Settings { form: Form::Commands { stamp: false }, ..COMPRESSED };
    let mut snapshot = Snapshot::begin(&mut keyspace, &header(), settings, 0);
    let mut packed = Packed::default();
    while snapshot.step(&mut keyspace, false, &mut || 0) != Progress::Done {}
    packed.take(&mut snapshot, &mut keyspace);
    snapshot.end(&mut keyspace);
    let mut dumps: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    keyspace.for_each(0, &mut |entry| {
        let payload = dump::dump(entry.value());
        let mut command = format!("*4\r\n$7\r\nRESTORE\r\n${}\r\n", entry.key().len()).into_bytes();
        command.extend_from_slice(entry.key());
        command.extend_from_slice(format!("\r\n$1\r\n0\r\n${}\r\n", payload.len()).as_bytes());
        command.extend_from_slice(&payload);
        command.extend_from_slice(b"\r\n");
        dumps.insert(entry.key().to_vec(), command);
    });
    packed.pack(usize::MAX);
    for (key, command) in &dumps {
        let found = memchr::memmem::find(&packed.bytes, command).is_some();
        assert!(found, "{}", key.escape_ascii());
    }
    let all: usize = dumps.values().map(Vec::len).sum();
    assert_eq!(packed.bytes.len(), all + "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".len());
}
