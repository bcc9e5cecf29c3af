//! Telling the master how far we are: every second, when it asks, and as soon as a stream begins.
//!
//! `REPLCONF ACK <executed>`, and `FACK <on disk>` behind it when there is an AOF. The master answers WAIT, counts good
//! replicas and notices dead ones by these.

use crate::base::time::Instant;
use crate::repl::Turn;
use crate::repl::io::Output;
use crate::repl::wire::command;

/// Milliseconds between two acknowledgements that nobody asked for.
const PERIOD: u64 = 1000;

/// When the next acknowledgement is due.
#[derive(Debug, Default)]
pub struct Acks {
    next: Instant,
}

impl Acks {
    /// When the next one is due.
    pub fn next_deadline(&self) -> Instant {
        self.next
    }

    /// Sends one now.
    pub fn send(&mut self, turn: &mut Turn<'_>) {
        self.next = turn.now + PERIOD;
        let end = turn.history.end().to_string();
        let bytes = match turn.fsynced {
            None => command(&[b"REPLCONF", b"ACK", end.as_bytes()]),
            Some(fsynced) => command(&[b"REPLCONF", b"ACK", end.as_bytes(), b"FACK", fsynced.to_string().as_bytes()]),
        };
        turn.out.push(Output::Send(bytes));
    }
}
