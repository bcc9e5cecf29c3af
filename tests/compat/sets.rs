//! Set commands and SORT drawn at random over few keys, sensible and not.

use rredis::base::rng::Rng;

use crate::client::Value;
use crate::pair::Pair;
use crate::question::{Question, Source, in_any_order, walk_in_any_order};
use crate::seed::{Draw, Seed};

/// Commands in one run.
const COMMANDS: usize = 6_000;

/// Where commands come from.
pub struct Sets(pub Rng);

impl Sets {
    fn key(&mut self) -> String {
        match self.0.below(30) {
            0 => "text".to_owned(),
            1 => "missing".to_owned(),
            n => format!("s{}", n % 5),
        }
    }

    fn member(&mut self) -> String {
        match self.0.below(12) {
            0 => String::new(),
            1 => (self.0.next_u64() as i64).to_string(),
            2 => self.0.one_of(&["01", "-0", "1.5", "9223372036854775807", "-9223372036854775808"]).to_owned(),
            3 => "x".repeat(60 + self.0.below(10) as usize),
            4..=8 => (self.0.below(24) as i64 - 12).to_string(),
            _ => self.0.one_of(&["a", "b", "c", "ab", "abc"]).to_owned(),
        }
    }

    fn number(&mut self) -> String {
        match self.0.below(12) {
            0 => self.0.one_of(&["x", "", "1.5", "9223372036854775807", "-9223372036854775808"]).to_owned(),
            _ => (self.0.below(12) as i64 - 3).to_string(),
        }
    }

    /// `words`, then up to `most` of what `draw` gives, at least one.
    fn with(&mut self, words: &[&str], most: u64, draw: fn(&mut Sets) -> String) -> Vec<String> {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        words.extend((0..=self.0.below(most)).map(|_| draw(self)));
        words
    }

    fn next(&mut self) -> Vec<String> {
        let (a, b) = (self.key(), self.key());
        let (member, number) = (self.member(), self.number());
        let line = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match self.0.below(36) {
            0..=5 => self.with(&["SADD", &a], 9, Sets::member),
            6 | 7 => self.with(&["SREM", &a], 4, Sets::member),
            8 => line(&["SMEMBERS", &a]),
            9 => line(&["SISMEMBER", &a, &member]),
            10 => self.with(&["SMISMEMBER", &a], 4, Sets::member),
            11 => line(&["SCARD", &a]),
            12 | 13 => line(&["SMOVE", &a, &b, &member]),
            14 | 15 => {
                let name = self.0.one_of(&["SINTER", "SUNION", "SDIFF"]);
                self.with(&[name], 4, Sets::key)
            }
            16 | 17 => {
                let name = self.0.one_of(&["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]);
                self.with(&[name, &a], 4, Sets::key)
            }
            18 | 19 => {
                let count = self.0.below(4).to_string();
                let mut words = self.with(&["SINTERCARD", &count], 3, Sets::key);
                if self.0.percent(40) {
                    words.extend(["LIMIT".to_owned(), number]);
                }
                words
            }
            // What chance decides cannot be compared: all members, none, or the only one.
            20 => line(&["SPOP", &a, self.0.one_of(&["0", "1000", "-1", "x", ""])]),
            21 => line(&["SRANDMEMBER", &a, self.0.one_of(&["0", "1000", "x", "-9223372036854775808"])]),
            22 => line(&[self.0.one_of(&["SPOP", "SRANDMEMBER"]), "single"]),
            23 => line(&["SADD", "single", "one"]),
            24 => match self.0.below(3) {
                0 => line(&["SSCAN", &a, "0", "COUNT", "100000"]),
                1 => line(&["SSCAN", &a, "0", "MATCH", "*1*", "COUNT", "100000"]),
                _ => line(&["SSCAN", &a, self.0.one_of(&["x", "0"]), self.0.one_of(&["FOO", "COUNT", "TYPE"]), "0"]),
            },
            25 => match self.0.below(3) {
                0 => line(&["SET", &format!("w_{member}"), &number]),
                1 => line(&["HSET", &format!("h_{member}"), self.0.one_of(&["f", "g"]), &number]),
                _ => line(&["DEL", &format!("w_{member}")]),
            },
            26 => {
                let list = self.0.one_of(&["l0", "l1"]);
                self.with(&["RPUSH", list], 3, Sets::member)
            }
            27 => self.with(&["RPUSH", "numbers"], 3, |source| (source.0.below(60) as i64 - 30).to_string()),
            28 => line(&["ZADD", "z", &self.0.below(9).to_string(), &member]),
            29 => line(&["DEL", self.0.one_of(&["l0", "l1", "numbers", "z", "d"])]),
            30 => line(&[self.0.one_of(&["COPY", "RENAME", "DEL", "TYPE"]), &a, &b]),
            _ => self.sort(),
        }
    }

    fn sort(&mut self) -> Vec<String> {
        let key = match self.0.below(3) {
            0 => self.key(),
            _ => self.0.one_of(&["l0", "l1", "numbers", "numbers", "z", "d"]).to_owned(),
        };
        let mut words = vec![self.0.one_of(&["SORT", "SORT", "SORT_RO", "sort"]).to_owned(), key];
        for _ in 0..self.0.below(5) {
            let pattern = self.0.one_of(&["w_*", "#", "h_*->f", "nosort", "*", "w_*x", "h_*->"]).to_owned();
            match self.0.below(8) {
                0 => words.extend(["BY".to_owned(), pattern]),
                1 => words.extend(["LIMIT".to_owned(), self.number(), self.number()]),
                2 | 3 => words.extend(["GET".to_owned(), pattern]),
                4 => words.push("desc".to_owned()),
                5 => words.push("ALPHA".to_owned()),
                6 if self.0.percent(40) => words.extend(["STORE".to_owned(), "d".to_owned()]),
                7 if self.0.percent(10) => words.push("FOO".to_owned()),
                _ => words.push("ASC".to_owned()),
            }
        }
        // Elements of the same weight are stored in any order. STORE may be there more than once.
        while words.iter().any(|word| word == "BY")
            && let Some(at) = words.iter().position(|word| word == "STORE")
        {
            words.drain(at..at + 2);
        }
        words
    }
}

/// Elements of the same weight, and sets in no order, come in any order; with LIMIT, or with GET for each, anything may come.
fn is_sort_alike(words: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    let has = |name: &str| words.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    if !has("BY") {
        return false;
    }
    match (ours, stock) {
        (Value::Many(_, a), Value::Many(_, b)) if has("LIMIT") => a.len() == b.len(),
        _ => in_any_order(words, ours, stock),
    }
}

fn is_alike(words: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    match words[0].to_ascii_uppercase().as_slice() {
        b"SORT" | b"SORT_RO" => is_sort_alike(words, ours, stock),
        b"SMEMBERS" | b"SINTER" | b"SUNION" | b"SDIFF" | b"SPOP" | b"SRANDMEMBER" => in_any_order(words, ours, stock),
        b"SSCAN" => walk_in_any_order(words, ours, stock),
        _ => false,
    }
}

impl Source for Sets {
    fn draw(&mut self) -> Vec<Question> {
        vec![Question::judged(self.next(), is_alike)]
    }
}

#[test]
fn sets_answer_alike_and_are_sorted_alike() {
    for number in 0..2 {
        let Some(mut pair) = Pair::start() else { return };
        pair.ask_line(
            ["CONFIG SET set-max-intset-entries 8", "CONFIG SET set-max-intset-entries 512"][number as usize],
        );
        pair.ask_line("SET text v");
        let seed = Seed::from_env().plus(number);
        pair.run(&mut Rng::seeded(seed.0), &mut Sets(Rng::seeded(seed.0)), COMMANDS);
        pair.compare_consequences(|_| false);
    }
}
