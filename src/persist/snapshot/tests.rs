mod values;

use std::collections::BTreeMap;

use super::*;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::data::NewValue;
use crate::data::string::NewStr;
use crate::keyspace::{Access, Event, Expiry, FlushMode};
use crate::rdb::decode::{Decoder, Event as Read};
use crate::rdb::pack::Packer;

const SET: Event = Event::SET;
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// (database, key) to (value, expiry).
type Model = BTreeMap<(u32, Vec<u8>), (Vec<u8>, Option<i64>)>;

fn header() -> Header {
    Header {
        redis_version: "7.2.6".into(),
        created: NOW,
        used_memory: 1000,
        repl: None,
        is_aof_base: false,
        libraries: Vec::new(),
    }
}

fn keyspace(seed: u64) -> Keyspace {
    Keyspace::new(16, Rng::seeded(seed))
}

fn put(keyspace: &mut Keyspace, db: u32, key: &[u8], value: &[u8], expiry: Expiry) {
    keyspace.db(db, Access::master(NOW)).put(key, NewStr::Text(value), expiry, SET);
}

/// What a snapshot laid out, read back.
fn read(bytes: &[u8]) -> Model {
    let (mut decoder, mut input, mut db, mut model) = (Decoder::default(), bytes, 0, Model::new());
    let mut announced = BTreeMap::new();
    while let Some(event) = decoder.next(&mut input).unwrap() {
        match event {
            Read::SelectDb(number) => db = number as u32,
            Read::ResizeDb { keys, expires } => assert!(announced.insert(db, (keys, expires)).is_none()),
            Read::Key { key, value, facts } => {
                let value = match value {
                    NewValue::Str(NewStr::Int(number)) => number.to_string().into_bytes(),
                    NewValue::Str(NewStr::Text(text) | NewStr::Raw(text)) => text.to_vec(),
                    NewValue::Str(NewStr::Shared(bytes)) => bytes.to_vec(),
                    NewValue::Other(value) => panic!("{value:?}"),
                };
                let old = model.insert((db, key.to_vec()), (value, facts.expiry.map(|at| at.0)));
                assert!(old.is_none(), "{} twice", key.escape_ascii());
            }
            _ => {}
        }
    }
    assert!(decoder.is_done());
    for (db, (keys, expires)) in announced {
        let of_db = || model.range((db, vec![])..(db + 1, vec![])).map(|(_, value)| value);
        assert_eq!((of_db().count() as u64, of_db().filter(|v| v.1.is_some()).count() as u64), (keys, expires));
    }
    model
}

struct Run {
    snapshot: Snapshot,
    chunks: Vec<Chunk>,
    now_us: u64,
}

impl Run {
    fn begin(keyspace: &mut Keyspace, settings: Settings) -> Run {
        Run { snapshot: Snapshot::begin(keyspace, &header(), settings, 0), chunks: Vec::new(), now_us: 0 }
    }

    /// One step in which the clock makes each segment take `us` microseconds.
    fn step(&mut self, keyspace: &mut Keyspace, us: u64) -> Progress {
        let now = &mut self.now_us;
        let progress = self.snapshot.step(keyspace, false, &mut || {
            *now += us;
            *now
        });
        while let Some(chunk) = self.snapshot.take(keyspace) {
            self.chunks.push(chunk);
        }
        progress
    }

    fn finish(mut self, keyspace: &mut Keyspace) -> Model {
        while self.step(keyspace, 200) != Progress::Done {}
        self.snapshot.end(keyspace);
        assert!(!keyspace.is_cutting());
        let mut bytes = Vec::new();
        let mut packer = Packer::new(true);
        for chunk in self.chunks {
            packer.pack(chunk, |piece| bytes.extend_from_slice(&piece));
        }
        bytes.extend_from_slice(&[0; 8]);
        read(&bytes)
    }
}

const COMPRESSED: Settings =
    Settings { compress: true, key_delay: 0, write_recency: WriteRecency::No, skip_keys: false, form: Form::Rdb };

/// Writes at random for `steps` steps; `model` follows.
fn churn(keyspace: &mut Keyspace, model: &mut Model, rng: &mut Rng, steps: u32) {
    for _ in 0..steps {
        let (db, key) = (rng.below(3) as u32, format!("key:{}", rng.below(4000)).into_bytes());
        match rng.below(100) {
            0..70 => {
                let value = match rng.below(4) {
                    0 => rng.next_u64().to_string().into_bytes(),
                    1 => vec![b'v'; rng.below(100) as usize],
                    2 => vec![b'w'; rng.below(20_000) as usize],
                    _ => b"7".to_vec(),
                };
                let expiry = rng.percent(30).then(|| UnixMillis(NOW.0 + 1 + rng.below(1_000_000) as i64));
                put(keyspace, db, &key, &value, expiry.map_or(Expiry::Clear, Expiry::At));
                model.insert((db, key), (value, expiry.map(|at| at.0)));
            }
            70..97 => {
                let removed = keyspace.db(db, Access::master(NOW)).remove(&key, SET);
                assert_eq!(removed, model.remove(&(db, key)).is_some());
            }
            97 => {
                let other = rng.below(3) as u32;
                keyspace.swap(db, other);
                let number = |n| {
                    if n == db {
                        other
                    } else if n == other {
                        db
                    } else {
                        n
                    }
                };
                *model = std::mem::take(model).into_iter().map(|((n, k), v)| ((number(n), k), v)).collect();
            }
            98 if rng.percent(10) => {
                keyspace.flush_db(db, if rng.percent(50) { FlushMode::Sync } else { FlushMode::Async });
                model.retain(|(n, _), _| *n != db);
            }
            _ => {
                let when = rng.percent(50).then(|| UnixMillis(NOW.0 + 1 + rng.below(1_000_000) as i64));
                let there = keyspace.db(db, Access::master(NOW)).expire_at(&key, when, SET);
                if let Some(value) = model.get_mut(&(db, key)) {
                    assert!(there);
                    value.1 = when.map(|at| at.0);
                }
            }
        }
    }
}

#[test]
fn an_image_holds_what_was_there_at_its_beginning_whatever_is_written_meanwhile() {
    for seed in 0..6 {
        let (mut keyspace, mut rng, mut model) = (keyspace(seed), Rng::seeded(seed), Model::new());
        churn(&mut keyspace, &mut model, &mut rng, 6000);
        for _ in 0..3 {
            let expected = model.clone();
            let mut run = Run::begin(&mut keyspace, COMPRESSED);
            let mut steps = 0;
            while run.step(&mut keyspace, 20 + rng.below(400)) != Progress::Done && steps < 1000 {
                let writes = rng.below(60) as u32;
                churn(&mut keyspace, &mut model, &mut rng, writes);
                steps += 1;
            }
            let image = run.finish(&mut keyspace);
            assert!(image == expected, "SEED={seed}: {} keys in the image, {} expected", image.len(), expected.len());
        }
    }
}

#[test]
fn an_empty_keyspace_gives_an_empty_image() {
    let mut keyspace = keyspace(1);
    assert!(Run::begin(&mut keyspace, COMPRESSED).finish(&mut keyspace).is_empty());
}

#[test]
fn a_slice_ends_when_its_time_is_over_and_the_longest_is_remembered() {
    let mut keyspace = keyspace(2);
    for i in 0..5000 {
        put(&mut keyspace, 0, format!("k{i}").as_bytes(), b"v", Expiry::Clear);
    }
    let mut run = Run::begin(&mut keyspace, COMPRESSED);
    assert_eq!(run.step(&mut keyspace, 100), Progress::More);
    let figures = run.snapshot.figures(&mut keyspace);
    assert!(figures.keys_done > 0 && figures.keys_done < 5000, "{figures:?}");
    assert!((SLICE_MAX_US / 4..=SLICE_MAX_US).contains(&figures.slice_max_us), "{figures:?}");
    assert_eq!((figures.keys_total, figures.keys_by_writes), (5000, 0));
    put(&mut keyspace, 0, b"new key in a segment not yet walked, or not", b"", Expiry::Clear);
    assert_eq!(run.finish(&mut keyspace).len(), 5000);
}

#[test]
fn a_full_consumer_stops_the_walk_but_no_write() {
    let mut keyspace = keyspace(3);
    for i in 0..2000 {
        put(&mut keyspace, 0, format!("k{i}").as_bytes(), b"before", Expiry::Clear);
    }
    let mut run = Run::begin(&mut keyspace, COMPRESSED);
    assert_eq!(run.snapshot.step(&mut keyspace, true, &mut || 0), Progress::Waiting);
    assert_eq!(run.snapshot.figures(&mut keyspace).keys_done, 0);
    put(&mut keyspace, 0, b"k7", b"after", Expiry::Clear);
    let figures = run.snapshot.figures(&mut keyspace);
    assert!(figures.keys_by_writes > 0 && figures.keys_by_writes == figures.keys_done);
    assert!(figures.waiting_bytes > 0);
    let image = run.finish(&mut keyspace);
    assert_eq!(image[&(0, b"k7".to_vec())].0, b"before");
}

#[test]
fn a_slice_goes_no_further_than_its_buffers() {
    let mut keyspace = keyspace(5);
    let value = [b'v'; 400];
    for i in 0..20_000 {
        put(&mut keyspace, 0, format!("k{i}").as_bytes(), &value, Expiry::Clear);
    }
    let mut run = Run::begin(&mut keyspace, Settings::default());
    assert!(!run.snapshot.give_buffers(&mut keyspace, || None));
    // Half of what it has use for is kept for writes.
    let mut left = BUFFERS / 2 + 3;
    let mut next = || {
        left = left.checked_sub(1)?;
        Some(Chunk::new(BUFFER, false))
    };
    assert!(run.snapshot.give_buffers(&mut keyspace, &mut next));
    assert_eq!(run.snapshot.step(&mut keyspace, false, &mut || 0), Progress::More);
    let figures = run.snapshot.figures(&mut keyspace);
    // Three whole chunks; two more segments at most.
    assert!((700..1800).contains(&figures.keys_done), "{figures:?}");
    put(&mut keyspace, 0, b"k7", b"after", Expiry::Clear);
    assert_eq!(run.finish(&mut keyspace).len(), 20_000);
}

#[test]
fn a_few_keys_need_no_buffer() {
    let mut keyspace = keyspace(6);
    for i in 0..100 {
        put(&mut keyspace, 0, format!("k{i}").as_bytes(), b"v", Expiry::Clear);
    }
    let mut run = Run::begin(&mut keyspace, Settings::default());
    assert!(run.snapshot.give_buffers(&mut keyspace, || panic!("it has no use for one")));
    assert_eq!(run.finish(&mut keyspace).len(), 100);
}

#[test]
fn a_delay_per_key_keeps_the_snapshot_running_so_long() {
    let mut keyspace = keyspace(4);
    for i in 0..10 {
        put(&mut keyspace, 0, format!("k{i}").as_bytes(), b"v", Expiry::Clear);
    }
    let slow = Settings { key_delay: 1000, ..COMPRESSED };
    let mut snapshot = Snapshot::begin(&mut keyspace, &header(), slow, 500);
    let mut until = 0;
    loop {
        match snapshot.step(&mut keyspace, false, &mut || until) {
            Progress::More => {}
            Progress::Until(due) => until = due,
            Progress::Done => break,
            Progress::Waiting => panic!("the consumer is not full"),
        }
    }
    assert_eq!(until, 500 + 10 * 1000);
    snapshot.end(&mut keyspace);
}

#[test]
fn giving_up_ends_the_cut() {
    let mut keyspace = keyspace(5);
    put(&mut keyspace, 0, b"a", b"1", Expiry::Clear);
    let mut run = Run::begin(&mut keyspace, COMPRESSED);
    put(&mut keyspace, 0, b"a", b"2", Expiry::Clear);
    assert!(run.snapshot.take(&mut keyspace).is_none(), "not a full chunk yet");
    run.snapshot.end(&mut keyspace);
    assert!(!keyspace.is_cutting());
    let image = Run::begin(&mut keyspace, COMPRESSED).finish(&mut keyspace);
    assert_eq!(image[&(0, b"a".to_vec())].0, b"2");
    run = Run::begin(&mut keyspace, Settings { skip_keys: true, ..COMPRESSED });
    assert!(run.finish(&mut keyspace).is_empty());
}

#[test]
fn recency_is_written_as_the_policy_asks() {
    let mut keyspace = keyspace(6);
    put(&mut keyspace, 0, b"a", b"1", Expiry::Clear);
    let facts_with = |keyspace: &mut Keyspace, write_recency| {
        let header = Header { created: UnixMillis(NOW.0 + 60_000), ..header() };
        let settings = Settings { write_recency, ..COMPRESSED };
        let mut snapshot = Snapshot::begin(keyspace, &header, settings, 0);
        while snapshot.step(keyspace, false, &mut || 0) != Progress::Done {}
        let mut bytes = Vec::new();
        while let Some(chunk) = snapshot.take(keyspace) {
            Packer::new(true).pack(chunk, |piece| bytes.extend_from_slice(&piece));
        }
        snapshot.end(keyspace);
        let (mut decoder, mut input) = (Decoder::default(), &bytes[..]);
        loop {
            if let Read::Key { facts, .. } = decoder.next(&mut input).unwrap().unwrap() {
                return (facts.idle, facts.freq);
            }
        }
    };
    assert_eq!(facts_with(&mut keyspace, WriteRecency::No), (None, None));
    assert_eq!(facts_with(&mut keyspace, WriteRecency::Idle), (Some(60), None));
    assert!(matches!(facts_with(&mut keyspace, WriteRecency::Frequency), (None, Some(_))));
}
