//! What parsing requests and writing replies costs, per command, without sockets.
//!
//! ```text
//! cargo run --profile bench-fast --example resp_bench
//! ```

use std::hint::black_box;

use rredis::resp::encode;
use rredis::resp::inbuf::InBuf;
use rredis::resp::out::Out;
use rredis::resp::parser::{Batch, Parser, RequestLimits};
use rredis::resp::reply::{Proto, Reply};

const COMMANDS: usize = 128;
const ROUNDS: usize = 10_000;
const RUNS: usize = 7;

/// Nanoseconds this thread has spent on a processor: steadier than the clock on a machine that others use too.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// The best of several runs, in nanoseconds per command.
fn best(mut run: impl FnMut()) -> f64 {
    let nanos = (0..RUNS).map(|_| {
        let begun = cpu();
        (0..ROUNDS).for_each(|_| run());
        (cpu() - begun) as f64 / (ROUNDS * COMMANDS) as f64
    });
    nanos.fold(f64::INFINITY, f64::min)
}

fn parsing() {
    let limits = RequestLimits { authenticated: true, bulk_max: 512 << 20, from_master: false };
    let (value, long) = ([b'v'; 64], [b'v'; 1024]);
    let cases: [(&str, &[&[u8]]); 6] = [
        ("PING", &[b"PING"]),
        ("GET 16", &[b"GET", b"key:000000000001"]),
        ("SET 16 3", &[b"SET", b"key:000000000001", b"xxx"]),
        ("SET 16 64", &[b"SET", b"key:000000000001", &value]),
        ("SET 16 1024", &[b"SET", b"key:000000000001", &long]),
        ("MSET, 5 pairs", &[b"MSET", b"k1", b"v1", b"k2", b"v2", b"k3", b"v3", b"k4", b"v4", b"k5", b"v5"]),
    ];
    println!("parsing, ns per command, pipeline of {COMMANDS}");
    for (name, words) in cases {
        let mut stream = Vec::new();
        (0..COMMANDS).for_each(|_| encode::command(&mut stream, words));
        let (mut parser, mut input, mut batch) = (Parser::new(), InBuf::new(), Batch::new());
        let receive = best(|| {
            input.extend(black_box(&stream));
            input.consume(stream.len());
        });
        let both = best(|| {
            input.extend(black_box(&stream));
            batch.clear();
            let parsed = parser.parse(&mut input, &limits, COMMANDS, 0, &mut batch);
            assert!(parsed.is_ok() && batch.len() == COMMANDS);
            black_box(&batch);
        });
        println!("  {name:14} {:6.1}   (and {receive:.1} to copy it into the buffer)", both - receive);
    }
}

fn replying() {
    let value = [b'v'; 64];
    let mut out = Out::new();
    let mut case = |name: &str, write: &dyn Fn(&mut Reply<'_>)| {
        let cost = best(|| {
            for _ in 0..COMMANDS {
                write(&mut Reply::new(black_box(&mut out), Proto::Resp2));
            }
            out.advance(out.len());
        });
        println!("  {name:14} {cost:6.1}");
    };
    println!("replies, ns each");
    case("ok", &|reply| reply.ok());
    case("null", &|reply| reply.null());
    case("int 7", &|reply| reply.int(black_box(7)));
    case("int 123456", &|reply| reply.int(black_box(123_456)));
    case("bulk 3", &|reply| reply.bulk(black_box(b"abc")));
    case("bulk 64", &|reply| reply.bulk(black_box(&value)));
}

fn main() {
    parsing();
    replying();
    let clock = rredis::net::Clock::start();
    let reading = best(|| (0..COMMANDS).for_each(|_| _ = black_box(clock.micros())));
    println!("reading the clock, ns: {reading:.1}");
}
