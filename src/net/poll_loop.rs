//! The loop over `mio`: turns readiness into completed acts. See the module's essay for the order of a turn.

use std::io;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token};

use super::conn::{ConnId, ReadOutcome, State};
use super::handle::{LISTENER_BIT, Net, Queued};
use super::io_threads::Deed;
use super::listener::{AcceptOutcome, ListenerId};
use super::signals::Signals;
use super::{App, Closed};
use crate::base::limits::{BATCH_COMMANDS, READ_CHUNK, TLS_HANDSHAKES_MAX, TLS_STEPS_PER_TURN};
use crate::base::time::Instant;

const WAKER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);

/// Most events taken from the system at once. More wait for the next turn.
const EVENTS_MAX: usize = 1024;

/// Connections read before their bytes are handed over. With more, the first one's bytes would leave the cache before
/// they are parsed.
const GROUP_MAX: usize = BATCH_COMMANDS;

/// How often buffers that nobody needs are freed.
const TRIM_SPACING_MS: u64 = 1000;

/// Reads of one connection in one turn, so that one that sends without pause does not stop the others.
const READS_PER_TURN: usize = 4;

/// Clients accepted from one listening socket in one turn.
const ACCEPTS_PER_TURN: usize = 1000;

/// How long to wait after a client could not be accepted.
const ACCEPT_RETRY_MS: u64 = 100;

/// The loop: the system's event queue and the state behind [`Net`].
#[derive(Debug)]
pub struct Loop {
    poll: Poll,
    events: Events,
    net: Net,
    signals: Option<Signals>,
    group: Vec<ConnId>,
    /// Connections whose streams have ended, to be closed in the next turn.
    ended: Vec<ConnId>,
    /// When the application wants its next turn.
    deadline: Option<Instant>,
}

/// What the system announced, besides readiness noted in the connections.
#[derive(Debug, Default)]
struct Announced {
    was_woken: bool,
    signals: bool,
    failed: Vec<ConnId>,
}

impl Loop {
    /// A loop without connections.
    pub fn new() -> io::Result<Loop> {
        let poll = Poll::new()?;
        let net = Net::new(poll.registry().try_clone()?, WAKER)?;
        let events = Events::with_capacity(EVENTS_MAX);
        Ok(Loop {
            poll,
            events,
            net,
            signals: None,
            group: Vec::with_capacity(GROUP_MAX),
            ended: Vec::new(),
            deadline: None,
        })
    }

    /// The network, to set things up before the loop runs.
    pub fn net(&mut self) -> &mut Net {
        &mut self.net
    }

    /// Turns SIGTERM and SIGINT into events, and ignores SIGHUP, for the whole process.
    pub fn handle_signals(&mut self) -> io::Result<()> {
        let signals = Signals::install(self.poll.registry(), SIGNALS)?;
        self.net.interrupts = signals.interrupts();
        self.signals = Some(signals);
        Ok(())
    }

    /// Runs turn after turn until the application stops it. The first begins at once.
    pub fn run<A: App>(&mut self, app: &mut A) -> io::Result<()> {
        self.deadline = Some(self.net.now.mono);
        while !self.net.is_stopping {
            self.turn(app)?;
        }
        Ok(())
    }

    /// One turn. Sleeps first, unless there is work.
    pub fn turn<A: App>(&mut self, app: &mut A) -> io::Result<()> {
        let timeout = self.timeout();
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            result => result?,
        }
        self.net.now = self.net.clock.now();
        self.net.stats.turns += 1;
        let announced = self.note_events(app);
        self.accept(app);
        self.shake_hands(app);
        self.tell_queued(app);
        self.read(app);
        for id in self.ended.drain(..) {
            self.net.queue_read(id);
        }
        for id in announced.failed {
            self.end_failed(app, id);
        }
        while let Some(key) = self.net.timers.pop_due(self.net.now.mono) {
            app.timer(&mut self.net, key);
        }
        if announced.was_woken {
            let answers: Vec<_> = self.net.resolver.answers().collect();
            for answer in answers {
                app.resolved(&mut self.net, answer.tag, answer.result);
            }
            app.woken(&mut self.net);
        }
        if announced.signals
            && let Some(signals) = &mut self.signals
        {
            for signal in signals.take() {
                app.signal(&mut self.net, signal);
            }
        }
        self.net.now = self.net.clock.now();
        let now = self.net.now;
        self.deadline = app.before_sleep(&mut self.net, now);
        self.net.flush(app);
        if now.mono >= self.net.trim_at {
            self.net.trim_at = now.mono + TRIM_SPACING_MS;
            self.net.buffers.trim();
        }
        Ok(())
    }

    /// How long the system may let us sleep; `None` for ever.
    fn timeout(&mut self) -> Option<Duration> {
        let net = &mut self.net;
        let has_work = !net.dirty.is_empty()
            || !net.pushed.is_empty()
            || !net.to_read.is_empty()
            || !net.to_announce.is_empty()
            || !net.queued.is_empty()
            || !net.handshakes.ready.is_empty()
            || net.listeners.iter().flatten().any(|listening| listening.is_ready && listening.retry_at.is_none());
        if has_work {
            return Some(Duration::ZERO);
        }
        let retry = net.listeners.iter().flatten().filter_map(|listening| listening.retry_at).min();
        let handshake = net.handshakes.since.front().map(|(since, _)| *since + net.handshake_limit_ms() + 1);
        let deadline = [self.deadline, net.timers.next_deadline(), retry, handshake].into_iter().flatten().min()?;
        Some(Duration::from_millis(deadline.since(net.now.mono)))
    }

    /// Notes for each connection and listening socket what the system announced.
    fn note_events<A: App>(&mut self, app: &mut A) -> Announced {
        let mut announced = Announced::default();
        for event in &self.events {
            match event.token() {
                WAKER => announced.was_woken = true,
                SIGNALS => announced.signals = true,
                Token(token) if token as u64 & LISTENER_BIT != 0 => {
                    if let Some(Some(listening)) = self.net.listeners.get_mut(token as u32 as usize) {
                        listening.is_ready = true;
                    }
                }
                token => note_event(&mut self.net, app, event, ConnId::from_token(token), &mut announced.failed),
            }
        }
        announced
    }

    fn accept<A: App>(&mut self, app: &mut A) {
        for index in 0..self.net.listeners.len() {
            for _ in 0..ACCEPTS_PER_TURN {
                let net = &mut self.net;
                // Looked up each time: the application may stop listening.
                let Some(listening) = &mut net.listeners[index] else { break };
                if !listening.is_ready || listening.retry_at.is_some_and(|at| at > net.now.mono) {
                    break;
                }
                listening.retry_at = None;
                let is_tls = listening.is_tls;
                if is_tls && net.handshakes.count >= TLS_HANDSHAKES_MAX {
                    // Those who come later wait with the system until others are done, or have taken too long.
                    listening.retry_at = Some(net.now.mono + ACCEPT_RETRY_MS);
                    break;
                }
                let id = ListenerId(index as u32);
                let accepted = match listening.socket.accept() {
                    AcceptOutcome::Nothing => {
                        listening.is_ready = false;
                        break;
                    }
                    AcceptOutcome::Failed(error) => Err(error),
                    AcceptOutcome::Accepted(socket, peer) => net.admit(socket, peer, id, is_tls),
                };
                let listening = net.listeners[index].as_mut();
                match accepted {
                    Ok(None) => {}
                    Ok(Some(conn)) => app.accepted(net, conn, id),
                    Err(error) if is_clients_fault(&error) => {}
                    Err(error) => {
                        if let Some(listening) = listening {
                            listening.retry_at = Some(net.now.mono + ACCEPT_RETRY_MS);
                        }
                        app.accept_failed(net, id, error);
                        break;
                    }
                }
            }
        }
    }

    /// Takes a few handshakes further, and ends those that have lasted too long.
    fn shake_hands<A: App>(&mut self, app: &mut A) {
        let net = &mut self.net;
        for _ in 0..TLS_STEPS_PER_TURN {
            let Some(id) = net.handshakes.ready.pop_front() else { break };
            net.step_handshake(app, id);
        }
        let limit_ms = net.handshake_limit_ms();
        while let Some(&(since, id)) = net.handshakes.since.front()
            && net.now.mono.since(since) > limit_ms
        {
            net.handshakes.since.pop_front();
            if net.conns.get(id).is_some_and(|conn| conn.state == State::Handshaking) {
                net.end_handshake(app, id, io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake takes too long"));
            }
        }
    }

    fn tell_queued<A: App>(&mut self, app: &mut A) {
        // What is queued meanwhile waits for the next turn.
        for _ in 0..self.net.queued.len() {
            match self.net.queued.pop_front() {
                Some(Queued::Connected(id, result)) => app.connected(&mut self.net, id, result),
                Some(Queued::Resolved(answer)) => app.resolved(&mut self.net, answer.tag, answer.result),
                None => return,
            }
        }
    }

    /// Reads from the connections that have bytes, group by group, and hands each group over.
    fn read<A: App>(&mut self, app: &mut A) {
        let announce = std::mem::take(&mut self.net.to_announce);
        for ids in announce.chunks(GROUP_MAX) {
            for &id in ids {
                if let Some(conn) = self.net.conns.get_mut(id) {
                    conn.is_announced = false;
                    self.group.push(id);
                }
            }
            self.hand_over(app);
        }
        for _ in 0..READS_PER_TURN {
            let mut round = std::mem::take(&mut self.net.to_read);
            if round.is_empty() {
                return;
            }
            let mut has_more = false;
            // With very many threads a group is as large as it must be to occupy them.
            let io_threads = self.net.io_threads.as_ref().filter(|io_threads| io_threads.do_reads);
            let worth = io_threads.map(|io_threads| io_threads.worth());
            let group_max = GROUP_MAX.max(worth.unwrap_or_default());
            for ids in round.chunks(group_max) {
                if worth.is_some_and(|worth| ids.len() >= worth) {
                    has_more |= self.read_apart(app, ids);
                } else {
                    for &id in ids {
                        has_more |= self.read_one(app, id);
                    }
                }
                self.hand_over(app);
            }
            round.clear();
            if self.net.to_read.is_empty() {
                self.net.to_read = round;
            }
            if !has_more {
                return;
            }
        }
    }

    /// One read. True when the same connection is worth another read in this turn.
    fn read_one<A: App>(&mut self, app: &mut A, id: ConnId) -> bool {
        if !self.net.begin_read(id) {
            return false;
        }
        let Some(conn) = self.net.conns.get_mut(id) else { return false };
        let outcome = conn.read();
        self.has_read(app, id, outcome)
    }

    /// One read for each of these, with the help of other threads. True when one is worth another read in this turn.
    fn read_apart<A: App>(&mut self, app: &mut A, ids: &[ConnId]) -> bool {
        let Some(mut io_threads) = self.net.io_threads.take() else { return false };
        io_threads.begin_round(ids.len());
        for &id in ids {
            if self.net.begin_read(id)
                && let Some(conn) = self.net.conns.lend(id)
            {
                io_threads.add(id, conn, Deed::Read, app.lend_parser(id));
            }
        }
        self.net.stats.threaded_reads += io_threads.errands() as u64;
        let mut has_more = false;
        // All are back before the first is told of: what the application does then may concern any of them.
        for (id, deed) in self.net.run_round(io_threads, |id, ahead| app.parsed(id, ahead)) {
            if let Deed::HasRead(outcome) = deed {
                has_more |= self.has_read(app, id, outcome);
            }
        }
        has_more
    }

    /// What came of a read. True when the same connection is worth another one in this turn.
    fn has_read<A: App>(&mut self, app: &mut A, id: ConnId, outcome: ReadOutcome) -> bool {
        let net = &mut self.net;
        // Another one's end may have been its own.
        let Some(conn) = net.conns.get_mut(id).filter(|conn| conn.state == State::Open) else { return false };
        if conn.tls.is_some() && conn.has_output() && !conn.is_dirty {
            // The encryption has something to say.
            conn.is_dirty = true;
            net.dirty.push(id);
        }
        match outcome {
            ReadOutcome::Bytes { count, drained } => {
                net.stats.reads += 1;
                net.stats.bytes_in += count as u64;
                self.group.push(id);
                conn.is_readable = !drained || conn.is_ended;
                if conn.is_readable {
                    net.queue_read(id);
                }
                !drained
            }
            ReadOutcome::Nothing => {
                conn.is_readable = false;
                if let Some(buffer) = conn.input.return_buffer() {
                    net.buffers.give_back_reading(buffer);
                }
                false
            }
            // Replies of this turn come first: a client may ask, end its stream and still read.
            ReadOutcome::End if conn.is_dirty && !conn.is_blocked => {
                self.ended.push(id);
                false
            }
            ReadOutcome::End => {
                net.end(app, id, Closed::End);
                false
            }
            ReadOutcome::Failed(error) => {
                net.end(app, id, Closed::ReadFailed(error));
                false
            }
        }
    }

    /// Hands the group that was read to the application, and takes back buffers that are empty again.
    fn hand_over<A: App>(&mut self, app: &mut A) {
        if self.group.is_empty() {
            return;
        }
        app.received(&mut self.net, &self.group);
        for id in self.group.drain(..) {
            if let Some(conn) = self.net.conns.get_mut(id)
                && conn.read_chunk == READ_CHUNK
                && !conn.is_parsed
                && let Some(buffer) = conn.input.return_buffer()
            {
                self.net.buffers.give_back_reading(buffer);
            }
        }
    }

    /// A connection that failed while nobody was reading from it.
    fn end_failed<A: App>(&mut self, app: &mut A, id: ConnId) {
        if let Some(conn) = self.net.conns.get(id) {
            let error = conn.take_error().unwrap_or_else(|| io::ErrorKind::ConnectionReset.into());
            self.net.end(app, id, Closed::ReadFailed(error));
        }
    }
}

/// Whether accepting failed because the client is gone again.
fn is_clients_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn note_event<A: App>(net: &mut Net, app: &mut A, event: &Event, id: ConnId, failed: &mut Vec<ConnId>) {
    let Some(conn) = net.conns.get_mut(id) else { return };
    if conn.state == State::Handshaking {
        return net.queue_handshake(id);
    }
    if conn.state == State::Connecting {
        if event.is_writable() || event.is_error() || event.is_read_closed() {
            finish_connect(net, app, id);
        }
        return;
    }
    if event.is_writable() && conn.is_blocked {
        conn.is_blocked = false;
        if !conn.is_dirty {
            conn.is_dirty = true;
            net.dirty.push(id);
        }
    }
    if event.is_readable() || event.is_read_closed() {
        conn.is_readable = true;
        conn.is_ended |= event.is_read_closed();
    }
    // Both directions are dead. A connection that is being read finds out by reading, after the bytes that came before.
    if (event.is_error() || event.is_write_closed()) && (conn.is_paused || conn.state == State::Closing) {
        failed.push(id);
    }
    net.queue_read(id);
}

fn finish_connect<A: App>(net: &mut Net, app: &mut A, id: ConnId) {
    let Some(conn) = net.conns.get_mut(id) else { return };
    let result = conn.finish_connect();
    if result.is_ok() && conn.tls.is_some() {
        conn.state = State::Handshaking;
        return net.queue_handshake(id);
    }
    match &result {
        Ok(()) => {
            // It may have sent something already, and something may be waiting to be sent.
            conn.is_readable = true;
            if !conn.is_dirty {
                conn.is_dirty = true;
                net.dirty.push(id);
            }
            net.queue_read(id);
        }
        Err(_) => net.close(id),
    }
    app.connected(net, id, result);
}
