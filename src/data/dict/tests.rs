//! Random operations against a plain model, with good hashes and bad ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;

fn key(rng: &mut Rng, range: u64) -> Vec<u8> {
    let n = rng.below(range);
    let mut key = format!("key:{n}").into_bytes();
    // Some keys are long, a few very long; the number decides, so that they come again.
    match n % 37 {
        3 => key.resize(300, b'.'),
        5 => key.resize(1500, b'.'),
        _ => {}
    }
    key
}

fn value(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.below(20) {
        0 => rng.below(3000),
        1 => rng.between(100, 130),
        2 => rng.between(1000, 1030),
        _ => rng.below(24),
    };
    vec![rng.next_u64() as u8; len as usize]
}

#[test]
fn a_map_behaves_like_a_plain_map() {
    for seed in 0..20 {
        let mut rng = Rng::seeded(seed);
        let mut dict = MapDict::new();
        dict.seed.keep = [u64::MAX, u64::MAX, 0x0300_0000_0000_00ff, 0, 0xff00_0000_0000_0000][seed as usize % 5];
        let range = [10, 300, 5000][rng.below(3) as usize];
        let mut model: BTreeMap<Vec<u8>, (Vec<u8>, Option<UnixMillis>)> = BTreeMap::new();
        // Grows and shrinks by turns.
        for phase in 0..6 {
            for _ in 0..1000 {
                let key = key(&mut rng, range);
                if rng.percent(if phase % 2 == 0 { 75 } else { 20 }) {
                    let value = value(&mut rng);
                    let expiry = rng.percent(20).then(|| UnixMillis(rng.next_u64() as i64));
                    let shared = Bytes::from(value.clone());
                    let fresh = if rng.percent(50) { Fresh::Copied(&value) } else { Fresh::Shared(&shared) };
                    let is_new = dict.set(&key, fresh, expiry);
                    assert_eq!(is_new, model.insert(key.clone(), (value, expiry)).is_none(), "seed {seed}");
                } else {
                    assert_eq!(dict.remove(&key), model.remove(&key).is_some(), "seed {seed}");
                }
                let got = dict.get(&key).map(|entry| (entry.value.to_vec(), entry.expiry));
                assert_eq!(got, model.get(&key).cloned(), "seed {seed}");
            }
            dict.check();
            let copy = if rng.percent(50) { dict.clone() } else { std::mem::take(&mut dict) };
            let all: BTreeMap<_, _> = copy.iter().map(|e| (e.key.to_vec(), (e.value.to_vec(), e.expiry))).collect();
            assert_eq!(all, model, "seed {seed}");
            dict = copy;
        }
    }
}

#[test]
fn a_set_behaves_like_a_plain_set() {
    for seed in 0..3 {
        let mut rng = Rng::seeded(seed);
        let mut dict = KeyDict::new();
        let mut model = BTreeSet::new();
        for phase in 0..4 {
            for _ in 0..4000 {
                let key = key(&mut rng, 9000);
                if rng.percent(if phase % 2 == 0 { 80 } else { 10 }) {
                    assert_eq!(dict.insert(&key), model.insert(key));
                } else {
                    assert_eq!(dict.remove(&key), model.remove(&key));
                }
            }
            dict.check();
            assert_eq!(dict.iter().map(|e| e.key.to_vec()).collect::<BTreeSet<_>>(), model);
        }
        while let Some(spot) = dict.random(&mut rng) {
            assert!(model.remove(dict.entry(spot).key));
            dict.remove_at(spot);
        }
        assert!(model.is_empty() && dict.is_empty());
        dict.check();
        assert!(dict.memory() < 4096, "{}", dict.memory());
    }
}

#[test]
fn a_scan_sees_everything_that_stays_whatever_happens_meanwhile() {
    for seed in 0..24 {
        let mut rng = Rng::seeded(seed);
        let mut dict = KeyDict::new();
        if seed % 4 == 3 {
            dict.seed.keep = 0x0700_0000_0000_00ff;
        }
        let stay = [5, 200, 3000][rng.below(3) as usize];
        let mut others = rng.below(20_000);
        (0..stay).for_each(|i| _ = dict.insert(format!("stay:{i}").as_bytes()));
        (0..others).for_each(|i| _ = dict.insert(format!("other:{i}").as_bytes()));
        let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut cursor = 0;
        loop {
            let count = rng.between(1, 40) as usize;
            let mut here = 0;
            cursor = dict.scan(cursor, count, &mut |entry| {
                here += 1;
                if entry.key.starts_with(b"stay") {
                    *seen.entry(entry.key.to_vec()).or_default() += 1;
                }
            });
            if cursor == 0 {
                break;
            }
            assert!(here >= count && (here < count + 64 || seed % 4 == 3), "{here} of {count}");
            if rng.percent(20) {
                if rng.percent(50) {
                    let more = others + rng.below(3000);
                    (others..more).for_each(|i| _ = dict.insert(format!("other:{i}").as_bytes()));
                    others = more;
                } else {
                    let fewer = others - rng.below(others.min(5000) + 1);
                    (fewer..others).for_each(|i| _ = dict.remove(format!("other:{i}").as_bytes()));
                    others = fewer;
                }
            }
        }
        assert_eq!(seen.len(), stay as usize, "seed {seed}");
        assert!(seen.values().all(|&times| times == 1), "seed {seed}");
    }
}

#[test]
fn any_cursor_is_harmless() {
    let mut rng = Rng::seeded(4);
    let mut dict = KeyDict::new();
    for i in 0..3000u32 {
        dict.insert(&i.to_le_bytes());
        if i % 100 == 0 {
            for _ in 0..100 {
                let mut cursor = rng.next_u64() >> rng.below(64);
                for _ in 0..4 {
                    cursor = dict.scan(cursor, 10, &mut |_| ());
                }
            }
        }
    }
}

#[test]
fn random_elements_have_the_same_chance() {
    let mut rng = Rng::seeded(11);
    // In the middle of a round: some segments are twice as wide as others.
    for n in [1u32, 10, 60, 150, 1700] {
        let mut dict = KeyDict::new();
        (0..n).for_each(|i| _ = dict.insert(&i.to_le_bytes()));
        let mut drawn = vec![0u32; n as usize];
        let draws = n * 400;
        for _ in 0..draws {
            let spot = dict.random(&mut rng).unwrap();
            drawn[u32::from_le_bytes(dict.entry(spot).key.try_into().unwrap()) as usize] += 1;
        }
        // 400 expected with a deviation of 20: six of them away is one in a billion.
        assert!(drawn.iter().all(|&times| (280..=520).contains(&times)), "{n}: {drawn:?}");
    }
}

#[test]
fn elements_take_the_memory_that_was_promised() {
    let mut worst = [0f64; 2];
    let (mut set, mut map) = (KeyDict::new(), MapDict::new());
    for i in 0..60_000u32 {
        let key = format!("element:{i:08}");
        set.insert(key.as_bytes());
        map.set(key.as_bytes(), Fresh::Copied(b"sixteen bytes..."), None);
        if i > 1000 && i.is_multiple_of(97) {
            worst[0] = worst[0].max(set.memory() as f64 / set.len() as f64);
            worst[1] = worst[1].max(map.memory() as f64 / map.len() as f64);
        }
    }
    assert!(worst[0] < 28.0 && worst[1] < 48.0, "{worst:?}");
    (0..59_000u32).for_each(|i| _ = map.remove(format!("element:{i:08}").as_bytes()));
    let rest = map.memory() as f64 / map.len() as f64;
    assert!(rest < 70.0, "{rest} bytes per element are left");
}

#[test]
fn an_overwritten_value_does_not_make_the_table_grow() {
    let mut map = MapDict::new();
    (0..1000u32).for_each(|i| _ = map.set(&i.to_le_bytes(), Fresh::Copied(&[1; 20]), None));
    let before = map.memory();
    let mut rng = Rng::seeded(3);
    for _ in 0..30_000 {
        let value = vec![2; rng.between(16, 24) as usize];
        map.set(&(rng.below(1000) as u32).to_le_bytes(), Fresh::Copied(&value), None);
    }
    map.check();
    assert!(map.memory() < before * 13 / 10, "{before} {}", map.memory());
}

#[test]
fn a_long_value_can_be_kept_without_a_copy() {
    let mut map = MapDict::new();
    let long = Bytes::from(vec![7; 100_000]);
    map.set(b"f", Fresh::Shared(&long), None);
    let entry = map.get(b"f").unwrap();
    assert_eq!(entry.shared.unwrap().as_ptr(), long.as_ptr());
    assert_eq!(map.allocations(), 3);
    assert!(map.remove(b"f"));
    assert_eq!(map.allocations(), 1);
}

#[test]
fn a_sweep_takes_out_what_is_over_and_nothing_else() {
    for seed in 0..12 {
        let mut rng = Rng::seeded(seed);
        let mut map = MapDict::new();
        let mut model: BTreeMap<Vec<u8>, Option<i64>> = BTreeMap::new();
        let mut now = 0;
        for _ in 0..150 {
            for _ in 0..rng.below(60) {
                let key = key(&mut rng, 4000);
                let expiry = rng.percent(70).then(|| now + rng.below(3000) as i64);
                match (rng.below(4), map.find(&key)) {
                    (0, Some(spot)) => map.set_expiry(spot, expiry.map(UnixMillis)),
                    (1, Some(spot)) => {
                        map.set_value(spot, Fresh::Copied(b"another"));
                        continue;
                    }
                    (2, _) => {
                        assert_eq!(map.remove(&key), model.remove(&key).is_some());
                        continue;
                    }
                    _ => _ = map.set(&key, Fresh::Copied(&key), expiry.map(UnixMillis)),
                }
                model.insert(key, expiry);
            }
            now += rng.below(200) as i64;
            let max = rng.below(50) as usize;
            loop {
                let mut gone = Vec::new();
                let is_done = map.expire(UnixMillis(now), max, &mut |key| gone.push(key.to_vec()));
                for key in gone {
                    assert!(model.remove(&key).unwrap().unwrap() < now, "seed {seed}");
                }
                if is_done {
                    break;
                }
            }
            map.check();
            assert!(model.values().flatten().all(|&when| when >= now), "seed {seed}");
            assert_eq!(map.len(), model.len());
            let earliest = model.values().flatten().min().copied();
            assert_eq!(map.due().is_some(), earliest.is_some());
            assert!(map.due().is_none_or(|due| due.0 <= earliest.unwrap()));
        }
    }
}
