//! Loading the RDB file while the server already answers: PING, INFO and the like, and `-LOADING` for the rest.
//!
//! One slice per turn of the loop. A file that is not there means an empty data set; a file that cannot be read to its end
//! means that the program must not go on, or the next save would replace it by less.

use std::io;

use bytes::Bytes;
use tracing::{error, info};

use crate::base::time::{Instant, Now};
use crate::exec::Engine;
use crate::exec::flow::functions::Loading as LoadingLibrary;
use crate::exec::functions::Policy;
use crate::persist::file_load::{FileLoad, LoadProgress};
use crate::persist::rdb_load::{Gone, Loaded, Rules};
use crate::rdb::header::Facts;

use super::saves::{Snapshots, rdb_path};

/// The file being loaded.
pub struct Loading {
    load: FileLoad,
    started: Now,
}

/// What became of a turn.
#[derive(Debug)]
pub enum Turned {
    /// Not over; the next turn must be at this moment at the latest (`None`: the wake will come).
    Loading(Option<Instant>),
    /// All data are there.
    Loaded(Box<Facts>),
    /// The data cannot be loaded; the reason is in the log. At the start of the program it must end.
    Failed,
}

/// Figures for INFO.
#[derive(Clone, Copy, Debug)]
pub struct LoadFigures {
    /// Seconds since 1970.
    pub start_time: i64,
    /// Size of the file.
    pub total_bytes: u64,
    /// Bytes read.
    pub loaded_bytes: u64,
    /// Memory that the writer of the file used.
    pub rdb_used_memory: u64,
    /// Percent of the bytes.
    pub percent: f64,
    /// Seconds left at the present speed; 1 when nothing is known yet.
    pub eta_seconds: i64,
}

impl Loading {
    /// Begins to load the RDB file of the configuration. `None`: there is none. An error has been logged.
    pub fn begin(engine: &mut Engine, snapshots: &Snapshots, drop_expired: bool) -> Result<Option<Loading>, io::Error> {
        let (files, wake) = snapshots.disk();
        let now = engine.now;
        let rules = rules(engine, drop_expired, true);
        let persistence = &engine.config.persistence;
        let path = rdb_path(&engine.config);
        match FileLoad::open(&*files, &path, rules, persistence.key_load_delay, now.mono_us, wake) {
            Ok(load) => {
                engine.facts.is_loading = true;
                Ok(Some(Loading { load, started: now }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                error!("Fatal error: can't open the RDB file {} for reading: {error}", path.display());
                Err(error)
            }
        }
    }

    /// Does one slice.
    pub fn turn(&mut self, engine: &mut Engine, snapshots: &mut Snapshots, clock: &mut dyn FnMut() -> u64) -> Turned {
        match self.load.step(&mut engine.keyspace, clock) {
            Ok(LoadProgress::More) => Turned::Loading(Some(engine.now.mono)),
            Ok(LoadProgress::Until(us)) => Turned::Loading(Some(Instant::from_millis(us.div_ceil(1000)))),
            Ok(LoadProgress::Waiting) => Turned::Loading(None),
            Ok(LoadProgress::Done(loaded)) => {
                engine.facts.is_loading = false;
                note_loaded(snapshots, loaded);
                let seconds = clock().saturating_sub(self.started.mono_us) as f64 / 1e6;
                info!("DB loaded from disk: {seconds:.3} seconds");
                let facts = self.load.loader().facts();
                if let Err(error) = put_libraries(engine, &facts.libraries, Policy::Append) {
                    error!("Failed creating the function libraries of the RDB file: {error}");
                    return Turned::Failed;
                }
                Turned::Loaded(Box::new(facts.clone()))
            }
            Err(error) => {
                error!("Internal error in RDB reading: {error}");
                error!("Error reading the RDB file {}: {error}", rdb_path(&engine.config).display());
                error!("Terminating server after rdb file reading failure.");
                Turned::Failed
            }
        }
    }

    /// The keys left out, of which replicas must hear.
    pub fn take_gone(&mut self) -> Gone {
        self.load.take_gone()
    }

    /// Figures as of `now`.
    pub fn figures(&self, now: Now) -> LoadFigures {
        let (total, loaded) = (self.load.total_bytes(), self.load.loaded_bytes());
        LoadFigures::new(self.started, now, total, loaded, self.load.loader().facts().used_memory)
    }
}

impl LoadFigures {
    /// Figures of a load that began at `started`. A `total` of 0 is unknown; then the memory that the writer used is taken
    /// for a measure.
    pub fn new(started: Now, now: Now, total: u64, loaded: u64, used_memory: Option<u64>) -> LoadFigures {
        let elapsed = now.mono.since(started.mono) / 1000;
        let rdb_used_memory = used_memory.unwrap_or(0);
        let measure = if total == 0 { rdb_used_memory } else { total };
        LoadFigures {
            start_time: started.wall().as_secs(),
            total_bytes: total,
            loaded_bytes: loaded,
            rdb_used_memory,
            percent: if measure == 0 { 0.0 } else { loaded as f64 / measure as f64 * 100.0 },
            eta_seconds: match loaded {
                0 => 1,
                _ => (elapsed as f64 / loaded as f64 * measure.saturating_sub(loaded) as f64) as i64,
            },
        }
    }
}

/// Loads the RDB file at once, blocking, for DEBUG RELOAD. The error text is for the log.
pub fn load_now(engine: &mut Engine, snapshots: &mut Snapshots, rules: Rules) -> Result<Loaded, String> {
    let (files, wake) = snapshots.disk();
    let path = rdb_path(&engine.config);
    let mut load = FileLoad::open(&*files, &path, rules, 0, 0, wake).map_err(|error| error.to_string())?;
    let loaded = load.run(&mut engine.keyspace).map_err(|error| error.to_string())?;
    let policy = if rules.replace { Policy::Replace } else { Policy::Append };
    put_libraries(engine, &load.loader().facts().libraries, policy)?;
    note_loaded(snapshots, loaded);
    Ok(loaded)
}

/// Puts libraries in place that a file or our master brought: all of them, or none and an error.
pub fn put_libraries(engine: &mut Engine, texts: &[Bytes], policy: Policy) -> Result<(), String> {
    if texts.is_empty() && policy != Policy::Flush {
        return Ok(());
    }
    let seed = engine.rng.next_u64();
    engine.functions.configure(engine.program.version, seed);
    let texts: Vec<&[u8]> = texts.iter().map(|text| &text[..]).collect();
    engine.functions.load_all(&texts, policy, &mut LoadingLibrary::without_limit()).map(drop)
}

/// The rules for loading a file under the present settings.
pub fn rules(engine: &Engine, drop_expired: bool, verify_checksum: bool) -> Rules {
    let verify_checksum = verify_checksum && engine.config.persistence.rdbchecksum;
    Rules {
        verify_checksum,
        drop_expired,
        replace: false,
        bytes_there: 0,
        now: engine.now.wall(),
        limits: engine.settings.limits,
    }
}

pub(super) fn note_loaded(snapshots: &mut Snapshots, loaded: Loaded) {
    snapshots.record.load_keys_loaded = loaded.keys;
    snapshots.record.load_keys_expired = loaded.expired;
    info!("{loaded}");
}
