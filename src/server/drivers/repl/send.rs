//! Snapshots on their way to replicas: directly while they are taken, or as the RDB file.
//!
//! Directly, all replicas that take part get the same pieces, shared and not copied. The walk rests while the slowest of
//! them has too much unsent. As a file, each replica has a reader of its own, opened at once: a later save replaces the
//! file's name, not what is being sent.

use bytes::Bytes;
use tracing::warn;

use super::{WINDOW, WINDOW_LOW};
use crate::base::id::ClientId;
use crate::net::ConnId;
use crate::persist::rdb_source::{Next, Source};
use crate::rdb::header::ReplFacts;
use crate::repl::Input;
use crate::repl::io::{Filter, SnapshotKind};
use crate::server::Turn;
use crate::server::drivers::saves::{Happened, Target, rdb_path};

/// An RDB file on its way to one replica.
pub struct FileSend {
    client: ClientId,
    source: Source,
    /// Bytes of the file not queued yet.
    left: u64,
    /// What the connection had sent when this was last looked at.
    seen: u64,
}

impl Turn<'_> {
    /// Where the replication stream stands, for the head of an RDB file.
    pub fn replication_position(&mut self) -> Option<ReplFacts> {
        self.drain_journal();
        let db = self.server.engine.journal.selected().unwrap_or(0) as u32;
        let position = self.server.repl.node.position(db)?;
        Some(ReplFacts { stream_db: position.db.into(), id: position.id, offset: position.end as i64 })
    }

    /// Begins a snapshot, whoever wants it. None may be running.
    pub fn begin_snapshot(&mut self, target: Target) {
        for event in self.server.snapshots.untold() {
            self.snapshot_happened(event);
        }
        let position = self.replication_position();
        let server = &mut *self.server;
        server.snapshots.begin(&mut server.engine, target, position);
        self.snapshot_began(target);
    }

    /// A snapshot began just now, and nothing was executed since.
    pub fn snapshot_began(&mut self, target: Target) {
        self.repl(Input::SnapshotStarted(match target {
            Target::File => SnapshotKind::Disk,
            Target::AofBase => SnapshotKind::Other,
            Target::Stream { .. } => SnapshotKind::Sockets,
        }));
    }

    /// Takes note of what a snapshot did.
    pub fn snapshot_happened(&mut self, happened: Happened) {
        match happened {
            Happened::Piece(piece) => self.send_piece(&piece),
            Happened::Ended { ok, target } => {
                if target == Target::AofBase {
                    self.image_for_aof_ended(ok);
                }
                // First, because the next snapshot may begin with this, and its members are others.
                self.server.repl.members.clear();
                self.repl(Input::SnapshotEnded { ok });
            }
        }
    }

    /// How many bytes of a snapshot the slowest replica has yet to take.
    pub fn unsent_to_members(&self) -> u64 {
        let unsent = |conn: &ConnId| self.net.conn(*conn).map_or(0, |conn| conn.out().len() as u64);
        self.server.repl.members.iter().map(unsent).max().unwrap_or(0)
    }

    pub(super) fn start_snapshot_for_replicas(&mut self, kind: SnapshotKind, filter: Filter) {
        if self.is_image_running().is_some() || self.server.engine.facts.is_loading {
            return self.repl(Input::SnapshotRefused);
        }
        self.begin_snapshot(match kind {
            SnapshotKind::Sockets => Target::Stream { skip_keys: filter.no_data },
            SnapshotKind::Disk | SnapshotKind::Other => Target::File,
        });
    }

    pub(super) fn abort_snapshot_for_replicas(&mut self) {
        self.server.snapshots.cancel(&mut self.server.engine);
    }

    fn send_piece(&mut self, piece: &Bytes) {
        for conn in std::mem::take(&mut self.server.repl.members) {
            let Some(client) = self.server.clients.get(conn).and_then(|client| client.session.as_ref()) else {
                continue;
            };
            let client = client.id;
            let Some(out) = self.net.out(conn) else { continue };
            let was_full = out.len() >= WINDOW;
            out.append_shared(piece.clone());
            self.net.watch_output(conn, WINDOW_LOW);
            self.server.repl.members.push(conn);
            if !was_full {
                self.repl(Input::BulkProgress(client));
            }
        }
    }

    pub(super) fn send_file(&mut self, client: ClientId) {
        let path = rdb_path(&self.server.engine.config);
        let (files, wake) = self.server.snapshots.disk();
        let source = match Source::open(&*files, &path, wake) {
            Ok(source) => source,
            Err(error) => {
                warn!("SYNC failed. Can't open/stat DB after BGSAVE: {error}");
                return self.close_replica(client, false);
            }
        };
        let left = source.size();
        self.write_to_replica(client, format!("${left}\r\n").as_bytes());
        self.server.repl.files.push(FileSend { client, source, left, seen: 0 });
    }

    /// Hands out more of the files.
    pub(super) fn pump_files(&mut self) {
        if self.server.repl.files.is_empty() {
            return;
        }
        let mut going = Vec::new();
        for mut file in std::mem::take(&mut self.server.repl.files) {
            let client = file.client;
            match self.pump_file(&mut file) {
                Pumped::Going { progress } => {
                    going.push(file);
                    if progress {
                        self.repl(Input::BulkProgress(client));
                    }
                }
                Pumped::Sent => self.repl(Input::FileSent(client)),
                Pumped::Gone => {}
                Pumped::Failed(text) => {
                    warn!("Read error sending DB to replica: {text}");
                    self.close_replica(client, false);
                }
            }
        }
        self.server.repl.files.append(&mut going);
    }

    fn pump_file(&mut self, file: &mut FileSend) -> Pumped {
        let Some(conn) = self.server.clients.conn_of(file.client) else { return Pumped::Gone };
        loop {
            let Some(out) = self.net.out(conn) else { return Pumped::Gone };
            if out.len() >= WINDOW || (file.left == 0 && !out.is_empty()) {
                let low = if file.left == 0 { 0 } else { WINDOW_LOW };
                self.net.watch_output(conn, low);
                break;
            }
            if file.left == 0 {
                return Pumped::Sent;
            }
            match file.source.next() {
                Next::Block(block) if block.len() as u64 <= file.left => {
                    file.left -= block.len() as u64;
                    out.append_shared(Bytes::from(block));
                    file.source.give_back(Vec::new());
                }
                Next::Block(_) | Next::End => return Pumped::Failed("premature EOF".to_owned()),
                Next::NotYet => break,
                Next::Failed(error) => return Pumped::Failed(error.to_string()),
            }
        }
        let sent = self.net.conn(conn).map_or(0, |conn| conn.bytes_out());
        Pumped::Going { progress: std::mem::replace(&mut file.seen, sent) != sent }
    }
}

enum Pumped {
    Going { progress: bool },
    Sent,
    Gone,
    Failed(String),
}
