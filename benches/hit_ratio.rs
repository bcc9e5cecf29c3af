//! How often a cache in front of something slow has what it is asked for, under each policy of eviction: servers side by side
//! with the same trace, and beside them what the rules would give if they were followed exactly.
//!
//! `cargo bench --bench hit_ratio -- rredis=PATH redis=PATH [keys=1000000] [fit=100000] [requests=2000000]
//! [phases=3] [seed=N]`
//!
//! The trace asks for `requests` of `keys` keys, with Zipf's distribution of exponent 1 over an arbitrary order of the keys, in
//! phases: in each after the first, another twentieth of the keys changes places with the most popular ones, since real popularity moves.
//! A key that is missing is then set, with a value of 100 bytes. The limit on memory is such that `fit` keys fit, for each server
//! by its own count, so that the figures compare choices and not bytes per key. Counted is the second half of each phase.

mod server;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rredis::base::rng::Rng;

use server::Server;

const VALUE: [u8; 100] = [b'v'; 100];
const PIPELINE: usize = 50;
const POLICIES: [&str; 3] = ["allkeys-lru", "allkeys-lfu", "allkeys-random"];
/// Servers count recency in seconds: a trace that is over in a moment would show nothing.
const SECONDS: f64 = 24.0;

struct Plan {
    keys: usize,
    fit: usize,
    requests: usize,
    phases: usize,
    seed: u64,
    port: u16,
}

fn main() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut plan = Plan { keys: 1_000_000, fit: 100_000, requests: 2_000_000, phases: 3, seed: now, port: 21_900 };
    let mut servers = Vec::new();
    for (name, value) in std::env::args().skip(1).filter_map(|arg| Some(own(arg.split_once('=')?))) {
        let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{name}={value}: not a number"));
        match &*name {
            "keys" => plan.keys = number() as usize,
            "fit" => plan.fit = number() as usize,
            "requests" => plan.requests = number() as usize,
            "phases" => plan.phases = (number() as usize).max(1),
            "seed" => plan.seed = number(),
            "port" => plan.port = number() as u16,
            _ => servers.push((name, value)),
        }
    }
    println!("seed={} keys={} fit={} requests={}", plan.seed, plan.keys, plan.fit, plan.requests);
    let trace = trace(&plan);
    println!("{:<16} {:>9} {:>9}   hits, per cent of requests", "", "lru", "lfu");
    println!("{:<16} {:>9.2} {:>9.2}", "exact", exact(&plan, &trace, false), exact(&plan, &trace, true));
    println!("{:<16} {:>9} {:>9} {:>9}   evicted", "", "lru", "lfu", "random");
    for (name, path) in &servers {
        print!("{name:<16}");
        let mut evicted = Vec::new();
        for policy in POLICIES {
            let (ratio, keys) = measure(&plan, path, policy, &trace);
            print!(" {ratio:>9.2}");
            std::io::stdout().flush().expect("standard output");
            evicted.push(keys.to_string());
        }
        println!("   {}", evicted.join(" "));
    }
}

fn own((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The numbers of the keys to ask for.
fn trace(plan: &Plan) -> Vec<u32> {
    let mut rng = Rng::seeded(plan.seed);
    let mut sums = Vec::with_capacity(plan.keys);
    let mut sum = 0.0;
    for rank in 1..=plan.keys {
        sum += 1.0 / rank as f64;
        sums.push(sum);
    }
    let mut by_rank: Vec<u32> = (0..plan.keys as u32).collect();
    for at in (1..by_rank.len()).rev() {
        by_rank.swap(at, rng.below(at as u64 + 1) as usize);
    }
    let mut trace = Vec::with_capacity(plan.requests);
    for phase in 0..plan.phases {
        if phase > 0 {
            let moved = plan.keys / 20;
            (0..moved).for_each(|at| by_rank.swap(at, plan.keys - 1 - rng.below(plan.keys as u64 / 2) as usize));
        }
        for _ in 0..plan.requests / plan.phases {
            let drawn = rng.next_u64() as f64 / u64::MAX as f64 * sum;
            trace.push(by_rank[sums.partition_point(|&sum| sum < drawn).min(plan.keys - 1)]);
        }
    }
    trace
}

/// Whether this request counts.
fn counts(plan: &Plan, at: usize, len: usize) -> bool {
    let phase = len / plan.phases;
    at % phase >= phase / 2
}

/// Hits in per cent if the key not used for longest, or used least often since it came in, went each time.
fn exact(plan: &Plan, trace: &[u32], by_uses: bool) -> f64 {
    let mut order: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    let mut cache: HashMap<u32, (u64, u64)> = HashMap::new();
    let (mut hits, mut counted) = (0u64, 0u64);
    for (at, &key) in trace.iter().enumerate() {
        let old = cache.get(&key).copied();
        if counts(plan, at, trace.len()) {
            counted += 1;
            hits += u64::from(old.is_some());
        }
        let uses = if by_uses { old.map_or(1, |(uses, _)| uses + 1) } else { 0 };
        match old {
            Some(old) => drop(order.remove(&old)),
            None if cache.len() >= plan.fit => {
                let (_, gone) = order.pop_first().expect("as many as fit");
                cache.remove(&gone);
            }
            None => {}
        }
        cache.insert(key, (uses, at as u64));
        order.insert((uses, at as u64), key);
    }
    hits as f64 * 100.0 / counted as f64
}

/// Hits in per cent, and keys evicted.
fn measure(plan: &Plan, path: &str, policy: &str, trace: &[u32]) -> (f64, u64) {
    let mut server = Server::start(path, plan.port);
    // As many keys as shall fit, to see what they take.
    let all: Vec<u32> = (0..plan.fit as u32).collect();
    all.chunks(PIPELINE).for_each(|keys| set(&mut server, keys));
    let limit: u64 = server.figure("memory", "used_memory");
    server.command(&["FLUSHALL"]);
    server.command(&["CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", &limit.to_string()]);
    let (mut hits, mut counted) = (0u64, 0u64);
    let phase = trace.len() / plan.phases;
    let pause = Duration::from_secs_f64(SECONDS / plan.phases as f64 / (phase / PIPELINE) as f64);
    let started = Instant::now();
    for (nth, keys) in trace.chunks(PIPELINE).enumerate() {
        let found = get(&mut server, keys);
        let missing: Vec<u32> = keys.iter().zip(&found).filter(|(_, found)| !**found).map(|(&key, _)| key).collect();
        if !missing.is_empty() {
            set(&mut server, &missing);
        }
        for (at, found) in found.into_iter().enumerate() {
            if counts(plan, nth * PIPELINE + at, trace.len()) {
                counted += 1;
                hits += u64::from(found);
            }
        }
        std::thread::sleep((pause * nth as u32).saturating_sub(started.elapsed()));
    }
    (hits as f64 * 100.0 / counted as f64, server.figure("stats", "evicted_keys"))
}

fn get(server: &mut Server, keys: &[u32]) -> Vec<bool> {
    let names: Vec<String> = keys.iter().map(|key| format!("key:{key:012}")).collect();
    server.send(&names.iter().map(|name| vec![&b"GET"[..], name.as_bytes()]).collect::<Vec<_>>());
    keys.iter().map(|_| server.reply().0 != "$-1").collect()
}

fn set(server: &mut Server, keys: &[u32]) {
    let names: Vec<String> = keys.iter().map(|key| format!("key:{key:012}")).collect();
    server.send(&names.iter().map(|name| vec![&b"SET"[..], name.as_bytes(), &VALUE]).collect::<Vec<_>>());
    keys.iter().for_each(|_| server.skip());
}
