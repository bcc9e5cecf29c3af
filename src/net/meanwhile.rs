//! Other connections, while the application is busy inside one event: a script that runs for seconds.
//!
//! The loop does not turn then, but clients must be told that the server is busy, and be able to end the script. So the
//! application asks now and then for this: accept, read, hand over, flush, without waiting. Connections whose input or output is
//! lent out are in use and left alone; what arrives for them waits with the system. Readiness that is used up here is announced
//! again by the system, and found to be nothing by the next turn.

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::conn::{ConnId, ReadOutcome, State, WRITE_MAX, WriteOutcome};
use super::handle::Net;
use super::listener::{AcceptOutcome, ListenerId};
use super::{App, Closed};
use crate::base::limits::{READ_CHUNK, TLS_HANDSHAKES_MAX, TLS_STEPS_PER_TURN};

/// Clients accepted from one listening socket at a time.
const ACCEPTS: usize = 16;

impl Net {
    /// Serves connections that are not in use.
    pub fn serve_meanwhile<A: App>(&mut self, app: &mut A) {
        self.accept_some(app);
        let mut ready = Vec::new();
        let mut handshakes = 0;
        for id in self.conns.ids() {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            if conn.state == State::Handshaking && handshakes < TLS_STEPS_PER_TURN {
                handshakes += 1;
                self.step_handshake(app, id);
                continue;
            }
            if conn.is_lent || conn.is_paused || conn.state != State::Open {
                continue;
            }
            if conn.is_parsed {
                ready.push(id);
                continue;
            }
            if conn.input.wants_buffer() && conn.read_chunk == READ_CHUNK {
                conn.input.lend_buffer(self.buffers.for_reading());
            }
            match conn.read() {
                ReadOutcome::Bytes { count, .. } => {
                    self.stats.reads += 1;
                    self.stats.bytes_in += count as u64;
                    ready.push(id);
                }
                // Read before, by the turn that stands still; nobody has looked at it yet.
                ReadOutcome::Nothing if conn.input.buffered() > 0 => ready.push(id),
                ReadOutcome::Nothing => {
                    if let Some(buffer) = conn.input.return_buffer() {
                        self.buffers.give_back_reading(buffer);
                    }
                }
                ReadOutcome::End => self.end(app, id, Closed::End),
                ReadOutcome::Failed(error) => self.end(app, id, Closed::ReadFailed(error)),
            }
        }
        if !ready.is_empty() {
            app.received(self, &ready);
        }
        self.flush(app);
    }

    /// Says something on a connection that is in use, and gives what the other side says; the empty list when that is nothing within
    /// some milliseconds, `None` when the connection can't be used so.
    pub fn converse(&mut self, id: ConnId, said: &[u8], wait_ms: i64) -> Option<Vec<u8>> {
        let conn = self.conns.get_mut(id)?;
        conn.out.append(said);
        if conn.has_output() {
            self.stats.writes += 1;
            let before = conn.bytes_out();
            let outcome = conn.write(WRITE_MAX);
            self.stats.bytes_out += conn.bytes_out() - before;
            if matches!(outcome, WriteOutcome::Failed(_) | WriteOutcome::Held) {
                return None;
            }
        }
        let mut outcome = conn.read();
        if matches!(outcome, ReadOutcome::Nothing) {
            let write = if conn.has_output() { PollFlags::OUT } else { PollFlags::empty() };
            let timeout = Timespec { tv_sec: 0, tv_nsec: wait_ms * 1_000_000 };
            let _ = poll(&mut [PollFd::new(&conn.socket, PollFlags::IN | write)], Some(&timeout));
            outcome = conn.read();
        }
        match outcome {
            ReadOutcome::Bytes { count, .. } => {
                self.stats.reads += 1;
                self.stats.bytes_in += count as u64;
                let bytes = conn.input.bytes().to_vec();
                conn.input.clear();
                Some(bytes)
            }
            ReadOutcome::Nothing => Some(Vec::new()),
            ReadOutcome::End | ReadOutcome::Failed(_) => None,
        }
    }

    fn accept_some<A: App>(&mut self, app: &mut A) {
        for index in 0..self.listeners.len() {
            for _ in 0..ACCEPTS {
                let Some(listening) = &mut self.listeners[index] else { break };
                let is_tls = listening.is_tls;
                if is_tls && self.handshakes.count >= TLS_HANDSHAKES_MAX {
                    break;
                }
                let AcceptOutcome::Accepted(socket, peer) = listening.socket.accept() else { break };
                let id = ListenerId(index as u32);
                match self.admit(socket, peer, id, is_tls) {
                    Ok(None) => {}
                    Ok(Some(conn)) => app.accepted(self, conn, id),
                    Err(error) => app.accept_failed(self, id, error),
                }
            }
        }
    }
}
