//! A server's whole replication state, and what changes of role mean for it.
//!
//! | what happens            | link                  | history                        | our replicas            |
//! |-------------------------|-----------------------|--------------------------------|-------------------------|
//! | REPLICAOF, was master   | new; may resume from our own history | backlog is kept | stay                    |
//! | REPLICAOF, was replica  | new; may resume       | as it is                       | stay                    |
//! | REPLICAOF NO ONE        | none                  | goes on under a new id         | must connect again      |
//! | link lost               | calls again           | as it is                       | stay                    |
//! | +CONTINUE, other id     | streams               | goes on under the master's id  | must connect again      |
//! | snapshot replaces data  | loading               | backlog dropped                | must connect again      |
//! | snapshot loaded         | streams               | the master's, from its cut     |                         |
//!
//! A former master may try to resume because its data has a place in a history: its own. If the new master was its
//! replica and has everything, the demotion costs nothing.

use tracing::info;

use crate::base::id::{ClientId, HexId};
use crate::base::rng::Rng;
use crate::base::time::Instant;
use crate::repl::Turn;
use crate::repl::backlog::Chunk;
use crate::repl::history::History;
use crate::repl::io::{HostPort, Input, Output, Settings};
use crate::repl::master::Master;
use crate::repl::master::feed::Room;
use crate::repl::replica::{Chain, Link, LinkState};

/// Replication state of one server.
#[derive(Debug)]
pub struct Node {
    history: History,
    master: Master,
    link: Option<Link>,
    /// The configuration, kept up to date by [`Node::configure`].
    settings: Settings,
    /// How far our AOF is on disk, when there is one. The shell keeps it up to date.
    pub fsynced: Option<u64>,
    rng: Rng,
}

/// What an RDB file says about the stream, so that replication can go on after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// `repl-id`.
    pub id: HexId,
    /// `repl-offset`.
    pub end: u64,
    /// `repl-stream-db`.
    pub db: u32,
}

macro_rules! turn {
    ($node:expr, $now:expr, $out:expr) => {
        Turn {
            now: $now,
            settings: &$node.settings,
            history: &mut $node.history,
            rng: &mut $node.rng,
            fsynced: $node.fsynced,
            out: $out,
        }
    };
}

impl Node {
    /// A master without replicas.
    pub fn new(settings: Settings, mut rng: Rng) -> Node {
        let history = History::new(&mut rng, settings.backlog_size);
        Node { history, master: Master::default(), link: None, settings, fsynced: None, rng }
    }

    /// The stream.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Our replicas.
    pub fn master(&self) -> &Master {
        &self.master
    }

    /// The link to our master; `None` when we have none.
    pub fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// The configuration.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether we follow a master.
    pub fn is_replica(&self) -> bool {
        self.link.is_some()
    }

    /// `None` without a master, else whether its stream arrives.
    pub fn link_up(&self) -> Option<bool> {
        self.link.as_ref().map(|link| link.state() == LinkState::Connected)
    }

    /// Whether writes must be refused for want of good replicas.
    pub fn lacks_good_replicas(&self) -> bool {
        self.link.is_none() && self.master.lacks_good(&self.settings)
    }

    /// Takes a new configuration.
    pub fn configure(&mut self, now: Instant, settings: Settings, out: &mut Vec<Output>) {
        self.history.resize_backlog(settings.backlog_size);
        self.settings = settings;
        self.tick(now, out);
    }

    /// What an RDB file written now should say; `stream_db` is the database that the stream has selected. `None` when
    /// the data has no place in any history.
    pub fn position(&self, stream_db: u32) -> Option<Position> {
        let db = match &self.link {
            Some(link) => link.resume_db()?,
            None => {
                self.history.backlog()?;
                stream_db
            }
        };
        Some(Position { id: self.history.identity().id(), end: self.history.end(), db })
    }

    /// A server that starts as a replica: it has no history, unless `restore` says otherwise.
    pub fn start_as_replica(&mut self, now: Instant, master: HostPort) {
        self.link = Some(Link::new(now, master, None));
    }

    /// The data has been loaded from a file that says where it stands. To be called before anything is written.
    pub fn restore(&mut self, now: Instant, position: Position) {
        match &self.link {
            Some(link) => {
                let master = link.master().clone();
                self.history.restore_replica(position.id, position.end);
                self.link = Some(Link::new(now, master, Some(position.db)));
            }
            None => {
                self.history.restore_master(position.id, position.end);
                self.master.role_changed(now);
            }
        }
    }

    /// DEBUG CHANGE-REPL-ID.
    pub fn rename(&mut self) {
        self.history.rename(&mut self.rng);
    }

    /// Zero the figures of CONFIG RESETSTAT.
    pub fn reset_counters(&mut self) {
        self.master.counters = Default::default();
    }

    /// Appends what we executed as a master. Nothing happens on a replica, whose stream is its master's.
    pub fn propagate(&mut self, bytes: &[u8]) {
        if self.link.is_none() {
            self.history.append(bytes);
        }
    }

    /// The same, sharing a long buffer.
    pub fn propagate_shared(&mut self, bytes: bytes::Bytes) {
        if self.link.is_none() {
            self.history.append_shared(bytes);
        }
    }

    /// Whether propagated bytes go anywhere. If not, encoding them can be saved.
    pub fn wants_stream(&self) -> bool {
        self.link.is_none() && self.history.backlog().is_some()
    }

    /// The end of a turn of the loop, before the stream is sent.
    pub fn end_turn(&mut self, now: Instant, queued: impl Fn(ClientId) -> u64, out: &mut Vec<Output>) {
        let top = self.link.is_none();
        let mut turn = turn!(self, now, out);
        self.master.end_turn(&mut turn, top);
        self.master.check_limits(&mut turn, queued);
    }

    /// Offers the stream to the replicas, then frees what nobody needs. Says whether there is more to free.
    pub fn feed(&mut self, offer: impl FnMut(ClientId, Chunk<'_>) -> Room) -> bool {
        self.master.feed(&self.history, offer);
        self.history.trim(self.master.needed())
    }

    /// Tells the machines what happened; appends to `out` what is to be done.
    pub fn handle(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::ReplicaOf(master) => self.follow(now, master, out),
            Input::Promote => self.promote(now, out),
            Input::Tick => self.tick(now, out),
            Input::LinkConnected => self.with_link(now, out, |link, turn| {
                link.connected(turn);
                Chain::Keeps
            }),
            Input::LinkFailed(error) => self.with_link(now, out, |link, turn| {
                link.failed(turn, error);
                Chain::Keeps
            }),
            Input::LinkReceived(bytes) => self.with_link(now, out, |link, turn| link.received(turn, bytes)),
            Input::LinkClosed(reason) => self.with_link(now, out, |link, turn| {
                link.closed(turn, reason);
                Chain::Keeps
            }),
            Input::LoadReplaces => {
                self.with_link(now, out, |link, turn| {
                    let chain = link.load_replaces();
                    if chain == Chain::Breaks {
                        turn.history.drop_backlog();
                    }
                    chain
                });
            }
            Input::LoadProgress => self.with_link(now, out, |link, turn| {
                link.load_progress(turn);
                Chain::Keeps
            }),
            Input::Loaded { db } => self.with_link(now, out, |link, turn| {
                link.loaded(turn, db);
                Chain::Keeps
            }),
            Input::LoadFailed => self.with_link(now, out, |link, turn| {
                link.load_failed(turn);
                Chain::Keeps
            }),
            Input::Applied { bytes, db } => self.with_link(now, out, |link, turn| {
                link.applied(turn, bytes, db);
                Chain::Keeps
            }),
            Input::StreamRead(count) => self.with_link(now, out, |link, turn| {
                link.stream_read(turn, count);
                Chain::Keeps
            }),
            Input::AckRequested => self.with_link(now, out, |link, turn| {
                link.ack_requested(turn);
                Chain::Keeps
            }),
            Input::Replconf(client, option) => self.master.replconf(client, option),
            Input::Sync { client, ip, request } => self.master.sync(&mut turn!(self, now, out), client, ip, request),
            Input::Ack { client, offset, fsynced } => {
                self.master.ack(&mut turn!(self, now, out), client, offset, fsynced);
            }
            Input::ClientClosed(client) => self.master.closed(&mut turn!(self, now, out), client),
            Input::BulkProgress(client) => self.master.bulk_progress(&turn!(self, now, out), client),
            Input::FileSent(client) => self.master.file_sent(&mut turn!(self, now, out), client),
            Input::SnapshotStarted(kind) => self.master.snapshot_started(&mut turn!(self, now, out), kind),
            Input::SnapshotRefused => self.master.snapshot_refused(&mut turn!(self, now, out)),
            Input::SnapshotEnded { ok } => self.master.snapshot_ended(&mut turn!(self, now, out), ok),
            Input::AckWanted => self.master.want_acks(),
        }
    }

    /// The first moment at which `Input::Tick` has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let link = self.link.as_ref().and_then(|link| link.next_deadline(self.settings.timeout_ms));
        let master = self.master.next_deadline(&self.settings, self.link.is_none());
        link.into_iter().chain(master).min()
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        let top = self.link.is_none();
        let mut turn = turn!(self, now, out);
        if let Some(link) = &mut self.link {
            link.tick(&mut turn);
        }
        self.master.tick(&mut turn, top);
    }

    fn follow(&mut self, now: Instant, master: HostPort, out: &mut Vec<Output>) {
        let mut turn = turn!(self, now, out);
        let resume = match &mut self.link {
            Some(link) => {
                link.abandon(&mut turn);
                link.resume_db()
            }
            None => {
                info!(
                    "Before turning into a replica, using my own master parameters to synthesize a cached master: I \
                     may be able to synchronize with the new master with just a partial transfer."
                );
                turn.history.keep_backlog();
                // Whoever continues our history begins with SELECT, so any database will do.
                Some(0)
            }
        };
        self.link = Some(Link::new(now, master, resume));
        self.tick(now, out);
    }

    fn promote(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Some(mut link) = self.link.take() else { return };
        let mut turn = turn!(self, now, out);
        link.abandon(&mut turn);
        if link.resume_db().is_some() {
            info!("Discarding previously cached master state.");
        }
        turn.history.promote(turn.rng);
        let (end, identity) = (turn.history.next(), turn.history.identity());
        info!(
            "Setting secondary replication ID to {}, valid up to offset: {end}. New replication ID is {}",
            identity.second_id(),
            identity.id()
        );
        self.master.disconnect_all(&mut turn);
        self.master.role_changed(now);
        turn.out.push(Output::Reselect);
    }

    fn with_link(&mut self, now: Instant, out: &mut Vec<Output>, step: impl FnOnce(&mut Link, &mut Turn<'_>) -> Chain) {
        let Some(link) = &mut self.link else { return };
        let mut turn = turn!(self, now, out);
        if step(link, &mut turn) == Chain::Breaks {
            self.master.disconnect_all(&mut turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repl::io::{ReplicaOption, SnapshotKind, SyncRequest};

    const T0: Instant = Instant::from_millis(1_000_000);

    fn node(settings: Settings) -> Node {
        Node::new(settings, Rng::seeded(1))
    }

    fn told(node: &mut Node, now: Instant, input: Input<'_>) -> Vec<Output> {
        let mut out = Vec::new();
        node.handle(now, input, &mut out);
        out
    }

    fn text(out: &[Output]) -> String {
        let mut text = String::new();
        for output in out {
            match output {
                Output::Send(bytes) | Output::Write(_, bytes) | Output::Append(bytes) => {
                    text.push_str(&String::from_utf8_lossy(bytes));
                }
                _ => {}
            }
        }
        text
    }

    fn psync<'a>(id: u64, replid: &'a [u8], position: i64) -> Input<'a> {
        Input::Sync { client: ClientId(id), ip: "127.0.0.1", request: SyncRequest::Psync { replid, position } }
    }

    fn master_with_online_replica(settings: Settings) -> Node {
        let mut node = node(settings);
        told(&mut node, T0, Input::Replconf(ClientId(1), ReplicaOption::CapaEof));
        told(&mut node, T0, Input::Replconf(ClientId(1), ReplicaOption::CapaPsync2));
        told(&mut node, T0, Input::Replconf(ClientId(1), ReplicaOption::ListeningPort(7)));
        told(&mut node, T0, psync(1, b"?", -1));
        told(&mut node, T0, Input::SnapshotStarted(SnapshotKind::Sockets));
        told(&mut node, T0, Input::SnapshotEnded { ok: true });
        told(&mut node, T0, Input::Ack { client: ClientId(1), offset: 0, fsynced: None });
        assert_eq!(node.master().replicas()[0].state_name(), "online");
        node
    }

    fn at_once() -> Settings {
        Settings { diskless_delay_ms: 0, ..Settings::default() }
    }

    #[test]
    fn the_handshake_word_by_word() {
        let settings = Settings { master_auth: b"pw".to_vec(), announce_ip: "::1".into(), ..Settings::default() };
        let mut node = node(settings);
        node.start_as_replica(T0, HostPort { host: "m".into(), port: 1 });
        let out = told(&mut node, T0, Input::Tick);
        assert_eq!(out, [Output::Connect(HostPort { host: "m".into(), port: 1 })]);
        assert_eq!(text(&told(&mut node, T0, Input::LinkConnected)), "*1\r\n$4\r\nPING\r\n");
        let out = told(&mut node, T0, Input::LinkReceived(b"-NOAUTH Authentication required.\r\n"));
        assert_eq!(out[0], Output::Skip(34));
        assert_eq!(
            text(&out),
            "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$4\r\n6379\r\n\
             *3\r\n$8\r\nREPLCONF\r\n$10\r\nip-address\r\n$3\r\n::1\r\n\
             *5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n"
        );
        let out = told(&mut node, T0, Input::LinkReceived(b"+OK\r\n+OK\r\n-ERR what\r\n\n"));
        assert_eq!(text(&out), "", "one answer is missing");
        let out = told(&mut node, T0, Input::LinkReceived(b"+OK\r\n\n\n"));
        assert_eq!(text(&out), "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
        assert_eq!(node.link().map(Link::state), Some(LinkState::Handshake));

        let id = HexId::random(&mut Rng::seeded(9));
        let bytes = format!("+FULLRESYNC {id} 100\r\n$5\r\nREDIS*1\r\n");
        let out = told(&mut node, T0, Input::LinkReceived(bytes.as_bytes()));
        assert_eq!(
            out,
            [
                Output::Skip(58),
                Output::Skip(4),
                Output::TransferStarts(Some(5)),
                Output::Payload(5),
                Output::TransferDone
            ]
        );
        assert_eq!(node.link().map(Link::state), Some(LinkState::Sync));
        told(&mut node, T0, Input::LoadReplaces);
        let out = told(&mut node, T0, Input::Loaded { db: 3 });
        assert_eq!(out[0], Output::StreamStarts { db: 3 });
        assert_eq!(text(&out), "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n100\r\n");
        assert_eq!((node.history().identity().id(), node.history().end()), (id, 100));

        told(&mut node, T0, Input::Applied { bytes: b"*1\r\n$4\r\nPING\r\n", db: 3 });
        told(&mut node, T0, Input::StreamRead(5));
        assert_eq!((node.history().end(), node.link().and_then(Link::ahead)), (114, Some(5)));
        assert_eq!(node.position(0), Some(Position { id, end: 114, db: 3 }));
        // The link breaks: call at once, ask for the next byte.
        told(&mut node, T0 + 5, Input::LinkClosed("gone"));
        assert!(matches!(told(&mut node, T0 + 5, Input::Tick)[..], [Output::Connect(_)]));
        told(&mut node, T0 + 5, Input::LinkConnected);
        let out = told(&mut node, T0 + 5, Input::LinkReceived(b"+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n"));
        assert!(text(&out).ends_with(&format!("{id}\r\n$3\r\n115\r\n")), "{}", text(&out));
        // The master goes on under another name.
        let other = HexId::random(&mut Rng::seeded(10));
        let out = told(&mut node, T0 + 5, Input::LinkReceived(format!("+CONTINUE {other}\r\n*").as_bytes()));
        assert_eq!(out[..2], [Output::Skip(52), Output::StreamStarts { db: 3 }]);
        let identity = node.history().identity();
        assert_eq!((identity.id(), identity.second_id(), identity.second_offset()), (other, id, 115));
    }

    #[test]
    fn a_master_that_cannot_now_is_asked_again_and_one_that_never_can_gets_sync() {
        for (answer, sync) in [
            (&b"-LOADING Redis is loading\r\n"[..], false),
            (b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n", false),
            (b"-ERR unknown command\r\n", true),
            (b"+WHAT\r\n", true),
        ] {
            let mut node = node(Settings::default());
            node.start_as_replica(T0, HostPort { host: "m".into(), port: 1 });
            told(&mut node, T0, Input::Tick);
            told(&mut node, T0, Input::LinkConnected);
            told(&mut node, T0, Input::LinkReceived(b"+PONG\r\n+OK\r\n+OK\r\n"));
            let out = told(&mut node, T0, Input::LinkReceived(answer));
            assert_eq!(text(&out) == "SYNC\r\n", sync);
            assert_eq!(out.contains(&Output::CloseLink), !sync);
            if !sync {
                assert_eq!(node.next_deadline(), Some(T0 + 100), "soon, not in a second");
            }
        }
    }

    #[test]
    fn silence_ends_every_stage() {
        let connect = |node: &mut Node| {
            node.start_as_replica(T0, HostPort { host: "m".into(), port: 1 });
            told(node, T0, Input::Tick);
        };
        let mut stages: Vec<(Node, LinkState)> = Vec::new();
        for lines in [
            None,
            Some(&b"+PONG\r\n"[..]),
            Some(b"+PONG\r\n+OK\r\n+OK\r\n-ERR\r\n"),
            Some(b"+PONG\r\n+OK\r\n+OK\r\n-ERR\r\n$9\r\n"),
        ] {
            let mut node = node(Settings::default());
            connect(&mut node);
            if let Some(lines) = lines {
                told(&mut node, T0, Input::LinkConnected);
                told(&mut node, T0, Input::LinkReceived(lines));
            }
            let state = node.link().map(Link::state).expect("a link");
            stages.push((node, state));
        }
        let states: Vec<LinkState> = stages.iter().map(|stage| stage.1).collect();
        assert_eq!(states, [LinkState::Connecting, LinkState::Handshake, LinkState::Sync, LinkState::Sync]);
        for (node, _) in &mut stages {
            assert_eq!(node.next_deadline(), Some(T0 + 60_001));
            assert!(told(node, T0 + 60_000, Input::Tick).is_empty());
            assert!(told(node, T0 + 60_001, Input::Tick).contains(&Output::CloseLink));
            assert_eq!(node.link().map(Link::state), Some(LinkState::Connect));
        }
    }

    #[test]
    fn a_line_that_does_not_end_is_not_waited_for() {
        let mut node = node(Settings::default());
        node.start_as_replica(T0, HostPort { host: "m".into(), port: 1 });
        told(&mut node, T0, Input::Tick);
        told(&mut node, T0, Input::LinkConnected);
        told(&mut node, T0, Input::LinkReceived(b"+PO"));
        told(&mut node, T0 + 4000, Input::LinkReceived(b"+PON"));
        assert!(told(&mut node, T0 + 5001, Input::Tick).contains(&Output::CloseLink));
        told(&mut node, T0 + 6000, Input::Tick);
        told(&mut node, T0 + 6000, Input::LinkConnected);
        assert!(told(&mut node, T0 + 6000, Input::LinkReceived(&[b'x'; 5000])).contains(&Output::CloseLink));
    }

    #[test]
    fn the_first_replica_gives_the_history_a_name_and_the_snapshot_starts_with_its_end() {
        let mut node = node(at_once());
        node.propagate(b"not counted");
        let before = node.history().identity().id();
        let out = told(&mut node, T0, psync(1, b"?", -1));
        assert_ne!(node.history().identity().id(), before);
        // No capa eof: to disk.
        assert!(matches!(out[..], [Output::Attached(_), Output::StartSnapshot { kind: SnapshotKind::Disk, .. }]));
        let out = told(&mut node, T0, Input::SnapshotStarted(SnapshotKind::Disk));
        assert_eq!(text(&out), format!("+FULLRESYNC {} 0\r\n", node.history().identity().id()));
        assert!(out.contains(&Output::Reselect));
        node.propagate(b"while the snapshot runs");
        // Another one may share it; its offset is that of the cut.
        let out = told(&mut node, T0, psync(2, b"other", 4));
        assert_eq!(text(&out), format!("+FULLRESYNC {} 0\r\n", node.history().identity().id()));
        let out = told(&mut node, T0, Input::SnapshotEnded { ok: true });
        assert_eq!(out, [Output::SendFile(ClientId(1)), Output::SendFile(ClientId(2))]);
        assert_eq!(node.master().replicas()[0].state_name(), "send_bulk");
        let out = told(&mut node, T0, Input::FileSent(ClientId(2)));
        assert!(out.contains(&Output::Online(ClientId(2))));
        let mut fed = Vec::new();
        node.feed(|client, chunk| {
            assert_eq!(client, ClientId(2));
            fed.extend_from_slice(chunk.as_bytes());
            Room::Taken
        });
        assert_eq!(fed, b"while the snapshot runs");
        let counters = node.master().counters;
        assert_eq!((counters.sync_full, counters.sync_partial_ok, counters.sync_partial_err), (2, 0, 1));
    }

    #[test]
    fn a_snapshot_through_sockets_is_delayed_and_what_follows_waits_for_the_first_ack() {
        let mut node = node(Settings { diskless_max_replicas: 2, ..Settings::default() });
        for client in [1, 2] {
            told(&mut node, T0, Input::Replconf(ClientId(client), ReplicaOption::CapaEof));
        }
        let out = told(&mut node, T0, psync(1, b"?", -1));
        assert_eq!(out, [Output::Attached(ClientId(1))]);
        assert_eq!(text(&told(&mut node, T0 + 1000, Input::Tick)), "\n");
        let out = told(&mut node, T0 + 1500, psync(2, b"?", -1));
        assert!(matches!(out[1], Output::StartSnapshot { kind: SnapshotKind::Sockets, .. }), "two are enough");
        let out = told(&mut node, T0 + 1500, Input::SnapshotStarted(SnapshotKind::Sockets));
        assert!(out.contains(&Output::JoinSockets(ClientId(1))) && out.contains(&Output::JoinSockets(ClientId(2))));
        let header = text(&out[out.len() - 2..out.len() - 1]);
        let mark = header.trim().strip_prefix("$EOF:").expect("a mark").to_owned();
        // A third one comes too late for this one.
        told(&mut node, T0 + 1600, Input::Replconf(ClientId(3), ReplicaOption::CapaEof));
        assert_eq!(text(&told(&mut node, T0 + 1600, psync(3, b"?", -1))), "");
        node.propagate(b"stream");
        told(&mut node, T0 + 1700, Input::ClientClosed(ClientId(1)));
        let out = told(&mut node, T0 + 2000, Input::SnapshotEnded { ok: true });
        assert_eq!(out[0], Output::Write(ClientId(2), mark.into_bytes()));
        node.feed(|_, _| panic!("mute until it acknowledges"));
        let out = told(&mut node, T0 + 2100, Input::Ack { client: ClientId(2), offset: 0, fsynced: None });
        assert!(out.contains(&Output::Online(ClientId(2))));
        let mut fed = 0;
        node.feed(|_, chunk| {
            fed += chunk.as_bytes().len();
            Room::Taken
        });
        assert_eq!(fed, 6);
        assert!(matches!(told(&mut node, T0 + 6600, Input::Tick)[..], [.., Output::StartSnapshot { .. }]));
    }

    #[test]
    fn when_the_last_reader_of_a_snapshot_leaves_it_is_aborted() {
        let mut node = node(at_once());
        told(&mut node, T0, Input::Replconf(ClientId(1), ReplicaOption::CapaEof));
        told(&mut node, T0, psync(1, b"?", -1));
        told(&mut node, T0, Input::SnapshotStarted(SnapshotKind::Sockets));
        assert!(told(&mut node, T0, Input::ClientClosed(ClientId(1))).contains(&Output::AbortSnapshot));
        told(&mut node, T0, Input::SnapshotEnded { ok: false });
        // A file is wanted for its own sake when there are save points.
        for saves in [true, false] {
            node.configure(T0, Settings { saves, ..at_once() }, &mut Vec::new());
            told(&mut node, T0, psync(2, b"?", -1));
            told(&mut node, T0, Input::SnapshotStarted(SnapshotKind::Disk));
            let out = told(&mut node, T0, Input::ClientClosed(ClientId(2)));
            assert_eq!(out.contains(&Output::AbortSnapshot), !saves);
            told(&mut node, T0, Input::SnapshotEnded { ok: !saves });
        }
    }

    #[test]
    fn failures_to_save_reach_the_replica() {
        let mut node = node(at_once());
        told(&mut node, T0, psync(1, b"?", -1));
        let out = told(&mut node, T0, Input::SnapshotRefused);
        assert_eq!(text(&out), "-ERR BGSAVE failed, replication can't continue\r\n");
        assert_eq!(out[1], Output::CloseReplica { client: ClientId(1), after_write: true });
        told(&mut node, T0, Input::ClientClosed(ClientId(1)));
        told(&mut node, T0, psync(2, b"?", -1));
        told(&mut node, T0, Input::SnapshotStarted(SnapshotKind::Disk));
        let out = told(&mut node, T0, Input::SnapshotEnded { ok: false });
        assert_eq!(out, [Output::CloseReplica { client: ClientId(2), after_write: false }]);
    }

    #[test]
    fn an_rdb_only_replica_is_closed_after_the_snapshot() {
        let mut node = node(at_once());
        told(&mut node, T0, Input::Replconf(ClientId(1), ReplicaOption::RdbOnly(true)));
        told(&mut node, T0, Input::Sync { client: ClientId(1), ip: "::1", request: SyncRequest::Sync });
        assert_eq!(text(&told(&mut node, T0, Input::SnapshotStarted(SnapshotKind::Disk))), "", "SYNC gets no line");
        told(&mut node, T0, Input::SnapshotEnded { ok: true });
        let out = told(&mut node, T0, Input::FileSent(ClientId(1)));
        assert_eq!(out, [Output::CloseReplica { client: ClientId(1), after_write: true }]);
    }

    #[test]
    fn good_replicas_turn_bad_by_whole_seconds_and_good_again_at_once() {
        let mut node = master_with_online_replica(Settings { min_replicas: 1, min_replicas_max_lag: 2, ..at_once() });
        assert!(!node.lacks_good_replicas());
        assert_eq!(node.next_deadline(), Some(T0 + 3000));
        told(&mut node, T0 + 2999, Input::Tick);
        assert!(!node.lacks_good_replicas());
        told(&mut node, T0 + 3000, Input::Tick);
        assert!(node.lacks_good_replicas());
        told(&mut node, T0 + 3500, Input::Ack { client: ClientId(1), offset: 0, fsynced: None });
        assert!(!node.lacks_good_replicas());
        told(&mut node, T0 + 3500, Input::ClientClosed(ClientId(1)));
        assert!(node.lacks_good_replicas());
    }

    #[test]
    fn pings_timeouts_and_the_end_of_the_backlog() {
        let mut node = master_with_online_replica(Settings { backlog_ttl_ms: 5000, ..at_once() });
        assert!(told(&mut node, T0 + 9_999, Input::Tick).is_empty());
        let out = told(&mut node, T0 + 10_000, Input::Tick);
        assert_eq!(out, [Output::Append(b"*1\r\n$4\r\nPING\r\n".to_vec())]);
        assert!(!told(&mut node, T0 + 60_000, Input::Tick).iter().any(|o| matches!(o, Output::CloseReplica { .. })));
        let out = told(&mut node, T0 + 60_001, Input::Tick);
        assert!(out.contains(&Output::CloseReplica { client: ClientId(1), after_write: false }));
        told(&mut node, T0 + 60_002, Input::ClientClosed(ClientId(1)));
        let id = node.history().identity().id();
        assert_eq!(node.next_deadline(), Some(T0 + 65_002));
        told(&mut node, T0 + 65_002, Input::Tick);
        assert!(node.history().backlog().is_none() && node.history().identity().id() != id);
    }

    #[test]
    fn acknowledgements_are_counted_and_asked_for_once_a_turn() {
        let mut node = master_with_online_replica(at_once());
        node.propagate(b"0123456789");
        assert_eq!((node.master().acked_by(10), node.master().acked_by(0)), (0, 1));
        told(&mut node, T0, Input::AckWanted);
        told(&mut node, T0, Input::AckWanted);
        let mut out = Vec::new();
        node.end_turn(T0, |_| 0, &mut out);
        assert_eq!(text(&out), "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n");
        told(&mut node, T0, Input::Ack { client: ClientId(1), offset: 10, fsynced: Some(4) });
        assert_eq!((node.master().acked_by(10), node.master().fsynced_by(5), node.master().fsynced_by(4)), (1, 0, 1));
        out.clear();
        node.end_turn(T0, |_| 0, &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn a_replica_that_lags_too_far_is_closed_but_never_below_the_backlog_size() {
        let settings =
            Settings { output_hard: 1000, output_soft: 0, backlog_size: 16 * 1024, min_replicas: 0, ..at_once() };
        let mut node = master_with_online_replica(settings);
        let mut out = Vec::new();
        node.propagate(&[b'x'; 16 * 1024 - 1]);
        node.end_turn(T0, |_| 0, &mut out);
        assert!(out.is_empty());
        node.end_turn(T0, |_| 1, &mut out);
        let close = Output::CloseReplica { client: ClientId(1), after_write: false };
        assert_eq!(out, [Output::OverLimit(ClientId(1)), close]);
        // What only it needed may go.
        node.propagate(&[b'x'; 64 * 1024]);
        node.feed(|_, _| panic!("it is being closed"));
        assert!(node.history().backlog().is_some_and(|backlog| backlog.history_len() < 20 * 1024));
    }

    #[test]
    fn the_soft_limit_needs_time() {
        let settings =
            Settings { output_hard: 0, output_soft: 1, output_soft_ms: 1000, backlog_size: 16_384, ..at_once() };
        let mut node = master_with_online_replica(settings);
        let mut out = Vec::new();
        node.propagate(&[b'x'; 20_000]);
        node.end_turn(T0, |_| 0, &mut out);
        node.end_turn(T0 + 1000, |_| 0, &mut out);
        assert!(out.is_empty());
        node.end_turn(T0 + 1001, |_| 0, &mut out);
        assert_eq!(out[0], Output::OverLimit(ClientId(1)));
    }

    #[test]
    fn changes_of_role_keep_what_can_be_kept() {
        let mut node = master_with_online_replica(at_once());
        node.propagate(b"0123456789");
        let own = node.history().identity().id();
        let out = told(&mut node, T0, Input::ReplicaOf(HostPort { host: "m".into(), port: 1 }));
        assert!(matches!(out[..], [Output::Connect(_)]), "replicas stay");
        assert_eq!(node.link().map(Link::resume_db), Some(Some(0)));
        node.propagate(b"a replica's own writes are not part of the stream");
        assert_eq!(node.history().end(), 10);
        let out = told(&mut node, T0, Input::Promote);
        assert!(out.contains(&Output::CloseReplica { client: ClientId(1), after_write: false }));
        assert!(out.contains(&Output::Reselect) && out.contains(&Output::CloseLink));
        let identity = node.history().identity();
        assert_eq!((identity.second_id(), identity.second_offset()), (own, 11));
        told(&mut node, T0, Input::ClientClosed(ClientId(1)));
        told(&mut node, T0, Input::Replconf(ClientId(2), ReplicaOption::CapaPsync2));
        let id = node.history().identity().id();
        let out = told(&mut node, T0, psync(2, own.as_bytes(), 11));
        assert_eq!(text(&out), format!("+CONTINUE {id}\r\n"));
    }

    #[test]
    fn a_restarted_server_goes_on_where_the_file_says() {
        let position = Position { id: HexId::random(&mut Rng::seeded(5)), end: 77, db: 2 };
        let mut replica = node(Settings::default());
        assert_eq!(replica.position(0), None);
        replica.start_as_replica(T0, HostPort { host: "m".into(), port: 1 });
        replica.restore(T0, position);
        assert_eq!(replica.position(0), Some(position));
        let mut master = node(Settings::default());
        master.restore(T0, position);
        assert_eq!(master.history().identity().second_id(), position.id);
        assert_eq!(master.next_deadline(), Some(T0 + 3_600_000));
    }
}
