//! Transcripts: what a client says and hears, written down, and checked.
//!
//! ```text
//! > SET k v          a command; words as in redis-cli, quotes and \x escapes included
//! +OK                the reply expected, one line for each part of it
//! > MGET k missing
//! *2                 an array of two; its parts follow
//! $v                 a bulk string; bytes that are not printable as \n, \r, \t, \xHH
//! nil                no value (`_` for RESP3's own null)
//! @advance 1000      time passes, in milliseconds
//! @db 3              the following commands work on database 3
//! @resp3             the client speaks RESP3 from here on
//! ```
//!
//! The clock stands at 1,000,000 ms after 1970 when a transcript begins. What follows from the commands is checked with
//! [`Heard::propagates`] (what replicas and the AOF receive, without SELECT) and [`Heard::notifies`] (keyspace events).

use crate::base::quote::{quoted_if_needed, split_args};
use crate::base::rng::Rng;
use crate::base::time::Now;
use crate::commands;
use crate::commands::contract::{DataCtx, DataHandler, DataSettings, Outcome};
use crate::keyspace::{Access, Effect, EventClass, Keyspace};
use crate::resp::args::{Args, OwnedArgs};
use crate::resp::out::Out;
use crate::resp::reply::{Proto, Reply};
use crate::spec::Spec;

/// Milliseconds since 1970 when a transcript begins.
const BEGIN_MS: u64 = 1_000_000;

/// What the commands of a transcript left behind.
pub struct Heard {
    stream: Vec<String>,
    events: Vec<String>,
}

impl Heard {
    /// Checks what replicas and the AOF received.
    #[track_caller]
    pub fn propagates(self, expected: &[&str]) -> Heard {
        assert_eq!(self.stream, expected, "what was propagated");
        self
    }

    /// Checks which keyspace events were told, as `event key`.
    #[track_caller]
    pub fn notifies(self, expected: &[&str]) -> Heard {
        assert_eq!(self.events, expected, "keyspace events");
        self
    }
}

/// Plays a transcript and checks every reply.
#[track_caller]
pub fn transcript(text: &str) -> Heard {
    let mut stage = Stage::new();
    let mut pending: Vec<String> = Vec::new();
    let mut asked = "";
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(command) = line.strip_prefix("> ") {
            assert_eq!(pending, [""; 0], "parts of the reply to `{asked}` that the transcript does not have");
            asked = command;
            pending = stage.say(command);
        } else if let Some(directive) = line.strip_prefix('@') {
            stage.direct(directive);
        } else {
            assert!(!pending.is_empty(), "`{asked}`: expected {line}, heard nothing more");
            let heard = pending.remove(0);
            let expected = if line == "$" { "$".to_owned() } else { line.to_owned() };
            assert_eq!(heard, expected, "reply to `{asked}`, then {pending:?}");
        }
    }
    assert_eq!(pending, [""; 0], "parts of the reply to `{asked}` that the transcript does not have");
    Heard { stream: stage.stream, events: stage.events }
}

/// A server of a few lines.
struct Stage {
    keyspace: Keyspace,
    settings: DataSettings,
    rng: Rng,
    now_ms: u64,
    db: u32,
    proto: Proto,
    stream: Vec<String>,
    events: Vec<String>,
}

impl Stage {
    fn new() -> Stage {
        let settings = DataSettings::default();
        let mut keyspace = Keyspace::new(settings.databases as u32, Rng::seeded(1));
        keyspace.changes_mut().observe(true, false);
        Stage {
            keyspace,
            settings,
            rng: Rng::seeded(2),
            now_ms: BEGIN_MS,
            db: 0,
            proto: Proto::Resp2,
            stream: Vec::new(),
            events: Vec::new(),
        }
    }

    fn direct(&mut self, directive: &str) {
        match directive.split_once(' ').unwrap_or((directive, "")) {
            ("advance", ms) => self.now_ms += ms.parse::<u64>().expect("milliseconds"),
            ("db", number) => self.db = number.parse().expect("the number of a database"),
            ("resp3", "") => self.proto = Proto::Resp3,
            _ => panic!("no such directive: @{directive}"),
        }
    }

    /// Runs a command; the parts of its reply.
    fn say(&mut self, line: &str) -> Vec<String> {
        let words = split_args(line.as_bytes()).unwrap_or_else(|| panic!("unbalanced quotes: {line}"));
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let owned = OwnedArgs::of(&words);
        let args = owned.as_args();
        let spec = find(&args).unwrap_or_else(|| panic!("no such command: {line}"));
        let now = Now::at_millis(self.now_ms);
        let mut out = Out::new();
        let dirty = self.keyspace.changes().dirty();
        let mut ctx = DataCtx {
            db: self.keyspace.db(self.db, Access::master(now.wall())),
            reply: Reply::new(&mut out, self.proto),
            now,
            rng: &mut self.rng,
            settings: &self.settings,
        };
        let result = match spec.meta.arity.accepts(args.len()) {
            true => (spec.handler)(&mut ctx, &args).map_err(|error| error.to_string()),
            false => Err(format!("ERR wrong number of arguments for '{}' command", spec.meta.name)),
        };
        let outcome = result.unwrap_or_else(|text| {
            assert!(out.is_empty(), "`{line}` wrote a reply and then failed");
            assert_eq!(self.keyspace.changes().dirty(), dirty, "`{line}` changed something and then failed");
            Reply::new(&mut out, self.proto).error(&text);
            Outcome::Done
        });
        self.follow(&args, outcome, self.keyspace.changes().dirty() != dirty);
        parts(&out.to_vec())
    }

    fn follow(&mut self, args: &Args<'_>, outcome: Outcome, is_dirty: bool) {
        let mut unit = Vec::new();
        for change in self.keyspace.changes().iter() {
            let key = quoted_if_needed(change.key);
            if !matches!(change.event.class, EventClass::Silent | EventClass::New) {
                self.events.push(format!("{} {key}", change.event.name));
            }
            if change.effect == Effect::Expired {
                unit.push(format!("DEL {key}"));
            }
        }
        self.keyspace.changes_mut().clear();
        match outcome {
            Outcome::Forced => unit.push(joined(args)),
            Outcome::Done if is_dirty => unit.push(joined(args)),
            Outcome::PropagateAs(other) if is_dirty => unit.push(joined(&other.as_args())),
            Outcome::PropagateEach(all) if is_dirty => unit.extend(all.iter().map(|other| joined(&other.as_args()))),
            _ => {}
        }
        if unit.len() > 1 {
            unit.insert(0, "MULTI".to_owned());
            unit.push("EXEC".to_owned());
        }
        self.stream.append(&mut unit);
    }
}

fn find(args: &Args<'_>) -> Option<&'static Spec<DataHandler>> {
    commands::TABLES.iter().flat_map(|table| table.iter()).copied().find(|spec| match spec.meta.container {
        "" => args.is(0, spec.meta.name),
        container => args.is(0, container) && args.len() > 1 && args.is(1, spec.meta.name),
    })
}

fn joined(args: &Args<'_>) -> String {
    args.iter().map(quoted_if_needed).collect::<Vec<_>>().join(" ")
}

/// A reply as the lines of a transcript.
fn parts(mut reply: &[u8]) -> Vec<String> {
    let mut parts = Vec::new();
    while !reply.is_empty() {
        let end = reply.windows(2).position(|pair| pair == b"\r\n").expect("a whole line");
        let (line, rest) = (&reply[..end], &reply[end + 2..]);
        reply = rest;
        let part = match (line[0], &line[1..]) {
            (b'$' | b'*', b"-1") => "nil".to_owned(),
            (kind @ (b'$' | b'='), length) => {
                let length: usize = std::str::from_utf8(length).unwrap().parse().expect("a length");
                let (bytes, rest) = reply.split_at(length);
                reply = &rest[2..];
                format!("{}{}", kind as char, shown(bytes))
            }
            (kind, text) => format!("{}{}", kind as char, shown(text)),
        };
        parts.push(part.trim_end().to_owned());
    }
    parts
}

fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(*byte as char),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text
}
