//! The verbs and the cuts, through the public door.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;

use super::*;
use crate::data::hash::{Fresh, Hash, Ttl};
use crate::data::string::{NewStr, Str};
use crate::data::{Encoding, Limits};

const NOW: UnixMillis = UnixMillis(1_000_000);

fn keyspace() -> Keyspace {
    Keyspace::new(1000, Rng::seeded(1))
}

fn master(ks: &mut Keyspace) -> DbHandle<'_> {
    ks.db(0, Access::master(NOW))
}

fn get(db: &mut DbHandle<'_>, key: &[u8]) -> Option<Vec<u8>> {
    db.read::<Str>(key).unwrap().map(|value| value.to_vec())
}

fn set(db: &mut DbHandle<'_>, key: &[u8], text: &[u8]) {
    db.put(key, NewStr::Text(text), Expiry::Clear, Event::SET);
}

fn log(ks: &Keyspace) -> Vec<(String, String, Effect)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    ks.changes().iter().map(|c| (c.event.name.to_string(), text(c.key), c.effect)).collect()
}

fn entry(event: &str, key: &str, effect: Effect) -> (String, String, Effect) {
    (event.into(), key.into(), effect)
}

#[test]
fn what_is_put_is_read_back() {
    let mut ks = keyspace();
    let mut db = master(&mut ks);
    assert!(db.put(b"k", NewStr::Text(b"v"), Expiry::Clear, Event::SET));
    assert!(!db.put(b"k", NewStr::Text(b"12"), Expiry::Clear, Event::SET));
    assert!(matches!(db.read::<Str>(b"k"), Ok(Some(crate::data::string::StrView::Int(12)))));
    assert_eq!(get(&mut db, b"missing"), None);
    assert!(db.remove(b"k", Event::DEL) && !db.remove(b"k", Event::DEL));
    assert_eq!((db.len(), ks.stats().hits, ks.stats().misses), (0, 1, 1));
}

#[test]
fn a_hint_is_used_for_the_very_slice_only() {
    let mut ks = keyspace();
    let key = b"key".to_vec();
    let hash = ks.hash(&key);
    set(&mut ks.db(0, Access::master(NOW)).hinted(&key, hash), &key, b"1");
    let mut db = ks.db(0, Access::master(NOW)).hinted(&key, hash);
    assert_eq!(get(&mut db, b"key"), Some(b"1".to_vec()));
    assert_eq!(get(&mut db, &key), Some(b"1".to_vec()));
    assert_eq!(get(&mut db, b"ke"), None);
}

#[test]
fn on_a_master_a_key_that_is_over_is_removed_and_noted_first() {
    let mut ks = keyspace();
    ks.changes_mut().observe(true, false);
    let mut db = master(&mut ks);
    db.put(b"k", NewStr::Text(b"old"), Expiry::At(UnixMillis(NOW.0 + 10)), Event::SET);
    assert_eq!(db.expiry(b"k"), Some(Some(UnixMillis(NOW.0 + 10))));
    ks.changes_mut().clear();
    let mut at_the_moment = ks.db(0, Access::master(UnixMillis(NOW.0 + 10)));
    assert!(at_the_moment.exists(b"k"), "the key is gone after the moment, not at it");
    let mut later = ks.db(0, Access::master(UnixMillis(NOW.0 + 11)));
    assert!(later.put(b"k", NewStr::Text(b"new"), Expiry::Keep, Event::SET), "the key is new");
    assert_eq!(later.expiry(b"k"), Some(None), "and does not inherit the expiry");
    assert_eq!(log(&ks), [entry("expired", "k", Effect::Expired), entry("set", "k", Effect::Created)]);
    assert_eq!(ks.stats().expired, 1);
}

#[test]
fn on_a_replica_a_key_that_is_over_is_hidden_but_stays() {
    let mut ks = keyspace();
    master(&mut ks).put(b"k", NewStr::Text(b"v"), Expiry::At(NOW), Event::SET);
    ks.changes_mut().clear();
    let later = UnixMillis(NOW.0 + 1);
    let mut db = ks.db(0, Access::replica(later));
    assert!(!db.exists(b"k") && !db.remove(b"k", Event::DEL) && get(&mut db, b"k").is_none());
    let mut keys = 0;
    db.for_each_key(|_, _| keys += 1);
    db.scan(0, 100, |_| true, |_, _| keys += 1);
    assert_eq!((keys, db.len()), (0, 1));
    assert_eq!(ks.db(0, Access::history(later)).expiry(b"k"), Some(Some(NOW)), "the master's stream still sees it");
    assert!(ks.changes().is_empty());
    // A writable replica may store a key of that name.
    let mut db = ks.db(0, Access::replica(later));
    assert!(db.put(b"k", NewStr::Text(b"w"), Expiry::Keep, Event::SET));
    assert_eq!((db.expiry(b"k"), db.len(), db.expires_len()), (Some(None), 1, 0));
    db.put(b"a", NewStr::Text(b"v"), Expiry::At(NOW), Event::SET);
    assert_eq!(db.edit_bytes(b"a", 2, Event::SETRANGE, |text| text.to_vec()), Ok(vec![0, 0]));
    db.put(b"b", NewStr::Text(b"v"), Expiry::At(NOW), Event::SET);
    assert!(db.rename(b"k", b"b"));
    assert_eq!((get(&mut db, b"b"), db.len(), db.expires_len()), (Some(b"w".to_vec()), 2, 0));
}

#[test]
fn encodings_are_those_that_clients_know() {
    let mut ks = keyspace();
    let mut db = master(&mut ks);
    let encoding = |db: &mut DbHandle<'_>, key: &[u8]| db.facts(key).unwrap().encoding;
    set(&mut db, b"k", b"123");
    assert_eq!(encoding(&mut db, b"k"), Encoding::Int);
    assert_eq!(db.append(b"k", b"4", Event::APPEND), Ok(4));
    assert_eq!((get(&mut db, b"k"), encoding(&mut db, b"k")), (Some(b"1234".to_vec()), Encoding::Raw));
    set(&mut db, b"k", b"text");
    assert_eq!(encoding(&mut db, b"k"), Encoding::Embstr);
    set(&mut db, b"k", &[b'x'; 45]);
    assert_eq!(encoding(&mut db, b"k"), Encoding::Raw);
    assert_eq!(db.append(b"n", b"7", Event::APPEND), Ok(1));
    assert_eq!(encoding(&mut db, b"n"), Encoding::Int);
    db.put(b"raw", NewStr::Raw(b"abc"), Expiry::Clear, Event::SET);
    assert!(db.rename(b"raw", b"moved"));
    assert_eq!(encoding(&mut db, b"moved"), Encoding::Raw);
}

#[test]
fn a_value_may_be_edited_from_a_byte_to_megabytes() {
    let mut ks = keyspace();
    let mut db = master(&mut ks);
    let mut model = Vec::new();
    let mut rng = Rng::seeded(2);
    while model.len() < 3_000_000 {
        let more = vec![rng.below(256) as u8; rng.between(1, 1 + model.len() as u64) as usize];
        model.extend_from_slice(&more);
        assert_eq!(db.append(b"k", &more, Event::APPEND), Ok(model.len()));
        let at = rng.below(model.len() as u64) as usize;
        model[at] = 9;
        db.edit_bytes(b"k", at + 1, Event::SETRANGE, |text| text[at] = 9).unwrap();
        assert!(get(&mut db, b"k").unwrap() == model);
    }
    assert!(db.memory_of(b"k").unwrap() >= model.len());
}

#[test]
fn renaming_copying_and_moving_take_value_and_expiry_along() {
    let mut ks = keyspace();
    ks.changes_mut().observe(true, false);
    let mut db = master(&mut ks);
    let soon = UnixMillis(NOW.0 + 5);
    let big = Bytes::from(vec![b'x'; 100_000]);
    db.put(b"a", NewStr::Shared(big.clone()), Expiry::At(soon), Event::SET);
    set(&mut db, b"b", b"2");
    assert!(db.rename(b"a", b"b"));
    assert!(!db.rename(b"a", b"c"));
    assert_eq!((db.expiry(b"b"), db.len(), db.expires_len()), (Some(Some(soon)), 1, 1));
    assert_eq!(db.copy_to(b"b", 3, b"c", false), Ok(()));
    assert_eq!(db.copy_to(b"b", 3, b"c", false), Err(CopyError::TargetExists));
    assert_eq!(db.copy_to(b"b", 3, b"c", true), Ok(()));
    assert_eq!(db.copy_to(b"zz", 3, b"c", true), Err(CopyError::NoSource));
    assert_eq!(db.move_to(b"b", 300), Ok(()));
    assert_eq!(db.move_to(b"b", 300), Err(CopyError::NoSource));
    set(&mut db, b"b", b"2");
    assert_eq!(db.move_to(b"b", 300), Err(CopyError::TargetExists));
    ks.db(3, Access::master(NOW)).edit_bytes(b"c", 0, Event::SETRANGE, |text| text[0] = b'y').unwrap();
    let mut moved = ks.db(300, Access::master(NOW));
    assert_eq!((get(&mut moved, b"b"), moved.expiry(b"b")), (Some(big.to_vec()), Some(Some(soon))));
    let names: Vec<_> = log(&ks).into_iter().map(|(name, ..)| name).collect();
    let wanted =
        ["set", "set", "rename_from", "rename_to", "copy_to", "copy_to", "move_from", "move_to", "set", "setrange"];
    assert_eq!(names, wanted);
}

#[test]
fn a_refused_update_changes_nothing() {
    let mut ks = keyspace();
    let mut db = master(&mut ks);
    set(&mut db, b"k", b"5");
    #[derive(Debug, PartialEq)]
    struct Refused;
    impl From<WrongType> for Refused {
        fn from(_: WrongType) -> Refused {
            Refused
        }
    }
    let refuse = |_: Option<crate::data::string::StrView<'_>>| Err(Refused);
    assert_eq!(db.update_int(b"k", Event::INCRBY, refuse), Err(Refused));
    assert_eq!(db.update_int(b"new", Event::INCRBY, refuse), Err(Refused));
    let add =
        |v: Option<crate::data::string::StrView<'_>>| Ok::<_, Refused>(v.and_then(|v| v.as_int()).unwrap_or(0) + 1);
    assert_eq!((db.update_int(b"k", Event::INCRBY, add), db.update_int(b"n", Event::INCRBY, add)), (Ok(6), Ok(1)));
    assert_eq!((db.len(), ks.changes().dirty()), (2, 3));
}

#[test]
fn scanning_a_master_removes_what_is_over() {
    let mut ks = keyspace();
    let mut db = master(&mut ks);
    for i in 0..500u32 {
        let expiry = if i % 5 == 0 { Expiry::At(NOW) } else { Expiry::Clear };
        db.put(&i.to_le_bytes(), NewStr::Int(1), expiry, Event::SET);
    }
    let mut db = ks.db(0, Access::master(UnixMillis(NOW.0 + 1)));
    assert_eq!(db.scan(0, 1000, |_| false, |_, _| panic!("not wanted")), 0);
    assert_eq!(db.len(), 500, "what is not wanted is not looked at");
    let (mut cursor, mut seen) = (0, 0);
    loop {
        cursor = db.scan(cursor, 10, |_| true, |_, _| seen += 1);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!((seen, db.len()), (400, 400));
    assert_eq!(ks.changes().len(), 100);
    assert!(ks.changes().iter().all(|change| change.effect == Effect::Expired));
}

#[test]
fn a_random_key_is_alive_where_that_is_possible() {
    let mut ks = keyspace();
    let mut rng = Rng::seeded(1);
    let mut db = master(&mut ks);
    assert_eq!(db.random_key(&mut rng), None);
    db.put(b"over", NewStr::Int(1), Expiry::At(NOW), Event::SET);
    let later = UnixMillis(NOW.0 + 1);
    assert_eq!(ks.db(0, Access::replica(later)).random_key(&mut rng), Some(b"over".to_vec()));
    assert_eq!(ks.db(0, Access::master(later)).random_key(&mut rng), None);
    set(&mut master(&mut ks), b"alive", b"1");
    assert_eq!(ks.db(0, Access::master(later)).random_key(&mut rng), Some(b"alive".to_vec()));
}

#[test]
fn databases_are_made_when_used_whatever_their_number() {
    let mut ks = Keyspace::new(i32::MAX as u32, Rng::seeded(1));
    for index in [0, 255, 256, i32::MAX as u32 - 1] {
        set(&mut ks.db(index, Access::master(NOW)), b"k", index.to_string().as_bytes());
    }
    ks.swap(0, i32::MAX as u32 - 1);
    ks.swap(1, 255);
    ks.swap(2, 3);
    let text = |ks: &mut Keyspace, index: u32| get(&mut ks.db(index, Access::master(NOW)), b"k");
    assert_eq!(text(&mut ks, 0), Some(b"2147483646".to_vec()));
    assert_eq!(text(&mut ks, i32::MAX as u32 - 1), Some(b"0".to_vec()));
    assert_eq!((text(&mut ks, 1), text(&mut ks, 255)), (Some(b"255".to_vec()), None));
    let sizes: Vec<u32> = ks.sizes(NOW).into_iter().map(|size| size.db).collect();
    assert_eq!(sizes, [0, 1, 256, i32::MAX as u32 - 1]);
    assert_eq!(ks.flush_all(FlushMode::Async), 4);
    assert!(ks.is_empty());
}

#[test]
fn the_average_time_to_live_is_exact() {
    let mut ks = keyspace();
    let mut db = master(&mut ks);
    set(&mut db, b"for ever", b"1");
    for (key, ttl) in [(b"a", 1000), (b"b", 3000)] {
        db.put(key, NewStr::Int(1), Expiry::At(UnixMillis(NOW.0 + ttl)), Event::SET);
    }
    assert_eq!(ks.sizes(NOW), [DbSize { db: 0, keys: 3, expires: 2, field_expires: 0, avg_ttl_ms: 2000 }]);
    assert_eq!(ks.sizes(UnixMillis(NOW.0 + 5000))[0].avg_ttl_ms, 0);
}

#[test]
fn the_active_cycle_stops_when_told_and_goes_on_where_it_was() {
    let mut ks = keyspace();
    for index in [0, 2, 300] {
        let mut db = ks.db(index, Access::master(NOW));
        for i in 0..2000u32 {
            let ttl = if i % 4 == 0 { 100_000 } else { 10 };
            db.put(&i.to_le_bytes(), NewStr::Int(1), Expiry::At(UnixMillis(NOW.0 + ttl)), Event::SET);
        }
    }
    assert_eq!(ks.expire_step(NOW, &mut || true), ExpireStep { removed: 0, finished: true });
    let later = UnixMillis(NOW.0 + 11);
    let (mut removed, mut steps) = (0, 0);
    loop {
        let step = ks.expire_step(later, &mut || false);
        removed += step.removed;
        steps += 1;
        assert!(step.removed <= 450);
        ks.changes_mut().clear();
        if step.finished {
            break;
        }
    }
    assert_eq!((removed, ks.len()), (4500, 1500));
    assert!(steps > 10);
    assert_eq!(ks.expire_step(UnixMillis(NOW.0 + 200_000), &mut || true), ExpireStep { removed: 1500, finished: true });
    assert_eq!(ks.stats().expired, 6000);
}

/// A hash of `fields` fields, of which every second one is over after `ttl` milliseconds.
fn put_hash(db: &mut DbHandle<'_>, key: &[u8], fields: u32, ttl: i64) {
    db.edit_or_create::<Hash, _>(key, |hash, notes| {
        for i in 0..fields {
            let expiry = if i % 2 == 0 { Ttl::At(UnixMillis(NOW.0 + ttl)) } else { Ttl::Clear };
            hash.set(&i.to_le_bytes(), Fresh::Copied(b"v"), expiry, &Limits::DEFAULT);
        }
        notes.changed(Event::HSET, 1);
    })
    .unwrap();
}

fn fields(ks: &mut Keyspace, key: &[u8]) -> Option<usize> {
    ks.db(0, Access::history(NOW)).peek::<Hash>(key).unwrap().map(Hash::len)
}

fn field_expires(ks: &Keyspace) -> usize {
    ks.sizes(NOW).iter().map(|size| size.field_expires).sum()
}

#[test]
fn the_active_cycle_takes_fields_out_of_hashes_however_many_there_are() {
    let mut ks = keyspace();
    ks.changes_mut().observe(true, false);
    let mut db = master(&mut ks);
    put_hash(&mut db, b"large", 5000, 10);
    put_hash(&mut db, b"later", 10, 60_000);
    (0..400u32).for_each(|i| put_hash(&mut db, format!("k{i}").as_bytes(), 1 + i % 4, 10));
    ks.changes_mut().clear();
    assert_eq!(field_expires(&ks), 402);
    assert_eq!(ks.expire_step(NOW, &mut || true), ExpireStep { removed: 0, finished: true });
    let later = UnixMillis(NOW.0 + 11);
    let (mut removed, mut steps) = (0, 0);
    loop {
        let step = ks.expire_step(later, &mut || false);
        (removed, steps) = (removed + step.removed, steps + 1);
        assert!(step.removed < 1500, "{step:?}");
        let told = ks.changes().iter().filter(|change| change.effect == Effect::FieldExpired).count();
        assert_eq!(told, step.removed);
        ks.changes_mut().clear();
        if step.finished {
            break;
        }
    }
    assert_eq!((removed, ks.stats().expired_fields, ks.stats().expired), (3100, 3100, 0));
    assert!(steps > 10);
    assert_eq!((fields(&mut ks, b"large"), fields(&mut ks, b"later")), (Some(2500), Some(10)));
    assert_eq!((fields(&mut ks, b"k0"), fields(&mut ks, b"k3")), (None, Some(2)));
    assert_eq!((ks.len(), field_expires(&ks)), (302, 1));
    assert_eq!(ks.expire_step(UnixMillis(NOW.0 + 100_000), &mut || true), ExpireStep { removed: 5, finished: true });
    assert_eq!(field_expires(&ks), 0);
}

#[test]
fn a_hash_keeps_being_found_by_the_cycle_wherever_it_goes() {
    let mut ks = keyspace();
    let mut db = master(&mut ks);
    put_hash(&mut db, b"a", 10, 10);
    put_hash(&mut db, b"b", 300, 10);
    put_hash(&mut db, b"gone", 2, 10);
    assert!(db.rename(b"a", b"renamed"));
    db.copy_to(b"b", 3, b"copy", false).unwrap();
    db.move_to(b"b", 4).unwrap();
    assert!(db.expire_at(b"renamed", Some(UnixMillis(NOW.0 + 1_000_000)), Event::EXPIRE));
    assert!(db.remove(b"gone", Event::DEL));
    assert_eq!(field_expires(&ks), 3);
    // A field that is set anew has no expiry any more.
    master(&mut ks)
        .edit::<Hash, _>(b"renamed", |hash, _| {
            hash.set(&0u32.to_le_bytes(), Fresh::Copied(b"w"), Ttl::Clear, &Limits::DEFAULT)
        })
        .unwrap();
    assert!(ks.expire_step(UnixMillis(NOW.0 + 11), &mut || true).finished);
    assert_eq!((ks.stats().expired_fields, field_expires(&ks), ks.len()), (4 + 300 + 150 - 150, 0, 3));
}

#[test]
fn a_field_that_is_over_is_only_taken_away_by_a_master() {
    let mut ks = keyspace();
    ks.changes_mut().observe(true, false);
    put_hash(&mut master(&mut ks), b"k", 3, 10);
    ks.changes_mut().clear();
    let later = UnixMillis(NOW.0 + 11);
    for access in [Access::replica(later), Access::history(later)] {
        let mut db = ks.db(0, access);
        db.expire_fields(b"k", [&0u32.to_le_bytes()[..]].into_iter());
        db.expire_all_fields(b"k", 100);
        assert_eq!(db.fields_at().0 > NOW.0, access.expired == ExpiredKeys::Hide);
        assert_eq!(fields(&mut ks, b"k"), Some(3));
    }
    ks.db(0, Access::master(later)).expire_fields(b"k", [&0u32.to_le_bytes()[..]].into_iter());
    let told = [entry("", "k", Effect::FieldExpired), entry("hexpired", "k", Effect::Note)];
    assert_eq!(log(&ks), told);
    assert_eq!(ks.changes().iter().next().unwrap().field, 0u32.to_le_bytes());
    ks.db(0, Access::master(later)).expire_all_fields(b"k", 100);
    assert_eq!(fields(&mut ks, b"k"), Some(1));
}

#[test]
fn loading_adds_keys_silently_and_refuses_duplicates() {
    let mut ks = keyspace();
    ks.changes_mut().observe(true, true);
    ks.reserve(0, 1000);
    let recency = Recency::from_idle(60, NOW);
    let hash = ks.hash(b"k");
    assert!(ks.insert_loaded(0, hash, b"k", NewStr::Text(b"17").into(), Some(UnixMillis(1)), recency));
    assert!(!ks.insert_loaded(0, hash, b"k", NewStr::Text(b"18").into(), None, recency));
    assert_eq!((ks.changes().dirty(), ks.changes().len()), (0, 0));
    let facts = ks.db(0, Access::history(NOW)).facts(b"k").unwrap();
    assert_eq!((facts.encoding, facts.idle_secs), (Encoding::Int, 60));
}

#[test]
fn a_lying_announcement_costs_a_bounded_amount() {
    let mut ks = keyspace();
    (0..100).for_each(|index| ks.reserve(index, u64::MAX));
    assert!(ks.index_memory() < 100 << 20);
    ks.flush_all(FlushMode::Sync);
    assert!(ks.index_memory() < 1 << 20);
}

#[test]
fn looking_counts_as_use_unless_told_not_to() {
    let mut ks = keyspace();
    set(&mut master(&mut ks), b"k", b"v");
    let later = UnixMillis(NOW.0 + 50_000);
    let idle = |ks: &mut Keyspace| ks.db(0, Access::master(later)).facts(b"k").unwrap().idle_secs;
    let mut quiet = ks.db(0, Access { touch: false, ..Access::master(later) });
    quiet.read::<Str>(b"k").unwrap();
    quiet.exists(b"k");
    assert_eq!(idle(&mut ks), 50);
    assert!(ks.db(0, Access { touch: false, ..Access::master(later) }).touch(b"k"));
    assert_eq!(idle(&mut ks), 0);
    ks.db(0, Access::master(later)).set_recency(b"k", Recency::from_idle(7, later));
    assert_eq!(idle(&mut ks), 7);
    ks.db(0, Access::master(later)).read::<Str>(b"k").unwrap();
    assert_eq!(idle(&mut ks), 0);
}

// ---- cuts ----------------------------------------------------------------------------------------------------------

type Row = (Vec<u8>, Option<UnixMillis>);
type Image = BTreeMap<(u32, Vec<u8>), Row>;

fn row(entry: EntryRef<'_>) -> Row {
    (entry.string().unwrap().to_vec(), entry.expiry())
}

/// Collects an image; a key that comes twice is a failure.
struct Collector(Rc<RefCell<Image>>);

impl CutSink for Collector {
    fn segment(&mut self, db: u32, entries: Sealed<'_>) {
        let (mut image, mut count, len) = (self.0.borrow_mut(), 0, entries.len());
        entries.each(|entry, _| {
            let before = image.insert((db, entry.key().to_vec()), row(entry));
            assert!(before.is_none(), "a key of database {db} came twice");
            count += 1;
        });
        assert_eq!(count, len);
    }
}

fn image_of(ks: &Keyspace) -> Image {
    let mut image = Image::new();
    for size in ks.sizes(NOW) {
        ks.for_each(size.db, &mut |entry| {
            image.insert((size.db, entry.key().to_vec()), row(entry));
        });
    }
    image
}

fn random_act(ks: &mut Keyspace, rng: &mut Rng, now: UnixMillis) {
    let dbs = [0, 1, 2, 300];
    let index = dbs[rng.below(4) as usize];
    let other = dbs[rng.below(4) as usize];
    let key = format!("key:{}", rng.below(4000)).into_bytes();
    let to = format!("key:{}", rng.below(4000)).into_bytes();
    let mut db = ks.db(index, Access::master(now));
    match rng.below(1000) {
        0..=399 => {
            let expiry = match rng.below(3) {
                0 => Expiry::At(UnixMillis(now.0 + rng.below(300) as i64)),
                1 => Expiry::Keep,
                _ => Expiry::Clear,
            };
            let text = vec![b'v'; rng.below(30) as usize];
            db.put(&key, NewStr::Text(&text), expiry, Event::SET);
        }
        400..=599 => {
            db.remove(&key, Event::DEL);
        }
        600..=699 => {
            let _ = db.append(&key, b"more", Event::APPEND);
        }
        700..=749 => {
            db.expire_at(&key, rng.percent(50).then_some(now), Event::EXPIRE);
        }
        750..=799 => {
            let _ = key != to && db.rename(&key, &to);
        }
        800..=849 if (index, &key) != (other, &to) => {
            let _ = db.copy_to(&key, other, &to, true);
        }
        850..=899 if index != other => {
            let _ = db.move_to(&key, other);
        }
        900..=949 => {
            db.read::<Str>(&key).unwrap();
        }
        950..=979 => {
            db.scan(rng.next_u64(), 20, |_| true, |_, _| {});
        }
        980..=990 => {
            ks.expire_step(now, &mut || false);
        }
        991..=992 => {
            ks.flush_db(index, if rng.percent(50) { FlushMode::Sync } else { FlushMode::Async });
        }
        993 if rng.percent(20) => {
            ks.flush_all(FlushMode::Async);
        }
        994..=999 => ks.swap(index, other),
        _ => {}
    }
    ks.changes_mut().clear();
}

/// Whatever is written, expired, flushed or swapped while a cut is walked, the image is the data at its beginning.
#[test]
fn a_cut_is_the_data_at_its_beginning() {
    let seeds: Vec<u64> = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (1..=30).collect(),
    };
    for seed in seeds {
        println!("SEED={seed}");
        let mut rng = Rng::seeded(seed);
        let mut ks = Keyspace::new(1000, Rng::seeded(seed));
        let mut now = NOW;
        for _ in 0..rng.below(30_000) {
            random_act(&mut ks, &mut rng, now);
        }
        for _ in 0..3 {
            let expected = image_of(&ks);
            let got = Rc::new(RefCell::new(Image::new()));
            let dbs = ks.begin_cut(Box::new(Collector(got.clone())));
            assert_eq!(dbs.iter().map(|db| db.keys).sum::<usize>(), expected.len());
            let expires = expected.values().filter(|row| row.1.is_some()).count();
            assert_eq!(dbs.iter().map(|db| db.expires).sum::<usize>(), expires);
            let (lazy_walk, busy) = (rng.between(1, 20), rng.below(60));
            loop {
                for _ in 0..rng.below(busy + 1) {
                    random_act(&mut ks, &mut rng, now);
                }
                now = UnixMillis(now.0 + rng.below(20) as i64);
                let mut budget = rng.below(lazy_walk);
                let more = &mut || {
                    budget = budget.saturating_sub(1);
                    budget > 0
                };
                if ks.walk(more) == Walk::Done {
                    break;
                }
            }
            assert!(ks.cut_sink::<Collector>().is_some());
            assert!(ks.end_cut().is_some() && !ks.is_cutting());
            assert_eq!(*got.borrow(), expected);
        }
    }
}

#[test]
fn an_abandoned_cut_leaves_nothing_behind() {
    let mut ks = keyspace();
    for i in 0..5000u32 {
        set(&mut master(&mut ks), &i.to_le_bytes(), b"v");
    }
    let got = Rc::new(RefCell::new(Image::new()));
    ks.begin_cut(Box::new(Collector(got.clone())));
    assert_eq!(ks.walk(&mut || false), Walk::More);
    ks.flush_all(FlushMode::Sync);
    set(&mut master(&mut ks), b"new", b"v");
    assert!(ks.end_cut().is_some());
    assert!(!got.borrow().is_empty() && got.borrow().len() < 5000);
    let again = Rc::new(RefCell::new(Image::new()));
    ks.begin_cut(Box::new(Collector(again.clone())));
    assert_eq!(ks.walk(&mut || true), Walk::Done);
    assert_eq!(again.borrow().len(), 1);
}
