//! Strings and generic commands drawn at random, to both servers.

use rredis::base::rng::Rng;

use crate::commands::Strings;
use crate::pair::Pair;
use crate::seed::Seed;

/// Commands in one run.
const COMMANDS: usize = 5_000;

#[test]
fn strings_and_generic_commands_answer_alike() {
    let Some(mut pair) = Pair::start() else { return };
    let seed = Seed::from_env();
    pair.run(&mut Rng::seeded(seed.0), &mut Strings::new(seed.0), COMMANDS);
    pair.ask_line("DISCARD");
    pair.compare_consequences(|_| false);
}
