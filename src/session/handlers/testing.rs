//! A client in a small world, for the tests of session commands.

use crate::acl::Acl;
use crate::base::id::ClientId;
use crate::base::quote::split_args;
use crate::base::rng::Rng;
use crate::base::time::{Instant, Now};
use crate::pubsub::{Message, PubSub};
use crate::resp::args::OwnedArgs;
use crate::resp::out::Out;
use crate::resp::reply::Reply;
use crate::session::context::{Pause, Unblock};
use crate::session::handlers::{CONTAINERS, FAMILIES};
use crate::session::{Figures, Peers, Program, Role, Session, SessionCtx, SessionHandler, SessionOutcome};
use crate::spec::{Access, Arity, Category, Flags, KeySpec, Meta, Spec, Table};

/// A data command, so that COMMAND and ACL have one to speak about.
const GET: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "get",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        ..Meta::NEW
    },
    handler: |_, _| Ok(SessionOutcome::Done),
};
const MSET: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "mset",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE,
        keys: &[KeySpec::range(1, -1, 2, Access::OW.and(Access::UPDATE))],
        ..Meta::NEW
    },
    handler: |_, _| Ok(SessionOutcome::Done),
};

/// Other clients as a list, and what was done to them.
#[derive(Default)]
pub struct FakePeers {
    pub sessions: Vec<Session>,
    pub killed: Vec<ClientId>,
    pub unblocked: Vec<(ClientId, Unblock)>,
    /// Who received what, as RESP bytes.
    pub delivered: Vec<(ClientId, String)>,
    pub pause: Option<(Instant, Pause)>,
}

impl Peers for FakePeers {
    fn each(&self, visit: &mut dyn FnMut(&Session, &Figures)) {
        self.sessions.iter().for_each(|session| visit(session, &self.figures(session.id)));
    }

    fn figures(&self, _: ClientId) -> Figures {
        Figures { fd: 8, is_reading: true, ..Figures::default() }
    }

    fn kill(&mut self, id: ClientId) {
        self.killed.push(id);
    }

    fn unblock(&mut self, id: ClientId, how: Unblock) -> bool {
        let is_blocked = self.sessions.iter().any(|session| session.id == id && session.marks.is_blocked);
        if is_blocked {
            self.unblocked.push((id, how));
        }
        is_blocked
    }

    fn deliver(&mut self, to: ClientId, message: &Message<'_>) {
        let Some(session) = self.sessions.iter().find(|session| session.id == to) else { return };
        self.delivered.push((to, shown(message.encoded(session.proto))));
    }

    fn pause(&mut self, until: Instant, what: Pause) {
        self.pause = Some((until, what));
    }

    fn unpause(&mut self) {
        self.pause = None;
    }
}

/// One client, number 3, and what it can reach. Others have numbers from 10 on.
pub struct World {
    pub session: Session,
    pub peers: FakePeers,
    pub acl: Acl,
    pub pubsub: PubSub,
    pub table: Table<SessionHandler>,
    pub program: Program,
    pub now: Now,
    pub rng: Rng,
    pub last_outcome: Option<SessionOutcome>,
}

impl World {
    /// A fresh world: nobody else is connected, no password is set.
    pub fn new() -> World {
        let acl = Acl::new();
        let builder = FAMILIES.iter().fold(Table::builder(), |table, family| table.add(family, |handler| handler));
        World {
            session: Session::new(ClientId(3), "127.0.0.1:5003", "127.0.0.1:6379", false, &acl, Instant::default()),
            peers: FakePeers::default(),
            acl,
            pubsub: PubSub::new(),
            table: builder.add(&[&GET, &MSET], |handler| handler).add_containers(CONTAINERS).build(),
            program: Program { version: "7.2.6", role: Role::Master, databases: 16 },
            now: Now::at_millis(10_000),
            rng: Rng::seeded(1),
            last_outcome: None,
        }
    }

    /// The client connects anew.
    pub fn reconnect(&mut self) {
        self.session =
            Session::new(ClientId(3), "127.0.0.1:5003", "127.0.0.1:6379", false, &self.acl, Instant::default());
    }

    /// Another client connects.
    pub fn peer(&mut self) -> &mut Session {
        let id = ClientId(10 + self.peers.sessions.len() as u64);
        let addr = format!("127.0.0.1:50{}", id.0);
        self.peers.sessions.push(Session::new(id, &addr, "127.0.0.1:6379", false, &self.acl, Instant::default()));
        self.peers.sessions.last_mut().expect("just added")
    }

    /// Subscribes another client.
    pub fn subscribe_peer(&mut self, id: u64, space: crate::pubsub::Space, name: &str) {
        self.pubsub.subscribe(ClientId(id), space, name.as_bytes());
        let counts = self.pubsub.counts(ClientId(id));
        self.peers.sessions.iter_mut().filter(|s| s.id.0 == id).for_each(|s| s.subscribed = counts);
    }

    /// What the client hears: each element with its kind, strings without their length.
    pub fn run(&mut self, line: &str) -> String {
        let mut args = OwnedArgs::new();
        split_args(line.as_bytes()).expect("a well-formed line").iter().for_each(|word| args.push(word));
        let args = args.as_args();
        let mut out = Out::new();
        out.set_muted(self.session.is_muted());
        let reply = Reply::new(&mut out, self.session.proto);
        let mut ctx = SessionCtx {
            session: &mut self.session,
            reply,
            peers: &mut self.peers,
            acl: &mut self.acl,
            pubsub: &mut self.pubsub,
            catalog: self.table.catalog(),
            program: &self.program,
            now: self.now,
            rng: &mut self.rng,
        };
        let result = match self.table.lookup(&args) {
            Ok(command) => {
                ctx.session.last_command = Some(command.id);
                self.table.handler(command)(&mut ctx, &args).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.text()),
        };
        match result {
            Ok(outcome) => self.last_outcome = Some(outcome),
            Err(text) => ctx.reply.error(&text),
        }
        self.session.command_ended();
        out.set_muted(false);
        self.session.pending_pushes.drain(..).for_each(|push| out.append(&push));
        shown(&out.to_vec())
    }
}

/// RESP bytes as one line.
pub fn shown(mut bytes: &[u8]) -> String {
    let mut parts: Vec<String> = Vec::new();
    while let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
        let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes = &bytes[end + 2..];
        let length = line[1..].parse::<usize>().ok().filter(|_| line.starts_with(['$', '=']));
        parts.push(match length {
            Some(length) => {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                bytes = &bytes[length + 2..];
                format!("{}{text}", &line[..1])
            }
            None if line == "$-1" || line == "_" || line == "*-1" => "nil".into(),
            None => line,
        });
    }
    parts.join(" ")
}
