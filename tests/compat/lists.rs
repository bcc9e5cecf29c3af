//! List commands drawn at random over few keys, sensible and not. What lies in memory is compared as well: DUMP shows the nodes
//! of a list.

use rredis::base::lzf;
use rredis::base::rng::Rng;
use rredis::rdb::length::{self, Length};

use crate::client::Value;
use crate::pair::Pair;
use crate::question::{Question, Source};
use crate::seed::{Draw, Seed};

/// Commands in one run.
const COMMANDS: usize = 4_000;

/// Where commands come from.
pub struct Lists {
    rng: Rng,
    /// Whether payloads are compared to the byte.
    is_dumped: bool,
}

impl Lists {
    pub fn new(seed: u64, is_dumped: bool) -> Lists {
        Lists { rng: Rng::seeded(seed), is_dumped }
    }

    fn key(&mut self) -> String {
        match self.rng.below(40) {
            0 => "text".to_owned(),
            1 => "missing".to_owned(),
            n => format!("l{}", n % 4),
        }
    }

    fn element(&mut self) -> String {
        match self.rng.below(12) {
            0 => String::new(),
            1 => (self.rng.next_u64() as i64).to_string(),
            2 => "007".to_owned(),
            3 => "x".repeat(self.rng.below(300) as usize),
            4 => "y".repeat([3000, 5000, 9000][self.rng.below(3) as usize]),
            5..=8 => self.rng.below(12).to_string(),
            _ => self.rng.one_of(&["a", "b", "c", "d"]).to_owned(),
        }
    }

    fn index(&mut self) -> String {
        match self.rng.below(20) {
            0 => self.rng.one_of(&["x", "", "1.5", "9223372036854775807", "-9223372036854775808"]).to_owned(),
            _ => (self.rng.below(24) as i64 - 12).to_string(),
        }
    }

    fn end(&mut self) -> String {
        self.rng.one_of(&["LEFT", "RIGHT", "left", "Right", "LEFT", "RIGHT", "UP"]).to_owned()
    }

    fn next(&mut self) -> Vec<String> {
        let (a, b) = (self.key(), self.key());
        let word = str::to_owned;
        match self.rng.below(40) {
            0..=8 => {
                let name = self.rng.one_of(&["LPUSH", "RPUSH", "RPUSH", "LPUSHX", "RPUSHX"]);
                let mut words = vec![word(name), a];
                words.extend((0..=self.rng.below(4)).map(|_| self.element()));
                words
            }
            9..=11 => vec![word(self.rng.one_of(&["LPOP", "RPOP"])), a],
            12 => vec![word(self.rng.one_of(&["LPOP", "RPOP"])), a, self.index()],
            13 | 14 => vec![word("LINDEX"), a, self.index()],
            15..=18 => {
                let place = word(self.rng.one_of(&["BEFORE", "AFTER", "before", "BETWEEN"]));
                vec![word("LINSERT"), a, place, self.element(), self.element()]
            }
            19..=21 => vec![word("LRANGE"), a, self.index(), self.index()],
            22 | 23 => vec![word("LREM"), a, self.index(), self.element()],
            24..=27 => vec![word("LSET"), a, self.index(), self.element()],
            28 => vec![word("LTRIM"), a, self.index(), self.index()],
            29..=31 => {
                let mut words = vec![word("LPOS"), a, self.element()];
                while self.rng.percent(45) {
                    // Redis 7.0 takes the smallest number for a rank.
                    let number = self.index().replace("-9223372036854775808", "-1");
                    words.extend([word(self.rng.one_of(&["RANK", "COUNT", "MAXLEN", "rank", "FOO"])), number]);
                }
                if self.rng.percent(5) {
                    words.push(word("COUNT"));
                }
                words
            }
            32 | 33 => vec![word("LMOVE"), a, b, self.end(), self.end()],
            34 => vec![word("RPOPLPUSH"), a, b],
            35 => {
                let count = self.rng.one_of(&["0", "1", "2", "2", "3", "x"]);
                let mut words = vec![word("LMPOP"), word(count), a, b, self.end()];
                if self.rng.percent(50) {
                    words.extend([word("COUNT"), self.index()]);
                }
                words
            }
            36 => vec![word("LLEN"), a],
            37 => vec![word(self.rng.one_of(&["COPY", "RENAME", "DEL", "TYPE"])), a, b],
            _ => vec![word("DUMP"), a],
        }
    }
}

/// The nodes in a DUMP payload of a list: their kind and, decompressed, their bytes.
fn nodes(payload: &Value) -> Option<Vec<(u64, Vec<u8>)>> {
    fn number(input: &mut &[u8]) -> Option<usize> {
        match length::take(input) {
            Ok(Length::Plain(number)) => Some(number as usize),
            _ => None,
        }
    }
    fn bytes<'a>(input: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = input.split_at_checked(len)?;
        *input = rest;
        Some(bytes)
    }
    let Value::Bulk(payload) = payload else { return None };
    let mut input = payload.strip_prefix(b"\x12")?;
    let count = number(&mut input)?;
    let node = |_| {
        let kind = number(&mut input)? as u64;
        let text = match length::take(&mut input).ok()? {
            Length::Plain(len) => bytes(&mut input, len as usize)?.to_vec(),
            Length::Special(_) => {
                let (packed, len) = (number(&mut input)?, number(&mut input)?);
                let mut text = Vec::new();
                lzf::decompress(bytes(&mut input, packed)?, len, &mut text).ok()?;
                text
            }
        };
        Some((kind, text))
    };
    (0..count).map(node).collect()
}

/// Payloads must have the same nodes.
fn same_nodes(_: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    nodes(ours).is_some() && nodes(ours) == nodes(stock)
}

impl Source for Lists {
    fn draw(&mut self) -> Vec<Question> {
        let words = self.next();
        match words[0].as_str() {
            "DUMP" if !self.is_dumped => Vec::new(),
            "DUMP" => vec![Question::judged(words, same_nodes)],
            _ => vec![Question::exact(words)],
        }
    }
}

/// `setup` comes first; `is_dumped` says whether payloads are compared as well.
fn compare(seed: Seed, setup: &[&str], is_dumped: bool) {
    let Some(mut pair) = Pair::start() else { return };
    for line in setup {
        pair.ask_line(line);
    }
    pair.ask_line("SET text v");
    pair.run(&mut Rng::seeded(seed.0), &mut Lists::new(seed.0, is_dumped), COMMANDS);
    pair.compare_consequences(|_| false);
}

#[test]
fn lists_answer_alike_and_have_the_same_nodes() {
    for (number, fill) in ["3", "1", "-1", "-2"].iter().enumerate() {
        // Redis 7.0 knows no list that is a single listpack. Where bytes are the limit, that one may become a little larger than
        // a node.
        let is_dumped = !fill.starts_with('-');
        let fill = format!("CONFIG SET list-max-listpack-size {fill}");
        compare(Seed::from_env().plus(number as u64), &[&fill], is_dumped);
    }
}

#[test]
fn compressed_lists_answer_alike() {
    for (number, depth) in ["1", "2"].iter().enumerate() {
        let depth = format!("CONFIG SET list-compress-depth {depth}");
        let seed = Seed::from_env().plus(10 + number as u64);
        compare(seed, &["CONFIG SET list-max-listpack-size 2", &depth], false);
    }
}
