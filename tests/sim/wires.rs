//! What travels between processes: connections made, refused and ended, messages delivered.

use std::collections::VecDeque;

use rredis::base::id::ClientId;
use rredis::sentinel::core::io::{Input, LinkKind};

use crate::network::{Arrival, Host, Message, Process, Way};
use crate::redis_model::Client;
use crate::shape::{DATA_PORT, SENTINEL_PORT, host_at, ip_of};
use crate::world::{Happening, World};

impl World {
    pub fn block(&mut self, from: Host, to: Host) {
        self.network.block(from, to, self.now);
    }

    pub fn unblock(&mut self, from: Host, to: Host) {
        let arrivals = self.network.unblock(from, to, self.now, &mut self.rng);
        arrivals.into_iter().for_each(|(time, arrival)| self.at(time, Happening::Network(arrival)));
    }

    /// Cuts a set of machines off from all others, both ways.
    pub fn cut_off(&mut self, hosts: &[Host]) {
        for from in 0..self.shape.hosts() {
            for to in 0..self.shape.hosts() {
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
        let ids: Vec<u64> = self.network.all().map(|(id, _)| id).collect();
        for id in ids {
            if self.rng.percent(percent)
                && let Some(connection) = self.network.drop_connection(id)
            {
                self.closed_at(id, connection.client);
                self.closed_at(id, connection.server);
            }
        }
    }

    pub fn send(&mut self, id: u64, way: Way, message: Message) {
        if let Some((time, arrival)) = self.network.send(id, way, message, self.now, &mut self.rng) {
            self.at(time, Happening::Network(arrival));
        }
    }

    /// One side is done with a connection; the other will hear of it.
    pub fn say_end(&mut self, id: u64, from: Process) {
        let Some(connection) = self.network.get(id) else { return };
        if !connection.is_open {
            self.network.drop_connection(id);
            return;
        }
        let way = if connection.client == from { Way::ToServer } else { Way::ToClient };
        self.send(id, way, Message::End);
    }

    pub fn process_at(&self, ip: &str, port: u16) -> Option<Process> {
        let host = host_at(ip)?;
        match port {
            DATA_PORT => (host < self.servers.len()).then_some(Process::Server(host)),
            SENTINEL_PORT => {
                let index = host.checked_sub(self.shape.host_of_sentinel(0))?;
                (index < self.nodes.len()).then_some(Process::Sentinel(index))
            }
            _ => None,
        }
    }

    pub fn connect(&mut self, client: Process, ip: &str, port: u16) -> Option<u64> {
        let server = self.process_at(ip, port)?;
        let hosts = (self.host(client), self.host(server));
        let (id, time, arrival) = self.network.connect((client, hosts.0), (server, hosts.1), self.now, &mut self.rng);
        self.at(time, Happening::Network(arrival));
        Some(id)
    }

    pub fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Attempt(id) => self.attempted(id),
            Arrival::Accepted(id) | Arrival::Refused(id) => {
                let Some(connection) = self.network.get_mut(id) else { return };
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
                let Some(connection) = self.network.get(id) else { return };
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
        let Some(connection) = self.network.get(id) else { return };
        let server = connection.server;
        let is_up = self.is_up(self.host(server));
        match self.network.attempt(id, self.now, is_up) {
            Ok(()) => {
                let is_running = self.life(server).is_running;
                self.network.get_mut(id).expect("seen above").is_open = is_running;
                let delay = self.rng.between(self.network.latency.0, self.network.latency.1);
                let arrival = if is_running { Arrival::Accepted(id) } else { Arrival::Refused(id) };
                if is_running {
                    match server {
                        Process::Server(index) => {
                            self.servers[index].2.clients.insert(id, Client::default());
                        }
                        Process::Sentinel(index) => {
                            self.nodes[index].answers.open(id);
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
                node.conns.contains_key(&id) || node.answers.knows(id)
            }
        }
    }

    fn accepted(&mut self, id: u64, client: Process) {
        match client {
            Process::Server(index) if self.servers[index].2.upstream == Some(id) => {
                self.tell_server(index, rredis::repl::Input::LinkConnected { has_data: true });
                self.end_server_turn(index);
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
                // A stopped process is told all the same: its sockets are as dead as if it looked.
                let server = &mut self.servers[index].2;
                if server.clients.remove(&id).is_some() {
                    self.tell_server(index, rredis::repl::Input::ClientClosed(ClientId(id)));
                } else if server.upstream == Some(id) {
                    server.upstream = None;
                    self.tell_server(index, rredis::repl::Input::LinkClosed("connection lost"));
                }
                self.end_server_turn(index);
            }
            Process::Sentinel(index) => {
                let node = &mut self.nodes[index];
                node.answers.close(id);
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
            (Process::Server(index), Way::ToServer) => match message {
                Message::Bytes(bytes) => self.replica_said(index, id, &bytes),
                Message::Request(words) => self.serve(index, id, words),
                _ => {}
            },
            (Process::Server(index), Way::ToClient) => {
                if let Message::Bytes(bytes) = message {
                    self.master_said(index, id, &bytes);
                }
            }
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
}
