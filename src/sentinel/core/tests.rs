//! A bench for one Sentinel: a hand-driven clock, a disk that takes everything, and servers that answer as told.

use super::io::*;
use super::settings::{Environment, MasterSettings, Periods, State};
use super::*;
use crate::base::rng::Rng;
use crate::base::time::Now;
use crate::resp::value::Value;

/// What a connection leads to.
struct Server {
    conn: ConnId,
    kind: LinkKind,
    address: String,
}

pub struct Bench {
    pub sentinel: Sentinel,
    pub events: Vec<Event>,
    pub log: Vec<LogLine>,
    pub replies: Vec<(ReplySlot, CommandReply)>,
    /// Every command sent, as words joined by spaces.
    pub sent: Vec<String>,
    now: Now,
    servers: Vec<Server>,
    /// INFO by address.
    infos: Vec<(String, String)>,
    ping: Option<Value>,
    is_answering: bool,
    disk_works: bool,
    /// Tickets the disk has not come to yet, while it is held.
    held_tickets: Option<Vec<Ticket>>,
    silent: Vec<String>,
    refuses_subscriptions: bool,
    publish: Value,
    /// Connections asked for.
    pub connects: usize,
    /// Look-ups asked for.
    pub lookups: Vec<ResolveId>,
    /// Sentinels that see the master down and vote for whoever asks.
    agreeing: Vec<String>,
}

/// Names of events, in order.
pub fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.name).collect()
}

impl Bench {
    pub fn empty() -> Bench {
        Bench::with_state(State { id: HexId::parse(&[b'5'; 40]), ..State::default() })
    }

    pub fn with_state(state: State) -> Bench {
        let now = Now { mono: Instant::from_millis(1_000_000), mono_us: 0, wall_us: 1_700_000_000_000_000 };
        let environment = Environment { port: 26379, requirepass: None, is_executable: |path| path.starts_with("/ok") };
        let mut out = Outputs::new();
        let sentinel = Sentinel::new(state, environment, Rng::seeded(1), now, &mut out);
        let mut bench = Bench {
            sentinel,
            events: Vec::new(),
            log: Vec::new(),
            replies: Vec::new(),
            sent: Vec::new(),
            now,
            servers: Vec::new(),
            infos: Vec::new(),
            ping: Some(Value::Simple("PONG".into())),
            is_answering: true,
            disk_works: true,
            held_tickets: None,
            silent: Vec::new(),
            agreeing: Vec::new(),
            refuses_subscriptions: false,
            publish: Value::Int(1),
            connects: 0,
            lookups: Vec::new(),
        };
        bench.perform(out.drain().collect());
        bench
    }

    /// `mymaster` at 10.0.0.1:6379, quorum 2.
    pub fn watching_one_master(down_after: u64) -> Bench {
        let mut settings = MasterSettings::new(2, &Periods::default());
        settings.down_after = down_after;
        let master = settings::MasterState {
            name: "mymaster".into(),
            address: Address::new("10.0.0.1", 6379),
            settings,
            config_epoch: 0,
            leader_epoch: 0,
            replicas: Vec::new(),
            sentinels: Vec::new(),
        };
        let mut bench =
            Bench::with_state(State { id: HexId::parse(&[b'5'; 40]), masters: vec![master], ..State::default() });
        bench.answer_info_with("role:master\r\n");
        bench
    }

    pub fn now(&self) -> Now {
        self.now
    }

    pub fn advance(&mut self, ms: u64) {
        self.now.mono = self.now.mono + ms;
        self.now.mono_us += ms * 1000;
        self.now.wall_us += ms as i64 * 1000;
    }

    pub fn shift_wall(&mut self, us: i64) {
        self.now.wall_us += us;
    }

    /// One call, its outputs kept as they are.
    pub fn timer(&mut self) -> Vec<Output> {
        self.raw(Input::Timer)
    }

    pub fn script_ended(&mut self, job: JobId, end: ScriptEnd) -> Vec<Output> {
        self.raw(Input::ScriptEnded { job, end })
    }

    pub fn script_started(&mut self, job: JobId, pid: i64) -> Vec<Output> {
        self.raw(Input::ScriptStarted { job, pid })
    }

    fn raw(&mut self, input: Input<'_>) -> Vec<Output> {
        let mut out = Outputs::new();
        self.sentinel.handle(self.now, input, &mut out);
        out.drain().collect()
    }

    /// One call whose outputs are performed: connections succeed, servers answer.
    pub fn give(&mut self, input: Input<'_>) {
        let outputs = self.raw(input);
        self.perform(outputs);
    }

    pub fn command(&mut self, command: Command) -> CommandReply {
        let slot = ReplySlot(self.replies.len() as u64 + 1000);
        self.give(Input::Command { slot, command });
        let found = self.replies.iter().rev().find(|(answered, _)| *answered == slot);
        found.map(|(_, reply)| reply.clone()).expect("the command was answered")
    }

    pub fn ask(&mut self, host: &str, port: i64, epoch: u64, candidate: &str) -> CommandReply {
        let slot = ReplySlot(self.replies.len() as u64 + 1000);
        let question = DownQuestion { host: host.into(), port, epoch, candidate: candidate.into() };
        self.give(Input::Asked { slot, question });
        let found = self.replies.iter().rev().find(|(answered, _)| *answered == slot);
        found.map(|(_, reply)| reply.clone()).expect("the question was answered")
    }

    pub fn hello(&mut self, payload: &str) {
        self.give(Input::Hello { payload: payload.as_bytes() });
    }

    pub fn stop_answering(&mut self) {
        self.is_answering = false;
    }

    pub fn break_disk(&mut self) {
        self.disk_works = false;
    }

    pub fn repair_disk(&mut self) {
        self.disk_works = true;
    }

    /// The disk takes its time until `let_disk_finish`.
    pub fn hold_disk(&mut self) {
        self.held_tickets = Some(Vec::new());
    }

    pub fn let_disk_finish(&mut self) {
        for ticket in self.held_tickets.take().unwrap_or_default() {
            self.give(Input::Persisted { ticket });
        }
    }

    /// The server at this address answers nothing any more.
    pub fn silence(&mut self, address: &str) {
        self.silent.push(address.to_owned());
    }

    /// The Sentinel at this address says that the master is down, and votes for whoever asks.
    pub fn answer_down_with(&mut self, address: &str) {
        self.agreeing.push(address.to_owned());
    }

    pub fn refuse_subscriptions(&mut self) {
        self.refuses_subscriptions = true;
    }

    pub fn answer_publish_with(&mut self, value: Value) {
        self.publish = value;
    }

    pub fn answer_ping_with(&mut self, value: Value) {
        self.ping = Some(value);
    }

    /// INFO of the master.
    pub fn answer_info_with(&mut self, text: &str) {
        self.set_info("10.0.0.1:6379", text);
    }

    pub fn set_info(&mut self, address: &str, text: &str) {
        self.infos.retain(|(known, _)| known != address);
        self.infos.push((address.to_owned(), text.to_owned()));
    }

    /// A replica on port 6379 that the master lists from now on.
    pub fn add_replica(&mut self, ip: &str, info: &str) {
        let (_, master) = self.infos.iter_mut().find(|(address, _)| address == "10.0.0.1:6379").expect("the master");
        let count = master.matches("state=online").count();
        master.push_str(&format!("slave{count}:ip={ip},port=6379,state=online,offset=1,lag=0\r\n"));
        self.set_info(&format!("{ip}:6379"), info);
    }

    /// Lets time pass; the servers do what they do.
    pub fn run(&mut self, ms: u64) {
        let end = self.now.mono + ms;
        loop {
            let due = self.sentinel.next_deadline().unwrap_or(end).max(self.now.mono);
            if due > end {
                break;
            }
            self.advance(due.since(self.now.mono));
            self.give(Input::Timer);
            let after = self.sentinel.next_deadline();
            assert!(after.is_none_or(|after| after > self.now.mono), "the core wants to be called again at once");
        }
        let rest = end.since(self.now.mono);
        self.advance(rest);
        self.give(Input::Timer);
    }

    pub fn run_answering(&mut self, ms: u64) {
        self.is_answering = true;
        self.run(ms);
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Connect { conn, kind, ip, port } => {
                    self.connects += 1;
                    self.servers.push(Server { conn, kind, address: format!("{ip}:{port}") });
                    if self.is_answering {
                        self.give(Input::Connected { conn, local_ip: "10.0.9.9".parse().unwrap() });
                    }
                }
                Output::Disconnect { conn } => self.servers.retain(|server| server.conn != conn),
                Output::Send { conn, command, tag } => {
                    let words: Vec<String> =
                        command.as_args().iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
                    self.sent.push(words.join(" "));
                    self.answer(conn, &words, tag);
                }
                Output::Persist(ticket) if self.held_tickets.is_some() => {
                    self.held_tickets.as_mut().expect("just seen").push(ticket);
                }
                Output::Persist(ticket) if self.disk_works => self.give(Input::Persisted { ticket }),
                Output::Persist(ticket) => self.give(Input::PersistFailed { ticket }),
                Output::Reply { slot, reply } => self.replies.push((slot, reply)),
                Output::Event(event) => self.events.push(event),
                Output::Log(line) => self.log.push(line),
                Output::Resolve { id, .. } => self.lookups.push(id),
                Output::RunScript { .. } | Output::KillScript { .. } | Output::SetLogLevel(_) | Output::Exit(_) => {}
            }
        }
    }

    fn answer(&mut self, conn: ConnId, words: &[String], tag: Tag) {
        let Some(server) = self.servers.iter().find(|server| server.conn == conn) else { return };
        if !self.is_answering || self.silent.contains(&server.address) {
            return;
        }
        let agrees = self.agreeing.contains(&server.address);
        let info = self.infos.iter().find(|(address, _)| *address == server.address);
        let value = match words[0].as_str() {
            "PING" => self.ping.clone(),
            "INFO" => info.map(|(_, text)| Value::bulk(text)),
            "PUBLISH" => Some(self.publish.clone()),
            "SUBSCRIBE" if self.refuses_subscriptions => Some(Value::Error("NOAUTH Authentication required.".into())),
            "SUBSCRIBE" => Some(Value::Array(Vec::new())),
            "SENTINEL" if agrees => {
                let epoch = if words[5] == "*" { 0 } else { words[4].parse().expect("an epoch") };
                Some(Value::Array(vec![Value::Int(1), Value::bulk(&words[5]), Value::Int(epoch)]))
            }
            _ => Some(Value::ok()),
        };
        let is_pubsub = server.kind == LinkKind::PubSub;
        if let Some(value) = value {
            self.give(Input::Reply { conn, tag, value: &value });
        }
        // A published hello comes back on the subscribed connection and shows that it lives.
        if words[0] == "PUBLISH" && !is_pubsub {
            let address = server_address(&self.servers, conn);
            let echo = self
                .servers
                .iter()
                .find(|server| server.kind == LinkKind::PubSub && Some(&server.address) == address.as_ref());
            if let Some(conn) = echo.map(|server| server.conn) {
                let payload = words[2].clone();
                self.give(Input::Published { conn, payload: payload.as_bytes() });
            }
        }
    }
}

fn server_address(servers: &[Server], conn: ConnId) -> Option<String> {
    servers.iter().find(|server| server.conn == conn).map(|server| server.address.clone())
}

/// Reads a configuration text of `sentinel …` lines.
pub fn read_lines(text: &str) -> Result<State, coordinated_state::Refused> {
    let words = |line: &str| crate::base::quote::split_args(line.as_bytes()).expect("balanced quotes");
    let lines: Vec<Vec<Vec<u8>>> = text.lines().map(|line| words(line)[1..].to_vec()).collect();
    coordinated_state::Reader { resolve: &|_| None, is_executable: &|path| path.starts_with("/ok") }.read(&lines)
}

impl Bench {
    /// A Sentinel started from these lines.
    pub fn restarted(lines: &[coordinated_state::StateLine]) -> Bench {
        let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        Bench::with_state(read_lines(&text.join("\n")).expect("what was written reads back"))
    }
}
