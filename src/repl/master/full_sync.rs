//! Snapshots for replicas: when one starts, who shares it, and what happens at its end.
//!
//! One snapshot runs at a time, for whatever purpose. A replica that needs one
//!
//!   * joins a running snapshot to disk, if another replica got into it from the start and has the same wishes: both then
//!     continue from the same cut;
//!   * waits for the end of any other;
//!   * else has one started: at once to disk, or to sockets after `repl-diskless-sync-delay`, because who comes later
//!     than the start of a snapshot to sockets has to wait for the next.
//!
//! The delay ends early when `repl-diskless-sync-max-replicas` replicas wait.

use tracing::{info, warn};

use crate::base::id::{ClientId, HexId};
use crate::repl::Turn;
use crate::repl::io::{Filter, Output, SnapshotKind};
use crate::repl::master::{Master, Replica, Snapshot, State, close};

impl Master {
    /// What the running snapshot feeds.
    pub(super) fn snapshot_kind(&self) -> Option<SnapshotKind> {
        self.snapshot.map(|snapshot| snapshot.kind)
    }

    /// The last of the replicas needs a snapshot.
    pub(super) fn wants_snapshot(&mut self, turn: &mut Turn<'_>, client: ClientId) {
        match self.snapshot_kind() {
            Some(SnapshotKind::Disk) => match self.cut_to_join(client) {
                Some(cursor) => {
                    info!("Waiting for end of BGSAVE for SYNC");
                    turn.out.push(Output::Reselect);
                    if let Some(replica) = self.replicas.iter_mut().find(|replica| replica.client == client) {
                        enter(replica, turn, cursor);
                    }
                }
                None => {
                    info!("Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC");
                }
            },
            Some(SnapshotKind::Sockets) => {
                info!("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC");
            }
            Some(SnapshotKind::Other) => {
                info!("No BGSAVE in progress, but another BG operation is active. BGSAVE for replication delayed");
            }
            None => {
                let eof = self.replicas.last().is_some_and(|replica| replica.intro.capa_eof);
                if turn.settings.diskless && eof && turn.settings.diskless_delay_ms > 0 {
                    info!("Delay next BGSAVE for diskless SYNC");
                }
                self.start_waiting_snapshot(turn);
            }
        }
    }

    /// Starts a snapshot for those who wait, when it is time.
    pub(super) fn start_waiting_snapshot(&mut self, turn: &mut Turn<'_>) {
        if self.snapshot.is_some() || self.asked.is_some() {
            return;
        }
        let (mut filter, mut count, mut longest, mut all_eof) = (None, 0, 0, true);
        for replica in self.replicas.iter().filter(|replica| !replica.closing) {
            let State::Waiting { since } = replica.state else { continue };
            if *filter.get_or_insert(replica.intro.filter) == replica.intro.filter {
                count += 1;
                longest = longest.max(turn.now.since(since));
                all_eof &= replica.intro.capa_eof;
            }
        }
        let Some(filter) = filter else { return };
        let settings = turn.settings;
        let enough = settings.diskless_max_replicas > 0 && count >= settings.diskless_max_replicas;
        if settings.diskless && all_eof && !enough && longest < settings.diskless_delay_ms {
            return;
        }
        let kind = match all_eof && (settings.diskless || !filter.is_empty()) {
            true => SnapshotKind::Sockets,
            false => SnapshotKind::Disk,
        };
        let target = if kind == SnapshotKind::Sockets { "replicas sockets" } else { "disk" };
        info!("Starting BGSAVE for SYNC with target: {target}");
        self.asked = Some((kind, filter));
        turn.out.push(Output::StartSnapshot { kind, filter });
    }

    /// A snapshot began; its cut is the present end of the stream.
    pub fn snapshot_started(&mut self, turn: &mut Turn<'_>, kind: SnapshotKind) {
        let mark = HexId::random(turn.rng);
        self.snapshot = Some(Snapshot { kind, mark });
        let Some((asked, filter)) = self.asked.take() else { return };
        if asked != kind {
            return;
        }
        turn.out.push(Output::Reselect);
        let cursor = turn.history.next();
        for replica in &mut self.replicas {
            let waits = matches!(replica.state, State::Waiting { .. }) && replica.intro.filter == filter;
            if !waits || replica.closing || (kind == SnapshotKind::Sockets && !replica.intro.capa_eof) {
                continue;
            }
            enter(replica, turn, cursor);
            if kind == SnapshotKind::Sockets {
                turn.out.push(Output::Write(replica.client, format!("$EOF:{mark}\r\n").into_bytes()));
                turn.out.push(Output::JoinSockets(replica.client));
            }
        }
    }

    /// The snapshot asked for cannot begin.
    pub fn snapshot_refused(&mut self, turn: &mut Turn<'_>) {
        let Some((_, filter)) = self.asked.take() else { return };
        warn!("BGSAVE for replication failed");
        for replica in &mut self.replicas {
            if matches!(replica.state, State::Waiting { .. }) && replica.intro.filter == filter && !replica.closing {
                let error = b"-ERR BGSAVE failed, replication can't continue\r\n".to_vec();
                turn.out.push(Output::Write(replica.client, error));
                close(replica, turn.out, true);
            }
        }
    }

    /// The running snapshot ended.
    pub fn snapshot_ended(&mut self, turn: &mut Turn<'_>, ok: bool) {
        let Some(Snapshot { kind, mark }) = self.snapshot.take() else { return };
        if ok && kind == SnapshotKind::Sockets {
            let up = self.replicas.iter().filter(|r| r.state == State::InSnapshot && !r.closing).count();
            info!("Diskless rdb transfer, done reading from pipe, {up} replicas still up.");
        }
        for replica in self.replicas.iter_mut().filter(|r| r.state == State::InSnapshot && !r.closing) {
            replica.bulk_progress = turn.now;
            if !ok {
                warn!("SYNC failed. BGSAVE child returned an error");
                close(replica, turn.out, false);
            } else if kind == SnapshotKind::Disk {
                replica.state = State::Sending;
                turn.out.push(Output::SendFile(replica.client));
            } else {
                turn.out.push(Output::Write(replica.client, mark.as_bytes().to_vec()));
                if !finish_if_rdb_only(replica, turn) {
                    info!(
                        "Streamed RDB transfer with replica {} succeeded (socket). Waiting for REPLCONF ACK from \
                         replica to enable streaming",
                        replica.name()
                    );
                    replica.state = State::Online { mute: true };
                    replica.acked_at = turn.now;
                }
            }
        }
        self.recount(turn);
        self.start_waiting_snapshot(turn);
    }

    /// The RDB file has entirely left towards this replica.
    pub fn file_sent(&mut self, turn: &mut Turn<'_>, client: ClientId) {
        let sending = |r: &&mut Replica| r.client == client && r.state == State::Sending && !r.closing;
        let Some(replica) = self.replicas.iter_mut().find(sending) else { return };
        if !finish_if_rdb_only(replica, turn) {
            replica.state = State::Online { mute: false };
            replica.acked_at = turn.now;
            info!("Synchronization with replica {} succeeded", replica.name());
            turn.out.push(Output::Online(client));
        }
        self.recount(turn);
    }

    /// Snapshot bytes left towards this replica.
    pub fn bulk_progress(&mut self, turn: &Turn<'_>, client: ClientId) {
        if let Some(replica) = self.replicas.iter_mut().find(|replica| replica.client == client) {
            replica.bulk_progress = turn.now;
        }
    }

    /// A replica that took part in the running snapshot is gone.
    pub(super) fn left_snapshot(&mut self, turn: &mut Turn<'_>) {
        if self.replicas.iter().any(|replica| replica.state == State::InSnapshot && !replica.closing) {
            return;
        }
        match self.snapshot_kind() {
            Some(SnapshotKind::Sockets) => {
                warn!("Diskless rdb transfer, last replica dropped, killing fork child.");
                turn.out.push(Output::AbortSnapshot);
            }
            Some(SnapshotKind::Disk) if !turn.settings.saves => turn.out.push(Output::AbortSnapshot),
            _ => {}
        }
    }

    /// Where the running snapshot to disk cut the stream, if this replica may share it.
    fn cut_to_join(&self, client: ClientId) -> Option<u64> {
        let new = self.replicas.iter().find(|replica| replica.client == client)?;
        let other = self.replicas.iter().find(|other| {
            other.state == State::InSnapshot
                && !other.closing
                && other.intro.filter == new.intro.filter
                && (!other.intro.rdb_only || new.intro.rdb_only)
                && (new.intro.capa_eof || !other.intro.capa_eof)
                && (new.intro.capa_psync2 || !other.intro.capa_psync2)
        })?;
        Some(other.cursor)
    }
}

/// This replica's data will be what the stream has before `cursor`.
fn enter(replica: &mut Replica, turn: &mut Turn<'_>, cursor: u64) {
    replica.state = State::InSnapshot;
    replica.cursor = cursor;
    replica.bulk_progress = turn.now;
    if !replica.silent {
        let line = format!("+FULLRESYNC {} {}\r\n", turn.history.identity().id(), cursor - 1);
        turn.out.push(Output::Write(replica.client, line.into_bytes()));
    }
}

fn finish_if_rdb_only(replica: &mut Replica, turn: &mut Turn<'_>) -> bool {
    if replica.intro.rdb_only {
        let name = replica.name();
        info!("RDB transfer completed, rdb only replica ({name}) should be disconnected asap");
        close(replica, turn.out, true);
    }
    replica.intro.rdb_only
}

/// The parts that `REPLCONF rdb-filter-only <words>` leaves in: `functions`, or nothing at all.
pub fn filter_only(words: &[&[u8]]) -> Result<Filter, String> {
    let mut filter = Filter { no_data: true, no_functions: true };
    for word in words {
        if !word.eq_ignore_ascii_case(b"functions") {
            return Err(format!("ERR Unsupported rdb-filter-only option: {}", String::from_utf8_lossy(word)));
        }
        filter.no_functions = false;
    }
    Ok(filter)
}
