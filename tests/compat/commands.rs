//! Commands drawn at random: strings and generic commands over few keys, sensible and not.

use rredis::base::rng::Rng;

use crate::seed::Draw;

use crate::question::{Judge, Question, Source, in_any_order, roughly, same_content, walk_in_any_order};

/// A source of commands.
pub struct Strings {
    rng: Rng,
}

impl Strings {
    pub fn new(seed: u64) -> Strings {
        Strings { rng: Rng::seeded(seed) }
    }

    fn key(&mut self) -> Vec<u8> {
        format!("k{}", self.rng.below(8)).into_bytes()
    }

    /// Keys for floating point sums. They stay apart from the others, because a sum without decimals is kept as an
    /// integer here and as text there, which OBJECT ENCODING shows.
    fn float_key(&mut self) -> Vec<u8> {
        format!("f{}", self.rng.below(4)).into_bytes()
    }

    fn value(&mut self) -> Vec<u8> {
        match self.rng.below(24) {
            0 => Vec::new(),
            1 => b"9223372036854775807".to_vec(),
            2 => b"-9223372036854775808".to_vec(),
            3 => b"9223372036854775808".to_vec(),
            4 => b"007".to_vec(),
            5 => b" 1".to_vec(),
            6 => b"\x00\r\n\xff".to_vec(),
            7 => vec![b'a'; 44],
            8 => vec![b'a'; 45],
            9 => self.text(5_000),
            10 => self.text(40_000),
            11..=15 => self.rng.below(300).to_string().into_bytes(),
            16 => (self.rng.next_u64() as i64).to_string().into_bytes(),
            _ => {
                let length = self.rng.below(12) as usize;
                self.text(length)
            }
        }
    }

    fn text(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| b"abcdef"[self.rng.below(6) as usize]).collect()
    }

    fn int(&mut self) -> Vec<u8> {
        match self.rng.below(16) {
            0 => b"9223372036854775807".to_vec(),
            1 => b"-9223372036854775808".to_vec(),
            2 => b"x".to_vec(),
            3 => b"1.5".to_vec(),
            4 => b"+1".to_vec(),
            5 => b"".to_vec(),
            _ => (self.rng.below(40) as i64 - 20).to_string().into_bytes(),
        }
    }

    fn float(&mut self) -> Vec<u8> {
        let odd =
            ["nan", "inf", "-inf", "1e400", "1e4000", " 1", "x", "", "0x10", "5e-1", ".5", "5.", "+1", "-0", "1e-5"];
        match self.rng.below(4) {
            0 => self.rng.one_of(&odd).into(),
            1 => (self.rng.below(200) as i64 - 100).to_string().into_bytes(),
            _ => {
                let number = self.rng.below(2_000_000) as f64 / 1000.0 - 1000.0;
                format!("{number:.*}", self.rng.below(6) as usize).into_bytes()
            }
        }
    }

    /// A time to live that does not end while the test runs, or one that is refused.
    fn ttl(&mut self) -> Vec<u8> {
        let odd =
            ["0", "-1", "x", "9223372036854775807", "-9223372036854775808", "9223372036854775", "9223372036854776"];
        if self.rng.percent(25) {
            self.rng.one_of(&odd).into()
        } else {
            self.rng.between(100_000, 900_000).to_string().into_bytes()
        }
    }

    /// A moment: past, future or refused. `unit` is 1000 for seconds and 1 for milliseconds.
    fn moment(&mut self, unit: u64) -> Vec<u8> {
        match self.rng.below(8) {
            0 => b"1".to_vec(),
            1 => self.ttl(),
            _ => (4_102_444_800_000 / unit + self.rng.below(10)).to_string().into_bytes(),
        }
    }

    fn expiry_option(&mut self) -> Vec<Vec<u8>> {
        let word = self.rng.one_of(&["EX", "px", "EXAT", "pxat"]);
        let time = match word {
            "EX" | "px" => self.ttl(),
            "EXAT" => self.moment(1000),
            _ => self.moment(1),
        };
        if self.rng.percent(3) { vec![word.into()] } else { vec![word.into(), time] }
    }
}

impl Source for Strings {
    fn draw(&mut self) -> Vec<Question> {
        let (a, b) = (self.key(), self.key());
        let word = |text: &str| text.as_bytes().to_vec();
        let mut judge: Judge = |_, _, _| false;
        let words: Vec<Vec<u8>> = match self.rng.below(62) {
            0..=5 => {
                let mut words = vec![word("SET"), a, self.value()];
                while self.rng.percent(35) {
                    match self.rng.below(9) {
                        0..=3 => words.extend(self.expiry_option()),
                        _ => words.push(self.rng.one_of(&["NX", "XX", "GET", "KEEPTTL", "nx", "PERSIST"]).into()),
                    }
                }
                words
            }
            6..=9 => vec![word("GET"), a],
            10 => vec![word("GETDEL"), a],
            11 | 12 => {
                let mut words = vec![word("GETEX"), a];
                match self.rng.below(6) {
                    0 => {}
                    1 => words.push(word("PERSIST")),
                    2 => words.push(self.rng.one_of(&["KEEPTTL", "NX", "EX"]).into()),
                    _ => words.extend(self.expiry_option()),
                }
                words
            }
            13 => vec![word("GETSET"), a, self.value()],
            14 => vec![word(self.rng.one_of(&["GETRANGE", "SUBSTR"])), a, self.int(), self.int()],
            15 => vec![word("SETNX"), a, self.value()],
            16 => vec![word("SETEX"), a, self.ttl(), self.value()],
            17 => vec![word("PSETEX"), a, self.ttl(), self.value()],
            18 => vec![word("MGET"), a, b, self.key(), word("missing")],
            19 => vec![word("MSET"), a, self.value(), b, self.value()],
            20 => vec![word("MSETNX"), a, self.value(), b, self.value()],
            21 => vec![word(self.rng.one_of(&["MSET", "MSETNX"])), a, self.value(), b],
            22 => vec![word(self.rng.one_of(&["INCR", "DECR"])), a],
            23 | 24 => vec![word(self.rng.one_of(&["INCRBY", "DECRBY"])), a, self.int()],
            25 | 26 => vec![word("APPEND"), a, self.value()],
            27 => vec![word("STRLEN"), a],
            28 | 29 => {
                let offset =
                    self.rng.one_of(&["0", "1", "5", "50", "4500", "-1", "x", "536870912", "9223372036854775807"]);
                vec![word("SETRANGE"), a, offset.into(), self.value()]
            }
            30 => {
                let mut words = vec![word("LCS"), a, b];
                while self.rng.percent(50) {
                    words.push(self.rng.one_of(&["LEN", "IDX", "WITHMATCHLEN", "MINMATCHLEN", "2", "x"]).into());
                }
                words
            }
            31 | 32 => {
                let command = self.rng.one_of(&["DEL", "UNLINK", "EXISTS", "TOUCH"]);
                let mut words = vec![word(command), a, b];
                words.extend((0..self.rng.below(3)).map(|_| self.key()));
                words
            }
            33..=38 => {
                let command = self.rng.one_of(&["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"]);
                let time = match command {
                    "EXPIRE" | "PEXPIRE" => self.ttl(),
                    "EXPIREAT" => self.moment(1000),
                    _ => self.moment(1),
                };
                let mut words = vec![word(command), a, time];
                while self.rng.percent(40) {
                    words.push(self.rng.one_of(&["NX", "XX", "GT", "LT", "gt", "KEEPTTL"]).into());
                }
                words
            }
            39..=41 => {
                judge = roughly;
                vec![word(self.rng.one_of(&["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"])), a]
            }
            42 => vec![word("PERSIST"), a],
            43 => vec![word("TYPE"), a],
            44 => vec![word(self.rng.one_of(&["RENAME", "RENAMENX"])), a, b],
            45 => vec![word("MOVE"), a, self.rng.one_of(&["9", "0", "1", "16", "x", "99999999999"]).into()],
            46 | 47 => {
                let mut words = vec![word("COPY"), a, b];
                while self.rng.percent(40) {
                    match self.rng.below(3) {
                        0 => words.push(word("REPLACE")),
                        1 => words.extend([word("DB"), self.rng.one_of(&["0", "9", "16", "x"]).into()]),
                        _ => words.push(self.rng.one_of(&["DB", "FOO"]).into()),
                    }
                }
                words
            }
            48 => vec![word("OBJECT"), word("ENCODING"), a],
            49 => vec![word("OBJECT"), word(self.rng.one_of(&["FREQ", "FOO", "ENCODING"])), a],
            50 => {
                judge = in_any_order;
                vec![word("KEYS"), self.rng.one_of(&["*", "k*", "k[0-3]", "?1", "missing", "k[^1]", "[f-k]?"]).into()]
            }
            51 => {
                let mut words =
                    vec![word("SCAN"), self.rng.one_of(&["0", "x", ""]).into(), word("COUNT"), word("1000")];
                if self.rng.percent(50) {
                    words.extend([word("MATCH"), self.rng.one_of(&["*", "k[1-4]", "f*"]).into()]);
                }
                if self.rng.percent(50) {
                    words.extend([word("TYPE"), self.rng.one_of(&["string", "LIST", "nonsense"]).into()]);
                }
                if self.rng.percent(10) {
                    words.push(self.rng.one_of(&["COUNT", "FOO"]).into());
                }
                // Redis removes the keys it meets after their time only if they match, we remove them all. So all of them
                // are looked at first.
                return vec![look_at_all(), Question::judged(words, walk_in_any_order)];
            }
            52 | 53 => {
                // The string "x", as it is dumped; sometimes damaged.
                let mut payload = b"\x00\x01x\x0b\x00K_;,@w\xa1Y".to_vec();
                payload[3..5].copy_from_slice(b"\x0a\x00");
                payload.truncate(5);
                payload.extend_from_slice(&crc64(&payload).to_le_bytes());
                if self.rng.percent(20) {
                    payload[2] ^= 1;
                }
                // A stock server lets the largest relative time overflow, and the key is gone at once; we do not.
                let ttl = match self.rng.below(3) {
                    0 => word("0"),
                    1 => self.rng.one_of(&["-1", "x", "9223372036854775808"]).into(),
                    _ => self.rng.between(100_000, 900_000).to_string().into_bytes(),
                };
                let mut words = vec![word("RESTORE"), a, ttl, payload];
                while self.rng.percent(40) {
                    match self.rng.below(3) {
                        0 => words.push(word("REPLACE")),
                        1 => words.push(word("ABSTTL")),
                        _ => words.extend([word(self.rng.one_of(&["IDLETIME", "FREQ"])), self.int()]),
                    }
                }
                words
            }
            54..=57 => {
                let key = self.float_key();
                match self.rng.below(6) {
                    0 => vec![word("SET"), key, self.float()],
                    1 => vec![word("GET"), key],
                    2 => vec![word("INCR"), key],
                    _ => vec![word("INCRBYFLOAT"), key, self.float()],
                }
            }
            58 => {
                judge = same_content;
                vec![word("DUMP"), a]
            }
            59 => vec![word(self.rng.one_of(&["SELECT", "DBSIZE", "MULTI", "EXEC", "EXEC", "DISCARD"])), word("9")],
            60 => vec![word(self.rng.one_of(&["MULTI", "EXEC", "EXEC"]))],
            _ => vec![word("SELECT"), word(self.rng.one_of(&["0", "0", "9"]))],
        };
        vec![Question { words, judge }]
    }
}

/// A command that removes all keys whose time is over: only those that are drawn here get there without being removed.
pub fn look_at_all() -> Question {
    let names = (0..8).map(|n| format!("k{n}")).chain((0..4).map(|n| format!("f{n}")));
    Question::exact(std::iter::once("EXISTS".to_owned()).chain(names))
}

/// The checksum of a DUMP payload.
fn crc64(bytes: &[u8]) -> u64 {
    rredis::base::hash::crc64(bytes)
}
