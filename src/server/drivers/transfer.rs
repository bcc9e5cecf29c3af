//! A full resync at the replica: a snapshot that arrives from the master, and takes the place of our data.
//!
//! ```text
//!               begin           payload …           done
//!   by disk     ──────► Receiving (a thread writes) ────► Syncing ──► flush, load the file by slices ──► Loaded
//!   directly    ──────► flush, Parsing (payload goes into the keyspace) ─────────────────────────────► Loaded
//! ```
//!
//! By disk the old data stay until the new ones are here whole and on disk; it is the default. Directly
//! (`repl-diskless-load on-empty-db`, when there is nothing to lose) the disk is not touched. `swapdb` is treated as
//! `disabled`, which keeps its promise (the old data stay until the new ones are whole) at the price of a file.
//!
//! A replica keeps keys whose time is over: its master says when they go.

use bytes::Bytes;
use tracing::{error, info, warn};

use crate::base::time::Instant;
use crate::config::values::DisklessLoad;
use crate::exec::Engine;
use crate::keyspace::FlushMode;
use crate::persist::rdb_load::{Fed, Loader, Rules};
use crate::persist::writer::{Flow, Report, Writer};
use crate::rdb::header::Facts;

use super::loading::{LoadFigures, Loading, Turned, note_loaded};
use super::saves::{Snapshots, rdb_path};

/// A snapshot on its way from our master.
pub struct Transfer {
    state: State,
}

enum State {
    /// Bytes go to a file.
    Receiving(Writer),
    /// All bytes were handed over; the file is being put in place.
    Syncing(Writer),
    /// Bytes go into the keyspace.
    Parsing(Box<Loader>),
    /// The file is being loaded.
    Loading(Box<Loading>),
    /// It failed, and that was told.
    Failed,
}

/// What became of a turn.
#[derive(Debug)]
pub enum Advance {
    /// Not over; the next turn must be at this moment at the latest (`None`: bytes or a wake will come).
    Going(Option<Instant>),
    /// From now on the old data are being replaced.
    Replaces,
    /// The data are those of the master.
    Loaded(Box<Facts>),
    /// It did not work; the reason is in the log. The data set may be empty or incomplete.
    Failed,
}

impl Transfer {
    /// Begins. `length` is that of the snapshot, when the master told it. [`Advance::Replaces`] is returned when the old
    /// data are gone at once.
    pub fn begin(engine: &mut Engine, snapshots: &mut Snapshots, length: Option<u64>) -> (Transfer, Advance) {
        let is_direct =
            engine.config.replication.repl_diskless_load == DisklessLoad::OnEmptyDb && engine.keyspace.is_empty();
        let target = if is_direct { "parser" } else { "disk" };
        match length {
            Some(bytes) => info!("MASTER <-> REPLICA sync: receiving {bytes} bytes from master to {target}"),
            None => info!("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to {target}"),
        }
        if !is_direct {
            let writer = snapshots.receive(&engine.config, engine.now);
            return (Transfer { state: State::Receiving(writer) }, Advance::Going(None));
        }
        replace(engine, snapshots);
        engine.facts.is_loading = true;
        let rules = Rules {
            verify_checksum: engine.config.persistence.rdbchecksum,
            drop_expired: false,
            replace: false,
            bytes_there: 0,
            now: engine.now.wall(),
            limits: engine.settings.limits,
        };
        (Transfer { state: State::Parsing(Box::new(Loader::new(rules))) }, Advance::Replaces)
    }

    /// The next bytes of the snapshot.
    pub fn payload(&mut self, engine: &mut Engine, bytes: &[u8]) -> Advance {
        match &mut self.state {
            State::Receiving(writer) => writer.add_bytes(Bytes::copy_from_slice(bytes)),
            State::Parsing(loader) => {
                let mut input = bytes;
                if let Err(error) = loader.feed(&mut engine.keyspace, &mut input, &mut || true) {
                    error!("Error reading the snapshot of the master: {error}");
                    return self.fail(engine, "socket");
                }
            }
            State::Syncing(_) | State::Loading(_) | State::Failed => {}
        }
        Advance::Going(None)
    }

    /// Whether no more bytes should be read from the master for now.
    pub fn is_full(&self) -> bool {
        matches!(&self.state, State::Receiving(writer) if writer.under_way() >= Flow::HIGH)
    }

    /// All bytes were handed over.
    pub fn done(&mut self, engine: &mut Engine, snapshots: &mut Snapshots) -> Advance {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Receiving(writer) => {
                writer.finish();
                self.state = State::Syncing(writer);
                Advance::Going(None)
            }
            State::Parsing(mut loader) => {
                if let Ok(Fed::Done) = loader.feed(&mut engine.keyspace, &mut &[][..], &mut || true) {
                    engine.facts.is_loading = false;
                    note_loaded(snapshots, loader.loaded());
                    return Advance::Loaded(Box::new(loader.facts().clone()));
                }
                error!("Error reading the snapshot of the master: {}", loader.truncated());
                self.fail(engine, "socket")
            }
            other => {
                self.state = other;
                Advance::Going(None)
            }
        }
    }

    /// One turn of the loop.
    pub fn turn(&mut self, engine: &mut Engine, snapshots: &mut Snapshots, clock: &mut dyn FnMut() -> u64) -> Advance {
        match &mut self.state {
            State::Receiving(writer) | State::Syncing(writer) => match writer.report() {
                None | Some(Report::Piece(_)) => Advance::Going(None),
                Some(Report::Done { .. }) => self.load(engine, snapshots),
                Some(Report::Failed(error)) => {
                    warn!("Failed trying to write the MASTER synchronization DB to disk: {error}");
                    self.state = State::Failed;
                    Advance::Failed
                }
            },
            State::Loading(loading) => match loading.turn(engine, snapshots, clock) {
                Turned::Loading(next) => Advance::Going(next),
                Turned::Loaded(facts) => {
                    forget_file(engine, snapshots);
                    Advance::Loaded(facts)
                }
                Turned::Failed => self.fail(engine, "disk"),
            },
            State::Parsing(_) | State::Failed => Advance::Going(None),
        }
    }

    /// Figures for INFO while the keyspace is being filled from a file.
    pub fn load_figures(&self, now: crate::base::time::Now) -> Option<LoadFigures> {
        match &self.state {
            State::Loading(loading) => Some(loading.figures(now)),
            _ => None,
        }
    }

    /// Gives up: the link is gone. What was loaded so far is of no use and is dropped.
    pub fn abort(self, engine: &mut Engine) {
        if matches!(self.state, State::Parsing(_) | State::Loading(_)) {
            engine.facts.is_loading = false;
            engine.keyspace.flush_all(FlushMode::Async);
        }
    }

    fn load(&mut self, engine: &mut Engine, snapshots: &mut Snapshots) -> Advance {
        replace(engine, snapshots);
        info!("MASTER <-> REPLICA sync: Loading DB in memory");
        match Loading::begin(engine, snapshots, false) {
            Ok(Some(loading)) => {
                self.state = State::Loading(Box::new(loading));
                Advance::Replaces
            }
            Ok(None) => {
                error!("The file received from the master is gone");
                self.fail(engine, "disk")
            }
            Err(_) => self.fail(engine, "disk"),
        }
    }

    fn fail(&mut self, engine: &mut Engine, source: &str) -> Advance {
        warn!("Failed trying to load the MASTER synchronization DB from {source}, check server logs.");
        self.state = State::Failed;
        engine.facts.is_loading = false;
        engine.keyspace.flush_all(FlushMode::Async);
        Advance::Failed
    }
}

/// Empties the data set for what comes; a snapshot of the old data ends.
fn replace(engine: &mut Engine, snapshots: &mut Snapshots) {
    info!("MASTER <-> REPLICA sync: Flushing old data");
    snapshots.cancel(engine);
    let is_lazy = engine.config.replication.replica_lazy_flush;
    engine.keyspace.flush_all(if is_lazy { FlushMode::Async } else { FlushMode::Sync });
}

/// With `rdb-del-sync-files`, a server without persistence keeps no file of the resync.
fn forget_file(engine: &Engine, snapshots: &Snapshots) {
    let persistence = &engine.config.persistence;
    if persistence.rdb_del_sync_files && persistence.save.is_empty() && !persistence.appendonly {
        let (files, _) = snapshots.disk();
        match files.remove(&rdb_path(&engine.config)) {
            Ok(()) => info!("Removing the RDB file obtained from the master. This replica has persistence disabled"),
            Err(error) => warn!("Error removing the RDB file obtained from the master: {error}"),
        }
    }
}
