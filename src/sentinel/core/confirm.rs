//! Servers that contradict the configuration, and how sure one must be before correcting them.
//!
//! Two things go wrong while nobody looks: an old master comes back and still believes to be one (`+convert-to-slave`), and a
//! replica that was away follows a master that is none any more (`+fix-slave-config`). Every moment the first lasts, clients
//! write to a server whose data will be thrown away.
//!
//! The danger is being wrong. A Sentinel that was away itself may hold an old configuration; the "stray" master may be the
//! right one, promoted by somebody else a moment ago. Redis waits: 8 seconds for a stray master (four publish periods, in
//! which a newer configuration would have been heard of), failover-timeout for a stray replica.
//!
//! Here the others are asked instead. While a contradiction is seen, every other Sentinel gets `SENTINEL
//! GET-MASTER-ADDR-BY-NAME`, and our master an INFO. If all other Sentinels have named the same master as we do, and our master
//! itself has said to be a master, then our configuration is the group's, and the stray server is corrected at once. What
//! counts is the moment of asking, not that of hearing: an answer, or worse a hello, may have been on its way for long. It must
//! lie after the moment at which the stray server was found to contradict us, on the connection that we have to it, and not more
//! than a second back.
//!
//! A Sentinel that does not answer is waited for, one publish period from that moment on; then a majority of all (we included) is
//! enough, as long as none in reach has named another master. For it may be the one who knows: when a partition heals, the server
//! that it promoted by hand on its side is often in reach before itself is.
//!
//! One case stays with Redis's patience: a server that we have seen as a replica and that is a master now. If it has not restarted, it
//! did not come back; somebody promoted it under our eyes, and will tell us. If it has restarted, it may be one that starts as a
//! master by its config file, whatever it was told; unless we have lately heard of an epoch newer than our configuration. Then it may have
//! been promoted in that, before it restarted.
//!
//! A Sentinel that has just started has not heard enough to be sure that it knows all the others, or that those it knows are
//! not as new as itself: it asks once it has watched for two publish periods, in which everybody in reach has said hello
//! at least once. One that knows of no others waits for four, as Redis does.

use super::events::About;
use super::instance::{Peer, Role};
use super::io::{Level, Outputs, Tag};
use super::{Alarm, Sentinel};
use crate::base::time::Instant;
use crate::resp::value::Value;

/// Publish periods after which news would have been heard.
const HEARSAY_PERIODS: u64 = 4;
/// Publish periods after which everybody in reach has been heard of.
const ACQUAINTANCE_PERIODS: u64 = 2;
/// How often the others are asked while a contradiction lasts.
const ASK_SPACING: u64 = 500;
/// For how long an answer counts, from the moment of asking.
const ANSWER_LIFE: u64 = 2 * ASK_SPACING;
/// How long a correction is given to take effect before it is repeated.
const CORRECTION_SPACING: u64 = 5000;

impl Sentinel {
    /// Corrects the replicas of a master that contradict the configuration, where that is sure to be right.
    pub(super) fn correct_strays(&mut self, m: usize, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        let strays: Vec<usize> = (0..self.masters[m].replicas.len())
            .filter(|&r| self.masters[m].replicas[r].conflict_since.is_some())
            .collect();
        if strays.is_empty() || self.masters[m].failover.is_some() {
            return;
        }
        for &r in &strays {
            if self.may_correct(m, r, now, alarm) {
                self.correct(m, r, now, out);
            }
        }
        self.ask_for_confirmation(m, now, alarm, out);
    }

    fn may_correct(&self, m: usize, r: usize, now: Instant, alarm: &mut Alarm) -> bool {
        let master = &self.masters[m];
        let replica = &master.replicas[r];
        let Some(since) = replica.conflict_since else { return false };
        if !master.looks_sane(self.periods.info, now)
            || replica.instance.is_down
            || !self.links.get(replica.instance.link).can_send()
            || replica.corrected.is_some_and(|at| !alarm.is_due(at + CORRECTION_SPACING, now))
        {
            return false;
        }
        let is_stray_master = replica.observed.role == Role::Master;
        let is_sure = self.is_confirmed_since(m, since, now, alarm)
            && master.observed.refreshed.is_some_and(|at| counts(at, since, now));
        let is_promoted =
            replica.was_replica || (replica.was_replica_before && self.may_be_failing_over(m, now, alarm));
        if is_sure && !(is_stray_master && is_promoted) {
            return true;
        }
        // Redis's rule: stable for so long that anything newer would have been heard of.
        let (patience, changed) = if is_stray_master {
            (self.hearsay_time(), replica.observed.role_since)
        } else {
            (master.settings.failover_timeout, replica.conf_changed)
        };
        let steady = replica.instance.went_down.map_or(changed, |at| at.max(changed));
        alarm.is_due(steady + patience + 1, now)
    }

    fn correct(&mut self, m: usize, r: usize, now: Instant, out: &mut Outputs) {
        let about = About::Replica(m, r);
        let address = self.masters[m].instance.address.clone();
        let is_stray_master = self.masters[m].replicas[r].observed.role == Role::Master;
        if self.send_slaveof(about, Some(&address), Tag::Ignored, now, out) {
            let name = if is_stray_master { "+convert-to-slave" } else { "+fix-slave-config" };
            self.event(out, now, Level::Notice, name, about, "");
            self.masters[m].replicas[r].corrected = Some(now);
        }
    }

    /// Whether everybody, or after a while a majority, has named our master since that moment, and nobody in reach another.
    fn is_confirmed_since(&self, m: usize, since: Instant, now: Instant, alarm: &mut Alarm) -> bool {
        let master = &self.masters[m];
        let agrees = |peer: &&Peer| peer.confirmed.is_some_and(|at| counts(at, since, now));
        let confirming = 1 + master.sentinels.iter().filter(agrees).count();
        let in_reach = |link| self.links.get(link).can_send();
        let is_denied = master.sentinels.iter().any(|peer| peer.dissents && in_reach(peer.instance.link));
        let periods = if master.sentinels.is_empty() { HEARSAY_PERIODS } else { ACQUAINTANCE_PERIODS };
        let acquainted = master.watched_since + self.periods.publish.saturating_mul(periods);
        confirming > master.voters() / 2
            && !is_denied
            && (confirming == master.voters() || alarm.is_due(since + self.periods.publish, now))
            && alarm.is_due(acquainted, now)
    }

    /// Whether somebody may be in the middle of a failover of this master: there was a newer epoch than that of our configuration
    /// within the time that a failover may take. It may have been another master's.
    fn may_be_failing_over(&self, m: usize, now: Instant, alarm: &mut Alarm) -> bool {
        let master = &self.masters[m];
        let over = self.epoch_since + master.settings.failover_timeout;
        self.current_epoch > master.config_epoch && !alarm.is_due(over, now)
    }

    fn hearsay_time(&self) -> u64 {
        self.periods.publish.saturating_mul(HEARSAY_PERIODS)
    }

    fn ask_for_confirmation(&mut self, m: usize, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        let since = self.masters[m].replicas.iter().filter_map(|replica| replica.conflict_since).max();
        let Some(since) = since else { return };
        let (id, era) = (self.masters[m].id, self.masters[m].era);
        for p in 0..self.masters[m].sentinels.len() {
            let master = &self.masters[m];
            let peer = &master.sentinels[p];
            if peer.confirm_asked.is_some_and(|at| at >= since && !alarm.is_due(at + ASK_SPACING, now)) {
                continue;
            }
            let sentinel = master.settings.name_of("SENTINEL").as_bytes();
            let words = [sentinel, b"get-master-addr-by-name", master.instance.name.as_bytes()];
            if self.links.send(peer.instance.link, &words, Tag::Confirm { master: id, era, asked: now }, out) {
                self.masters[m].sentinels[p].confirm_asked = Some(now);
                alarm.at(now + ASK_SPACING);
            }
        }
        let observed = &self.masters[m].observed;
        if !observed.is_asked
            && alarm.is_due(observed.asked.map_or(now, |at| if at < since { now } else { at + ASK_SPACING }), now)
        {
            self.send_info(About::Master(m), now, out);
        }
    }

    /// A peer said which master it knows, as it was asked at that moment.
    pub(super) fn confirm_answered(&mut self, m: usize, p: usize, value: &Value, asked: Instant, out: &mut Outputs) {
        let Some([host, port]) = value.items() else { return };
        let (Some(host), Some(port)) = (host.text(), port.text()) else { return };
        let host = String::from_utf8_lossy(host).into_owned();
        let Some(port) = std::str::from_utf8(port).ok().and_then(|port| port.parse::<u16>().ok()) else { return };
        if self.peer_named(m, p, &host, port, out) {
            self.masters[m].sentinels[p].confirmed = Some(asked);
        }
    }

    /// A peer named a master, in an answer or a hello; whether it is ours.
    pub(super) fn peer_named(&mut self, m: usize, p: usize, host: &str, port: u16, out: &mut Outputs) -> bool {
        let address = self.masters[m].current_address().clone();
        let agrees = self.is_place(&address, host, port, out);
        self.masters[m].sentinels[p].dissents = !agrees;
        agrees
    }
}

/// Whether what was said, or asked, at a moment counts for a contradiction seen since another.
fn counts(at: Instant, since: Instant, now: Instant) -> bool {
    at >= since && now.since(at) <= ANSWER_LIFE
}
