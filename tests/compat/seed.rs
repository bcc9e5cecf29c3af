//! Where the chance of a test comes from.

use rredis::base::rng::Rng;

/// A number that decides all. It is printed when the test fails.
pub struct Seed(pub u64);

impl Seed {
    /// What `SEED` says, or 1.
    pub fn from_env() -> Seed {
        Seed(std::env::var("SEED").ok().map_or(1, |seed| seed.parse().expect("SEED is a number")))
    }

    /// Another one, so many steps behind this one.
    pub fn plus(&self, steps: u64) -> Seed {
        Seed(self.0 + steps)
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SEED={}", self.0);
        }
    }
}

/// What tests draw.
pub trait Draw {
    /// One of these words.
    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str;
}

impl Draw for Rng {
    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}
