//! Bytes per key and time per look-up of the keyspace alone, without network or commands.
//!
//! ```text
//! cargo run --profile bench-fast --example keyspace_bench [-- KEYS]
//! ```
//!
//! Figures are for random keys of 16 bytes. "one by one" looks up each key when it comes; "in waves of n" prefetches
//! n keys first, as the server does for what it has parsed in one turn.

use std::hint::black_box;
use std::time::Instant;

use rredis::base::alloc::used_memory;
use rredis::base::rng::Rng;
use rredis::base::time::UnixMillis;
use rredis::data::string::{NewStr, Str};
use rredis::keyspace::{Access, Event, Expiry, FlushMode, Keyspace, Lookup};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn key(id: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    let mut rest = id;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// Time this thread has spent on a processor: steadier than the clock on a machine that others use too.
#[derive(Clone, Copy)]
struct Cpu(u64);

impl Cpu {
    fn now() -> Cpu {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        Cpu(stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
    }

    fn ns(self) -> u64 {
        Cpu::now().0 - self.0
    }
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn filled(keys: u64, value: &NewStr<'_>, expiry: Expiry) -> Keyspace {
    let mut ks = Keyspace::new(16, Rng::seeded(7));
    for id in 0..keys {
        ks.db(0, Access::master(NOW)).put(&key(id), value.clone(), expiry, Event::SET);
    }
    ks
}

fn memory(keys: u64) {
    println!("(times are of the processor)");
    println!("{:<10} {:>12} {:>12} {:>10}", "value", "used B/key", "rss/used", "put ns");
    let cases: [(&str, NewStr<'_>, bool); 6] = [
        ("str3", NewStr::Text(b"abc"), false),
        ("str16", NewStr::Text(b"0123456789abcdef"), false),
        ("int3", NewStr::Text(b"123"), false),
        ("int16", NewStr::Text(b"1234567890123456"), false),
        ("str100", NewStr::Text(&[b'x'; 100]), false),
        ("str16-ttl", NewStr::Text(b"0123456789abcdef"), true),
    ];
    for (name, value, with_ttl) in cases {
        let (used, rss) = (used_memory(), resident());
        let expiry = if with_ttl { Expiry::At(UnixMillis(NOW.0 + 3_600_000)) } else { Expiry::Clear };
        let start = Cpu::now();
        let ks = filled(keys, &value, expiry);
        let ns = start.ns() / keys;
        let grown = used_memory() - used;
        let per_key = grown as f64 / keys as f64;
        let resident = resident().saturating_sub(rss) as f64 / grown as f64;
        println!("{name:<10} {per_key:>12.1} {resident:>12.3} {ns:>10}");
        drop(ks);
    }
}

fn lookups(keys: u64) {
    let mut ks = filled(keys, &NewStr::Text(b"0123456789abcdef"), Expiry::Clear);
    let mut rng = Rng::seeded(3);
    let rounds = 2_000_000 / 64;
    let wanted: Vec<[u8; 16]> = (0..rounds * 64).map(|_| key(rng.below(keys))).collect();
    let mut sum = 0;
    let mut time = |name: &str, run: &mut dyn FnMut(&mut Keyspace) -> usize| {
        let mut best = f64::MAX;
        for _ in 0..3 {
            let start = Cpu::now();
            sum += run(&mut ks);
            best = best.min(start.ns() as f64 / wanted.len() as f64);
        }
        println!("{name:<28} {best:>8.1} ns");
    };
    println!();
    time("hash", &mut |ks| wanted.iter().map(|k| ks.hash(k) as usize & 1).sum());
    time("get, one by one", &mut |ks| {
        wanted.iter().map(|k| ks.db(0, Access::master(NOW)).read::<Str>(k).unwrap().map_or(0, |v| v.len())).sum()
    });
    for wave in [8, 16, 64] {
        time(&format!("get, in waves of {wave}"), &mut |ks| {
            let mut lookups = Vec::with_capacity(wave);
            let mut found = 0;
            for batch in wanted.chunks(wave) {
                lookups.clear();
                lookups.extend(batch.iter().map(|k| Lookup { db: 0, hash: ks.hash(k), size: None }));
                ks.prefetch(&lookups);
                for (k, lookup) in batch.iter().zip(&lookups) {
                    let mut db = ks.db(0, Access::master(NOW)).hinted(k, lookup.hash);
                    // What a reply does with the value.
                    let value = db.read::<Str>(k).unwrap().expect("it is there");
                    found += value.as_bytes(&mut itoa::Buffer::new())[0] as usize;
                }
            }
            found
        });
    }
    time("set over, one by one", &mut |ks| {
        for k in &wanted {
            let value = NewStr::Text(b"fedcba9876543210");
            ks.db(0, Access::master(NOW)).put(k, value, Expiry::Clear, Event::SET);
        }
        0
    });
    time("set over, in waves of 16", &mut |ks| {
        let mut lookups = Vec::with_capacity(16);
        for batch in wanted.chunks(16) {
            lookups.clear();
            lookups.extend(batch.iter().map(|k| Lookup { db: 0, hash: ks.hash(k), size: None }));
            ks.prefetch(&lookups);
            for (k, lookup) in batch.iter().zip(&lookups) {
                let mut db = ks.db(0, Access::master(NOW)).hinted(k, lookup.hash);
                db.put(k, NewStr::Text(b"fedcba9876543210"), Expiry::Clear, Event::SET);
            }
        }
        0
    });
    time("get of a missing key", &mut |ks| {
        wanted.iter().filter(|k| ks.db(0, Access::master(NOW)).read::<Str>(&k[1..]).unwrap().is_some()).count()
    });
    black_box(sum);
}

/// Insertion with its longest stop, loading, expiry, removal and flushing.
fn growth(keys: u64) {
    println!();
    let mut ks = Keyspace::new(16, Rng::seeded(7));
    let (start, mut longest) = (Cpu::now(), 0);
    for id in 0..keys {
        let before = Instant::now();
        let expiry = Expiry::At(UnixMillis(NOW.0 + 1000));
        ks.db(0, Access::master(NOW)).put(&key(id), NewStr::Text(b"0123456789abcdef"), expiry, Event::SET);
        longest = longest.max(before.elapsed().as_micros());
    }
    println!("insert: {} ns per key, longest {longest} µs", start.ns() / keys);

    let (start, mut longest, mut steps) = (Cpu::now(), 0, 0u64);
    loop {
        let before = Instant::now();
        let step = ks.expire_step(UnixMillis(NOW.0 + 2000), &mut || before.elapsed().as_micros() < 900);
        ks.changes_mut().clear();
        longest = longest.max(before.elapsed().as_micros());
        steps += 1;
        if step.finished {
            break;
        }
    }
    println!("expire: {} ns per key, {steps} steps, longest {longest} µs", start.ns() / keys);
    println!("left:   {} keys, {} KB used, {} KB resident", ks.len(), used_memory() / 1024, resident() / 1024);

    let start = Cpu::now();
    ks.reserve(0, keys);
    let mut id = 0;
    while id < keys {
        let batch: [[u8; 16]; 16] = std::array::from_fn(|i| key(id + i as u64));
        let hashes = batch.map(|k| ks.hash(&k));
        hashes.iter().for_each(|&hash| ks.prefetch_insert(0, hash));
        for (k, hash) in batch.iter().zip(hashes) {
            ks.insert_loaded(0, hash, k, NewStr::Text(b"0123456789abcdef").into(), None, 0);
        }
        id += 16;
    }
    println!("load:   {} ns per key", start.ns() / keys);
    let start = Cpu::now();
    let mut bytes = 0;
    ks.for_each(0, &mut |entry| bytes += entry.key().len() + entry.string().map_or(0, |value| value.len()));
    println!("walk:   {} ns per key ({bytes} bytes)", start.ns() / keys);
    let start = Cpu::now();
    for id in 0..keys {
        ks.db(0, Access::master(NOW)).remove(&key(id), Event::DEL);
    }
    println!("remove: {} ns per key", start.ns() / keys);
    let mut ks = filled(keys, &NewStr::Text(b"0123456789abcdef"), Expiry::Clear);
    let start = Cpu::now();
    ks.flush_db(0, FlushMode::Sync);
    println!("flush:  {} µs", start.ns() / 1000);
}

fn main() {
    let keys = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    memory(keys);
    lookups(keys);
    growth(keys);
}
