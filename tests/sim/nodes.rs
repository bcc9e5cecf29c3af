//! Sentinel processes: the real core, and a shell of the simplest kind around it.

use std::collections::{BTreeMap, VecDeque};

use rredis::base::id::HexId;
use rredis::base::quote::split_args;
use rredis::base::rng::Rng;
use rredis::base::time::{Instant, Now};
use rredis::resp::value::Value;
use rredis::sentinel::core::address::Address;
use rredis::sentinel::core::coordinated_state::Reader;
use rredis::sentinel::core::io::{
    Command, CommandReply, ConnId, DownQuestion, Event as SentinelEvent, Input, LinkKind, Output, Outputs, ReplySlot,
    Tag,
};
use rredis::sentinel::core::settings::{Environment, MasterSettings, MasterState, Periods, State};
use rredis::sentinel::core::{HELLO_CHANNEL, Sentinel};

use crate::faults::Fault;
use crate::network::{Host, Message, Process, Way};
use crate::processes::Life;
use crate::world::{DATA_PORT, Happening, MASTER, SENTINEL_PORT, World, ip_of};

/// A Sentinel process: the core, and a shell of the simplest kind.
pub struct Node {
    pub life: Life,
    pub host: Host,
    pub core: Option<Sentinel>,
    /// What the disk holds.
    pub file: String,
    pub is_disk_broken: bool,
    /// Core connection to network connection, and back.
    pub outgoing: BTreeMap<ConnId, u64>,
    pub conns: BTreeMap<u64, (ConnId, LinkKind, VecDeque<Tag>)>,
    /// Answers owed to each client, in order; `None` while not known.
    pub owed: BTreeMap<u64, VecDeque<(u64, Option<Value>)>>,
    next_slot: u64,
    pub timer_at: Option<u64>,
    writes_until: u64,
    /// Clock: speed in thousandths, and how far the wall clock is off.
    pub speed: u64,
    pub wall_shift: i64,
    pub events: Vec<(u64, SentinelEvent)>,
    pub replies: Vec<CommandReply>,
}

impl Node {
    pub fn new(host: Host, speed: u64) -> Node {
        Node {
            life: Life::default(),
            host,
            core: None,
            file: String::new(),
            is_disk_broken: false,
            outgoing: BTreeMap::new(),
            conns: BTreeMap::new(),
            owed: BTreeMap::new(),
            next_slot: 0,
            timer_at: None,
            writes_until: 0,
            speed,
            wall_shift: 0,
            events: Vec::new(),
            replies: Vec::new(),
        }
    }
}

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
        node.owed.clear();
        node.timer_at = None;
        self.perform(index, out);
        self.tell(index, Input::Timer);
    }

    fn first_state(&mut self, index: usize) -> State {
        let shape = &self.shape;
        let mut settings = MasterSettings::new(shape.quorum, &Periods::default());
        settings.down_after = shape.down_after;
        settings.failover_timeout = shape.failover_timeout;
        settings.parallel_syncs = shape.parallel_syncs;
        let master = MasterState {
            name: MASTER.to_owned(),
            address: Address::new(&ip_of(0), DATA_PORT),
            settings,
            config_epoch: 0,
            leader_epoch: 0,
            replicas: Vec::new(),
            sentinels: Vec::new(),
        };
        let id = format!("{:040x}", (u128::from(self.rng.next_u64()) << 16) + index as u128);
        State { id: HexId::parse(id.as_bytes()), masters: vec![master], ..State::default() }
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
        let slot = ReplySlot(u64::MAX);
        self.tell(index, Input::Command { slot, command });
        self.nodes[index].replies.get(before).cloned()
    }

    fn perform(&mut self, index: usize, mut out: Outputs) {
        let life = self.nodes[index].life.number;
        for output in out.drain().collect::<Vec<Output>>() {
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
                    let words: Vec<Vec<u8>> = command.as_args().iter().map(<[u8]>::to_vec).collect();
                    self.check_question(index, &words);
                    self.nodes[index].conns.get_mut(&id).expect("as long as outgoing").2.push_back(tag);
                    self.send(id, Way::ToServer, Message::Request(words));
                }
                Output::Persist(ticket) => {
                    let node = &self.nodes[index];
                    let text = file_text(node.core.as_ref().expect("it asked"));
                    let text = (!node.is_disk_broken).then_some(text);
                    let took = self.rng.between(self.shape.disk.0, self.shape.disk.1);
                    // One write after the other.
                    let done = self.nodes[index].writes_until.max(self.now) + took;
                    self.nodes[index].writes_until = done;
                    self.at(done, Happening::Saved { sentinel: index, life, ticket, text });
                    if self.is_troubled && self.rng.percent(self.shape.crash_at_persist) {
                        // After this turn: what it says now is said, what the disk has not kept is forgotten.
                        let process = Process::Sentinel(index);
                        let back = self.now + 2 + self.rng.below(50);
                        self.at(self.now, Happening::Fault(Fault::Kill(process)));
                        self.at(back, Happening::Fault(Fault::Start(process)));
                    }
                }
                Output::Reply { slot, reply } => self.reply(index, slot, reply),
                Output::Event(event) => {
                    self.note(format!("S{index} {} {}", event.name, event.payload));
                    self.check_event(index, &event);
                    self.nodes[index].events.push((self.now, event));
                }
                Output::Log(line) => self.note(format!("S{index} log {line:?}")),
                Output::Exit(_) => self.kill(Process::Sentinel(index)),
                Output::RunScript { .. }
                | Output::KillScript { .. }
                | Output::Resolve { .. }
                | Output::SetLogLevel(_) => {}
            }
        }
    }

    fn check_question(&mut self, index: usize, words: &[Vec<u8>]) {
        if words.len() == 6 && words[1] == b"is-master-down-by-addr" && words[5] != b"*" {
            let epoch = String::from_utf8_lossy(&words[4]).parse().expect("an epoch");
            let candidate = String::from_utf8_lossy(&words[5]).into_owned();
            if let Err(why) = self.checks.vote_told(index, epoch, &candidate) {
                self.fail(&why);
            }
        }
    }

    fn check_event(&mut self, index: usize, event: &SentinelEvent) {
        let verdict = match event.name {
            "+elected-leader" => {
                let core = self.nodes[index].core.as_ref().expect("it speaks");
                let failover = core.master(MASTER).and_then(|master| master.failover.clone());
                failover.map_or(Ok(()), |failover| self.checks.elected(index, failover.epoch, failover.is_forced))
            }
            "+selected-slave" => self.check_choice(index, event),
            "+promoted-slave" => {
                let core = self.nodes[index].core.as_ref().expect("it speaks");
                let epoch = core.master(MASTER).map_or(0, |master| master.config_epoch);
                self.checks.promoted(epoch, self.now);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(why) = verdict {
            self.fail(&why);
        }
    }

    /// The chosen replica is not worse than another that could have been chosen. Only asked once the old master is dead:
    /// while it lives, offsets move.
    fn check_choice(&self, index: usize, event: &SentinelEvent) -> Result<(), String> {
        let chosen_ip = event.payload.split(' ').nth(2).unwrap_or_default();
        let node = &self.nodes[index];
        let core = node.core.as_ref().expect("it speaks");
        let Some(master) = core.master(MASTER) else { return Ok(()) };
        let master_ip = master.instance.address.announced(false);
        let Some(Process::Server(master_index)) = self.process_at(&master_ip, DATA_PORT) else { return Ok(()) };
        if self.servers[master_index].0.is_running {
            return Ok(());
        }
        let of = |ip: &str| self.servers.iter().find(|(.., server)| server.ip == ip);
        let Some((_, _, chosen)) = of(chosen_ip) else { return Err(format!("{chosen_ip} is no server")) };
        for replica in &master.replicas {
            let Some((life, host, other)) = of(&replica.instance.address.announced(false)) else { continue };
            let in_reach = !self.network.is_blocked(node.host, *host) && !self.network.is_blocked(*host, node.host);
            let is_fit = life.is_running
                && !life.is_stopped
                && in_reach
                && self.now > other.loading_until + 1000
                && replica.observed.refreshed.is_some_and(|at| self.clock(index).mono.since(at) < 50)
                && !replica.instance.is_down
                && other.priority != 0
                && !other.refuses_promotion
                && !other.is_master()
                && !other.is_link_up();
            if is_fit
                && (other.priority, chosen.offset()) < (chosen.priority, other.offset())
                && other.priority <= chosen.priority
            {
                let (chosen, other) = (chosen.offset(), other.offset());
                return Err(format!("chose a replica at offset {chosen}, another in reach was at {other}"));
            }
        }
        Ok(())
    }

    pub fn serve_sentinel(&mut self, index: usize, id: u64, words: &[Vec<u8>]) {
        let word = |n: usize| words.get(n).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
        let name = word(0).to_ascii_uppercase();
        let node = &mut self.nodes[index];
        node.next_slot += 1;
        let slot = node.next_slot;
        node.owed.entry(id).or_default().push_back((slot, None));
        let value = match (name.as_str(), word(1).as_str()) {
            ("PING", _) => Value::Simple("PONG".into()),
            ("PUBLISH", _) => {
                assert_eq!(words[1], HELLO_CHANNEL);
                let payload = words[2].clone();
                self.tell(index, Input::Hello { payload: &payload });
                Value::Int(1)
            }
            ("SENTINEL", "is-master-down-by-addr") => {
                let question = DownQuestion {
                    host: word(2),
                    port: word(3).parse().unwrap_or(0),
                    epoch: word(4).parse().unwrap_or(0),
                    candidate: word(5),
                };
                return self.tell(index, Input::Asked { slot: ReplySlot(slot), question });
            }
            ("SENTINEL", "get-master-addr-by-name") => {
                let core = node.core.as_ref().expect("it runs");
                match core.master_address(&word(2)) {
                    Some((host, port)) => Value::Array(vec![Value::bulk(&host), Value::bulk(&port.to_string())]),
                    None => Value::Null,
                }
            }
            _ => Value::ok(),
        };
        self.settle(index, slot, value);
    }

    fn reply(&mut self, index: usize, slot: ReplySlot, reply: CommandReply) {
        if slot.0 == u64::MAX {
            return self.nodes[index].replies.push(reply);
        }
        let value = match &reply {
            CommandReply::Down { down, leader, leader_epoch } => {
                if let Some(leader) = leader
                    && let Err(why) = self.checks.vote_told(index, *leader_epoch, leader.as_str())
                {
                    self.fail(&why);
                }
                let leader = leader.map_or("*".to_owned(), |id| id.to_string());
                Value::Array(vec![Value::Int(i64::from(*down)), Value::bulk(&leader), Value::Int(*leader_epoch as i64)])
            }
            CommandReply::Ok => Value::ok(),
            CommandReply::Int(number) => Value::Int(*number),
            CommandReply::Error(text) => Value::Error(text.clone().into()),
        };
        self.settle(index, slot.0, value);
    }

    /// An answer is known; it leaves once those before it have left.
    fn settle(&mut self, index: usize, slot: u64, value: Value) {
        let owed = &mut self.nodes[index].owed;
        let Some((&id, queue)) = owed.iter_mut().find(|(_, queue)| queue.iter().any(|(owed, _)| *owed == slot)) else {
            return;
        };
        queue.iter_mut().filter(|(owed, _)| *owed == slot).for_each(|(_, answer)| *answer = Some(value.clone()));
        let mut ready = Vec::new();
        while let Some((_, Some(_))) = queue.front() {
            ready.extend(queue.pop_front().and_then(|(_, value)| value));
        }
        for value in ready {
            self.send(id, Way::ToClient, Message::Reply(value));
        }
    }
}
