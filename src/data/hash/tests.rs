//! Random operations against a plain model, across the encodings.

use std::collections::BTreeMap;

use super::*;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<UnixMillis>)>;

fn text(rng: &mut Rng, longest: u64) -> Vec<u8> {
    match rng.below(3) {
        0 => rng.below(50).to_string().into_bytes(),
        1 => format!("f{}", rng.below(40)).into_bytes(),
        _ => vec![b'x'; rng.below(longest + 1) as usize],
    }
}

fn content(hash: &Hash) -> Model {
    hash.iter().map(|field| (field.name.to_vec(), (field.value.to_vec(), field.expiry))).collect()
}

fn check(hash: &Hash, model: &Model) {
    assert_eq!(&content(hash), model);
    assert_eq!((hash.len(), hash.is_empty()), (model.len(), model.is_empty()));
    let earliest = model.values().filter_map(|(_, expiry)| *expiry).min();
    assert_eq!(hash.has_expiries(), earliest.is_some());
    assert!(hash.due().is_none_or(|due| due <= earliest.unwrap()));
    if let Repr::Timed(triplets) = &hash.0 {
        let order: Vec<_> = hash.iter().map(|field| field.expiry.map_or(i64::MAX, |when| when.0)).collect();
        assert!(order.is_sorted(), "{triplets:?}");
    }
}

#[test]
fn a_hash_behaves_like_a_plain_map_in_every_encoding() {
    let mut met = [false; 3];
    for seed in 0..150 {
        let mut rng = Rng::seeded(seed);
        let limits = Limits {
            hash_max_listpack_entries: [0, 8, 100, 1000][rng.below(4) as usize],
            hash_max_listpack_value: [10, 64][rng.below(2) as usize],
            ..Limits::DEFAULT
        };
        let longest = [5, 80][rng.below(2) as usize];
        let is_timed = rng.percent(60);
        let (mut hash, mut model, mut now) = (Hash::default(), Model::new(), 1000);
        for _ in 0..150 {
            let (name, value) = (text(&mut rng, longest), text(&mut rng, longest));
            let when = UnixMillis(now + rng.between(1, 200) as i64);
            let old = model.get(&name).and_then(|(_, expiry)| *expiry);
            match rng.below(8) {
                0 => assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
                1 if is_timed => {
                    let expiry = rng.percent(70).then_some(when);
                    let held = model.get_mut(&name);
                    assert_eq!(hash.set_expiry(&name, expiry), held.is_some());
                    held.into_iter().for_each(|held| held.1 = expiry);
                }
                2 if is_timed => {
                    now += rng.below(80) as i64;
                    let max = rng.between(1, 10) as usize;
                    let mut gone = Vec::new();
                    while !hash.expire(UnixMillis(now), max, &mut |name| gone.push(name.to_vec())) {}
                    for name in gone {
                        assert!(model.remove(&name).unwrap().1.unwrap().0 < now);
                    }
                    assert!(model.values().all(|(_, expiry)| expiry.is_none_or(|when| when.0 >= now)));
                    assert_eq!(hash.count_over(UnixMillis(now)), 0);
                }
                _ => {
                    let ttl = match rng.below(3) {
                        0 => Ttl::Keep,
                        1 if is_timed => Ttl::At(when),
                        _ => Ttl::Clear,
                    };
                    if rng.percent(20) {
                        hash.expect([&name[..], &value].into_iter(), &limits);
                    }
                    let is_new = hash.set(&name, Fresh::Copied(&value), ttl, &limits);
                    let expiry = match ttl {
                        Ttl::Keep => old,
                        Ttl::Clear => None,
                        Ttl::At(when) => Some(when),
                    };
                    assert_eq!(is_new, model.insert(name.clone(), (value, expiry)).is_none(), "seed {seed}");
                }
            }
            let got = hash.get(&name).map(|field| (field.value.to_vec(), field.expiry));
            assert_eq!(got, model.get(&name).cloned());
            check(&hash, &model);
            met[match hash.0 {
                Repr::Packed(_) => 0,
                Repr::Timed(_) => 1,
                Repr::Table(_) => 2,
            }] = true;
        }
        let mut seen = Model::new();
        let mut cursor = 0;
        loop {
            cursor = hash.scan(cursor, 5, &mut |field| {
                seen.insert(field.name.to_vec(), (field.value.to_vec(), field.expiry));
            });
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen, model);
        assert_eq!(hash.random(&mut rng).is_some(), !model.is_empty());
        let copy = hash.clone();
        model.keys().for_each(|name| assert!(hash.remove(name)));
        assert!(hash.is_empty());
        check(&copy, &model);
    }
    assert_eq!(met, [true; 3]);
}

#[test]
fn a_small_hash_is_one_block_and_the_limits_are_those_of_the_directives() {
    let limits = Limits { hash_max_listpack_entries: 128, ..Limits::DEFAULT };
    let mut hash = Hash::default();
    for i in 0..10 {
        hash.set(format!("f{i}").as_bytes(), Fresh::Copied(b"value.."), Ttl::Clear, &limits);
    }
    assert_eq!((hash.encoding(), hash.free_effort()), (Encoding::Listpack, 1));
    assert!(hash.memory() <= 160, "{}", hash.memory());
    let mut long = hash.clone();
    long.set(b"f0", Fresh::Copied(&[b'x'; 64]), Ttl::Clear, &limits);
    assert_eq!(long.encoding(), Encoding::Listpack);
    long.set(b"f0", Fresh::Copied(&[b'x'; 65]), Ttl::Clear, &limits);
    assert_eq!((long.encoding(), long.len()), (Encoding::Hashtable, 10));
    for i in 10..128 {
        hash.set(format!("f{i}").as_bytes(), Fresh::Copied(b"1"), Ttl::Clear, &limits);
    }
    assert_eq!(hash.encoding(), Encoding::Listpack);
    hash.set(b"one more", Fresh::Copied(b"1"), Ttl::Clear, &limits);
    assert_eq!((hash.encoding(), hash.len()), (Encoding::Hashtable, 129));
    let mut many = Hash::default();
    many.expect([&b"f"[..]; 258].into_iter(), &limits);
    assert_eq!(many.encoding(), Encoding::Hashtable);
    let mut timed = Hash::default();
    timed.set(b"f", Fresh::Copied(b"v"), Ttl::Clear, &limits);
    timed.set_expiry(b"f", None);
    assert_eq!(timed.encoding(), Encoding::Listpack);
    timed.set_expiry(b"f", Some(UnixMillis(5)));
    assert_eq!(timed.encoding(), Encoding::ListpackEx);
}
