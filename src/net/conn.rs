//! One connection: its socket, what came in, what waits to go out; and the table of all of them.
//!
//! A connection's name is a [`ConnId`]: a place in the table and a generation. The place is used again after a close, the
//! generation is not, so a name kept by somebody (a list of dirty connections, an event of the system that comes late)
//! never means another client. The place alone is a small number, fit to index a table of sessions.
//!
//! ```text
//!  Connecting ──connected──▶ Open ──close_after_flush──▶ Closing ──all sent──▶ gone
//!       │    └─▶ Handshaking ─┘ ▲                                               │
//!       │         ▲ (TLS)       └─ accepted                                     │
//!       │         └─ accepted                                                   │
//!       └───────── failure, close, end of stream, error: gone ─────────────────┘
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use rustix::buffer::spare_capacity;
use socket2::SockRef;

use super::tls::Tls;
use crate::base::limits::READ_CHUNK;
use crate::resp::inbuf::InBuf;
use crate::resp::out::Out;

/// Most bytes handed to the system in one write.
pub(super) const WRITE_MAX: usize = 1024 * 1024;

/// Most writes for one connection in one turn, so that a fast reader of a huge reply does not stop the others.
const WRITES_PER_TURN: usize = 4;

/// The name of a connection. Never reused for another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    slot: u32,
    generation: u32,
}

impl ConnId {
    /// Generations have 31 bits: the top bit of a token marks what is not a connection.
    const GENERATION_MAX: u32 = u32::MAX >> 1;

    /// The connection's place in the table: a small number, used again after the connection has gone.
    pub fn slot(self) -> usize {
        self.slot as usize
    }

    pub(super) fn token(self) -> Token {
        Token((u64::from(self.generation) << 32 | u64::from(self.slot)) as usize)
    }

    pub(super) fn from_token(token: Token) -> ConnId {
        ConnId { slot: token.0 as u32, generation: (token.0 as u64 >> 32) as u32 }
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn {}.{}", self.slot, self.generation)
    }
}

/// Where the other side is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Over TCP.
    Tcp(SocketAddr),
    /// Through the socket file at this path.
    Unix(Arc<str>),
}

/// An address as CLIENT LIST shows it: `ip:port`, `[v6]:port`.
pub fn address_text(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.to_string(),
        SocketAddr::V6(address) => format!("[{}]:{}", address.ip(), address.port()),
    }
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Socket::Tcp(stream) => registry.register(stream, token, interest),
            Socket::Unix(stream) => registry.register(stream, token, interest),
        }
    }

    /// What went wrong with connecting, if anything did.
    fn connect_error(&self) -> Option<io::Error> {
        match self {
            Socket::Tcp(stream) => stream.take_error().unwrap_or_else(Some).or_else(|| stream.peer_addr().err()),
            Socket::Unix(stream) => stream.take_error().unwrap_or_else(Some),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Unix(stream) => stream.as_fd(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    /// The application does not know of it yet, or waits for it.
    Handshaking,
    Open,
    /// Reading has ended; closes when all is sent.
    Closing,
}

/// What one attempt to read brought.
#[derive(Debug)]
pub(super) enum ReadOutcome {
    /// Bytes. `drained`: the socket has no more for now.
    Bytes { count: usize, drained: bool },
    /// Nothing there.
    Nothing,
    /// The other side has ended its stream.
    End,
    /// The connection failed.
    Failed(io::Error),
}

/// What one attempt to send brought.
#[derive(Debug)]
pub(super) enum WriteOutcome {
    /// All is sent.
    Drained,
    /// There is more to send, and the socket takes more.
    More,
    /// The socket is full.
    Blocked,
    /// What is left may not be sent yet.
    Held,
    /// The connection failed.
    Failed(io::Error),
}

/// What a connection's turn to send brought.
#[derive(Debug)]
pub(super) struct Sent {
    /// Of the last write; `Drained` when there was nothing to write.
    pub(super) outcome: WriteOutcome,
    pub(super) writes: u64,
    pub(super) bytes: u64,
}

/// A connection.
#[derive(Debug)]
pub struct Conn {
    pub(super) socket: Socket,
    /// What encrypts it.
    pub(super) tls: Option<Box<Tls>>,
    pub(super) state: State,
    pub(super) peer: Peer,
    pub(super) input: InBuf,
    pub(super) out: Out,
    /// The system announced bytes that were not all read.
    pub(super) is_readable: bool,
    /// The other side has ended its stream; what came before is still to be read.
    pub(super) is_ended: bool,
    /// The connection is in the list of those to read.
    pub(super) is_read_queued: bool,
    /// The connection is in the list of those to announce.
    pub(super) is_announced: bool,
    /// The application holds requests that are positions in the input: it must stay as it is until the application takes it.
    pub(super) is_parsed: bool,
    pub(super) is_paused: bool,
    /// Its input or output is with the application.
    pub(super) is_lent: bool,
    /// The connection is in the list of those to flush.
    pub(super) is_dirty: bool,
    /// The socket is full; the system will tell when it no longer is.
    pub(super) is_blocked: bool,
    /// The application wants to know when no more than this many bytes wait.
    pub(super) low_water: Option<usize>,
    pub(super) read_chunk: usize,
    bytes_in: u64,
    bytes_out: u64,
    /// Parts of the output that may not be sent yet, in order.
    gates: VecDeque<Gate>,
    /// Output before this place is open or behind a gate.
    gated_to: u64,
}

/// Output from `from` on (counted like `bytes_out`) waits until `ticket` is released.
#[derive(Clone, Copy, Debug)]
struct Gate {
    from: u64,
    ticket: u64,
}

impl Conn {
    pub(super) fn new(socket: Socket, peer: Peer, state: State) -> Conn {
        Conn {
            socket,
            tls: None,
            state,
            peer,
            input: InBuf::new(),
            out: Out::new(),
            is_readable: false,
            is_ended: false,
            is_read_queued: false,
            is_announced: false,
            is_parsed: false,
            is_paused: false,
            is_lent: false,
            is_dirty: false,
            is_blocked: false,
            low_water: None,
            read_chunk: READ_CHUNK,
            bytes_in: 0,
            bytes_out: 0,
            gates: VecDeque::new(),
            gated_to: 0,
        }
    }

    /// What was written since this was last called is not sent before `ticket` is released. False when that is nothing.
    pub(super) fn hold(&mut self, ticket: u64) -> bool {
        let end = self.bytes_out + self.out.len() as u64;
        let from = self.gated_to.max(self.bytes_out);
        if end <= from {
            return false;
        }
        self.gated_to = end;
        if self.gates.back().is_none_or(|gate| gate.ticket < ticket) {
            self.gates.push_back(Gate { from, ticket });
        }
        true
    }

    /// Opens the gates up to `ticket`. Whether something may be sent that was held.
    pub(super) fn release(&mut self, ticket: u64) -> bool {
        let before = self.gates.len();
        while self.gates.front().is_some_and(|gate| gate.ticket <= ticket) {
            self.gates.pop_front();
        }
        self.gates.len() < before
    }

    /// Whether some of the output is held.
    pub(super) fn is_held(&self) -> bool {
        !self.gates.is_empty()
    }

    /// How many bytes of the output may be sent.
    pub(super) fn sendable(&self) -> usize {
        match self.gates.front() {
            None => self.out.len(),
            Some(gate) => (gate.from - self.bytes_out) as usize,
        }
    }

    /// Bytes received so far.
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    /// Bytes sent so far.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// What was received and not consumed.
    pub fn input(&self) -> &InBuf {
        &self.input
    }

    /// What waits to be sent.
    pub fn out(&self) -> &Out {
        &self.out
    }

    /// The socket's file descriptor, for CLIENT LIST.
    pub fn fd(&self) -> i32 {
        self.socket.as_fd().as_raw_fd()
    }

    /// Whether it is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether there is something to send, above or beneath the encryption.
    #[inline]
    pub(super) fn has_output(&self) -> bool {
        !self.out.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.has_output())
    }

    /// Whether a write would be more than a question to the system.
    pub(super) fn can_send(&self) -> bool {
        let is_ready = matches!(self.state, State::Open | State::Closing) && !self.is_lent && !self.is_blocked;
        is_ready && self.has_output()
    }

    /// Whether it only waits for its output to be sent.
    pub fn is_closing(&self) -> bool {
        self.state == State::Closing
    }

    /// Whether it came through a socket file.
    pub fn is_unix(&self) -> bool {
        matches!(self.peer, Peer::Unix(_))
    }

    /// Whether the other side is on this machine, by its address.
    pub fn is_local(&self) -> bool {
        match &self.peer {
            Peer::Unix(_) => true,
            Peer::Tcp(address) => address.ip().to_canonical().is_loopback(),
        }
    }

    /// Where the other side is.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The other side's address as CLIENT LIST shows it.
    pub fn peer_text(&self) -> String {
        match &self.peer {
            Peer::Tcp(address) => address_text(address),
            Peer::Unix(path) => format!("{path}:0"),
        }
    }

    /// Our own address on this connection. Asks the system.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(stream) => stream.local_addr().ok(),
            Socket::Unix(_) => None,
        }
    }

    /// Our own address as CLIENT LIST shows it. Asks the system.
    pub fn local_text(&self) -> String {
        match (&self.peer, self.local_address()) {
            (Peer::Unix(path), _) => format!("{path}:0"),
            (Peer::Tcp(_), Some(address)) => address_text(&address),
            (Peer::Tcp(_), None) => "?:0".to_owned(),
        }
    }

    /// Lets the system find out when this peer is dead; see [`super::sockopt::set_keepalive`].
    pub fn set_keepalive(&self, seconds: u32) -> io::Result<()> {
        super::sockopt::set_keepalive(&SockRef::from(&self.socket), seconds)
    }

    /// Whether small pieces are sent at once, or gathered by the system.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        SockRef::from(&self.socket).set_tcp_nodelay(nodelay)
    }

    /// What went wrong on the socket, if the system knows.
    pub(super) fn take_error(&self) -> Option<io::Error> {
        match &self.socket {
            Socket::Tcp(stream) => stream.take_error().ok().flatten(),
            Socket::Unix(stream) => stream.take_error().ok().flatten(),
        }
    }

    pub(super) fn finish_connect(&mut self) -> io::Result<()> {
        match self.socket.connect_error() {
            Some(error) => Err(error),
            None => {
                self.state = State::Open;
                Ok(())
            }
        }
    }

    /// One read into the input buffer.
    pub(super) fn read(&mut self) -> ReadOutcome {
        if self.tls.is_some() {
            return self.read_encrypted();
        }
        let target = self.input.target(self.read_chunk);
        let asked = target.capacity() - target.len();
        let result = loop {
            match rustix::io::read(&self.socket, spare_capacity(target)) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result,
            }
        };
        match result {
            Ok(0) => ReadOutcome::End,
            Ok(count) => {
                self.input.received();
                self.bytes_in += count as u64;
                ReadOutcome::Bytes { count, drained: count < asked }
            }
            Err(rustix::io::Errno::AGAIN) => ReadOutcome::Nothing,
            Err(error) => ReadOutcome::Failed(error.into()),
        }
    }

    fn read_encrypted(&mut self) -> ReadOutcome {
        let Some(tls) = &mut self.tls else { return ReadOutcome::Nothing };
        let outcome = tls.read(self.socket.as_fd(), &mut self.input, self.read_chunk);
        if let ReadOutcome::Bytes { count, .. } = outcome {
            self.bytes_in += count as u64;
        }
        outcome
    }

    fn write_encrypted(&mut self, bytes_max: usize) -> WriteOutcome {
        let Some(tls) = &mut self.tls else { return WriteOutcome::Drained };
        let (count, outcome) = tls.write(self.socket.as_fd(), &mut self.out, bytes_max);
        self.bytes_out += count as u64;
        match outcome {
            WriteOutcome::More if self.is_held() && self.sendable() == 0 => WriteOutcome::Held,
            outcome => outcome,
        }
    }

    /// A turn's worth of writes.
    #[inline]
    pub(super) fn send(&mut self) -> Sent {
        let before = self.bytes_out;
        let mut sent = Sent { outcome: WriteOutcome::Drained, writes: 0, bytes: 0 };
        if self.has_output() {
            for _ in 0..WRITES_PER_TURN {
                sent.outcome = self.write(WRITE_MAX);
                sent.writes += 1;
                if !matches!(sent.outcome, WriteOutcome::More) {
                    break;
                }
            }
        }
        sent.bytes = self.bytes_out - before;
        sent
    }

    /// One write of what waits, at most about `bytes_max` of it.
    pub(super) fn write(&mut self, bytes_max: usize) -> WriteOutcome {
        let bytes_max = bytes_max.min(self.sendable());
        if self.tls.is_some() {
            return self.write_encrypted(bytes_max);
        }
        if bytes_max == 0 && self.is_held() {
            return WriteOutcome::Held;
        }
        let result = loop {
            let (result, asked) = match self.out.as_single() {
                Some(bytes) => {
                    let bytes = if self.gates.is_empty() { bytes } else { &bytes[..bytes.len().min(bytes_max)] };
                    (rustix::io::write(&self.socket, bytes), bytes.len())
                }
                None => {
                    let pieces = self.out.iovecs(bytes_max);
                    let asked = pieces.iter().map(|piece: &IoSlice<'_>| piece.len()).sum();
                    (rustix::io::writev(&self.socket, &pieces), asked)
                }
            };
            match result {
                Err(rustix::io::Errno::INTR) => {}
                result => break result.map(|count| (count, asked)),
            }
        };
        match result {
            Ok((count, asked)) => {
                self.out.advance(count);
                self.bytes_out += count as u64;
                match (count < asked, self.out.is_empty()) {
                    (true, _) => WriteOutcome::Blocked,
                    (false, true) => WriteOutcome::Drained,
                    (false, false) if self.is_held() && self.sendable() == 0 => WriteOutcome::Held,
                    (false, false) => WriteOutcome::More,
                }
            }
            Err(rustix::io::Errno::AGAIN) => WriteOutcome::Blocked,
            Err(error) => WriteOutcome::Failed(error.into()),
        }
    }
}

/// All connections by name.
#[derive(Debug, Default)]
pub(super) struct Conns {
    slots: Vec<Slot>,
    free: Vec<u32>,
    count: usize,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    conn: Option<Conn>,
}

impl Conns {
    /// A name that no connection had before, and its place.
    fn next_id(&mut self) -> ConnId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, conn: None });
            (self.slots.len() - 1) as u32
        });
        let generation = &mut self.slots[slot as usize].generation;
        *generation = if *generation == ConnId::GENERATION_MAX { 1 } else { *generation + 1 };
        ConnId { slot, generation: *generation }
    }

    /// A name for something that never became a connection.
    pub(super) fn unused_id(&mut self) -> ConnId {
        let id = self.next_id();
        self.free.push(id.slot);
        id
    }

    /// Adds the connection that `make` builds for its name.
    pub(super) fn insert_with(&mut self, make: impl FnOnce(ConnId) -> io::Result<Conn>) -> io::Result<ConnId> {
        let id = self.next_id();
        match make(id) {
            Ok(conn) => {
                self.slots[id.slot()].conn = Some(conn);
                self.count += 1;
                Ok(id)
            }
            Err(error) => {
                self.free.push(id.slot);
                Err(error)
            }
        }
    }

    #[inline]
    pub(super) fn get(&self, id: ConnId) -> Option<&Conn> {
        let slot = self.slots.get(id.slot())?;
        (slot.generation == id.generation).then_some(slot.conn.as_ref()).flatten()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        let slot = self.slots.get_mut(id.slot())?;
        (slot.generation == id.generation).then_some(slot.conn.as_mut()).flatten()
    }

    pub(super) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let slot = self.slots.get_mut(id.slot()).filter(|slot| slot.generation == id.generation)?;
        let conn = slot.conn.take()?;
        self.free.push(id.slot);
        self.count -= 1;
        Some(conn)
    }

    /// Takes a connection out for a while. Its name stays its own, and means nothing until [`Conns::restore`].
    pub(super) fn lend(&mut self, id: ConnId) -> Option<Conn> {
        let slot = self.slots.get_mut(id.slot()).filter(|slot| slot.generation == id.generation)?;
        slot.conn.take()
    }

    /// Puts it back.
    pub(super) fn restore(&mut self, id: ConnId, conn: Conn) {
        let slot = &mut self.slots[id.slot()];
        assert!(slot.generation == id.generation && slot.conn.is_none(), "{id:?} was not lent");
        slot.conn = Some(conn);
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The names of all of them.
    pub(super) fn ids(&self) -> Vec<ConnId> {
        let slots = self.slots.iter().zip(0u32..).filter(|(slot, _)| slot.conn.is_some());
        slots.map(|(slot, index)| ConnId { slot: index, generation: slot.generation }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn() -> io::Result<Conn> {
        let (socket, _other) = UnixStream::pair()?;
        Ok(Conn::new(Socket::Unix(socket), Peer::Unix("/tmp/s".into()), State::Open))
    }

    #[test]
    fn a_place_is_used_again_under_another_name() {
        let mut conns = Conns::default();
        let first = conns.insert_with(|_| conn()).unwrap();
        assert!(conns.get(first).is_some() && conns.remove(first).is_some());
        let second = conns.insert_with(|_| conn()).unwrap();
        assert_eq!(first.slot(), second.slot());
        assert_ne!(first, second);
        assert!(conns.get(first).is_none() && conns.get_mut(first).is_none() && conns.remove(first).is_none());
        assert_eq!((conns.len(), ConnId::from_token(second.token())), (1, second));
    }

    #[test]
    fn a_connection_that_is_lent_keeps_its_name_and_its_place() {
        let mut conns = Conns::default();
        let lent = conns.insert_with(|_| conn()).unwrap();
        let own = conns.lend(lent).unwrap();
        assert!(conns.get(lent).is_none() && conns.lend(lent).is_none() && conns.remove(lent).is_none());
        let other = conns.insert_with(|_| conn()).unwrap();
        assert_ne!(lent.slot(), other.slot());
        conns.restore(lent, own);
        assert!(conns.get(lent).is_some() && conns.get(other).is_some());
        assert_eq!(conns.len(), 2);
    }

    #[test]
    fn a_connection_that_cannot_be_made_leaves_nothing() {
        let mut conns = Conns::default();
        assert!(conns.insert_with(|_| Err(io::Error::other("no"))).is_err());
        let unused = conns.unused_id();
        assert!(conns.get(unused).is_none());
        assert_eq!((conns.len(), conns.slots.len()), (0, 1));
    }

    #[test]
    fn addresses_as_client_list_shows_them() {
        assert_eq!(address_text(&"10.0.0.1:80".parse().unwrap()), "10.0.0.1:80");
        assert_eq!(address_text(&"[::1]:6379".parse().unwrap()), "[::1]:6379");
        let conn = conn().unwrap();
        assert_eq!((conn.peer_text(), conn.local_text()), ("/tmp/s:0".to_owned(), "/tmp/s:0".to_owned()));
        assert!(conn.is_unix() && conn.is_local());
    }
}
