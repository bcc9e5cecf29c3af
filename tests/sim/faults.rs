//! What goes wrong, and when: drawn from a seed, each fault with its repair.

use rredis::base::rng::Rng;
use rredis::sentinel::core::io::Command;

use crate::network::{Host, Process};
use crate::world::{MASTER, World};

/// One thing that goes wrong or is put right.
#[derive(Clone, Debug)]
pub enum Fault {
    Kill(Process),
    Start(Process),
    Stop(Process),
    Resume(Process),
    PowerOff(Host),
    PowerOn(Host),
    CutOff(Vec<Host>),
    Block(Host, Host),
    HealNetwork,
    ResetConnections(u64),
    ShiftWall(usize, i64),
    BreakDisk(usize),
    RepairDisk(usize),
    /// SENTINEL FAILOVER.
    ByHand(usize),
    SlowNetwork(u64, u64),
    /// Whoever is the master now, in the eyes of the first Sentinel that runs.
    KillMaster,
    StopMaster,
}

impl World {
    pub fn inflict(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(process) => self.kill(process),
            Fault::Start(process) => self.start(process),
            Fault::Stop(process) => self.stop(process),
            Fault::Resume(process) => self.resume(process),
            Fault::PowerOff(host) => self.power_off(host),
            Fault::PowerOn(host) => self.power_on(host),
            Fault::CutOff(hosts) => self.cut_off(&hosts),
            Fault::Block(from, to) => self.block(from, to),
            Fault::HealNetwork => self.heal_network(),
            Fault::ResetConnections(percent) => self.reset_connections(percent),
            Fault::ShiftWall(sentinel, ms) => self.nodes[sentinel].wall_shift += ms,
            Fault::BreakDisk(sentinel) => self.nodes[sentinel].is_disk_broken = true,
            Fault::RepairDisk(sentinel) => self.nodes[sentinel].is_disk_broken = false,
            Fault::ByHand(sentinel) => {
                if self.nodes[sentinel].life.is_running && !self.nodes[sentinel].life.is_stopped {
                    self.command(sentinel, Command::Failover { name: MASTER.into() });
                }
            }
            Fault::SlowNetwork(least, most) => self.network.latency = (least, most),
            Fault::KillMaster => self.with_master(Fault::Kill),
            Fault::StopMaster => self.with_master(Fault::Stop),
        }
    }

    fn with_master(&mut self, fault: impl Fn(Process) -> Fault) {
        if let Some(master) = (0..self.nodes.len()).find_map(|index| self.master_of(index)) {
            self.inflict(fault(Process::Server(master)));
        }
    }

    /// Puts everything right.
    pub fn heal(&mut self) {
        self.note("HEAL".to_owned());
        self.is_troubled = false;
        self.heal_network();
        (0..self.hosts()).for_each(|host| self.power_on(host));
        let processes =
            (0..self.servers.len()).map(Process::Server).chain((0..self.nodes.len()).map(Process::Sentinel));
        for process in processes.collect::<Vec<_>>() {
            self.start(process);
            self.resume(process);
        }
        self.nodes.iter_mut().for_each(|node| node.is_disk_broken = false);
        self.network.latency = self.shape.latency;
    }

    /// Draws `count` faults between now and `length` milliseconds from now.
    pub fn draw_faults(&mut self, rng: &mut Rng, count: u64, length: u64) {
        let start = self.now;
        self.is_troubled = true;
        for _ in 0..count {
            let at = start + rng.below(length);
            let until = at + 200 + rng.below(length / 2);
            for (time, fault) in self.draw_fault(rng, at, until) {
                self.schedule(time, fault);
            }
        }
    }

    fn draw_fault(&self, rng: &mut Rng, at: u64, until: u64) -> Vec<(u64, Fault)> {
        let sentinel = rng.below(self.nodes.len() as u64) as usize;
        let server = rng.below(self.servers.len() as u64) as usize;
        let any = if rng.percent(50) { Process::Sentinel(sentinel) } else { Process::Server(server) };
        let (host, other) = (rng.below(self.hosts() as u64) as usize, rng.below(self.hosts() as u64) as usize);
        match rng.below(14) {
            0 | 1 => vec![(at, Fault::Kill(any)), (until, Fault::Start(any))],
            2 => {
                let all = (0..self.servers.len()).map(|server| (until, Fault::Start(Process::Server(server))));
                std::iter::once((at, Fault::KillMaster)).chain(all).collect()
            }
            3 => {
                let all = (0..self.servers.len()).map(|server| (until, Fault::Resume(Process::Server(server))));
                std::iter::once((at, Fault::StopMaster)).chain(all).collect()
            }
            4 => vec![(at, Fault::Stop(any)), (until, Fault::Resume(any))],
            5 => vec![(at, Fault::PowerOff(host)), (until, Fault::PowerOn(host))],
            6 | 7 => {
                let mut hosts = vec![host];
                if rng.percent(40) {
                    hosts.push(other);
                }
                vec![(at, Fault::CutOff(hosts)), (until, Fault::HealNetwork)]
            }
            8 => vec![(at, Fault::Block(host, other)), (until, Fault::HealNetwork)],
            9 => vec![(at, Fault::ResetConnections(10 + rng.below(90)))],
            10 => vec![(at, Fault::ShiftWall(sentinel, rng.between(0, 20_000) as i64 - 10_000))],
            11 => vec![(at, Fault::BreakDisk(sentinel)), (until, Fault::RepairDisk(sentinel))],
            12 => vec![(at, Fault::ByHand(sentinel))],
            _ => {
                let (least, most) = self.shape.latency;
                let slow = 10 + rng.below(200);
                vec![(at, Fault::SlowNetwork(slow, slow * 2)), (until, Fault::SlowNetwork(least, most))]
            }
        }
    }
}
