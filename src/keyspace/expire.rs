//! Removing keys whose time is over without being asked for them.
//!
//! The lazy rule (`db.rs`) covers keys that somebody looks at. The active cycle covers the others. It is a step with a
//! budget: the caller, who has the clock, says after each portion whether there is time for more.

use super::Keyspace;
use crate::base::time::UnixMillis;

/// What a step of the active cycle did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpireStep {
    /// Keys removed. Each is in the change log as `Effect::Expired`.
    pub removed: usize,
    /// Whether every key whose time was over at `now` is gone.
    pub finished: bool,
}

impl Keyspace {
    /// Removes keys whose time is over at `now`, as long as `more` says so. The changes of a long step fill memory:
    /// drain the log between steps.
    pub fn expire_step(&mut self, now: UnixMillis, more: &mut dyn FnMut() -> bool) -> ExpireStep {
        let mut step = ExpireStep { removed: 0, finished: true };
        let indexes: Vec<u32> = self.dbs.iter().map(|(index, _)| index).collect();
        for index in indexes {
            let (mut keys, mut ends) = (Vec::new(), Vec::new());
            let mut position = Some(0);
            while let Some(at) = position {
                position = self.dbs.get(index).table.expired(now, at, more, &mut keys, &mut ends);
                let mut start = 0;
                for end in ends.drain(..) {
                    self.remove_expired(index, &keys[start..end]);
                    step.removed += 1;
                    start = end;
                }
                keys.clear();
                if !more() {
                    step.finished = position.is_none();
                    return step;
                }
            }
        }
        step
    }
}
