//! Keeping in touch: when to connect, and when to send PING, INFO and hellos.
//!
//! **PING** leaves every tenth of down-after-milliseconds (at most every `ping-period`, at least 10 ms apart), one at a
//! time: a second PING behind an unanswered one on the same connection would tell nothing. Silence is therefore noticed at
//! most a tenth later than down-after, where Redis, which pings once per min(down-after, 1 s), needs up to twice as long.
//!
//! **Connections.** Redis connects once per ping period and lets an attempt, or a silent connection, stand for 15 seconds.
//! After a healed partition TCP itself then waits out its retransmission timer. Here a lost connection is opened again at
//! once; an attempt that is not accepted soon is repeated with a fresh one; a connection silent for half of down-after is
//! replaced, with growing patience, because a stopped process accepts connections without ever answering.
//!
//! **INFO** leaves right after connecting, every `info-period` after that, and faster while something is expected to
//! change: each second when the master is in trouble, and within 10 to 100 ms for the replica being promoted or
//! reconfigured.
//!
//! **Hellos** leave right after connecting, every `publish-period`, and at once to everybody when the configuration changed.

use std::net::IpAddr;

use super::events::About;
use super::instance::{Instance, Observed, Reconf, Role};
use super::io::{ConnId, Level, LinkKind, Outputs, ResolveId, Tag};
use super::link::{LinkId, Owner};
use super::names::Waiting;
use super::{Alarm, Sentinel};
use crate::base::time::Instant;

/// The channel hellos travel on.
pub const HELLO_CHANNEL: &[u8] = b"__sentinel__:hello";

/// Closest spacing of PINGs, in milliseconds.
const PING_SPACING_MIN: u64 = 10;
/// INFO period of a replica whose master is in trouble, and of a master that is new to us: its replicas are just arriving.
const INFO_IN_TROUBLE: u64 = 1000;
/// How long a master is new.
const NEW_FOR: u64 = 10_000;
/// Longest INFO period of a server that is not where it should be: its configuration contradicts ours, or its link to its
/// master is not up. Whoever asks us is told what the last INFO said. Right after a change it is half of the time since.
const INFO_UNSETTLED: u64 = 500;
/// Bounds of the spacing of INFO while an effect is awaited: half the time waited so far, within these.
const POLL_MIN: u64 = 10;
const POLL_MAX: u64 = 100;
/// Commands without an answer per link and user, beyond which nothing periodic is sent.
const PENDING_MAX: u32 = 100;
/// Shortest time between connection attempts to a process that is known to be down: quick enough to notice its return.
const RETRY_WHEN_DOWN: u64 = 250;
/// A hello that the server refused is repeated after this time.
const HELLO_RETRY: u64 = 100;
/// Silence of the subscribed connection, in publish periods, after which it is replaced.
const SILENT_PERIODS: u64 = 3;

impl Sentinel {
    /// The monitoring half for one instance. Returns nothing; what is due later goes to `alarm`.
    pub(super) fn tend(&mut self, about: About, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        self.keep_command(about, now, alarm, out);
        self.keep_pubsub(about, now, alarm, out);
        let instance = self.instance(about);
        let (id, hello_due) = (instance.link, instance.hello_due);
        let link = self.links.get(id);
        if !link.can_send() || link.pending() >= PENDING_MAX * link.users {
            return;
        }
        if !link.is_ping_on_wire {
            let due = link.last_ping.map_or(now, |at| at + self.ping_interval(about));
            if alarm.is_due(due, now) {
                self.send_ping(about, now, out);
                alarm.at(now + self.ping_interval(about));
            }
        }
        if let Some(observed) = self.observed(about)
            && !observed.is_asked
        {
            let due = observed.asked.map_or(now, |at| at + self.info_interval(about, now));
            if alarm.is_due(due, now) {
                self.send_info(about, now, out);
            }
        }
        if alarm.is_due(hello_due, now) {
            self.send_hello(about, now, out);
            alarm.at(self.instance(about).hello_due);
        }
    }

    fn keep_command(&mut self, about: About, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        let id = self.instance(about).link;
        let half = self.down_after(about) / 2;
        let link = self.links.get(id);
        if let Some(connection) = &link.command {
            let limit = if connection.is_established {
                let patience = link.patience.max(half);
                let silent = link.waiting_since.map(|since| since.max(link.last_reply) + half + 1);
                silent.map(|at| at.max(connection.since + patience))
            } else {
                Some(connection.since + self.connect_timeout(about))
            };
            if let Some(limit) = limit
                && alarm.is_due(limit, now)
            {
                let longest = self.periods.min_link_reconnect;
                if connection.is_established {
                    self.close_command(id, out);
                    self.links.close(id, LinkKind::PubSub, out);
                    let link = self.links.get_mut(id);
                    link.patience = (link.patience * 2).max(half).min(longest);
                    link.retry_pubsub = now;
                } else {
                    self.close_command(id, out);
                }
                self.links.get_mut(id).retry_command = now;
            }
        }
        let link = self.links.get(id);
        if link.command.is_none() && link.resolving.is_none() && self.instance(about).address.port != 0 {
            let retry = link.retry_command;
            if alarm.is_due(retry, now) {
                self.dial(about, now, out);
                alarm.at(now + self.connect_timeout(about));
            }
        }
    }

    fn keep_pubsub(&mut self, about: About, now: Instant, alarm: &mut Alarm, out: &mut Outputs) {
        let address = &self.instance(about).address;
        let (id, ip, port) = (self.instance(about).link, address.ip, address.port);
        let link = self.links.get(id);
        if !link.has_pubsub() {
            return;
        }
        if let Some(connection) = &link.pubsub {
            let limit = if connection.is_established {
                link.last_message.max(connection.since) + self.periods.publish * SILENT_PERIODS + 1
            } else {
                connection.since + self.connect_timeout(about)
            };
            if alarm.is_due(limit, now) {
                self.links.close(id, LinkKind::PubSub, out);
                self.links.get_mut(id).retry_pubsub = now;
            }
        }
        let link = self.links.get(id);
        if link.pubsub.is_none()
            && link.can_send()
            && let Some(ip) = ip
            && alarm.is_due(link.retry_pubsub, now)
        {
            self.links.open(id, LinkKind::PubSub, ip, port, now, out);
            alarm.at(now + self.connect_timeout(about));
        }
    }

    /// Opens the command connection, after looking its name up where it has one.
    fn dial(&mut self, about: About, now: Instant, out: &mut Outputs) {
        let Instance { address, link, .. } = self.instance(about);
        let (address, link) = (address.clone(), *link);
        let is_name = address.host.parse::<IpAddr>().is_err();
        if is_name && self.settings.resolve_hostnames {
            let asked = self.names.ask(&address.host, Waiting::Link(link), out);
            self.links.get_mut(link).resolving = asked;
            self.links.get_mut(link).waiting_since.get_or_insert(now);
        } else if let Some(ip) = address.ip {
            self.links.open(link, LinkKind::Command, ip, address.port, now, out);
        }
        self.links.get_mut(link).retry_command = now + self.ping_interval(about);
    }

    /// The look-up for a connection attempt came back, perhaps when there is nobody any more to connect to.
    pub(super) fn link_resolved(
        &mut self,
        id: LinkId,
        lookup: ResolveId,
        ip: Option<IpAddr>,
        now: Instant,
        out: &mut Outputs,
    ) {
        if self.links.held(id).is_none_or(|link| link.resolving != Some(lookup)) {
            return;
        }
        let users = self.users_of(id);
        let Some(&first) = users.first() else { return };
        self.links.get_mut(id).resolving = None;
        for &about in &users {
            let instance = self.instance_mut(about);
            instance.address.ip = ip.or(instance.address.ip);
            self.touch(about.master());
        }
        let address = self.instance(first).address.clone();
        if let Some(ip) = address.ip
            && self.links.get(id).command.is_none()
        {
            self.links.open(id, LinkKind::Command, ip, address.port, now, out);
        }
    }

    /// Everything that is said first on a new connection.
    pub(super) fn connected(&mut self, conn: ConnId, local_ip: IpAddr, now: Instant, out: &mut Outputs) {
        let Some((id, kind)) = self.links.find(conn) else { return };
        let users = self.users_of(id);
        let Some(&about) = users.first() else { return };
        let link = self.links.get_mut(id);
        let connection = match kind {
            LinkKind::Command => link.command.as_mut(),
            LinkKind::PubSub => link.pubsub.as_mut(),
        };
        if let Some(connection) = connection {
            connection.is_established = true;
            connection.local_ip = Some(local_ip);
        }
        let settings = &self.masters[about.master()].settings;
        let (user, pass) = match link.owner {
            Owner::Master(_) | Owner::Replica(..) => (settings.auth_user.as_deref(), settings.auth_pass.as_deref()),
            Owner::Sentinel => match &self.settings.sentinel_pass {
                Some(pass) => (self.settings.sentinel_user.as_deref(), Some(pass.as_slice())),
                None => (None, self.environment.requirepass.as_deref()),
            },
        };
        let auth = settings.name_of("AUTH").as_bytes();
        match (user, pass) {
            (Some(user), Some(pass)) => self.links.send_on(id, kind, &[auth, user, pass], Tag::Ignored, out),
            (None, Some(pass)) => self.links.send_on(id, kind, &[auth, pass], Tag::Ignored, out),
            (_, None) => false,
        };
        let name = format!("sentinel-{}-{}", &self.id.as_str()[..8], kind.suffix());
        let client = settings.name_of("CLIENT").as_bytes();
        self.links.send_on(id, kind, &[client, b"SETNAME", name.as_bytes()], Tag::Ignored, out);
        match kind {
            LinkKind::PubSub => {
                let subscribe = settings.name_of("SUBSCRIBE").as_bytes();
                self.links.send_on(id, kind, &[subscribe, HELLO_CHANNEL], Tag::Subscribe, out);
            }
            LinkKind::Command => {
                self.send_ping(about, now, out);
                for &about in &users {
                    if self.observed(about).is_some() {
                        self.send_info(about, now, out);
                    }
                    self.send_hello(about, now, out);
                }
            }
        }
        users.iter().for_each(|about| self.touch(about.master()));
    }

    /// A connection is gone, or never came to be.
    pub(super) fn closed(&mut self, conn: ConnId, reason: &str, now: Instant, out: &mut Outputs) {
        let Some((id, kind)) = self.links.find(conn) else { return };
        let users = self.users_of(id);
        let link = self.links.get(id);
        let connection = match kind {
            LinkKind::Command => link.command.as_ref(),
            LinkKind::PubSub => link.pubsub.as_ref(),
        };
        let was_established = connection.is_some_and(|connection| connection.is_established);
        let Some(&about) = users.first() else { return };
        // Right away after a good connection; an attempt that failed is not worth repeating within the ping interval. The
        // same holds for a connection that ended as soon as it was made.
        let was_young = connection.is_some_and(|connection| now.since(connection.since) < self.ping_interval(about));
        let patience = if self.instance(about).is_down { RETRY_WHEN_DOWN } else { 0 };
        let retry = if was_established && !was_young { now } else { now + self.ping_interval(about).max(patience) };
        match kind {
            LinkKind::Command => {
                self.forget_command(id);
                self.links.get_mut(id).retry_command = retry;
            }
            LinkKind::PubSub => {
                self.links.forget(id, kind);
                self.links.get_mut(id).retry_pubsub = retry;
            }
        }
        if !was_established {
            let name = match kind {
                LinkKind::Command => "-cmd-link-reconnection",
                LinkKind::PubSub => "-pubsub-link-reconnection",
            };
            self.event(out, now, Level::Debug, name, about, &format!("#{reason}"));
        }
        users.iter().for_each(|about| self.touch(about.master()));
    }

    /// Closes the command connection; what was asked on it will not be answered.
    pub(super) fn close_command(&mut self, id: LinkId, out: &mut Outputs) {
        self.links.close(id, LinkKind::Command, out);
        self.forget_command(id);
    }

    fn forget_command(&mut self, id: LinkId) {
        self.links.forget(id, LinkKind::Command);
        for about in self.users_of(id) {
            if let Some(observed) = self.observed_mut(about) {
                observed.is_asked = false;
                observed.asked = None;
            }
            match about {
                About::Master(_) => {}
                About::Replica(m, r) => self.masters[m].replicas[r].conflict_since = None,
                About::Peer(m, p) => {
                    let peer = &mut self.masters[m].sentinels[p];
                    peer.is_ask_on_wire = false;
                    peer.confirm_asked = None;
                }
            }
        }
    }

    pub(super) fn subscribed(&mut self, id: LinkId, is_refused: bool, now: Instant, out: &mut Outputs) {
        if is_refused {
            // Without its subscription the connection is useless; Redis's client library drops it too.
            self.links.close(id, LinkKind::PubSub, out);
            if let Some(&about) = self.users_of(id).first() {
                let interval = self.ping_interval(about).max(POLL_MAX);
                self.links.get_mut(id).retry_pubsub = now + interval;
            }
        } else {
            let link = self.links.get_mut(id);
            link.is_subscribed = true;
            link.last_message = now;
        }
    }

    pub(super) fn send_ping(&mut self, about: About, now: Instant, out: &mut Outputs) {
        let ping = self.masters[about.master()].settings.name_of("PING").as_bytes();
        let id = self.instance(about).link;
        if self.links.send(id, &[ping], Tag::Ping, out) {
            self.links.get_mut(id).ping_sent(now);
        }
    }

    /// INFO, at once.
    pub(super) fn send_info(&mut self, about: About, now: Instant, out: &mut Outputs) {
        let info = self.masters[about.master()].settings.name_of("INFO").as_bytes();
        let id = self.instance(about).link;
        if self.links.send(id, &[info], Tag::Info, out)
            && let Some(observed) = self.observed_mut(about)
        {
            observed.asked = Some(now);
            observed.is_asked = true;
        }
    }

    /// Our hello about this instance's master, at once.
    pub(super) fn send_hello(&mut self, about: About, now: Instant, out: &mut Outputs) {
        let due = now + self.periods.publish;
        let master = &self.masters[about.master()];
        let id = self.instance(about).link;
        let local_ip = self.links.get(id).command.as_ref().and_then(|connection| connection.local_ip);
        let Some(payload) = self.hello_payload(master, local_ip) else { return };
        // A paused master would hold our link back until the pause ends; the handover needs it.
        let is_held_back = matches!(about, About::Master(m) if self.is_handing_over(m));
        let publish = master.settings.name_of("PUBLISH").as_bytes();
        let words = [publish, HELLO_CHANNEL, payload.as_bytes()];
        if !is_held_back && self.links.send(id, &words, Tag::Hello(master.id), out) {
            let instance = self.instance_mut(about);
            instance.hello_sent = Some(now);
        }
        self.instance_mut(about).hello_due = due;
    }

    /// An instance refused our hello: try again soon.
    pub(super) fn hello_refused(&mut self, about: About, now: Instant) {
        self.instance_mut(about).hello_due = now + HELLO_RETRY;
    }

    /// News for everybody around a master: hellos leave in this turn.
    pub(super) fn push_hellos(&mut self, m: usize, now: Instant, out: &mut Outputs) {
        // The other Sentinels first: they decide.
        for about in self.peers_of(m).chain(self.replicas_of(m)).chain([About::Master(m)]) {
            self.send_hello(about, now, out);
        }
    }

    pub(super) fn ping_interval(&self, about: About) -> u64 {
        (self.down_after(about) / 10).max(PING_SPACING_MIN).min(self.periods.ping.max(1))
    }

    fn down_after(&self, about: About) -> u64 {
        self.masters[about.master()].settings.down_after
    }

    /// A network that drops our packets never refuses; a fresh attempt asks again, where TCP would wait longer each time.
    pub(super) fn connect_timeout(&self, about: About) -> u64 {
        (self.down_after(about) / 2).clamp(500, 2000)
    }

    fn info_interval(&self, about: About, now: Instant) -> u64 {
        let period = self.periods.info;
        let master = &self.masters[about.master()];
        match about {
            About::Peer(..) => period,
            About::Master(_) if master.observed.role != Role::Master || now.since(master.era_since) < NEW_FOR => {
                period.min(INFO_IN_TROUBLE)
            }
            About::Master(_) => period,
            About::Replica(_, r) => {
                let replica = &master.replicas[r];
                if let Some(since) = self.awaited_since(about.master(), r) {
                    return (now.since(since) / 2).clamp(POLL_MIN, POLL_MAX);
                }
                let is_settled = replica.conflict_since.is_none() && replica.is_link_up;
                match master.instance.is_down || master.failover.is_some() {
                    _ if !is_settled => {
                        period.min((now.since(replica.conf_changed) / 2).clamp(POLL_MIN, INFO_UNSETTLED))
                    }
                    true => period.min(INFO_IN_TROUBLE),
                    false => period,
                }
            }
        }
    }

    /// Since when an effect of a command is awaited at this replica.
    fn awaited_since(&self, m: usize, r: usize) -> Option<Instant> {
        let replica = &self.masters[m].replicas[r];
        let failover = self.masters[m].failover.as_ref()?;
        match replica.reconf {
            Reconf::Sent(at) => Some(at),
            Reconf::InProgress => Some(failover.since),
            _ if failover.chosen() == Some(replica.id) && failover.installed().is_none() => Some(failover.since),
            _ => None,
        }
    }

    pub(super) fn instance(&self, about: About) -> &Instance {
        match about {
            About::Master(m) => &self.masters[m].instance,
            About::Replica(m, r) => &self.masters[m].replicas[r].instance,
            About::Peer(m, p) => &self.masters[m].sentinels[p].instance,
        }
    }

    pub(super) fn instance_mut(&mut self, about: About) -> &mut Instance {
        match about {
            About::Master(m) => &mut self.masters[m].instance,
            About::Replica(m, r) => &mut self.masters[m].replicas[r].instance,
            About::Peer(m, p) => &mut self.masters[m].sentinels[p].instance,
        }
    }

    pub(super) fn observed(&self, about: About) -> Option<&Observed> {
        match about {
            About::Master(m) => Some(&self.masters[m].observed),
            About::Replica(m, r) => Some(&self.masters[m].replicas[r].observed),
            About::Peer(..) => None,
        }
    }

    pub(super) fn observed_mut(&mut self, about: About) -> Option<&mut Observed> {
        match about {
            About::Master(m) => Some(&mut self.masters[m].observed),
            About::Replica(m, r) => Some(&mut self.masters[m].replicas[r].observed),
            About::Peer(..) => None,
        }
    }

    pub(super) fn replicas_of(&self, m: usize) -> impl Iterator<Item = About> + use<> {
        (0..self.masters[m].replicas.len()).map(move |r| About::Replica(m, r))
    }

    pub(super) fn peers_of(&self, m: usize) -> impl Iterator<Item = About> + use<> {
        (0..self.masters[m].sentinels.len()).map(move |p| About::Peer(m, p))
    }

    /// The instances that use a link: one, or the same Sentinel under several masters.
    pub(super) fn users_of(&self, id: LinkId) -> Vec<About> {
        match self.links.get(id).owner {
            Owner::Master(master) => self.master_index(master).map(About::Master).into_iter().collect(),
            Owner::Replica(master, replica) => {
                let found = self.master_index(master).and_then(|m| {
                    let r = self.masters[m].replicas.iter().position(|known| known.id == replica)?;
                    Some(About::Replica(m, r))
                });
                found.into_iter().collect()
            }
            Owner::Sentinel => {
                let of_master = |m: usize| {
                    let peers = self.masters[m].sentinels.iter().enumerate();
                    peers.filter(move |(_, peer)| peer.instance.link == id).map(move |(p, _)| About::Peer(m, p))
                };
                (0..self.masters.len()).flat_map(of_master).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::resp::value::Value;
    use crate::sentinel::core::tests::{Bench, read_lines};

    fn pings(bench: &Bench) -> usize {
        bench.sent.iter().filter(|command| *command == "PING").count()
    }

    #[test]
    fn what_is_said_first_on_each_connection() {
        let mut bench = Bench::watching_one_master(1000);
        bench.run_answering(10);
        let id = "5".repeat(8);
        let expected = [
            format!("CLIENT SETNAME sentinel-{id}-cmd"),
            "PING".into(),
            "INFO".into(),
            format!("PUBLISH __sentinel__:hello 10.0.9.9,26379,{},0,mymaster,10.0.0.1,6379,0", "5".repeat(40)),
            format!("CLIENT SETNAME sentinel-{id}-pubsub"),
            "SUBSCRIBE __sentinel__:hello".into(),
        ];
        assert_eq!(bench.sent[..6], expected);
    }

    #[test]
    fn credentials_and_renamed_commands_are_used() {
        let text = "sentinel monitor mymaster 10.0.0.1 6379 1\nsentinel auth-pass mymaster secret\n\
                    sentinel auth-user mymaster bob\nsentinel rename-command mymaster INFO tell\n\
                    sentinel rename-command mymaster auth letmein\nsentinel sentinel-pass both";
        let mut bench = Bench::with_state(read_lines(text).unwrap());
        bench.run_answering(10);
        assert_eq!(bench.sent[0], "letmein bob secret");
        assert!(bench.sent.contains(&"tell".to_owned()) && !bench.sent.contains(&"INFO".to_owned()));
        bench.sent.clear();
        bench.hello("10.0.0.5,26379,0123456789abcdef0123456789abcdef01234567,7,mymaster,10.0.0.1,6379,0");
        assert_eq!(bench.sent[0], "letmein both");
    }

    #[test]
    fn ping_leaves_every_tenth_of_down_after_and_one_at_a_time() {
        for (down_after, least, most) in [(1000, 18, 22), (300, 60, 70), (60_000, 2, 3)] {
            let mut bench = Bench::watching_one_master(down_after);
            bench.run_answering(2000);
            assert!((least..=most).contains(&pings(&bench)), "{down_after}: {}", pings(&bench));
        }
        let mut bench = Bench::watching_one_master(10_000);
        bench.run_answering(100);
        bench.sent.clear();
        bench.silence("10.0.0.1:6379");
        bench.run(4000);
        assert_eq!(pings(&bench), 1);
    }

    #[test]
    fn an_attempt_that_nobody_accepts_is_repeated_with_a_fresh_one() {
        let mut bench = Bench::watching_one_master(1000);
        bench.stop_answering();
        bench.run(5200);
        assert!((10..=12).contains(&bench.connects), "{}", bench.connects);
    }

    #[test]
    fn a_refused_subscription_leaves_the_link_disconnected() {
        let mut bench = Bench::watching_one_master(1000);
        bench.refuse_subscriptions();
        bench.run_answering(1000);
        let master = bench.sentinel.master("mymaster").unwrap();
        let fields = bench.sentinel.master_fields(master, bench.now());
        assert!(fields.contains(&("flags", "master,disconnected".to_owned())));
        assert!(bench.connects < 30, "{}", bench.connects);
    }

    #[test]
    fn a_refused_hello_is_repeated_soon() {
        let mut bench = Bench::watching_one_master(1000);
        bench.answer_publish_with(Value::Error("NOPERM no".into()));
        bench.run_answering(1000);
        let hellos = bench.sent.iter().filter(|command| command.starts_with("PUBLISH")).count();
        assert!((9..=11).contains(&hellos), "{hellos}");
    }

    #[test]
    fn a_silent_connection_is_replaced_with_growing_patience() {
        let mut bench = Bench::watching_one_master(1000);
        bench.run_answering(500);
        let before = bench.connects;
        bench.silence("10.0.0.1:6379");
        bench.run(60_000);
        let replaced = (bench.connects - before) / 2;
        assert!((5..=12).contains(&replaced), "{replaced}");
    }
}
