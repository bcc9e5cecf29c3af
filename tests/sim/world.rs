//! The world: simulated time, and processes that live, hang and die in it.

use std::collections::BTreeMap;

use rredis::base::rng::Rng;
use rredis::repl::io::HostPort;
use rredis::sentinel::core::io::{Input, Ticket};

use crate::checks::Checks;
use crate::faults::Fault;
use crate::network::{Arrival, Host, Network};
use crate::nodes::Node;
use crate::processes::Life;
use crate::redis_model::Server;
use crate::replication::Work;

/// The name of the one master every Sentinel watches.
pub const MASTER: &str = "mymaster";
pub const DATA_PORT: u16 = 6379;
pub const SENTINEL_PORT: u16 = 26379;
/// How often each master takes a write.
const WRITE_EVERY: u64 = 100;
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
    /// How far the speed of a Sentinel's clock may be off, in thousandths.
    pub drift: u64,
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
            drift: 2,
        }
    }
}

/// Something that will happen at its time.
#[derive(Debug)]
pub enum Happening {
    Network(Arrival),
    Timer { sentinel: usize, life: u32 },
    Saved { sentinel: usize, life: u32, ticket: Ticket, text: Option<String> },
    Server { server: usize, life: u32, work: Work },
    PauseOver { server: usize },
    Writes,
    Fault(Fault),
}

pub struct World {
    pub now: u64,
    pub shape: Shape,
    pub seed: u64,
    pub rng: Rng,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    pub network: Network,
    pub servers: Vec<(Life, Host, Server)>,
    pub nodes: Vec<Node>,
    pub powerless: BTreeMap<Host, u64>,
    /// Every acknowledged write and who took it.
    pub acknowledged: Vec<(u32, usize)>,
    pub next_write: u32,
    /// Clients write nothing.
    pub is_quiet: bool,
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
            is_quiet: false,
            checks: Checks::default(),
            is_troubled: false,
            transcript: Vec::new(),
            shape: shape.clone(),
        };
        for index in 0..shape.servers {
            let mut server = Server::new(ip_of(index), 100, &mut rng);
            if index > 0 {
                server.written = Some(HostPort { host: ip_of(0), port: DATA_PORT });
            }
            world.servers.push((Life::default(), index, server));
            world.start_server(index);
        }
        for index in 0..shape.sentinels {
            let host = if shape.is_shared_host { index } else { shape.servers + index };
            world.nodes.push(Node::new(host, rng.between(1000 - shape.drift, 1000 + shape.drift)));
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

    pub fn at(&mut self, time: u64, happening: Happening) {
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
            Happening::Server { server, life, work } => self.server_worked(server, life, work),
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
}
