//! Bitmap commands drawn at random over few strings, sensible and not.

use rredis::base::rng::Rng;

use crate::pair::Pair;
use crate::question::{Question, Source};
use crate::seed::{Draw, Seed};

/// Commands in one run.
const COMMANDS: usize = 8_000;

/// Where commands come from.
pub struct Bits(pub Rng);

impl Bits {
    fn key(&mut self) -> String {
        match self.0.below(30) {
            0 => "list".to_owned(),
            n => format!("b{}", n % 5),
        }
    }

    fn integer(&mut self) -> i64 {
        match self.0.below(8) {
            0 => i64::MAX,
            // Redis takes values near the other end for too large, see docs/differences.md.
            1 => i64::MIN / 2,
            2 => self.0.next_u64() as i64 / 2,
            3 => [-128, 127, 128, 255, 256, -1][self.0.below(6) as usize],
            _ => self.0.below(40) as i64 - 20,
        }
    }

    fn number(&mut self) -> String {
        match self.0.below(16) {
            0 => self.0.one_of(&["x", "", "1.5", "-9223372036854775808"]).to_owned(),
            1 => self.integer().to_string(),
            _ => (self.0.below(90) as i64 - 30).to_string(),
        }
    }

    fn offset(&mut self) -> String {
        match self.0.below(24) {
            0 => self.0.one_of(&["-1", "4294967296", "#x", "", "9999999999999999999", "x"]).to_owned(),
            1..=5 => format!("#{}", self.0.below(20)),
            _ => self.0.below(300).to_string(),
        }
    }

    fn kind(&mut self) -> String {
        match self.0.below(30) {
            0 => self.0.one_of(&["u64", "i65", "u0", "U8", "8", "i", ""]).to_owned(),
            _ => format!("{}{}", self.0.one_of(&["i", "u"]), 1 + self.0.below(63)),
        }
    }

    fn next(&mut self) -> Vec<Vec<u8>> {
        let key = self.key();
        let text = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        match self.0.below(30) {
            0..=4 => text(&["SETBIT", &key, &self.offset(), self.0.one_of(&["0", "1", "1", "0", "2", "x"])]),
            5 | 6 => text(&["GETBIT", &key, &self.offset()]),
            7..=10 => {
                let unit = self.0.one_of(&["", "", "BIT", "BYTE", "bit", "WORD"]);
                let mut words = vec!["BITCOUNT".to_owned(), key, self.number(), self.number(), unit.to_owned()];
                words.truncate([2, 3, 4, 4, 4, 5, 5, 5][self.0.below(8) as usize]);
                words.into_iter().map(String::into_bytes).collect()
            }
            11..=15 => {
                let (bit, unit) =
                    (self.0.one_of(&["0", "1", "0", "1", "2", "x"]), self.0.one_of(&["BIT", "byte", "Bit", "W"]));
                let mut words =
                    vec!["BITPOS".to_owned(), key, bit.to_owned(), self.number(), self.number(), unit.to_owned()];
                words.truncate(3 + self.0.below(4) as usize);
                words.into_iter().map(String::into_bytes).collect()
            }
            16..=18 => {
                let mut words = text(&["BITOP", self.0.one_of(&["AND", "or", "XOR", "NOT", "NAND"]), &key]);
                words.extend((0..=self.0.below(3)).map(|_| self.key().into_bytes()));
                words
            }
            19..=25 => self.bitfield(key),
            26 | 27 => {
                let length = self.0.below(100) as usize;
                let fill = [0, 0xff, self.0.next_u64() as u8][self.0.below(3) as usize];
                vec![b"SET".to_vec(), key.into_bytes(), vec![fill; length]]
            }
            28 => text(&["SET", &key, &self.integer().to_string()]),
            _ => text(&[self.0.one_of(&["GET", "STRLEN", "DEL"]), &key]),
        }
    }

    /// Without OVERFLOW FAIL, see docs/differences.md.
    fn bitfield(&mut self, key: String) -> Vec<Vec<u8>> {
        let mut words = vec![self.0.one_of(&["BITFIELD", "BITFIELD", "BITFIELD", "BITFIELD_RO"]).to_owned(), key];
        for _ in 0..self.0.below(5) {
            let (kind, offset) = (self.kind(), self.offset());
            match self.0.below(4) {
                0 => words.extend(["GET".to_owned(), kind, offset]),
                1 => words.extend(["SET".to_owned(), kind, offset, self.integer().to_string()]),
                2 => words.extend(["incrby".to_owned(), kind, offset, self.integer().to_string()]),
                _ => words.extend(["OVERFLOW", self.0.one_of(&["WRAP", "SAT", "sat", "CLIP"])].map(str::to_owned)),
            }
        }
        words.into_iter().map(String::into_bytes).collect()
    }
}

impl Source for Bits {
    fn draw(&mut self) -> Vec<Question> {
        vec![Question::exact(self.next())]
    }
}

/// Redis 7.0 still sent replicas bits that changed nothing.
pub fn may_change_nothing(words: &[Vec<u8>]) -> bool {
    words.get(1).is_some_and(|name| name.eq_ignore_ascii_case(b"SETBIT") || name.eq_ignore_ascii_case(b"BITFIELD"))
}

#[test]
fn bitmaps_answer_alike() {
    let Some(mut pair) = Pair::start() else { return };
    let seed = Seed::from_env();
    pair.ask_line("RPUSH list a");
    pair.run(&mut Rng::seeded(seed.0), &mut Bits(Rng::seeded(seed.0)), COMMANDS);
    pair.compare_keys();
    pair.compare_consequences(may_change_nothing);
}
