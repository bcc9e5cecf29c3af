//! A model of a data server: as much of one as a Sentinel can see.
//!
//! Its replication is the real thing: the machines of `rredis::repl` (`replication.rs` is their shell). What clients can
//! ask of it is modelled here.

use std::collections::BTreeMap;
use std::fmt::Write;

use rredis::base::id::HexId;
use rredis::base::rng::Rng;
use rredis::base::time::Instant;
use rredis::repl::io::HostPort;
use rredis::repl::node::Position;
use rredis::repl::{Link, Node, Settings};
use rredis::resp::args::{Args, OwnedArgs};
use rredis::resp::value::Value;

use crate::data::Data;
use crate::replication::Snapshot;
use crate::shape::DATA_PORT;

/// What a connection to a server is used for.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub is_subscribed: bool,
    pub is_replica: bool,
    /// What came on a replica's connection and is not understood yet.
    pub received: Vec<u8>,
    /// Commands between MULTI and EXEC.
    pub queued: Option<Vec<OwnedArgs>>,
    /// Commands that wait for the end of CLIENT PAUSE.
    pub waiting: Vec<OwnedArgs>,
}

/// What a command asks the world to do besides answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Reply(Value),
    Publish(Vec<u8>),
    Follow(Option<HostPort>),
    /// Close these kinds of clients, but not the one that asked.
    KillNormal,
    KillPubSub,
    Unpause,
}

pub struct Server {
    pub ip: String,
    pub priority: u32,
    pub run_id: HexId,
    pub repl: Node,
    settings: Settings,
    /// The configuration file: what it follows after a restart.
    pub written: Option<HostPort>,
    pub data: Data,
    /// What is on the disk, and where in which history that is.
    pub durable: (Data, Option<Position>),
    pub clients: BTreeMap<u64, Client>,
    /// The connection to its master, and what came on it.
    pub upstream: Option<u64>,
    pub received: Vec<u8>,
    /// A snapshot on its way in.
    pub incoming: Option<Vec<u8>>,
    pub transfer_number: u64,
    /// A snapshot being taken, and the last that went to the disk.
    pub snapshot: Option<Snapshot>,
    pub snapshot_number: u64,
    pub file: Vec<u8>,
    pub timer_at: Option<u64>,
    pub paused_until: u64,
    pub loading_until: u64,
    /// Answers every transaction with an error, as a server does that denies SLAVEOF to the Sentinel's user.
    pub refuses_promotion: bool,
    /// Built wrong, for a test of the checks.
    pub lies_about_offset: bool,
    /// When the offset or the master last changed.
    pub moved_at: u64,
    /// Length of the last command executed.
    pub last_len: usize,
}

impl Server {
    pub fn new(ip: String, priority: u32, rng: &mut Rng) -> Server {
        let settings = Settings {
            backlog_size: [1024, 16 * 1024][rng.below(2) as usize],
            diskless: rng.percent(50),
            diskless_delay_ms: rng.below(3) * 100,
            backlog_ttl_ms: rng.below(2) * 30_000,
            timeout_ms: REPLICATION_TIMEOUT,
            ping_period_ms: 500,
            output_hard: rng.below(2) * 20_000,
            announce_port: DATA_PORT,
            ..Settings::default()
        };
        Server {
            ip,
            priority,
            run_id: HexId::random(rng),
            repl: Node::new(settings.clone(), Rng::seeded(rng.next_u64())),
            settings,
            written: None,
            data: Data::default(),
            durable: (Data::default(), None),
            clients: BTreeMap::new(),
            upstream: None,
            received: Vec::new(),
            incoming: None,
            transfer_number: 0,
            snapshot: None,
            snapshot_number: 0,
            file: Vec::new(),
            timer_at: None,
            paused_until: 0,
            loading_until: 0,
            refuses_promotion: false,
            lies_about_offset: false,
            moved_at: 0,
            last_len: 0,
        }
    }

    pub fn is_master(&self) -> bool {
        !self.repl.is_replica()
    }

    pub fn following(&self) -> Option<&HostPort> {
        self.repl.link().map(Link::master)
    }

    pub fn is_link_up(&self) -> bool {
        self.repl.link_up() == Some(true)
    }

    pub fn offset(&self) -> u64 {
        self.repl.history().end()
    }

    /// Starts, or starts again with what the files say: all data but not where they stand (a log of commands), or what was
    /// last saved, with its place in a history. Tells whether something was lost.
    pub fn start(&mut self, is_first: bool, now: u64, rng: &mut Rng) -> bool {
        self.run_id = HexId::random(rng);
        self.moved_at = now;
        self.repl = Node::new(self.settings.clone(), Rng::seeded(rng.next_u64()));
        let (mut position, mut has_forgotten) = (None, false);
        if !is_first && rng.percent(50) {
            has_forgotten = self.data != self.durable.0;
            (self.data, position) = self.durable.clone();
        }
        let at = Instant::from_millis(now);
        if let Some(master) = &self.written {
            self.repl.start_as_replica(at, master.clone());
        }
        if let Some(position) = position {
            self.repl.restore(at, position);
        }
        self.clients.clear();
        self.upstream = None;
        self.received.clear();
        (self.incoming, self.snapshot, self.timer_at) = (None, None, None);
        self.transfer_number += 1;
        self.snapshot_number += 1;
        self.paused_until = 0;
        self.loading_until = if is_first { 0 } else { now + rng.below(300) };
        has_forgotten
    }

    /// Executes a command of a client.
    pub fn execute(&mut self, client: u64, command: &OwnedArgs, now: u64) -> Vec<Effect> {
        let words = command.as_args();
        let state = self.clients.entry(client).or_default();
        if let Some(queued) = &mut state.queued
            && words.get(0) != b"EXEC"
        {
            queued.push(command.clone());
            return vec![Effect::Reply(Value::Simple("QUEUED".into()))];
        }
        match words.get(0) {
            b"PING" if now < self.loading_until => {
                vec![Effect::Reply(Value::Error("LOADING Redis is loading the dataset in memory".into()))]
            }
            b"PING" => vec![Effect::Reply(Value::Simple("PONG".into()))],
            b"INFO" => vec![Effect::Reply(Value::bulk(&self.info(now)))],
            b"AUTH" => vec![Effect::Reply(Value::ok())],
            b"SUBSCRIBE" => {
                state.is_subscribed = true;
                vec![Effect::Reply(Value::Array(Vec::new()))]
            }
            b"PUBLISH" if now < self.paused_until => {
                state.waiting.push(command.clone());
                Vec::new()
            }
            b"PUBLISH" => vec![Effect::Publish(words.get(2).to_vec()), Effect::Reply(Value::Int(1))],
            b"CLIENT" => self.client_command(&words, now),
            b"MULTI" => {
                state.queued = Some(Vec::new());
                vec![Effect::Reply(Value::ok())]
            }
            b"EXEC" => {
                let queued = state.queued.take().unwrap_or_default();
                if self.refuses_promotion {
                    return vec![Effect::Reply(Value::Error("EXECABORT Transaction discarded".into()))];
                }
                let mut effects = Vec::new();
                let mut replies = Vec::new();
                for words in queued {
                    for effect in self.execute(client, &words, now) {
                        match effect {
                            Effect::Reply(value) => replies.push(value),
                            other => effects.push(other),
                        }
                    }
                }
                effects.push(Effect::Reply(Value::Array(replies)));
                effects
            }
            b"SLAVEOF" => {
                let text = |index: usize| String::from_utf8_lossy(words.get(index)).into_owned();
                let following =
                    (!words.is(1, "NO")).then(|| HostPort { host: text(1), port: text(2).parse().unwrap_or(0) });
                vec![Effect::Follow(following), Effect::Reply(Value::ok())]
            }
            b"CONFIG" => vec![Effect::Reply(Value::ok())],
            _ => vec![Effect::Reply(Value::Error("ERR unknown command".into()))],
        }
    }

    fn client_command(&mut self, words: &Args<'_>, now: u64) -> Vec<Effect> {
        let ok = Effect::Reply(Value::ok());
        match words.get(1).to_ascii_uppercase().as_slice() {
            b"KILL" if words.get(3) == b"normal" => vec![Effect::KillNormal, Effect::Reply(Value::Int(0))],
            b"KILL" => vec![Effect::KillPubSub, Effect::Reply(Value::Int(0))],
            b"PAUSE" => {
                let ms: u64 = String::from_utf8_lossy(words.get(2)).parse().unwrap_or(0);
                self.paused_until = now + ms;
                vec![ok]
            }
            b"UNPAUSE" => {
                self.paused_until = 0;
                vec![Effect::Unpause, ok]
            }
            _ => vec![ok],
        }
    }

    /// Whether it has been connected to the master it follows.
    pub fn was_linked(&self, now: u64) -> bool {
        self.repl.link().is_some_and(|link| link.is_up() || link.down_secs(Instant::from_millis(now)).is_some())
    }

    fn info(&self, now: u64) -> String {
        let mut text = format!("# Server\r\nrun_id:{}\r\n# Replication\r\n", self.run_id);
        match self.repl.link() {
            None => {
                let replicas = self.repl.master().replicas();
                write!(text, "role:master\r\nconnected_slaves:{}\r\n", replicas.len()).expect("a string");
                for (index, replica) in replicas.iter().enumerate() {
                    let (ip, port, state) = (replica.ip(), replica.port(), replica.state_name());
                    write!(text, "slave{index}:ip={ip},port={port},state={state},offset={},lag=0\r\n", replica.acked())
                        .expect("a string");
                }
            }
            Some(link) => {
                let HostPort { host, port } = link.master();
                let status = if link.is_up() { "up" } else { "down" };
                write!(
                    text,
                    "role:slave\r\nmaster_host:{host}\r\nmaster_port:{port}\r\nmaster_link_status:{status}\r\n"
                )
                .expect("a string");
                if !link.is_up() {
                    let seconds = link.down_secs(Instant::from_millis(now)).map_or(-1, |seconds| seconds as i64);
                    write!(text, "master_link_down_since_seconds:{seconds}\r\n").expect("a string");
                }
                let offset = if self.lies_about_offset { 1_000_000_000 - self.offset() } else { self.offset() };
                let priority = self.priority;
                write!(text, "slave_repl_offset:{offset}\r\nslave_priority:{priority}\r\nreplica_announced:1\r\n")
                    .expect("a string");
            }
        }
        write!(text, "master_repl_offset:{}\r\n", self.offset()).expect("a string");
        text
    }
}

/// Silence after which a replica gives its master up, and the other way round.
const REPLICATION_TIMEOUT: u64 = 3000;
