//! Connections between processes: in order, reliable, and slow or stuck where the network is.
//!
//! A message on a blocked path is not lost, as TCP would not lose it: it waits, and arrives some time after the path is
//! open again (retransmission backs off), unless the connection is gone by then. One that is lost on the way is sent again a
//! while later, and holds up what was sent behind it. A connection attempt on a blocked path is repeated after 1, 3 and 7
//! seconds, as SYN packets are. A process that is killed closes its connections; a machine that
//! loses power does not.

use std::collections::VecDeque;

use rredis::base::rng::Rng;
use rredis::resp::args::OwnedArgs;
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
    Request(OwnedArgs),
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
    /// By number; a connection that is gone leaves its place empty.
    connections: Vec<Option<Connection>>,
    hosts: usize,
    /// Since when a path is blocked, for the time TCP takes to recover.
    blocked: Vec<Option<u64>>,
    /// Latency of one message, in milliseconds: from, to.
    pub latency: (u64, u64),
    /// Chance in percent that a message is lost.
    pub loss: u64,
    /// The last arrival on each path, whatever the connection.
    latest: Vec<u64>,
    /// When the last arrives that took longer than messages take without a fault.
    pub late_until: u64,
    usual_latency: u64,
    pub retransmissions: u64,
    pub overtakings: u64,
}

/// TCP sends again what was not acknowledged for so long, at first; then it doubles.
const RETRANSMISSION: u64 = 200;
/// No message is lost more often.
const LOSSES_MAX: u32 = 4;

impl Network {
    pub fn new(hosts: usize, latency: (u64, u64)) -> Network {
        Network {
            connections: Vec::new(),
            hosts,
            blocked: vec![None; hosts * hosts],
            latency,
            loss: 0,
            latest: vec![0; hosts * hosts],
            late_until: 0,
            usual_latency: latency.1,
            retransmissions: 0,
            overtakings: 0,
        }
    }

    fn delay(&mut self, rng: &mut Rng) -> u64 {
        let mut delay = rng.between(self.latency.0, self.latency.1);
        let mut losses = 0;
        while self.loss > 0 && losses < LOSSES_MAX && rng.percent(self.loss) {
            delay += RETRANSMISSION << losses;
            losses += 1;
            self.retransmissions += 1;
        }
        delay
    }

    pub fn get(&self, id: u64) -> Option<&Connection> {
        self.connections.get(id as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, id: u64) -> Option<&mut Connection> {
        self.connections.get_mut(id as usize)?.as_mut()
    }

    /// All connections there are, in the order in which they were made.
    pub fn all(&self) -> impl Iterator<Item = (u64, &Connection)> {
        let numbered = self.connections.iter().enumerate();
        numbered.filter_map(|(id, connection)| connection.as_ref().map(|connection| (id as u64, connection)))
    }

    fn path(&self, from: Host, to: Host) -> usize {
        from * self.hosts + to
    }

    pub fn is_blocked(&self, from: Host, to: Host) -> bool {
        self.blocked[self.path(from, to)].is_some()
    }

    /// A new attempt; gives its number and what is to happen when.
    pub fn connect(
        &mut self,
        client: (Process, Host),
        server: (Process, Host),
        now: u64,
        rng: &mut Rng,
    ) -> (u64, u64, Arrival) {
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
        let id = self.connections.len() as u64;
        self.connections.push(Some(connection));
        (id, now + self.delay(rng), Arrival::Attempt(id))
    }

    /// The attempt reaches the server, or does not: then when it is repeated.
    pub fn attempt(&mut self, id: u64, now: u64, can_answer: bool) -> Result<(), Option<u64>> {
        let Some(connection) = self.get(id) else { return Err(None) };
        let (client, server) = (connection.client_host, connection.server_host);
        let is_blocked = self.is_blocked(client, server) || self.is_blocked(server, client);
        if !is_blocked && can_answer {
            return Ok(());
        }
        let connection = self.get_mut(id).expect("seen above");
        let repeat = [1000, 2000, 4000, 8000].get(connection.attempts as usize).copied();
        connection.attempts += 1;
        Err(repeat.map(|after| now + after))
    }

    /// Sends; gives when the message arrives. Nothing happens on a connection that is gone.
    pub fn send(&mut self, id: u64, way: Way, message: Message, now: u64, rng: &mut Rng) -> Option<(u64, Arrival)> {
        let delay = self.delay(rng);
        let connection = self.get_mut(id)?;
        let (from, to) = connection.hosts(way);
        let pipe = connection.pipe(way);
        pipe.queue.push_back(message);
        let at = (now + delay).max(pipe.last_arrival);
        pipe.last_arrival = at;
        if at > now + self.usual_latency {
            self.late_until = self.late_until.max(at);
        }
        let path = self.path(from, to);
        if at < self.latest[path] {
            self.overtakings += 1;
        } else {
            self.latest[path] = at;
        }
        Some((at, Arrival::Next(id, way)))
    }

    /// Bytes of replication on their way.
    pub fn queued(&self, id: u64, way: Way) -> usize {
        let Some(connection) = self.get(id) else { return 0 };
        let pipe = if way == Way::ToServer { &connection.to_server } else { &connection.to_client };
        let len = |message: &Message| if let Message::Bytes(bytes) = message { bytes.len() } else { 0 };
        pipe.queue.iter().map(len).sum()
    }

    /// The next message of a pipe, now that its time has come; `None` when the path is blocked or nothing is there.
    pub fn arrive(&mut self, id: u64, way: Way, is_host_up: bool) -> Option<Message> {
        let (from, to) = self.get(id)?.hosts(way);
        let is_blocked = self.is_blocked(from, to) || !is_host_up;
        let pipe = self.get_mut(id)?.pipe(way);
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
        self.connections[id as usize] = Some(dead);
    }

    /// A connection is forgotten by both ends, with everything on its way.
    pub fn drop_connection(&mut self, id: u64) -> Option<Connection> {
        self.connections.get_mut(id as usize)?.take()
    }

    pub fn block(&mut self, from: Host, to: Host, now: u64) {
        let path = self.path(from, to);
        if from != to {
            self.blocked[path].get_or_insert(now);
        }
    }

    /// Opens a path; what was stuck arrives when TCP tries again. Gives when.
    pub fn unblock(&mut self, from: Host, to: Host, now: u64, rng: &mut Rng) -> Vec<(u64, Arrival)> {
        let path = self.path(from, to);
        let Some(since) = self.blocked[path].take() else { return Vec::new() };
        self.release(|hosts| hosts == (from, to), now, now - since, rng)
    }

    /// A machine has power again, or a path is open: what was stuck towards it moves.
    pub fn release(
        &mut self,
        concerns: impl Fn((Host, Host)) -> bool,
        now: u64,
        lasted: u64,
        rng: &mut Rng,
    ) -> Vec<(u64, Arrival)> {
        let (mut arrivals, hosts) = (Vec::new(), self.hosts);
        for (id, connection) in self.connections.iter_mut().enumerate() {
            let Some(connection) = connection else { continue };
            for way in [Way::ToServer, Way::ToClient] {
                let (from, to) = connection.hosts(way);
                if !concerns((from, to)) {
                    continue;
                }
                let pipe = connection.pipe(way);
                let at = now + rng.below(lasted.min(10_000) + 1);
                for _ in 0..std::mem::take(&mut pipe.stuck) {
                    pipe.last_arrival = pipe.last_arrival.max(at);
                    arrivals.push((pipe.last_arrival, Arrival::Next(id as u64, way)));
                    self.latest[from * hosts + to] = self.latest[from * hosts + to].max(pipe.last_arrival);
                }
            }
        }
        arrivals
    }

    /// When the last arrives that is on its way.
    pub fn latest_arrival(&self) -> u64 {
        self.latest.iter().copied().max().unwrap_or(0)
    }

    pub fn blocked_paths(&self) -> Vec<(Host, Host)> {
        let paths = (0..self.hosts).flat_map(|from| (0..self.hosts).map(move |to| (from, to)));
        paths.filter(|&(from, to)| self.is_blocked(from, to)).collect()
    }

    /// Connections that a process has, by number.
    pub fn of(&self, process: Process) -> Vec<u64> {
        let has = |connection: &Connection| connection.client == process || connection.server == process;
        self.all().filter(|(_, connection)| has(connection)).map(|(id, _)| id).collect()
    }
}
