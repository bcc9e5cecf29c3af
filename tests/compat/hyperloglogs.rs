//! HyperLogLog commands drawn at random. The values travel as strings, so every byte of them must be equal.

use rredis::base::rng::Rng;

use crate::pair::Pair;
use crate::question::{Question, Source};
use crate::seed::{Draw, Seed};

/// Commands in one run.
const COMMANDS: usize = 1_500;

/// Where commands come from.
pub struct HyperLogLogs(pub Rng);

impl HyperLogLogs {
    fn key(&mut self) -> String {
        match self.0.below(30) {
            0 => self.0.one_of(&["text", "list"]).to_owned(),
            1 => "missing".to_owned(),
            n => format!("hll{}", n % 4),
        }
    }

    fn next(&mut self) -> Vec<String> {
        let key = self.key();
        let line = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        match self.0.below(24) {
            0..=8 => {
                let mut words = line(&["PFADD", &key]);
                let most = [1, 3, 40, 200][self.0.below(4) as usize];
                words.extend((0..self.0.below(most + 1)).map(|_| format!("element:{}", self.0.below(5_000))));
                words
            }
            9..=12 => {
                let mut words = line(&["PFCOUNT", &key]);
                words.extend((0..self.0.below(3)).map(|_| self.key()));
                words
            }
            13 | 14 => {
                let mut words = line(&["PFMERGE", &key]);
                words.extend((0..self.0.below(3)).map(|_| self.key()));
                words
            }
            15 | 16 => line(&["GET", &key]),
            17 => line(&["STRLEN", &key]),
            18 => line(&["PFDEBUG", self.0.one_of(&["ENCODING", "encoding", "FOO"]), &key]),
            19 => line(&["PFDEBUG", self.0.one_of(&["GETREG", "TODENSE"]), &key]),
            // The header says what a string is.
            20 => line(&["SETRANGE", &key, "0", self.0.one_of(&["H", "X", "HYLL"])]),
            21 => line(&["COPY", &key, "hll3", "REPLACE"]),
            _ => line(&["DEL", &key]),
        }
    }
}

impl Source for HyperLogLogs {
    fn draw(&mut self) -> Vec<Question> {
        vec![Question::exact(self.next())]
    }
}

#[test]
fn hyperloglogs_answer_alike() {
    for (number, limit) in ["3000", "100"].iter().enumerate() {
        let Some(mut pair) = Pair::start() else { return };
        pair.ask_line(&format!("CONFIG SET hll-sparse-max-bytes {limit}"));
        pair.ask_line("SET text v");
        pair.ask_line("RPUSH list v");
        let seed = Seed::from_env().plus(number as u64);
        pair.run(&mut Rng::seeded(seed.0), &mut HyperLogLogs(Rng::seeded(seed.0)), COMMANDS);
        pair.compare_keys();
        pair.compare_consequences(|_| false);
    }
}
