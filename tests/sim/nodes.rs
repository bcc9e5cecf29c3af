//! Sentinel processes: the real core, and a shell of the simplest kind around it.

use std::collections::{BTreeMap, VecDeque};

use rredis::base::id::HexId;
use rredis::base::quote::split_args;
use rredis::base::rng::Rng;
use rredis::base::time::{Instant, Now};
use rredis::sentinel::core::Sentinel;
use rredis::sentinel::core::address::Address;
use rredis::sentinel::core::coordinated_state::Reader;
use rredis::sentinel::core::io::{
    Command, CommandReply, ConnId, Event as SentinelEvent, Input, LinkKind, Output, Outputs, ReplySlot, Tag, Ticket,
};
use rredis::sentinel::core::settings::{Environment, MasterSettings, MasterState, Periods, State};

use crate::answers::Answers;
use crate::faults::Fault;
use crate::network::{Host, Message, Process, Way};
use crate::processes::Life;
use crate::shape::{DATA_PORT, SENTINEL_PORT, Sabotage, ip_of, name_of};
use crate::tally::Count;
use crate::world::{Happening, World};

/// A Sentinel process: the core, and a shell of the simplest kind.
pub struct Node {
    pub life: Life,
    pub host: Host,
    id: HexId,
    pub core: Option<Sentinel>,
    /// What the disk holds.
    pub file: String,
    pub is_disk_broken: bool,
    /// What every write to the disk takes longer than usual.
    pub disk_delay: u64,
    /// Core connection to network connection, and back.
    pub outgoing: BTreeMap<ConnId, u64>,
    pub conns: BTreeMap<u64, (ConnId, LinkKind, VecDeque<Tag>)>,
    /// What its clients asked.
    pub answers: Answers,
    pub timer_at: Option<u64>,
    /// Until when the disk is at work.
    pub writes_until: u64,
    /// Clock: speed in thousandths, and how far the wall clock is off.
    pub speed: u64,
    pub wall_shift: i64,
    pub events: Vec<(u64, SentinelEvent)>,
    pub replies: Vec<CommandReply>,
}

impl Node {
    pub fn new(host: Host, speed: u64, id: HexId) -> Node {
        Node {
            life: Life::default(),
            host,
            id,
            core: None,
            file: String::new(),
            is_disk_broken: false,
            disk_delay: 0,
            outgoing: BTreeMap::new(),
            conns: BTreeMap::new(),
            answers: Answers::default(),
            timer_at: None,
            writes_until: 0,
            speed,
            wall_shift: 0,
            events: Vec::new(),
            replies: Vec::new(),
        }
    }
}

/// The slot of commands that nobody sent over the network.
pub const COMMAND: ReplySlot = ReplySlot(u64::MAX);

pub fn file_text(core: &Sentinel) -> String {
    let lines: Vec<String> = core.state_lines().into_iter().map(|line| line.text).collect();
    lines.join("\n")
}

impl World {
    pub fn start_sentinel(&mut self, index: usize) {
        let host = self.nodes[index].host;
        if self.nodes[index].life.is_running || !self.is_up(host) {
            return;
        }
        let state = if self.nodes[index].life.number == 0 { self.first_state(index) } else { self.read_file(index) };
        let life = &mut self.nodes[index].life;
        self.tally.add(Count::Restarts, u64::from(life.number > 0));
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
        node.answers = Answers::default();
        node.timer_at = None;
        // What the one before had not written never will be.
        node.writes_until = self.now;
        self.perform(index, out);
        let words = ["tilt-period".into(), self.shape.tilt.to_string().into()].to_vec();
        self.command(index, Command::Debug { words });
        self.tell(index, Input::Timer);
    }

    fn first_state(&self, index: usize) -> State {
        let masters = (0..self.shape.masters).map(|group| self.first_master(index, group)).collect();
        State { id: Some(self.nodes[index].id), masters, ..State::default() }
    }

    fn first_master(&self, index: usize, group: usize) -> MasterState {
        let shape = &self.shape;
        let mut settings = MasterSettings::new(shape.quorum, &Periods::default());
        settings.down_after = shape.down_after;
        settings.failover_timeout = shape.failover_timeout;
        settings.parallel_syncs = shape.parallel_syncs;
        let first = shape.first_of(group);
        let server = |server: usize| Address::new(&ip_of(server), DATA_PORT);
        let (mut replicas, mut sentinels) = (Vec::new(), Vec::new());
        if shape.is_acquainted {
            replicas.extend((first + 1..first + shape.servers).map(server));
            let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != index);
            sentinels.extend(
                others.map(|(_, node)| (Address::new(&ip_of(node.host), SENTINEL_PORT), node.id.as_str().to_owned())),
            );
        }
        MasterState {
            name: name_of(group).to_owned(),
            address: server(first),
            settings,
            config_epoch: 0,
            leader_epoch: 0,
            replicas,
            sentinels,
        }
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
        self.tell(index, Input::Command { slot: COMMAND, command });
        self.nodes[index].replies.get(before).cloned()
    }

    fn perform(&mut self, index: usize, mut out: Outputs) {
        for output in out.drain() {
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
                    if let Tag::MasterDown { .. } = tag {
                        self.check_question(index, &command.as_args());
                    }
                    self.nodes[index].conns.get_mut(&id).expect("as long as outgoing").2.push_back(tag);
                    self.send(id, Way::ToServer, Message::Request(command));
                }
                Output::Persist(ticket) => self.persist(index, ticket),
                Output::Reply { slot, reply } => self.reply(index, slot, reply),
                Output::Event(event) => {
                    self.note(|| format!("S{index} {} {}", event.name, event.payload));
                    self.check_event(index, &event);
                    self.nodes[index].events.push((self.now, event));
                }
                Output::Log(line) => self.note(|| format!("S{index} log {line:?}")),
                Output::Exit(_) => self.kill(Process::Sentinel(index)),
                Output::RunScript { .. }
                | Output::KillScript { .. }
                | Output::Resolve { .. }
                | Output::SetLogLevel(_) => {}
            }
        }
    }

    fn persist(&mut self, index: usize, ticket: Ticket) {
        let node = &self.nodes[index];
        let text = (!node.is_disk_broken).then(|| file_text(node.core.as_ref().expect("it asked")));
        let took = self.rng.between(self.shape.disk.0, self.shape.disk.1) + node.disk_delay;
        // One write after the other.
        let done = node.writes_until.max(self.now) + took;
        self.nodes[index].writes_until = done;
        let life = self.nodes[index].life.number;
        self.at(done, Happening::Saved { sentinel: index, life, ticket, text });
        if self.is_troubled && self.rng.percent(self.shape.crash_at_persist) {
            // After this turn, when what it says now is said and the disk has kept nothing, or when it has just kept it.
            let crash = if self.rng.percent(60) { self.now } else { done + self.rng.below(20) };
            self.at(crash, Happening::Fault(Fault::CrashWhileSaving(index)));
        }
    }

    /// The disk has kept something, or not.
    pub fn saved(&mut self, index: usize, life: u32, ticket: Ticket, text: Option<String>) {
        let forgets = self.shape.sabotage == Sabotage::DisksForget;
        let node = &mut self.nodes[index];
        if node.life.number != life || !node.life.is_running {
            return;
        }
        // The disk works on while the process is stopped; the news waits.
        let is_saved = text.is_some();
        if let Some(text) = text.filter(|_| !forgets) {
            node.file = text;
        }
        if node.life.is_stopped {
            let text = is_saved.then(|| node.file.clone());
            return node.life.backlog.push(Happening::Saved { sentinel: index, life, ticket, text });
        }
        let input = if is_saved { Input::Persisted { ticket } } else { Input::PersistFailed { ticket } };
        self.tell(index, input);
    }
}
