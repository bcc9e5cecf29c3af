//! Threads that read from and write to sockets beside the loop's: `io-threads`.
//!
//! The loop does many reads in a row, then the application does what was asked for, then the loop does many writes in a row. Only
//! the middle has to happen in order. So the loop may hand out the reads of a group, or the writes of a flush, to helpers, takes its
//! own share, and goes on when all are done:
//!
//! ```text
//!  loop      ─ collect ─┬─ reads ─┬─ received() ─ … ─ before_sleep() ─┬─ writes ─┬─ closed(), congested() ─
//!  helper 1             ├─ reads ─┤              (asleep)             ├─ writes ─┤
//!  helper 2             └─ reads ─┘                                   └─ writes ─┘
//! ```
//!
//! A connection travels whole ([`Errand`]): it is taken out of the table, moved to whoever does the work, and put back before the
//! application is told anything. Thus a connection has one owner at any moment, which the compiler checks, and outside the rounds
//! everything is as it is without helpers. What was encrypted is decrypted, and the other way round, where the read or write is done.
//!
//! What this gives up: the loop waits for the slowest of a round. What it keeps: the order of each client's requests and replies,
//! the order "log first, then reply", and every bound (bytes per read, writes per turn, held output), for it is the same code.
//!
//! Who reads also parses, where the application lends the connection's parser ([`Ahead`]): splitting bytes into words concerns nobody
//! else. What was found stays with the application until it executes it, and the connection's input as it is: it is read from again
//! when the application has taken it.
//!
//! Waking a thread costs about as much as a system call. So a round is only made of at least [`WORTH`] errands per thread, as in
//! Redis; helpers sleep otherwise. Reads are shared out only if `io-threads-do-reads` says so: they are short, and the bytes are
//! wanted by the loop's processor right after.

mod pile;
#[cfg(test)]
mod tests;

use std::sync as primitives;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::{io, mem};

use pile::Pile;

use super::conn::{Conn, ConnId, ReadOutcome, Sent};
use crate::base::cpus::{self, Work};
use crate::resp::ahead::Ahead;

/// A round needs so many errands for each thread.
const WORTH: usize = 2;

/// Loads for each thread: several, so that whoever begins late or has the long ones is helped out.
const LOADS_PER_THREAD: usize = 4;

/// Most errands of a load, whose memory is kept.
const LOAD_MAX: usize = 64;

/// A connection on its way, and what is to be done with it.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) id: ConnId,
    pub(super) conn: Conn,
    pub(super) deed: Deed,
    /// Parses what is read.
    pub(super) ahead: Option<Ahead>,
}

#[derive(Debug)]
pub(super) enum Deed {
    Read,
    Write,
    HasRead(ReadOutcome),
    HasWritten(Sent),
}

/// The helpers.
#[derive(Debug)]
pub(super) struct IoThreads {
    pile: Arc<Pile<Errand>>,
    helpers: Vec<JoinHandle<()>>,
    pub(super) do_reads: bool,
    /// The loads of the round that is being prepared or taken apart.
    loads: Vec<Vec<Errand>>,
    /// How many errands go into a load of this round.
    load_size: usize,
    /// Memory of earlier loads.
    spare: Vec<Vec<Errand>>,
}

impl IoThreads {
    /// So many threads, the caller's included: one less is started.
    pub(super) fn start(threads: usize, do_reads: bool) -> io::Result<IoThreads> {
        let mut io_threads = IoThreads {
            pile: Arc::new(Pile::new()),
            helpers: Vec::new(),
            do_reads,
            loads: Vec::new(),
            load_size: 1,
            spare: Vec::new(),
        };
        for number in 1..threads {
            let pile = Arc::clone(&io_threads.pile);
            let work = move || {
                cpus::enter(Work::Server);
                pile.help(Errand::run);
            };
            // The ones that were started end when this is dropped.
            io_threads.helpers.push(thread::Builder::new().name(format!("io_thd_{number}")).spawn(work)?);
        }
        Ok(io_threads)
    }

    fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// From how many errands on it is worth waking somebody.
    pub(super) fn worth(&self) -> usize {
        WORTH * self.threads()
    }

    /// Prepares a round of at most so many errands.
    pub(super) fn begin_round(&mut self, errands: usize) {
        debug_assert!(self.loads.is_empty());
        self.load_size = errands.div_ceil(LOADS_PER_THREAD * self.threads()).clamp(1, LOAD_MAX);
    }

    /// Adds an errand to the round.
    pub(super) fn add(&mut self, id: ConnId, conn: Conn, deed: Deed, ahead: Option<Ahead>) {
        let errand = Errand { id, conn, deed, ahead };
        match self.loads.last_mut() {
            Some(load) if load.len() < self.load_size => load.push(errand),
            _ => {
                let mut load = self.spare.pop().unwrap_or_default();
                load.push(errand);
                self.loads.push(load);
            }
        }
    }

    /// How many errands the round has.
    pub(super) fn errands(&self) -> usize {
        // All loads but the last are full.
        self.loads.last().map_or(0, |last| (self.loads.len() - 1) * self.load_size + last.len())
    }

    /// Runs all errands, here and elsewhere. Then hands them over in the order in which they were added.
    pub(super) fn run_round(&mut self, mut take: impl FnMut(Errand)) {
        self.pile.round(&mut self.loads, Errand::run);
        for mut load in self.loads.drain(..) {
            load.drain(..).for_each(&mut take);
            self.spare.push(load);
        }
        self.spare.truncate(LOADS_PER_THREAD * (self.helpers.len() + 1));
    }
}

impl Drop for IoThreads {
    fn drop(&mut self) {
        self.pile.end();
        for helper in mem::take(&mut self.helpers) {
            // It has told of a panic already.
            let _ = helper.join();
        }
    }
}

impl Errand {
    fn run(&mut self) {
        self.deed = match self.deed {
            Deed::Read => {
                let outcome = self.conn.read();
                if let (ReadOutcome::Bytes { .. }, Some(ahead)) = (&outcome, &mut self.ahead) {
                    ahead.parse(&mut self.conn.input);
                    self.conn.is_parsed = !ahead.is_idle();
                }
                Deed::HasRead(outcome)
            }
            Deed::Write => Deed::HasWritten(self.conn.send()),
            Deed::HasRead(_) | Deed::HasWritten(_) => unreachable!("an errand is run once"),
        };
    }
}
