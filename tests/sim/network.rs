//! Connections between processes: in order, reliable, and slow or stuck where the network is.
//!
//! A message on a blocked path is not lost, as TCP would not lose it: it waits, and arrives some time after the path is
//! open again (retransmission backs off), unless the connection is gone by then. A connection attempt on a blocked path is
//! repeated after 1, 3 and 7 seconds, as SYN packets are. A process that is killed closes its connections; a machine that
//! loses power does not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rredis::base::rng::Rng;
use rredis::resp::value::Value;

/// A machine; each process has one, several may share one.
pub type Host = usize;

/// A process of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    Server(usize),
    Sentinel(usize),
}

/// What travels.
#[derive(Clone, Debug)]
pub enum Message {
    /// A command.
    Request(Vec<Vec<u8>>),
    /// Its answer.
    Reply(Value),
    /// A message on a subscribed connection.
    Push(Vec<u8>),
    /// A part of what two replication machines say to each other.
    Bytes(Vec<u8>),
    /// The peer closed.
    End,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

#[derive(Debug, Default)]
struct Pipe {
    queue: VecDeque<Message>,
    /// No message arrives before an earlier one.
    last_arrival: u64,
    /// Messages whose arrival found the path blocked.
    stuck: usize,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    pub client: Process,
    pub client_host: Host,
    pub server: Process,
    pub server_host: Host,
    pub is_open: bool,
    pub attempts: u32,
    to_server: Pipe,
    to_client: Pipe,
}

impl Connection {
    fn pipe(&mut self, way: Way) -> &mut Pipe {
        match way {
            Way::ToServer => &mut self.to_server,
            Way::ToClient => &mut self.to_client,
        }
    }

    pub fn hosts(&self, way: Way) -> (Host, Host) {
        match way {
            Way::ToServer => (self.client_host, self.server_host),
            Way::ToClient => (self.server_host, self.client_host),
        }
    }
}

/// What the network wants to happen at a later time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A connection attempt reaches the server.
    Attempt(u64),
    /// The acceptance reaches the client.
    Accepted(u64),
    /// The refusal reaches the client.
    Refused(u64),
    /// The next message of a pipe.
    Next(u64, Way),
}

#[derive(Debug)]
pub struct Network {
    pub connections: BTreeMap<u64, Connection>,
    blocked: BTreeSet<(Host, Host)>,
    next: u64,
    /// Latency of one message, in milliseconds: from, to.
    pub latency: (u64, u64),
    /// When each path was blocked, for the time TCP takes to recover.
    since: BTreeMap<(Host, Host), u64>,
}

impl Network {
    pub fn new(latency: (u64, u64)) -> Network {
        Network { connections: BTreeMap::new(), blocked: BTreeSet::new(), next: 0, latency, since: BTreeMap::new() }
    }

    fn delay(&self, rng: &mut Rng) -> u64 {
        rng.between(self.latency.0, self.latency.1)
    }

    pub fn is_blocked(&self, from: Host, to: Host) -> bool {
        self.blocked.contains(&(from, to))
    }

    /// A new attempt; gives its number and what is to happen when.
    pub fn connect(
        &mut self,
        client: (Process, Host),
        server: (Process, Host),
        now: u64,
        rng: &mut Rng,
    ) -> (u64, u64, Arrival) {
        self.next += 1;
        let connection = Connection {
            client: client.0,
            client_host: client.1,
            server: server.0,
            server_host: server.1,
            is_open: false,
            attempts: 0,
            to_server: Pipe::default(),
            to_client: Pipe::default(),
        };
        self.connections.insert(self.next, connection);
        (self.next, now + self.delay(rng), Arrival::Attempt(self.next))
    }

    /// The attempt reaches the server, or does not: then when it is repeated.
    pub fn attempt(&mut self, id: u64, now: u64, can_answer: bool) -> Result<(), Option<u64>> {
        let Some(connection) = self.connections.get_mut(&id) else { return Err(None) };
        let (client, server) = (connection.client_host, connection.server_host);
        let is_blocked = self.blocked.contains(&(client, server)) || self.blocked.contains(&(server, client));
        if !is_blocked && can_answer {
            return Ok(());
        }
        let repeat = [1000, 2000, 4000, 8000].get(connection.attempts as usize).copied();
        connection.attempts += 1;
        Err(repeat.map(|after| now + after))
    }

    /// Sends; gives when the message arrives. Nothing happens on a connection that is gone.
    pub fn send(&mut self, id: u64, way: Way, message: Message, now: u64, rng: &mut Rng) -> Option<(u64, Arrival)> {
        let delay = self.delay(rng);
        let pipe = self.connections.get_mut(&id)?.pipe(way);
        pipe.queue.push_back(message);
        let at = (now + delay).max(pipe.last_arrival);
        pipe.last_arrival = at;
        Some((at, Arrival::Next(id, way)))
    }

    /// Bytes of replication on their way.
    pub fn queued(&self, id: u64, way: Way) -> usize {
        let Some(connection) = self.connections.get(&id) else { return 0 };
        let pipe = if way == Way::ToServer { &connection.to_server } else { &connection.to_client };
        let len = |message: &Message| if let Message::Bytes(bytes) = message { bytes.len() } else { 0 };
        pipe.queue.iter().map(len).sum()
    }

    /// The next message of a pipe, now that its time has come; `None` when the path is blocked or nothing is there.
    pub fn arrive(&mut self, id: u64, way: Way, is_host_up: bool) -> Option<Message> {
        let (from, to) = self.connections.get(&id)?.hosts(way);
        let is_blocked = self.is_blocked(from, to) || !is_host_up;
        let pipe = self.connections.get_mut(&id)?.pipe(way);
        if is_blocked || pipe.stuck > 0 {
            pipe.stuck += 1;
            return None;
        }
        pipe.queue.pop_front()
    }

    /// Keeps the number of a connection that is gone for a client that is stopped and will hear of its end later.
    pub fn restore_dead(&mut self, id: u64, client: Process, host: Host) {
        let dead = Connection {
            client,
            client_host: host,
            server: client,
            server_host: host,
            is_open: false,
            attempts: 0,
            to_server: Pipe::default(),
            to_client: Pipe::default(),
        };
        self.connections.insert(id, dead);
    }

    /// A connection is forgotten by both ends, with everything on its way.
    pub fn drop_connection(&mut self, id: u64) -> Option<Connection> {
        self.connections.remove(&id)
    }

    pub fn block(&mut self, from: Host, to: Host, now: u64) {
        if from != to && self.blocked.insert((from, to)) {
            self.since.insert((from, to), now);
        }
    }

    /// Opens a path; what was stuck arrives when TCP tries again. Gives when.
    pub fn unblock(&mut self, from: Host, to: Host, now: u64, rng: &mut Rng) -> Vec<(u64, Arrival)> {
        if !self.blocked.remove(&(from, to)) {
            return Vec::new();
        }
        let lasted = now - self.since.remove(&(from, to)).unwrap_or(now);
        self.release(|hosts| hosts == (from, to), now, lasted, rng)
    }

    /// A machine has power again, or a path is open: what was stuck towards it moves.
    pub fn release(
        &mut self,
        concerns: impl Fn((Host, Host)) -> bool,
        now: u64,
        lasted: u64,
        rng: &mut Rng,
    ) -> Vec<(u64, Arrival)> {
        let mut arrivals = Vec::new();
        for (&id, connection) in &mut self.connections {
            for way in [Way::ToServer, Way::ToClient] {
                if !concerns(connection.hosts(way)) {
                    continue;
                }
                let pipe = connection.pipe(way);
                let at = now + rng.below(lasted.min(10_000) + 1);
                for _ in 0..std::mem::take(&mut pipe.stuck) {
                    pipe.last_arrival = pipe.last_arrival.max(at);
                    arrivals.push((pipe.last_arrival, Arrival::Next(id, way)));
                }
            }
        }
        arrivals
    }

    pub fn blocked_paths(&self) -> Vec<(Host, Host)> {
        self.blocked.iter().copied().collect()
    }

    /// Connections that a process has, by number.
    pub fn of(&self, process: Process) -> Vec<u64> {
        let has = |connection: &Connection| connection.client == process || connection.server == process;
        self.connections.iter().filter(|(_, connection)| has(connection)).map(|(&id, _)| id).collect()
    }
}
