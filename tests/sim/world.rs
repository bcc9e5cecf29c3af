//! The world: simulated time, and processes that live, hang and die in it.

use std::collections::BTreeMap;

use rredis::base::id::HexId;
use rredis::base::rng::Rng;
use rredis::repl::io::HostPort;
use rredis::sentinel::core::io::{Input, Ticket};

use crate::agenda::Agenda;
use crate::checks::Checks;
use crate::faults::Fault;
use crate::network::{Arrival, Host, Network};
use crate::nodes::Node;
use crate::processes::Life;
use crate::redis_model::Server;
use crate::replication::Work;
use crate::shape::{DATA_PORT, Shape, ip_of};
use crate::tally::{Count, Tally};
use crate::transcript::Transcript;

/// How often each master takes a write.
const WRITE_EVERY: u64 = 100;

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
    agenda: Agenda<Happening>,
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
    pub tally: Tally,
    transcript: Transcript,
}

impl World {
    pub fn new(seed: u64, shape: Shape) -> World {
        World::with(seed, shape, Transcript::written())
    }

    pub fn with(seed: u64, shape: Shape, transcript: Transcript) -> World {
        let mut rng = Rng::seeded(seed);
        let mut world = World {
            now: 1_000,
            seed,
            rng: rng.clone(),
            agenda: Agenda::new(),
            network: Network::new(shape.hosts(), shape.latency),
            servers: Vec::new(),
            nodes: Vec::new(),
            powerless: BTreeMap::new(),
            acknowledged: Vec::new(),
            next_write: 0,
            is_quiet: false,
            checks: Checks::default(),
            is_troubled: false,
            tally: Tally::default(),
            transcript,
            shape,
        };
        world.populate(&mut rng);
        world.at(world.now + WRITE_EVERY, Happening::Writes);
        world
    }

    fn populate(&mut self, rng: &mut Rng) {
        for index in 0..self.shape.all_servers() {
            let mut server = Server::new(ip_of(index), 100, rng);
            let first = self.shape.first_of(self.shape.group_of(index));
            if index != first {
                server.written = Some(HostPort { host: ip_of(first), port: DATA_PORT });
            }
            self.servers.push((Life::default(), index, server));
            self.start_server(index);
        }
        for index in 0..self.shape.sentinels {
            let speed = rng.between(1000 - self.shape.drift, 1000 + self.shape.drift);
            self.tally.add(Count::DriftingClocks, u64::from(speed != 1000));
            self.nodes.push(Node::new(self.shape.host_of_sentinel(index), speed, HexId::random(rng)));
        }
        (0..self.shape.sentinels).for_each(|index| self.start_sentinel(index));
    }

    pub fn note(&mut self, text: impl FnOnce() -> String) {
        self.transcript.note(self.now, text);
    }

    /// Ends the test with the seed and the transcript.
    pub fn fail(&self, why: &str) -> ! {
        self.transcript.fail(self.seed, &format!("at {} ms: {why}\n{:?}", self.now, self.shape));
    }

    pub fn at(&mut self, time: u64, happening: Happening) {
        self.agenda.put(time.max(self.now), happening);
    }

    pub fn schedule(&mut self, time: u64, fault: Fault) {
        self.at(time, Happening::Fault(fault));
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        self.run_until(self.now + ms);
    }

    pub fn run_until(&mut self, end: u64) {
        assert!(end >= self.now, "time does not go back");
        while let Some((time, happening)) = self.agenda.take(end) {
            self.now = time;
            self.tally.one(Count::Happenings);
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
                // One that was made void by an earlier one means nothing any more.
                if node.life.number != life || !node.life.is_running || node.timer_at.is_none_or(|at| at > self.now) {
                    return;
                }
                if node.life.is_stopped {
                    return node.life.backlog.push(Happening::Timer { sentinel, life });
                }
                node.timer_at = None;
                self.tell(sentinel, Input::Timer);
            }
            Happening::Saved { sentinel, life, ticket, text } => self.saved(sentinel, life, ticket, text),
            Happening::Server { server, life, work } => self.server_worked(server, life, work),
            Happening::PauseOver { server } => self.pause_over(server),
            Happening::Writes => {
                self.take_writes();
                self.at(self.now + WRITE_EVERY, Happening::Writes);
            }
            Happening::Fault(fault) => {
                self.note(|| format!("FAULT {fault:?}"));
                self.inflict(fault);
            }
        }
    }
}

/// What the run exercised.
impl World {
    pub fn into_tally(mut self) -> Tally {
        let (votes, elections) = self.checks.counts();
        let counts = [
            (Count::Seeds, 1),
            (Count::SimulatedMs, self.now),
            (Count::Votes, votes as u64),
            (Count::Elections, elections as u64),
            (Count::Failovers, self.checks.promotions.len() as u64),
            (Count::Retransmissions, self.network.retransmissions),
            (Count::Overtakings, self.network.overtakings),
            (Count::SeveralMasters, u64::from(self.shape.masters > 1)),
        ];
        counts.into_iter().for_each(|(what, many)| self.tally.add(what, many));
        self.tally
    }
}
