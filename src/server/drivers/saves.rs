//! When snapshots are taken, and what is known of them afterwards.
//!
//! A snapshot goes to the RDB file (SAVE, BGSAVE, save points, a replica's full resync by disk), to replicas directly, or
//! becomes the base of the AOF. Redis forks for each; here [`persist::snapshot`](crate::persist::snapshot) walks the tables by slices and a thread
//! finishes the bytes. There is one at a time, as Redis has one child at a time:
//!
//! ```text
//!          begin                     turn, turn, turn …                the writer reports
//!   idle ─────────► Running (walking) ─────────────► Running (writing) ─────────────────► idle, bookkeeping
//!                        │                                  │
//!                        └──────────── cancel ──────────────┴──► idle, nothing changed
//! ```
//!
//! Save points count changes since the moment of the last image that reached the disk: changes made while an image is
//! taken are not in it and count for the next. After a failure the next try waits five seconds. With save points and
//! `stop-writes-on-bgsave-error` a failure stops writes until a save succeeds.
//!
//! INFO calls copy-on-write what writes during a snapshot cost in memory. Here that is the memory of records laid out and
//! not yet written, and of parts of large values that were copied because a write altered them; shown under the same names.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tracing::{error, info, warn};

use crate::base::alloc;
use crate::base::cpus::Work;
use crate::base::files::Files;
use crate::base::time::{Instant, Now};
use crate::config::model::{Config, Persistence};
use crate::config::values::EvictionPolicy;
use crate::data::rows::copied_bytes;
use crate::exec::Engine;
use crate::persist::claim::Claim;
use crate::persist::rdb_file::{Footer, Plan, RdbFile, SaveError};
use crate::persist::snapshot::{Figures, Form, Progress, Settings, Snapshot, WriteRecency};
use crate::persist::writer::{Flow, Report, Wake, Writer};
use crate::rdb::header::{Header, ReplFacts};

/// Seconds between a failed save and the next try on the server's own initiative.
const RETRY_DELAY: i64 = 5;

/// Where a snapshot goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The RDB file.
    File,
    /// The next base of the AOF.
    AofBase,
    /// Replicas, directly.
    Stream {
        /// They want no keys (`REPLCONF rdb-filter-only`).
        skip_keys: bool,
    },
}

/// Something the rest of the server must know.
#[derive(Debug)]
pub enum Happened {
    /// The next bytes for replicas.
    Piece(Bytes),
    /// The running snapshot ended.
    Ended {
        /// Where it went.
        target: Target,
        /// Whether it is complete.
        ok: bool,
    },
}

/// All snapshots of this server, one after the other.
pub struct Snapshots {
    files: Arc<dyn Files>,
    claim: Arc<Claim>,
    wake: Wake,
    pid: u32,
    running: Option<Running>,
    /// BGSAVE asked for as soon as possible.
    is_scheduled: bool,
    /// Temporary files made so far: their names must differ, as an old one may still be in use by a thread.
    files_made: u64,
    /// Ends that were not told yet.
    untold: Vec<Happened>,
    /// What INFO and the save points look at.
    pub record: Record,
}

/// What is known of the saves so far. Times are seconds since 1970.
#[derive(Clone, Debug)]
pub struct Record {
    /// The last save that succeeded; the start of the server before the first.
    pub last_save: i64,
    /// The last background save that was tried.
    pub last_try: i64,
    /// Whether the last save to a file succeeded.
    pub is_last_ok: bool,
    /// Duration of the last background save.
    pub last_seconds: Option<i64>,
    /// Saves to a file begun since the start.
    pub saves: u64,
    /// Images begun in the background since the start, for whatever: where Redis forks.
    pub begun: u64,
    /// The most that the last snapshot added to memory.
    pub last_memory: u64,
    /// Longest slice of the last snapshot in microseconds.
    pub last_slice_max_us: u64,
    /// The most processor time that one of its slices took.
    pub last_slice_cpu_max_us: u64,
    /// Keys that an expiry kept out of the last load.
    pub load_keys_expired: u64,
    /// Keys of the last load.
    pub load_keys_loaded: u64,
}

struct Running {
    /// `None` when everything is with the writer.
    snapshot: Option<Snapshot>,
    writer: Writer,
    target: Target,
    started: Now,
    dirty_at_start: u64,
    spent: Spent,
}

/// What a running snapshot costs.
#[derive(Clone, Copy, Debug)]
struct Spent {
    figures: Figures,
    slice_cpu_max_us: u64,
    /// What had been copied before it began because it was shared.
    copied_before: u64,
    /// What it adds to memory: records that wait, here or with the writer, and all that was copied so far because a write altered
    /// what the image shares.
    added: u64,
    added_peak: u64,
}

impl Spent {
    fn new() -> Spent {
        Spent {
            figures: Figures::default(),
            slice_cpu_max_us: 0,
            copied_before: copied_bytes(),
            added: 0,
            added_peak: 0,
        }
    }

    /// Looks at the figures; without a snapshot everything is with the writer.
    fn note(&mut self, figures: Option<Figures>, writer: &Writer) {
        self.figures = figures.unwrap_or(Figures { waiting_bytes: 0, ..self.figures });
        self.added = self.figures.waiting_bytes + writer.memory() + copied_bytes() - self.copied_before;
        self.added_peak = self.added_peak.max(self.added);
    }
}

/// The clocks of a slice, in microseconds.
pub struct Clocks<'a> {
    /// The time.
    pub wall: &'a mut dyn FnMut() -> u64,
    /// The processor time of the event loop, which stands still when another thread has the processor.
    pub cpu: &'a mut dyn FnMut() -> u64,
}

/// What INFO shows of a running snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Current {
    /// Where it goes.
    pub target: Target,
    /// Seconds since it began.
    pub seconds: i64,
    /// How far it is.
    pub figures: Figures,
    /// What it adds to memory.
    pub added: u64,
    /// The most that was so far.
    pub added_peak: u64,
}

impl Snapshots {
    /// Nothing saved yet; `now` counts as the last save. `wake` ends the loop's sleep.
    pub fn new(files: Arc<dyn Files>, wake: Wake, pid: u32, now: Now) -> Snapshots {
        Snapshots {
            claim: Arc::new(Claim::new(files.clone())),
            files,
            wake,
            pid,
            running: None,
            is_scheduled: false,
            files_made: 0,
            untold: Vec::new(),
            record: Record {
                last_save: now.wall().as_secs(),
                last_try: 0,
                is_last_ok: true,
                last_seconds: None,
                saves: 0,
                begun: 0,
                last_memory: 0,
                last_slice_max_us: 0,
                last_slice_cpu_max_us: 0,
                load_keys_expired: 0,
                load_keys_loaded: 0,
            },
        }
    }

    /// At the start of the program: a server with save points must be the only one that saves to its file. The reason of an error
    /// was logged.
    pub fn keep_others_away(&self, config: &Config) -> Result<(), SaveError> {
        match config.persistence.save.is_empty() {
            true => Ok(()),
            false => self.claim.take(&rdb_path(config)).inspect_err(|error| error!("{error}")),
        }
    }

    /// A thread that writes a file received from a master to the place of the RDB file.
    pub fn receive(&self, config: &Config, now: Now) -> Writer {
        let temporary = format!("temp-{}.{}.rdb", now.wall().as_secs(), self.pid);
        let plan = Plan {
            path: rdb_path(config),
            claim: Some(self.claim.clone()),
            temporary: config.process.dir.join(temporary),
            compress: false,
            footer: Footer::Included,
            incremental_fsync: true,
        };
        Writer::file(self.files.clone(), plan, Work::Save, self.wake.clone())
    }

    /// The disk, and how its threads wake the loop: for loading.
    pub fn disk(&self) -> (Arc<dyn Files>, Wake) {
        (self.files.clone(), self.wake.clone())
    }

    /// Where the running snapshot goes, if one is running.
    pub fn target(&self) -> Option<Target> {
        self.running.as_ref().map(|running| running.target)
    }

    /// Asks for a save to the file as soon as none is running.
    pub fn schedule(&mut self) {
        self.is_scheduled = true;
    }

    /// Begins a snapshot of the data as they are now. Panics when one is running.
    pub fn begin(&mut self, engine: &mut Engine, target: Target, repl: Option<ReplFacts>) {
        assert!(self.running.is_none(), "one snapshot at a time");
        self.record.begun += 1;
        let (now, persistence) = (engine.now, &engine.config.persistence);
        let wake = self.wake.clone();
        let writer = match target {
            Target::File => {
                self.record.saves += 1;
                self.record.last_try = now.wall().as_secs();
                self.is_scheduled = false;
                info!("Background saving started by pid {}", self.pid);
                Writer::file(self.files.clone(), self.plan(&engine.config), Work::Save, wake)
            }
            Target::AofBase => Writer::file(self.files.clone(), self.aof_plan(&engine.config), Work::AofRewrite, wake),
            Target::Stream { .. } => {
                info!("Background RDB transfer started by pid {}", self.pid);
                Writer::stream(persistence.rdbcompression, persistence.rdbchecksum, wake)
            }
        };
        let skip_keys = target == Target::Stream { skip_keys: true };
        let is_aof_base = target == Target::AofBase;
        let settings = Settings { skip_keys, form: form(engine, is_aof_base), ..settings(&engine.config) };
        let header = Header { is_aof_base, ..header(engine, repl) };
        let snapshot = Snapshot::begin(&mut engine.keyspace, &header, settings, now.mono_us);
        self.running = Some(Running {
            snapshot: Some(snapshot),
            writer,
            target,
            started: now,
            dirty_at_start: engine.dirty_since_save,
            spent: Spent::new(),
        });
    }

    /// One turn of the loop: at most one slice of the walk, and what the writer reports. `unsent` is how many bytes of
    /// this snapshot the slowest replica has yet to take. Returns when the next turn must be at the latest.
    pub fn turn(
        &mut self,
        engine: &mut Engine,
        unsent: u64,
        clocks: Clocks<'_>,
        happened: &mut Vec<Happened>,
    ) -> Option<Instant> {
        happened.append(&mut self.untold);
        let running = self.running.as_mut()?;
        let mut deadline = None;
        if running.snapshot.is_none() {
            running.spent.note(None, &running.writer);
        }
        if let Some(snapshot) = &mut running.snapshot {
            snapshot.set_key_delay(&mut engine.keyspace, engine.config.persistence.rdb_key_save_delay, (clocks.wall)());
            let writer = &running.writer;
            let mut give_buffers = || snapshot.give_buffers(&mut engine.keyspace, || writer.buffer());
            let has_buffers = give_buffers() || writer.has_buffer() && give_buffers();
            let is_full = !has_buffers || writer.under_way() + unsent >= Flow::HIGH;
            let began = (clocks.cpu)();
            let progress = snapshot.step(&mut engine.keyspace, is_full, clocks.wall);
            running.spent.slice_cpu_max_us = running.spent.slice_cpu_max_us.max((clocks.cpu)() - began);
            running.spent.note(Some(snapshot.figures(&mut engine.keyspace)), &running.writer);
            while let Some(chunk) = snapshot.take(&mut engine.keyspace) {
                running.writer.add(chunk);
            }
            match progress {
                Progress::More => deadline = Some(engine.now.mono),
                Progress::Until(us) => deadline = Some(Instant::from_millis(us.div_ceil(1000))),
                Progress::Waiting => {}
                Progress::Done => {
                    running.snapshot.take().expect("just stepped").end(&mut engine.keyspace);
                    running.writer.finish();
                }
            }
        }
        // Replicas that take nothing leave the rest with the writer, which waits then.
        let mut unsent = unsent;
        while unsent < Flow::HIGH
            && let Some(report) = running.writer.report()
        {
            match report {
                Report::Piece(piece) => {
                    unsent += piece.len() as u64;
                    happened.push(Happened::Piece(piece));
                }
                Report::Done { .. } => {
                    self.finished(engine, true, happened);
                    return None;
                }
                Report::Failed(error) => {
                    error!("{error}");
                    self.finished(engine, false, happened);
                    return None;
                }
            }
        }
        deadline
    }

    fn finished(&mut self, engine: &mut Engine, ok: bool, happened: &mut Vec<Happened>) {
        let Some(mut running) = self.running.take() else { return };
        if let Some(snapshot) = running.snapshot.take() {
            // The writer failed before the walk was over.
            running.spent.note(Some(snapshot.figures(&mut engine.keyspace)), &running.writer);
            snapshot.end(&mut engine.keyspace);
        }
        self.record.last_memory = running.spent.added_peak;
        if running.target == Target::AofBase {
            happened.push(Happened::Ended { target: running.target, ok });
            return;
        }
        self.record.last_slice_max_us = running.spent.figures.slice_max_us;
        self.record.last_slice_cpu_max_us = running.spent.slice_cpu_max_us;
        self.record.last_seconds = Some(seconds_since(running.started, engine.now));
        let what = match running.target {
            Target::File | Target::AofBase => "saving",
            Target::Stream { .. } => "transfer",
        };
        match ok {
            true => info!("Background {what} terminated with success"),
            false => warn!("Background {what} error"),
        }
        if running.target == Target::File {
            self.record.is_last_ok = ok;
            if ok {
                engine.dirty_since_save = engine.dirty_since_save.saturating_sub(running.dirty_at_start);
                self.record.last_save = engine.now.wall().as_secs();
            }
            self.refresh_gate(engine);
        }
        happened.push(Happened::Ended { target: running.target, ok });
    }

    /// Gives up the running snapshot, if there is one: the data set is about to be replaced, or nobody wants it. That is
    /// no failure of ours, but replicas that waited for it are told with the next turn.
    pub fn cancel(&mut self, engine: &mut Engine) {
        let Some(mut running) = self.running.take() else { return };
        if let Some(snapshot) = running.snapshot.take() {
            snapshot.end(&mut engine.keyspace);
        }
        match running.target {
            Target::File => info!("Background saving was cancelled"),
            Target::AofBase => info!("Background AOF rewrite was cancelled"),
            Target::Stream { .. } => info!("Background RDB transfer was cancelled"),
        }
        self.untold.push(Happened::Ended { target: running.target, ok: false });
    }

    /// Ends that were not told yet. To be asked before a new snapshot begins, or its beginning would be told first.
    pub fn untold(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.untold)
    }

    /// Saves to the file before it returns: SAVE, SHUTDOWN. Panics when a snapshot is running. `pause` sleeps for so many
    /// microseconds (`rdb-key-save-delay`) and says whether the file is still wanted.
    pub fn save_now(
        &mut self,
        engine: &mut Engine,
        repl: Option<ReplFacts>,
        clock: &mut dyn FnMut() -> u64,
        pause: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), SaveError> {
        assert!(self.running.is_none(), "one snapshot at a time");
        self.record.saves += 1;
        // Nobody else writes while this is written.
        let temporary = engine.config.process.dir.join(format!("temp-{}.rdb", self.pid));
        let plan = Plan { temporary, ..self.plan(&engine.config) };
        let (header, settings) = (header(engine, repl), settings(&engine.config));
        match write_now(&self.files, plan, engine, &header, settings, clock, pause) {
            Ok(_) => {
                info!("DB saved on disk");
                engine.dirty_since_save = 0;
                self.record.last_save = engine.now.wall().as_secs();
                self.record.is_last_ok = true;
                self.refresh_gate(engine);
                Ok(())
            }
            Err(error) => {
                error!("{error}");
                Err(error)
            }
        }
    }

    /// Writes the data set as the first base of an AOF, at the start of the program. Its size.
    pub fn write_base_now(&mut self, engine: &mut Engine, path: PathBuf, temporary: PathBuf) -> Result<u64, SaveError> {
        let plan = Plan { path, temporary, ..self.aof_plan(&engine.config) };
        let settings = Settings { form: form(engine, true), ..settings(&engine.config) };
        let header = Header { is_aof_base: true, ..header(engine, None) };
        write_now(&self.files, plan, engine, &header, settings, &mut || 0, &mut |_| true)
    }

    /// Whether a save to the file should begin now, because of a save point or BGSAVE SCHEDULE. To be asked about ten
    /// times a second.
    pub fn is_due(&self, engine: &Engine) -> bool {
        if self.running.is_some() || engine.facts.is_loading {
            return false;
        }
        let now = engine.now.wall().as_secs();
        if !self.record.is_last_ok && now - self.record.last_try <= RETRY_DELAY {
            return false;
        }
        let since = now - self.record.last_save;
        let dirty = engine.dirty_since_save;
        let due =
            engine.config.persistence.save.iter().find(|point| {
                dirty >= point.changes && i64::try_from(point.seconds).is_ok_and(|seconds| since > seconds)
            });
        match due {
            Some(point) => {
                info!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
                true
            }
            None => self.is_scheduled,
        }
    }

    /// Sets the gate that refuses writes after a failed save. To be called when the settings changed, too.
    pub fn refresh_gate(&self, engine: &mut Engine) {
        let persistence = &engine.config.persistence;
        engine.facts.is_save_failing =
            !self.record.is_last_ok && persistence.stop_writes_on_bgsave_error && !persistence.save.is_empty();
    }

    /// Figures of the running snapshot.
    pub fn current(&self, now: Now) -> Option<Current> {
        let running = self.running.as_ref()?;
        let seconds = seconds_since(running.started, now);
        let Spent { figures, added, added_peak, .. } = running.spent;
        Some(Current { target: running.target, seconds, figures, added, added_peak })
    }

    fn aof_plan(&mut self, config: &Config) -> Plan {
        let persistence = &config.persistence;
        Plan {
            path: aof_image_path(config, self.pid),
            // The AOF has a lock of its own.
            claim: None,
            incremental_fsync: persistence.aof_rewrite_incremental_fsync,
            footer: match (persistence.aof_use_rdb_preamble, persistence.rdbchecksum) {
                (true, true) => Footer::Checksum,
                (true, false) => Footer::Zeros,
                (false, _) => Footer::Included,
            },
            compress: persistence.rdbcompression && persistence.aof_use_rdb_preamble,
            ..self.plan(config)
        }
    }

    fn plan(&mut self, config: &Config) -> Plan {
        let Persistence { rdbcompression, rdbchecksum, rdb_save_incremental_fsync, .. } = config.persistence;
        self.files_made += 1;
        Plan {
            path: rdb_path(config),
            claim: Some(self.claim.clone()),
            temporary: config.process.dir.join(format!("temp-{}-{}.rdb", self.pid, self.files_made)),
            compress: rdbcompression,
            footer: if rdbchecksum { Footer::Checksum } else { Footer::Zeros },
            incremental_fsync: rdb_save_incremental_fsync,
        }
    }
}

/// Where the image for a new AOF base is written, until it gets its name.
pub fn aof_image_path(config: &Config, pid: u32) -> PathBuf {
    config.process.dir.join(format!("temp-rewriteaof-bg-{pid}.aof"))
}

/// Takes and writes an image before it returns.
fn write_now(
    files: &Arc<dyn Files>,
    plan: Plan,
    engine: &mut Engine,
    header: &Header,
    settings: Settings,
    clock: &mut dyn FnMut() -> u64,
    pause: &mut dyn FnMut(u64) -> bool,
) -> Result<u64, SaveError> {
    let mut file = RdbFile::create(files.clone(), plan)?;
    let mut snapshot = Snapshot::begin(&mut engine.keyspace, header, settings, clock());
    let written = loop {
        let progress = snapshot.step(&mut engine.keyspace, false, clock);
        let chunks = std::iter::from_fn(|| snapshot.take(&mut engine.keyspace));
        if let Some(error) = chunks.map(|chunk| file.add(chunk)).find_map(Result::err) {
            break Err(error);
        }
        let wait = match progress {
            Progress::Done => break Ok(()),
            Progress::Until(due) => due.saturating_sub(clock()),
            Progress::More | Progress::Waiting => 0,
        };
        if !pause(wait) {
            let action = "Saving was given up".to_owned();
            break Err(SaveError { action, source: io::ErrorKind::Interrupted.into() });
        }
    };
    snapshot.end(&mut engine.keyspace);
    written.and_then(|()| file.finish())
}

/// In which form an image is written.
fn form(engine: &Engine, is_aof_base: bool) -> Form {
    let persistence = &engine.config.persistence;
    match is_aof_base && !persistence.aof_use_rdb_preamble {
        true => Form::Commands { stamp: persistence.aof_timestamp_enabled },
        false => Form::Rdb,
    }
}

/// The RDB file.
pub fn rdb_path(config: &Config) -> PathBuf {
    config.process.dir.join(&config.persistence.dbfilename)
}

fn seconds_since(started: Now, now: Now) -> i64 {
    (now.mono.since(started.mono) / 1000) as i64
}

fn settings(config: &Config) -> Settings {
    use EvictionPolicy::{AllkeysLfu, AllkeysLru, VolatileLfu, VolatileLru};
    Settings {
        compress: config.persistence.rdbcompression,
        key_delay: config.persistence.rdb_key_save_delay,
        write_recency: match config.memory.maxmemory_policy {
            VolatileLru | AllkeysLru => WriteRecency::Idle,
            VolatileLfu | AllkeysLfu => WriteRecency::Frequency,
            _ => WriteRecency::No,
        },
        skip_keys: false,
        form: Form::Rdb,
    }
}

fn header(engine: &Engine, repl: Option<ReplFacts>) -> Header {
    Header {
        redis_version: engine.program.version.to_owned(),
        created: engine.now.wall(),
        used_memory: alloc::used_memory() as u64,
        repl,
        is_aof_base: false,
        libraries: engine.functions.texts(),
    }
}
