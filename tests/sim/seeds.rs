//! Runs a test with many seeds, on all cores, and tells what it exercised.
//!
//! `SEEDS=n` runs n seeds, or the share of them that the test takes, from `FROM=s` on if that is set; `SEED=s` runs one. Runs write no transcript. Of those that fail,
//! all are listed, and the first is run again with one.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::tally::{Count, Tally};
use crate::transcript::{Failure, Transcript};

/// A test of one seed.
pub type Test = fn(u64, Transcript) -> Tally;

/// A run gives up after so many failures.
const FAILURES_MAX: usize = 20;
/// A long run says how far it is each so many seeds.
const PROGRESS: u64 = 20_000;

/// What has come of a run so far.
#[derive(Default)]
struct Progress {
    tally: Tally,
    failed: Vec<(u64, String)>,
}

/// Seeds without anybody asking for more.
const SEEDS: u64 = 200;

/// Runs `test`, called `name`, with one of so many seeds that were asked for. Gives what they exercised.
pub fn for_seeds(name: &str, one_of: u64, test: Test) -> Tally {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("SEED").or(number("FROM")).unwrap_or(0);
    let count = if number("SEED").is_some() { 1 } else { number("SEEDS").unwrap_or(SEEDS) / one_of };
    let (next, progress) = (AtomicU64::new(first), Mutex::new(Progress::default()));
    let work = || {
        while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < first + count) {
            let outcome = attempt(seed, test);
            let mut progress = progress.lock().expect("nobody panics with it");
            match outcome {
                Ok(tally) => progress.tally.merge(&tally),
                Err(why) => {
                    say(&format!("{name}: SEED={seed} {why}"));
                    progress.failed.push((seed, why));
                }
            }
            let done = progress.tally.of(Count::Seeds);
            if done > 0 && done % PROGRESS == 0 {
                say(&format!("{name}: {done} seeds"));
            }
            if progress.failed.len() >= FAILURES_MAX {
                next.store(u64::MAX / 2, Ordering::Relaxed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let Progress { tally, failed } = progress.into_inner().expect("nobody panicked with it");
    say(&format!("{name}, from seed {first}: {tally}"));
    if let Some((seed, why)) = failed.iter().min() {
        test(*seed, Transcript::written());
        panic!("SEED={seed} failed and then did not: {why}");
    }
    tally
}

/// One run that writes nothing: what it exercised, or why it failed.
pub fn attempt(seed: u64, test: impl FnOnce(u64, Transcript) -> Tally) -> Result<Tally, String> {
    catch_unwind(AssertUnwindSafe(|| test(seed, Transcript::unwritten()))).map_err(|payload| {
        let text = payload.downcast_ref::<Failure>().map(|failure| &failure.0).or(payload.downcast_ref::<String>());
        text.cloned().or(payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// A line that is seen also when tests are told to keep quiet: it says what they did.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

#[test]
fn a_run_that_fails_is_told_from_one_that_does_not() {
    assert_eq!(attempt(3, |seed, _| panic!("seed {seed}")), Err("seed 3".to_owned()));
    assert_eq!(attempt(3, |seed, transcript| transcript.fail(seed, "why")), Err("why".to_owned()));
    assert_eq!(attempt(3, |_, _| Tally::default()), Ok(Tally::default()));
}
