//! Commands that take a key of any type, and commands given a key of the wrong one.
//!
//! The keys `w0` to `w5` hold copies of whatever the other sources made. Any command may meet them, but for those whose
//! answer on a foreign value is nobody's promise: ranges by name where scores differ, positions of scores that are none, sums that
//! leave an encoding behind, HyperLogLogs damaged by a command for strings.

use rredis::base::rng::Rng;

use crate::client::Value;
use crate::commands::look_at_all;
use crate::content::may_have_been_sorted;
use crate::mixed::FIXED;
use crate::question::{Question, Source, roughly};

/// Prefixes of the keys of the other sources, and how many each has.
const FAMILIES: &[(&str, u64)] =
    &[("k", 8), ("l", 4), ("s", 5), ("z", 4), ("g", 2), ("n", 2), ("x", 3), ("b", 5), ("h", 4)];
const FOREIGN: u64 = 6;

/// Where commands come from.
pub struct Anything {
    pub rng: Rng,
    /// Whose commands are given foreign keys.
    pub others: Vec<Box<dyn Source>>,
}

/// Any key that another source fills, or that holds a copy of one.
pub fn any_key(rng: &mut Rng) -> String {
    match rng.below(FAMILIES.len() as u64 + 2) as usize {
        at if at < FAMILIES.len() => {
            let (prefix, count) = FAMILIES[at];
            format!("{prefix}{}", rng.below(count))
        }
        _ => foreign_key(rng),
    }
}

fn foreign_key(rng: &mut Rng) -> String {
    format!("w{}", rng.below(FOREIGN))
}

/// Whether a command may be given a value of any origin.
fn is_safe_with_foreign_keys(words: &[Vec<u8>]) -> bool {
    let name = words[0].to_ascii_uppercase();
    let is_transaction = matches!(name.as_slice(), b"MULTI" | b"EXEC" | b"DISCARD" | b"SELECT" | b"SCAN" | b"KEYS");
    // Their replies are compared more closely than those of values that went through several commands can be.
    let is_close = matches!(name.as_slice(), b"OBJECT" | b"DUMP");
    // A consumer is made first, for the key that was drawn.
    let has_consumer = matches!(name.as_slice(), b"XREADGROUP" | b"XCLAIM" | b"XAUTOCLAIM" | b"XGROUP");
    let is_special = name.starts_with(b"GEO") || name.starts_with(b"PF") || name.ends_with(b"FLOAT");
    let by_name = words.iter().any(|word| word.to_ascii_uppercase().ends_with(b"LEX"));
    !is_transaction
        && !is_close
        && !has_consumer
        && !is_special
        && !by_name
        && !name.windows(3).any(|part| part == b"LEX")
        && words.len() > 1
}

fn encodings_fit(words: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    let pairs: &[(&str, &str)] = &[
        ("listpack", "quicklist"), // lists of 7.0 are never one listpack
        ("listpack", "hashtable"), // nor are sets
        ("int", "raw"),            // SETBIT that changes nothing
        ("embstr", "raw"),         // the same
    ];
    let was_sorted = |a: &[u8], b: &[u8]| a == b"listpack" && b == b"skiplist" && may_have_been_sorted(&words[2]);
    matches!((ours, stock), (Value::Bulk(a), Value::Bulk(b))
        if was_sorted(a, b) || pairs.iter().any(|(ours, stock)| a == ours.as_bytes() && b == stock.as_bytes()))
}

/// Both found a key, or neither.
fn both_or_none(_: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    matches!((ours, stock), (Value::Bulk(_), Value::Bulk(_)))
}

/// Seconds since somebody looked: hardly any, as a round is short. Small numbers are shared in Redis, and then it is the number
/// that was looked at.
fn few_seconds(_: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    matches!((ours, stock), (Value::Int(0..60), Value::Int(_)))
}

impl Source for Anything {
    fn draw(&mut self) -> Vec<Question> {
        let (a, b) = (any_key(&mut self.rng), any_key(&mut self.rng));
        let w = foreign_key(&mut self.rng);
        let pick = |rng: &mut Rng, words: &[&'static str]| words[rng.below(words.len() as u64) as usize];
        let ttl = self.rng.between(100_000, 900_000).to_string();
        let line = |words: &[&str]| Question::exact(words.iter().copied());
        let rng = &mut self.rng;
        vec![match rng.below(40) {
            0..=4 => line(&["COPY", &a, &w, "REPLACE"]),
            5 => line(&["COPY", &a, &w]),
            6 => line(&["COPY", &a, &w, "DB", "9", "REPLACE"]),
            7 => line(&[pick(rng, &["RENAME", "RENAMENX"]), &a, &w]),
            8 => line(&["MOVE", &a, "9"]),
            9 | 10 => line(&[pick(rng, &["EXPIRE", "PEXPIRE"]), &a, &ttl]),
            11 => line(&["PERSIST", &a]),
            12 => Question::judged([pick(rng, &["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]), &a], roughly),
            13 => line(&["TYPE", &a]),
            14 | 15 => Question::judged(["OBJECT", "ENCODING", &a], encodings_fit),
            16 => Question::judged(["OBJECT", "IDLETIME", &a], few_seconds),
            17 => line(&[pick(rng, &["EXISTS", "TOUCH"]), &a, &b, &w]),
            18 => line(&[pick(rng, &["DEL", "UNLINK"]), &a, &w]),
            19 => line(&["DBSIZE", "x"]),
            // A key that is over and drawn by chance would be removed.
            20 => return vec![look_at_all(), Question::judged(["RANDOMKEY"], both_or_none)],
            21 => {
                let mut questions =
                    vec![line(&["SELECT", "9"]), line(&["FLUSHDB", pick(rng, &["SYNC", "ASYNC", "x"])])];
                questions.extend(FIXED.iter().map(|line| Question::exact(line.split(' '))));
                questions.push(line(&["SELECT", "0"]));
                return questions;
            }
            22 => line(&["DBSIZE"]),
            _ => {
                let at = rng.below(self.others.len() as u64) as usize;
                let mut questions = self.others[at].draw();
                for question in &mut questions {
                    if is_safe_with_foreign_keys(&question.words) {
                        let last = question.words.len().min(4) - 1;
                        let at = self.rng.between(1, last as u64) as usize;
                        let is_key = |word: &[u8]| {
                            FAMILIES.iter().any(|(prefix, _)| {
                                word.strip_prefix(prefix.as_bytes())
                                    .is_some_and(|rest| rest.len() == 1 && rest[0].is_ascii_digit())
                            })
                        };
                        if is_key(&question.words[at]) {
                            question.words[at] = foreign_key(&mut self.rng).into_bytes();
                        }
                    }
                }
                return questions;
            }
        }]
    }
}
