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

use tracing::{info, warn};

use crate::base::id::{ClientId, HexId};
use crate::base::rng::Rng;
use crate::base::time::Instant;
use crate::repl::Turn;
use crate::repl::backlog::Chunk;
use crate::repl::failover::{self, Failover, Plan, Step};
use crate::repl::history::History;
use crate::repl::io::{HostPort, Input, Output, Settings};
use crate::repl::master::Master;
use crate::repl::master::feed::Room;
use crate::repl::newborn::Newborn;
use crate::repl::replica::{Chain, Link, LinkState, Promotion};

/// Replication state of one server.
#[derive(Debug)]
pub struct Node {
    history: History,
    master: Master,
    link: Option<Link>,
    failover: Option<Failover>,
    newborn: Newborn,
    /// Where our data stood when they were loaded, while we are the master and nobody has changed them.
    restored: Option<Position>,
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
        Node {
            history,
            master: Master::default(),
            link: None,
            failover: None,
            newborn: Newborn::default(),
            restored: None,
            settings,
            fsynced: None,
            rng,
        }
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

    /// `master_failover_state`.
    pub fn failover_state(&self) -> &'static str {
        self.failover.as_ref().map_or("no-failover", Failover::state_name)
    }

    /// Whether FAILOVER is under way.
    pub fn is_failing_over(&self) -> bool {
        self.failover.is_some()
    }

    /// Why FAILOVER is refused; `None`: it is not.
    pub fn refuse_failover(&self, plan: &Plan) -> Option<&'static str> {
        failover::refuse(plan, self.is_failing_over(), self.is_replica(), &self.master)
    }

    /// Whether we may add to the stream on our own.
    fn is_top(&self) -> bool {
        self.link.is_none() && self.failover.is_none()
    }

    /// The process has started, and there was nothing to load.
    pub fn started_without_data(&mut self) {
        if self.link.is_none() {
            self.newborn.begin();
        }
    }

    /// Whether a connection that sends `PSYNC replid position` is to be refused because it would lose its data here.
    pub fn refuses_history(&mut self, now: Instant, client: ClientId, ip: &str, replid: &[u8], position: i64) -> bool {
        let identity = self.history.identity();
        let is_ours = |id: HexId| id.as_bytes().eq_ignore_ascii_case(replid);
        let has_more = position > 1 && replid != b"?" && !is_ours(identity.id()) && !is_ours(identity.second_id());
        let refuses = has_more
            && self.newborn.is_newborn()
            && self.settings.guards_data
            && self.link.is_none()
            && !self.master.may_replace(client);
        if refuses {
            let name = self.master.name_of(client, ip);
            if self.newborn.refuse(now, name.clone()) {
                warn!(
                    "This master started without data, and replica {name} has {} bytes of another history: it is not \
                     synchronized, or it would lose them. Let Sentinel or REPLICAOF NO ONE make it the master; or, if its \
                     data are not wanted, set newborn-master-protection to no.",
                    position - 1
                );
            }
        }
        refuses
    }

    /// The snapshot of our master was empty, and was not put in the place of our data.
    pub fn refused_empty_master(&mut self, now: Instant) {
        self.newborn.refuse_master(now);
    }

    /// How many were refused lately because a master started without data: replicas of ours, or our master.
    pub fn newborn_refused(&self, now: Instant) -> usize {
        self.newborn.refused(now)
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
                self.restored = Some(position);
            }
        }
    }

    /// The file also had the last bytes of the stream.
    pub fn recall(&mut self, bytes: &[u8]) {
        self.history.recall(bytes);
    }

    /// Writes of clients are held back, or not any more.
    pub fn keep_quiet(&mut self, is_quiet: bool) {
        self.master.keep_quiet(is_quiet);
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
        let top = self.is_top();
        let mut turn = turn!(self, now, out);
        self.master.end_turn(&mut turn, top);
        if let Some(failover) = &mut self.failover {
            failover.end_turn(turn.history, turn.out);
        }
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
            Input::Failover(plan) => {
                self.failover = Some(Failover::begin(now, plan));
                out.push(Output::PauseWrites);
            }
            Input::FailoverAbort => self.abort_failover(now, "Failover manually aborted", out),
            Input::Tick => self.tick(now, out),
            Input::LinkConnected { has_data } => self.with_link(now, out, |link, turn| {
                link.connected(turn, has_data);
                Chain::Keeps
            }),
            Input::LinkFailed(error) => self.with_link(now, out, |link, turn| {
                link.failed(turn, error);
                Chain::Keeps
            }),
            Input::LinkUnknown(error) => self.with_link(now, out, |link, turn| {
                link.unknown(turn, error);
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
            Input::Loaded { db } => {
                self.newborn.end();
                self.with_link(now, out, |link, turn| {
                    link.loaded(turn, db);
                    Chain::Keeps
                });
            }
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
        self.step_failover(now, out);
    }

    /// The first moment at which `Input::Tick` has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let link = self.link.as_ref().and_then(|link| link.next_deadline(self.settings.timeout_ms));
        let master = self.master.next_deadline(&self.settings, self.is_top());
        let failover = self.failover.as_ref().and_then(Failover::next_deadline);
        link.into_iter().chain(master).chain(failover).min()
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        let top = self.is_top();
        let mut turn = turn!(self, now, out);
        if let Some(link) = &mut self.link {
            link.tick(&mut turn);
        }
        self.master.tick(&mut turn, top);
    }

    fn follow(&mut self, now: Instant, master: HostPort, out: &mut Vec<Output>) {
        out.push(Output::MasterIs(Some(master.clone())));
        self.newborn.forget_refused();
        let asks_promotion = self.failover.is_some();
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
                let unchanged = self.restored.take().filter(|position| position.end == turn.history.end());
                match unchanged.filter(|_| self.master.is_empty()) {
                    // Back from a restart, and another is master now: the history that we know is the one it goes on with.
                    Some(position) => {
                        turn.history.resume(position.id);
                        Some(position.db)
                    }
                    // Whoever continues our history begins with SELECT, so any database will do.
                    None => Some(0),
                }
            }
        };
        let link = Link::new(now, master, resume).chosen();
        self.link = Some(if asks_promotion { link.asking_promotion() } else { link });
        self.tick(now, out);
    }

    fn promote(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Some(mut link) = self.link.take() else { return };
        out.push(Output::MasterIs(None));
        self.newborn.end();
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

    /// Goes on with a failover as far as what is known allows.
    fn step_failover(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Some(failover) = &mut self.failover else { return };
        if failover.is_in_progress() {
            match self.link.as_ref().map(Link::promotion) {
                Some(Promotion::Asked) => {}
                Some(Promotion::Granted) => {
                    self.failover = None;
                    out.push(Output::ResumeWrites);
                }
                Some(Promotion::Refused) => self.abort_failover(now, "Failover target rejected psync request", out),
                // Somebody else made us a master, or the replica of another.
                Some(Promotion::NotAsked) | None => self.abort_failover(now, "Our role was changed", out),
            }
            return;
        }
        match failover.step(now, &self.master, &self.history) {
            Step::Wait => {}
            Step::Follow(target) => self.follow(now, target, out),
            Step::Abort(reason) => self.abort_failover(now, reason, out),
        }
    }

    fn abort_failover(&mut self, now: Instant, reason: &str, out: &mut Vec<Output>) {
        let Some(failover) = self.failover.take() else { return };
        failover.log_abort(reason);
        if failover.is_in_progress() && self.link.as_ref().is_some_and(|link| link.promotion() != Promotion::NotAsked) {
            self.promote(now, out);
        }
        out.push(Output::ResumeWrites);
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
mod tests;
