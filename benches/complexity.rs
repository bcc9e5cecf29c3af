//! How the time of a command grows with the size of what it works on: the processor time per call of each server, for sizes that
//! grow tenfold.
//!
//! `cargo bench --bench complexity -- rredis=PATH redis=PATH [to=1000000] [seed=N] [port=N]`
//!
//! Each line is a command, the growth its documentation promises, the nanoseconds of the main thread per call at each size, and how
//! often the call at the largest size takes the time of that at the smallest. The cost of receiving and answering a call is part of
//! the figures, which is why it is measured with 50 calls on their way.

mod server;

use std::time::{SystemTime, UNIX_EPOCH};

use rredis::base::rng::Rng;

use server::Server;

const PIPELINE: usize = 50;
const FROM: usize = 1000;

/// Growth, what it works on, calls at the smallest size, and the command. `@` stands for the number of any element there is, `%` for
/// any number below a million, `$` for half the size, `#` for the size.
type Case = (&'static str, &'static str, usize, &'static str);

const CASES: &[Case] = &[
    ("1", "keys", 40_000, "GET key:@"),
    ("1", "keys", 40_000, "SET key:@ value"),
    ("1", "keys", 40_000, "EXPIRE key:@ 10000"),
    ("1", "keys", 40_000, "RANDOMKEY"),
    ("1", "string", 40_000, "STRLEN string"),
    ("1", "string", 40_000, "SETBIT string @ 1"),
    ("1", "string", 40_000, "GETRANGE string $ $"),
    ("N", "string", 4_000, "BITCOUNT string"),
    ("1", "list", 40_000, "LMOVE list list LEFT RIGHT"),
    ("1", "list", 40_000, "LINDEX list -1"),
    ("N", "list", 4_000, "LINDEX list $"),
    ("N", "list", 400, "LPOS list absent"),
    ("N", "list", 400, "LRANGE list 0 -1"),
    ("1", "hash", 40_000, "HGET hash member:@"),
    ("1", "hash", 40_000, "HSET hash member:@ %"),
    ("1", "hash", 40_000, "HINCRBY hash counter 1"),
    ("1", "hash", 40_000, "HRANDFIELD hash"),
    ("N", "hash", 400, "HGETALL hash"),
    ("1", "set", 40_000, "SISMEMBER set member:@"),
    ("1", "set", 40_000, "SRANDMEMBER set"),
    ("1", "set", 40_000, "SMOVE set set member:@"),
    ("N", "set", 400, "SINTERCARD 2 set set"),
    ("N", "set", 400, "SMEMBERS set"),
    ("1", "zset", 40_000, "ZSCORE zset member:@"),
    ("log N", "zset", 40_000, "ZADD zset % member:@"),
    ("log N", "zset", 40_000, "ZRANK zset member:@"),
    ("log N", "zset", 40_000, "ZCOUNT zset % +inf"),
    ("log N", "zset", 40_000, "ZRANGE zset $ $"),
    ("log N", "zset", 40_000, "ZRANGE zset % +inf BYSCORE LIMIT 0 10"),
    ("N", "zset", 400, "ZRANGE zset 0 -1"),
    ("N log N", "set", 100, "SORT set ALPHA LIMIT 0 1"),
    ("1", "stream", 40_000, "XADD stream MAXLEN ~ # * field %"),
    ("log N", "stream", 40_000, "XRANGE stream @ + COUNT 10"),
    ("log N", "stream", 40_000, "XREAD COUNT 1 STREAMS stream $"),
    ("log N", "geo", 40_000, "GEODIST geo member:@ member:@"),
];

fn main() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let (mut to, mut seed, mut port, mut servers) = (1_000_000, now, 21_950, Vec::new());
    for arg in std::env::args().skip(1) {
        let Some((name, value)) = arg.split_once('=') else { continue };
        let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{arg}: not a number"));
        match name {
            "to" => to = number() as usize,
            "seed" => seed = number(),
            "port" => port = number() as u16,
            _ => servers.push((name.to_owned(), value.to_owned())),
        }
    }
    let sizes: Vec<usize> =
        std::iter::successors(Some(FROM), |size| Some(size * 10)).take_while(|&size| size <= to).collect();
    println!("seed={seed} sizes={sizes:?}");
    for (name, path) in &servers {
        let mut table = vec![Vec::new(); CASES.len()];
        for &size in &sizes {
            let mut server = Server::start(path, port);
            let mut rng = Rng::seeded(seed);
            fill(&mut server, size, &mut rng);
            for (row, case) in table.iter_mut().zip(CASES) {
                row.push(measure(&mut server, case, size, &mut rng));
            }
        }
        println!("{name}: ns per call");
        for ((growth, _, _, command), row) in CASES.iter().zip(table) {
            let figures: String = row.iter().map(|ns| format!("{ns:>12.0}")).collect();
            let ratio = row.last().expect("a size") / row[0].max(1.0);
            println!("{command:<42} {growth:<8}{figures} {ratio:>10.1}x");
        }
    }
}

/// Makes what the commands work on, with so many elements each.
fn fill(server: &mut Server, size: usize, rng: &mut Rng) {
    let mut all: Vec<Vec<String>> = Vec::new();
    let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for number in 0..size {
        let score = rng.below(1_000_000);
        all.push(words(format!("SET key:{number} value")));
        all.push(words(format!("RPUSH list element:{number}")));
        all.push(words(format!("HSET hash member:{number} value")));
        all.push(words(format!("SADD set member:{number}")));
        all.push(words(format!("ZADD zset {score} member:{number}")));
        all.push(words(format!("XADD stream {}-1 field value", number + 1)));
        all.push(words(format!("GEOADD geo {}.{:03} 10 member:{number}", score % 180, score % 1000)));
        if all.len() >= 1000 || number + 1 == size {
            ask(server, &all);
            all.clear();
        }
    }
    ask(server, &[words(format!("SETRANGE string {} x", size - 1))]);
}

fn ask(server: &mut Server, all: &[Vec<String>]) {
    server.send(&all.iter().map(|words| words.iter().map(String::as_bytes).collect()).collect::<Vec<_>>());
    all.iter().for_each(|_| server.skip());
}

/// Nanoseconds of the main thread per call.
fn measure(server: &mut Server, (growth, _, calls, command): &Case, size: usize, rng: &mut Rng) -> f64 {
    // What grows with the size is called less often the larger it is, and often enough for the clock to see.
    let calls = if growth.starts_with('N') { (calls * FROM / size).max(4) } else { *calls };
    let before = cpu(server);
    let mut done = 0;
    while done < calls {
        let count = PIPELINE.min(calls - done);
        let all: Vec<Vec<String>> = (0..count).map(|_| filled_in(command, size, rng)).collect();
        ask(server, &all);
        done += count;
    }
    (cpu(server) - before) * 1e9 / calls as f64
}

fn filled_in(command: &str, size: usize, rng: &mut Rng) -> Vec<String> {
    let word = |word: &str| {
        let mut text = String::new();
        for letter in word.chars() {
            match letter {
                '@' => text.push_str(&(rng.below(size as u64)).to_string()),
                '%' => text.push_str(&rng.below(1_000_000).to_string()),
                '$' => text.push_str(&(size / 2).to_string()),
                '#' => text.push_str(&size.to_string()),
                _ => text.push(letter),
            }
        }
        text
    };
    command.split(' ').map(word).collect()
}

/// Seconds of processor time of the server's main thread.
fn cpu(server: &mut Server) -> f64 {
    let mut figure = |field| server.figure::<f64>("cpu", field);
    figure("used_cpu_user_main_thread") + figure("used_cpu_sys_main_thread")
}
