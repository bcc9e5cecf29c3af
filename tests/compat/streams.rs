//! Stream commands drawn at random over few keys, sensible and not, with small nodes and large.

use rredis::base::rng::Rng;

use crate::client::Value;
use crate::pair::Pair;
use crate::question::{Question, Source};
use crate::seed::{Draw, Seed};

/// Commands in one run.
const COMMANDS: usize = 6_000;

const KEYS: &[&str] = &["x0", "x1", "x2", "x0", "x1", "x2", "text", "missing"];
const STREAMS: &[&str] = &["x0", "x1", "x2"];
const GROUPS: &[&str] = &["g", "h", "group"];
const CONSUMERS: &[&str] = &["a", "b", "consumer"];

/// Where commands come from.
pub struct Streams {
    rng: Rng,
    /// About the largest id of each stream.
    last: [u64; 3],
}

impl Streams {
    pub fn new(seed: u64) -> Streams {
        Streams { rng: Rng::seeded(seed), last: [1; 3] }
    }

    fn maybe(&mut self, percent: u64, words: &[&str]) -> Vec<String> {
        if self.rng.percent(percent) { words.iter().map(|word| word.to_string()).collect() } else { Vec::new() }
    }

    fn last(&mut self, key: &str) -> &mut u64 {
        let number = key.strip_prefix('x').and_then(|number| number.parse().ok()).unwrap_or(0);
        &mut self.last[number]
    }

    fn id(&mut self, key: &str) -> String {
        let last = *self.last(key);
        match self.rng.below(20) {
            0 => self
                .rng
                .one_of(&["0", "0-0", "-", "+", "$", "x", "5-", "-5", "1-1-1", "*", ">", "007-01", " 5", "5-*"])
                .to_owned(),
            1 => "18446744073709551615-18446744073709551615".to_owned(),
            2 => self.rng.below(last + 1).to_string(),
            3 => format!("{last}-{}", self.rng.below(4)),
            _ => format!("{}-{}", self.rng.below(last + 2), self.rng.below(4)),
        }
    }

    fn end(&mut self, key: &str) -> String {
        match self.rng.below(4) {
            0 => self.rng.one_of(&["-", "+"]).to_owned(),
            1 => format!("({}", self.id(key)),
            _ => self.id(key),
        }
    }

    fn ids(&mut self, key: &str, most: u64) -> Vec<String> {
        (0..self.rng.between(1, most)).map(|_| self.id(key)).collect()
    }

    fn trim(&mut self, key: &str) -> Vec<String> {
        let mut words = vec![self.rng.one_of(&["MAXLEN", "MINID", "maxlen"]).to_owned()];
        let is_min_id = words[0] == "MINID";
        words.extend(self.maybe(35, &["~"]));
        words.extend(self.maybe(15, &["="]));
        words.push(if is_min_id { self.id(key) } else { self.rng.below(60).to_string() });
        if self.rng.percent(20) {
            words.extend(["LIMIT".to_owned(), self.rng.one_of(&["0", "1", "10", "50", "-1", "x"]).to_owned()]);
        }
        words
    }

    fn fields(&mut self) -> Vec<String> {
        let is_usual = self.rng.percent(70);
        let mut words = Vec::new();
        for number in 0..self.rng.between(1, 3) {
            words.push(if is_usual {
                format!("f{number}")
            } else {
                self.rng.one_of(&["x", "12", "-7", "another field"]).to_owned()
            });
            words.push(match self.rng.below(6) {
                0 => (self.rng.next_u64() as i64).to_string(),
                1 => "x".repeat(self.rng.below(300) as usize),
                2 => self.rng.one_of(&["", "12345", "-1"]).to_owned(),
                _ => format!("value:{}", self.rng.below(1000)),
            });
        }
        words
    }

    fn add(&mut self) -> Vec<String> {
        let key = self.rng.one_of(STREAMS).to_owned();
        let mut command = vec!["XADD".to_owned(), key.clone()];
        command.extend(self.maybe(10, &["NOMKSTREAM"]));
        if self.rng.percent(10) {
            command.extend(self.trim(&key));
        }
        let ahead = self.rng.below(3);
        *self.last(&key) += ahead;
        let last = *self.last(&key);
        command.push(match self.rng.below(20) {
            0 => self.rng.one_of(&["0-0", "x", "1-1", "-"]).to_owned(),
            1..=4 => format!("{last}-{}", self.rng.below(8)),
            _ => format!("{last}-*"),
        });
        command.extend(self.fields());
        if self.rng.percent(2) {
            command.pop();
        }
        command
    }

    fn read_group(&mut self) -> Vec<String> {
        let count = self.rng.between(1, 2) as usize;
        let mut command = vec![
            "XREADGROUP".to_owned(),
            "GROUP".to_owned(),
            self.rng.one_of(GROUPS).to_owned(),
            self.rng.one_of(CONSUMERS).to_owned(),
        ];
        if self.rng.percent(80) {
            command.extend(["COUNT".to_owned(), self.rng.one_of(&["0", "1", "3", "10", "-1"]).to_owned()]);
        }
        command.extend(self.maybe(15, &["NOACK"]));
        command.push("STREAMS".to_owned());
        let keys: Vec<String> = (0..count).map(|_| self.rng.one_of(KEYS).to_owned()).collect();
        command.extend(keys.clone());
        for key in &keys {
            let id = if self.rng.percent(70) { ">".to_owned() } else { self.id(key) };
            command.push(id);
        }
        command
    }

    fn claim(&mut self) -> Vec<String> {
        let key = self.rng.one_of(KEYS).to_owned();
        let name = |text: &str| text.to_owned();
        let mut command = vec![
            name("XCLAIM"),
            key.clone(),
            self.rng.one_of(GROUPS).to_owned(),
            self.rng.one_of(CONSUMERS).to_owned(),
        ];
        command.push(self.rng.one_of(&["0", "0", "0", "-1", "x"]).to_owned());
        command.extend(self.ids(&key, 3));
        command.extend(self.maybe(30, &["TIME", "1000"]));
        command.extend(self.maybe(10, &["IDLE", "0"]));
        command.extend(self.maybe(30, &["RETRYCOUNT", "5"]));
        command.extend(self.maybe(40, &["FORCE"]));
        command.extend(self.maybe(40, &["JUSTID"]));
        command.extend(self.maybe(5, &["WHAT"]));
        if self.rng.percent(20) {
            command.extend([name("LASTID"), self.id(&key)]);
        }
        command
    }

    fn auto_claim(&mut self) -> Vec<String> {
        let key = self.rng.one_of(KEYS).to_owned();
        let mut command = vec![
            "XAUTOCLAIM".to_owned(),
            key.clone(),
            self.rng.one_of(GROUPS).to_owned(),
            self.rng.one_of(CONSUMERS).to_owned(),
        ];
        command.extend(["0".to_owned(), self.end(&key)]);
        command.extend(self.maybe(60, &["COUNT", "2"]));
        command.extend(self.maybe(5, &["COUNT", "0"]));
        command.extend(self.maybe(40, &["JUSTID"]));
        command
    }

    fn group(&mut self) -> Vec<String> {
        let (key, group) = (self.rng.one_of(KEYS).to_owned(), self.rng.one_of(GROUPS).to_owned());
        let id = if self.rng.percent(40) { self.rng.one_of(&["$", "0"]).to_owned() } else { self.id(&key) };
        let mut command = vec!["XGROUP".to_owned()];
        match self.rng.below(10) {
            0..=4 => {
                command.extend(["CREATE".to_owned(), key, group, id]);
                command.extend(self.maybe(50, &["MKSTREAM"]));
                command.extend(self.maybe(20, &["ENTRIESREAD", "5"]));
                command.extend(self.maybe(5, &["ENTRIESREAD", "-2"]));
            }
            5 | 6 => {
                command.extend(["SETID".to_owned(), key, group, id]);
                command.extend(self.maybe(30, &["ENTRIESREAD", "3"]));
            }
            7 => command.extend(["DESTROY".to_owned(), key, group]),
            8 => command.extend(["CREATECONSUMER".to_owned(), key, group, self.rng.one_of(CONSUMERS).to_owned()]),
            _ => command.extend(["DELCONSUMER".to_owned(), key, group, self.rng.one_of(CONSUMERS).to_owned()]),
        }
        command
    }

    /// Its own stream, where nothing is deleted: 7.0 is content with an id below a deleted one.
    fn set_id(&mut self) -> Vec<String> {
        let id = format!("{}-{}", self.rng.below(400), self.rng.below(3));
        let name = |text: &str| text.to_owned();
        match self.rng.below(3) {
            0 => vec![name("XADD"), name("ids"), id, name("f"), name("v")],
            1 => vec![name("XSETID"), name("ids"), id],
            _ => vec![name("XSETID"), name("ids"), id, name("ENTRIESADDED"), self.rng.below(200).to_string()],
        }
    }

    fn range(&mut self) -> Vec<String> {
        let key = self.rng.one_of(KEYS).to_owned();
        let mut command =
            vec![self.rng.one_of(&["XRANGE", "XREVRANGE"]).to_owned(), key.clone(), self.end(&key), self.end(&key)];
        if self.rng.percent(50) {
            command.extend(["COUNT".to_owned(), self.rng.one_of(&["-1", "0", "1", "5", "x"]).to_owned()]);
        }
        command
    }

    fn pending(&mut self) -> Vec<String> {
        let key = self.rng.one_of(KEYS).to_owned();
        let mut command = vec!["XPENDING".to_owned(), key.clone(), self.rng.one_of(GROUPS).to_owned()];
        if self.rng.percent(70) {
            command.extend(self.maybe(20, &["IDLE", "0"]));
            command.extend([self.end(&key), self.end(&key), self.rng.one_of(&["0", "1", "10", "-1", "x"]).to_owned()]);
            command.extend(self.maybe(30, &["a"]));
        }
        command
    }

    fn info(&mut self) -> Vec<String> {
        let key = self.rng.one_of(KEYS).to_owned();
        let mut command = vec!["XINFO".to_owned()];
        match self.rng.below(6) {
            0 => command.extend(["GROUPS".to_owned(), key]),
            1 => command.extend(["CONSUMERS".to_owned(), key, self.rng.one_of(GROUPS).to_owned()]),
            2 => command.extend(["STREAM".to_owned(), key]),
            _ => {
                command.extend(["STREAM".to_owned(), key, "FULL".to_owned()]);
                command.extend(self.maybe(40, &["COUNT", "0"]));
                command.extend(self.maybe(10, &["COUNT"]));
            }
        }
        command
    }

    fn next(&mut self) -> Vec<String> {
        let key = self.rng.one_of(KEYS).to_owned();
        let command = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
        match self.rng.below(100) {
            0..=37 => self.add(),
            38..=42 => [command(&["XDEL", &key]), self.ids(&key, 3)].concat(),
            43..=45 => [command(&["XTRIM", &key]), self.trim(&key)].concat(),
            46..=51 => self.range(),
            52..=54 => {
                let count = self.rng.one_of(&["0", "1", "3"]).to_owned();
                [command(&["XREAD", "COUNT", &count, "STREAMS", &key]), self.ids(&key, 1)].concat()
            }
            55..=66 => self.read_group(),
            67..=71 => [command(&["XACK", &key, self.rng.one_of(GROUPS)]), self.ids(&key, 4)].concat(),
            72..=75 => self.pending(),
            76..=80 => self.claim(),
            81..=84 => self.auto_claim(),
            85..=89 => self.group(),
            90..=92 => self.set_id(),
            93..=97 => self.info(),
            98 => command(&[self.rng.one_of(&["XLEN", "TYPE"]), &key]),
            _ if self.rng.percent(30) => command(&["DEL", &key]),
            _ => command(&["COPY", self.rng.one_of(STREAMS), "x2", "REPLACE"]),
        }
    }
}

/// The keys and the group and consumer of a command that makes a consumer. 7.0 makes it only when there is something for
/// it, so that there has to be one on both sides.
fn consumer_of(words: &[String]) -> Option<(Vec<String>, String, String)> {
    match words[0].as_str() {
        "XREADGROUP" => {
            let first = words.iter().position(|word| word == "STREAMS")? + 1;
            let keys = words[first..first + (words.len() - first) / 2].to_vec();
            Some((keys, words[2].clone(), words[3].clone()))
        }
        "XCLAIM" | "XAUTOCLAIM" => Some((vec![words[1].clone()], words[2].clone(), words[3].clone())),
        _ => None,
    }
}

/// Without what depends on the clock, and without what 7.0 does not have.
pub fn timeless(value: &Value) -> Value {
    const LATER: &[&[u8]] = &[b"active-time", b"inactive"];
    const CLOCK: &[&[u8]] = &[b"seen-time", b"idle"];
    let is = |part: &Value, names: &[&[u8]]| matches!(part, Value::Bulk(name) if names.contains(&name.as_slice()));
    match value {
        Value::Many(kind, parts) => {
            let mut plain = Vec::new();
            let mut parts = parts.iter();
            while let Some(part) = parts.next() {
                if is(part, LATER) {
                    parts.next();
                } else if is(part, CLOCK) {
                    parts.next();
                    plain.push(part.clone());
                } else {
                    plain.push(timeless(part));
                }
            }
            // XPENDING: id, consumer, milliseconds since the delivery, how often.
            if let [Value::Bulk(_), Value::Bulk(_), Value::Int(since), Value::Int(_)] = &mut plain[..] {
                *since = 0;
            }
            Value::Many(*kind, plain)
        }
        Value::Int(moment) if *moment > 1_000_000_000_000 => Value::Int(0),
        other => other.clone(),
    }
}

fn is_alike(_: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    timeless(ours) == timeless(stock)
}

impl Source for Streams {
    fn draw(&mut self) -> Vec<Question> {
        let words = self.next();
        let mut questions = Vec::new();
        if let Some((keys, group, consumer)) = consumer_of(&words) {
            for key in keys {
                let words = ["XGROUP", "CREATECONSUMER", &key, &group, &consumer];
                questions.push(Question::exact(words));
            }
        }
        questions.push(Question::judged(words, is_alike));
        questions
    }
}

fn compare(seed: Seed, setup: &[&str]) {
    let Some(mut pair) = Pair::start() else { return };
    for line in setup {
        pair.ask_line(line);
    }
    pair.ask_line("SET text v");
    pair.run(&mut Rng::seeded(seed.0), &mut Streams::new(seed.0), COMMANDS);
    pair.compare_keys();
    pair.compare_consequences(|_| false);
}

#[test]
fn streams_answer_alike() {
    for (number, (bytes, entries)) in [("4096", "100"), ("0", "5"), ("300", "0")].iter().enumerate() {
        let bytes = format!("CONFIG SET stream-node-max-bytes {bytes}");
        let entries = format!("CONFIG SET stream-node-max-entries {entries}");
        compare(Seed::from_env().plus(number as u64), &[&bytes, &entries]);
    }
}
