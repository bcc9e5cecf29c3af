//! What a sorted set costs, without a server around it: bytes and nanoseconds per member at growing sizes, in the shape that
//! docs/benchmarks.md uses (names of 16 bytes, scores in no order).
//!
//! `cargo bench --bench zset -- [most members]`

use std::time::Instant;

use rredis::base::alloc::used_memory;
use rredis::base::rng::Rng;
use rredis::data::zset::Zset;
use rredis::data::{Collection, Limits};

/// Calls per figure.
const CALLS: u64 = 300_000;

fn name(number: u64) -> Vec<u8> {
    format!("member:{number:09}").into_bytes()
}

/// Nanoseconds for one of `calls`.
fn each(calls: u64, mut call: impl FnMut(u64)) -> u64 {
    let started = Instant::now();
    (0..calls).for_each(&mut call);
    started.elapsed().as_nanos() as u64 / calls
}

fn main() {
    let most = std::env::args().filter_map(|arg| arg.parse::<u64>().ok()).next().unwrap_or(1_000_000);
    let limits = Limits::default();
    println!(
        "{:>9} {:>6} {:>7}   ns: fill  move  score  rank  range(100)  remove(100)   us: drop",
        "members", "bytes", "memory"
    );
    let mut count = 1_000;
    while count <= most {
        let mut rng = Rng::seeded(1);
        let before = used_memory();
        let mut zset = Zset::new();
        let fill = each(count, |n| {
            zset.put(&name(n), (n * 7919 % 1_000_003) as f64, &limits);
        });
        let (bytes, memory) = ((used_memory() - before) as u64 / count, zset.memory() as u64 / count);
        let moved = each(CALLS, |_| {
            zset.put(&name(rng.below(count)), rng.below(1_000_003) as f64, &limits);
        });
        let score = each(CALLS, |_| assert!(zset.score(&name(rng.below(count))).is_some()));
        let rank = each(CALLS, |_| assert!(zset.rank(&name(rng.below(count))).is_some()));
        let range = each(CALLS / 100, |_| {
            let start = rng.below(count - 100) as usize;
            assert_eq!(zset.elements(start..start + 100).map(|(member, _)| member.len()).sum::<usize>(), 1_600);
        });
        let copy = zset.clone();
        let remove = each(count / 200, |n| zset.remove_range(n as usize..n as usize + 100, |_, _| {}));
        let dropping = Instant::now();
        drop(copy);
        let dropped = dropping.elapsed().as_micros();
        println!(
            "{count:>9} {bytes:>6} {memory:>7} {fill:>12} {moved:>5} {score:>6} {rank:>5} {range:>11} {remove:>12} {dropped:>12}"
        );
        count *= 10;
    }
}
