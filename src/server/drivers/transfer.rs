//! A full resync at the replica: a snapshot that arrives from the master, and takes the place of our data.
//!
//! ```text
//!               begin           payload …           done
//!   by disk     ──────► Receiving (a thread writes) ────► Syncing ──► flush, load the file by slices ──► Loaded
//!   directly    ──────► flush, Parsing (payload goes into the keyspace) ─────────────────────────────► Loaded
//!   aside       ──────► Parsing (payload goes into another keyspace) ────────► exchange both ────────► Loaded
//! ```
//!
//! By disk the old data stay until the new ones are here whole and on disk; it is the default. Directly
//! (`repl-diskless-load on-empty-db`, when there is nothing to lose) the disk is not touched.
//!
//! *Aside* (`swapdb`) the payload goes into a second keyspace, which takes the place of the first at the end; whatever goes
//! wrong before, nothing has changed. If both belong to the same history, the old data are old but not wrong, and are
//! served meanwhile ("async loading"); if not, clients get `-LOADING`.
//!
//! *Guarded* (`newborn-master-protection`) what arrives is held back until it has a key: a master that started without data
//! does not make us lose ours.
//!
//! A replica keeps keys whose time is over: its master says when they go.

use bytes::Bytes;
use tracing::{error, info, warn};

use crate::base::time::{Instant, Now};
use crate::config::values::DisklessLoad;
use crate::exec::Engine;
use crate::exec::functions::Policy;
use crate::keyspace::{FlushMode, Keyspace};
use crate::persist::pace;
use crate::persist::rdb_load::{Fed, LoadError, Loader, Rules};
use crate::persist::writer::{Flow, Report, Writer};
use crate::rdb::header::Facts;

use super::loading::{LoadFigures, Loading, Turned, note_loaded, put_libraries};
use super::saves::{Snapshots, rdb_path};

/// A snapshot on its way from our master.
pub struct Transfer {
    state: State,
}

enum State {
    /// Nobody knows yet whether there are any data in what arrives.
    Doubting(Box<Doubt>),
    /// Bytes go to a file.
    Receiving(Writer),
    /// All bytes were handed over; the file is being put in place.
    Syncing(Writer),
    /// Bytes go into the keyspace, or into another one beside it.
    Parsing(Box<Parsing>),
    /// The file is being loaded.
    Loading(Box<Loading>),
    /// It failed, and that was told.
    Failed,
}

struct Doubt {
    /// Reads what is held.
    loader: Loader,
    keyspace: Keyspace,
    held: Vec<u8>,
    length: Option<u64>,
    is_same_history: bool,
}

/// Of a snapshot without keys no more than this is held; what is longer has something (functions) and is taken in.
const DOUBT_MAX: usize = 1024 * 1024;

struct Parsing {
    loader: Loader,
    /// `None`: into the one that is served.
    aside: Option<Keyspace>,
    length: Option<u64>,
    started: Now,
    /// All bytes were handed over.
    is_whole: bool,
}

/// What became of a turn.
#[derive(Debug)]
pub enum Advance {
    /// Not over; the next turn must be at this moment at the latest (`None`: bytes or a wake will come).
    Going(Option<Instant>),
    /// From now on the old data are being replaced.
    Replaces,
    /// The data are those of the master.
    Loaded {
        /// What the snapshot says about itself.
        facts: Box<Facts>,
        /// The old data were replaced with this moment only, and nobody has been told.
        is_swapped: bool,
    },
    /// The master has no data, and we have: ours stay. The reason is in the log.
    Refused,
    /// It did not work; the reason is in the log. The data set is as it was, or empty if [`Advance::Replaces`] was said.
    Failed,
}

impl Transfer {
    /// Begins. `length` is that of the snapshot, when the master told it; `is_same_history`: our old data may be served
    /// while the new ones arrive. [`Advance::Replaces`] is returned when the old data are gone at once.
    pub fn begin(
        engine: &mut Engine,
        snapshots: &mut Snapshots,
        length: Option<u64>,
        is_same_history: bool,
    ) -> (Transfer, Advance) {
        let load = engine.config.replication.repl_diskless_load;
        let is_aside = load == DisklessLoad::Swapdb;
        let is_direct = is_aside || (load == DisklessLoad::OnEmptyDb && engine.keyspace.is_empty());
        let target = if is_direct { "parser" } else { "disk" };
        match length {
            Some(bytes) => info!("MASTER <-> REPLICA sync: receiving {bytes} bytes from master to {target}"),
            None => info!("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to {target}"),
        }
        if !is_direct {
            let writer = snapshots.receive(&engine.config, engine.now);
            return (Transfer { state: State::Receiving(writer) }, Advance::Going(None));
        }
        if !is_aside {
            replace(engine, snapshots);
        }
        info!("MASTER <-> REPLICA sync: Loading DB in memory");
        (engine.facts.is_loading, engine.facts.is_loading_async) = match is_aside && is_same_history {
            true => (false, true),
            false => (true, false),
        };
        let rules = rules_for_snapshot(engine);
        let aside = is_aside.then(|| engine.keyspace.beside());
        let parsing = Parsing { loader: Loader::new(rules), aside, length, started: engine.now, is_whole: false };
        let advance = if is_aside { Advance::Going(None) } else { Advance::Replaces };
        (Transfer { state: State::Parsing(Box::new(parsing)) }, advance)
    }

    /// Begins, and holds back what arrives until it is known to be more than nothing.
    pub fn guarded(engine: &mut Engine, length: Option<u64>, is_same_history: bool) -> Transfer {
        let loader = Loader::new(rules_for_snapshot(engine));
        let keyspace = engine.keyspace.beside();
        let doubt = Doubt { loader, keyspace, held: Vec::new(), length, is_same_history };
        Transfer { state: State::Doubting(Box::new(doubt)) }
    }

    /// The next bytes of the snapshot.
    pub fn payload(&mut self, engine: &mut Engine, snapshots: &mut Snapshots, bytes: &[u8]) -> Advance {
        match &mut self.state {
            State::Doubting(doubt) => {
                doubt.held.extend_from_slice(bytes);
                // Bytes that make no sense are the business of whoever takes them in.
                let is_sound = doubt.loader.feed(&mut doubt.keyspace, &mut &bytes[..], &mut || true).is_ok();
                if is_sound && doubt.loader.loaded().keys == 0 && doubt.held.len() < DOUBT_MAX {
                    return Advance::Going(None);
                }
                return self.believe(engine, snapshots);
            }
            State::Receiving(writer) => writer.add_bytes(Bytes::copy_from_slice(bytes)),
            State::Parsing(parsing) => {
                let mut input = bytes;
                if let Err(error) = parsing.feed(&mut engine.keyspace, &mut input) {
                    error!("Error reading the snapshot of the master: {error}");
                    return self.fail(engine, "socket");
                }
            }
            State::Syncing(_) | State::Loading(_) | State::Failed => {}
        }
        Advance::Going(None)
    }

    /// There are data: what was held goes the way it would have gone.
    fn believe(&mut self, engine: &mut Engine, snapshots: &mut Snapshots) -> Advance {
        let State::Doubting(doubt) = std::mem::replace(&mut self.state, State::Failed) else {
            return Advance::Going(None);
        };
        let Doubt { keyspace, held, length, is_same_history, .. } = *doubt;
        engine.keyspace.discard(keyspace);
        let (begun, first) = Transfer::begin(engine, snapshots, length, is_same_history);
        *self = begun;
        match self.payload(engine, snapshots, &held) {
            Advance::Going(_) => first,
            failed => failed,
        }
    }

    /// Whether no more bytes should be read from the master for now: they wait for the disk, or for `key-load-delay`.
    pub fn is_full(&self, engine: &Engine) -> bool {
        match &self.state {
            State::Receiving(writer) => writer.under_way() >= Flow::HIGH,
            State::Parsing(parsing) => parsing.pause(engine).is_some(),
            State::Doubting(_) | State::Syncing(_) | State::Loading(_) | State::Failed => false,
        }
    }

    /// All bytes were handed over.
    pub fn done(&mut self, engine: &mut Engine, snapshots: &mut Snapshots) -> Advance {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Doubting(doubt) if doubt.loader.is_done() => {
                warn!(
                    "MASTER <-> REPLICA sync: the master has no data at all, under a new replication id: it started without \
                     its files. Our data stay (newborn-master-protection). If they are not wanted, send this server REPLICAOF \
                     NO ONE and then REPLICAOF again."
                );
                engine.keyspace.discard(doubt.keyspace);
                Advance::Refused
            }
            State::Doubting(doubt) => {
                self.state = State::Doubting(doubt);
                match self.believe(engine, snapshots) {
                    Advance::Going(_) | Advance::Replaces => self.done(engine, snapshots),
                    ended => ended,
                }
            }
            State::Receiving(writer) => {
                writer.finish();
                self.state = State::Syncing(writer);
                Advance::Going(None)
            }
            State::Parsing(mut parsing) => {
                parsing.is_whole = true;
                if let Some(pause) = parsing.pause(engine) {
                    self.state = State::Parsing(parsing);
                    return Advance::Going(Some(pause));
                }
                if let Ok(Fed::Done) = parsing.feed(&mut engine.keyspace, &mut &[][..]) {
                    (engine.facts.is_loading, engine.facts.is_loading_async) = (false, false);
                    note_loaded(snapshots, parsing.loader.loaded());
                    let is_swapped = parsing.aside.is_some();
                    if let Some(aside) = parsing.aside.take() {
                        exchange(engine, snapshots, aside);
                    }
                    let facts = Box::new(parsing.loader.facts().clone());
                    if let Err(error) = put_libraries(engine, &facts.libraries, Policy::Flush) {
                        error!("Failed creating the function libraries of the master: {error}");
                        return self.fail(engine, "socket");
                    }
                    return Advance::Loaded { facts, is_swapped };
                }
                error!("Error reading the snapshot of the master: {}", parsing.loader.truncated());
                self.state = State::Parsing(parsing);
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
                    Advance::Loaded { facts, is_swapped: false }
                }
                Turned::Failed => self.fail(engine, "disk"),
            },
            State::Parsing(parsing) => match parsing.pause(engine) {
                None if parsing.is_whole => self.done(engine, snapshots),
                pause => Advance::Going(pause),
            },
            State::Doubting(_) | State::Failed => Advance::Going(None),
        }
    }

    /// Figures for INFO while a keyspace is being filled.
    pub fn load_figures(&self, now: Now) -> Option<LoadFigures> {
        match &self.state {
            State::Loading(loading) => Some(loading.figures(now)),
            State::Parsing(parsing) => {
                let loader = &parsing.loader;
                let total = parsing.length.unwrap_or(0);
                Some(LoadFigures::new(parsing.started, now, total, loader.offset(), loader.facts().used_memory))
            }
            _ => None,
        }
    }

    /// Gives up: the link is gone. What was loaded so far is of no use and is dropped.
    pub fn abort(mut self, engine: &mut Engine) {
        if let State::Parsing(parsing) = &self.state {
            let offset = parsing.loader.offset();
            warn!(
                "Internal error in RDB reading offset {offset}: the master's connection ended before the snapshot did"
            );
        }
        self.drop_loaded(engine);
    }

    fn load(&mut self, engine: &mut Engine, snapshots: &mut Snapshots) -> Advance {
        replace(engine, snapshots);
        info!("MASTER <-> REPLICA sync: Loading DB in memory");
        engine.functions.flush();
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
        self.drop_loaded(engine);
        Advance::Failed
    }

    /// Drops what was loaded so far.
    fn drop_loaded(&mut self, engine: &mut Engine) {
        let aside = match std::mem::replace(&mut self.state, State::Failed) {
            State::Parsing(parsing) => parsing.aside,
            State::Loading(_) => None,
            State::Doubting(doubt) => return engine.keyspace.discard(doubt.keyspace),
            State::Receiving(_) | State::Syncing(_) | State::Failed => return,
        };
        (engine.facts.is_loading, engine.facts.is_loading_async) = (false, false);
        match aside {
            Some(aside) => {
                info!("MASTER <-> REPLICA sync: Discarding temporary DB in background");
                engine.keyspace.discard(aside);
            }
            None => {
                engine.keyspace.flush_all(FlushMode::Async);
            }
        }
    }
}

impl Parsing {
    /// `key-load-delay`: until when nothing more is loaded, if that is not over.
    fn pause(&self, engine: &Engine) -> Option<Instant> {
        let delay = engine.config.persistence.key_load_delay;
        let due = pace::due_us(self.started.mono_us, self.loader.loaded().keys, delay)?;
        (due > engine.now.mono_us).then(|| Instant::from_millis(due.div_ceil(1000)))
    }

    fn feed(&mut self, served: &mut Keyspace, input: &mut &[u8]) -> Result<Fed, LoadError> {
        self.loader.feed(self.aside.as_mut().unwrap_or(served), input, &mut || true)
    }
}

fn rules_for_snapshot(engine: &Engine) -> Rules {
    Rules {
        verify_checksum: engine.config.persistence.rdbchecksum,
        drop_expired: false,
        replace: false,
        bytes_there: 0,
        now: engine.now.wall(),
        limits: engine.settings.limits,
    }
}

/// Puts what was loaded aside in the place of the old data; a snapshot of those ends.
fn exchange(engine: &mut Engine, snapshots: &mut Snapshots, aside: Keyspace) {
    info!("MASTER <-> REPLICA sync: Swapping active DB with loaded DB");
    snapshots.cancel(engine);
    info!("MASTER <-> REPLICA sync: Discarding old DB in background");
    engine.keyspace.take_over(aside, FlushMode::Async);
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
