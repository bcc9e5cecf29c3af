//! Hash commands drawn at random over few keys, sensible and not, in both encodings.

use rredis::base::rng::Rng;

use crate::client::Value;
use crate::pair::Pair;
use crate::question::{Question, Source, in_any_order, pairs_in_any_order, walk_of_pairs_in_any_order};
use crate::seed::{Draw, Seed};

/// Commands in one run.
const COMMANDS: usize = 5_000;

/// Where commands come from.
pub struct Hashes(pub Rng);

impl Hashes {
    fn key(&mut self) -> String {
        match self.0.below(30) {
            0 => "text".to_owned(),
            1 => "missing".to_owned(),
            n => format!("h{}", n % 4),
        }
    }

    fn field(&mut self) -> String {
        match self.0.below(12) {
            0 => String::new(),
            1 => "x".repeat(60 + self.0.below(10) as usize),
            2 | 3 => self.0.one_of(&["1", "01", "-1", "number", "sum"]).to_owned(),
            _ => format!("f{}", self.0.below(16)),
        }
    }

    fn value(&mut self) -> String {
        match self.0.below(12) {
            0 => String::new(),
            1 => self.0.one_of(&["9223372036854775807", "-9223372036854775808", " 1", "1.5", "1e3", "007"]).to_owned(),
            2 => "y".repeat(60 + self.0.below(10) as usize),
            3 => "z".repeat(self.0.below(6000) as usize),
            4..=8 => (self.0.below(40) as i64 - 20).to_string(),
            _ => self.0.one_of(&["a", "b", "another value"]).to_owned(),
        }
    }

    fn amount(&mut self) -> String {
        match self.0.below(8) {
            0 => self
                .0
                .one_of(&["x", "", "9223372036854775807", "-9223372036854775808", "nan", "inf", "1e400"])
                .to_owned(),
            1 | 2 => format!("{:.3}", self.0.below(20_000) as f64 / 1000.0 - 10.0),
            _ => (self.0.below(20) as i64 - 10).to_string(),
        }
    }

    fn pairs(&mut self, command: &str, key: &str) -> Vec<String> {
        let mut words = vec![command.to_owned(), key.to_owned()];
        // No more than fit a small hash: 7.2 counts those that are there twice as well.
        for _ in 0..=self.0.below(3) {
            words.extend([self.field(), self.value()]);
        }
        if self.0.percent(4) {
            words.pop();
        }
        words
    }

    fn next(&mut self) -> Vec<String> {
        let key = self.key();
        let (field, value, amount) = (self.field(), self.value(), self.amount());
        let line = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match self.0.below(40) {
            0..=7 => self.pairs("HSET", &key),
            8 => self.pairs("HMSET", &key),
            9 => line(&["HSETNX", &key, &field, &value]),
            10..=12 => line(&["HGET", &key, &field]),
            13 => line(&["HMGET", &key, &field, "f1", "nothing", "f1"]),
            14..=18 => line(&["HDEL", &key, &field, "f3", &value]),
            19 => line(&["HEXISTS", &key, &field]),
            20 => line(&["HSTRLEN", &key, &field]),
            21 => line(&["HLEN", &key]),
            22..=24 => line(&[self.0.one_of(&["HKEYS", "HVALS", "HGETALL"]), &key]),
            25..=28 => line(&["HINCRBY", &key, self.0.one_of(&["number", "1", "f1"]), &amount]),
            29..=32 => line(&["HINCRBYFLOAT", &key, self.0.one_of(&["sum", "number", "f2"]), &amount]),
            // What chance decides cannot be compared: all fields or none.
            33 | 34 => {
                let mut words = line(&["HRANDFIELD", &key, self.0.one_of(&["0", "1000", "x", "-9223372036854775808"])]);
                words.extend(
                    (0..self.0.below(3)).map(|_| self.0.one_of(&["WITHVALUES", "WITHVALUES", "FOO"]).to_owned()),
                );
                words
            }
            35 => line(&["HSCAN", &key, "0", "COUNT", "100000"]),
            36 => line(&["HSCAN", &key, "0", "MATCH", self.0.one_of(&["*1*", "f?", "*"]), "COUNT", "100000"]),
            37 => line(&["HSCAN", &key, self.0.one_of(&["x", "0"]), self.0.one_of(&["FOO", "COUNT", "TYPE"]), "0"]),
            38 => line(&["OBJECT", "ENCODING", self.0.one_of(&["h0", "h1", "h2", "h3", "text"])]),
            _ => line(&[self.0.one_of(&["DEL", "TYPE"]), &key]),
        }
    }
}

fn is_alike(words: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    match words[0].as_slice() {
        b"HKEYS" | b"HVALS" => in_any_order(words, ours, stock),
        b"HRANDFIELD" if words.len() == 3 => in_any_order(words, ours, stock),
        b"HRANDFIELD" | b"HGETALL" => pairs_in_any_order(words, ours, stock),
        b"HSCAN" => walk_of_pairs_in_any_order(words, ours, stock),
        _ => false,
    }
}

impl Source for Hashes {
    fn draw(&mut self) -> Vec<Question> {
        vec![Question::judged(self.next(), is_alike)]
    }
}

#[test]
fn hashes_answer_alike() {
    for (number, limits) in [("128", "64"), ("4", "8"), ("0", "64")].iter().enumerate() {
        let Some(mut pair) = Pair::start() else { return };
        pair.ask_line(&format!("CONFIG SET hash-max-listpack-entries {}", limits.0));
        pair.ask_line(&format!("CONFIG SET hash-max-listpack-value {}", limits.1));
        pair.ask_line("SET text v");
        let seed = Seed::from_env().plus(number as u64);
        pair.run(&mut Rng::seeded(seed.0), &mut Hashes(Rng::seeded(seed.0)), COMMANDS);
        pair.compare_keys();
        pair.compare_consequences(|_| false);
    }
}
