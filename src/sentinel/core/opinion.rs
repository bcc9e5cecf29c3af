//! Whether a master is objectively down: our own view, and that of the others.
//!
//! While we see a master down we ask the other Sentinels for their view, with the question Redis asks
//! (`SENTINEL IS-MASTER-DOWN-BY-ADDR`). Enough of them, we included, make it `+odown`. An answer counts for five ask periods.
//!
//! Redis asks once per second. What the others see usually changes within milliseconds of our own verdict, so here:
//!
//! * everybody is asked in the turn of our own `+sdown`;
//! * a question from somebody else about a master that we see down too makes us ask again whoever had said no, because a
//!   Sentinel asks only when it sees the master down;
//! * who said no is asked again every tenth of down-after, for the first seconds.

use super::events::About;
use super::failover::Stage;
use super::io::{Level, Outputs, Tag};
use super::{Alarm, Sentinel};
use crate::base::id::HexId;
use crate::base::time::Instant;
use crate::resp::value::Value;

/// How long after our own verdict those who disagree are asked often, in milliseconds.
const FAST_WINDOW: u64 = 3000;
/// Bounds of the spacing then.
const FAST_SPACING_MIN: u64 = 20;
const FAST_SPACING_MAX: u64 = 250;
/// Ask periods an answer counts for.
const ANSWER_LIFE: u64 = 5;

impl Sentinel {
    /// Forgets answers that are too old.
    pub(super) fn expire_answers(&mut self, m: usize, now: Instant, alarm: &mut Alarm) {
        let life = self.periods.ask * ANSWER_LIFE;
        for peer in &mut self.masters[m].sentinels {
            if (peer.says_down || peer.leader.is_some()) && alarm.is_due(peer.answered + life + 1, now) {
                peer.says_down = false;
                peer.leader = None;
            }
        }
    }

    /// `+odown` and `-odown`.
    pub(super) fn check_objectively_down(&mut self, m: usize, now: Instant, out: &mut Outputs) {
        let master = &self.masters[m];
        let agreeing = 1 + master.sentinels.iter().filter(|peer| peer.says_down).count();
        let quorum = master.settings.quorum;
        let is_down = master.instance.is_down && agreeing >= quorum as usize;
        if is_down == master.odown.is_some() {
            return;
        }
        if is_down {
            self.masters[m].odown = Some(now);
            self.event(out, now, Level::Warning, "+odown", About::Master(m), &format!("#quorum {agreeing}/{quorum}"));
            self.let_others_go_first(m, now);
        } else {
            self.masters[m].odown = None;
            self.event(out, now, Level::Warning, "-odown", About::Master(m), "");
            // Answers that ran out are no reason to forget whom we voted for; a master that is back is.
            if !self.masters[m].instance.is_down {
                self.masters[m].holdup = None;
                self.masters[m].failures = 0;
            }
        }
    }

    /// Asks whoever is due.
    pub(super) fn ask_others(&mut self, m: usize, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        if !self.masters[m].instance.is_down {
            return;
        }
        let candidacy = self.candidacy_epoch(m);
        for p in 0..self.masters[m].sentinels.len() {
            let master = &self.masters[m];
            let peer = &master.sentinels[p];
            if !self.links.get(peer.instance.link).can_send() {
                continue;
            }
            let due = match peer.asked {
                None => now,
                Some(_) if candidacy > peer.asked_epoch => now,
                Some(at) => at + self.ask_interval(m, p, now),
            };
            if (peer.is_ask_on_wire && candidacy <= peer.asked_epoch && peer.asked.is_some()) || due > now {
                alarm.at(due.max(now + FAST_SPACING_MIN));
                continue;
            }
            self.ask(m, p, candidacy, now, out);
            alarm.at(now + self.ask_interval(m, p, now));
        }
    }

    fn ask_interval(&self, m: usize, p: usize, now: Instant) -> u64 {
        let master = &self.masters[m];
        let is_recent = master.instance.went_down.is_some_and(|at| now.since(at) < FAST_WINDOW);
        if is_recent && !master.sentinels[p].says_down {
            (master.settings.down_after / 10).clamp(FAST_SPACING_MIN, FAST_SPACING_MAX).min(self.periods.ask)
        } else {
            self.periods.ask
        }
    }

    fn ask(&mut self, m: usize, p: usize, candidacy: u64, now: Instant, out: &mut Outputs) {
        let hostnames = self.settings.announce_hostnames;
        let master = &self.masters[m];
        let (id, era) = (master.id, master.era);
        let host = master.instance.address.announced(hostnames);
        let port = master.instance.address.port.to_string();
        let epoch = self.current_epoch.to_string();
        let who = if candidacy > 0 { self.id.as_str() } else { "*" };
        let sentinel = master.settings.name_of("SENTINEL").as_bytes();
        let words =
            [sentinel, b"is-master-down-by-addr", host.as_bytes(), port.as_bytes(), epoch.as_bytes(), who.as_bytes()];
        let link = master.sentinels[p].instance.link;
        if self.links.send(link, &words, Tag::MasterDown { master: id, era, candidacy }, out) {
            let peer = &mut self.masters[m].sentinels[p];
            peer.asked = Some(now);
            peer.is_ask_on_wire = true;
            peer.asked_epoch = peer.asked_epoch.max(candidacy);
        }
    }

    /// The epoch of our candidacy for this master, while votes are collected and the disk knows of it; else zero.
    pub(super) fn candidacy_epoch(&self, m: usize) -> u64 {
        match &self.masters[m].failover {
            Some(failover) if failover.stage == Stage::WaitStart && failover.is_durable => failover.epoch,
            _ => 0,
        }
    }

    /// A peer answered our question.
    pub(super) fn down_answered(
        &mut self,
        m: usize,
        p: usize,
        candidacy: u64,
        value: &Value,
        now: Instant,
        out: &mut Outputs,
    ) {
        let peer = &mut self.masters[m].sentinels[p];
        peer.is_ask_on_wire = false;
        // Anything else, errors included, tells nothing; an old answer then runs out by itself.
        let Some([Value::Int(down), Value::Bulk(leader), Value::Int(leader_epoch)]) = value.items() else { return };
        peer.answered = now;
        peer.says_down = *down == 1;
        peer.answered_epoch = peer.answered_epoch.max(candidacy);
        let epoch = u64::try_from(*leader_epoch).unwrap_or(0);
        if let Some(leader) = HexId::parse(leader) {
            let is_news = peer.leader_epoch != epoch;
            peer.leader = Some(leader);
            peer.leader_epoch = epoch;
            if is_news {
                out.log(Level::Notice, format!("{} voted for {leader} {epoch}", peer.instance.name));
            }
            self.adopt_epoch(m, epoch, now, out);
        }
    }

    /// A peer asked about this master, which means that it sees it down: whoever said no may see it down by now.
    pub(super) fn others_may_have_changed(&mut self, m: usize) {
        for peer in &mut self.masters[m].sentinels {
            if !peer.says_down && !peer.is_ask_on_wire {
                peer.asked = None;
            }
        }
    }
}
