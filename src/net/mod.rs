//! The event loop and everything that touches a socket. Knows bytes and connections, no commands, sessions or roles.
//!
//! One thread runs [`Loop::run`]. A turn of the loop:
//!
//! ```text
//!  sleep            until a socket is ready, a deadline passes or another thread wakes us (one epoll_wait)
//!  accept           in bounded batches                                   → App::accepted
//!  connect          attempts that ended                                  → App::connected
//!  read             one read for each connection that has bytes, then
//!                   the whole group is handed over                       → App::received
//!                   (again, a few times, for those that have more)
//!  the rest         ends and failures of streams, due timers, wake-ups,
//!                   signals, resolved names                              → App::closed, timer, woken, signal, resolved
//!  before sleeping  the application finishes its turn: logs to disk,
//!                   replicas, expiry                                     → App::before_sleep
//!  flush            one write (or writev) for each connection with output
//! ```
//!
//! So a request at pipeline depth one costs one read and one write, and its share of one `epoll_wait`. Nothing is sent before
//! `before_sleep` returned: no reply leaves before what it acknowledges has reached the log.
//!
//! The application is handed [`Net`] with each event. It takes a connection's input, parses and executes, writes to any
//! connection's output, and returns; it never waits. Readiness is edge-triggered: a read or write that came back short says
//! that the system will tell us more, so no call is spent on finding out.
//!
//! The vocabulary speaks of completed acts (received, accepted, connected), not of readiness, so that another driver of the
//! system's input and output can stand behind the same trait.

mod buffers;
pub mod clock;
pub mod conn;
pub mod dial;
mod handle;
mod io_threads;
pub mod listener;
mod meanwhile;
mod poll_loop;
mod resolve;
pub mod signals;
pub mod sockopt;
pub mod sync_conn;
pub mod timers;
pub mod tls;
pub mod wake;

use std::io;
use std::net::IpAddr;

pub use clock::Clock;
pub use conn::{Conn, ConnId, Peer};
pub use dial::DialOptions;
pub use handle::{Net, NetStats};
pub use listener::{ListenOptions, ListenReport, ListenerId};
pub use poll_loop::Loop;
pub use signals::{Interrupts, Signal};
pub use sockopt::error_text;
pub use timers::TimerKey;
pub use tls::context::TlsContext;
pub use wake::{MailSender, Mailbox, WakeHandle, mailbox};

use crate::base::time::{Instant, Now};
use crate::resp::ahead::Ahead;

/// Why a connection is gone. Told for every end that the application did not bring about with [`Net::close`].
#[derive(Debug)]
pub enum Closed {
    /// The other side ended its stream.
    End,
    /// Receiving failed.
    ReadFailed(io::Error),
    /// Sending failed.
    WriteFailed(io::Error),
    /// All was sent after [`Net::close_after_flush`].
    Flushed,
}

/// A program that lives in the loop. A connection named in an event may be gone by the time the event is handled, when an
/// earlier one of the same turn closed it; methods of [`Net`] then find nothing.
pub trait App {
    /// A client connected. Refusing it is up to the application: write an error, [`Net::close_after_flush`].
    fn accepted(&mut self, net: &mut Net, conn: ConnId, listener: ListenerId);

    /// Another thread is about to read from this connection, and may parse what comes. Called only with `io-threads`.
    fn lend_parser(&mut self, _conn: ConnId) -> Option<Ahead> {
        None
    }

    /// The parser that was lent, with what it found. If that is something, nothing more is read before [`Net::take_input`].
    fn parsed(&mut self, _conn: ConnId, _ahead: Ahead) {}

    /// These connections received bytes, or were resumed while they still had some ([`Net::resume_reading`]). Bytes that
    /// are not consumed stay; they are announced again only together with new ones.
    fn received(&mut self, net: &mut Net, ready: &[ConnId]);

    /// An attempt to connect ended. After a failure the connection is gone.
    fn connected(&mut self, net: &mut Net, conn: ConnId, result: io::Result<()>);

    /// The connection is gone.
    fn closed(&mut self, net: &mut Net, conn: ConnId, reason: Closed);

    /// A flush could not send everything: here output that grows without bound is noticed.
    fn congested(&mut self, _net: &mut Net, _conn: ConnId) {}

    /// The output is no longer than [`Net::watch_output`] asked for. Told once.
    fn drained(&mut self, _net: &mut Net, _conn: ConnId) {}

    /// A timer is due.
    fn timer(&mut self, _net: &mut Net, _key: TimerKey) {}

    /// Another thread woke the loop: look into your mailboxes.
    fn woken(&mut self, _net: &mut Net) {}

    /// The addresses of a name, for the tag of [`Net::resolve`].
    fn resolved(&mut self, _net: &mut Net, _tag: u64, _result: io::Result<Vec<IpAddr>>) {}

    /// A signal arrived; see [`Loop::handle_signals`].
    fn signal(&mut self, _net: &mut Net, _signal: Signal) {}

    /// A client could not be accepted: mostly too many open files. Tried again a little later.
    fn accept_failed(&mut self, _net: &mut Net, _listener: ListenerId, _error: io::Error) {}

    /// A client could not be accepted: its TLS handshake failed or took too long.
    fn handshake_failed(&mut self, _net: &mut Net, _peer: &str, _local: &str, _error: &io::Error) {}

    /// The end of a turn. Returns when the next turn must begin at the latest: a moment that has passed (such as
    /// `now.mono`) asks for a turn without sleep.
    fn before_sleep(&mut self, net: &mut Net, now: Now) -> Option<Instant>;
}

#[cfg(test)]
mod tests;
