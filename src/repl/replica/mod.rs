//! The link to our master: one attempt after another to follow its stream.
//!
//! ```text
//!            +-------------------------- any failure: CloseLink, wait, try again --------------------------+
//!            v                                                                                             |
//!        Waiting --time--> Connecting --connected--> Handshake --PSYNC answered--+-- +CONTINUE --> Streaming
//!                                                      |                         |                    ^
//!                                                      |                         +-- +FULLRESYNC      |
//!                                                      +-- PSYNC unknown: SYNC -----> Transfer --> Loading
//! ```
//!
//! What ROLE calls them: `connect`, `connecting`, `handshake`, `sync` (Transfer and Loading), `connected`.
//!
//! The point of all this is to receive each byte of the master's history exactly once. The position asked for is always
//! the one after the last byte *executed* ([`History::next`]); bytes that were received but not executed when a
//! connection broke are asked for again. Whether our data still has a place in a history at all is `resume`: the
//! database the stream goes on in, or `None` when only a full resync will do. It survives lost connections, failed
//! transfers and a change of master; it is given up at the moment a snapshot starts to replace the data.
//!
//! Waiting is short. A lost master is called again at once, then ten times a second for a while, then once a second:
//! after a failover the new master may need a moment, and each tenth of a second here is one in which a replica serves
//! old data. Redis waits a second each time.
//!
//! Parts: `handshake.rs` asks and understands the answers, `loading.rs` frames the snapshot, `ack.rs` tells the master
//! how far we are.

pub mod ack;
pub mod handshake;
pub mod loading;

use tracing::{info, warn};

use crate::base::time::Instant;
use crate::repl::Turn;
use crate::repl::io::{HostPort, Output, ResyncPoint};
use crate::repl::replica::ack::Acks;
use crate::repl::replica::handshake::{Answer, Handshake};
use crate::repl::replica::loading::{HeaderError, Transfer};

/// Pause between two attempts at first, in milliseconds.
const RETRY_QUICK: u64 = 100;

/// Pause once many attempts have failed: Redis's.
const RETRY_SLOW: u64 = 1000;

/// Attempts before the pause becomes long.
const QUICK_ATTEMPTS: u32 = 50;

/// A line of an answer that has begun must end within this time.
const LINE_TIMEOUT: u64 = 5000;

/// Longest line a master may send.
const LINE_MAX: usize = 4096;

/// What a step of the link means for our own replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Chain {
    /// Nothing: the history they follow goes on.
    Keeps,
    /// They must connect again, because its name changed or it was replaced.
    Breaks,
}

/// The link.
#[derive(Debug)]
pub struct Link {
    master: HostPort,
    state: State,
    resume: Option<u32>,
    failures: u32,
    last_io: Instant,
    /// When a line that is not complete yet began to arrive.
    line_since: Option<Instant>,
    down_since: Option<Instant>,
    acks: Acks,
    last_newline: Instant,
    promotion: Promotion,
    /// Somebody has just decided whom we follow, whatever that does to our data; until the first success.
    is_chosen: bool,
}

/// What became of the wish that the server we follow be a master (`PSYNC … FAILOVER`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promotion {
    /// We follow somebody who is one, as far as we know.
    NotAsked,
    /// It is asked with the next PSYNC, or has been and did not answer yet.
    Asked,
    /// It is one now.
    Granted,
    /// It will not, or it fell silent.
    Refused,
}

#[derive(Debug)]
enum State {
    Waiting {
        until: Instant,
        lost: bool,
    },
    Connecting,
    Handshake(Handshake),
    /// A snapshot was granted; the line that announces its form is awaited. `point` is unknown after SYNC.
    Header {
        point: Option<ResyncPoint>,
    },
    Transfer {
        point: Option<ResyncPoint>,
        transfer: Transfer,
    },
    /// All of the snapshot is here.
    Loading {
        point: Option<ResyncPoint>,
        received: u64,
        connected: bool,
    },
    /// `ahead`: stream bytes that are here and not executed.
    Streaming {
        ahead: u64,
    },
}

/// What ROLE calls the state of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LinkState {
    Connect,
    Connecting,
    Handshake,
    Sync,
    Connected,
}

impl LinkState {
    /// The word in ROLE.
    pub fn as_str(self) -> &'static str {
        match self {
            LinkState::Connect => "connect",
            LinkState::Connecting => "connecting",
            LinkState::Handshake => "handshake",
            LinkState::Sync => "sync",
            LinkState::Connected => "connected",
        }
    }
}

/// How far a transfer has come, for INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Length of the snapshot: -1 before the header, 0 when the master did not tell.
    pub total: i64,
    /// Bytes received.
    pub read: u64,
}

impl Link {
    /// A link that connects at the next `tick`. `resume` is the database in which our data's history goes on, when it
    /// has a place in one.
    pub fn new(now: Instant, master: HostPort, resume: Option<u32>) -> Link {
        Link {
            master,
            state: State::Waiting { until: now, lost: false },
            resume,
            failures: 0,
            last_io: now,
            line_since: None,
            down_since: None,
            acks: Acks::default(),
            last_newline: now,
            promotion: Promotion::NotAsked,
            is_chosen: false,
        }
    }

    /// This link, because somebody has just decided so.
    pub fn chosen(self) -> Link {
        Link { is_chosen: true, ..self }
    }

    /// This link, asking its master to become one.
    pub fn asking_promotion(self) -> Link {
        Link { promotion: Promotion::Asked, ..self }
    }

    /// What became of that.
    pub fn promotion(&self) -> Promotion {
        self.promotion
    }

    /// Whom we follow.
    pub fn master(&self) -> &HostPort {
        &self.master
    }

    /// The state, as ROLE names it.
    pub fn state(&self) -> LinkState {
        match self.state {
            State::Waiting { .. } => LinkState::Connect,
            State::Connecting => LinkState::Connecting,
            State::Handshake(_) => LinkState::Handshake,
            State::Header { .. } | State::Transfer { .. } | State::Loading { .. } => LinkState::Sync,
            State::Streaming { .. } => LinkState::Connected,
        }
    }

    /// `master_link_status`.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Streaming { .. })
    }

    /// Whether more bytes of a snapshot are awaited.
    pub fn is_receiving(&self) -> bool {
        matches!(self.state, State::Transfer { .. })
    }

    /// The transfer, while there is one.
    pub fn progress(&self) -> Option<Progress> {
        match &self.state {
            State::Header { .. } => Some(Progress { total: -1, read: 0 }),
            State::Transfer { transfer, .. } => {
                Some(Progress { total: transfer.len().unwrap_or(0) as i64, read: transfer.received() })
            }
            State::Loading { received, .. } => Some(Progress { total: *received as i64, read: *received }),
            _ => None,
        }
    }

    /// Seconds since the last byte from the master, when the link is up or a transfer runs.
    pub fn idle_secs(&self, now: Instant) -> u64 {
        now.since(self.last_io) / 1000
    }

    /// Seconds since the link went down; `None` when it has never been up.
    pub fn down_secs(&self, now: Instant) -> Option<u64> {
        self.down_since.map(|since| now.since(since) / 1000)
    }

    /// How many stream bytes have been received and not executed, while the stream arrives.
    pub fn ahead(&self) -> Option<u64> {
        match self.state {
            State::Streaming { ahead } => Some(ahead),
            _ => None,
        }
    }

    /// The database in which our history goes on, if our data has a place in one.
    pub fn resume_db(&self) -> Option<u32> {
        self.resume
    }

    /// The first moment at which `tick` has something to do.
    pub fn next_deadline(&self, timeout_ms: u64) -> Option<Instant> {
        let silence = self.last_io + timeout_ms + 1;
        match &self.state {
            State::Waiting { until, .. } => Some(*until),
            State::Connecting => Some(silence),
            State::Handshake(_) | State::Header { .. } | State::Transfer { .. } => {
                Some(self.line_since.map_or(silence, |since| silence.min(since + LINE_TIMEOUT + 1)))
            }
            State::Loading { .. } => None,
            State::Streaming { .. } => Some(silence.min(self.acks.next_deadline())),
        }
    }

    /// Does what time demands.
    pub fn tick(&mut self, turn: &mut Turn<'_>) {
        let silent = turn.now > self.last_io + turn.settings.timeout_ms;
        let stuck = self.line_since.is_some_and(|since| turn.now > since + LINE_TIMEOUT);
        match &self.state {
            State::Waiting { until, lost } if turn.now >= *until => {
                let word = if *lost { "Reconnecting" } else { "Connecting" };
                info!("{word} to MASTER {}:{}", self.master.host, self.master.port);
                self.last_io = turn.now;
                self.state = State::Connecting;
                turn.out.push(Output::Connect(self.master.clone()));
            }
            State::Connecting | State::Handshake(_) if silent => {
                warn!("Timeout connecting to the MASTER...");
                if matches!(&self.state, State::Handshake(handshake) if handshake.awaits_psync())
                    && self.promotion == Promotion::Asked
                {
                    self.promotion = Promotion::Refused;
                }
                self.give_up(turn);
            }
            State::Handshake(_) | State::Header { .. } if stuck => {
                warn!("Master did not respond to command during SYNC handshake");
                self.give_up(turn);
            }
            State::Header { .. } | State::Transfer { .. } if silent => {
                warn!(
                    "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' \
                     parameter in redis.conf to a larger value."
                );
                self.give_up(turn);
            }
            State::Streaming { .. } if silent => {
                warn!("MASTER timeout: no data nor PING received...");
                turn.out.push(Output::CloseLink);
                self.lost(turn);
            }
            State::Streaming { .. } if turn.now >= self.acks.next_deadline() => self.acks.send(turn),
            _ => {}
        }
    }

    /// The connection stands. Without data there is nothing to be guarded.
    pub fn connected(&mut self, turn: &mut Turn<'_>, has_data: bool) {
        if !matches!(self.state, State::Connecting) {
            return;
        }
        info!("Non blocking connect for SYNC fired the event.");
        self.last_io = turn.now;
        self.line_since = None;
        self.state = State::Handshake(Handshake::start(turn, self.is_chosen || !has_data));
    }

    /// The connection could not be made.
    pub fn failed(&mut self, turn: &mut Turn<'_>, error: &str) {
        if matches!(self.state, State::Connecting) {
            warn!("Error condition on socket for SYNC: {error}");
            self.retry(turn);
        }
    }

    /// There is no address to connect to. Names do not come up as quickly as processes do.
    pub fn unknown(&mut self, turn: &mut Turn<'_>, error: &str) {
        if matches!(self.state, State::Connecting) {
            warn!("Unable to connect to MASTER: {error}");
            self.state = State::Waiting { until: turn.now + RETRY_SLOW, lost: false };
        }
    }

    /// The connection is gone.
    pub fn closed(&mut self, turn: &mut Turn<'_>, reason: &str) {
        match &mut self.state {
            State::Waiting { .. } => {}
            State::Connecting => self.failed(turn, reason),
            State::Handshake(handshake) => {
                warn!("Failed to read response from the server: {reason}");
                handshake.log_silence();
                if handshake.awaits_psync() && self.promotion == Promotion::Asked {
                    self.promotion = Promotion::Refused;
                }
                self.retry(turn);
            }
            State::Header { .. } => {
                warn!("I/O error reading bulk count from MASTER: {reason}");
                self.retry(turn);
            }
            State::Transfer { .. } => {
                warn!("I/O error trying to sync with MASTER: {reason}");
                turn.out.push(Output::TransferAborted);
                self.retry(turn);
            }
            // Everything needed is here. Load it, then ask for what came after.
            State::Loading { connected, .. } => *connected = false,
            State::Streaming { .. } => self.lost(turn),
        }
    }

    /// Ends the link for good, because we follow somebody else or nobody now.
    pub fn abandon(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Waiting { .. } => return,
            State::Transfer { .. } | State::Loading { .. } => turn.out.push(Output::TransferAborted),
            State::Streaming { .. } => {
                info!("Connection with master lost.");
                info!("Caching the disconnected master state.");
            }
            _ => {}
        }
        turn.out.push(Output::CloseLink);
        self.state = State::Waiting { until: turn.now, lost: false };
    }

    /// Bytes arrived; `bytes` is everything received and not yet taken.
    pub fn received(&mut self, turn: &mut Turn<'_>, mut bytes: &[u8]) -> Chain {
        self.last_io = turn.now;
        let mut chain = Chain::Keeps;
        loop {
            match &mut self.state {
                State::Handshake(_) | State::Header { .. } => {
                    let line = match self.take_line(turn, &mut bytes) {
                        Line::Complete(line) => line,
                        Line::KeepAlive => continue,
                        Line::Partial => return chain,
                    };
                    match &mut self.state {
                        State::Handshake(handshake) => {
                            let answer =
                                handshake.answer(turn, line, self.resume.is_some(), self.promotion == Promotion::Asked);
                            if self.act_on(turn, answer) == Chain::Breaks {
                                chain = Chain::Breaks;
                            }
                        }
                        State::Header { point } => {
                            let point = *point;
                            self.header(turn, line, point);
                        }
                        _ => return chain,
                    }
                }
                State::Transfer { transfer, point } => {
                    let taken = transfer.take(bytes);
                    if taken.payload > 0 {
                        turn.out.push(Output::Payload(taken.payload));
                    }
                    if !taken.done {
                        return chain;
                    }
                    if taken.mark > 0 {
                        turn.out.push(Output::Skip(taken.mark));
                    }
                    turn.out.push(Output::TransferDone);
                    self.state = State::Loading { point: *point, received: transfer.received(), connected: true };
                    return chain;
                }
                State::Waiting { .. } | State::Connecting | State::Loading { .. } | State::Streaming { .. } => {
                    return chain;
                }
            }
        }
    }

    /// Stream bytes arrived; so many are here that have not been executed.
    pub fn stream_read(&mut self, turn: &Turn<'_>, not_executed: u64) {
        if let State::Streaming { ahead } = &mut self.state {
            *ahead = not_executed;
            self.last_io = turn.now;
        }
    }

    /// Stream bytes were executed.
    pub fn applied(&mut self, turn: &mut Turn<'_>, bytes: &[u8], db: u32) {
        if self.is_up() {
            turn.history.append(bytes);
            if self.resume.is_some() {
                self.resume = Some(db);
            }
        }
    }

    /// The master wants to know now how far we are.
    pub fn ack_requested(&mut self, turn: &mut Turn<'_>) {
        if self.is_up() {
            self.acks.send(turn);
        }
    }

    /// The snapshot is about to replace the data: from here on there is no way back to where we were.
    pub fn load_replaces(&mut self) -> Chain {
        match self.state {
            State::Transfer { .. } | State::Loading { .. } => {
                self.resume = None;
                Chain::Breaks
            }
            _ => Chain::Keeps,
        }
    }

    /// We are busy loading: a newline now and then tells the master that we live.
    pub fn load_progress(&mut self, turn: &mut Turn<'_>) {
        let connected = match self.state {
            State::Transfer { .. } => true,
            State::Loading { connected, .. } => connected,
            _ => false,
        };
        if connected && turn.now.since(self.last_newline) >= 1000 {
            self.last_newline = turn.now;
            turn.out.push(Output::Send(b"\n".to_vec()));
        }
    }

    /// The snapshot is loaded.
    pub fn loaded(&mut self, turn: &mut Turn<'_>, db: u32) {
        let State::Loading { point, connected, .. } = self.state else { return };
        match point {
            Some(point) => {
                turn.history.adopt(point.id, point.end);
                self.resume = Some(db);
            }
            // A master that knows SYNC only has no id to come back with.
            None => {
                turn.history.rename(turn.rng);
                turn.history.keep_backlog();
                self.resume = None;
            }
        }
        info!("MASTER <-> REPLICA sync: Finished with success");
        self.stream(turn, db);
        if !connected {
            self.lost(turn);
        }
    }

    /// The snapshot could not be received or loaded.
    pub fn load_failed(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.state, State::Transfer { .. } | State::Loading { .. }) {
            self.give_up(turn);
        }
    }

    fn take_line<'b>(&mut self, turn: &mut Turn<'_>, bytes: &mut &'b [u8]) -> Line<'b> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            if bytes.is_empty() {
                self.line_since = None;
            } else if bytes.len() > LINE_MAX {
                warn!("Bad protocol from MASTER: a line of more than {LINE_MAX} bytes");
                self.give_up(turn);
            } else {
                self.line_since.get_or_insert(turn.now);
            }
            return Line::Partial;
        };
        let (line, rest) = bytes.split_at(end + 1);
        *bytes = rest;
        self.line_since = None;
        turn.out.push(Output::Skip(line.len()));
        let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
        if line.is_empty() { Line::KeepAlive } else { Line::Complete(line) }
    }

    fn act_on(&mut self, turn: &mut Turn<'_>, answer: Answer) -> Chain {
        if self.promotion == Promotion::Asked {
            match answer {
                Answer::Expect | Answer::GiveUp => {}
                Answer::Continue(_) | Answer::FullResync(_) => self.promotion = Promotion::Granted,
                Answer::Later | Answer::UseSync => {
                    self.promotion = Promotion::Refused;
                    self.give_up(turn);
                    return Chain::Keeps;
                }
            }
        }
        match answer {
            Answer::Expect => Chain::Keeps,
            Answer::GiveUp | Answer::Later => {
                self.give_up(turn);
                Chain::Keeps
            }
            Answer::UseSync => {
                info!("Retrying with SYNC...");
                turn.out.push(Output::Send(b"SYNC\r\n".to_vec()));
                self.state = State::Header { point: None };
                Chain::Keeps
            }
            Answer::FullResync(point) => {
                self.state = State::Header { point: Some(point) };
                Chain::Keeps
            }
            Answer::Continue(id) => {
                let mut chain = Chain::Keeps;
                info!("Successful partial resynchronization with master.");
                if let Some(id) = id.filter(|id| *id != turn.history.identity().id()) {
                    info!("Master replication ID changed to {id}");
                    turn.history.follow(id);
                    chain = Chain::Breaks;
                }
                turn.history.keep_backlog();
                info!("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
                self.stream(turn, self.resume.unwrap_or(0));
                chain
            }
        }
    }

    fn header(&mut self, turn: &mut Turn<'_>, line: &[u8], point: Option<ResyncPoint>) {
        match Transfer::from_header(line) {
            Ok(transfer) => {
                let is_same_history = point.is_some_and(|point| point.id == turn.history.identity().id());
                let is_guarded = turn.settings.guards_data && !self.is_chosen && !is_same_history;
                turn.out.push(Output::TransferStarts { length: transfer.len(), is_same_history, is_guarded });
                self.state = State::Transfer { point, transfer };
            }
            Err(error) => {
                let text = String::from_utf8_lossy(line);
                match error {
                    HeaderError::Refused => warn!("MASTER aborted replication with an error: {}", &text[1..]),
                    HeaderError::Unknown => warn!(
                        "Bad protocol from MASTER, the first byte is not '$' (we received '{text}'), are you sure the \
                         host and port are right?"
                    ),
                }
                self.give_up(turn);
            }
        }
    }

    fn stream(&mut self, turn: &mut Turn<'_>, db: u32) {
        self.failures = 0;
        self.is_chosen = false;
        self.line_since = None;
        self.last_io = turn.now;
        self.state = State::Streaming { ahead: 0 };
        turn.out.push(Output::StreamStarts { db });
        self.acks.send(turn);
    }

    /// The stream broke: call again at once.
    fn lost(&mut self, turn: &mut Turn<'_>) {
        info!("Connection with master lost.");
        if self.resume.is_some() {
            info!("Caching the disconnected master state.");
        }
        self.down_since = Some(turn.now);
        self.state = State::Waiting { until: turn.now, lost: true };
    }

    fn give_up(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.state, State::Transfer { .. } | State::Loading { .. }) {
            turn.out.push(Output::TransferAborted);
        }
        turn.out.push(Output::CloseLink);
        self.retry(turn);
    }

    fn retry(&mut self, turn: &mut Turn<'_>) {
        self.failures = self.failures.saturating_add(1);
        let pause = if self.failures <= QUICK_ATTEMPTS { RETRY_QUICK } else { RETRY_SLOW };
        self.line_since = None;
        self.state = State::Waiting { until: turn.now + pause, lost: false };
    }
}

enum Line<'b> {
    Complete(&'b [u8]),
    KeepAlive,
    Partial,
}
