//! TLS beneath a connection: what the application reads and writes stays the same bytes, what the socket carries is encrypted.
//!
//! ```text
//!  socket ──read_tls──▶ session ──plaintext──▶ input          one copy out of the session
//!  socket ◀─write_tls── session ◀──pieces───── out            encrypted straight from the pieces
//! ```
//!
//! A connection that is not encrypted has none of this, and pays one comparison per read and write.
//!
//! Two things are different above a session. The socket may be empty while the session still holds bytes, so a read takes those
//! first. And bytes that the session took are on their way although the socket is full: "sent" means that the session has them, and
//! what it has is bounded. A connection closes after its session is empty too.
//!
//! The handshake happens before the application hears of a connection. Those who are slow at it are bounded in time and number, and
//! each turn of the loop takes only so many steps, since a signature takes a millisecond: see `Handshakes` in the loop.

mod ciphers;
pub mod context;
mod sessions;
mod validity;

use std::io::{self, BufRead, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use super::conn::{ReadOutcome, WriteOutcome};
use super::listener::ListenerId;
use crate::resp::inbuf::InBuf;
use crate::resp::out::Out;

/// Plaintext given to the session before it is sent on.
const PLAIN_MAX: usize = 64 * 1024;

/// A TLS session on a socket.
#[derive(Debug)]
pub(super) struct Tls {
    session: Connection,
    /// Where the client came in, until it was announced.
    pub(super) listener: Option<ListenerId>,
}

/// How a handshake stands.
#[derive(Debug)]
pub(super) enum Handshake {
    /// It goes on when the socket is ready.
    Waits,
    /// The connection can be used.
    Done,
    /// There will be no connection.
    Failed(io::Error),
}

impl Tls {
    /// For a client that came in at `listener`.
    pub(super) fn serve(config: Arc<ServerConfig>, listener: ListenerId) -> io::Result<Tls> {
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Tls { session: session.into(), listener: Some(listener) })
    }

    /// For a connection of ours.
    pub(super) fn dial(config: Arc<ClientConfig>, to: SocketAddr) -> io::Result<Tls> {
        let session = ClientConnection::new(config, ServerName::IpAddress(to.ip().into())).map_err(io::Error::other)?;
        Ok(Tls { session: session.into(), listener: None })
    }

    /// One step: all that can be done without waiting.
    pub(super) fn handshake(&mut self, socket: BorrowedFd<'_>) -> Handshake {
        loop {
            if let Err(error) = self.send(socket)
                && error.kind() != ErrorKind::WouldBlock
            {
                return Handshake::Failed(error);
            }
            if !self.session.is_handshaking() {
                return Handshake::Done;
            }
            match self.receive(socket) {
                Ok(0) => {
                    return Handshake::Failed(io::Error::new(ErrorKind::UnexpectedEof, "Connection closed by peer"));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // A session that only waits to send is told when it can.
                    return Handshake::Waits;
                }
                Err(error) => return Handshake::Failed(error),
            }
        }
    }

    /// One read from the socket into the session. An alert that follows from it is on its way.
    fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let count = self.session.read_tls(&mut Raw(socket))?;
        match self.session.process_new_packets() {
            Ok(_) => Ok(count),
            Err(error) => {
                let _ = self.send(socket);
                Err(io::Error::new(ErrorKind::InvalidData, error))
            }
        }
    }

    /// Sends what the session has. `WouldBlock` when the socket is full.
    fn send(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut Raw(socket))?;
        }
        Ok(())
    }

    /// Whether the session has bytes for the socket.
    pub(super) fn has_output(&self) -> bool {
        self.session.wants_write()
    }

    /// Reads about `most` bytes. `drained` in the outcome: neither socket nor session have more for now.
    pub(super) fn read(&mut self, socket: BorrowedFd<'_>, input: &mut InBuf, most: usize) -> ReadOutcome {
        let mut count = 0;
        loop {
            match self.take_plaintext(input) {
                Ok(0) if count == 0 && self.is_ended() => return ReadOutcome::End,
                Ok(taken) => count += taken,
                Err(_) => return ReadOutcome::End,
            }
            if count >= most {
                return ReadOutcome::Bytes { count, drained: false };
            }
            match self.receive(socket) {
                Ok(0) if count > 0 => return ReadOutcome::Bytes { count, drained: false },
                Ok(0) => match self.take_plaintext(input) {
                    Ok(taken) if taken > 0 => return ReadOutcome::Bytes { count: taken, drained: false },
                    _ => return ReadOutcome::End,
                },
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && count == 0 => return ReadOutcome::Nothing,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return ReadOutcome::Bytes { count, drained: true };
                }
                // What came before the failure is still good; the failure comes again.
                Err(_) if count > 0 => return ReadOutcome::Bytes { count, drained: false },
                Err(error) => return ReadOutcome::Failed(error),
            }
        }
    }

    /// Whether the other side has said that nothing more will come.
    fn is_ended(&mut self) -> bool {
        matches!(self.session.reader().fill_buf(), Ok(bytes) if bytes.is_empty())
    }

    /// Moves decrypted bytes to the input. An error: the stream has ended without a goodbye.
    fn take_plaintext(&mut self, input: &mut InBuf) -> io::Result<usize> {
        let mut count = 0;
        let mut reader = self.session.reader();
        loop {
            let taken = match reader.fill_buf() {
                Ok([]) => return Ok(count),
                Ok(bytes) => {
                    input.extend(bytes);
                    bytes.len()
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock || count > 0 => return Ok(count),
                Err(error) => return Err(error),
            };
            reader.consume(taken);
            count += taken;
        }
    }

    /// Takes about `bytes_max` bytes from the output and sends them. Also says how many were taken.
    pub(super) fn write(&mut self, socket: BorrowedFd<'_>, out: &mut Out, bytes_max: usize) -> (usize, WriteOutcome) {
        let mut taken = 0;
        loop {
            match self.send(socket) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (taken, WriteOutcome::Blocked),
                Err(error) => return (taken, WriteOutcome::Failed(error)),
            }
            let room = (bytes_max - taken).min(PLAIN_MAX);
            if out.is_empty() {
                return (taken, WriteOutcome::Drained);
            }
            if room == 0 {
                return (taken, WriteOutcome::More);
            }
            let pieces = out.iovecs(room);
            match self.session.writer().write_vectored(&pieces) {
                Ok(count) => {
                    drop(pieces);
                    out.advance(count);
                    taken += count;
                }
                Err(error) => return (taken, WriteOutcome::Failed(error)),
            }
        }
    }

    /// Says that nothing more will come, if the socket takes it.
    pub(super) fn say_goodbye(&mut self, socket: BorrowedFd<'_>) {
        // During the handshake it would be an alert like any other.
        if !self.session.is_handshaking() {
            self.session.send_close_notify();
            let _ = self.send(socket);
        }
    }
}

/// The socket as the session wants it.
struct Raw<'a>(BorrowedFd<'a>);

impl Read for Raw<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(self.0.as_fd(), &mut *buf) {
                Err(rustix::io::Errno::INTR) => {}
                result => return result.map_err(io::Error::from),
            }
        }
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match rustix::io::writev(self.0.as_fd(), pieces) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                result => return result.map_err(io::Error::from),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
