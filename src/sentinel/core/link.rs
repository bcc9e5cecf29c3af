//! The link to one watched process: a command connection and, towards masters and replicas, a subscribed one.
//!
//! A link is pure bookkeeping; `schedule.rs` decides when to connect and what to send. The figures that decide whether a
//! process is alive belong to the link and not to the instance, because several masters may be watched together with
//! the same other Sentinel: they then share one link.
//!
//! Two clocks of silence must not be confused. `waiting_since` is the moment from which we had a right to expect an
//! acceptable answer (the oldest PING without one, or a connection attempt); it survives reconnecting, because a new
//! connection proves nothing. `last_reply` is when anything at all answered a PING, errors included: a process that
//! answers with errors is down but its connection is fine.

use std::collections::BTreeMap;
use std::net::IpAddr;

use slotmap::{SlotMap, new_key_type};

use super::io::{ConnId, LinkKind, MasterId, Output, Outputs, ResolveId, Tag};
use crate::base::time::Instant;
use crate::resp::args::OwnedArgs;

new_key_type! {
    /// Number of a link. Never that of another one, as far as four billion releases of one place are never.
    pub struct LinkId;
}

/// Number of a replica or other Sentinel among those of its master. Never reused for that master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub u32);

/// Whose link it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The master itself.
    Master(MasterId),
    /// One of its replicas.
    Replica(MasterId, InstanceId),
    /// Another Sentinel, known under each of the masters that share the link.
    Sentinel,
}

/// One connection of a link.
#[derive(Clone, Debug)]
pub struct Connection {
    pub id: ConnId,
    /// When it was asked for.
    pub since: Instant,
    /// Whether the peer accepted it.
    pub is_established: bool,
    /// Commands sent and not answered.
    pub pending: u32,
    /// Our end.
    pub local_ip: Option<IpAddr>,
}

/// Everything about the way to one process.
#[derive(Clone, Debug)]
pub struct Link {
    pub owner: Owner,
    /// How many instances use it; more than one only for Sentinels watching several masters with us.
    pub users: u32,
    pub command: Option<Connection>,
    pub pubsub: Option<Connection>,
    /// Whether the subscription was confirmed.
    pub is_subscribed: bool,
    /// Last acceptable answer to PING.
    pub last_ok: Instant,
    /// Last answer of any kind to PING.
    pub last_reply: Instant,
    /// From when an acceptable answer has been due.
    pub waiting_since: Option<Instant>,
    /// When the last PING was sent.
    pub last_ping: Option<Instant>,
    /// Whether that PING has no answer of any kind yet, on the present connection.
    pub is_ping_on_wire: bool,
    /// Last message on the subscribed connection, ours included.
    pub last_message: Instant,
    /// No command connection is tried before.
    pub retry_command: Instant,
    /// No subscribed connection is tried before.
    pub retry_pubsub: Instant,
    /// How long the next connection may be silent before it is given up; doubles while nothing answers.
    pub patience: u64,
    /// A look-up of the host name under way.
    pub resolving: Option<ResolveId>,
}

impl Link {
    /// Silence counts from the start, so that a process never reached is found down too.
    pub fn new(owner: Owner, now: Instant) -> Link {
        Link {
            owner,
            users: 1,
            command: None,
            pubsub: None,
            is_subscribed: false,
            last_ok: now,
            last_reply: now,
            waiting_since: Some(now),
            last_ping: None,
            is_ping_on_wire: false,
            last_message: now,
            retry_command: now,
            retry_pubsub: now,
            patience: 0,
            resolving: None,
        }
    }

    /// Whether there is a subscribed connection to keep.
    pub fn has_pubsub(&self) -> bool {
        self.owner != Owner::Sentinel
    }

    /// Whether commands can be sent and will be read.
    pub fn can_send(&self) -> bool {
        self.command.as_ref().is_some_and(|connection| connection.is_established)
    }

    /// Whether all its connections stand: what `disconnected` in the flags denies.
    pub fn is_connected(&self) -> bool {
        self.can_send() && (!self.has_pubsub() || self.is_subscribed)
    }

    /// Where there is no connection, none is waited for.
    pub fn dial_now(&mut self, now: Instant) {
        self.retry_command = self.retry_command.min(now);
        self.retry_pubsub = self.retry_pubsub.min(now);
    }

    /// Commands without an answer on the command connection.
    pub fn pending(&self) -> u32 {
        self.command.as_ref().map_or(0, |connection| connection.pending)
    }

    /// A PING leaves. A later PING never replaces an older one without an answer, or repeating would hide the silence.
    pub fn ping_sent(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
        self.last_ping = Some(now);
        self.is_ping_on_wire = true;
    }

    /// A PING was answered.
    pub fn ping_answered(&mut self, now: Instant, is_acceptable: bool) {
        self.is_ping_on_wire = false;
        self.last_reply = now;
        if is_acceptable {
            self.waiting_since = None;
            self.last_ok = now;
            self.patience = 0;
        }
    }

    /// First instant at which the process counts as down if nothing else happens.
    pub fn down_at(&self, down_after: u64) -> Option<Instant> {
        let since = match self.waiting_since {
            Some(since) => since,
            None if !self.is_connected() => self.last_ok,
            None => return None,
        };
        Some(since + down_after + 1)
    }
}

/// All links, and which connection belongs to which.
#[derive(Clone, Debug, Default)]
pub struct Links {
    links: SlotMap<LinkId, Link>,
    connections: BTreeMap<ConnId, (LinkId, LinkKind)>,
    next_connection: u64,
}

impl Links {
    /// A new link without connections.
    pub fn add(&mut self, owner: Owner, now: Instant) -> LinkId {
        self.links.insert(Link::new(owner, now))
    }

    /// The link; it exists as long as an instance holds its number.
    pub fn get(&self, id: LinkId) -> &Link {
        &self.links[id]
    }

    /// The link, if an instance still holds it.
    pub fn held(&self, id: LinkId) -> Option<&Link> {
        self.links.get(id)
    }

    /// The link, to change it.
    pub fn get_mut(&mut self, id: LinkId) -> &mut Link {
        &mut self.links[id]
    }

    /// One user less; the last one closes the connections.
    pub fn release(&mut self, id: LinkId, out: &mut Outputs) {
        let link = self.get_mut(id);
        link.users -= 1;
        if link.users == 0 {
            self.close(id, LinkKind::Command, out);
            self.close(id, LinkKind::PubSub, out);
            self.links.remove(id);
        }
    }

    /// A new link to a process that had another: its silence goes on, because a new connection proves nothing.
    pub fn go_on_waiting(&mut self, from: LinkId, to: LinkId) {
        let Link { waiting_since, last_ok, last_reply, .. } = *self.get(from);
        let link = self.get_mut(to);
        link.waiting_since = waiting_since.or(link.waiting_since);
        (link.last_ok, link.last_reply) = (last_ok, last_reply);
    }

    /// Which link and kind a connection is, while it is one of ours.
    pub fn find(&self, conn: ConnId) -> Option<(LinkId, LinkKind)> {
        self.connections.get(&conn).copied()
    }

    /// Nobody listened for `ms` milliseconds: that much of all silence was ours.
    pub fn forgive(&mut self, ms: u64) {
        for link in self.links.values_mut() {
            link.waiting_since = link.waiting_since.map(|since| since + ms);
            link.last_ok = link.last_ok + ms;
            link.last_reply = link.last_reply + ms;
        }
    }

    /// Asks for a connection.
    pub fn open(&mut self, id: LinkId, kind: LinkKind, ip: IpAddr, port: u16, now: Instant, out: &mut Outputs) {
        self.next_connection += 1;
        let conn = ConnId(self.next_connection);
        self.connections.insert(conn, (id, kind));
        let connection = Connection { id: conn, since: now, is_established: false, pending: 0, local_ip: None };
        let link = self.get_mut(id);
        match kind {
            LinkKind::Command => {
                link.command = Some(connection);
                link.is_ping_on_wire = false;
                link.waiting_since.get_or_insert(now);
            }
            LinkKind::PubSub => {
                link.pubsub = Some(connection);
                link.is_subscribed = false;
            }
        }
        out.push(Output::Connect { conn, kind, ip, port });
    }

    /// Closes a connection, if there is one.
    pub fn close(&mut self, id: LinkId, kind: LinkKind, out: &mut Outputs) {
        if let Some(conn) = self.forget(id, kind) {
            out.push(Output::Disconnect { conn });
        }
    }

    /// Forgets a connection that is already closed, or is about to be.
    pub fn forget(&mut self, id: LinkId, kind: LinkKind) -> Option<ConnId> {
        let link = self.get_mut(id);
        let connection = match kind {
            LinkKind::Command => {
                link.is_ping_on_wire = false;
                link.command.take()
            }
            LinkKind::PubSub => {
                link.is_subscribed = false;
                link.pubsub.take()
            }
        }?;
        self.connections.remove(&connection.id);
        Some(connection.id)
    }

    /// Sends a command on the command connection. False when there is none that stands.
    pub fn send(&mut self, id: LinkId, words: &[&[u8]], tag: Tag, out: &mut Outputs) -> bool {
        self.send_on(id, LinkKind::Command, words, tag, out)
    }

    /// Sends a command on either connection. False when it does not stand.
    pub fn send_on(&mut self, id: LinkId, kind: LinkKind, words: &[&[u8]], tag: Tag, out: &mut Outputs) -> bool {
        let link = self.get_mut(id);
        let connection = match kind {
            LinkKind::Command => &mut link.command,
            LinkKind::PubSub => &mut link.pubsub,
        };
        match connection {
            Some(connection) if connection.is_established => {
                connection.pending += 1;
                out.push(Output::Send { conn: connection.id, command: OwnedArgs::of(words), tag });
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_millis(1000);

    fn established(links: &mut Links, id: LinkId, out: &mut Outputs) {
        links.open(id, LinkKind::Command, "10.0.0.1".parse().unwrap(), 1, START, out);
        links.get_mut(id).command.as_mut().unwrap().is_established = true;
    }

    #[test]
    fn resending_ping_does_not_restart_the_clock() {
        let mut link = Link::new(Owner::Sentinel, START);
        link.ping_answered(START, true);
        link.ping_sent(START + 10);
        link.ping_sent(START + 500);
        assert_eq!(link.down_at(1000), Some(START + 1011));
        link.ping_answered(START + 600, false);
        assert_eq!(link.down_at(1000), Some(START + 1011), "an error is an answer, but not an acceptable one");
        link.ping_answered(START + 700, true);
        assert_eq!(link.down_at(1000), Some(START + 1701), "not connected: from the last good answer");
    }

    #[test]
    fn commands_go_only_to_an_established_connection() {
        let (mut links, mut out) = (Links::default(), Outputs::new());
        let id = links.add(Owner::Sentinel, START);
        assert!(!links.send(id, &[b"PING"], Tag::Ping, &mut out));
        established(&mut links, id, &mut out);
        assert!(links.send(id, &[b"PING"], Tag::Ping, &mut out));
        assert_eq!(links.get(id).pending(), 1);
    }

    #[test]
    fn the_last_user_of_a_link_closes_it() {
        let (mut links, mut out) = (Links::default(), Outputs::new());
        let id = links.add(Owner::Sentinel, START);
        established(&mut links, id, &mut out);
        let conn = links.get(id).command.as_ref().unwrap().id;
        links.get_mut(id).users += 1;
        links.release(id, &mut out);
        assert_eq!(links.find(conn), Some((id, LinkKind::Command)));
        links.release(id, &mut out);
        assert_eq!(links.find(conn), None);
        assert!(matches!(out.as_slice().last(), Some(Output::Disconnect { conn: closed }) if *closed == conn));
    }
}
