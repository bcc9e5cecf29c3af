//! Epochs, votes, and who may lead a failover.
//!
//! An epoch is a number that only grows, known to all Sentinels through hellos and questions. A failover belongs to one
//! epoch. In each epoch a Sentinel votes at most once per master, for the first who asks, itself included; the candidate
//! with more than half of all known Sentinels, and with at least the quorum, leads. As two majorities share a member, an
//! epoch has at most one leader. That rests on votes not being forgotten: a vote is on disk before it is told, and a
//! candidacy (which is a vote for oneself) before anybody is asked (`disk.rs`).
//!
//! Redis lets every Sentinel that sees `+odown` become a candidate in its next tick. Two that do so together split the
//! votes, wait 10 s for votes that cannot come, and wait 2 x failover-timeout before they try again. Here:
//!
//! * those who agree that the master is down go one after the other, the smallest id first, 30 ms apart; usually the first
//!   has everybody's vote before the second would start;
//! * an election that cannot be won any more is given up at once, and tried again in a new epoch after 0.1 to 0.4 s, again
//!   in the order of ids, later each time;
//! * who voted for another waits for that one to act (15 s at most, 2 x failover-timeout if that is shorter), but not
//!   longer than the other is seen alive;
//! * a Sentinel that leads votes for nobody else until it is done.
//!
//! None of that shows in the protocol: stock Sentinels in the group see votes asked for and given as ever.

use super::delay::LOGGED_PAUSE;
use super::events::About;
use super::failover::{Failover, Holdup, Reason, Stage};
use super::io::{CommandReply, DownQuestion, Level, LogLine, MasterId, Output, Outputs, ReplySlot};
use super::{Alarm, Sentinel};
use crate::base::id::HexId;
use crate::base::time::{Instant, Now};

/// Milliseconds between the candidacies of two Sentinels that see the master down together: a round trip and a write to
/// the disk fit in, mostly.
const STAGGER: u64 = 30;
/// How long a Sentinel waits that has no replica to promote, unless it has one before: whoever votes for it can do nothing
/// for many seconds, and would perhaps have had one. So it is with Sentinels that were just started again; to them a
/// replica seems to have lost its master long before the master was lost.
const WITHOUT_REPLICA: u64 = 2000;
/// The first retry after an election nobody won: this much, this much per rank, and this much by chance.
const RETRY_BASE: u64 = 100;
const RETRY_PER_RANK: u64 = 60;
const RETRY_RANDOM: u64 = 40;
/// How often the delay doubles at most while failovers keep failing.
const DOUBLINGS_MAX: u32 = 8;
/// How long the votes of a first election are waited for when somebody who could still decide it stays silent.
const ELECTION_PATIENCE: u64 = 400;
/// How long the Sentinel we voted for is given, in election timeouts.
const TRUST_NUMERATOR: u64 = 3;
const TRUST_DENOMINATOR: u64 = 2;
/// Silence after which the Sentinel we voted for is no longer waited for.
const LEADER_SILENCE: u64 = 1000;
/// Who cannot reach enough others may be the one that is cut off. When they come back, so may the master: it gets the time
/// of a connection attempt and this much more to answer.
const GRACE_AFTER_RETURN: u64 = 300;

/// Larger epochs are nonsense, and would leave no room for the next.
const EPOCH_MAX: u64 = i64::MAX as u64 >> 1;

/// How an election stands.
enum Tally {
    Won,
    Open,
    /// Somebody else has the votes.
    Lost,
    /// Not enough votes can come; `is_reachable` when enough voters could be asked.
    Hopeless {
        is_reachable: bool,
    },
}

impl Sentinel {
    /// A higher epoch was heard of.
    pub(super) fn adopt_epoch(&mut self, m: usize, epoch: u64, now: Instant, out: &mut Outputs) {
        if epoch > self.current_epoch && epoch <= EPOCH_MAX {
            (self.current_epoch, self.epoch_since) = (epoch, now);
            self.disk.changed();
            self.event_text(out, now, Level::Warning, "+new-epoch", Some(m), epoch.to_string());
            // A candidacy in an older epoch is void.
            self.touch_all();
        }
    }

    /// Our vote for this master in `epoch`, given to `candidate` if it is still free.
    fn vote(&mut self, m: usize, epoch: u64, candidate: HexId, now: Instant, out: &mut Outputs) {
        self.adopt_epoch(m, epoch, now, out);
        let leads_already =
            self.masters[m].failover.as_ref().is_some_and(|failover| failover.stage != Stage::WaitStart);
        let is_free = self.masters[m].leader_epoch < epoch && self.current_epoch <= epoch;
        if !is_free || (leads_already && candidate != self.id) {
            return;
        }
        let ticket = self.disk.changed();
        let master = &mut self.masters[m];
        master.leader = Some(candidate);
        master.leader_epoch = epoch;
        master.vote_ticket = ticket;
        self.event_text(out, now, Level::Warning, "+vote-for-leader", Some(m), format!("{candidate} {epoch}"));
        if candidate != self.id {
            let trust = self.periods.election_timeout * TRUST_NUMERATOR / TRUST_DENOMINATOR;
            let master = &mut self.masters[m];
            let latest = now + trust.min(master.settings.failover_timeout.saturating_mul(2));
            let earliest = now + LEADER_SILENCE;
            master.holdup = Some(Holdup::new(Reason::Voted, earliest, latest));
        }
    }

    /// A peer asks whether a master is down and, perhaps, for our vote.
    pub(super) fn asked(&mut self, slot: ReplySlot, question: &DownQuestion, now: Instant, out: &mut Outputs) {
        let port = u16::try_from(question.port).unwrap_or(0);
        let asked = self.names.place(&question.host, port);
        let found = self.masters.iter().position(|master| master.instance.address.is_same(&asked));
        let Some(m) = found else {
            out.push(Output::Reply { slot, reply: CommandReply::Down { down: false, leader: None, leader_epoch: 0 } });
            return;
        };
        let down = self.masters[m].instance.is_down && self.tilt.since().is_none();
        if self.masters[m].instance.is_down {
            self.others_may_have_changed(m);
        }
        self.touch(m);
        let Some(candidate) = HexId::parse(question.candidate.as_bytes()) else {
            out.push(Output::Reply { slot, reply: CommandReply::Down { down, leader: None, leader_epoch: 0 } });
            return;
        };
        self.vote(m, question.epoch, candidate, now, out);
        let mut ticket = self.masters[m].vote_ticket;
        if !self.disk.is_durable(ticket) && !self.disk.is_pending(ticket) {
            // The disk refused this vote before; it must take it before it is told.
            ticket = self.disk.changed();
            self.masters[m].vote_ticket = ticket;
        }
        let master = &self.masters[m];
        let reply = CommandReply::Down { down, leader: master.leader, leader_epoch: master.leader_epoch };
        self.reply_when_durable(ticket, slot, reply, out);
    }

    /// In the turn of `+odown`: who goes first?
    pub(super) fn let_others_go_first(&mut self, m: usize, now: Instant) {
        let master = &self.masters[m];
        if master.holdup.is_some() || master.failover.is_some() {
            return;
        }
        let at = now + STAGGER * self.rank(m, true);
        if self.choose_replica(m, now).is_none() && !master.sentinels.is_empty() {
            self.masters[m].holdup = Some(Holdup::new(Reason::NoReplicaYet, at, at + WITHOUT_REPLICA));
        } else if at > now {
            self.masters[m].holdup = Some(Holdup::new(Reason::Stagger, at, at));
        }
    }

    /// How many live Sentinels with a smaller id there are; only those who see the master down, if asked so.
    fn rank(&self, m: usize, only_agreeing: bool) -> u64 {
        let goes_first = |peer: &&super::instance::Peer| {
            let is_alive = !peer.instance.is_down && self.links.get(peer.instance.link).can_send();
            is_alive && (peer.says_down || !only_agreeing) && peer.instance.name.as_str() < self.id.as_str()
        };
        self.masters[m].sentinels.iter().filter(goes_first).count() as u64
    }

    /// Starts a failover of a master that is objectively down, unless there is a reason to wait.
    pub(super) fn start_if_needed(&mut self, m: usize, now: Now, alarm: &mut Alarm, out: &mut Outputs) {
        if self.masters[m].odown.is_none() || self.masters[m].failover.is_some() {
            return;
        }
        if let Some(holdup) = self.masters[m].holdup.clone() {
            if !self.is_over(m, &holdup, now.mono, alarm) {
                let rest = holdup.latest.since(now.mono);
                if rest >= LOGGED_PAUSE && !holdup.is_logged {
                    let until = crate::base::time::UnixMillis(now.wall().0 + rest as i64);
                    out.push(Output::Log(LogLine::FailoverDelay(until)));
                    out.log(
                        Level::Notice,
                        format!("Failover of '{}' waits: {}", self.masters[m].instance.name, holdup.reason),
                    );
                    if holdup.reason == Reason::NoReplicaYet {
                        self.tell_unfit(m, now.mono, out);
                    }
                    self.masters[m].holdup.as_mut().expect("seen above").is_logged = true;
                }
                return;
            }
            self.masters[m].holdup = None;
        }
        self.start_failover(m, false, now.mono, out);
    }

    fn is_over(&mut self, m: usize, holdup: &Holdup, now: Instant, alarm: &mut Alarm) -> bool {
        if alarm.is_due(holdup.latest, now) {
            return true;
        }
        let is_gone = alarm.is_due(holdup.earliest, now) && self.is_reason_gone(m, holdup.reason, now, alarm);
        let since = is_gone.then(|| holdup.gone_since.unwrap_or(now));
        self.masters[m].holdup.as_mut().expect("it is being looked at").gone_since = since;
        let grace = match holdup.reason {
            Reason::NoMajority | Reason::NoGoodSlave => self.connect_timeout(About::Master(m)) + GRACE_AFTER_RETURN,
            _ => 0,
        };
        since.is_some_and(|since| alarm.is_due(since + grace, now))
    }

    fn is_reason_gone(&self, m: usize, reason: Reason, now: Instant, alarm: &mut Alarm) -> bool {
        let master = &self.masters[m];
        match reason {
            Reason::Stagger | Reason::SplitVote | Reason::SlaveTimeout | Reason::Disk => true,
            Reason::NoMajority => self.reachable_voters(m) >= master.votes_needed(),
            Reason::NoGoodSlave | Reason::NoReplicaYet => self.choose_replica(m, now).is_some(),
            Reason::Voted => {
                let leader =
                    master.leader.and_then(|id| master.sentinels.iter().find(|peer| peer.instance.name == id.as_str()));
                leader.is_none_or(|peer| {
                    let link = self.links.get(peer.instance.link);
                    peer.instance.is_down || (!link.can_send() && alarm.is_due(link.last_ok + LEADER_SILENCE, now))
                })
            }
        }
    }

    /// A new epoch, our candidacy and our vote for ourselves.
    pub(super) fn start_failover(&mut self, m: usize, is_forced: bool, now: Instant, out: &mut Outputs) {
        let epoch = self.current_epoch + 1;
        (self.current_epoch, self.epoch_since) = (epoch, now);
        self.event_text(out, now, Level::Warning, "+new-epoch", Some(m), epoch.to_string());
        self.event(out, now, Level::Warning, "+try-failover", About::Master(m), "");
        self.masters[m].failover = Some(Failover::new(epoch, is_forced, now));
        for replica in &mut self.masters[m].replicas {
            replica.reconf = super::instance::Reconf::None;
        }
        self.vote(m, epoch, self.id, now, out);
        let ticket = self.disk.changed();
        let master = self.masters[m].id;
        self.disk.hold(ticket, super::disk::Held::Candidacy { master, epoch });
        // The freshest offsets are wanted by the time the votes are in.
        for about in self.replicas_of(m) {
            self.send_info(about, now, out);
        }
        self.touch(m);
    }

    /// The disk has our candidacy: the others may be asked.
    pub(super) fn candidacy_is_durable(&mut self, id: MasterId, epoch: u64) {
        if let Some(m) = self.master_index(id)
            && let Some(failover) = self.masters[m].failover.as_mut().filter(|failover| failover.epoch == epoch)
        {
            failover.is_durable = true;
            self.touch(m);
        }
    }

    /// The disk does not take our candidacy: it never happened.
    pub(super) fn candidacy_refused_by_disk(&mut self, id: MasterId, epoch: u64, now: Instant, out: &mut Outputs) {
        if let Some(m) = self.master_index(id)
            && self.masters[m].failover.as_ref().is_some_and(|failover| failover.epoch == epoch)
        {
            self.abort_failover(m, "-failover-abort-not-elected", Reason::Disk, now, out);
        }
    }

    /// Stage WaitStart: do we lead?
    pub(super) fn wait_start(
        &mut self,
        m: usize,
        failover: &Failover,
        now: Instant,
        alarm: &mut Alarm,
        out: &mut Outputs,
    ) {
        if !failover.is_durable {
            return;
        }
        if !failover.is_forced {
            let patience = ELECTION_PATIENCE << self.masters[m].failures.min(DOUBLINGS_MAX);
            let longest = self.periods.election_timeout.min(self.masters[m].settings.failover_timeout);
            let is_late = alarm.is_due(failover.started + patience.min(longest), now);
            let lost = match self.tally(m, failover.epoch) {
                Tally::Won => None,
                Tally::Open if self.current_epoch > failover.epoch => Some(Reason::SplitVote),
                Tally::Open if is_late => Some(Reason::SplitVote),
                Tally::Open => return,
                Tally::Lost => Some(Reason::Voted),
                Tally::Hopeless { is_reachable: true } => Some(Reason::SplitVote),
                Tally::Hopeless { is_reachable: false } => Some(Reason::NoMajority),
            };
            if let Some(reason) = lost {
                self.abort_failover(m, "-failover-abort-not-elected", reason, now, out);
                return;
            }
        }
        self.event(out, now, Level::Warning, "+elected-leader", About::Master(m), "");
        if self.simulated.after_election {
            self.crash(out);
            return;
        }
        self.event(out, now, Level::Warning, "+failover-state-select-slave", About::Master(m), "");
        self.set_stage(m, Stage::SelectSlave, now);
    }

    fn tally(&self, m: usize, epoch: u64) -> Tally {
        let master = &self.masters[m];
        let needed = master.votes_needed();
        let own = (master.leader_epoch == epoch).then_some(master.leader).flatten();
        let voted = |peer: &super::instance::Peer| peer.leader.filter(|_| peer.leader_epoch == epoch);
        let votes_of = |who: HexId| {
            usize::from(own == Some(who)) + master.sentinels.iter().filter(|peer| voted(peer) == Some(who)).count()
        };
        // An epoch that has moved on since is no longer ours to win, whatever votes come.
        if votes_of(self.id) >= needed && self.current_epoch == epoch {
            return Tally::Won;
        }
        let others = master.sentinels.iter().filter_map(voted).chain(own).filter(|&who| who != self.id);
        if others.into_iter().any(|who| votes_of(who) >= needed) {
            return Tally::Lost;
        }
        let can_still_vote = |peer: &&super::instance::Peer| {
            peer.answered_epoch < epoch && !peer.instance.is_down && self.links.get(peer.instance.link).can_send()
        };
        let possible = votes_of(self.id) + master.sentinels.iter().filter(can_still_vote).count();
        if possible < needed {
            return Tally::Hopeless { is_reachable: self.reachable_voters(m) >= needed };
        }
        Tally::Open
    }

    fn reachable_voters(&self, m: usize) -> usize {
        let can_answer =
            |peer: &&super::instance::Peer| !peer.instance.is_down && self.links.get(peer.instance.link).can_send();
        1 + self.masters[m].sentinels.iter().filter(can_answer).count()
    }

    /// How long to wait after a failover that came to nothing.
    pub(super) fn holdup_after(&mut self, m: usize, reason: Reason, now: Instant) -> Holdup {
        let doublings = (self.masters[m].failures.max(1) - 1).min(DOUBLINGS_MAX);
        let delay = (RETRY_BASE + RETRY_PER_RANK * self.rank(m, false) + self.rng.below(RETRY_RANDOM)) << doublings;
        let outer = self.masters[m].settings.failover_timeout.saturating_mul(2);
        let trust = self.periods.election_timeout * TRUST_NUMERATOR / TRUST_DENOMINATOR;
        let (earliest, latest) = match reason {
            Reason::Stagger | Reason::NoReplicaYet | Reason::SplitVote | Reason::SlaveTimeout | Reason::Disk => {
                (delay, delay)
            }
            Reason::NoMajority | Reason::NoGoodSlave => (delay, outer),
            Reason::Voted => (delay.max(LEADER_SILENCE), trust),
        };
        let holdup = |ms: u64| now + ms.min(outer);
        Holdup::new(reason, holdup(earliest), holdup(latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::core::io::Input;
    use crate::sentinel::core::tests::{Bench, names};

    fn id(digit: u8) -> HexId {
        HexId::parse(&[digit; 40]).unwrap()
    }

    fn vote(bench: &mut Bench, epoch: u64, candidate: u8) -> (Option<HexId>, u64) {
        match bench.ask("10.0.0.1", 6379, epoch, id(candidate).as_str()) {
            CommandReply::Down { leader, leader_epoch, .. } => (leader, leader_epoch),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_vote_per_epoch_and_none_for_an_older_one() {
        let mut bench = Bench::watching_one_master(1000);
        assert_eq!(vote(&mut bench, 3, b'a'), (Some(id(b'a')), 3));
        assert_eq!(vote(&mut bench, 3, b'b'), (Some(id(b'a')), 3));
        assert_eq!(vote(&mut bench, 2, b'b'), (Some(id(b'a')), 3));
        assert_eq!(vote(&mut bench, 4, b'b'), (Some(id(b'b')), 4));
        assert_eq!(
            names(&bench.events),
            ["+monitor", "+new-epoch", "+vote-for-leader", "+new-epoch", "+vote-for-leader"]
        );
        assert_eq!(bench.events[2].payload, format!("{} 3", id(b'a')));
    }

    #[test]
    fn a_question_without_candidate_or_about_an_unknown_master_takes_no_vote() {
        let mut bench = Bench::watching_one_master(1000);
        let nothing = CommandReply::Down { down: false, leader: None, leader_epoch: 0 };
        assert_eq!(bench.ask("10.0.0.1", 6379, 9, "*"), nothing);
        assert_eq!(bench.ask("10.0.0.2", 6379, 9, id(b'a').as_str()), nothing);
        assert_eq!(bench.ask("10.0.0.1", 70_000, 9, id(b'a').as_str()), nothing);
        assert_eq!(bench.ask("10.0.0.1", 6379, 9, "not an id"), nothing);
        assert_eq!(bench.sentinel.current_epoch(), 0);
    }

    #[test]
    fn a_vote_the_disk_refuses_is_not_told_and_not_given_again_to_another() {
        let mut bench = Bench::watching_one_master(1000);
        bench.break_disk();
        assert_eq!(vote(&mut bench, 5, b'a'), (None, 0));
        assert_eq!(vote(&mut bench, 5, b'b'), (None, 0));
        bench.repair_disk();
        assert_eq!(vote(&mut bench, 5, b'b'), (Some(id(b'a')), 5));
    }

    #[test]
    fn a_vote_leaves_only_after_the_disk_has_it() {
        let mut bench = Bench::watching_one_master(1000);
        bench.hold_disk();
        bench.give(Input::Asked {
            slot: ReplySlot(1),
            question: DownQuestion { host: "10.0.0.1".into(), port: 6379, epoch: 1, candidate: id(b'a').to_string() },
        });
        bench.run(20);
        assert!(bench.replies.is_empty());
        bench.let_disk_finish();
        let reply = CommandReply::Down { down: false, leader: Some(id(b'a')), leader_epoch: 1 };
        assert_eq!(bench.replies, [(ReplySlot(1), reply)]);
    }

    #[test]
    fn nobody_is_asked_for_a_vote_before_the_disk_has_our_candidacy() {
        let mut bench = Bench::watching_one_master(1000);
        bench.add_replica("10.0.1.1", "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n");
        for (digit, ip) in [("a", "10.0.0.7"), ("b", "10.0.0.8")] {
            bench.hello(&format!("{ip},26379,{},0,mymaster,10.0.0.1,6379,0", digit.repeat(40)));
            bench.answer_down_with(&format!("{ip}:26379"));
        }
        bench.run_answering(1500);
        bench.hold_disk();
        bench.silence("10.0.0.1:6379");
        bench.run(1500);
        let asks = |bench: &Bench| bench.sent.iter().filter(|command| command.ends_with(&"5".repeat(40))).count();
        assert!(names(&bench.events).contains(&"+try-failover"), "{:?}", names(&bench.events));
        assert_eq!(asks(&bench), 0);
        bench.let_disk_finish();
        assert_eq!(asks(&bench), 2);
    }

    #[test]
    fn a_restarted_sentinel_remembers_the_epoch_it_voted_in() {
        let mut bench = Bench::watching_one_master(1000);
        vote(&mut bench, 5, b'a');
        let lines = bench.sentinel.state_lines();
        let mut bench = Bench::restarted(&lines);
        assert_eq!(vote(&mut bench, 5, b'b'), (None, 5));
        assert_eq!(vote(&mut bench, 6, b'b'), (Some(id(b'b')), 6));
    }

    #[test]
    fn down_is_answered_while_the_master_is_down_and_not_during_tilt() {
        let mut bench = Bench::watching_one_master(1000);
        bench.run_answering(500);
        bench.stop_answering();
        bench.run(1200);
        let down = |reply: CommandReply| matches!(reply, CommandReply::Down { down: true, .. });
        assert!(down(bench.ask("10.0.0.1", 6379, 0, "*")));
        bench.advance(5000);
        assert!(!down(bench.ask("10.0.0.1", 6379, 0, "*")));
    }
}
