//! The decisions of a Sentinel, without sockets, disk, clock or chance of their own.
//!
//! ```text
//!   what happened            Sentinel::handle               what to do about it
//!   (Input, and now)  ->  masters, replicas, sentinels  ->  (Outputs)
//!                         next_deadline(): call again by then
//! ```
//!
//! A Sentinel watches masters, learns from each master's INFO who its replicas are and from hello messages who else watches
//! it, and when a master stays silent it agrees with the others on one leader, which promotes a replica. What it says to
//! other Sentinels, servers, clients and the log is Redis's protocol to the letter (`reference`: the documentation of
//! Redis Sentinel); mixed groups of stock Sentinels and these work together.
//!
//! What differs is when it acts. Redis runs all rules ten times a second and learns what a command did from the next
//! INFO, one second later. Here each input is acted upon when it comes, each rule knows the moment at which it could next
//! apply, and a command whose effect matters has an INFO right behind it. `docs/sentinel.md` tells what that changes.
//!
//! One turn ([`Sentinel::handle`]):
//!
//! 1. `tilt.rs`: are the clocks believable?
//! 2. the input changes what is known: an answer (`observed.rs`, `opinion.rs`), a hello (`hello.rs`), a question
//!    (`election.rs`), a command (`admin.rs`), news from the disk (`disk.rs`);
//! 3. every master that is touched or due is gone through, always in this order: connect, PING, INFO, hello
//!    (`schedule.rs`); who is down (`liveness.rs`); is the master objectively down (`opinion.rs`); start and advance a
//!    failover (`failover.rs`, `election.rs`, `candidate.rs`, `reconfigure.rs`); settle a contest of
//!    two masters (`contest.rs`); correct stray servers (`confirm.rs`); ask the others (`opinion.rs`);
//! 4. one request to the disk for everything that changed (`disk.rs`).

pub mod address;
pub mod candidate;
pub mod coordinated_state;
pub mod delay;
pub mod events;
pub mod failover;
pub mod hello;
pub mod instance;
pub mod io;
pub mod link;
pub mod observed;
pub mod scripts;
pub mod settings;
pub mod tilt;
pub mod view;

mod admin;
mod confirm;
mod contest;
mod disk;
mod election;
mod liveness;
mod names;
mod opinion;
mod reconfigure;
mod schedule;

#[cfg(test)]
mod tests;

use address::Address;
use disk::Disk;
use events::About;
use instance::{Instance, Master, Observed, Reconf, Replica, Role};
use io::{Input, Level, LinkKind, MasterId, Output, Outputs, Tag};
use link::{LinkId, Links, Owner};
use names::Names;
use scripts::Scripts;
use settings::{Environment, Periods, Settings, State};
use tilt::Tilt;

use crate::base::id::HexId;
use crate::base::rng::Rng;
use crate::base::time::{Instant, Now};
use crate::resp::value::Value;

pub use schedule::HELLO_CHANNEL;

/// A Sentinel. See the top of this file for what it is, and `io.rs` for how to drive it.
#[derive(Debug)]
pub struct Sentinel {
    id: HexId,
    settings: Settings,
    periods: Periods,
    environment: Environment,
    current_epoch: u64,
    /// When that changed last; if not in this life, when this began.
    epoch_since: Instant,
    masters: Vec<Master>,
    links: Links,
    names: Names,
    disk: Disk,
    tilt: Tilt,
    scripts: Scripts,
    simulated: SimulatedFailures,
    rng: Rng,
    next_master: u32,
}

/// Crashes asked for by SENTINEL SIMULATE-FAILURE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimulatedFailures {
    /// Crash when elected.
    pub after_election: bool,
    /// Crash when the promotion is seen.
    pub after_promotion: bool,
}

/// The earliest moment something is due, collected while going through the rules.
#[derive(Clone, Copy, Debug, Default)]
struct Alarm(Option<Instant>);

impl Alarm {
    fn at(&mut self, moment: Instant) {
        self.0 = Some(self.0.map_or(moment, |earlier| earlier.min(moment)));
    }

    /// Whether the moment has come; if not, it is remembered.
    fn is_due(&mut self, moment: Instant, now: Instant) -> bool {
        if moment <= now {
            return true;
        }
        self.at(moment);
        false
    }
}

/// Exit code of a simulated crash.
const CRASH_CODE: i32 = 99;
/// Milliseconds for which a master is left alone after SENTINEL RESET: who asked for it gets to see that all is forgotten.
const RESET_PAUSE: u64 = 100;
/// How often the rules of one master are run in a turn: again after each change of its address.
const ROUNDS_MAX: usize = 4;

impl Sentinel {
    /// A Sentinel as its configuration file left it. A missing id is made and saved.
    pub fn new(state: State, environment: Environment, mut rng: Rng, now: Now, out: &mut Outputs) -> Sentinel {
        let id = state.id.unwrap_or_else(|| HexId::random(&mut rng));
        let mut sentinel = Sentinel {
            id,
            settings: state.settings,
            periods: Periods::default(),
            environment,
            current_epoch: state.current_epoch,
            epoch_since: now.mono,
            masters: Vec::new(),
            links: Links::default(),
            names: Names::default(),
            disk: Disk::default(),
            tilt: Tilt::default(),
            scripts: Scripts::default(),
            simulated: SimulatedFailures::default(),
            rng,
            next_master: 0,
        };
        for known in state.masters {
            let m = sentinel.add_master(known.name, known.address, known.settings, now.mono);
            sentinel.masters[m].config_epoch = known.config_epoch;
            sentinel.masters[m].leader_epoch = known.leader_epoch;
            for address in known.replicas {
                sentinel.add_replica(m, address, now.mono);
            }
            for (address, id) in known.sentinels {
                sentinel.add_peer(m, &id, address, now.mono);
            }
        }
        if state.id.is_none() {
            sentinel.disk.changed();
            sentinel.disk.flush(out);
        }
        out.log(Level::Notice, format!("Sentinel ID is {id}"));
        for m in 0..sentinel.masters.len() {
            sentinel.announce_monitoring(m, now.mono, out);
        }
        sentinel
    }

    /// Something happened, or time passed.
    pub fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Outputs) {
        self.watch_clock(now, out);
        let at = now.mono;
        match input {
            Input::Timer => {}
            Input::Connected { conn, local_ip } => self.connected(conn, local_ip, at, out),
            Input::Closed { conn, reason } => self.closed(conn, reason, at, out),
            Input::Reply { conn, tag, value } => self.answered(conn, tag, value, at, out),
            Input::Published { conn, payload } => {
                if let Some((id, LinkKind::PubSub)) = self.links.find(conn) {
                    self.links.get_mut(id).last_message = at;
                    self.hello(payload, at, out);
                }
            }
            Input::Hello { payload } => self.hello(payload, at, out),
            Input::Asked { slot, question } => self.asked(slot, &question, at, out),
            Input::Command { slot, command } => self.command(slot, command, at, out),
            Input::Persisted { ticket } => self.persisted(ticket, out),
            Input::PersistFailed { ticket } => self.persist_failed(ticket, at, out),
            Input::Resolved { id, ip } => self.resolved(id, ip, at, out),
            Input::ScriptStarted { job, pid } => self.script_started(job, pid, at, out),
            Input::ScriptEnded { job, end } => self.script_ended(job, end, at, out),
        }
        self.run_rules(now, out);
        self.poll_scripts(at, out);
        self.disk.poll(at);
        self.disk.flush(out);
    }

    /// When `handle` must be called again at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        let masters = self.masters.iter().filter_map(|master| master.deadline);
        let scripts = self.scripts.deadline(self.periods.script_max_runtime);
        masters.chain(scripts).chain(self.disk.deadline()).chain(self.tilt.deadline()).min()
    }

    /// Our id.
    pub fn id(&self) -> HexId {
        self.id
    }

    /// The current epoch.
    pub fn current_epoch(&self) -> u64 {
        self.current_epoch
    }

    /// The settings of SENTINEL CONFIG.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The periods of SENTINEL DEBUG.
    pub fn periods(&self) -> &Periods {
        &self.periods
    }

    /// The script queue.
    pub fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    /// Since when the clocks are mistrusted.
    pub fn tilt(&self) -> &Tilt {
        &self.tilt
    }

    /// Which crashes are asked for.
    pub fn simulated_failures(&self) -> SimulatedFailures {
        self.simulated
    }

    fn answered(&mut self, conn: io::ConnId, tag: Tag, value: &Value, now: Instant, out: &mut Outputs) {
        let Some((id, kind)) = self.links.find(conn) else { return };
        let link = self.links.get_mut(id);
        let connection = match kind {
            LinkKind::Command => link.command.as_mut(),
            LinkKind::PubSub => link.pubsub.as_mut(),
        };
        if let Some(connection) = connection {
            connection.pending = connection.pending.saturating_sub(1);
        }
        let (master, era) = match tag {
            Tag::Ignored => return,
            Tag::Ping => return self.ping_answered(id, value, now, out),
            Tag::Info => return self.info_answered(id, value, now, out),
            Tag::Subscribe => {
                self.subscribed(id, value.is_error(), now, out);
                let users = self.users_of(id);
                return users.iter().for_each(|about| self.touch(about.master()));
            }
            Tag::Hello(master) => (master, None),
            Tag::MasterDown { master, era, .. }
            | Tag::Confirm { master, era, .. }
            | Tag::Pause { master, era }
            | Tag::Promote { master, era } => (master, Some(era)),
        };
        let Some(m) = self.master_index(master) else { return };
        if era.is_some_and(|era| era != self.masters[m].era) {
            return;
        }
        self.touch(m);
        let user = self.users_of(id).into_iter().find(|about| about.master() == m);
        match (tag, user) {
            (Tag::Hello(_), Some(about)) if value.is_error() => self.hello_refused(about, now),
            (Tag::MasterDown { candidacy, .. }, Some(About::Peer(m, p))) => {
                self.down_answered(m, p, candidacy, value, now, out);
            }
            (Tag::Confirm { asked, .. }, Some(About::Peer(m, p))) => self.confirm_answered(m, p, value, asked, out),
            (Tag::Pause { .. }, _) => self.pause_answered(m, value, now),
            (Tag::Promote { .. }, _) => self.promotion_answered(m, value, now, out),
            _ => {}
        }
    }

    /// Goes through every master that is touched or due.
    fn run_rules(&mut self, now: Now, out: &mut Outputs) {
        // One master's rules may touch another through a shared epoch; each then has its turn within this one.
        for _ in 0..ROUNDS_MAX {
            let due = |master: &Master| master.deadline.is_some_and(|at| at <= now.mono);
            if !self.masters.iter().any(due) {
                return;
            }
            for m in 0..self.masters.len() {
                if due(&self.masters[m]) {
                    self.run_rules_of(m, now, out);
                }
            }
        }
    }

    fn run_rules_of(&mut self, m: usize, now: Now, out: &mut Outputs) {
        let at = now.mono;
        let mut alarm = Alarm::default();
        self.masters[m].deadline = None;
        let everybody: Vec<About> =
            [About::Master(m)].into_iter().chain(self.replicas_of(m)).chain(self.peers_of(m)).collect();
        for &about in &everybody {
            self.tend(about, at, &mut alarm, out);
        }
        if let Some(since) = self.tilt.since() {
            alarm.at(since + self.periods.tilt);
        } else {
            for &about in &everybody {
                self.check_down(about, at, &mut alarm, out);
            }
            self.expire_answers(m, at, &mut alarm);
            self.check_objectively_down(m, at, out);
            self.tell_lack_of_quorum(m, at, &mut alarm, out);
            self.start_if_needed(m, now, &mut alarm, out);
            self.advance_failover(m, at, &mut alarm, out);
            self.settle_contest(m, at, &mut alarm, out);
            self.correct_strays(m, at, &mut alarm, out);
            self.ask_others(m, at, &mut alarm, out);
        }
        if let Some(moment) = alarm.0 {
            let deadline = &mut self.masters[m].deadline;
            *deadline = Some(deadline.map_or(moment, |earlier| earlier.min(moment)));
        }
    }

    /// The rules of this master are to be run in this turn.
    fn touch(&mut self, m: usize) {
        self.masters[m].deadline = Some(Instant::default());
    }

    fn touch_all(&mut self) {
        (0..self.masters.len()).for_each(|m| self.touch(m));
    }

    fn master_index(&self, id: MasterId) -> Option<usize> {
        self.masters.iter().position(|master| master.id == id)
    }

    fn add_master(
        &mut self,
        name: String,
        address: Address,
        settings: settings::MasterSettings,
        now: Instant,
    ) -> usize {
        let id = MasterId(self.next_master);
        self.next_master += 1;
        let link = self.links.add(Owner::Master(id), now);
        let instance = Instance::new(name, address, link, now);
        self.masters.push(Master::new(id, instance, settings, now));
        let m = self.masters.len() - 1;
        self.touch(m);
        m
    }

    fn announce_monitoring(&mut self, m: usize, now: Instant, out: &mut Outputs) {
        let rest = format!("quorum {}", self.masters[m].settings.quorum);
        self.event(out, now, Level::Warning, "+monitor", About::Master(m), &rest);
    }

    /// Forgets everything learnt about a master, its replicas and the others: SENTINEL RESET.
    fn reset_master(&mut self, m: usize, now: Instant, out: &mut Outputs) {
        self.forget_replicas(m, out);
        let peers = std::mem::take(&mut self.masters[m].sentinels);
        peers.iter().for_each(|peer| self.links.release(peer.instance.link, out));
        let id = self.masters[m].id;
        let link = self.links.add(Owner::Master(id), now);
        self.links.get_mut(link).retry_command = now + RESET_PAUSE;
        self.begin_era(m, link, now, out);
        self.masters[m].watched_since = now;
        self.event(out, now, Level::Warning, "+reset-master", About::Master(m), "");
    }

    fn forget_replicas(&mut self, m: usize, out: &mut Outputs) {
        let replicas = std::mem::take(&mut self.masters[m].replicas);
        replicas.iter().for_each(|replica| self.links.release(replica.instance.link, out));
    }

    /// The group has another master from now on. The old one stays in sight as a replica. What the others said about the old
    /// master does not count for the new one, and neither does its silence.
    ///
    /// Redis forgets the replicas here and finds them again within a second or two; clients that read from replicas have none
    /// meanwhile. What is known of them is kept instead, and so are their connections.
    fn change_address(&mut self, m: usize, to: Address, now: Instant, out: &mut Outputs) {
        let (id, old_link) = (self.masters[m].id, self.masters[m].instance.link);
        let old_address = self.masters[m].instance.address.clone();
        let is_moving = !old_address.is_same(&to);
        let old_replicas = std::mem::take(&mut self.masters[m].replicas);
        let mut new_link = None;
        for replica in old_replicas {
            if !replica.instance.address.is_same(&to) {
                self.keep_replica(m, replica, now);
                continue;
            }
            let link = replica.instance.link;
            if self.links.get(link).is_connected() && !replica.instance.is_down {
                new_link = Some(link);
            } else {
                self.links.release(link, out);
            }
        }
        if is_moving {
            let r = self.add_replica(m, old_address, now);
            let link = self.masters[m].replicas[r].instance.link;
            self.links.go_on_waiting(old_link, link);
        }
        let link = new_link.unwrap_or_else(|| self.links.add(Owner::Master(id), now));
        self.links.get_mut(link).owner = Owner::Master(id);
        self.begin_era(m, link, now, out);
        self.masters[m].instance.address = to;
        self.masters[m].instance.went_down = None;
        for about in self.replicas_of(m) {
            self.event(out, now, Level::Notice, "+slave", about, "");
        }
        self.disk.changed();
    }

    /// A replica stays under another master. It is judged anew; only what it is and how it can be reached lasts.
    fn keep_replica(&mut self, m: usize, mut replica: Replica, now: Instant) {
        let instance = &mut replica.instance;
        instance.name = instance.address.announced_with_port(self.settings.announce_hostnames);
        instance.is_down = false;
        instance.went_down = None;
        instance.hello_due = now;
        replica.observed.role_since = now;
        replica.conf_changed = now;
        replica.reconf = Reconf::None;
        replica.conflict_since = None;
        replica.corrected = None;
        replica.refused = None;
        if !replica.observed.is_asked {
            replica.observed.asked = None;
        }
        self.links.get_mut(instance.link).dial_now(now);
        self.masters[m].replicas.push(replica);
    }

    /// What a reset and a change of address have in common. `link` is the master's from now on.
    fn begin_era(&mut self, m: usize, link: LinkId, now: Instant, out: &mut Outputs) {
        let old = std::mem::replace(&mut self.masters[m].instance.link, link);
        self.links.release(old, out);
        let master = &mut self.masters[m];
        master.era += 1;
        master.era_since = now;
        master.observed = Observed::new(Role::Master, now);
        // What they said was about the master of before.
        master.replicas.iter_mut().for_each(|replica| replica.observed.newborn_since = None);
        master.instance.run_id = None;
        master.instance.is_down = false;
        master.instance.is_script_kill_sent = false;
        master.instance.hello_due = now;
        master.odown = None;
        master.is_lack_told = false;
        master.rebooted = None;
        master.leader = None;
        master.failover = None;
        master.holdup = None;
        master.failures = 0;
        for peer in &mut master.sentinels {
            peer.says_down = false;
            peer.leader = None;
            peer.asked = None;
            peer.is_ask_on_wire = false;
            peer.confirmed = None;
            peer.dissents = false;
            peer.confirm_asked = None;
        }
        self.touch(m);
    }

    /// A crash that a user asked for.
    fn crash(&mut self, out: &mut Outputs) {
        out.log(Level::Warning, "Sentinel CRASH because of SENTINEL simulate-failure".to_owned());
        out.push(Output::Exit(CRASH_CODE));
    }
}
