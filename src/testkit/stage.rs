//! A server of a few lines: the real engine and the real path of a command (`exec`), without sockets. There is one client;
//! tests of what clients do to each other bring in more ([`Stage::turn_to`]).
//!
//! What replicas and the AOF would receive is read back from the journal; keyspace events arrive at a subscriber that
//! exists only as an id.

use bytes::Bytes;
use hashbrown::HashMap;

use crate::acl::Acl;
use crate::base::id::ClientId;
use crate::base::quote::quoted_if_needed;
use crate::base::rng::Rng;
use crate::base::time::{Instant, Now};
use crate::commands;
use crate::commands::contract::{CommandResult, DataSettings};
use crate::config::model::Config;
use crate::config::values::EventClasses;
use crate::exec::blocked::{self, BlockedClients, End};
use crate::exec::functions::Functions;
use crate::exec::gates::{Caller, Facts};
use crate::exec::journal::Journal;
use crate::exec::memory::Shortage;
use crate::exec::scripts::Scripts;
use crate::exec::watch::{WatchTable, note_change};
use crate::exec::{Engine, Handler, Heard, Host, Verdict, execute, flow, tracking};
use crate::keyspace::Keyspace;
use crate::pubsub::{Message, PubSub, Space};
use crate::resp::args::{Args, OwnedArgs};
use crate::resp::out::Out;
use crate::resp::reply::Reply;
use crate::session::context::{Pause, Unblock};
use crate::session::{Figures, Peers, Program, Role, Session, handlers};
use crate::spec::{Command, Flags, Table};
use crate::stats::command::CommandStats;
use crate::stats::counters::Counters;
use crate::stats::slowlog::SlowLog;

/// Where the clock stands at the beginning, in milliseconds since 1970.
pub const BEGIN_MS: u64 = 1_000_000;

/// The subscriber to keyspace events.
const LISTENER: ClientId = ClientId(u64::MAX);

/// There are no administrative commands here.
#[derive(Clone, Copy)]
pub enum NoAdmin {}

/// How much memory is said to be in use.
#[derive(Clone, Copy, Debug)]
pub enum MemoryInUse {
    /// So many bytes.
    Fixed(u64),
    /// So many for each key.
    PerKey(u64),
}

/// The server.
pub struct Stage {
    /// The client whose turn it is. Tests may set its database or protocol.
    pub session: Session,
    /// What everything works on.
    pub engine: Engine,
    /// How much memory is said to be in use.
    pub memory_in_use: MemoryInUse,
    table: Table<Handler<NoAdmin>>,
    others: Others,
    now_ms: u64,
}

/// The other clients: the subscriber, and those whose turn it is not.
#[derive(Default)]
struct Others {
    heard: Vec<Bytes>,
    clients: HashMap<ClientId, Session>,
    /// What each client heard that nobody asked for yet.
    outputs: HashMap<ClientId, Out>,
    unblocked: Vec<(ClientId, Unblock)>,
}

impl Default for Stage {
    fn default() -> Stage {
        let mut table = Table::builder().add_containers(flow::CONTAINERS);
        for family in flow::TABLES {
            table = table.add(family, Handler::Flow);
        }
        for family in commands::TABLES {
            table = table.add(family, Handler::Data);
        }
        for containers in commands::CONTAINERS {
            table = table.add_containers(containers);
        }
        for family in handlers::FAMILIES {
            table = table.add(family, Handler::Session);
        }
        let table = table.add_containers(handlers::CONTAINERS).build();

        let settings = DataSettings::default();
        let mut config = Config::default();
        config.keyspace.notify_keyspace_events = EventClasses::ALL.and(EventClasses::KEYEVENT);
        let mut pubsub = PubSub::new();
        pubsub.subscribe(LISTENER, Space::Pattern, b"__keyevent@*");
        let acl = Acl::new();
        let mut engine = Engine {
            keyspace: Keyspace::new(settings.databases as u32, Rng::seeded(1)),
            journal: Journal::default(),
            watch: WatchTable::default(),
            tracking: Default::default(),
            blocked: BlockedClients::default(),
            pubsub,
            program: Program { version: "0", role: Role::Master, databases: settings.databases },
            settings,
            config,
            facts: Facts::default(),
            counters: Counters::default(),
            dirty_since_save: 0,
            shortage: Shortage::default(),
            scripts: Scripts::default(),
            functions: Functions::default(),
            command_stats: CommandStats::new(table.catalog().len()),
            slowlog: SlowLog::new(-1, 0),
            latency: Default::default(),
            monitors: Vec::new(),
            rng: Rng::seeded(2),
            now: Now::at_millis(BEGIN_MS),
            depth: 0,
            acl,
        };
        engine.refresh_observers();
        engine.journal.set_on(true);
        let session = Session::new(ClientId(1), "test:1", "test:2", false, &engine.acl, Instant::from_millis(BEGIN_MS));
        Stage {
            session,
            engine,
            memory_in_use: MemoryInUse::Fixed(0),
            table,
            others: Others::default(),
            now_ms: BEGIN_MS,
        }
    }
}

impl Stage {
    /// Makes the present client a user with these ACL rules.
    pub fn become_user(&mut self, rules: &str) {
        let rules: Vec<Vec<u8>> = rules.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let user = self.engine.acl.set_user(b"u", &rules, self.table.catalog());
        self.session.user = Some(user.unwrap_or_else(|error| panic!("{error}")));
    }

    /// Lets time pass. Who has waited long enough is told so.
    pub fn advance(&mut self, ms: u64) {
        self.now_ms += ms;
        self.engine.now = Now::at_millis(self.now_ms);
        self.between_units(|host, table| blocked::time_out(host, table));
    }

    /// Lets another client have its turn, new if it was not there before. The first has CLIENT ID 1.
    pub fn turn_to(&mut self, id: u64) {
        let id = ClientId(id);
        if id == self.session.id {
            return;
        }
        let there = self.others.clients.remove(&id);
        let new = || {
            let addr = format!("test:{}", id.0);
            Session::new(id, &addr, "test:2", false, &self.engine.acl, Instant::from_millis(self.now_ms))
        };
        let previous = std::mem::replace(&mut self.session, there.unwrap_or_else(new));
        self.others.clients.insert(previous.id, previous);
    }

    /// Another client leaves.
    pub fn leave(&mut self, id: u64) {
        let mut session = self.others.clients.remove(&ClientId(id)).expect("another client");
        tracking::disable(&mut self.engine, &mut session);
        self.engine.pubsub.remove_client(session.id);
    }

    /// Ends a turn of the loop.
    pub fn end_turn(&mut self) {
        self.between_units(|host, _| tracking::broadcast(host));
    }

    /// What the client whose turn it is heard without asking, since this was last called.
    pub fn heard(&mut self) -> Vec<u8> {
        self.others.outputs.remove(&self.session.id).unwrap_or_default().to_vec()
    }

    /// Whether some client heard something that was not looked at.
    pub fn is_anything_unheard(&self) -> bool {
        self.others.outputs.values().any(|out| !out.is_empty())
    }

    /// Runs a command of the client; the bytes of its reply. None when it waits.
    pub fn call(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        assert!(!self.session.marks.is_blocked, "{words:?} from a client that waits");
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let owned = OwnedArgs::of(&words);
        let mut out = Out::new();
        let dirty = self.engine.keyspace.changes().dirty();
        let verdict = self.with(|host, table, session| execute(host, table, session, &owned.as_args(), &mut out));
        assert_eq!(verdict, Verdict::Done);
        let reply = out.to_vec();
        let is_dirty = self.engine.keyspace.changes().dirty() != dirty;
        assert!(!(is_dirty && reply.starts_with(b"-")), "{words:?} changed something and then failed");
        self.after_unit();
        reply
    }

    /// What follows from a unit for clients that wait.
    fn after_unit(&mut self) {
        for (client, how) in std::mem::take(&mut self.others.unblocked) {
            let end = match how {
                Unblock::Timeout => End::TimedOut,
                Unblock::Error => End::Failed(blocked::UNBLOCKED_BY_CLIENT),
            };
            self.between_units(|host, table| blocked::end(host, table, client, end));
        }
        if self.engine.blocked.has_ready() {
            self.between_units(|host, table| blocked::serve(host, table));
        }
    }

    /// All clients are among the others for that time.
    fn between_units(&mut self, act: impl FnOnce(&mut Backstage<'_>, &Table<Handler<NoAdmin>>)) {
        let own = self.session.id;
        let nobody = Session::new(ClientId(0), "", "", false, &self.engine.acl, Instant::default());
        self.others.clients.insert(own, std::mem::replace(&mut self.session, nobody));
        let memory_in_use = self.memory_in_use;
        act(&mut Backstage { engine: &mut self.engine, others: &mut self.others, memory_in_use }, &self.table);
        self.session = self.others.clients.remove(&own).expect("put there above");
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Backstage<'_>, &Table<Handler<NoAdmin>>, &mut Session) -> R) -> R {
        let memory_in_use = self.memory_in_use;
        let mut host = Backstage { engine: &mut self.engine, others: &mut self.others, memory_in_use };
        act(&mut host, &self.table, &mut self.session)
    }

    /// What replicas and the AOF received since the last call, one text for each command. SELECT is left out.
    pub fn stream(&mut self) -> Vec<String> {
        let bytes = self.engine.journal.drain().concat();
        let commands = Lines(&bytes).commands();
        let texts =
            commands.iter().map(|words| words.iter().map(|w| quoted_if_needed(w)).collect::<Vec<_>>().join(" "));
        texts.filter(|text| !text.starts_with("SELECT ")).collect()
    }

    /// The keyspace events since the last call, as `event key`.
    pub fn events(&mut self) -> Vec<String> {
        let heard = std::mem::take(&mut self.others.heard);
        heard.iter().map(|message| event_of(message)).collect()
    }
}

/// `pmessage`, the pattern, `__keyevent@<db>__:<event>`, the key: as `event key`.
fn event_of(message: &[u8]) -> String {
    let words = Lines(message).commands().pop().expect("a message");
    let channel = String::from_utf8_lossy(words[2]);
    let event = channel.split_once("__:").expect("the channel of an event").1;
    format!("{event} {}", quoted_if_needed(words[3]))
}

/// Arrays of bulk strings, one after the other.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    fn commands(mut self) -> Vec<Vec<&'a [u8]>> {
        let mut commands = Vec::new();
        while !self.0.is_empty() {
            let words = self.number(b'*');
            commands.push((0..words).map(|_| self.bulk()).collect());
        }
        commands
    }

    fn number(&mut self, kind: u8) -> usize {
        let end = self.0.windows(2).position(|pair| pair == b"\r\n").expect("a whole line");
        let line = &self.0[..end];
        assert_eq!(line[0], kind, "{}", String::from_utf8_lossy(line));
        self.0 = &self.0[end + 2..];
        std::str::from_utf8(&line[1..]).expect("digits").parse().expect("a number")
    }

    fn bulk(&mut self) -> &'a [u8] {
        let length = self.number(b'$');
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest.strip_prefix(b"\r\n").expect("a line end after a bulk string");
        bytes
    }
}

/// What `exec` sees of the stage.
struct Backstage<'a> {
    engine: &'a mut Engine,
    others: &'a mut Others,
    memory_in_use: MemoryInUse,
}

impl Host for Backstage<'_> {
    type Admin = NoAdmin;

    fn engine(&mut self) -> &mut Engine {
        self.engine
    }

    fn with_peers<R>(&mut self, act: impl FnOnce(&mut Engine, &mut dyn Peers) -> R) -> R {
        act(self.engine, self.others)
    }

    fn admin(&mut self, handler: NoAdmin, _: &mut Session, _: &Args<'_>, _: Reply<'_>) -> CommandResult {
        match handler {}
    }

    fn lap(&mut self) -> u64 {
        0
    }

    fn read_clock(&mut self) {}

    fn clock_us(&mut self) -> u64 {
        0
    }

    fn clock(&mut self) -> Instant {
        self.engine.now.mono
    }

    fn converse(&mut self, _: ClientId, _: &[u8]) -> Heard {
        Heard::Gone
    }

    fn memory_in_use(&mut self) -> u64 {
        match self.memory_in_use {
            MemoryInUse::Fixed(bytes) => bytes,
            MemoryInUse::PerKey(bytes) => bytes * self.engine.keyspace.len() as u64,
        }
    }

    fn serve_others(&mut self) {}

    fn script_ended(&mut self) {}

    fn is_leaving(&self) -> bool {
        false
    }

    fn watched_changed(&mut self, client: ClientId, db: usize, key: &[u8], is_gone: bool) {
        if let Some(session) = self.others.clients.get_mut(&client) {
            note_change(session, db, key, is_gone);
        }
    }

    fn push(&mut self, client: ClientId, encode: impl FnOnce(&mut Session) -> Option<Bytes>) -> bool {
        let Some(session) = self.others.clients.get_mut(&client) else { return false };
        if let Some(bytes) = encode(session) {
            self.others.outputs.entry(client).or_default().append_shared(bytes);
        }
        true
    }

    fn clients(&self) -> Vec<ClientId> {
        self.others.clients.keys().copied().collect()
    }

    fn with_client<R>(
        &mut self,
        client: ClientId,
        act: impl FnOnce(&mut Self, &mut Session, &mut Out) -> R,
    ) -> Option<R> {
        let mut session = self.others.clients.remove(&client)?;
        let mut out = self.others.outputs.remove(&client).unwrap_or_default();
        let result = act(self, &mut session, &mut out);
        self.others.clients.insert(client, session);
        self.others.outputs.insert(client, out);
        Some(result)
    }

    fn blocked(&mut self, _: ClientId) {}

    fn unblocked(&mut self, _: ClientId) {}

    fn feed_monitors(&mut self, _session: &Session, _args: &Args<'_>) {}

    fn is_held_back(&mut self, _session: &Session, _command: &Command, _flags: Flags, _caller: &Caller) -> bool {
        false
    }
}

impl Peers for Others {
    fn each(&self, visit: &mut dyn FnMut(&Session, &Figures)) {
        self.clients.values().for_each(|session| visit(session, &Figures::default()));
    }

    fn figures(&self, _id: ClientId) -> Figures {
        Figures::default()
    }

    fn kill(&mut self, _id: ClientId) {}

    fn unblock(&mut self, id: ClientId, how: Unblock) -> bool {
        let is_blocked = self.clients.get(&id).is_some_and(|session| session.marks.is_blocked);
        if is_blocked {
            self.unblocked.push((id, how));
        }
        is_blocked
    }

    fn deliver(&mut self, to: ClientId, message: &Message<'_>) {
        assert_eq!(to, LISTENER);
        self.heard.push(message.encoded(crate::resp::reply::Proto::Resp2).clone());
    }

    fn pause(&mut self, _until: Instant, _what: Pause) {}

    fn unpause(&mut self) {}
}
