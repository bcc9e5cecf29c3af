//! The table against a plain model, and the promises of SCAN, the sweep and random draws.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::base::rng::steps;
use crate::data::string::IntText;
use crate::data::string::NewStr;

#[derive(Clone, Debug, PartialEq)]
struct Plain {
    text: Vec<u8>,
    expiry: Option<UnixMillis>,
    recency: u32,
}

type Model = BTreeMap<Vec<u8>, Plain>;

fn seeds() -> Vec<u64> {
    match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (1..=u64::from(steps(12, 1))).collect(),
    }
}

fn table(rng: &mut Rng, keep: u64) -> Table {
    let mut hasher = KeyHasher::new(rng);
    hasher.keep = keep;
    Table::new(0, hasher, Pager::default())
}

fn random_text(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.below(40) {
        0 => rng.between(4000, 9000),
        1 => rng.between(200, 600),
        2..=9 => return (rng.next_u64() as i64 >> rng.below(64)).to_string().into_bytes(),
        _ => rng.below(60),
    };
    vec![b'a' + rng.below(26) as u8; len as usize]
}

fn random_key(rng: &mut Rng, space: u64) -> Vec<u8> {
    let id = rng.below(space);
    match id % 97 {
        0 => format!("{id}{}", "long".repeat(100)).into_bytes(),
        1 => format!("{id}{}", "huge".repeat(3000)).into_bytes(),
        _ => format!("key:{id}").into_bytes(),
    }
}

fn random_expiry(rng: &mut Rng) -> Option<UnixMillis> {
    rng.percent(40).then(|| UnixMillis(rng.below(1000) as i64))
}

fn find(table: &Table, key: &[u8]) -> Option<Loc> {
    table.find(table.hasher.hash(key), key)
}

fn insert(table: &mut Table, key: &[u8], text: &[u8], expiry: Option<UnixMillis>, recency: u32) {
    let hash = table.hasher.hash(key);
    table.insert(hash, key, NewStr::Text(text).into(), expiry, recency);
}

fn plain(entry: EntryRef<'_>) -> Plain {
    Plain { text: entry.string().unwrap().to_vec(), expiry: entry.expiry(), recency: entry.recency() }
}

/// Everything that must hold between operations.
fn check(table: &Table, model: &Model) {
    assert_eq!(table.len(), model.len());
    let expiries: Vec<i64> = model.values().filter_map(|p| p.expiry).map(|t| t.0).collect();
    assert_eq!(table.expires_len(), expiries.len());
    assert_eq!(table.expiry_sum(), expiries.iter().map(|&t| i128::from(t)).sum());
    assert_eq!(table.directory.len(), 1 << table.depth());
    let (mut seen, mut outside, mut depths) = (BTreeMap::new(), 0, [0; MAX_DEPTH]);
    let mut position = Some(0);
    while let Some(at) = position {
        let segment = table.segment(at);
        let header = segment.header();
        depths[segment.depth() as usize] += 1;
        let word = table.word_of(at);
        let span = 1usize << (table.depth() - segment.depth());
        assert_eq!(word % span, 0);
        assert!(table.directory[word..word + span].iter().all(|&s| s == segment));
        assert_eq!(segment.slots().count(), header.count as usize);
        assert_eq!(segment.slots().filter(|s| s.has(EXPIRES)).count(), header.expires as usize);
        for slot in segment.slots() {
            let entry = slot.entry();
            let hash = table.hasher.hash(entry.key());
            assert_eq!(slot.tag(), hash & 0xffff);
            assert_eq!(table.segment(hash), segment);
            assert_eq!(slot.has(EXPIRES), entry.expiry().is_some());
            assert!(entry.expiry().is_none_or(|t| t.0 + scan::LATE_MS >= header.due));
            outside += usize::from(slot.has(OUTSIDE));
            assert_eq!(table.find(hash, entry.key()).map(|loc| table.slot(loc)), Some(slot));
            assert!(seen.insert(entry.key().to_vec(), plain(entry)).is_none(), "a key is there twice");
        }
        position = table.after_segment(at);
    }
    assert_eq!(&seen, model);
    assert_eq!((outside, depths), (table.outside, table.at_depth));
}

/// After most keys are gone, moving the others gives most of the memory back, while the table is used.
#[test]
fn gaps_are_closed_by_moving_entries() {
    for seed in seeds() {
        println!("SEED={seed}");
        let mut rng = Rng::seeded(seed);
        let mut table = table(&mut rng, u64::MAX);
        let mut model = Model::new();
        for number in 0..u64::from(steps(30_000, 1500)) {
            let text = vec![b'a'; [20, 100, 250][rng.below(3) as usize]];
            let (key, expiry) = (format!("key:{number}").into_bytes(), random_expiry(&mut rng));
            insert(&mut table, &key, &text, expiry, 7);
            model.insert(key, Plain { text, expiry, recency: 7 });
        }
        let gone: Vec<Vec<u8>> = model.keys().filter(|_| !rng.percent(10)).cloned().collect();
        for key in gone {
            let loc = find(&table, &key).unwrap();
            drop(table.remove(loc));
            model.remove(&key);
        }
        let (used, before) = table.arena_figures();
        let mut moves = Moves::default();
        for round in 0..steps(40, 4) {
            let mut many = 0;
            while table.defrag_step(&mut moves) {
                // Somebody writes meanwhile.
                if rng.percent(20) {
                    let key = format!("new:{}", rng.below(500)).into_bytes();
                    match find(&table, &key) {
                        Some(loc) => {
                            drop(table.remove(loc));
                            model.remove(&key);
                        }
                        None => {
                            let text = vec![b'b'; 100];
                            insert(&mut table, &key, &text, None, 1);
                            model.insert(key, Plain { text, expiry: None, recency: 1 });
                        }
                    }
                }
                many += 1;
                assert!(many < 100_000);
            }
            if round % 8 == 0 {
                check(&table, &model);
            }
        }
        check(&table, &model);
        let (_, after) = table.arena_figures();
        println!("used {used}, mapped {before}, then {after}; {moves:?}");
        if !cfg!(miri) {
            assert!(after * 2 < before && after < used * 2 + 1_500_000, "{used} {before} {after}");
            assert!(moves.moved > 0);
        }
        for key in std::mem::take(&mut model).into_keys() {
            let loc = find(&table, &key).unwrap();
            drop(table.remove(loc));
        }
        check(&table, &model);
    }
}

fn random_walk(seed: u64, keep: u64, many: u32) {
    println!("SEED={seed}");
    let mut rng = Rng::seeded(seed);
    let mut table = table(&mut rng, keep);
    let mut model = Model::new();
    let space = [10, 200, 3000][rng.below(3) as usize];
    let mut growing = true;
    let many = steps(many, many / 40);
    for step in 0..many {
        if rng.below(2000) == 0 {
            growing = !growing;
        }
        if seed.is_multiple_of(2) {
            table.defrag_step(&mut Moves::default());
        }
        let key = random_key(&mut rng, space);
        let (text, expiry, recency) = (random_text(&mut rng), random_expiry(&mut rng), rng.below(1 << 24) as u32);
        match (find(&table, &key), rng.below(if growing { 10 } else { 30 })) {
            (None, 0..=7) => {
                assert!(!model.contains_key(&key));
                insert(&mut table, &key, &text, expiry, recency);
                model.insert(key, Plain { text, expiry, recency });
            }
            (None, _) => assert!(!model.contains_key(&key)),
            (Some(loc), 0..=1) => {
                table.replace(loc, NewStr::Text(&text).into(), expiry, recency);
                model.insert(key, Plain { text, expiry, recency });
            }
            (Some(loc), 2..=3) => {
                table.set_expiry(loc, expiry);
                model.get_mut(&key).unwrap().expiry = expiry;
            }
            (Some(loc), 4..=5) => {
                let plain = model.get_mut(&key).unwrap();
                let len = rng.below(plain.text.len() as u64 * 2 + 10) as usize;
                let at = rng.below(len.max(plain.text.len()).max(1) as u64) as usize;
                plain.text.resize(plain.text.len().max(len), 0);
                if let Some(byte) = plain.text.get_mut(at) {
                    *byte = 7;
                }
                table.edit_bytes(loc, len, |text| text.get_mut(at).map(|byte| *byte = 7));
                assert!(table.entry(loc).string().unwrap().as_int().is_none());
            }
            (Some(loc), 6) => {
                table.set_recency(loc, recency);
                model.get_mut(&key).unwrap().recency = recency;
            }
            (Some(loc), _) => {
                table.remove(loc);
                assert!(model.remove(&key).is_some());
            }
        }
        if step % 500 == 0 {
            check(&table, &model);
        }
    }
    check(&table, &model);
    for key in std::mem::take(&mut model).into_keys() {
        table.remove(find(&table, &key).expect("it is in the model"));
    }
    check(&table, &model);
    assert_eq!((table.directory.len(), table.directory[0].buckets()), (1, 1), "an emptied table is small again");
}

#[test]
fn it_behaves_as_a_plain_map() {
    seeds().into_iter().for_each(|seed| random_walk(seed, u64::MAX, 8000));
}

#[test]
fn a_bad_hash_makes_it_slow_but_not_wrong() {
    random_walk(1, 0, 2000);
    random_walk(2, 0xff, 4000);
    random_walk(3, 0xff << 56, 4000);
    random_walk(5, 0xffff << 16, 4000);
}

#[test]
fn a_directory_stays_proportional_under_a_bad_hash() {
    let mut rng = Rng::seeded(1);
    // All keys agree in the leading 40 bits.
    let mut table = table(&mut rng, 0x00ff_ffff);
    let keys = steps(20_000, 500);
    for i in 0..keys {
        insert(&mut table, &i.to_le_bytes(), b"", None, 0);
    }
    assert!(table.directory.len() <= keys as usize / 16, "{}", table.directory.len());
    assert!((0..keys).all(|i| find(&table, &i.to_le_bytes()).is_some()));
}

#[test]
#[cfg_attr(miri, ignore = "statistics of many keys")]
fn the_index_takes_about_ten_bytes_per_key_at_any_size() {
    let mut rng = Rng::seeded(1);
    let mut table = table(&mut rng, u64::MAX);
    let (mut worst, mut sum, mut samples) = (0.0f64, 0.0, 0);
    for i in 0..120_000u32 {
        insert(&mut table, &i.to_le_bytes(), b"", None, 0);
        if i > 20_000 && i % 1000 == 0 {
            let per_key = table.index_memory() as f64 / f64::from(i);
            worst = worst.max(per_key);
            sum += per_key;
            samples += 1;
        }
    }
    let average = sum / f64::from(samples);
    assert!(worst < 11.5 && average < 10.8, "worst {worst}, average {average}");
}

#[test]
fn an_announced_size_needs_no_split() {
    let mut rng = Rng::seeded(1);
    let mut reserved = table(&mut rng, u64::MAX);
    let keys = steps(50_000, 1000);
    reserved.reserve(keys as usize);
    let words = reserved.directory.len();
    for i in 0..keys {
        insert(&mut reserved, &i.to_le_bytes(), b"v", None, 0);
    }
    assert_eq!(reserved.directory.len(), words);
    reserved.reserve(1 << 20);
    assert_eq!(reserved.directory.len(), words, "a table with keys takes no announcement");
}

#[test]
fn what_a_table_holds_is_given_back_with_it() {
    let mut rng = Rng::seeded(4);
    let shared = Bytes::from(vec![1u8; 10_000]);
    let mut table = table(&mut rng, u64::MAX);
    for i in 0..steps(3000, 300) {
        let hash = table.hasher.hash(&i.to_le_bytes());
        table.insert(hash, &i.to_le_bytes(), NewStr::Shared(shared.clone()).into(), None, 0);
    }
    insert(&mut table, &[b'k'; 50_000], b"value of a large key", None, 0);
    assert!(!shared.is_unique());
    drop(table);
    assert!(shared.is_unique());
}

#[test]
fn a_shared_value_is_edited_in_place_unless_somebody_holds_it() {
    let mut rng = Rng::seeded(4);
    let mut table = table(&mut rng, u64::MAX);
    let hash = table.hasher.hash(b"k");
    table.insert(hash, b"k", NewStr::Shared(Bytes::from(vec![1u8; 10_000])).into(), None, 0);
    let loc = find(&table, b"k").unwrap();
    let address = |table: &Table| match table.entry(loc).string().unwrap() {
        crate::data::string::StrView::Shared(bytes) => bytes.as_ptr(),
        _ => panic!("it is shared"),
    };
    let before = address(&table);
    table.edit_bytes(loc, 0, |text| text[0] = 2);
    assert_eq!(address(&table), before);
    let held = match table.entry(loc).string().unwrap() {
        crate::data::string::StrView::Shared(bytes) => bytes.clone(),
        _ => panic!("it is shared"),
    };
    table.edit_bytes(loc, 12_000, |text| text[0] = 3);
    assert_eq!((held[0], held.len()), (2, 10_000));
    assert_eq!(table.entry(loc).string().unwrap().as_bytes(&mut IntText::new())[..2], [3, 1]);
    assert_eq!(table.entry(loc).string().unwrap().len(), 12_000);
    table.set_expiry(loc, Some(UnixMillis(5)));
    table.set_expiry(loc, None);
    assert_eq!(table.entry(loc).string().unwrap().len(), 12_000);
}

#[test]
fn a_scan_of_a_table_at_rest_visits_each_key_once() {
    for count in [1, 7, 10, 100, 100_000] {
        for keys in [0, 1, 5, steps(300, 60), steps(6000, 200)] {
            let mut rng = Rng::seeded(u64::from(keys));
            let mut table = table(&mut rng, u64::MAX);
            (0..keys).for_each(|i| insert(&mut table, &i.to_le_bytes(), b"", None, 0));
            let (mut cursor, mut seen, mut calls) = (0, Vec::new(), 0u32);
            loop {
                let before = seen.len();
                cursor = table.scan(cursor, count, &mut |entry| seen.push(entry.key().to_vec()));
                assert!(seen.len() - before <= 3 * count + 60, "{} for {count}", seen.len() - before);
                calls += 1;
                if cursor == 0 {
                    break;
                }
            }
            assert!(calls <= 1 + keys / count as u32, "{calls} calls for {keys} keys by {count}");
            seen.sort();
            let distinct: BTreeSet<_> = seen.iter().cloned().collect();
            assert_eq!((seen.len(), distinct.len()), (keys as usize, keys as usize));
        }
    }
}

#[test]
fn a_scan_visits_every_key_that_stays_while_the_table_grows_and_shrinks() {
    for seed in seeds() {
        println!("SEED={seed}");
        let mut rng = Rng::seeded(seed);
        let mut table = table(&mut rng, u64::MAX);
        let staying = rng.below(u64::from(steps(3000, 100))) as u32;
        (0..staying).for_each(|i| insert(&mut table, &i.to_le_bytes(), b"", None, 0));
        let mut passing: Vec<u32> = Vec::new();
        let (mut cursor, mut next, mut seen) = (0, 1_000_000u32, BTreeSet::new());
        loop {
            let count = rng.between(1, 40) as usize;
            cursor = table.scan(cursor, count, &mut |entry| {
                seen.insert(u32::from_le_bytes(entry.key().try_into().unwrap()));
            });
            if cursor == 0 {
                break;
            }
            // Now and then many come or go, so that segments split and merge and the directory doubles and halves.
            let many = if rng.percent(5) {
                rng.below(u64::from(steps(20_000, 200)))
            } else {
                rng.below(u64::from(steps(100, 10)))
            };
            for _ in 0..many {
                if rng.percent(50) {
                    insert(&mut table, &next.to_le_bytes(), b"", None, 0);
                    passing.push(next);
                    next += 1;
                }
            }
            let stay = if rng.percent(10) { 0 } else { passing.len() - passing.len() / 20 };
            for id in passing.drain(stay..) {
                table.remove(find(&table, &id.to_le_bytes()).unwrap());
            }
        }
        assert!((0..staying).all(|id| seen.contains(&id)));
    }
}

#[test]
#[cfg_attr(miri, ignore = "walks through millions of empty regions")]
fn any_number_is_a_harmless_cursor() {
    let mut rng = Rng::seeded(11);
    let mut table = table(&mut rng, u64::MAX);
    (0..5000u32).for_each(|i| insert(&mut table, &i.to_le_bytes(), b"", None, 0));
    for _ in 0..3000 {
        let mut cursor = rng.next_u64() >> rng.below(64);
        for _ in 0..3 {
            cursor = table.scan(cursor, 10, &mut |_| {});
        }
    }
    let mut cursor = u64::MAX;
    for _ in 0..5000 {
        cursor = table.scan(cursor, 10, &mut |_| {});
        if cursor == 0 {
            return;
        }
    }
    panic!("an iteration from the last cursor ends");
}

#[test]
#[cfg_attr(miri, ignore = "statistics of many keys")]
fn random_draws_are_even() {
    let mut rng = Rng::seeded(3);
    let mut table = table(&mut rng, u64::MAX);
    assert_eq!(table.random(&mut rng), None);
    // A number at which some segments have split and others have not.
    let keys = 3600u32;
    (0..keys).for_each(|i| insert(&mut table, &i.to_le_bytes(), b"", None, 0));
    let mut drawn = vec![0u32; keys as usize];
    for _ in 0..keys * 50 {
        let loc = table.random(&mut rng).unwrap();
        drawn[u32::from_le_bytes(table.entry(loc).key().try_into().unwrap()) as usize] += 1;
    }
    assert!(drawn.iter().all(|&n| (15..=100).contains(&n)), "{:?}", (drawn.iter().min(), drawn.iter().max()));
    (1..keys).for_each(|i| {
        table.remove(find(&table, &i.to_le_bytes()).unwrap());
    });
    assert!(table.random(&mut rng).is_some());
}

#[test]
fn the_sweep_finds_every_key_that_is_over_and_then_rests() {
    for seed in seeds() {
        println!("SEED={seed}");
        let mut rng = Rng::seeded(seed);
        let mut table = table(&mut rng, u64::MAX);
        let mut model: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        for round in 0..i64::from(steps(40, 6)) {
            let now = UnixMillis(round * 100);
            for _ in 0..rng.below(u64::from(steps(400, 40))) {
                let key = random_key(&mut rng, 2000);
                let when = now.0 + rng.below(1500) as i64;
                match find(&table, &key) {
                    Some(loc) if rng.percent(20) => {
                        table.remove(loc);
                        model.remove(&key);
                    }
                    Some(loc) => {
                        table.set_expiry(loc, Some(UnixMillis(when)));
                        model.insert(key, when);
                    }
                    None => {
                        insert(&mut table, &key, b"v", Some(UnixMillis(when)), 0);
                        model.insert(key, when);
                    }
                }
            }
            let (mut keys, mut ends) = (Vec::new(), Vec::new());
            loop {
                let swept = table.sweep(now, 3, &mut keys, &mut ends);
                let mut start = 0;
                for end in ends.drain(..) {
                    let key = &keys[start..end];
                    assert!(model.remove(key).is_some_and(|when| when < now.0), "only keys that are over");
                    table.remove(find(&table, key).unwrap());
                    start = end;
                }
                keys.clear();
                if swept == Swept::All {
                    break;
                }
            }
            assert!(model.values().all(|&when| when + scan::LATE_MS >= now.0), "all keys that have been over for long");
            assert_eq!(table.sweep(now, 1, &mut keys, &mut ends), Swept::All);
        }
    }
}
