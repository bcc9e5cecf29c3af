//! Commands drawn at random, to both servers.

use crate::client::Value;
use crate::commands::{Leeway, Source};
use crate::pair::{Pair, in_any_order, roughly, same_content};

/// Commands in one run.
const COMMANDS: usize = 5_000;

fn seed() -> u64 {
    std::env::var("SEED").ok().map_or(1, |seed| seed.parse().expect("SEED is a number"))
}

/// Prints the seed when the test fails.
struct Announce(u64);

impl Drop for Announce {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SEED={}", self.0);
        }
    }
}

/// Whether two replies are alike, given what may differ in the parts of each.
fn alike(ours: &Value, stock: &Value, leeway: Leeway) -> bool {
    let forgives = |with: Leeway| leeway == with || leeway == Leeway::Any;
    ours == stock
        || (forgives(Leeway::Clock) && roughly(ours, stock))
        || (forgives(Leeway::Footer) && same_content(ours, stock))
        || (forgives(Leeway::Order) && in_any_order(ours, stock))
        || match (ours, stock) {
            (Value::Many(a, ours), Value::Many(b, stock)) => {
                a == b && ours.len() == stock.len() && ours.iter().zip(stock).all(|(a, b)| alike(a, b, leeway))
            }
            _ => false,
        }
}

#[test]
fn strings_and_generic_commands_answer_alike() {
    let Some(mut pair) = Pair::start() else { return };
    let announce = Announce(seed());
    let mut source = Source::new(announce.0);
    for _ in 0..COMMANDS {
        let drawn = source.next();
        pair.ask(&drawn.words, |ours, stock| alike(ours, stock, drawn.leeway));
    }
    pair.ask(&[b"DISCARD".to_vec()], |_, _| false);
    pair.compare_consequences();
}
