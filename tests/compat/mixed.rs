//! All data commands over all types in one run, several on their way at a time, on four servers: ours with a stock replica,
//! the stock one with a replica of ours.
//!
//! A run is made of rounds of a few thousand commands, each with limits of its own for what is packed. A round ends with a
//! comparison of all keys on all four servers, of the replication streams and of the keyspace events, and with FLUSHALL. The
//! payloads of DUMP are compared by what both servers make of both.
//!
//! `DIFF_COMMANDS` says how many commands, `SEED` where to begin; the seed of a round that failed repeats it as the first one.

use std::time::Instant;

use rredis::base::rng::Rng;

use crate::anything::{Anything, any_key};
use crate::bits::{Bits, may_change_nothing};
use crate::commands::Strings;
use crate::hashes::Hashes;
use crate::hyperloglogs::HyperLogLogs;
use crate::lists::Lists;
use crate::pair::Pair;
use crate::question::{Question, Source};
use crate::seed::Seed;
use crate::sets::Sets;
use crate::streams::Streams;
use crate::waiting::{Impatient, scene};
use crate::zsets::SortedSets;

/// Commands of one run, unless `DIFF_COMMANDS` says otherwise.
const COMMANDS: usize = 12_000;
/// Commands of one round.
const ROUND: usize = 4_000;
/// Commands between two looks at a payload or at clients that wait.
const STRETCH: usize = 50;

/// Settings, and the values they take in turn.
const SETTINGS: &[(&str, &[&str])] = &[
    ("list-max-listpack-size", &["-2", "3", "1", "-1", "128"]),
    ("list-compress-depth", &["0", "1", "2"]),
    ("set-max-intset-entries", &["512", "8"]),
    ("hash-max-listpack-entries", &["128", "4"]),
    ("hash-max-listpack-value", &["64", "8"]),
    ("zset-max-listpack-entries", &["128", "4", "0"]),
    ("zset-max-listpack-value", &["64", "8"]),
    ("stream-node-max-bytes", &["4096", "300", "0"]),
    ("stream-node-max-entries", &["100", "5", "0"]),
    ("hll-sparse-max-bytes", &["3000", "100"]),
];

/// Data commands that are not drawn: they look at other servers, or at the whole of the data and not at one command's part.
const NOT_DRAWN: &[&str] = &["migrate", "flushall", "swapdb", "asking", "restore-asking", "wait", "pfselftest"];

/// One of several sources at a time.
struct Mix {
    rng: Rng,
    sources: Vec<Box<dyn Source>>,
}

impl Source for Mix {
    fn draw(&mut self) -> Vec<Question> {
        let at = self.rng.below(self.sources.len() as u64) as usize;
        let mut questions = self.sources[at].draw();
        questions.retain(|question| {
            !takes_away(&question.words) && !spoils_sort(&question.words) && !loses_sign(&question.words)
        });
        questions
    }
}

/// Keys that keep their type.
pub const FIXED: &[&str] = &["SET text v", "SADD plain m1 m2 5 a", "RPUSH list a"];

/// Whether a key would go that must keep its type: what others ask of it is wrong on purpose.
fn takes_away(words: &[Vec<u8>]) -> bool {
    let is_fixed = |word: &Vec<u8>| matches!(word.as_slice(), b"text" | b"plain" | b"list");
    match words[0].as_slice() {
        b"DEL" | b"UNLINK" | b"RENAME" | b"RENAMENX" | b"MOVE" | b"GETDEL" => words.iter().any(is_fixed),
        b"BITOP" => words.get(2).is_some_and(is_fixed),
        name => name.ends_with(b"STORE") && words.get(1).is_some_and(is_fixed),
    }
}

/// A number that C finds too large. Redis remembers that for as long as nothing else goes wrong, and SORT then takes it for a
/// failure of its own.
fn spoils_sort(words: &[Vec<u8>]) -> bool {
    words.iter().any(|word| word.starts_with(b"1e400"))
}

/// A new sorted set that takes more than fits a small one is large from the beginning since 7.2. Before, it was packed first, and
/// a score of -0 lost its sign.
fn loses_sign(words: &[Vec<u8>]) -> bool {
    words[0] == b"ZADD" && words.iter().any(|word| word == b"-0")
}

fn families(seed: u64) -> Vec<Box<dyn Source>> {
    vec![
        Box::new(Strings::new(seed)),
        Box::new(Lists::new(seed, false)),
        Box::new(Sets(Rng::seeded(seed))),
        Box::new(SortedSets(Rng::seeded(seed))),
        Box::new(Hashes(Rng::seeded(seed))),
        Box::new(Streams::new(seed)),
        Box::new(Bits(Rng::seeded(seed))),
        Box::new(HyperLogLogs(Rng::seeded(seed))),
        Box::new(Impatient(Rng::seeded(seed))),
    ]
}

/// Each server restores what it dumped and what the other dumped.
fn restore_crosswise(pair: &mut Pair, key: &str) {
    let Some((ours, stock)) = pair.dump(key.as_bytes()) else { return };
    for (name, payload) in [("restored-ours", ours), ("restored-stock", stock)] {
        let words = [b"RESTORE".to_vec(), name.into(), b"0".to_vec(), payload, b"REPLACE".to_vec()];
        pair.ask_all(&[Question::exact(words)]);
        pair.compare_key(name.as_bytes());
    }
}

fn round(pair: &mut Pair, seed: Seed, commands: usize) {
    let mut rng = Rng::seeded(seed.0);
    for (name, values) in SETTINGS {
        let value = values[rng.below(values.len() as u64) as usize];
        pair.configure(name, value);
    }
    for database in ["SELECT 9", "SELECT 0"] {
        pair.ask_line(database);
        FIXED.iter().for_each(|line| pair.ask_line(line));
    }
    let mut sources = families(rng.next_u64());
    sources.push(Box::new(Anything { rng: Rng::seeded(rng.next_u64()), others: families(rng.next_u64()) }));
    let mut mix = Mix { rng: Rng::seeded(rng.next_u64()), sources };
    for _ in 0..commands / STRETCH {
        pair.run(&mut rng, &mut mix, STRETCH);
        let key = any_key(&mut rng);
        restore_crosswise(pair, &key);
        if rng.percent(5) && !pair.is_in_transaction() {
            scene(pair, &mut rng);
        }
    }
    if pair.is_in_transaction() {
        pair.ask_line("DISCARD");
    }
    pair.compare_keys();
    pair.compare_consequences(may_change_nothing);
}

#[test]
fn all_types_answer_alike_and_reach_replicas_alike() {
    let Some(mut pair) = Pair::with_replicas() else { return };
    let commands = std::env::var("DIFF_COMMANDS")
        .ok()
        .map_or(COMMANDS, |commands| commands.parse().expect("DIFF_COMMANDS is a number"));
    let first = Seed::from_env();
    let begun = Instant::now();
    for number in 0..commands.div_ceil(ROUND) {
        round(&mut pair, first.plus(number as u64), ROUND);
        pair.ask_line("FLUSHALL");
        if commands > COMMANDS {
            println!("{} commands, {} s", (number + 1) * ROUND, begun.elapsed().as_secs());
        }
    }
    let missed: Vec<String> = pair
        .data_commands()
        .into_iter()
        .filter(|name| !NOT_DRAWN.contains(&name.as_str()) && !pair.asked().contains(name))
        .collect();
    assert!(missed.is_empty(), "data commands that were never asked: {missed:?}");
}

#[test]
fn replicas_that_load_a_snapshot_have_the_same_keys() {
    for number in 0..2 {
        let Some(mut pair) = Pair::start() else { return };
        round(&mut pair, Seed::from_env().plus(number), ROUND);
        pair.compare_with_new_replicas();
    }
}
