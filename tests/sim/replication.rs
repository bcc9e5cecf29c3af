//! The replication machines of the servers, joined by the network of the world.
//!
//! A shell of the simplest kind: what the machines ask for becomes messages and later happenings. Snapshots take a while to
//! make and to load, sometimes fail, and are cut short by whatever happens meanwhile. A master's writes are commands of the
//! stream; what a server has executed is its [`Data`].

use rredis::base::id::ClientId;
use rredis::base::time::Instant;
use rredis::repl::io::{HostPort, ReplicaOption, SnapshotKind, SyncRequest};
use rredis::repl::master::feed::Room;
use rredis::repl::master::psync::{Circumstances, refuse};
use rredis::repl::node::Position;
use rredis::repl::wire::command;
use rredis::repl::{Input, Output};

use crate::data::{Data, parse};
use crate::network::{Message, Process, Way};
use crate::shape::{Sabotage, ip_of};
use crate::tally::Count;
use crate::world::{Happening, World};

/// Stream bytes on their way to one replica beyond which it is offered no more.
const WINDOW: usize = 4000;

/// A snapshot being taken.
#[derive(Clone, Debug)]
pub struct Snapshot {
    kind: SnapshotKind,
    bytes: Vec<u8>,
    members: Vec<u64>,
}

/// Work of a server that ends some time later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A deadline of the machines.
    Timer,
    /// The snapshot with this number is complete.
    Snapshot(u64),
    /// What was received is loaded, if it is still the transfer with this number.
    Load(u64),
    /// The file has left towards this replica.
    FileSent(u64),
}

impl World {
    fn mono(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    /// The machines of a server are told something, and get what they ask for.
    pub fn tell_server(&mut self, index: usize, input: Input<'_>) {
        let (now, mut out) = (self.mono(), Vec::new());
        let server = &mut self.servers[index].2;
        server.repl.keep_quiet(self.now < server.paused_until);
        server.repl.handle(now, input, &mut out);
        self.carry_out(index, out);
    }

    /// The end of a turn: what is new leaves towards the replicas, and the next deadline is noted.
    pub fn end_server_turn(&mut self, index: usize) {
        let now = self.mono();
        let (network, server) = (&self.network, &mut self.servers[index].2);
        let mut out = Vec::new();
        let queued = |client: ClientId| network.queued(client.0, Way::ToClient) as u64;
        server.repl.end_turn(now, queued, &mut out);
        self.carry_out(index, out);
        let (network, server) = (&self.network, &mut self.servers[index].2);
        let mut sent: Vec<(u64, Vec<u8>)> = Vec::new();
        server.repl.feed(|client, chunk| {
            let offered: usize = sent.iter().filter(|(id, _)| *id == client.0).map(|(_, bytes)| bytes.len()).sum();
            if network.queued(client.0, Way::ToClient) + offered > WINDOW {
                return Room::Full;
            }
            sent.push((client.0, chunk.as_bytes().to_vec()));
            Room::Taken
        });
        sent.into_iter().for_each(|(id, bytes)| self.send(id, Way::ToClient, Message::Bytes(bytes)));
        let (life, _, server) = &mut self.servers[index];
        if let Some(deadline) = server.repl.next_deadline() {
            let due = deadline.as_millis().max(self.now + 1);
            if server.timer_at.is_none_or(|at| due < at || at <= self.now) {
                server.timer_at = Some(due);
                let life = life.number;
                self.at(due, Happening::Server { server: index, life, work: Work::Timer });
            }
        }
    }

    /// Something of a server's own came to its end.
    pub fn server_worked(&mut self, index: usize, life: u32, work: Work) {
        let (state, _, server) = &mut self.servers[index];
        if state.number != life || !state.is_running {
            return;
        }
        if state.is_stopped {
            return state.backlog.push(Happening::Server { server: index, life, work });
        }
        match work {
            // Made void by an earlier one.
            Work::Timer if server.timer_at.is_none_or(|at| at > self.now) => return,
            Work::Timer => {
                server.timer_at = None;
                let now = Instant::from_millis(self.now);
                // A tick may make another one due, as when a lost master is called again at once; but not for ever.
                for ticks in 0.. {
                    if self.servers[index].2.repl.next_deadline().is_none_or(|deadline| deadline > now) {
                        break;
                    }
                    assert!(ticks < 3, "a deadline that ticks do not meet");
                    self.tell_server(index, Input::Tick);
                }
            }
            Work::Snapshot(number) if server.snapshot_number == number => self.snapshot_done(index),
            Work::Load(number) if server.transfer_number == number => self.load(index),
            Work::FileSent(id) => self.tell_server(index, Input::FileSent(ClientId(id))),
            Work::Snapshot(_) | Work::Load(_) => return,
        }
        self.end_server_turn(index);
    }

    fn later(&mut self, index: usize, most: u64, work: Work) {
        let (life, delay) = (self.servers[index].0.number, self.rng.below(most + 1));
        self.at(self.now + delay, Happening::Server { server: index, life, work });
    }

    fn carry_out(&mut self, index: usize, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Connect(master) => {
                    let upstream = self.connect(Process::Server(index), &master.host, master.port);
                    self.servers[index].2.upstream = upstream;
                    self.servers[index].2.received.clear();
                    if upstream.is_none() {
                        self.tell_server(index, Input::LinkFailed("no such host"));
                    }
                }
                Output::Send(mut bytes) => {
                    if self.shape.sabotage == Sabotage::ReplicasRepeat {
                        bytes = self.asking_for_more(index, bytes);
                    }
                    if let Some(id) = self.servers[index].2.upstream {
                        self.send(id, Way::ToServer, Message::Bytes(bytes));
                    }
                }
                Output::Skip(count) => drop(self.servers[index].2.received.drain(..count)),
                Output::TransferStarts { .. } => self.servers[index].2.incoming = Some(Vec::new()),
                Output::Payload(count) => {
                    let server = &mut self.servers[index].2;
                    let bytes: Vec<u8> = server.received.drain(..count).collect();
                    server.incoming.as_mut().expect("a transfer").extend(bytes);
                }
                Output::TransferDone => {
                    let server = &mut self.servers[index].2;
                    server.transfer_number += 1;
                    let number = server.transfer_number;
                    self.later(index, 200, Work::Load(number));
                }
                Output::TransferAborted => {
                    let server = &mut self.servers[index].2;
                    server.incoming = None;
                    server.transfer_number += 1;
                }
                Output::CloseLink => {
                    if let Some(id) = self.servers[index].2.upstream.take() {
                        self.say_end(id, Process::Server(index));
                    }
                }
                Output::Write(client, bytes) => {
                    if bytes.starts_with(b"+CONTINUE") {
                        self.tally.one(Count::PartialResyncs);
                    } else if bytes.starts_with(b"+FULLRESYNC") {
                        self.tally.one(Count::FullResyncs);
                    }
                    self.send(client.0, Way::ToClient, Message::Bytes(bytes));
                }
                Output::Attached(client) => {
                    if let Some(client) = self.servers[index].2.clients.get_mut(&client.0) {
                        client.is_replica = true;
                    }
                }
                Output::StartSnapshot { kind, .. } => {
                    if self.is_troubled && self.rng.percent(5) {
                        self.tally.one(Count::FailedSnapshots);
                        self.tell_server(index, Input::SnapshotRefused);
                        continue;
                    }
                    let server = &mut self.servers[index].2;
                    server.snapshot_number += 1;
                    let number = server.snapshot_number;
                    server.snapshot = Some(Snapshot { kind, bytes: server.data.to_bytes(), members: Vec::new() });
                    self.tell_server(index, Input::SnapshotStarted(kind));
                    self.later(index, 300, Work::Snapshot(number));
                }
                Output::JoinSockets(client) => {
                    let snapshot = self.servers[index].2.snapshot.as_mut();
                    snapshot.expect("it has just begun").members.push(client.0);
                }
                Output::SendFile(client) => {
                    let file = self.servers[index].2.file.clone();
                    let header = format!("${}\r\n", file.len()).into_bytes();
                    self.send(client.0, Way::ToClient, Message::Bytes([header, file].concat()));
                    self.later(index, 200, Work::FileSent(client.0));
                }
                Output::AbortSnapshot => {
                    self.servers[index].2.snapshot = None;
                    self.servers[index].2.snapshot_number += 1;
                    self.tell_server(index, Input::SnapshotEnded { ok: false });
                }
                Output::CloseReplica { client, .. } => {
                    self.servers[index].2.clients.remove(&client.0);
                    self.say_end(client.0, Process::Server(index));
                    self.tell_server(index, Input::ClientClosed(client));
                }
                Output::Append(bytes) => self.execute_as_master(index, &bytes),
                Output::MasterIs(master) => {
                    self.servers[index].2.moved_at = self.now;
                    self.note(|| format!("server {index} follows {master:?}"));
                }
                Output::StreamStarts { .. }
                | Output::Online(_)
                | Output::OverLimit(_)
                | Output::Acknowledged
                | Output::Reselect
                | Output::PauseWrites
                | Output::ResumeWrites => {}
            }
        }
    }

    pub fn execute_as_master(&mut self, index: usize, bytes: &[u8]) {
        let server = &mut self.servers[index].2;
        server.data.execute(bytes);
        server.repl.propagate(bytes);
    }

    fn snapshot_done(&mut self, index: usize) {
        let fails = self.is_troubled && self.rng.percent(5);
        let Some(snapshot) = self.servers[index].2.snapshot.take() else { return };
        match snapshot.kind {
            _ if fails => self.tally.one(Count::FailedSnapshots),
            SnapshotKind::Disk | SnapshotKind::Other => self.servers[index].2.file = snapshot.bytes,
            SnapshotKind::Sockets => {
                for id in snapshot.members {
                    self.send(id, Way::ToClient, Message::Bytes(snapshot.bytes.clone()));
                    self.tell_server(index, Input::BulkProgress(ClientId(id)));
                }
            }
        }
        self.tell_server(index, Input::SnapshotEnded { ok: !fails });
    }

    fn load(&mut self, index: usize) {
        if self.is_troubled && self.rng.percent(5) {
            // Received damaged: the old data are still there.
            self.tally.one(Count::FailedSnapshots);
            return self.tell_server(index, Input::LoadFailed);
        }
        self.tell_server(index, Input::LoadReplaces);
        let server = &mut self.servers[index].2;
        let Some(bytes) = server.incoming.take() else { return };
        server.data = Data::from_bytes(&bytes);
        server.moved_at = self.now;
        self.tell_server(index, Input::Loaded { db: 0 });
        self.apply(index);
    }

    /// Bytes from our master.
    pub fn master_said(&mut self, index: usize, id: u64, bytes: &[u8]) {
        let server = &mut self.servers[index].2;
        if server.upstream != Some(id) {
            return;
        }
        server.received.extend_from_slice(bytes);
        if server.repl.link_up() != Some(true) {
            let received = server.received.clone();
            self.tell_server(index, Input::LinkReceived(&received));
        }
        self.apply(index);
        self.end_server_turn(index);
    }

    /// A replica executes the whole commands it has.
    fn apply(&mut self, index: usize) {
        let server = &mut self.servers[index].2;
        if server.repl.link_up() != Some(true) {
            return;
        }
        let (mut len, mut is_ack_wanted) = (0, false);
        while let Some((words, more)) = parse(&server.received[len..]) {
            server.last_len = more;
            len += more;
            is_ack_wanted |= words.get(1).is_some_and(|word| word == b"GETACK");
        }
        let bytes: Vec<u8> = server.received.drain(..len).collect();
        if len > 0 {
            server.moved_at = self.now;
        }
        if self.shape.sabotage == Sabotage::ReplicasSkip && self.rng.percent(1) {
            // Built wrong: counted, as below, and not executed.
        } else {
            server.data.execute(&bytes);
        }
        let left = server.received.len() as u64;
        self.tell_server(index, Input::Applied { bytes: &bytes, db: 0 });
        self.tell_server(index, Input::StreamRead(left));
        if is_ack_wanted {
            self.tell_server(index, Input::AckRequested);
        }
    }

    /// Bytes on a connection that is a replica's, or wants to be.
    pub fn replica_said(&mut self, index: usize, id: u64, bytes: &[u8]) {
        let Some(client) = self.servers[index].2.clients.get_mut(&id) else { return };
        client.received.extend_from_slice(bytes);
        while let Some(client) = self.servers[index].2.clients.get_mut(&id)
            && let Some((words, len)) = parse(&client.received)
        {
            client.received.drain(..len);
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            self.serve_replica(index, id, &words);
        }
        self.end_server_turn(index);
    }

    fn serve_replica(&mut self, index: usize, id: u64, words: &[&[u8]]) {
        let client = ClientId(id);
        let number = |word: &[u8]| String::from_utf8_lossy(word).parse::<i64>().unwrap_or(-1);
        let answer: &[u8] = match *words {
            [] => return,
            [b"PING"] if self.now < self.servers[index].2.loading_until => b"-LOADING soon\r\n",
            [b"PING"] => b"+PONG\r\n",
            [b"REPLCONF", b"ACK", offset] => {
                let offset = number(offset) as u64;
                return self.tell_server(index, Input::Ack { client, offset, fsynced: None });
            }
            [b"REPLCONF", b"listening-port", port] => {
                let port = number(port) as u16;
                self.tell_server(index, Input::Replconf(client, ReplicaOption::ListeningPort(port)));
                b"+OK\r\n"
            }
            [b"REPLCONF", b"capa", ..] => {
                self.tell_server(index, Input::Replconf(client, ReplicaOption::CapaEof));
                self.tell_server(index, Input::Replconf(client, ReplicaOption::CapaPsync2));
                b"+OK\r\n"
            }
            [b"REPLCONF", ..] => b"+OK\r\n",
            [b"PSYNC", replid, position, ..] => {
                return self.synchronise(index, id, SyncRequest::Psync { replid, position: number(position) });
            }
            [b"SYNC"] => return self.synchronise(index, id, SyncRequest::Sync),
            _ => panic!("unexpected {words:?}"),
        };
        self.send(id, Way::ToClient, Message::Bytes(answer.to_vec()));
    }

    fn synchronise(&mut self, index: usize, id: u64, request: SyncRequest<'_>) {
        let server = &self.servers[index].2;
        let circumstances = Circumstances {
            failover: None,
            failing_over: server.repl.is_failing_over(),
            pending_output: false,
            filter_without_eof: false,
        };
        let error = refuse(&circumstances, server.repl.link_up(), server.repl.history().identity().id());
        if let Some(error) = error {
            return self.send(id, Way::ToClient, Message::Bytes(format!("-{error}\r\n").into_bytes()));
        }
        let Some(connection) = self.network.get(id) else { return };
        let ip = ip_of(connection.client_host);
        self.tell_server(index, Input::Sync { client: ClientId(id), ip: &ip, request });
    }

    /// SLAVEOF.
    pub fn set_following(&mut self, index: usize, master: Option<HostPort>) {
        let server = &mut self.servers[index].2;
        server.written = master.clone();
        if server.following() == master.as_ref() {
            return;
        }
        self.tell_server(index, master.map_or(Input::Promote, Input::ReplicaOf));
        self.end_server_turn(index);
    }

    /// Servers with the same place in the same history have the same data.
    pub fn check_data(&mut self) {
        let mut known: Vec<(Position, usize, &Data)> = Vec::new();
        let mut compared = 0;
        for (index, (.., server)) in self.servers.iter().enumerate().filter(|(_, (life, ..))| life.is_running) {
            // Without a backlog the offset does not count what is written.
            let Some(position) = server.repl.position(0) else { continue };
            if let Some((_, other, data)) =
                known.iter().find(|(known, ..)| (known.id, known.end) == (position.id, position.end))
            {
                compared += 1;
                if data.digest != server.data.digest || data.writes.len() != server.data.writes.len() {
                    let lens = (data.writes.len(), server.data.writes.len());
                    self.fail(&format!("servers {other} and {index} differ at {position:?}: {lens:?}"));
                }
            }
            known.push((position, index, &server.data));
        }
        self.tally.add(Count::DataChecked, compared);
    }

    /// What a replica built wrong sends instead: it asks for what it has already.
    fn asking_for_more(&self, index: usize, bytes: Vec<u8>) -> Vec<u8> {
        match parse(&bytes) {
            Some((words, _)) if words[0] == b"PSYNC" && words[1] != b"?" => {
                let position: usize = String::from_utf8_lossy(&words[2]).parse().expect("a position");
                let earlier = position.saturating_sub(self.servers[index].2.last_len).to_string();
                command(&[b"PSYNC", &words[1], earlier.as_bytes()])
            }
            _ => bytes,
        }
    }

    /// Clients that know a master write to it, right or wrong.
    pub fn take_writes(&mut self) {
        for index in 0..self.servers.len() {
            let (life, _, server) = &mut self.servers[index];
            server.lies_about_offset = self.shape.sabotage == Sabotage::OffsetsLie;
            let works = life.is_running && !life.is_stopped && server.is_master();
            if works && self.now >= server.loading_until && self.now >= server.paused_until && !self.is_quiet {
                self.next_write += 1;
                self.acknowledged.push((self.next_write, index));
                self.execute_as_master(index, &crate::data::write(self.next_write));
            }
            // Data that a crash will not take, and where they stand.
            let server = &mut self.servers[index].2;
            if self.rng.percent(10) && server.incoming.is_none() {
                server.durable = (server.data.clone(), server.repl.position(0));
            }
            if self.servers[index].0.is_running && !self.servers[index].0.is_stopped {
                self.end_server_turn(index);
            }
        }
        self.check_data();
    }
}
