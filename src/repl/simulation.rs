//! Several nodes joined by pipes that deliver late, in pieces, and break at any moment.
//!
//! Each node's data set is simply every byte it ever executed, so two data sets are equal exactly when no byte was
//! skipped, repeated or altered. Whatever the network and the administrator do:
//!
//!   * nodes with the same replication id at the same offset have the same data, at every moment;
//!   * once the network is quiet and the roles make a tree, all have the master's data.
//!
//! A failure prints `SEED=…`; the variable of that name runs it alone, and `SEEDS` runs as many as it says.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::base::id::{ClientId, HexId};
use crate::base::rng::Rng;
use crate::base::time::Instant;
use crate::repl::failover::Plan;
use crate::repl::io::{HostPort, Input, Output, ReplicaOption, Settings, SnapshotKind, SyncRequest};
use crate::repl::master::feed::Room;
use crate::repl::master::psync::{Circumstances, refuse};
use crate::repl::node::{Node, Position};
use crate::repl::replica::Link;
use crate::repl::wire::command;

/// One connection: bytes under way in each direction.
#[derive(Default)]
struct Pipe {
    to_master: VecDeque<u8>,
    to_replica: VecDeque<u8>,
}

struct Server {
    node: Node,
    data: Vec<u8>,
    /// False while a snapshot has replaced part of the data.
    whole: bool,
    /// Our side of the connection to our master.
    link: Option<u64>,
    link_received: Vec<u8>,
    incoming: Option<Vec<u8>>,
    load_pending: bool,
    /// What our replicas' connections sent and is not understood yet.
    received: BTreeMap<u64, Vec<u8>>,
    snapshot: Option<Snapshot>,
    file: Rc<Vec<u8>>,
    /// A failover holds clients back.
    is_paused: bool,
    /// To whom, what (a later snapshot replaces the file, not what is being sent), and how far.
    sending: Vec<(u64, Rc<Vec<u8>>, usize)>,
}

struct Snapshot {
    kind: SnapshotKind,
    bytes: Vec<u8>,
    sent: usize,
    members: Vec<u64>,
}

struct World {
    rng: Rng,
    now: Instant,
    servers: Vec<Server>,
    /// Connections by number; the number is the client id at the master.
    pipes: BTreeMap<u64, (usize, usize, Pipe)>,
    next_pipe: u64,
    faults: bool,
    partial: u64,
    /// Failovers by hand that found a taker.
    handovers: u64,
}

impl World {
    fn new(seed: u64, count: usize) -> World {
        let mut rng = Rng::seeded(seed);
        let servers = (0..count)
            .map(|_| {
                let settings = Settings {
                    backlog_size: [1024, 16 * 1024][rng.below(2) as usize],
                    diskless: rng.percent(50),
                    diskless_delay_ms: rng.below(3) * 200,
                    diskless_max_replicas: rng.below(3) as u32,
                    backlog_ttl_ms: rng.below(2) * 3000,
                    timeout_ms: 5000,
                    ping_period_ms: 700,
                    output_hard: rng.below(2) * 20_000,
                    saves: rng.percent(50),
                    ..Settings::default()
                };
                Server {
                    node: Node::new(settings, Rng::seeded(rng.next_u64())),
                    data: Vec::new(),
                    whole: true,
                    link: None,
                    link_received: Vec::new(),
                    incoming: None,
                    load_pending: false,
                    received: BTreeMap::new(),
                    snapshot: None,
                    file: Rc::default(),
                    is_paused: false,
                    sending: Vec::new(),
                }
            })
            .collect();
        let now = Instant::from_millis(1_000_000);
        World { rng, now, servers, pipes: BTreeMap::new(), next_pipe: 1, faults: true, partial: 0, handovers: 0 }
    }

    fn tell(&mut self, at: usize, input: Input<'_>) {
        let mut out = Vec::new();
        self.servers[at].node.handle(self.now, input, &mut out);
        self.carry_out(at, out);
    }

    fn carry_out(&mut self, at: usize, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Connect(master) => {
                    let to = usize::from(master.port) - 1;
                    if self.faults && self.rng.percent(10) {
                        self.tell(at, Input::LinkFailed("refused"));
                        continue;
                    }
                    let number = self.next_pipe;
                    self.next_pipe += 1;
                    self.pipes.insert(number, (at, to, Pipe::default()));
                    self.servers[at].link = Some(number);
                    self.servers[at].link_received.clear();
                    self.servers[to].received.insert(number, Vec::new());
                    self.tell(at, Input::LinkConnected { has_data: true });
                }
                Output::Send(bytes) => {
                    if let Some((_, _, pipe)) = self.servers[at].link.and_then(|number| self.pipes.get_mut(&number)) {
                        pipe.to_master.extend(bytes);
                    }
                }
                Output::Skip(count) => drop(self.servers[at].link_received.drain(..count)),
                Output::TransferStarts { .. } => self.servers[at].incoming = Some(Vec::new()),
                Output::Payload(count) => {
                    let server = &mut self.servers[at];
                    let bytes: Vec<u8> = server.link_received.drain(..count).collect();
                    server.incoming.as_mut().expect("a transfer").extend(bytes);
                }
                Output::TransferDone => self.servers[at].load_pending = true,
                Output::TransferAborted => {
                    self.servers[at].incoming = None;
                    self.servers[at].load_pending = false;
                }
                Output::StreamStarts { .. } => {}
                Output::CloseLink => {
                    if let Some(number) = self.servers[at].link.take() {
                        self.cut(number);
                    }
                }
                Output::Write(client, bytes) => self.write(client.0, &bytes),
                Output::PauseWrites => self.servers[at].is_paused = true,
                Output::ResumeWrites => self.servers[at].is_paused = false,
                Output::MasterIs(_)
                | Output::Attached(_)
                | Output::Online(_)
                | Output::OverLimit(_)
                | Output::Acknowledged
                | Output::Reselect => {}
                Output::StartSnapshot { kind, .. } => {
                    if self.faults && self.rng.percent(10) {
                        self.tell(at, Input::SnapshotRefused);
                        continue;
                    }
                    let bytes = self.servers[at].data.clone();
                    self.servers[at].snapshot = Some(Snapshot { kind, bytes, sent: 0, members: Vec::new() });
                    self.tell(at, Input::SnapshotStarted(kind));
                }
                Output::JoinSockets(client) => {
                    self.servers[at].snapshot.as_mut().expect("a snapshot").members.push(client.0);
                }
                Output::SendFile(client) => {
                    let header = format!("${}\r\n", self.servers[at].file.len());
                    self.write(client.0, header.as_bytes());
                    let file = self.servers[at].file.clone();
                    self.servers[at].sending.push((client.0, file, 0));
                }
                Output::AbortSnapshot => {
                    self.servers[at].snapshot = None;
                    self.tell(at, Input::SnapshotEnded { ok: false });
                }
                Output::CloseReplica { client, .. } => self.cut(client.0),
                Output::Append(bytes) => self.execute(at, &bytes),
            }
        }
    }

    /// Writes to the replica's end of a connection, if it still exists.
    fn write(&mut self, number: u64, bytes: &[u8]) {
        if let Some((_, _, pipe)) = self.pipes.get_mut(&number) {
            pipe.to_replica.extend(bytes);
        }
    }

    /// A master executes a command.
    fn execute(&mut self, at: usize, bytes: &[u8]) {
        let server = &mut self.servers[at];
        if server.whole {
            server.data.extend_from_slice(bytes);
            server.node.propagate(bytes);
        }
    }

    /// A connection breaks; what is under way is lost, and both ends learn of it.
    fn cut(&mut self, number: u64) {
        let Some((replica, master, _)) = self.pipes.remove(&number) else { return };
        self.servers[master].received.remove(&number);
        self.servers[master].sending.retain(|(client, ..)| *client != number);
        if let Some(snapshot) = &mut self.servers[master].snapshot {
            snapshot.members.retain(|member| *member != number);
        }
        self.tell(master, Input::ClientClosed(ClientId(number)));
        if self.servers[replica].link == Some(number) {
            self.servers[replica].link = None;
            self.tell(replica, Input::LinkClosed("connection lost"));
        }
    }

    fn deliver(&mut self, number: u64) {
        let Some((replica, master, pipe)) = self.pipes.get_mut(&number) else { return };
        let (replica, master) = (*replica, *master);
        let count = |rng: &mut Rng, len: usize| if rng.percent(30) { len } else { rng.below(len as u64 + 1) as usize };
        let up: Vec<u8> = pipe.to_master.drain(..count(&mut self.rng, pipe.to_master.len())).collect();
        let down: Vec<u8> = pipe.to_replica.drain(..count(&mut self.rng, pipe.to_replica.len())).collect();
        if !up.is_empty()
            && let Some(received) = self.servers[master].received.get_mut(&number)
        {
            received.extend(up);
            self.serve(master, number);
        }
        if !down.is_empty() && self.servers[replica].link == Some(number) {
            let streaming = self.servers[replica].node.link_up() == Some(true);
            self.servers[replica].link_received.extend(&down);
            if streaming {
                let count = self.servers[replica].link_received.len() as u64;
                self.tell(replica, Input::StreamRead(count));
            } else {
                let bytes = self.servers[replica].link_received.clone();
                self.tell(replica, Input::LinkReceived(&bytes));
            }
        }
    }

    /// The master's side reads what a connection sent.
    fn serve(&mut self, at: usize, number: u64) {
        while let Some(received) = self.servers[at].received.get_mut(&number) {
            if received.starts_with(b"\n") {
                received.remove(0);
                continue;
            }
            let (words, len) = match received.starts_with(b"SYNC\r\n") {
                true => (vec![b"SYNC".to_vec()], 6),
                false => match parse(received) {
                    Some(parsed) => parsed,
                    None => return,
                },
            };
            received.drain(..len);
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let client = ClientId(number);
            match words[..] {
                [b"PING"] => self.write(number, b"+PONG\r\n"),
                [b"REPLCONF", b"ACK", offset] => {
                    let offset = text(offset).parse().expect("a number");
                    self.tell(at, Input::Ack { client, offset, fsynced: None });
                }
                [b"REPLCONF", b"capa", ..] => {
                    self.tell(at, Input::Replconf(client, ReplicaOption::CapaEof));
                    self.tell(at, Input::Replconf(client, ReplicaOption::CapaPsync2));
                    self.write(number, b"+OK\r\n");
                }
                [b"REPLCONF", b"listening-port", _] => {
                    let replica = self.pipes[&number].0;
                    self.tell(at, Input::Replconf(client, ReplicaOption::ListeningPort(address(replica).port)));
                    self.write(number, b"+OK\r\n");
                }
                [b"REPLCONF", ..] => self.write(number, b"+OK\r\n"),
                [b"PSYNC" | b"SYNC", ..] => self.sync(at, client, &words),
                _ => panic!("unexpected {words:?}"),
            }
        }
    }

    fn sync(&mut self, at: usize, client: ClientId, words: &[&[u8]]) {
        if self.faults && self.rng.percent(5) {
            return self.write(client.0, b"-LOADING later\r\n");
        }
        if self.faults && words.len() > 1 && self.rng.percent(2) {
            return self.write(client.0, b"-ERR unknown command\r\n");
        }
        let node = &self.servers[at].node;
        let circumstances = Circumstances {
            failover: (words.get(3) == Some(&&b"FAILOVER"[..])).then(|| words[1]),
            failing_over: node.is_failing_over(),
            pending_output: false,
            filter_without_eof: false,
        };
        if let Some(error) = refuse(&circumstances, node.link_up(), node.history().identity().id()) {
            return self.write(client.0, format!("-{error}\r\n").as_bytes());
        }
        if circumstances.failover.is_some() {
            self.handovers += 1;
            self.tell(at, Input::Promote);
        }
        let request = match *words {
            [_, replid, position, ..] => {
                SyncRequest::Psync { replid, position: text(position).parse().expect("a number") }
            }
            _ => SyncRequest::Sync,
        };
        let before = self.servers[at].node.master().counters.sync_partial_ok;
        self.tell(at, Input::Sync { client, ip: "sim", request });
        self.partial += self.servers[at].node.master().counters.sync_partial_ok - before;
    }

    /// A replica executes some of the complete commands it has.
    fn apply(&mut self, at: usize) {
        if self.servers[at].node.link_up() != Some(true) {
            return;
        }
        let mut len = 0;
        let mut ack = false;
        while let Some((words, more)) = parse(&self.servers[at].link_received[len..]) {
            len += more;
            ack |= words.get(1).is_some_and(|word| word == b"GETACK");
            if self.rng.percent(10) {
                break;
            }
        }
        let bytes: Vec<u8> = self.servers[at].link_received.drain(..len).collect();
        self.servers[at].data.extend_from_slice(&bytes);
        self.tell(at, Input::Applied { bytes: &bytes, db: 0 });
        if ack {
            self.tell(at, Input::AckRequested);
        }
    }

    /// A slice of whatever snapshot or load this server is doing.
    fn background(&mut self, at: usize) {
        if self.servers[at].load_pending {
            if self.faults && self.rng.percent(10) {
                if self.rng.percent(50) {
                    self.servers[at].whole = false;
                    self.servers[at].data.clear();
                    self.tell(at, Input::LoadReplaces);
                }
                self.tell(at, Input::LoadFailed);
            } else {
                self.tell(at, Input::LoadReplaces);
                let server = &mut self.servers[at];
                server.data = server.incoming.take().expect("a snapshot");
                server.load_pending = false;
                server.whole = true;
                self.tell(at, Input::Loaded { db: 0 });
                if self.servers[at].link.is_some() && !self.servers[at].link_received.is_empty() {
                    let count = self.servers[at].link_received.len() as u64;
                    self.tell(at, Input::StreamRead(count));
                }
            }
        }
        let fails = self.faults && self.rng.percent(1);
        let mut writes = Vec::new();
        let mut ended = None;
        let server = &mut self.servers[at];
        if let Some(snapshot) = &mut server.snapshot {
            let step = self.rng.between(1, 1 + snapshot.bytes.len() as u64 / 3) as usize;
            let upto = (snapshot.sent + step).min(snapshot.bytes.len());
            for member in &snapshot.members {
                writes.push((*member, snapshot.bytes[snapshot.sent..upto].to_vec()));
            }
            snapshot.sent = upto;
            if fails || upto == snapshot.bytes.len() {
                ended = Some(!fails);
            }
        }
        if ended.is_some()
            && let Some(snapshot) = server.snapshot.take()
            && snapshot.kind == SnapshotKind::Disk
        {
            server.file = Rc::new(snapshot.bytes);
        }
        let mut sent = Vec::new();
        for (client, file, position) in &mut server.sending {
            let upto = (*position + 1 + file.len() / 3).min(file.len());
            let written = *position;
            *position = upto;
            if written < upto {
                writes.push((*client, file[written..upto].to_vec()));
            }
            let under_way = self.pipes.get(client).map_or(0, |(_, _, pipe)| pipe.to_replica.len());
            if upto == file.len() && under_way == 0 {
                sent.push(*client);
            }
        }
        server.sending.retain(|(client, ..)| !sent.contains(client));
        for (client, bytes) in writes {
            self.write(client, &bytes);
            self.tell(at, Input::BulkProgress(ClientId(client)));
        }
        for client in sent {
            self.tell(at, Input::FileSent(ClientId(client)));
        }
        if let Some(ok) = ended {
            self.tell(at, Input::SnapshotEnded { ok });
        }
    }

    fn end_turn(&mut self, at: usize) {
        let mut out = Vec::new();
        let pipes = &mut self.pipes;
        let queued = |pipes: &BTreeMap<u64, (usize, usize, Pipe)>, client: ClientId| {
            pipes.get(&client.0).map_or(0, |(_, _, pipe)| pipe.to_replica.len())
        };
        self.servers[at].node.end_turn(self.now, |client| queued(pipes, client) as u64, &mut out);
        self.carry_out(at, out);
        let pipes = &mut self.pipes;
        self.servers[at].node.feed(|client, chunk| {
            if queued(pipes, client) > 8000 {
                return Room::Full;
            }
            if let Some((_, _, pipe)) = pipes.get_mut(&client.0) {
                pipe.to_replica.extend(chunk.as_bytes());
            }
            Room::Taken
        });
    }

    fn step(&mut self) {
        self.now = self.now + self.rng.below(40);
        let count = self.servers.len() as u64;
        if self.faults {
            let (at, other) = (self.rng.below(count) as usize, self.rng.below(count) as usize);
            match self.rng.below(400) {
                0 => self.tell(at, Input::Promote),
                1..=4 if !self.servers[at].node.is_failing_over() => {
                    self.tell(at, Input::ReplicaOf(address(other)));
                }
                5..=12 => {
                    let open: Vec<u64> = self.pipes.keys().copied().collect();
                    if !open.is_empty() {
                        let chosen = self.rng.below(open.len() as u64) as usize;
                        self.cut(open[chosen]);
                    }
                }
                13 => self.restart(at),
                14 => self.tell(at, Input::AckWanted),
                15..=18 => self.hand_over(at, other),
                19 => self.tell(at, Input::FailoverAbort),
                _ => {}
            }
        }
        for at in 0..self.servers.len() {
            let may_write = !self.servers[at].node.is_replica() && !self.servers[at].is_paused;
            if may_write && self.rng.percent(if self.faults { 30 } else { 1 }) {
                let len = if self.rng.percent(3) { self.rng.below(5000) } else { self.rng.below(60) };
                let noise: Vec<u8> = (0..len).map(|_| self.rng.next_u64() as u8).collect();
                self.execute(at, &command(&[b"W", &noise]));
            }
            // A tick may make another one due, as when a lost master is called again at once; but not for ever.
            for ticks in 0.. {
                if self.servers[at].node.next_deadline().is_none_or(|deadline| deadline > self.now) {
                    break;
                }
                assert!(ticks < 3, "a deadline that ticks do not meet");
                self.tell(at, Input::Tick);
            }
            self.apply(at);
            self.background(at);
            self.end_turn(at);
        }
        for number in self.pipes.keys().copied().collect::<Vec<_>>() {
            if self.rng.percent(60) {
                self.deliver(number);
            }
        }
        self.check();
    }

    /// FAILOVER, if it would not be refused.
    fn hand_over(&mut self, at: usize, to: usize) {
        let plan = Plan {
            target: self.rng.percent(50).then(|| address(to)),
            force: self.rng.percent(20),
            timeout_ms: self.rng.percent(70).then(|| self.rng.below(2000)),
        };
        if self.servers[at].node.refuse_failover(&plan).is_none() {
            self.tell(at, Input::Failover(plan));
        }
    }

    /// A server stops and starts again from the file it wrote on the way out.
    fn restart(&mut self, at: usize) {
        for number in self.pipes.keys().copied().collect::<Vec<_>>() {
            if self.pipes.get(&number).is_some_and(|(a, b, _)| *a == at || *b == at) {
                self.cut(number);
            }
        }
        let server = &mut self.servers[at];
        let saved = server.node.position(0);
        let master = server.node.link().map(Link::master).cloned();
        let settings = server.node.settings().clone();
        server.node = Node::new(settings, Rng::seeded(self.rng.next_u64()));
        (server.snapshot, server.incoming, server.load_pending) = (None, None, false);
        server.is_paused = false;
        if !server.whole {
            server.data.clear();
            server.whole = true;
        }
        if let Some(master) = master {
            server.node.start_as_replica(self.now, master);
        }
        if let Some(position) = saved {
            server.node.restore(self.now, position);
        }
    }

    fn check(&self) {
        let mut known: BTreeMap<(HexId, u64), (usize, &[u8])> = BTreeMap::new();
        for (at, server) in self.servers.iter().enumerate().filter(|(_, server)| server.whole) {
            // Without a backlog the offset does not count what is written.
            let Some(Position { id, end, .. }) = server.node.position(0) else { continue };
            if let Some((other, data)) = known.insert((id, end), (at, &server.data)) {
                assert!(data == server.data, "{other} and {at} differ at {id}:{end}");
            }
        }
    }

    /// The network becomes quiet, server 0 the master, the others a chain or a star.
    fn heal(&mut self) {
        self.faults = false;
        for at in 0..self.servers.len() {
            self.tell(at, Input::FailoverAbort);
        }
        // A data set that a failed load destroyed is gone; the master must be one that has its own.
        let top = self.servers.iter().position(|server| server.whole).unwrap_or(0);
        self.servers[top].whole = true;
        self.tell(top, Input::Promote);
        let mut previous = top;
        for at in (0..self.servers.len()).filter(|at| *at != top).collect::<Vec<_>>() {
            let master = if self.rng.percent(50) { previous } else { top };
            self.tell(at, Input::ReplicaOf(address(master)));
            previous = at;
        }
        for _ in 0..3000 {
            self.step();
        }
        // Let what is under way arrive, then compare.
        let equal = |world: &World| {
            // Not their offsets: one that fell back to SYNC does not know its master's.
            world.servers.iter().all(|server| server.data == world.servers[top].data)
        };
        for _ in 0..3000 {
            if equal(self) {
                return;
            }
            self.step();
        }
        let ends: Vec<_> =
            self.servers.iter().map(|s| (s.node.history().end(), s.node.link().map(Link::state))).collect();
        panic!("not equal after healing: {ends:?}");
    }
}

fn address(at: usize) -> HostPort {
    HostPort { host: "sim".into(), port: at as u16 + 1 }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// One array of bulk strings and its length, when it is complete.
fn parse(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let mut at = 0;
    let mut number = |mark: u8, skip: usize| -> Option<(usize, usize)> {
        at += skip;
        let end = at + bytes.get(at..)?.iter().position(|byte| *byte == b'\n')?;
        assert_eq!(bytes[at], mark, "the stream is out of step");
        let value = text(&bytes[at + 1..end - 1]).parse().expect("a number");
        at = end + 1;
        Some((value, at))
    };
    let (count, mut position) = number(b'*', 0)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let skip = words.last().map_or(0, |word: &Vec<u8>| word.len() + 2);
        let (len, start) = number(b'$', skip)?;
        words.push(bytes.get(start..start + len)?.to_vec());
        position = start + len + 2;
    }
    (bytes.len() >= position).then_some((words, position))
}

fn run(seed: u64) -> [u64; 2] {
    let mut world = World::new(seed, 2 + (seed % 4) as usize);
    let steps = 400 + world.rng.below(800);
    for _ in 0..steps {
        world.step();
    }
    world.heal();
    [world.partial, world.handovers]
}

/// Replicas equal their master at equal offsets; a partial resync never skips or repeats a byte.
#[test]
fn whatever_breaks_replicas_equal_their_master_at_equal_offsets() {
    if let Ok(seed) = std::env::var("SEED") {
        run(seed.parse().expect("SEED is a number"));
        return;
    }
    let seeds = std::env::var("SEEDS").map_or(300, |seeds| seeds.parse().expect("SEEDS is a number"));
    let (mut partial, mut handovers) = (0, 0);
    for seed in 0..seeds {
        let result = std::panic::catch_unwind(|| run(seed));
        match result {
            Ok(counts) => (partial, handovers) = (partial + counts[0], handovers + counts[1]),
            Err(panic) => {
                println!("SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    assert!(partial > seeds, "only {partial} partial resyncs happened");
    assert!(handovers > seeds / 8, "only {handovers} failovers by hand happened");
}

/// A master that lies, or something else that listens on its port.
#[test]
fn garbage_from_a_master_never_panics_and_is_never_taken_twice() {
    let words: [&[u8]; 16] = [
        b"+PONG\r\n",
        b"+OK\r\n",
        b"-ERR no\r\n",
        b"\n",
        b"\r\n",
        b"+CONTINUE\r\n",
        b"+FULLRESYNC ? -1\r\n",
        b"$5\r\nREDIS",
        b"$0\r\n",
        b"$-1\r\n",
        b"+FULLRESYNC 0123456789012345678901234567890123456789 9223372036854775807\r\n",
        b"+FULLRESYNC 0123456789012345678901234567890123456789 1\r\n",
        b"$EOF:0123456789012345678901234567890123456789\r\n",
        b"0123456789012345678901234567890123456789",
        b"$99999999999999999999\r\n",
        b"+CONTINUE 0123456789012345678901234567890123456789\r\n",
    ];
    for seed in 0..2000 {
        let mut rng = Rng::seeded(seed);
        let mut node = Node::new(Settings::default(), Rng::seeded(seed));
        let mut now = Instant::from_millis(5000);
        if rng.percent(50) {
            node.start_as_replica(now, address(0));
        } else {
            node.handle(now, Input::ReplicaOf(address(0)), &mut Vec::new());
        }
        let mut pending: Vec<u8> = Vec::new();
        for _ in 0..60 {
            now = now + rng.below(300);
            let mut out = Vec::new();
            node.handle(now, Input::Tick, &mut out);
            if out.iter().any(|output| matches!(output, Output::Connect(_))) {
                pending.clear();
                node.handle(now, Input::LinkConnected { has_data: true }, &mut out);
            }
            match rng.percent(80) {
                true => pending.extend_from_slice(words[rng.below(words.len() as u64) as usize]),
                false => pending.extend((0..rng.below(50)).map(|_| rng.next_u64() as u8)),
            }
            if node.link_up() == Some(true) {
                node.handle(now, Input::LinkClosed("garbage"), &mut out);
                continue;
            }
            node.handle(now, Input::LinkReceived(&pending), &mut out);
            let mut taken = 0;
            for output in &out {
                match output {
                    Output::Skip(count) | Output::Payload(count) => taken += count,
                    _ => {}
                }
            }
            assert!(taken <= pending.len(), "SEED={seed}");
            pending.drain(..taken);
            if out.contains(&Output::TransferDone) {
                node.handle(now, if rng.percent(50) { Input::LoadFailed } else { Input::Loaded { db: 0 } }, &mut out);
            }
        }
    }
}

/// A replica that lies.
#[test]
fn garbage_from_a_replica_never_panics() {
    for seed in 0..2000 {
        let mut rng = Rng::seeded(seed);
        let mut node = Node::new(Settings { diskless_delay_ms: 0, ..Settings::default() }, Rng::seeded(seed));
        let mut now = Instant::from_millis(5000);
        let extreme = [0, 1, -1, i64::MAX, i64::MIN, 50];
        for _ in 0..40 {
            now = now + rng.below(2000);
            let client = ClientId(rng.below(4));
            let number = extreme[rng.below(6) as usize];
            let id = node.history().identity().id();
            let replid: &[u8] = [id.as_bytes(), b"?", b"", &[0xff; 300]][rng.below(4) as usize];
            let input = match rng.below(10) {
                0 | 1 => Input::Sync { client, ip: "x", request: SyncRequest::Psync { replid, position: number } },
                2 => Input::Sync { client, ip: "x", request: SyncRequest::Sync },
                3 => Input::Ack { client, offset: number as u64, fsynced: Some(number as u64) },
                4 => Input::FileSent(client),
                5 => Input::BulkProgress(client),
                6 => Input::ClientClosed(client),
                7 => Input::Replconf(client, ReplicaOption::RdbOnly(rng.percent(50))),
                8 => Input::AckWanted,
                _ => Input::Tick,
            };
            let mut out = Vec::new();
            node.handle(now, input, &mut out);
            node.propagate(b"0123456789");
            for output in std::mem::take(&mut out) {
                match output {
                    Output::StartSnapshot { kind, .. } => {
                        node.handle(now, Input::SnapshotStarted(kind), &mut out);
                        node.handle(now, Input::SnapshotEnded { ok: rng.percent(80) }, &mut out);
                    }
                    Output::CloseReplica { client, .. } => node.handle(now, Input::ClientClosed(client), &mut out),
                    _ => {}
                }
            }
            node.end_turn(now, |_| 0, &mut out);
            node.feed(|_, _| Room::Taken);
        }
    }
}
