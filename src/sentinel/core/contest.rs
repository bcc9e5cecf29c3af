//! Two configurations of one epoch, of which nobody would give way.
//!
//! Two failovers by hand at two Sentinels that do not hear each other take the same epoch, for they ask nobody, and may install two
//! masters in it. Redis stays so until the next failover. Here somebody moves its configuration to a new epoch, and all follow that.
//!
//! Who does is drawn by lot, the first to be heard wins. Whoever installed one of the two draws within a second. Should both have been
//! restarted since, they do not know it of themselves any more; so everybody else who holds one of them draws, too, for a later time. One
//! whose master is not in reach, or says that it is a replica (the others have corrected it meanwhile), lets all others go first.
//!
//! Configurations of epoch zero are what somebody wrote into files. They are his affair.

use super::io::{Level, Outputs};
use super::{Alarm, Sentinel};
use crate::base::time::Instant;

/// Who installed a configuration moves it within this time.
const INSTALLER_WITHIN: u64 = 1000;
/// Who follows one waits for that, and then draws for a time so much longer.
const FOLLOWER_AFTER: u64 = 3000;
const FOLLOWER_FACTOR: u64 = 3;
/// The same for one whose master is no good one.
const UNSOUND_AFTER: u64 = 10_000;
const UNSOUND_FACTOR: u64 = 5;

/// Somebody else has another configuration of our epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contest {
    since: Instant,
    /// What we drew, below [`INSTALLER_WITHIN`].
    lot: u64,
}

impl Sentinel {
    /// A hello names another master in our configuration's epoch.
    pub(super) fn contest_heard(&mut self, m: usize, now: Instant) {
        if self.masters[m].config_epoch > 0 && self.masters[m].contest.is_none() {
            let lot = self.rng.below(INSTALLER_WITHIN);
            self.masters[m].contest = Some(Contest { since: now, lot });
        }
    }

    /// Moves our configuration to a new epoch when its time has come.
    pub(super) fn settle_contest(&mut self, m: usize, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        let master = &self.masters[m];
        let Some(Contest { since, lot }) = master.contest else { return };
        let wait = match (master.looks_sane(self.periods.info, now), master.is_configuration_ours) {
            (true, true) => lot,
            (true, false) => FOLLOWER_AFTER + FOLLOWER_FACTOR * lot,
            (false, _) => UNSOUND_AFTER + UNSOUND_FACTOR * lot,
        };
        if master.failover.is_some() || !alarm.is_due(since + wait, now) {
            return;
        }
        self.masters[m].contest = None;
        self.current_epoch += 1;
        self.masters[m].config_epoch = self.current_epoch;
        self.disk.changed();
        self.event_text(out, now, Level::Warning, "+new-epoch", Some(m), self.current_epoch.to_string());
        let name = &self.masters[m].instance.name;
        let text =
            format!("Two masters were installed for '{name}' in one epoch; ours moves to epoch {}", self.current_epoch);
        out.log(Level::Warning, text);
        self.push_hellos(m, now, out);
    }
}
