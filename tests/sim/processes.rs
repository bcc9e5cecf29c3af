//! Processes and their machines: started, stopped, resumed, killed, without power.

use crate::network::{Host, Process};
use crate::replication::Work;
use crate::tally::Count;
use crate::world::{Happening, World};

/// What every process has.
#[derive(Debug, Default)]
pub struct Life {
    pub is_running: bool,
    pub is_stopped: bool,
    /// Grows with every start.
    pub number: u32,
    /// What happened to it while it was stopped.
    pub backlog: Vec<Happening>,
}

impl World {
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
        let has_forgotten = server.start(life.number == 0, now, &mut rng);
        self.tally.add(Count::Restarts, u64::from(life.number > 0));
        self.tally.add(Count::UnsyncedData, u64::from(has_forgotten));
        life.number += 1;
        life.is_running = true;
        life.is_stopped = false;
        let number = life.number;
        self.rng = rng;
        self.at(now + 1, Happening::Server { server: index, life: number, work: Work::Timer });
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
        self.tally.one(Count::Kills);
        if let Process::Sentinel(index) = process {
            let node = &mut self.nodes[index];
            node.core = None;
            self.tally.add(Count::UnsyncedStates, u64::from(node.writes_until > self.now));
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
        self.tally.one(Count::Stops);
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
        self.tally.one(Count::PowerLosses);
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

    pub fn processes_on(&self, host: Host) -> Vec<Process> {
        let processes =
            (0..self.servers.len()).map(Process::Server).chain((0..self.nodes.len()).map(Process::Sentinel));
        processes.filter(|&process| self.host(process) == host).collect()
    }
}
