//! What goes wrong, and when: drawn from a seed, each fault with its repair.

use rredis::base::rng::Rng;
use rredis::repl::io::HostPort;
use rredis::sentinel::core::io::Command;

use crate::network::{Host, Process};
use crate::shape::{DATA_PORT, name_of};
use crate::tally::Count;
use crate::world::World;

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
    /// Nothing reaches a machine; what it sends arrives.
    Deafen(Host),
    /// Nothing that a machine sends arrives.
    Mute(Host),
    HealNetwork,
    ResetConnections(u64),
    ShiftWall(usize, i64),
    BreakDisk(usize),
    SlowDisk(usize, u64),
    RepairDisk(usize),
    /// A Sentinel crashes about when its disk has kept something, and is back soon.
    CrashWhileSaving(usize),
    /// SENTINEL FAILOVER, of the master of this group.
    ByHand(usize, usize),
    /// Somebody sends REPLICAOF to a server, of another one of its group or NO ONE.
    Meddle(usize, Option<usize>),
    SlowNetwork(u64, u64),
    FastNetwork,
    /// Messages are lost, so many of a hundred, and sent again.
    Lossy(u64),
    /// Whoever is the master of the group now, in the eyes of the first Sentinel that runs.
    KillMaster(usize),
    StopMaster(usize),
    /// One of its replicas and it lose sight of each other.
    LagReplica(usize, usize),
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
            Fault::CutOff(hosts) => {
                self.tally.one(Count::Partitions);
                self.cut_off(&hosts);
            }
            Fault::Block(from, to) => self.block_one_way(&[(from, to)]),
            Fault::Deafen(host) => {
                self.block_one_way(&(0..self.shape.hosts()).map(|from| (from, host)).collect::<Vec<_>>());
            }
            Fault::Mute(host) => {
                self.block_one_way(&(0..self.shape.hosts()).map(|to| (host, to)).collect::<Vec<_>>());
            }
            Fault::HealNetwork => self.heal_network(),
            Fault::ResetConnections(percent) => {
                self.tally.one(Count::Resets);
                self.reset_connections(percent);
            }
            Fault::ShiftWall(sentinel, ms) => {
                self.tally.one(Count::ClockJumps);
                self.nodes[sentinel].wall_shift += ms;
            }
            Fault::BreakDisk(sentinel) => {
                self.tally.one(Count::BrokenDisks);
                self.nodes[sentinel].is_disk_broken = true;
            }
            Fault::SlowDisk(sentinel, ms) => {
                self.tally.one(Count::SlowDisks);
                self.nodes[sentinel].disk_delay = ms;
            }
            Fault::RepairDisk(sentinel) => {
                self.nodes[sentinel].is_disk_broken = false;
                self.nodes[sentinel].disk_delay = 0;
            }
            // Asked for before all was put right.
            Fault::CrashWhileSaving(_) if !self.is_troubled => {}
            Fault::CrashWhileSaving(sentinel) => {
                self.tally.one(Count::CrashesWhileSaving);
                self.kill(Process::Sentinel(sentinel));
                let back = self.now + 2 + self.rng.below(50);
                self.schedule(back, Fault::Start(Process::Sentinel(sentinel)));
            }
            Fault::ByHand(sentinel, group) => {
                if self.nodes[sentinel].life.is_running && !self.nodes[sentinel].life.is_stopped {
                    self.tally.one(Count::ByHand);
                    self.command(sentinel, Command::Failover { name: name_of(group).into() });
                }
            }
            Fault::Meddle(server, master) => {
                if self.servers[server].0.is_running && !self.servers[server].0.is_stopped {
                    self.tally.one(Count::Meddlings);
                    let place = |master: usize| HostPort { host: self.servers[master].2.ip.clone(), port: DATA_PORT };
                    self.set_following(server, master.map(place));
                }
            }
            Fault::SlowNetwork(least, most) => {
                self.tally.one(Count::SlowNetworks);
                self.network.latency = (least, most);
            }
            Fault::FastNetwork => (self.network.latency, self.network.loss) = (self.shape.latency, 0),
            Fault::Lossy(percent) => {
                self.tally.one(Count::LossyNetworks);
                self.network.loss = percent;
            }
            Fault::LagReplica(group, which) => self.lag_replica(group, which),
            Fault::KillMaster(group) => self.with_master(group, Fault::Kill),
            Fault::StopMaster(group) => self.with_master(group, Fault::Stop),
        }
    }

    fn lag_replica(&mut self, group: usize, which: usize) {
        let first = self.shape.first_of(group);
        let seen = (0..self.nodes.len()).find_map(|index| self.master_of_group(index, group));
        let Some(master) = seen.filter(|&master| self.shape.group_of(master) == group) else { return };
        let replica = first + (master - first + 1 + which % (self.shape.servers - 1)) % self.shape.servers;
        self.tally.one(Count::Partitions);
        self.block(master, replica);
        self.block(replica, master);
    }

    fn with_master(&mut self, group: usize, fault: impl Fn(Process) -> Fault) {
        if let Some(master) = (0..self.nodes.len()).find_map(|index| self.master_of_group(index, group)) {
            self.inflict(fault(Process::Server(master)));
        }
    }

    fn block_one_way(&mut self, paths: &[(Host, Host)]) {
        let is_any = paths.iter().any(|(from, to)| from != to);
        self.tally.add(Count::OneWayPartitions, u64::from(is_any));
        paths.iter().for_each(|&(from, to)| self.block(from, to));
    }

    /// Puts everything right.
    pub fn heal(&mut self) {
        self.note(|| "HEAL".to_owned());
        self.is_troubled = false;
        self.heal_network();
        self.inflict(Fault::FastNetwork);
        (0..self.shape.hosts()).for_each(|host| self.power_on(host));
        let processes =
            (0..self.servers.len()).map(Process::Server).chain((0..self.nodes.len()).map(Process::Sentinel));
        for process in processes.collect::<Vec<_>>() {
            self.start(process);
            self.resume(process);
        }
        (0..self.nodes.len()).for_each(|sentinel| self.inflict(Fault::RepairDisk(sentinel)));
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

    /// Draws whether somebody meddles meanwhile, and how.
    pub fn draw_meddling(&mut self, rng: &mut Rng, length: u64) {
        if rng.percent(80) {
            return;
        }
        for _ in 0..rng.between(1, 3) {
            let server = rng.below(self.servers.len() as u64) as usize;
            let first = self.shape.first_of(self.shape.group_of(server));
            let others = self.shape.servers - 1;
            let other = first + (server - first + 1 + rng.below(others as u64) as usize) % self.shape.servers;
            let master = (!rng.percent(30)).then_some(other);
            self.schedule(self.now + rng.below(length), Fault::Meddle(server, master));
        }
    }

    fn draw_fault(&self, rng: &mut Rng, at: u64, until: u64) -> Vec<(u64, Fault)> {
        let hosts = self.shape.hosts() as u64;
        let sentinel = rng.below(self.nodes.len() as u64) as usize;
        let server = rng.below(self.servers.len() as u64) as usize;
        let any = if rng.percent(50) { Process::Sentinel(sentinel) } else { Process::Server(server) };
        let group = self.shape.group_of(server);
        let (host, other) = (rng.below(hosts) as usize, rng.below(hosts) as usize);
        let both = |fault, repair| vec![(at, fault), (until, repair)];
        match rng.below(22) {
            0 | 1 => both(Fault::Kill(any), Fault::Start(any)),
            2 | 3 => {
                let all = (0..self.servers.len()).map(|server| (until, Fault::Start(Process::Server(server))));
                std::iter::once((at, Fault::KillMaster(group))).chain(all).collect()
            }
            4 => {
                let all = (0..self.servers.len()).map(|server| (until, Fault::Resume(Process::Server(server))));
                std::iter::once((at, Fault::StopMaster(group))).chain(all).collect()
            }
            5 => both(Fault::Stop(any), Fault::Resume(any)),
            6 => both(Fault::PowerOff(host), Fault::PowerOn(host)),
            7 | 8 => {
                let hosts = if rng.percent(40) { vec![host, other] } else { vec![host] };
                both(Fault::CutOff(hosts), Fault::HealNetwork)
            }
            9 => both(Fault::Block(host, other), Fault::HealNetwork),
            10 => both(Fault::Deafen(host), Fault::HealNetwork),
            11 => both(Fault::Mute(host), Fault::HealNetwork),
            12 => vec![(at, Fault::ResetConnections(10 + rng.below(90)))],
            13 => vec![(at, Fault::ShiftWall(sentinel, rng.between(0, 20_000) as i64 - 10_000))],
            14 => both(Fault::BreakDisk(sentinel), Fault::RepairDisk(sentinel)),
            15 => both(Fault::SlowDisk(sentinel, 50 + rng.below(2000)), Fault::RepairDisk(sentinel)),
            16 | 17 => vec![(at, Fault::ByHand(sentinel, group))],
            18 => both(Fault::Lossy(1 + rng.below(30)), Fault::FastNetwork),
            // The master dies when one of its replicas has not got everything.
            19 | 20 => {
                let killed = at + 200 + rng.below(1500);
                let all =
                    (0..self.servers.len()).map(|server| (until.max(killed), Fault::Start(Process::Server(server))));
                [
                    (at, Fault::LagReplica(group, other)),
                    (killed, Fault::KillMaster(group)),
                    (killed + rng.below(300), Fault::HealNetwork),
                ]
                .into_iter()
                .chain(all)
                .collect()
            }
            _ => {
                let slow = 10 + rng.below(200);
                both(Fault::SlowNetwork(slow, slow * 2), Fault::FastNetwork)
            }
        }
    }
}
