//! Sorted-set and geo commands drawn at random over few keys, sensible and not, in both encodings.

use rredis::base::rng::Rng;

use crate::client::Value;
use crate::pair::Pair;
use crate::question::{Question, Source, in_any_order};
use crate::seed::{Draw, Seed};

/// Commands in one run.
const COMMANDS: usize = 4_000;

/// Keys whose members may have any score.
const SCORED: &[&str] = &["z0", "z1", "z2", "z3", "z0", "z1", "z2", "plain", "text", "missing"];
/// Keys whose members all have score 0: ranges by name mean nothing elsewhere.
const NAMED: &[&str] = &["n0", "n1", "n0", "n1", "n0", "n1", "text", "nowhere"];
/// Keys of positions.
const PLACES: &[&str] = &["g0", "g1", "g0", "g1", "g0", "g1", "text", "desert"];

const UNITS: &[&str] = &["m", "km", "ft", "mi", "KM"];

/// Where commands come from.
pub struct SortedSets(pub Rng);

/// Words of a command, split at spaces.
fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

impl SortedSets {
    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.0.below((high - low + 1) as u64) as i64
    }

    /// One of the words, or none.
    fn maybe(&mut self, percent: u64, choices: &[&str]) -> Vec<String> {
        if self.0.percent(percent) { vec![self.0.one_of(choices).to_owned()] } else { Vec::new() }
    }

    fn member(&mut self) -> String {
        match self.0.below(8) {
            0 => self.0.one_of(&["", "a", "A", "b", "007"]).to_owned(),
            1 => format!("a-longer-member-{}", self.0.below(4)),
            2 | 3 => self.0.below(12).to_string(),
            _ => format!("m{}", self.0.below(20)),
        }
    }

    /// A score that 7.0 and 7.2 print alike.
    fn score(&mut self) -> String {
        match self.0.below(10) {
            0 => self
                .0
                .one_of(&["inf", "-inf", "+inf", "1e10", "0x10", ".5", "3.", "nan", "x", "1e400", " 1", "-0"])
                .to_owned(),
            1 | 2 => (self.between(-20, 20) as f64 / 4.0).to_string(),
            _ => self.between(-5, 5).to_string(),
        }
    }

    fn score_end(&mut self) -> String {
        let open = self.0.one_of(&["", "", "("]).to_owned();
        let end = match self.0.below(10) {
            0 => self.0.one_of(&["-inf", "+inf", "inf", "", "1e400", "x", "nan", " 2"]).to_owned(),
            1 => "-inf".to_owned(),
            2 => "+inf".to_owned(),
            _ => self.between(-6, 6).to_string(),
        };
        open + &end
    }

    fn name_end(&mut self) -> String {
        match self.0.below(8) {
            0 => "-".to_owned(),
            1 => "+".to_owned(),
            2 => self.0.one_of(&["[", "(", "x", "-x", ""]).to_owned(),
            _ => self.0.one_of(&["[", "("]).to_owned() + &self.member(),
        }
    }

    fn rank(&mut self) -> String {
        match self.0.below(20) {
            0 => self.0.one_of(&["x", "9223372036854775807", "-9223372036854775808"]).to_owned(),
            _ => self.between(-10, 10).to_string(),
        }
    }

    fn limit(&mut self) -> Vec<String> {
        match self.0.below(10) {
            0..=2 => words(&format!("LIMIT {} {}", self.between(0, 3), self.between(-1, 4))),
            3 => words(self.0.one_of(&["LIMIT", "LIMIT 1", "LIMIT x 1", "LIMIT -1 2", "limit 0 0"])),
            _ => Vec::new(),
        }
    }

    fn keys(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.0.one_of(SCORED).to_owned()).collect()
    }

    fn add(&mut self) -> Vec<String> {
        let mut command = vec!["ZADD".to_owned(), self.0.one_of(SCORED).to_owned()];
        command.extend(self.maybe(20, &["NX", "XX", "nx"]));
        command.extend(self.maybe(20, &["GT", "LT"]));
        command.extend(self.maybe(20, &["CH"]));
        let incr = self.maybe(15, &["INCR"]);
        let pairs = if incr.is_empty() { self.between(1, 4) } else { 1 };
        command.extend(incr);
        command.extend((0..pairs).flat_map(|_| [self.score(), self.member()]));
        command
    }

    fn range(&mut self) -> Vec<String> {
        let mut command = match self.0.below(4) {
            0 => vec!["ZRANGESTORE".to_owned(), self.0.one_of(&["z3", "target"]).to_owned()],
            _ => vec!["ZRANGE".to_owned()],
        };
        match self.0.below(3) {
            0 => command.extend([self.0.one_of(SCORED).to_owned(), self.rank(), self.rank()]),
            1 => command.extend([
                self.0.one_of(SCORED).to_owned(),
                self.score_end(),
                self.score_end(),
                "BYSCORE".to_owned(),
            ]),
            _ => {
                command.extend([self.0.one_of(NAMED).to_owned(), self.name_end(), self.name_end(), "BYLEX".to_owned()])
            }
        }
        command.extend(self.maybe(40, &["REV", "rev"]));
        command.extend(self.limit());
        command.extend(self.maybe(30, &["WITHSCORES"]));
        command
    }

    fn combine(&mut self) -> Vec<String> {
        let name = self
            .0
            .one_of(&["ZUNION", "ZINTER", "ZDIFF", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE", "ZINTERCARD"])
            .to_owned();
        let count = self.between(1, 3) as usize;
        let mut command = vec![name.clone()];
        if name.ends_with("STORE") {
            command.push(self.0.one_of(&["z2", "target"]).to_owned());
        }
        command.push(if self.0.percent(95) { count.to_string() } else { self.0.one_of(&["0", "x", "9"]).to_owned() });
        command.extend(self.keys(count));
        match name.as_str() {
            "ZINTERCARD" => command.extend(self.maybe(40, &["LIMIT 0", "LIMIT 1", "LIMIT 3", "LIMIT -1"])),
            "ZDIFF" | "ZDIFFSTORE" => {}
            _ => {
                if self.0.percent(30) {
                    command.push("WEIGHTS".to_owned());
                    command.extend(
                        (0..count).map(|_| self.0.one_of(&["1", "2", "-1", "0", "0.5", "inf", "1", "2"]).to_owned()),
                    );
                }
                if self.0.percent(30) {
                    command.extend(words(self.0.one_of(&["AGGREGATE SUM", "AGGREGATE min", "AGGREGATE MAX"])));
                }
            }
        }
        command.extend(self.maybe(40, &["WITHSCORES"]));
        command
            .iter()
            .flat_map(|word| if word.starts_with("LIMIT") { words(word) } else { vec![word.clone()] })
            .collect()
    }

    fn pop(&mut self) -> Vec<String> {
        if self.0.percent(60) {
            let mut command = vec![self.0.one_of(&["ZPOPMIN", "ZPOPMAX"]).to_owned(), self.0.one_of(SCORED).to_owned()];
            command.extend(self.maybe(50, &["0", "1", "2", "5", "-1", "x"]));
            return command;
        }
        let count = self.between(1, 3) as usize;
        let mut command = vec!["ZMPOP".to_owned(), count.to_string()];
        command.extend(self.keys(count));
        command.push(self.0.one_of(&["MIN", "max", "MID"]).to_owned());
        command.extend(words(self.0.one_of(&["COUNT 1", "COUNT 2", "COUNT 0", "count 9"])));
        command
    }

    fn coordinate(&mut self, most: f64) -> String {
        let part = self.0.next_u64() as f64 / u64::MAX as f64;
        let decimals = [0, 2, 6][self.0.below(3) as usize];
        format!("{:.decimals$}", (part * 2.0 - 1.0) * most)
    }

    fn position(&mut self) -> Vec<String> {
        match self.0.below(30) {
            0 => words(self.0.one_of(&["181 0", "0 86", "x 0", "180 85.05112878", "-180 -85.05112878"])),
            _ => vec![self.coordinate(180.0), self.coordinate(85.0)],
        }
    }

    fn length(&mut self) -> String {
        match self.0.below(20) {
            0 => self.0.one_of(&["0", "-1", "x"]).to_owned(),
            _ => format!("{:.2}", 10f64.powf(self.0.below(700) as f64 / 100.0)),
        }
    }

    fn place(&mut self) -> String {
        format!("p{}", self.0.below(60))
    }

    fn geo_options(&mut self) -> Vec<String> {
        let mut options = self.maybe(30, &["WITHDIST"]);
        options.extend(self.maybe(30, &["WITHCOORD"]));
        options.extend(self.maybe(20, &["WITHHASH"]));
        if self.0.percent(25) {
            options.extend(words(self.0.one_of(&["COUNT 1", "COUNT 3", "COUNT 10", "COUNT 0", "COUNT 3 ANY", "ANY"])));
        }
        // Without an order, results come as they are found, which is nobody's promise.
        options.push(self.0.one_of(&["ASC", "DESC"]).to_owned());
        options
    }

    fn geo(&mut self) -> Vec<String> {
        let key = self.0.one_of(PLACES).to_owned();
        let mut command: Vec<String>;
        match self.0.below(10) {
            0..=3 => {
                command = vec!["GEOADD".to_owned(), key];
                command.extend(self.maybe(10, &["NX", "XX"]));
                command.extend(self.maybe(10, &["CH"]));
                for _ in 0..self.between(1, 3) {
                    command.extend(self.position());
                    command.push(self.place());
                }
            }
            4 => {
                command = vec!["GEODIST".to_owned(), key, self.place(), self.place()];
                command.extend(self.maybe(60, UNITS));
            }
            5 => command = vec![self.0.one_of(&["GEOPOS", "GEOHASH"]).to_owned(), key, self.place(), self.place()],
            6 | 7 => {
                let stores = self.0.percent(25);
                command = match stores {
                    true => vec!["GEOSEARCHSTORE".to_owned(), "target".to_owned(), key],
                    false => vec!["GEOSEARCH".to_owned(), key],
                };
                match self.0.below(2) {
                    0 => command.extend(["FROMMEMBER".to_owned(), self.place()]),
                    _ => {
                        command.push("FROMLONLAT".to_owned());
                        command.extend(self.position());
                    }
                }
                // What a box reaches near the poles has changed since 7.0: circles only.
                command.extend(["BYRADIUS".to_owned(), self.length(), self.0.one_of(UNITS).to_owned()]);
                command.extend(if stores { Vec::new() } else { self.geo_options() });
            }
            _ => {
                let name = self
                    .0
                    .one_of(&["GEORADIUS", "GEORADIUSBYMEMBER", "GEORADIUS_RO", "GEORADIUSBYMEMBER_RO"])
                    .to_owned();
                let is_around_member = name.contains("MEMBER");
                command = vec![name, key];
                match is_around_member {
                    true => command.push(self.place()),
                    false => command.extend(self.position()),
                }
                command.extend([self.length(), self.0.one_of(UNITS).to_owned()]);
                command.extend(self.geo_options());
                if self.0.percent(10) {
                    command.extend(["STORE".to_owned(), "target".to_owned()]);
                }
            }
        }
        command
    }

    fn next(&mut self) -> Vec<String> {
        let key = self.0.one_of(SCORED).to_owned();
        let name = |text: &str| text.to_owned();
        match self.0.below(40) {
            0..=7 => self.add(),
            8 => {
                vec![name("ZADD"), self.0.one_of(NAMED).to_owned(), name("0"), self.member(), name("0"), self.member()]
            }
            9 => vec![name("ZINCRBY"), key, self.score(), self.member()],
            10 => vec![name("ZREM"), key, self.member(), self.member()],
            11 => vec![self.0.one_of(&["ZCARD", "TYPE"]).to_owned(), key],
            12 => vec![name("ZSCORE"), key, self.member()],
            13 => vec![name("ZMSCORE"), key, self.member(), self.member()],
            14 => vec![self.0.one_of(&["ZRANK", "ZREVRANK"]).to_owned(), key, self.member()],
            15 => vec![name("ZCOUNT"), key, self.score_end(), self.score_end()],
            16 => vec![name("ZLEXCOUNT"), self.0.one_of(NAMED).to_owned(), self.name_end(), self.name_end()],
            17..=19 => self.range(),
            20 => {
                let mut command = vec![name("ZREVRANGE"), key, self.rank(), self.rank()];
                command.extend(self.maybe(50, &["WITHSCORES", "REV"]));
                command
            }
            21 => {
                let command = self.0.one_of(&["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]).to_owned();
                let mut command = vec![command, key, self.score_end(), self.score_end()];
                command.extend(self.limit());
                command.extend(self.maybe(50, &["WITHSCORES"]));
                command
            }
            22 => {
                let command = self.0.one_of(&["ZRANGEBYLEX", "ZREVRANGEBYLEX"]).to_owned();
                let mut command = vec![command, self.0.one_of(NAMED).to_owned(), self.name_end(), self.name_end()];
                command.extend(self.limit());
                command
            }
            23 => vec![name("ZREMRANGEBYRANK"), key, self.rank(), self.rank()],
            24 => vec![name("ZREMRANGEBYSCORE"), key, self.score_end(), self.score_end()],
            25 => vec![name("ZREMRANGEBYLEX"), self.0.one_of(NAMED).to_owned(), self.name_end(), self.name_end()],
            26 | 27 => self.pop(),
            28 => vec![name("ZRANDMEMBER"), key, self.0.one_of(&["0", "x", "-9223372036854775808"]).to_owned()],
            29 => vec![
                name("ZSCAN"),
                key,
                self.0.one_of(&["0", "x"]).to_owned(),
                self.0.one_of(&["COUNT", "MATCH"]).to_owned(),
            ],
            30..=33 => self.combine(),
            // A plain set of strings is a listpack since 7.2.
            34 => vec![
                name("OBJECT"),
                name("ENCODING"),
                self.0.one_of(&["z0", "z1", "z2", "z3", "n0", "g0", "target"]).to_owned(),
            ],
            _ => self.geo(),
        }
    }
}

/// What chance chose comes in any order.
fn is_alike(words: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    words[0] == b"ZRANDMEMBER" && in_any_order(words, ours, stock)
}

impl Source for SortedSets {
    fn draw(&mut self) -> Vec<Question> {
        vec![Question::judged(self.next(), is_alike)]
    }
}

fn compare(seed: Seed, setup: &[&str]) {
    let Some(mut pair) = Pair::start() else { return };
    for line in setup {
        pair.ask_line(line);
    }
    pair.ask_line("SET text v");
    pair.ask_line("SADD plain m1 m2 5 a");
    pair.run(&mut Rng::seeded(seed.0), &mut SortedSets(Rng::seeded(seed.0)), COMMANDS);
    pair.compare_keys();
    pair.compare_consequences(|_| false);
}

#[test]
fn sorted_sets_answer_alike() {
    for (number, limits) in [("128", "64"), ("4", "8"), ("0", "64")].iter().enumerate() {
        let entries = format!("CONFIG SET zset-max-listpack-entries {}", limits.0);
        let value = format!("CONFIG SET zset-max-listpack-value {}", limits.1);
        compare(Seed::from_env().plus(number as u64), &[&entries, &value]);
    }
}
