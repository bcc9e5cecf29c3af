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
//! @gone 2            another client leaves
//! @endturn           the turn of the loop ends: clients with caches hear of what changed under their prefixes
//! @memory 120 100    so many bytes are in use, and so many are allowed
//! @memory 50/key 100 so many bytes are in use for each key
//! @policy allkeys-lru   the maxmemory-policy
//!
//! > BLPOP k 0
//! (waits)            the command is not answered yet
//! @client 2          the following commands are those of another client
//! > LPUSH k v
//! :1
//! @client 1
//! (hears)            what this client heard meanwhile; its parts follow
//! *2
//! $k
//! $v
//! ```
//!
//! Commands about connections (CLIENT, HELLO, SUBSCRIBE, …) are there as well.
//!
//! The clock stands at 1,000,000 ms after 1970 when a transcript begins. What follows from the commands is checked with
//! [`Heard::propagates`] (what replicas and the AOF receive, without SELECT) and [`Heard::notifies`] (keyspace events).

use crate::base::quote::split_args;
use crate::config::values::EvictionPolicy;
use crate::resp::reply::Proto;
use crate::testkit::stage::{MemoryInUse, Stage};

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

    /// The same where the order is nobody's promise.
    #[track_caller]
    pub fn propagates_in_any_order(mut self, expected: &[&str]) -> Heard {
        self.stream.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        self.propagates(&expected)
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
    let mut stage = Stage::default();
    let mut pending: Vec<String> = Vec::new();
    let mut asked = "";
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(command) = line.strip_prefix("> ") {
            assert_eq!(pending, [""; 0], "parts of the reply to `{asked}` that the transcript does not have");
            asked = command;
            let words = split_args(command.as_bytes()).unwrap_or_else(|| panic!("unbalanced quotes: {command}"));
            pending = parts(&stage.call(&words));
        } else if let Some(directive) = line.strip_prefix('@') {
            assert_eq!(pending, [""; 0], "parts of the reply to `{asked}` that the transcript does not have");
            direct(&mut stage, directive);
        } else if line == "(waits)" {
            assert!(stage.session.marks.is_blocked, "`{asked}` does not wait; it said {pending:?}");
        } else if line == "(hears)" {
            asked = "the command that waited";
            pending = parts(&stage.heard());
        } else {
            assert!(!pending.is_empty(), "`{asked}`: expected {line}, heard nothing more");
            let heard = pending.remove(0);
            assert_eq!(heard, line, "reply to `{asked}`, then {pending:?}");
        }
    }
    assert_eq!(pending, [""; 0], "parts of the reply to `{asked}` that the transcript does not have");
    assert!(!stage.is_anything_unheard(), "a client heard something that the transcript does not have");
    Heard { stream: stage.stream(), events: stage.events() }
}

fn direct(stage: &mut Stage, directive: &str) {
    match directive.split_once(' ').unwrap_or((directive, "")) {
        ("advance", ms) => stage.advance(ms.parse().expect("milliseconds")),
        ("client", number) => stage.turn_to(number.parse().expect("the number of a client")),
        ("db", number) => stage.session.db = number.parse().expect("the number of a database"),
        ("gone", number) => stage.leave(number.parse().expect("the number of a client")),
        ("endturn", "") => stage.end_turn(),
        ("trackinglimit", keys) => {
            stage.engine.config.clients.tracking_table_max_keys = keys.parse().expect("a number of keys");
        }
        ("memory", figures) => {
            let (used, limit) = figures.split_once(' ').expect("bytes in use and allowed");
            stage.memory_in_use = match used.strip_suffix("/key") {
                Some(each) => MemoryInUse::PerKey(each.parse().expect("bytes")),
                None => MemoryInUse::Fixed(used.parse().expect("bytes")),
            };
            stage.engine.config.memory.maxmemory = limit.parse().expect("bytes");
        }
        ("policy", word) => {
            let policy = EvictionPolicy::from_word(word.as_bytes()).expect("a policy");
            stage.engine.config.memory.maxmemory_policy = policy;
        }
        ("resp3", "") => stage.session.proto = Proto::Resp3,
        _ => panic!("no such directive: @{directive}"),
    }
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
