//! The world: simulated time, and processes that live, hang and die in it.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use rredis::base::id::HexId;
use rredis::base::quote::split_args;
use rredis::base::rng::Rng;
use rredis::base::time::{Instant, Now};
use rredis::resp::value::Value;
use rredis::sentinel::core::address::Address;
use rredis::sentinel::core::coordinated_state::Reader;
use rredis::sentinel::core::io::{
    Command, CommandReply, ConnId, DownQuestion, Event as SentinelEvent, Input, LinkKind, Output, Outputs, ReplySlot,
    Tag, Ticket,
};
use rredis::sentinel::core::settings::{Environment, MasterSettings, MasterState, Periods, State};
use rredis::sentinel::core::{HELLO_CHANNEL, Sentinel};

use crate::checks::Checks;
use crate::faults::Fault;
use crate::network::{Arrival, Host, Message, Network, Process, Way};
use crate::redis_model::{Client, Effect, Following, Server};

/// The name of the one master every Sentinel watches.
pub const MASTER: &str = "mymaster";
const DATA_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// How often each master takes a write.
const WRITE_EVERY: u64 = 100;
/// Silence after which a replica gives its master up.
const REPLICATION_TIMEOUT: u64 = 3000;
/// Lines of the transcript shown on failure; all of them go to a file.
const SHOWN_LINES: usize = 60;

/// How a cluster is built.
#[derive(Clone, Debug)]
pub struct Shape {
    pub servers: usize,
    pub sentinels: usize,
    pub quorum: u32,
    pub down_after: u64,
    pub failover_timeout: u64,
    pub parallel_syncs: u32,
    pub latency: (u64, u64),
    /// Time a write to the disk takes.
    pub disk: (u64, u64),
    /// Whether server n and Sentinel n share a machine.
    pub is_shared_host: bool,
    /// Chance in percent that a Sentinel crashes just when it has asked the disk to keep something.
    pub crash_at_persist: u64,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            servers: 3,
            sentinels: 3,
            quorum: 2,
            down_after: 1000,
            failover_timeout: 10_000,
            parallel_syncs: 1,
            latency: (0, 1),
            disk: (2, 10),
            is_shared_host: true,
            crash_at_persist: 0,
        }
    }
}

#[derive(Debug)]
enum Happening {
    Network(Arrival),
    Timer { sentinel: usize, life: u32 },
    Saved { sentinel: usize, life: u32, ticket: Ticket, text: Option<String> },
    Replication { server: usize, life: u32 },
    PauseOver { server: usize },
    Writes,
    Fault(Fault),
}

/// What every process has.
#[derive(Debug, Default)]
pub struct Life {
    pub is_running: bool,
    pub is_stopped: bool,
    /// Grows with every start.
    pub number: u32,
    /// What happened to it while it was stopped.
    backlog: Vec<Happening>,
}

/// A Sentinel process: the core, and a shell of the simplest kind.
pub struct Node {
    pub life: Life,
    pub host: Host,
    pub core: Option<Sentinel>,
    /// What the disk holds.
    pub file: String,
    pub is_disk_broken: bool,
    /// Core connection to network connection, and back.
    outgoing: BTreeMap<ConnId, u64>,
    conns: BTreeMap<u64, (ConnId, LinkKind, VecDeque<Tag>)>,
    /// Answers owed to each client, in order; `None` while not known.
    owed: BTreeMap<u64, VecDeque<(u64, Option<Value>)>>,
    next_slot: u64,
    timer_at: Option<u64>,
    writes_until: u64,
    /// Clock: speed in thousandths, and how far the wall clock is off.
    pub speed: u64,
    pub wall_shift: i64,
    pub events: Vec<(u64, SentinelEvent)>,
    pub replies: Vec<CommandReply>,
}

pub struct World {
    pub now: u64,
    pub shape: Shape,
    pub seed: u64,
    rng: Rng,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    pub network: Network,
    pub servers: Vec<(Life, Host, Server)>,
    pub nodes: Vec<Node>,
    powerless: BTreeMap<Host, u64>,
    /// Every acknowledged write and who took it.
    pub acknowledged: Vec<(u32, usize)>,
    next_write: u32,
    pub checks: Checks,
    /// Between the first fault and the healing.
    pub is_troubled: bool,
    transcript: Vec<String>,
}

pub fn ip_of(host: Host) -> String {
    format!("10.0.0.{}", host + 1)
}

impl World {
    pub fn new(seed: u64, shape: Shape) -> World {
        let mut rng = Rng::seeded(seed);
        let network = Network::new(shape.latency);
        let mut world = World {
            now: 1_000,
            seed,
            rng: rng.clone(),
            queue: BTreeMap::new(),
            sequence: 0,
            network,
            servers: Vec::new(),
            nodes: Vec::new(),
            powerless: BTreeMap::new(),
            acknowledged: Vec::new(),
            next_write: 0,
            checks: Checks::default(),
            is_troubled: false,
            transcript: Vec::new(),
            shape: shape.clone(),
        };
        for index in 0..shape.servers {
            let mut server = Server::new(ip_of(index), 100, &mut rng);
            if index > 0 {
                server.following = Following::Master { ip: ip_of(0), port: DATA_PORT };
                server.written = server.following.clone();
            }
            world.servers.push((Life::default(), index, server));
            world.start_server(index);
        }
        for index in 0..shape.sentinels {
            let host = if shape.is_shared_host { index } else { shape.servers + index };
            world.nodes.push(Node::new(host, rng.between(998, 1002)));
            world.start_sentinel(index);
        }
        world.at(world.now + WRITE_EVERY, Happening::Writes);
        world
    }

    pub fn note(&mut self, text: String) {
        self.transcript.push(format!("{:>7} {text}", self.now));
    }

    /// Ends the test with the seed and the transcript.
    pub fn fail(&self, why: &str) -> ! {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sim-{}.log", self.seed));
        std::fs::write(&path, self.transcript.join("\n")).expect("the transcript is written");
        let shown = self.transcript.len().saturating_sub(SHOWN_LINES);
        eprintln!("{}", self.transcript[shown..].join("\n"));
        panic!("SEED={} at {} ms: {why}\n{:?}\ntranscript: {}", self.seed, self.now, self.shape, path.display());
    }

    fn at(&mut self, time: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((time.max(self.now), self.sequence), happening);
    }

    pub fn schedule(&mut self, time: u64, fault: Fault) {
        self.at(time, Happening::Fault(fault));
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        self.run_until(self.now + ms);
    }

    pub fn run_until(&mut self, end: u64) {
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((time, _), happening) = entry.remove_entry();
            self.now = time;
            self.happen(happening);
        }
        self.now = end;
    }

    /// Lets time pass until something holds; gives how long that took, or fails.
    pub fn run_until_holds(&mut self, limit: u64, what: &str, holds: impl Fn(&World) -> bool) -> u64 {
        let start = self.now;
        while self.now - start <= limit {
            if holds(self) {
                return self.now - start;
            }
            self.run(5);
        }
        self.fail(&format!("not within {limit} ms: {what}"));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Network(arrival) => self.arrived(arrival),
            Happening::Timer { sentinel, life } => {
                let node = &mut self.nodes[sentinel];
                if node.life.number != life || !node.life.is_running {
                    return;
                }
                if node.life.is_stopped {
                    return node.life.backlog.push(Happening::Timer { sentinel, life });
                }
                node.timer_at = None;
                self.tell(sentinel, Input::Timer);
            }
            Happening::Saved { sentinel, life, ticket, text } => {
                let node = &mut self.nodes[sentinel];
                if node.life.number != life || !node.life.is_running {
                    return;
                }
                // The disk works on while the process is stopped; the news waits.
                let is_saved = text.is_some();
                if let Some(text) = text {
                    node.file = text;
                }
                if node.life.is_stopped {
                    let text = is_saved.then(|| node.file.clone());
                    return node.life.backlog.push(Happening::Saved { sentinel, life, ticket, text });
                }
                let input = if is_saved { Input::Persisted { ticket } } else { Input::PersistFailed { ticket } };
                self.tell(sentinel, input);
            }
            Happening::Replication { server, life } => self.replication_cron(server, life),
            Happening::PauseOver { server } => self.pause_over(server),
            Happening::Writes => {
                self.take_writes();
                self.at(self.now + WRITE_EVERY, Happening::Writes);
            }
            Happening::Fault(fault) => {
                self.note(format!("FAULT {fault:?}"));
                self.inflict(fault);
            }
        }
    }

    // ---- processes -------------------------------------------------------------------------------------------------

    pub fn life(&mut self, process: Process) -> &mut Life {
        match process {
            Process::Server(index) => &mut self.servers[index].0,
            Process::Sentinel(index) => &mut self.nodes[index].life,
        }
    }

    pub fn host(&self, process: Process) -> Host {
        match process {
            Process::Server(index) => self.servers[index].1,
            Process::Sentinel(index) => self.nodes[index].host,
        }
    }

    pub fn is_up(&self, host: Host) -> bool {
        !self.powerless.contains_key(&host)
    }

    pub fn start_server(&mut self, index: usize) {
        let (now, mut rng) = (self.now, self.rng.clone());
        let (life, host, server) = &mut self.servers[index];
        if life.is_running || self.powerless.contains_key(host) {
            return;
        }
        if life.number > 0 {
            server.restart(now, &mut rng);
        }
        life.number += 1;
        life.is_running = true;
        life.is_stopped = false;
        let number = life.number;
        self.rng = rng;
        self.at(now + 1, Happening::Replication { server: index, life: number });
    }

    pub fn start_sentinel(&mut self, index: usize) {
        let host = self.nodes[index].host;
        if self.nodes[index].life.is_running || !self.is_up(host) {
            return;
        }
        let state = if self.nodes[index].life.number == 0 { self.first_state(index) } else { self.read_file(index) };
        let life = &mut self.nodes[index].life;
        life.number += 1;
        life.is_running = true;
        life.is_stopped = false;
        let now = self.clock(index);
        let environment = Environment { port: SENTINEL_PORT, requirepass: None, is_executable: |_| true };
        let mut out = Outputs::new();
        let seed = self.rng.next_u64();
        let core = Sentinel::new(state, environment, Rng::seeded(seed), now, &mut out);
        let node = &mut self.nodes[index];
        if node.file.is_empty() {
            node.file = file_text(&core);
        }
        node.core = Some(core);
        node.outgoing.clear();
        node.conns.clear();
        node.owed.clear();
        node.timer_at = None;
        self.perform(index, out);
        self.tell(index, Input::Timer);
    }

    fn first_state(&mut self, index: usize) -> State {
        let shape = &self.shape;
        let mut settings = MasterSettings::new(shape.quorum, &Periods::default());
        settings.down_after = shape.down_after;
        settings.failover_timeout = shape.failover_timeout;
        settings.parallel_syncs = shape.parallel_syncs;
        let master = MasterState {
            name: MASTER.to_owned(),
            address: Address::new(&ip_of(0), DATA_PORT),
            settings,
            config_epoch: 0,
            leader_epoch: 0,
            replicas: Vec::new(),
            sentinels: Vec::new(),
        };
        let id = format!("{:040x}", (u128::from(self.rng.next_u64()) << 16) + index as u128);
        State { id: HexId::parse(id.as_bytes()), masters: vec![master], ..State::default() }
    }

    /// The state as the file has it: what was not yet on disk is forgotten.
    fn read_file(&self, index: usize) -> State {
        let words = |line: &str| split_args(line.as_bytes()).expect("balanced quotes")[1..].to_vec();
        let lines: Vec<Vec<Vec<u8>>> = self.nodes[index].file.lines().map(words).collect();
        let reader = Reader { resolve: &|_| None, is_executable: &|_| true };
        match reader.read(&lines) {
            Ok(state) => state,
            Err(refused) => self.fail(&format!("Sentinel {index} cannot read its file: {refused:?}")),
        }
    }

    /// Ends a process. Its connections are closed if its machine still works.
    pub fn kill(&mut self, process: Process) {
        let life = self.life(process);
        if !life.is_running {
            return;
        }
        life.is_running = false;
        life.is_stopped = false;
        life.backlog.clear();
        if let Process::Sentinel(index) = process {
            self.nodes[index].core = None;
        }
        if self.is_up(self.host(process)) {
            for id in self.network.of(process) {
                self.say_end(id, process);
            }
        }
    }

    pub fn stop(&mut self, process: Process) {
        let life = self.life(process);
        life.is_stopped = life.is_running;
    }

    pub fn resume(&mut self, process: Process) {
        let life = self.life(process);
        life.is_stopped = false;
        for happening in std::mem::take(&mut life.backlog) {
            self.at(self.now, happening);
        }
    }

    pub fn power_off(&mut self, host: Host) {
        self.powerless.insert(host, self.now);
        for process in self.processes_on(host) {
            self.kill(process);
        }
    }

    pub fn power_on(&mut self, host: Host) {
        let Some(since) = self.powerless.remove(&host) else { return };
        let (now, lasted) = (self.now, self.now - since);
        let arrivals = self.network.release(|(_, to)| to == host, now, lasted, &mut self.rng);
        arrivals.into_iter().for_each(|(time, arrival)| self.at(time, Happening::Network(arrival)));
        for process in self.processes_on(host) {
            self.start(process);
        }
    }

    pub fn start(&mut self, process: Process) {
        match process {
            Process::Server(index) => self.start_server(index),
            Process::Sentinel(index) => self.start_sentinel(index),
        }
    }

    fn processes_on(&self, host: Host) -> Vec<Process> {
        let processes =
            (0..self.servers.len()).map(Process::Server).chain((0..self.nodes.len()).map(Process::Sentinel));
        processes.filter(|&process| self.host(process) == host).collect()
    }

    pub fn hosts(&self) -> usize {
        if self.shape.is_shared_host {
            self.shape.servers.max(self.shape.sentinels)
        } else {
            self.shape.servers + self.shape.sentinels
        }
    }

    pub fn block(&mut self, from: Host, to: Host) {
        self.network.block(from, to, self.now);
    }

    pub fn unblock(&mut self, from: Host, to: Host) {
        let arrivals = self.network.unblock(from, to, self.now, &mut self.rng);
        arrivals.into_iter().for_each(|(time, arrival)| self.at(time, Happening::Network(arrival)));
    }

    /// Cuts a set of machines off from all others, both ways.
    pub fn cut_off(&mut self, hosts: &[Host]) {
        for from in 0..self.hosts() {
            for to in 0..self.hosts() {
                if hosts.contains(&from) != hosts.contains(&to) {
                    self.block(from, to);
                }
            }
        }
    }

    pub fn heal_network(&mut self) {
        for (from, to) in self.network.blocked_paths() {
            self.unblock(from, to);
        }
    }

    /// Breaks a share of all connections, as a middlebox that forgets them does.
    pub fn reset_connections(&mut self, percent: u64) {
        let ids: Vec<u64> = self.network.connections.keys().copied().collect();
        for id in ids {
            if self.rng.percent(percent)
                && let Some(connection) = self.network.drop_connection(id)
            {
                self.closed_at(id, connection.client);
                self.closed_at(id, connection.server);
            }
        }
    }

    // ---- network ---------------------------------------------------------------------------------------------------

    fn send(&mut self, id: u64, way: Way, message: Message) {
        if let Some((time, arrival)) = self.network.send(id, way, message, self.now, &mut self.rng) {
            self.at(time, Happening::Network(arrival));
        }
    }

    /// One side is done with a connection; the other will hear of it.
    fn say_end(&mut self, id: u64, from: Process) {
        let Some(connection) = self.network.connections.get(&id) else { return };
        if !connection.is_open {
            self.network.drop_connection(id);
            return;
        }
        let way = if connection.client == from { Way::ToServer } else { Way::ToClient };
        self.send(id, way, Message::End);
    }

    fn process_at(&self, ip: &str, port: u16) -> Option<Process> {
        let host = (0..self.hosts()).find(|&host| ip_of(host) == ip)?;
        self.processes_on(host).into_iter().find(|process| match process {
            Process::Server(_) => port == DATA_PORT,
            Process::Sentinel(_) => port == SENTINEL_PORT,
        })
    }

    fn connect(&mut self, client: Process, ip: &str, port: u16) -> Option<u64> {
        let server = self.process_at(ip, port)?;
        let hosts = (self.host(client), self.host(server));
        let (id, time, arrival) = self.network.connect((client, hosts.0), (server, hosts.1), self.now, &mut self.rng);
        self.at(time, Happening::Network(arrival));
        Some(id)
    }

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Attempt(id) => self.attempted(id),
            Arrival::Accepted(id) | Arrival::Refused(id) => {
                let Some(connection) = self.network.connections.get_mut(&id) else { return };
                let client = connection.client;
                let life = self.life(client);
                if life.is_stopped {
                    return life.backlog.push(Happening::Network(arrival));
                }
                if !life.is_running {
                    self.network.drop_connection(id);
                } else if let Arrival::Accepted(_) = arrival {
                    self.accepted(id, client);
                } else {
                    self.network.drop_connection(id);
                    self.closed_at(id, client);
                }
            }
            Arrival::Next(id, way) => {
                let Some(connection) = self.network.connections.get(&id) else { return };
                let receiver = if way == Way::ToServer { connection.server } else { connection.client };
                let is_host_up = self.is_up(self.host(receiver));
                let life = self.life(receiver);
                if is_host_up && life.is_stopped {
                    return life.backlog.push(Happening::Network(arrival));
                }
                let is_running = life.is_running;
                let Some(message) = self.network.arrive(id, way, is_host_up) else { return };
                let knows = is_running && self.knows(receiver, id);
                if knows && !matches!(message, Message::End) {
                    return self.deliver(id, receiver, way, message);
                }
                // The end of the connection, or a message to a process that knows nothing of it.
                let connection = self.network.drop_connection(id).expect("seen above");
                if knows {
                    self.closed_at(id, receiver);
                }
                let sender = if way == Way::ToServer { connection.client } else { connection.server };
                if !matches!(message, Message::End) {
                    self.closed_at(id, sender);
                }
            }
        }
    }

    fn attempted(&mut self, id: u64) {
        let Some(connection) = self.network.connections.get(&id) else { return };
        let server = connection.server;
        let is_up = self.is_up(self.host(server));
        match self.network.attempt(id, self.now, is_up) {
            Ok(()) => {
                let is_running = self.life(server).is_running;
                self.network.connections.get_mut(&id).expect("seen above").is_open = is_running;
                let delay = self.rng.between(self.network.latency.0, self.network.latency.1);
                let arrival = if is_running { Arrival::Accepted(id) } else { Arrival::Refused(id) };
                if is_running {
                    match server {
                        Process::Server(index) => {
                            self.servers[index].2.clients.insert(id, Client::default());
                        }
                        Process::Sentinel(index) => {
                            self.nodes[index].owed.insert(id, VecDeque::new());
                        }
                    }
                }
                self.at(self.now + delay, Happening::Network(arrival));
            }
            Err(Some(time)) => self.at(time, Happening::Network(Arrival::Attempt(id))),
            Err(None) => {}
        }
    }

    /// Whether a process still has this connection.
    fn knows(&self, process: Process, id: u64) -> bool {
        match process {
            Process::Server(index) => {
                let server = &self.servers[index].2;
                server.clients.contains_key(&id) || server.upstream == Some(id)
            }
            Process::Sentinel(index) => {
                let node = &self.nodes[index];
                node.conns.contains_key(&id) || node.owed.contains_key(&id)
            }
        }
    }

    fn accepted(&mut self, id: u64, client: Process) {
        match client {
            Process::Server(index) if self.servers[index].2.upstream == Some(id) => {
                self.send(id, Way::ToServer, Message::Sync)
            }
            Process::Server(_) => {}
            Process::Sentinel(index) => {
                if let Some(&(conn, ..)) = self.nodes[index].conns.get(&id) {
                    let local_ip = ip_of(self.nodes[index].host).parse().expect("an address");
                    self.tell(index, Input::Connected { conn, local_ip });
                }
            }
        }
    }

    /// A process learns that a connection is gone.
    fn closed_at(&mut self, id: u64, process: Process) {
        if !self.life(process).is_running {
            return;
        }
        match process {
            Process::Server(index) => {
                let server = &mut self.servers[index].2;
                server.clients.remove(&id);
                if server.upstream == Some(id) {
                    self.lose_upstream(index);
                }
            }
            Process::Sentinel(index) => {
                let node = &mut self.nodes[index];
                node.owed.remove(&id);
                if let Some((conn, ..)) = node.conns.remove(&id) {
                    node.outgoing.remove(&conn);
                    // A stopped process hears of it later.
                    if !node.life.is_stopped {
                        self.tell(index, Input::Closed { conn, reason: "Connection reset by peer" });
                    } else {
                        node.conns.insert(id, (conn, LinkKind::Command, VecDeque::new()));
                        node.life.backlog.push(Happening::Network(Arrival::Refused(id)));
                        self.network.drop_connection(id);
                        self.revive_for_notice(id, index);
                    }
                }
            }
        }
    }

    /// Keeps a dead connection's number known until its stopped client can hear of the end.
    fn revive_for_notice(&mut self, id: u64, index: usize) {
        let process = Process::Sentinel(index);
        let host = self.host(process);
        self.network.restore_dead(id, process, host);
    }

    fn deliver(&mut self, id: u64, receiver: Process, way: Way, message: Message) {
        match (receiver, way) {
            (Process::Server(index), Way::ToServer) => self.serve(index, id, message),
            (Process::Server(index), Way::ToClient) => self.follow(index, id, message),
            (Process::Sentinel(index), Way::ToServer) => {
                if let Message::Request(words) = message {
                    self.serve_sentinel(index, id, &words);
                }
            }
            (Process::Sentinel(index), Way::ToClient) => {
                let Some((conn, _, tags)) = self.nodes[index].conns.get_mut(&id) else { return };
                let conn = *conn;
                match message {
                    Message::Reply(value) => {
                        let tag = tags.pop_front().expect("an answer has a question");
                        self.tell(index, Input::Reply { conn, tag, value: &value });
                    }
                    Message::Push(payload) => self.tell(index, Input::Published { conn, payload: &payload }),
                    _ => {}
                }
            }
        }
    }

    // ---- data servers ----------------------------------------------------------------------------------------------

    fn serve(&mut self, index: usize, id: u64, message: Message) {
        match message {
            Message::Request(words) => {
                if let Some(client) = self.servers[index].2.clients.get_mut(&id)
                    && !client.waiting.is_empty()
                {
                    return client.waiting.push(words);
                }
                self.execute(index, id, &words);
            }
            Message::Sync => {
                let server = &mut self.servers[index].2;
                if !server.is_master() && !server.is_link_up {
                    server.clients.remove(&id);
                    return self.say_end(id, Process::Server(index));
                }
                server.clients.entry(id).or_default().is_replica = true;
                let history = Rc::clone(&server.history);
                self.send(id, Way::ToClient, Message::Full(history));
            }
            _ => {}
        }
    }

    fn execute(&mut self, index: usize, id: u64, words: &[Vec<u8>]) {
        let addresses = self.replicas_of(index);
        let effects = self.servers[index].2.execute(id, words, self.now, &addresses);
        let paused_until = self.servers[index].2.paused_until;
        if paused_until > self.now {
            self.at(paused_until, Happening::PauseOver { server: index });
        }
        for effect in effects {
            match effect {
                Effect::Reply(value) => self.send(id, Way::ToClient, Message::Reply(value)),
                Effect::Publish(payload) => {
                    let clients = &self.servers[index].2.clients;
                    let subscribed: Vec<u64> =
                        clients.iter().filter(|(_, client)| client.is_subscribed).map(|(&id, _)| id).collect();
                    for id in subscribed {
                        self.send(id, Way::ToClient, Message::Push(payload.clone()));
                    }
                }
                Effect::Follow(following) => self.set_following(index, following),
                Effect::KillNormal => {
                    self.kill_clients(index, id, |client| !client.is_subscribed && !client.is_replica)
                }
                Effect::KillPubSub => self.kill_clients(index, id, |client| client.is_subscribed),
                Effect::Unpause => self.pause_over(index),
            }
        }
    }

    fn kill_clients(&mut self, index: usize, except: u64, which: impl Fn(&Client) -> bool) {
        let clients = &self.servers[index].2.clients;
        let ids: Vec<u64> =
            clients.iter().filter(|(id, client)| **id != except && which(client)).map(|(&id, _)| id).collect();
        for id in ids {
            self.servers[index].2.clients.remove(&id);
            self.say_end(id, Process::Server(index));
        }
    }

    fn pause_over(&mut self, index: usize) {
        if self.servers[index].2.paused_until > self.now {
            return;
        }
        let waiting: Vec<(u64, Vec<Vec<Vec<u8>>>)> = self.servers[index]
            .2
            .clients
            .iter_mut()
            .map(|(&id, client)| (id, std::mem::take(&mut client.waiting)))
            .collect();
        for (id, commands) in waiting {
            commands.iter().for_each(|words| self.execute(index, id, words));
        }
    }

    fn replicas_of(&self, index: usize) -> Vec<(u64, String, u16)> {
        let clients = self.servers[index].2.clients.iter().filter(|(_, client)| client.is_replica);
        clients
            .filter_map(|(&id, _)| {
                let connection = self.network.connections.get(&id)?;
                Some((id, ip_of(connection.client_host), DATA_PORT))
            })
            .collect()
    }

    fn set_following(&mut self, index: usize, following: Following) {
        let now = self.now;
        let server = &mut self.servers[index].2;
        server.written = following.clone();
        if server.following == following {
            return;
        }
        server.following = following;
        if let Some(id) = server.upstream.take() {
            self.say_end(id, Process::Server(index));
        }
        let server = &mut self.servers[index].2;
        server.is_link_up = false;
        server.link_down_since = now;
        self.note(format!("server {index} follows {:?}", self.servers[index].2.following));
        let life = self.servers[index].0.number;
        self.at(now, Happening::Replication { server: index, life });
    }

    fn lose_upstream(&mut self, index: usize) {
        let now = self.now;
        let server = &mut self.servers[index].2;
        server.upstream = None;
        if server.is_link_up {
            server.is_link_up = false;
            server.link_down_since = now;
        }
    }

    fn replication_cron(&mut self, index: usize, life: u32) {
        let now = self.now;
        let (state, _, server) = &mut self.servers[index];
        if state.number != life || !state.is_running {
            return;
        }
        if state.is_stopped {
            return state.backlog.push(Happening::Replication { server: index, life });
        }
        if let Following::Master { ip, port } = server.following.clone() {
            let is_silent = now.saturating_sub(server.last_from_master) > REPLICATION_TIMEOUT;
            if let Some(id) = server.upstream.filter(|_| is_silent) {
                self.lose_upstream(index);
                self.say_end(id, Process::Server(index));
            }
            if self.servers[index].2.upstream.is_none() {
                let upstream = self.connect(Process::Server(index), &ip, port);
                let server = &mut self.servers[index].2;
                server.upstream = upstream;
                server.last_from_master = now;
            }
            self.at(now + 500, Happening::Replication { server: index, life });
        }
    }

    fn follow(&mut self, index: usize, id: u64, message: Message) {
        let now = self.now;
        let server = &mut self.servers[index].2;
        if server.upstream != Some(id) {
            return;
        }
        server.last_from_master = now;
        match message {
            Message::Full(history) => {
                server.history = history;
                server.is_link_up = true;
                // Its own replicas start over with the new history.
                self.kill_clients(index, 0, |client| client.is_replica);
            }
            Message::Write(write) => {
                server.append(write);
                self.pass_on(index, &Message::Write(write));
            }
            Message::Alive => self.pass_on(index, &Message::Alive),
            _ => {}
        }
    }

    fn pass_on(&mut self, index: usize, message: &Message) {
        for (id, ..) in self.replicas_of(index) {
            self.send(id, Way::ToClient, message.clone());
        }
    }

    /// Clients that know a master write to it, right or wrong.
    fn take_writes(&mut self) {
        for index in 0..self.servers.len() {
            let (life, _, server) = &mut self.servers[index];
            let works = life.is_running && !life.is_stopped && server.is_master();
            if !works || self.now < server.loading_until {
                continue;
            }
            if self.now < server.paused_until {
                self.pass_on(index, &Message::Alive);
                continue;
            }
            self.next_write += 1;
            server.append(self.next_write);
            self.acknowledged.push((self.next_write, index));
            let write = self.next_write;
            self.pass_on(index, &Message::Write(write));
        }
    }

    // ---- Sentinels -------------------------------------------------------------------------------------------------

    pub fn clock(&self, index: usize) -> Now {
        let node = &self.nodes[index];
        let mono = self.now * node.speed / 1000;
        Now {
            mono: Instant::from_millis(mono),
            mono_us: mono * 1000,
            wall_us: (mono as i64 + node.wall_shift + 1_700_000_000_000) * 1000,
        }
    }

    /// A Sentinel is told something, and does what it asks for.
    pub fn tell(&mut self, index: usize, input: Input<'_>) {
        let now = self.clock(index);
        let Some(core) = self.nodes[index].core.as_mut() else { return };
        let mut out = Outputs::new();
        core.handle(now, input, &mut out);
        self.perform(index, out);
        let node = &mut self.nodes[index];
        let Some(core) = &node.core else { return };
        if let Some(deadline) = core.next_deadline() {
            let due = (deadline.as_millis() * 1000).div_ceil(node.speed).max(self.now);
            if due == self.now && deadline <= now.mono {
                self.fail(&format!("Sentinel {index} wants to be called again at once"));
            }
            if node.timer_at.is_none_or(|at| due < at) {
                node.timer_at = Some(due);
                let life = node.life.number;
                self.at(due, Happening::Timer { sentinel: index, life });
            }
        }
    }

    pub fn command(&mut self, index: usize, command: Command) -> Option<CommandReply> {
        let before = self.nodes[index].replies.len();
        let slot = ReplySlot(u64::MAX);
        self.tell(index, Input::Command { slot, command });
        self.nodes[index].replies.get(before).cloned()
    }

    fn perform(&mut self, index: usize, mut out: Outputs) {
        let life = self.nodes[index].life.number;
        for output in out.drain().collect::<Vec<Output>>() {
            if self.nodes[index].core.is_none() {
                return;
            }
            match output {
                Output::Connect { conn, kind, ip, port } => {
                    if let Some(id) = self.connect(Process::Sentinel(index), &ip.to_string(), port) {
                        let node = &mut self.nodes[index];
                        node.outgoing.insert(conn, id);
                        node.conns.insert(id, (conn, kind, VecDeque::new()));
                    }
                }
                Output::Disconnect { conn } => {
                    if let Some(id) = self.nodes[index].outgoing.remove(&conn) {
                        self.nodes[index].conns.remove(&id);
                        self.say_end(id, Process::Sentinel(index));
                    }
                }
                Output::Send { conn, command, tag } => {
                    let Some(&id) = self.nodes[index].outgoing.get(&conn) else { continue };
                    let words: Vec<Vec<u8>> = command.as_args().iter().map(<[u8]>::to_vec).collect();
                    self.check_question(index, &words);
                    self.nodes[index].conns.get_mut(&id).expect("as long as outgoing").2.push_back(tag);
                    self.send(id, Way::ToServer, Message::Request(words));
                }
                Output::Persist(ticket) => {
                    let node = &self.nodes[index];
                    let text = file_text(node.core.as_ref().expect("it asked"));
                    let text = (!node.is_disk_broken).then_some(text);
                    let took = self.rng.between(self.shape.disk.0, self.shape.disk.1);
                    // One write after the other.
                    let done = self.nodes[index].writes_until.max(self.now) + took;
                    self.nodes[index].writes_until = done;
                    self.at(done, Happening::Saved { sentinel: index, life, ticket, text });
                    if self.is_troubled && self.rng.percent(self.shape.crash_at_persist) {
                        // After this turn: what it says now is said, what the disk has not kept is forgotten.
                        let process = Process::Sentinel(index);
                        let back = self.now + 2 + self.rng.below(50);
                        self.at(self.now, Happening::Fault(Fault::Kill(process)));
                        self.at(back, Happening::Fault(Fault::Start(process)));
                    }
                }
                Output::Reply { slot, reply } => self.reply(index, slot, reply),
                Output::Event(event) => {
                    self.note(format!("S{index} {} {}", event.name, event.payload));
                    self.check_event(index, &event);
                    self.nodes[index].events.push((self.now, event));
                }
                Output::Log(line) => self.note(format!("S{index} log {line:?}")),
                Output::Exit(_) => self.kill(Process::Sentinel(index)),
                Output::RunScript { .. }
                | Output::KillScript { .. }
                | Output::Resolve { .. }
                | Output::SetLogLevel(_) => {}
            }
        }
    }

    fn check_question(&mut self, index: usize, words: &[Vec<u8>]) {
        if words.len() == 6 && words[1] == b"is-master-down-by-addr" && words[5] != b"*" {
            let epoch = String::from_utf8_lossy(&words[4]).parse().expect("an epoch");
            let candidate = String::from_utf8_lossy(&words[5]).into_owned();
            if let Err(why) = self.checks.vote_told(index, epoch, &candidate) {
                self.fail(&why);
            }
        }
    }

    fn check_event(&mut self, index: usize, event: &SentinelEvent) {
        let verdict = match event.name {
            "+elected-leader" => {
                let core = self.nodes[index].core.as_ref().expect("it speaks");
                let failover = core.master(MASTER).and_then(|master| master.failover.clone());
                failover.map_or(Ok(()), |failover| self.checks.elected(index, failover.epoch, failover.is_forced))
            }
            "+selected-slave" => self.check_choice(index, event),
            "+promoted-slave" => {
                let core = self.nodes[index].core.as_ref().expect("it speaks");
                let epoch = core.master(MASTER).map_or(0, |master| master.config_epoch);
                self.checks.promoted(epoch, self.now);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(why) = verdict {
            self.fail(&why);
        }
    }

    /// The chosen replica is not worse than another that could have been chosen. Only asked once the old master is dead:
    /// while it lives, offsets move.
    fn check_choice(&self, index: usize, event: &SentinelEvent) -> Result<(), String> {
        let chosen_ip = event.payload.split(' ').nth(2).unwrap_or_default();
        let node = &self.nodes[index];
        let core = node.core.as_ref().expect("it speaks");
        let Some(master) = core.master(MASTER) else { return Ok(()) };
        let master_ip = master.instance.address.announced(false);
        let Some(Process::Server(master_index)) = self.process_at(&master_ip, DATA_PORT) else { return Ok(()) };
        if self.servers[master_index].0.is_running {
            return Ok(());
        }
        let of = |ip: &str| self.servers.iter().find(|(.., server)| server.ip == ip);
        let Some((_, _, chosen)) = of(chosen_ip) else { return Err(format!("{chosen_ip} is no server")) };
        for replica in &master.replicas {
            let Some((life, host, other)) = of(&replica.instance.address.announced(false)) else { continue };
            let in_reach = !self.network.is_blocked(node.host, *host) && !self.network.is_blocked(*host, node.host);
            let is_fit = life.is_running
                && !life.is_stopped
                && in_reach
                && self.now > other.loading_until + 1000
                && replica.observed.refreshed.is_some_and(|at| self.clock(index).mono.since(at) < 50)
                && !replica.instance.is_down
                && other.priority != 0
                && !other.refuses_promotion
                && !other.is_master()
                && !other.is_link_up;
            if is_fit
                && (other.priority, chosen.offset()) < (chosen.priority, other.offset())
                && other.priority <= chosen.priority
            {
                let (chosen, other) = (chosen.offset(), other.offset());
                return Err(format!("chose a replica at offset {chosen}, another in reach was at {other}"));
            }
        }
        Ok(())
    }

    fn serve_sentinel(&mut self, index: usize, id: u64, words: &[Vec<u8>]) {
        let word = |n: usize| words.get(n).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
        let name = word(0).to_ascii_uppercase();
        let node = &mut self.nodes[index];
        node.next_slot += 1;
        let slot = node.next_slot;
        node.owed.entry(id).or_default().push_back((slot, None));
        let value = match (name.as_str(), word(1).as_str()) {
            ("PING", _) => Value::Simple("PONG".into()),
            ("PUBLISH", _) => {
                assert_eq!(words[1], HELLO_CHANNEL);
                let payload = words[2].clone();
                self.tell(index, Input::Hello { payload: &payload });
                Value::Int(1)
            }
            ("SENTINEL", "is-master-down-by-addr") => {
                let question = DownQuestion {
                    host: word(2),
                    port: word(3).parse().unwrap_or(0),
                    epoch: word(4).parse().unwrap_or(0),
                    candidate: word(5),
                };
                return self.tell(index, Input::Asked { slot: ReplySlot(slot), question });
            }
            ("SENTINEL", "get-master-addr-by-name") => {
                let core = node.core.as_ref().expect("it runs");
                match core.master_address(&word(2)) {
                    Some((host, port)) => Value::Array(vec![Value::bulk(&host), Value::bulk(&port.to_string())]),
                    None => Value::Null,
                }
            }
            _ => Value::ok(),
        };
        self.settle(index, slot, value);
    }

    fn reply(&mut self, index: usize, slot: ReplySlot, reply: CommandReply) {
        if slot.0 == u64::MAX {
            return self.nodes[index].replies.push(reply);
        }
        let value = match &reply {
            CommandReply::Down { down, leader, leader_epoch } => {
                if let Some(leader) = leader
                    && let Err(why) = self.checks.vote_told(index, *leader_epoch, leader.as_str())
                {
                    self.fail(&why);
                }
                let leader = leader.map_or("*".to_owned(), |id| id.to_string());
                Value::Array(vec![Value::Int(i64::from(*down)), Value::bulk(&leader), Value::Int(*leader_epoch as i64)])
            }
            CommandReply::Ok => Value::ok(),
            CommandReply::Int(number) => Value::Int(*number),
            CommandReply::Error(text) => Value::Error(text.clone().into()),
        };
        self.settle(index, slot.0, value);
    }

    /// An answer is known; it leaves once those before it have left.
    fn settle(&mut self, index: usize, slot: u64, value: Value) {
        let owed = &mut self.nodes[index].owed;
        let Some((&id, queue)) = owed.iter_mut().find(|(_, queue)| queue.iter().any(|(owed, _)| *owed == slot)) else {
            return;
        };
        queue.iter_mut().filter(|(owed, _)| *owed == slot).for_each(|(_, answer)| *answer = Some(value.clone()));
        let mut ready = Vec::new();
        while let Some((_, Some(_))) = queue.front() {
            ready.extend(queue.pop_front().and_then(|(_, value)| value));
        }
        for value in ready {
            self.send(id, Way::ToClient, Message::Reply(value));
        }
    }

    // ---- what tests ask --------------------------------------------------------------------------------------------

    /// The server a Sentinel takes for the master.
    pub fn master_of(&self, index: usize) -> Option<usize> {
        let core = self.nodes[index].core.as_ref()?;
        let (ip, _) = core.master_address(MASTER)?;
        self.servers.iter().position(|(.., server)| server.ip == ip)
    }

    /// First time a Sentinel emitted an event since a moment.
    pub fn first_event(&self, index: usize, name: &str, since: u64) -> Option<u64> {
        let events = self.nodes[index].events.iter();
        events.filter(|(at, event)| *at >= since && event.name == name).map(|(at, _)| *at).next()
    }

    pub fn count_events(&self, index: usize, name: &str, since: u64) -> usize {
        self.nodes[index].events.iter().filter(|(at, event)| *at >= since && event.name == name).count()
    }

    /// Everybody that runs agrees on one live master, and all other servers follow it.
    pub fn disagreement(&self) -> Option<String> {
        let running = (0..self.nodes.len()).filter(|&index| self.nodes[index].life.is_running);
        let views: Vec<Option<usize>> = running.map(|index| self.master_of(index)).collect();
        let Some(Some(master)) = views.first().copied() else { return Some("no Sentinel knows a master".into()) };
        if views.iter().any(|view| *view != Some(master)) {
            return Some(format!("views differ: {views:?}"));
        }
        let ip = &self.servers[master].2.ip;
        for (index, (life, _, server)) in self.servers.iter().enumerate().filter(|(_, (life, ..))| life.is_running) {
            let follows = matches!(&server.following, Following::Master { ip: followed, .. } if followed == ip);
            if index == master && !server.is_master() {
                return Some(format!("server {index} should be the master"));
            }
            if index != master && !(follows && server.is_link_up) {
                return Some(format!(
                    "server {index} does not follow {master}: {:?} {:?}",
                    server.following, life.is_stopped
                ));
            }
        }
        if !self.servers[master].0.is_running {
            return Some(format!("master {master} is dead"));
        }
        None
    }
}

impl Node {
    fn new(host: Host, speed: u64) -> Node {
        Node {
            life: Life::default(),
            host,
            core: None,
            file: String::new(),
            is_disk_broken: false,
            outgoing: BTreeMap::new(),
            conns: BTreeMap::new(),
            owed: BTreeMap::new(),
            next_slot: 0,
            timer_at: None,
            writes_until: 0,
            speed,
            wall_shift: 0,
            events: Vec::new(),
            replies: Vec::new(),
        }
    }
}

fn file_text(core: &Sentinel) -> String {
    let lines: Vec<String> = core.state_lines().into_iter().map(|line| line.text).collect();
    lines.join("\n")
}
