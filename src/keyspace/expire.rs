//! Removing keys whose time is over without being asked for them.
//!
//! The lazy rule (`db.rs`) covers keys that somebody looks at. The active cycle covers the others. It does not sample:
//! tables know for each segment when it has to be looked at (`table/scan.rs`), so the cycle finds every key that is over,
//! in the order of the table and at most a quarter of a second late, and passes what is not. A million keys that expire in the same second
//! are gone as fast as they can be removed; a million keys that expire next week cost nothing.
//!
//! A hash whose fields have an expiry is due when its first field is; it knows itself which of its fields are over.
//!
//! The cycle has a budget, not a clock: after each portion (a few hundred removals or headers, some 50 µs) it asks
//! whether there is time for more. Where it stopped, it goes on the next time.

use super::Keyspace;
use super::table::Swept;
use crate::base::time::UnixMillis;

/// What a step of the active cycle did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpireStep {
    /// Keys and fields removed. Each is in the change log as `Effect::Expired` or `Effect::FieldExpired`.
    pub removed: usize,
    /// Whether nothing is left to do at `now`; else there was no time for more.
    pub finished: bool,
}

/// Fields of one hash removed between two questions for time; the hash comes again.
const FIELDS: usize = 128;

/// Headers looked at between two questions for time.
const HEADERS: usize = 256;

impl Keyspace {
    /// Removes keys and fields whose time is over at `now`, as long as `more` says so. Not for replicas: there it is for the master
    /// to say. The changes of a long step fill memory, so drain the log after each step.
    pub fn expire_step(&mut self, now: UnixMillis, more: &mut dyn FnMut() -> bool) -> ExpireStep {
        let mut step = ExpireStep::default();
        let (mut keys, mut ends) = (Vec::new(), Vec::new());
        let mut order: Vec<u32> = self.dbs.iter().filter(|(_, db)| db.table.has_expiries()).map(|(i, _)| i).collect();
        let first = order.partition_point(|&index| index < self.expire_at_db);
        order.rotate_left(first);
        for index in order {
            loop {
                let swept = self.dbs.get(index).table.sweep(now, HEADERS, &mut keys, &mut ends);
                let (mut start, mut is_done) = (0, swept == Swept::All);
                for end in ends.drain(..) {
                    let (removed, is_clean) = self.expire_key_or_fields(index, &keys[start..end], now, FIELDS);
                    step.removed += removed;
                    is_done &= is_clean;
                    start = end;
                }
                keys.clear();
                if is_done {
                    break;
                }
                if !more() {
                    self.expire_at_db = index;
                    return step;
                }
            }
        }
        step.finished = true;
        step
    }
}
