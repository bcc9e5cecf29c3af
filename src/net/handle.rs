//! What an application can do with the network: [`Net`], handed to it with every event.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;

use mio::{Registry, Token};

use super::buffers::Buffers;
use super::clock::Clock;
use super::conn::{Conn, ConnId, Conns, Peer, Sent, State, WriteOutcome};
use super::dial::{self, DialOptions};
use super::io_threads::{Deed, IoThreads};
use super::listener::{self, ListenOptions, ListenReport, ListenSocket, ListenerId};
use super::resolve::{Resolved, Resolver};
use super::signals::Interrupts;
use super::timers::{TimerKey, Timers};
use super::tls::context::{self, TlsContext};
use super::tls::{Handshake, Tls};
use super::wake::WakeHandle;
use super::{App, Closed};
use crate::base::files::{FileStamp, Files};
use crate::base::limits::{READ_CHUNK, TLS_HANDSHAKE_HURRY_MS, TLS_HANDSHAKE_MS, TLS_HANDSHAKES_MAX};
use crate::base::time::{Instant, Now};
use crate::base::tls::TlsSettings;
use crate::resp::ahead::Ahead;
use crate::resp::inbuf::InBuf;
use crate::resp::out::Out;

/// Marks a token that is not a connection's.
pub(super) const LISTENER_BIT: u64 = 1 << 63;

/// Figures about the whole life of the loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetStats {
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Reads that brought bytes.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Clients accepted.
    pub accepted: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Connections read from in rounds that several threads took part in.
    pub threaded_reads: u64,
    /// Connections written to in such rounds.
    pub threaded_writes: u64,
}

/// Something to tell the application that no socket announces.
#[derive(Debug)]
pub(super) enum Queued {
    Connected(ConnId, io::Result<()>),
    Resolved(Resolved),
}

/// A listening socket and whether clients may still be waiting there.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) socket: ListenSocket,
    pub(super) is_ready: bool,
    pub(super) is_tls: bool,
    /// After a failure: not before this moment.
    pub(super) retry_at: Option<Instant>,
}

/// Connections, timers and listening sockets, as the application sees them.
#[derive(Debug)]
pub struct Net {
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    pub(super) now: Now,
    pub(super) conns: Conns,
    pub(super) listeners: Vec<Option<Listening>>,
    pub(super) timers: Timers,
    /// Connections with output that was not offered to the system yet.
    pub(super) dirty: Vec<ConnId>,
    /// Connections to flush after those: they were written to while others were served. Who asked is answered first, and can ask again
    /// while a message goes out to hundreds who listen.
    pub(super) pushed: Vec<ConnId>,
    /// Connections part of whose output is held.
    held: Vec<ConnId>,
    /// Connections to read from.
    pub(super) to_read: Vec<ConnId>,
    /// Connections to announce as received although nothing new came.
    pub(super) to_announce: Vec<ConnId>,
    pub(super) queued: VecDeque<Queued>,
    pub(super) buffers: Buffers,
    /// When those that nobody needs are freed next.
    pub(super) trim_at: Instant,
    pub(super) resolver: Resolver,
    wake: WakeHandle,
    pub(super) stats: NetStats,
    pub(super) is_stopping: bool,
    pub(super) interrupts: Interrupts,
    /// What new encrypted connections are made with.
    tls: Option<Arc<TlsContext>>,
    /// How the changed files looked that could not be used.
    tls_refused: Option<Vec<Option<FileStamp>>>,
    pub(super) handshakes: Handshakes,
    /// Who helps with reading and writing.
    pub(super) io_threads: Option<Box<IoThreads>>,
    /// Whether they helped with the last flush.
    is_io_threaded: bool,
}

/// Clients in the middle of a TLS handshake. The application has not heard of them yet.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    /// Those whose sockets have become ready, to be taken a step further.
    pub(super) ready: VecDeque<ConnId>,
    /// In the order in which they came; some are done or gone.
    pub(super) since: VecDeque<(Instant, ConnId)>,
    /// How many are at it.
    pub(super) count: usize,
}

impl Net {
    pub(super) fn new(registry: Registry, waker_token: Token) -> io::Result<Net> {
        let wake = WakeHandle::new(&registry, waker_token)?;
        let clock = Clock::start();
        Ok(Net {
            registry,
            now: clock.now(),
            clock,
            conns: Conns::default(),
            listeners: Vec::new(),
            timers: Timers::new(),
            dirty: Vec::new(),
            pushed: Vec::new(),
            held: Vec::new(),
            to_read: Vec::new(),
            to_announce: Vec::new(),
            queued: VecDeque::new(),
            buffers: Buffers::default(),
            trim_at: Instant::default(),
            resolver: Resolver::new(wake.clone()),
            wake,
            stats: NetStats::default(),
            is_stopping: false,
            interrupts: Interrupts::default(),
            tls: None,
            tls_refused: None,
            handshakes: Handshakes::default(),
            io_threads: None,
            is_io_threaded: false,
        })
    }

    /// Signals that the loop has not seen yet.
    pub fn interrupts(&self) -> Interrupts {
        self.interrupts.clone()
    }

    // ---- time ----

    /// The reading of the clocks that this turn works with.
    pub fn now(&self) -> Now {
        self.now
    }

    /// The clock, for measuring within a turn and for other threads.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Sets or moves a timer.
    pub fn set_timer(&mut self, key: TimerKey, at: Instant) {
        self.timers.set(key, at);
    }

    /// Forgets a timer.
    pub fn cancel_timer(&mut self, key: TimerKey) {
        self.timers.cancel(key);
    }

    // ---- the loop ----

    /// Ends the loop with this turn, after its flush.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Wakes the loop from other threads.
    pub fn wake_handle(&self) -> WakeHandle {
        self.wake.clone()
    }

    /// Has so many threads, this one included, write to sockets, and read from them if `do_reads` says so. For once, before the
    /// loop runs.
    pub fn start_io_threads(&mut self, threads: usize, do_reads: bool) -> io::Result<()> {
        if threads > 1 {
            self.io_threads = Some(Box::new(IoThreads::start(threads, do_reads)?));
        }
        Ok(())
    }

    /// Whether other threads helped with the last flush.
    pub fn is_io_threaded(&self) -> bool {
        self.is_io_threaded
    }

    /// Figures about the whole life of the loop.
    pub fn stats(&self) -> &NetStats {
        &self.stats
    }

    /// Starts the figures again from zero (CONFIG RESETSTAT).
    pub fn reset_stats(&mut self) {
        self.stats = NetStats::default();
    }

    // ---- listening ----

    /// Opens the addresses of a `bind` list on `port`. A port of zero lets the system choose one.
    pub fn listen_tcp(&mut self, addresses: &[impl AsRef<str>], port: u16, options: &ListenOptions) -> ListenReport {
        let (sockets, warnings, failed) = listener::bind_all(addresses, port, options);
        let mut report = ListenReport { listeners: Vec::new(), warnings, failed };
        for socket in sockets {
            match self.add_listener(socket, options.is_tls) {
                Ok(id) => report.listeners.push(id),
                Err(error) => {
                    report.failed = true;
                    report.warnings.push(format!("Unrecoverable error creating server socket accept handler: {error}"));
                }
            }
        }
        if report.failed {
            report.listeners.drain(..).for_each(|id| self.stop_listening(id));
        }
        report
    }

    /// Opens a socket file. `mode` zero leaves its permissions as the system gives them.
    pub fn listen_unix(&mut self, path: &str, mode: u32, backlog: u32) -> io::Result<ListenerId> {
        let socket = listener::bind_unix(path, mode, backlog)?;
        self.add_listener(socket, false)
    }

    /// Closes a listening socket, and removes its file if it has one. Clients already accepted stay.
    pub fn stop_listening(&mut self, id: ListenerId) {
        if let Some(listening) = self.listeners.get_mut(id.0 as usize).and_then(Option::take) {
            listening.socket.remove_file();
        }
    }

    /// The address a TCP listening socket is bound to.
    pub fn listener_address(&self, id: ListenerId) -> Option<SocketAddr> {
        self.listeners.get(id.0 as usize)?.as_ref()?.socket.local_address()
    }

    /// Changes `tcp-keepalive` for clients that connect from now on.
    pub fn set_listener_keepalive(&mut self, seconds: u32) -> io::Result<()> {
        self.listeners.iter().flatten().try_for_each(|listening| listening.socket.set_keepalive(seconds))
    }

    fn add_listener(&mut self, mut socket: ListenSocket, is_tls: bool) -> io::Result<ListenerId> {
        // Places are not used again: an old event must not speak of a new socket. Few are ever opened.
        let id = ListenerId(self.listeners.len() as u32);
        socket.register(&self.registry, Token((LISTENER_BIT | u64::from(id.0)) as usize))?;
        self.listeners.push(Some(Listening { socket, is_ready: true, is_tls, retry_at: None }));
        Ok(id)
    }

    // ---- encryption ----

    /// What encrypted connections are made with from now on. Those that stand go on with what they began with.
    pub fn set_tls(&mut self, context: Option<Arc<TlsContext>>) {
        self.tls = context;
    }

    /// Reads the files again if they have changed, and uses what they hold from now on. `None`: they have not, or not since they
    /// could not be used. An error leaves everything as it was, and says why.
    pub fn refresh_tls(
        &mut self,
        settings: &TlsSettings,
        files: &dyn Files,
    ) -> Option<Result<Arc<TlsContext>, String>> {
        if !self.tls.as_ref().is_some_and(|context| context.is_outdated(files)) {
            self.tls_refused = None;
            return None;
        }
        let stamps = context::stamps(settings, files);
        if self.tls_refused.as_ref() == Some(&stamps) {
            return None;
        }
        let built = TlsContext::build(settings, files, self.now.wall()).map(Arc::new);
        match &built {
            Ok(context) => {
                self.tls = Some(Arc::clone(context));
                self.tls_refused = None;
            }
            Err(_) => self.tls_refused = Some(stamps),
        }
        Some(built)
    }

    /// Takes in a socket that a client connected to. Gives the name of a connection that can be used at once.
    pub(super) fn admit(
        &mut self,
        mut socket: super::conn::Socket,
        peer: Peer,
        listener: ListenerId,
        is_tls: bool,
    ) -> io::Result<Option<ConnId>> {
        let tls = match (is_tls, &self.tls) {
            (false, _) => None,
            (true, Some(context)) if context.server.is_some() => {
                let config = context.server.clone().expect("just seen");
                Some(Box::new(Tls::serve(config, listener)?))
            }
            (true, _) => return Err(io::Error::other("TLS is not configured")),
        };
        let registry = &self.registry;
        let id = self.conns.insert_with(|id| {
            socket.register(registry, id.token())?;
            let state = if tls.is_some() { State::Handshaking } else { State::Open };
            let mut conn = Conn::new(socket, peer, state);
            conn.tls = tls;
            Ok(conn)
        })?;
        self.stats.accepted += 1;
        if !is_tls {
            return Ok(Some(id));
        }
        self.handshakes.count += 1;
        self.handshakes.since.push_back((self.now.mono, id));
        self.queue_handshake(id);
        Ok(None)
    }

    /// How long a client may take for its handshake: less when many are at it.
    pub(super) fn handshake_limit_ms(&self) -> u64 {
        if self.handshakes.count >= TLS_HANDSHAKES_MAX { TLS_HANDSHAKE_HURRY_MS } else { TLS_HANDSHAKE_MS }
    }

    /// Puts a connection on the list of those whose handshake may go on.
    pub(super) fn queue_handshake(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id)
            && conn.state == State::Handshaking
            && !conn.is_read_queued
        {
            conn.is_read_queued = true;
            self.handshakes.ready.push_back(id);
        }
    }

    /// Takes a handshake as far as it goes without waiting.
    pub(super) fn step_handshake<A: App>(&mut self, app: &mut A, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.state == State::Handshaking) else { return };
        conn.is_read_queued = false;
        let Some(tls) = &mut conn.tls else { return };
        match tls.handshake(conn.socket.as_fd()) {
            Handshake::Waits => {}
            Handshake::Failed(error) => self.end_handshake(app, id, error),
            Handshake::Done => {
                let listener = tls.listener.take();
                conn.state = State::Open;
                // The first request may have come along, and something may be waiting to be sent.
                conn.is_readable = true;
                enlist(conn, id, &mut self.dirty);
                self.queue_read(id);
                match listener {
                    Some(listener) => {
                        self.handshakes.count -= 1;
                        app.accepted(self, id, listener);
                    }
                    None => app.connected(self, id, Ok(())),
                }
            }
        }
    }

    /// Gives a handshake up.
    pub(super) fn end_handshake<A: App>(&mut self, app: &mut A, id: ConnId, error: io::Error) {
        let Some(conn) = self.conns.get(id) else { return };
        let is_client = conn.tls.as_ref().is_some_and(|tls| tls.listener.is_some());
        let (peer, local) = (conn.peer_text(), conn.local_text());
        self.close(id);
        match is_client {
            true => {
                self.handshakes.count -= 1;
                app.handshake_failed(self, &peer, &local, &error);
            }
            false => app.connected(self, id, Err(error)),
        }
    }

    // ---- connecting ----

    /// Begins to connect. How it ends is told by `connected`, failures to even begin included. What is written before is
    /// sent once the connection stands. A time limit is the caller's: a timer, and [`Net::close`].
    pub fn dial(&mut self, to: SocketAddr, options: &DialOptions) -> ConnId {
        let registry = &self.registry;
        let tls = match (options.is_tls, &self.tls) {
            (false, _) => Ok(None),
            (true, Some(context)) => Tls::dial(context.client.clone(), to).map(|tls| Some(Box::new(tls))),
            (true, None) => Err(io::Error::other("TLS is not configured")),
        };
        let result = self.conns.insert_with(|id| {
            let mut socket = dial::begin(to, options)?;
            socket.register(registry, id.token())?;
            let mut conn = Conn::new(socket, Peer::Tcp(to), State::Connecting);
            conn.tls = tls?;
            Ok(conn)
        });
        result.unwrap_or_else(|error| {
            let id = self.conns.unused_id();
            self.queued.push_back(Queued::Connected(id, Err(error)));
            id
        })
    }

    /// Asks for the addresses of `host`; `resolved` brings them. An address in digits is answered without a look-up.
    pub fn resolve(&mut self, tag: u64, host: &str) {
        let result = match host.parse::<IpAddr>() {
            Ok(address) => Ok(vec![address]),
            Err(_) => match self.resolver.ask(tag, host) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
        };
        self.queued.push_back(Queued::Resolved(Resolved { tag, result }));
    }

    // ---- connections ----

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// The connection, if it still exists.
    #[inline]
    pub fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns.get(id)
    }

    /// Whether the connection still exists.
    pub fn is_open(&self, id: ConnId) -> bool {
        self.conns.get(id).is_some()
    }

    /// Lends out the input of a connection, to be parsed and executed while `Net` is used for other things. Give it back
    /// with [`Net::put_input`] before the event ends.
    #[inline]
    pub fn take_input(&mut self, id: ConnId) -> Option<InBuf> {
        let conn = self.conns.get_mut(id)?;
        conn.is_lent = true;
        conn.is_parsed = false;
        Some(std::mem::take(&mut conn.input))
    }

    /// Gives the input back. When the connection is gone meanwhile, its bytes are forgotten.
    #[inline]
    pub fn put_input(&mut self, id: ConnId, mut input: InBuf) {
        match self.conns.get_mut(id) {
            Some(conn) => {
                conn.input = input;
                conn.is_lent = false;
            }
            None => {
                input.clear();
                if let Some(buffer) = input.return_buffer() {
                    self.buffers.give_back_reading(buffer);
                }
            }
        }
    }

    /// The input of a connection, in place.
    pub fn input(&mut self, id: ConnId) -> Option<&mut InBuf> {
        self.conns.get_mut(id).map(|conn| &mut conn.input)
    }

    /// The output of a connection, to write to. It is flushed at the end of the turn.
    #[inline]
    pub fn out(&mut self, id: ConnId) -> Option<&mut Out> {
        let conn = self.conns.get_mut(id)?;
        if !conn.is_dirty {
            mark_dirty(conn, id, &mut self.pushed, &mut self.buffers);
        }
        Some(&mut conn.out)
    }

    /// Lends out the output of a connection, to be written while `Net` is used for other things. Give it back with
    /// [`Net::put_out`] before the event ends.
    #[inline]
    pub fn take_out(&mut self, id: ConnId) -> Option<Out> {
        let conn = self.conns.get_mut(id)?;
        if !conn.is_dirty {
            mark_dirty(conn, id, &mut self.dirty, &mut self.buffers);
        }
        Some(std::mem::take(&mut conn.out))
    }

    /// Gives the output back. When the connection is gone meanwhile, its bytes are forgotten. What was written to the
    /// connection in between comes after it.
    #[inline]
    pub fn put_out(&mut self, id: ConnId, mut out: Out) {
        match self.conns.get_mut(id) {
            Some(conn) => {
                let between = std::mem::replace(&mut conn.out, out);
                if !between.is_empty() {
                    conn.out.append_out(between);
                }
            }
            None => {
                out.clear();
                if let Some(buffer) = out.return_buffer() {
                    self.buffers.give_back_writing(buffer);
                }
            }
        }
    }

    /// Holds back what was written to a connection since this was last called for it, until [`Net::release_output`] with at
    /// least this ticket. What is written later to the same connection comes after it. Tickets never become smaller.
    pub fn hold_output(&mut self, id: ConnId, ticket: u64) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let was_held = conn.is_held();
        if conn.hold(ticket) && !was_held {
            self.held.push(id);
        }
    }

    /// Lets go what was held for tickets up to this one.
    pub fn release_output(&mut self, ticket: u64) {
        let mut held = std::mem::take(&mut self.held);
        held.retain(|&id| {
            let Some(conn) = self.conns.get_mut(id) else { return false };
            if conn.release(ticket) {
                enlist(conn, id, &mut self.dirty);
            }
            conn.is_held()
        });
        self.held = held;
    }

    /// Stops reading from a connection: what it sends stays with the system, and in the end with the sender.
    pub fn pause_reading(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.is_paused = true;
        }
    }

    /// Reads again. What is already in the input is announced once more, in this turn or the next.
    pub fn resume_reading(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let was_paused = std::mem::replace(&mut conn.is_paused, false);
        if was_paused || conn.input.buffered() > 0 {
            self.announce(id);
        }
        self.queue_read(id);
    }

    /// Has `received` called for this connection, in this turn or the next, although nothing new arrived: for what was left
    /// in the input on purpose.
    pub fn announce(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id)
            && !conn.is_announced
            && conn.state == State::Open
        {
            conn.is_announced = true;
            self.to_announce.push(id);
        }
    }

    /// How much one read asks for, for streams known to be long; `limits::READ_CHUNK` unless told otherwise. With another
    /// size the connection keeps its buffer.
    pub fn set_read_chunk(&mut self, id: ConnId, bytes: usize) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.read_chunk = bytes;
        }
    }

    /// Asks for one `drained` when at most `bytes` bytes wait to be sent, to be told at the end of a flush.
    pub fn watch_output(&mut self, id: ConnId, bytes: usize) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.low_water = Some(bytes);
            enlist(conn, id, &mut self.dirty);
        }
    }

    /// Closes a connection at once. Nothing more is told about it.
    pub fn close(&mut self, id: ConnId) {
        let Some(mut conn) = self.conns.remove(id) else { return };
        if let Some(tls) = &mut conn.tls {
            tls.say_goodbye(conn.socket.as_fd());
        }
        conn.out.clear();
        conn.input.clear();
        self.reclaim(&mut conn);
    }

    /// Closes a connection when all its output is sent. Nothing more is read from it.
    pub fn close_after_flush(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            if conn.state == State::Handshaking {
                // Nothing can be sent before the handshake has ended, and nobody waits for that any more.
                return self.close(id);
            }
            conn.state = State::Closing;
            conn.input.clear();
            enlist(conn, id, &mut self.dirty);
        }
    }

    // ---- for the loop ----

    /// Puts a connection on the list of those to read, if there is something to read and it may be.
    pub(super) fn queue_read(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id)
            && conn.is_readable
            && !conn.is_read_queued
            && !conn.is_paused
            && conn.state == State::Open
        {
            conn.is_read_queued = true;
            self.to_read.push(id);
        }
    }

    /// Prepares a connection on that list for its read. False when it is not to be read after all.
    #[inline]
    pub(super) fn begin_read(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get_mut(id) else { return false };
        conn.is_read_queued = false;
        if conn.is_paused || conn.state != State::Open {
            return false;
        }
        if conn.is_announced || conn.is_parsed {
            // The application has not come to what it sent before.
            self.queue_read(id);
            return false;
        }
        if conn.input.wants_buffer() && conn.read_chunk == READ_CHUNK {
            conn.input.lend_buffer(self.buffers.for_reading());
        }
        true
    }

    /// Takes back the buffers a connection no longer needs.
    pub(super) fn reclaim(&mut self, conn: &mut Conn) {
        if let Some(buffer) = conn.input.return_buffer() {
            self.buffers.give_back_reading(buffer);
        }
        if let Some(buffer) = conn.out.return_buffer() {
            self.buffers.give_back_writing(buffer);
        }
    }

    /// Closes a connection that ended by itself, and tells the application.
    pub(super) fn end<A: App>(&mut self, app: &mut A, id: ConnId, reason: Closed) {
        if self.is_open(id) {
            self.close(id);
            app.closed(self, id, reason);
        }
    }

    /// Sends what waits on the connections with output.
    pub(super) fn flush<A: App>(&mut self, app: &mut A) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.append(&mut self.pushed);
        if let Some(io_threads) = &self.io_threads {
            self.is_io_threaded = dirty.len() >= io_threads.worth();
            if self.is_io_threaded {
                self.flush_apart(app, &mut dirty);
            }
        }
        for id in dirty.drain(..) {
            self.flush_one(app, id);
        }
        // What the application wrote meanwhile is the next turn's; usually nothing, and then the list's memory stays.
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
    }

    /// Sends with the help of other threads. Connections that need something else than that stay in the list.
    fn flush_apart<A: App>(&mut self, app: &mut A, dirty: &mut Vec<ConnId>) {
        let Some(mut io_threads) = self.io_threads.take() else { return };
        io_threads.begin_round(dirty.len());
        dirty.retain(|&id| {
            let can_send = self.conns.get_mut(id).is_some_and(|conn| conn.can_send());
            let Some(mut conn) = can_send.then(|| self.conns.lend(id)).flatten() else { return true };
            conn.is_dirty = false;
            io_threads.add(id, conn, Deed::Write, None);
            false
        });
        self.stats.threaded_writes += io_threads.errands() as u64;
        // All are back before the first is told of: what the application does then may concern any of them.
        for (id, deed) in self.run_round(io_threads, |_, _| {}) {
            if let Deed::HasWritten(sent) = deed {
                self.has_sent(app, id, sent);
            }
        }
    }

    /// Runs the errands that were collected, and puts the connections back. What came of each, in the order of the errands; `parsed`
    /// is given the parsers that were lent.
    pub(super) fn run_round(
        &mut self,
        mut io_threads: Box<IoThreads>,
        mut parsed: impl FnMut(ConnId, Ahead),
    ) -> Vec<(ConnId, Deed)> {
        let mut done = Vec::with_capacity(io_threads.errands());
        io_threads.run_round(|errand| {
            self.conns.restore(errand.id, errand.conn);
            done.push((errand.id, errand.deed));
            if let Some(ahead) = errand.ahead {
                parsed(errand.id, ahead);
            }
        });
        self.io_threads = Some(io_threads);
        done
    }

    fn flush_one<A: App>(&mut self, app: &mut A, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.is_lent {
            // What was written stays with the application, and comes back before the turn ends.
            self.dirty.push(id);
            return;
        }
        conn.is_dirty = false;
        if matches!(conn.state, State::Connecting | State::Handshaking) {
            return;
        }
        if conn.is_blocked {
            // Nothing can be sent, but more may have been written.
            return app.congested(self, id);
        }
        let sent = conn.send();
        self.has_sent(app, id, sent);
    }

    /// A connection has sent what it could.
    fn has_sent<A: App>(&mut self, app: &mut A, id: ConnId, sent: Sent) {
        self.stats.writes += sent.writes;
        self.stats.bytes_out += sent.bytes;
        // Another one's end may have been its own.
        let Some(conn) = self.conns.get_mut(id) else { return };
        let is_low = conn.low_water.take_if(|bytes| conn.out.len() <= *bytes).is_some();
        match sent.outcome {
            WriteOutcome::Drained => {
                if let Some(buffer) = conn.out.return_buffer() {
                    self.buffers.give_back_writing(buffer);
                }
                // With other threads' help, what came of another connection may have written to this one since.
                if conn.state == State::Closing && !conn.has_output() {
                    return self.end(app, id, Closed::Flushed);
                }
            }
            WriteOutcome::More => {
                enlist(conn, id, &mut self.dirty);
                app.congested(self, id);
            }
            WriteOutcome::Blocked => {
                conn.is_blocked = true;
                app.congested(self, id);
            }
            WriteOutcome::Held => app.congested(self, id),
            WriteOutcome::Failed(error) => return self.end(app, id, Closed::WriteFailed(error)),
        }
        if is_low && self.is_open(id) {
            app.drained(self, id);
        }
    }
}

/// Puts a connection into a list of those to flush, if it is in none.
fn enlist(conn: &mut Conn, id: ConnId, list: &mut Vec<ConnId>) {
    if !std::mem::replace(&mut conn.is_dirty, true) {
        list.push(id);
    }
}

/// The same for one that is going to be written to.
#[inline]
fn mark_dirty(conn: &mut Conn, id: ConnId, list: &mut Vec<ConnId>, buffers: &mut Buffers) {
    enlist(conn, id, list);
    if conn.out.wants_buffer() {
        conn.out.lend_buffer(buffers.for_writing());
    }
}
