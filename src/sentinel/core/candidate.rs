//! Which replica becomes the next master.
//!
//! Not fit is a replica that is down, not connected, silent for five ping periods, of priority 0, whose INFO is too old to be
//! believed (five ping periods with the master down, three INFO periods else), or whose link to the master had been down for
//! longer than the master itself, or than that one says to be a replica, by ten times down-after: its data are too old.
//!
//! Of the fit ones: the lowest priority, then the highest replication offset, then the smallest run id in any case. Three
//! things go before that. Two because choosing wrongly here costs a whole attempt: a replica that lately refused to become a
//! master comes last, and one that has answered INFO since the master was found down (or the failover began) comes before one
//! that has not. The third because choosing wrongly costs data: an old master that is back has a history of its own, and its
//! offset cannot be compared. Until it was made a replica it does not even say its priority, and until it was connected to its
//! new master it has none of that one's data; no more has a replica that was started again since. It is promoted when there is
//! nobody else.

use std::cmp::Reverse;

use super::Sentinel;
use super::instance::{Master, Replica, Role};
use super::link::{InstanceId, Link};
use super::settings::Periods;
use crate::base::time::Instant;

/// Ping periods of silence, and of age of INFO, that are tolerated.
const FRESH_PINGS: u64 = 5;
/// INFO periods of age tolerated while the master is up.
const FRESH_INFOS: u64 = 3;
/// How much longer than the master a replica's link may have been down, in units of down-after.
const LINK_DOWN_FACTOR: u64 = 10;

/// Why a replica cannot be promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    Down,
    Disconnected,
    Silent,
    PriorityZero,
    InfoTooOld,
    LinkDownTooLong,
}

/// Whether a replica can be promoted.
pub fn fitness(master: &Master, replica: &Replica, link: &Link, periods: &Periods, now: Instant) -> Result<(), Unfit> {
    let went_down = master.instance.went_down.filter(|_| master.instance.is_down);
    // Who is a replica is no master, however long it takes until it counts as down.
    let left_office = (master.observed.role == Role::Replica).then_some(master.observed.role_since);
    let down_for = went_down.into_iter().chain(left_office).min().map_or(0, |since| now.since(since));
    let info_life =
        if master.instance.is_down { periods.ping * FRESH_PINGS } else { periods.info.saturating_mul(FRESH_INFOS) };
    if replica.instance.is_down {
        Err(Unfit::Down)
    } else if !link.can_send() {
        Err(Unfit::Disconnected)
    } else if now.since(link.last_ok) > periods.ping * FRESH_PINGS {
        Err(Unfit::Silent)
    } else if replica.priority == 0 {
        Err(Unfit::PriorityZero)
    } else if !replica.observed.is_fresh(info_life, now) {
        Err(Unfit::InfoTooOld)
    } else if replica.link_down_ms > down_for + master.settings.down_after.saturating_mul(LINK_DOWN_FACTOR) {
        Err(Unfit::LinkDownTooLong)
    } else {
        Ok(())
    }
}

impl Sentinel {
    /// The replica to promote, if any is fit.
    pub(super) fn choose_replica(&self, m: usize, now: Instant) -> Option<InstanceId> {
        let master = &self.masters[m];
        let fresh_from = master.failover.as_ref().map(|failover| self.fresh_from(m, failover.started));
        let patience = master.settings.failover_timeout.saturating_mul(2);
        let is_fit = |replica: &&Replica| {
            fitness(master, replica, self.links.get(replica.instance.link), &self.periods, now).is_ok()
        };
        let order = |replica: &&Replica| {
            let refused = replica.refused.is_some_and(|at| now.since(at) <= patience);
            let is_stale = fresh_from.is_some_and(|moment| !replica.observed.is_newer_than(moment));
            let is_stray = match replica.observed.role {
                // One that was a replica under our eyes was promoted by somebody who is gone: its data are the group's.
                Role::Master => !replica.was_replica,
                Role::Replica => replica.is_never_linked,
            };
            let run_id = replica.instance.run_id.as_ref().map(|id| id.to_ascii_lowercase());
            (refused, is_stale, is_stray, replica.priority, Reverse(replica.offset), run_id.is_none(), run_id)
        };
        master.replicas.iter().filter(is_fit).min_by_key(order).map(|replica| replica.id)
    }

    /// From when on what INFO says of a replica is final: no data come any more from a master that is down.
    fn fresh_from(&self, m: usize, started: Instant) -> Instant {
        let master = &self.masters[m].instance;
        master.went_down.filter(|_| master.is_down).map_or(started, |went_down| went_down.min(started))
    }

    /// Whether a fit replica may still answer the INFO it was sent when the master was found down or the failover began.
    pub(super) fn awaits_fresh_info(&self, m: usize, started: Instant) -> bool {
        let fresh_from = self.fresh_from(m, started);
        self.masters[m].replicas.iter().any(|replica| {
            let may_answer = replica.observed.is_asked && self.links.get(replica.instance.link).can_send();
            may_answer
                && !replica.instance.is_down
                && replica.priority != 0
                && !replica.observed.is_newer_than(fresh_from)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::sentinel::core::tests::Bench;

    const LINK_UP: &str = "master_link_status:up\r\n";

    fn chosen(replicas: &[(&str, &str)]) -> Option<String> {
        let mut bench = Bench::watching_one_master(1000);
        for (index, (run_id, info)) in replicas.iter().enumerate() {
            let info = format!(
                "run_id:{run_id:0>40}\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n{LINK_UP}{info}"
            );
            bench.add_replica(&format!("10.0.1.{index}"), &info);
        }
        bench.run_answering(1500);
        let id = bench.sentinel.choose_replica(0, bench.now().mono)?;
        Some(
            bench.sentinel.masters()[0]
                .replica(id)
                .unwrap()
                .instance
                .run_id
                .clone()
                .unwrap()
                .trim_start_matches('0')
                .into(),
        )
    }

    #[test]
    fn priority_then_offset_then_run_id() {
        let offset = |n: u64| format!("slave_repl_offset:{n}\r\n");
        let priority = |n: u64| format!("slave_priority:{n}\r\nslave_repl_offset:5\r\n");
        assert_eq!(chosen(&[("a1", &offset(10)), ("a2", &offset(20))]).as_deref(), Some("a2"));
        assert_eq!(chosen(&[("b1", &offset(10)), ("A2", &offset(10))]).as_deref(), Some("A2"));
        assert_eq!(chosen(&[("a1", &offset(90)), ("a2", &priority(10))]).as_deref(), Some("a2"));
        assert_eq!(chosen(&[("a1", &priority(0))]), None);
        assert_eq!(chosen(&[]), None);
    }

    /// Found by seed 71441 of the simulated chaos: its priority, which it does not say, was taken for the default.
    #[test]
    fn an_old_master_that_is_back_comes_after_every_replica() {
        let (replica, stray) =
            ("slave_priority:200\r\nslave_repl_offset:5\r\n", "role:master\r\nslave_repl_offset:9\r\n");
        assert_eq!(chosen(&[("a1", stray), ("a2", replica)]).as_deref(), Some("a2"));
        assert_eq!(chosen(&[("a1", stray)]).as_deref(), Some("a1"));
    }

    /// Found by seed 240205 of the simulated chaos: it had just been told to follow a master that was dead already.
    #[test]
    fn who_was_never_connected_to_the_master_comes_after_who_was() {
        let never = "slave_priority:50\r\nslave_repl_offset:9\r\nmaster_link_down_since_seconds:-1\r\n";
        let linked = "slave_priority:100\r\nslave_repl_offset:5\r\nmaster_link_down_since_seconds:1\r\n";
        assert_eq!(chosen(&[("a1", never), ("a2", linked)]).as_deref(), Some("a2"));
        assert_eq!(chosen(&[("a1", never)]).as_deref(), Some("a1"));
    }

    #[test]
    fn data_much_older_than_the_masters_death_are_not_promoted() {
        let down = |seconds: u64| format!("master_link_down_since_seconds:{seconds}\r\n");
        assert_eq!(chosen(&[("a1", &down(10))]).as_deref(), Some("a1"));
        assert_eq!(chosen(&[("a1", &down(11))]), None);
    }
}
