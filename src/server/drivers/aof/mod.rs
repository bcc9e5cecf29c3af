//! The append only file: the shell around `persist::aof`.
//!
//! ```text
//!   executed commands ──journal──► drain ──► Appender ──write──► last incr file
//!                                               │  └─sync──► disk thread ──► replies that waited leave; WAITAOF
//!                                               │
//!   BGREWRITEAOF, growth, CONFIG SET ──► rewrite.rs: prepare ► image (saves.rs) ► commit
//!   start of the program, DEBUG LOADAOF ──► load.rs
//! ```
//!
//! Three states: *off*; *on*; and *starting*, between CONFIG SET appendonly yes and the first complete image, when changes
//! are gathered in a temporary file that no manifest names, because without that image they mean nothing.

pub mod load;
mod rewrite;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::{error, info, warn};

use crate::base::files::{File, Files};
use crate::base::time::{Instant, Now};
use crate::config::directive::Reason;
use crate::config::model::Config;
use crate::config::values::AppendFsync;
use crate::exec::Engine;
use crate::net::ConnId;
use crate::persist::aof::append::{Appender, Fatal, Policy};
use crate::persist::aof::disk::{self, Disk, Done, Job};
use crate::persist::aof::folder::{Folder, FolderError, tried};
use crate::persist::aof::limit::Limit;
use crate::persist::aof::manifest::{Entry, Manifest};
use crate::persist::aof::place::{Place, Told};
use crate::persist::aof::restore::set_aside;
use crate::persist::writer::Wake;
use crate::server::clients::BlockReason;
use crate::server::drivers::saves::{Snapshots, Target};
use crate::server::{Server, Turn};

use rewrite::{Rewrite, Stage};

/// What WAITAOF says without an AOF.
pub const NO_AOF: &str = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

/// Never.
const FAR: Instant = Instant::from_millis(u64::MAX);

/// The files cannot be used; the reason is in the log, and the program must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable;

/// Whether changes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Off,
    /// On, but the first image is not complete.
    Starting,
    On,
}

/// The AOF of this server.
pub struct Aof {
    files: Arc<dyn Files>,
    wake: Wake,
    pid: u32,
    disk: Option<Disk>,
    folder: Folder,
    manifest: Manifest,
    mode: Mode,
    appender: Appender,
    /// The file it writes to, when the manifest names it.
    writing_to: Option<Entry>,
    rewrite: Option<Rewrite>,
    /// A rewrite shall begin as soon as nothing is in its way.
    is_scheduled: bool,
    limit: Limit,
    /// Bytes of the files that are not written to.
    other_bytes: u64,
    /// Bytes there were after the last rewrite, or at the start.
    base_bytes: u64,
    /// The last time stamp written, in seconds.
    stamped: i64,
    /// What the file says of the place in the replication stream.
    told: Told,
    /// Position in the AOF, and the replication offset that belongs to it, for each sync under way.
    offsets: VecDeque<(u64, u64)>,
    /// The replication offset of everything written.
    written_offset: u64,
    /// The replication offset up to which everything is on disk.
    synced_offset: u64,
    /// Clients that changed something in this turn.
    writers: Vec<ConnId>,
    /// Replicas that were given a part of the stream in this turn.
    followers: Vec<ConnId>,
    /// Who waits for which sync.
    group: Group,
    /// Keeps other servers away while the files are loaded.
    lock: Option<Box<dyn File>>,
    /// The data of this moment are wanted, and files of their own for what follows: `--restore-to`, until that is done.
    pub restore_to: Option<i64>,
    /// DEBUG AOF-FLUSH-SLEEP: microseconds.
    pub flush_sleep_us: u64,
    /// For INFO.
    pub record: Record,
}

/// How many clients wait for the sync under way and for the next, with `appendfsync always`.
///
/// Half of the clients write while the other half waits for a sync. If the next one began as soon as that is over, it would
/// always serve one half only. So on a disk whose syncs take long it waits for those who were just released, but no longer than
/// a part of what a sync takes.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    /// In the sync under way.
    syncing: usize,
    /// For the next.
    gathered: usize,
    /// Expected for the next.
    expected: usize,
    began_us: u64,
    until: Option<Instant>,
}

impl Group {
    fn sync_began(&mut self, now_us: u64) {
        *self = Group { syncing: self.gathered, began_us: now_us, ..Group::default() };
    }

    fn sync_ended(&mut self, now: Instant, now_us: u64) {
        self.expected = self.syncing + self.gathered;
        self.syncing = 0;
        let took_ms = now_us.saturating_sub(self.began_us) / 1000;
        self.until = (took_ms > 0).then(|| now + 1 + (took_ms / 4).min(2));
    }

    /// Until when the next sync should wait.
    fn wait_until(&self) -> Option<Instant> {
        self.until.filter(|_| self.gathered < self.expected)
    }
}

/// What is known of the rewrites so far.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Rewrites begun.
    pub rewrites: u64,
    /// Whether the last one worked.
    pub is_last_ok: bool,
    /// How long the last one took.
    pub last_seconds: Option<i64>,
    /// Most memory that the last image's waiting records needed.
    pub last_memory: u64,
}

/// What INFO shows of the files.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Bytes of all files.
    pub current: u64,
    /// Bytes after the last rewrite or at the start.
    pub base: u64,
    /// Bytes that wait to be written.
    pub buffer: u64,
    /// Syncs under way.
    pub pending_syncs: usize,
    /// Writes held up too long by a sync.
    pub delayed: u64,
}

impl Aof {
    /// Off, with the names of the configuration.
    pub fn new(files: Arc<dyn Files>, wake: Wake, pid: u32, config: &Config) -> Aof {
        Aof {
            files,
            wake,
            pid,
            disk: None,
            folder: folder(config),
            manifest: Manifest::default(),
            mode: Mode::Off,
            appender: Appender::new(policy(config)),
            writing_to: None,
            rewrite: None,
            is_scheduled: false,
            limit: Limit::default(),
            other_bytes: 0,
            base_bytes: 0,
            stamped: 0,
            told: Told::default(),
            offsets: VecDeque::new(),
            written_offset: 0,
            synced_offset: 0,
            writers: Vec::new(),
            followers: Vec::new(),
            group: Group::default(),
            lock: None,
            restore_to: None,
            flush_sleep_us: 0,
            record: Record { rewrites: 0, is_last_ok: true, last_seconds: None, last_memory: 0 },
        }
    }

    /// Whether changes are to be written: the journal must encode them.
    pub fn takes_changes(&self) -> bool {
        self.appender.is_open()
    }

    /// Whether a client is told that its changes will be written.
    pub fn is_enabled(&self) -> bool {
        self.mode != Mode::Off
    }

    /// Whether the AOF was switched on and its first image is not complete.
    pub fn is_starting(&self) -> bool {
        self.mode == Mode::Starting
    }

    /// Whether a rewrite is under way.
    pub fn is_rewriting(&self) -> bool {
        self.rewrite.is_some()
    }

    /// Whether a rewrite will begin when nothing is in its way.
    pub fn is_rewrite_scheduled(&self) -> bool {
        self.is_scheduled
    }

    /// Seconds since the present rewrite began.
    pub fn rewrite_seconds(&self, now: Now) -> Option<i64> {
        let rewrite = self.rewrite.as_ref()?;
        Some((now.mono.since(rewrite.started.mono) / 1000) as i64)
    }

    /// Rewrites that failed since the last success.
    pub fn failures(&self) -> u32 {
        self.limit.failures()
    }

    /// Whether the last write worked.
    pub fn is_write_ok(&self) -> bool {
        self.appender.trouble().is_none()
    }

    /// Figures of the files, when there are any.
    pub fn sizes(&self) -> Option<Sizes> {
        (self.mode != Mode::Off).then(|| Sizes {
            current: self.other_bytes + self.appender.size(),
            base: self.base_bytes,
            buffer: self.appender.waiting_bytes(),
            pending_syncs: self.appender.syncs_under_way(),
            delayed: self.appender.delayed,
        })
    }

    /// The replication offset up to which everything is on disk; `None` without an AOF.
    pub fn synced_offset(&self) -> Option<u64> {
        (self.mode != Mode::Off).then_some(self.synced_offset)
    }

    /// Notes that this client changed something in this turn.
    pub fn note_writer(&mut self, conn: ConnId) {
        if self.appender.holds_replies() && self.writers.last() != Some(&conn) {
            self.writers.push(conn);
        }
    }

    /// Notes that this replica was given a part of the stream in this turn.
    pub fn note_follower(&mut self, conn: ConnId) {
        if self.appender.holds_replies() && self.followers.last() != Some(&conn) {
            self.followers.push(conn);
        }
    }

    /// The replication stream stands here with exactly what was taken so far; `None`: that is not known. Written down if the
    /// file does not say so by itself.
    pub fn stream_is_at(&mut self, place: Option<Place>) {
        if self.appender.is_open()
            && let Some(line) = self.told.now_at(place)
        {
            self.appender.add(Bytes::from(line));
        }
    }

    /// The stream is in this database after what was taken.
    pub fn stream_is_in(&mut self, db: u32) {
        self.told.in_database(db);
    }

    /// Takes a part of what was executed, with a time stamp before it when that is wanted.
    pub fn add(&mut self, bytes: Bytes, stamp: Option<i64>) {
        self.told.wrote(bytes.len() as u64);
        if let Some(now) = stamp.filter(|&now| now != self.stamped) {
            self.stamped = now;
            self.appender.add(Bytes::from(format!("#TS:{now}\r\n")));
        }
        self.appender.add(bytes);
    }

    fn disk(&mut self) -> io::Result<&Disk> {
        if self.disk.is_none() {
            self.disk = Some(Disk::start(self.files.clone(), self.wake.clone())?);
        }
        Ok(self.disk.as_ref().expect("just started"))
    }

    fn ask(&mut self, job: Job) {
        match self.disk() {
            Ok(disk) => disk.ask(job),
            // Without a thread nothing can be promised, and so it goes as with a disk that hangs.
            Err(error) => error!("Can't start the thread of the append only file: {error}"),
        }
    }

    fn note_sync(&mut self, position: u64) {
        self.offsets.push_back((position, self.written_offset));
    }

    /// Brings the replication offset that is on disk up to date. `end` is that of everything executed.
    fn refresh_offset(&mut self, end: u64) {
        if self.appender.waiting_bytes() == 0 {
            self.written_offset = end;
        }
        if self.mode != Mode::On {
            return;
        }
        let on_disk = self.appender.on_disk();
        while let Some(&(position, offset)) = self.offsets.front()
            && position <= on_disk
        {
            self.synced_offset = offset;
            self.offsets.pop_front();
        }
        if on_disk == self.appender.taken() {
            self.synced_offset = end;
        }
    }
}

/// Where the AOF of this configuration is.
pub fn folder(config: &Config) -> Folder {
    let (outer, persistence) = (config.process.dir.clone(), &config.persistence);
    Folder {
        path: outer.join(&persistence.appenddirname),
        outer,
        prefix: persistence.appendfilename.as_bytes().to_vec(),
    }
}

fn policy(config: &Config) -> Policy {
    match config.persistence.appendfsync {
        AppendFsync::Always => Policy::Always,
        AppendFsync::Everysec => Policy::EverySecond,
        AppendFsync::No => Policy::Never,
    }
}

impl Server {
    /// Whether a rewrite is in the way of another snapshot that is asked for.
    pub fn is_rewriting_aof(&self) -> bool {
        self.aof.is_rewriting()
    }

    /// Opens the files for writing, at the start of the program when the data are there. The error was logged, and the program
    /// must end.
    pub fn open_aof(&mut self) -> Result<(), Unusable> {
        let (aof, engine) = (&mut self.aof, &mut self.engine);
        match aof.open_at_start(engine, &mut self.snapshots) {
            Ok(()) => Ok(()),
            Err(error) => {
                error.log();
                Err(Unusable)
            }
        }
    }

    /// What the gates must know.
    pub fn refresh_aof_facts(&mut self) {
        let trouble = self.aof.appender.trouble();
        if self.engine.facts.aof_trouble.as_deref() != trouble {
            self.engine.facts.aof_trouble = trouble.map(str::to_owned);
        }
    }
}

impl Aof {
    /// Creates what is missing, and opens the last file of changes.
    fn open_at_start(&mut self, engine: &mut Engine, snapshots: &mut Snapshots) -> Result<(), FolderError> {
        let files = self.files.clone();
        self.folder.create(&*files)?;
        let mut manifest = self.manifest.clone();
        if self.restore_to.is_some() {
            let (fresh, kept) = set_aside(&*files, &self.folder, &manifest, engine.now.wall().as_secs())?;
            warn!(
                "The files as they were are all kept; {} lists them. To have them back, stop the server and copy that list over \
                 {}.",
                kept.display(),
                self.folder.manifest().display()
            );
            manifest = fresh;
        }
        if manifest.is_empty() {
            let is_rdb = engine.config.persistence.aof_use_rdb_preamble;
            let base = manifest.next_base(&self.folder.prefix, is_rdb);
            info!("Creating AOF base file {} on server start", base.shown());
            let path = self.folder.path_of(&base);
            let written = snapshots.write_base_now(engine, path.clone(), self.folder.path.join("temp-base"));
            self.other_bytes = tried(
                || format!("Can't write the AOF base file {}", path.display()),
                written.map_err(|error| io::Error::new(error.source.kind(), error.to_string())),
            )?;
            self.base_bytes = self.other_bytes;
            manifest = manifest.with_base(base);
        }
        let is_new = manifest.incr.is_empty();
        if is_new {
            manifest = manifest.clone().with_incr(manifest.next_incr(&self.folder.prefix));
        }
        let incr = manifest.last_incr().expect("just made sure").clone();
        let path = self.folder.path_of(&incr);
        match is_new {
            true => info!("Creating AOF incr file {} on server start", incr.shown()),
            false => info!("Opening AOF incr file {} on server start", incr.shown()),
        }
        self.lock = None;
        let opened = (|| {
            if is_new {
                files.create(&path)?;
            }
            let opened = disk::open(&*files, &path)?;
            let size = opened.write.size()?;
            Ok((opened, size))
        })();
        let (opened, size) = tried(|| format!("Can't open the append-only file {}", path.display()), opened)?;
        if manifest != self.manifest {
            self.folder.write(&*files, &manifest)?;
        }
        self.restore_to = None;
        if !engine.config.persistence.aof_disable_auto_gc {
            manifest = disk::remove_history(&*files, &self.folder, manifest);
        }
        self.manifest = manifest;
        self.mode = Mode::On;
        self.appender.set_policy(policy(&engine.config));
        self.appender.switch_to(opened.write, size);
        self.told.nothing();
        self.ask(Job::Use(opened.sync));
        self.writing_to = Some(incr);
        self.other_bytes = self.other_bytes.saturating_sub(size);
        engine.journal.reselect();
        Ok(())
    }

    /// Makes sure that no other server writes to these files. An error was logged.
    fn keep_others_away(&mut self) -> Result<(), Unusable> {
        let Some(incr) = self.manifest.last_incr() else { return Ok(()) };
        let path = self.folder.path_of(incr);
        if !self.files.size(&path).is_ok_and(|size| size.is_some()) {
            return Ok(());
        }
        match self.files.append_alone(&path) {
            Ok(file) => self.lock = Some(file),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                error!(
                    "The append only file {} is in use by another server. Two servers must not share dir, appenddirname and \
                     appendfilename.",
                    path.display()
                );
                return Err(Unusable);
            }
            // Loading will say what is wrong.
            Err(_) => {}
        }
        Ok(())
    }

    /// The files as they were found at the start, or by DEBUG LOADAOF.
    fn note_files(&mut self, manifest: Manifest, total: u64, base: u64) {
        self.manifest = manifest;
        self.other_bytes = total.saturating_sub(self.appender.size());
        self.base_bytes = base;
    }
}

impl Turn<'_> {
    /// The end of a turn: everything executed is written or about to be. Says where the stream stands with that.
    fn note_stream_place(&mut self) {
        if self.server.aof.takes_changes() {
            let place = self.server.stream_place();
            self.server.aof.stream_is_at(place);
        }
    }

    /// The last thing to be written before a clean end. If it does not get to the disk nothing is lost but a partial resync.
    fn write_place_for_good(&mut self) {
        let now = self.server.engine.now.mono;
        let appender = &mut self.server.aof.appender;
        if appender.waiting_bytes() > 0 && appender.flush(now) == Ok(true) {
            let _ = appender.sync_now();
        }
    }

    /// The AOF's part of the end of a turn; when it needs the next. Comes last: what was executed is in it before anything is
    /// sent.
    pub fn end_turn_of_aof(&mut self) -> Instant {
        self.drain_journal();
        self.note_stream_place();
        while let Some(done) = self.server.aof.disk.as_ref().and_then(Disk::report) {
            match done {
                Done::Synced(result) => {
                    let (now, now_us) = (self.server.engine.now.mono, self.net.clock().micros());
                    self.server.aof.group.sync_ended(now, now_us);
                    if let Err(fatal) = self.server.aof.appender.synced(now, result) {
                        return self.die(&fatal);
                    }
                }
                Done::Prepared(result, manifest) => self.rewrite_prepared(result, manifest),
                Done::Committed(result, manifest) => self.rewrite_committed(result, *manifest),
            }
        }
        let mut next = self.rewrite_turn();
        if self.server.aof.mode == Mode::Off {
            self.server.aof.writers.clear();
            self.server.aof.followers.clear();
            self.net.release_output(u64::MAX);
            return next;
        }
        if self.server.is_leaving && self.server.exit_code == 0 && self.server.aof.mode == Mode::On {
            // The replicas have been given the end of the stream in this turn; nothing will be added to it.
            self.write_place_for_good();
            self.net.release_output(self.server.aof.appender.safe());
            return next;
        }
        let now = self.server.engine.now.mono;
        let server = &mut *self.server;
        let suspends = server.engine.config.persistence.no_appendfsync_on_rewrite;
        server
            .aof
            .appender
            .suspend_sync(suspends && (server.snapshots.target().is_some() || server.aof.is_rewriting()));
        let began = self.net.clock().micros();
        if server.aof.flush_sleep_us > 0 && server.aof.appender.waiting_bytes() > 0 {
            std::thread::sleep(Duration::from_micros(server.aof.flush_sleep_us));
        }
        server.aof.group.gathered += server.aof.writers.len();
        let until = server.aof.group.wait_until();
        server.aof.appender.gather_until(until);
        let wanted = match server.aof.appender.turn(now) {
            Ok(wanted) => wanted,
            Err(fatal) => return self.die(&fatal),
        };
        let elapsed = self.net.clock().micros().saturating_sub(began);
        server.loop_times.aof_sum += elapsed;
        server.engine.latency.note("aof-write", elapsed, &server.engine.now);
        let end = server.repl.node.history().end();
        server.aof.refresh_offset(end);
        if let Some(position) = wanted.sync {
            server.aof.note_sync(position);
            server.aof.group.sync_began(self.net.clock().micros());
            server.aof.ask(Job::Sync);
        }
        if let Some(at) = wanted.next {
            next = next.min(at);
        }
        self.hold_and_release();
        self.server.refresh_aof_facts();
        self.tell_synced();
        if self.server.aof.appender.is_tainted() && self.server.aof.rewrite.is_none() {
            self.server.aof.is_scheduled = true;
        }
        next
    }

    /// Replies wait for the sync of what they acknowledge, and for no other. So do replicas: after a crash none of them has changes
    /// that the files of their master do not have.
    fn hold_and_release(&mut self) {
        let aof = &mut self.server.aof;
        if aof.appender.holds_replies() {
            let ticket = aof.appender.taken();
            for conn in aof.writers.drain(..).chain(aof.followers.drain(..)) {
                self.net.hold_output(conn, ticket);
            }
        }
        aof.writers.clear();
        aof.followers.clear();
        self.net.release_output(aof.appender.safe());
    }

    /// Tells who waits for it how far the AOF is on disk.
    fn tell_synced(&mut self) {
        let synced = self.server.aof.synced_offset();
        if self.server.repl.node.fsynced != synced {
            self.server.repl.node.fsynced = synced;
            self.serve_waiting();
        }
    }

    /// Nothing more can be promised: ends the program before anybody is told something that is not true.
    fn die(&mut self, fatal: &Fatal) -> Instant {
        let aof = &mut self.server.aof;
        for conn in aof.writers.drain(..).chain(aof.followers.drain(..)) {
            self.net.hold_output(conn, u64::MAX);
        }
        self.server.exit_code = 1;
        self.server.is_leaving = true;
        error!("{}", fatal.0);
        self.net.now().mono
    }

    /// CONFIG SET appendonly yes, and after a full resync: writes changes from now on, and takes an image of everything before.
    pub fn start_aof(&mut self) -> Result<(), Reason> {
        let server = &mut *self.server;
        if server.aof.mode != Mode::Off {
            return Ok(());
        }
        server.aof.mode = Mode::Starting;
        server.aof.offsets.clear();
        server.aof.synced_offset = 0;
        server.aof.appender.set_policy(policy(&server.engine.config));
        if server.engine.depth > 0 {
            server.aof.is_scheduled = true;
            info!("AOF was enabled during a transaction. An AOF background was scheduled to start when possible.");
            return Ok(());
        }
        if server.aof.is_rewriting() {
            info!(
                "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and starting \
                 a rewrite now."
            );
            self.cancel_rewrite();
        } else if server.snapshots.target().is_some() {
            server.aof.is_scheduled = true;
            info!(
                "AOF was enabled but there is already another background operation. An AOF background was scheduled to \
                 start when possible."
            );
            return Ok(());
        }
        if let Err(error) = self.begin_rewrite() {
            error.log();
            self.server.aof.mode = Mode::Off;
            warn!(
                "The server needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above \
                 logs for more info about the error."
            );
            return Err("Unable to turn on AOF. Check server logs.".into());
        }
        Ok(())
    }

    /// CONFIG SET appendonly no, and before a full resync: stops writing. What was written stays.
    pub fn stop_aof(&mut self) {
        if self.server.aof.mode == Mode::Off {
            return;
        }
        self.drain_journal();
        let now = self.server.engine.now.mono;
        let aof = &mut self.server.aof;
        if aof.mode == Mode::On {
            match aof.appender.flush(now) {
                Ok(_) => drop(aof.appender.sync_now()),
                Err(fatal) => error!("{}", fatal.0),
            }
        }
        aof.is_scheduled = false;
        if aof.rewrite.is_some() {
            info!("Killing running AOF rewrite child: {}", aof.pid);
            self.cancel_rewrite();
        }
        let aof = &mut self.server.aof;
        if aof.mode == Mode::Starting {
            aof.remove_temporary_incr();
        }
        aof.appender.close();
        aof.mode = Mode::Off;
        aof.offsets.clear();
        aof.record.last_seconds = None;
        self.net.release_output(u64::MAX);
        self.server.repl.node.fsynced = None;
        self.server.refresh_aof_facts();
        self.server.refresh_replication_facts();
        self.end_waiting_for_aof();
    }

    /// Clients in WAITAOF that wait for the local AOF have nothing to wait for.
    fn end_waiting_for_aof(&mut self) {
        for (id, blocked) in self.server.clients.waiting() {
            if matches!(blocked.reason, BlockReason::WaitAof { local: 1.., .. }) {
                self.answer_blocked(id, |reply| reply.error(NO_AOF));
            }
        }
    }

    /// Brings everything to the disk before the program ends. False when that does not work.
    pub fn flush_aof_for_good(&mut self) -> bool {
        if !self.server.aof.appender.is_open() {
            return true;
        }
        info!("Calling fsync() on the AOF file.");
        let now = self.server.engine.now.mono;
        let aof = &mut self.server.aof;
        let is_flushed = match aof.appender.flush(now) {
            Ok(is_flushed) => is_flushed && aof.appender.sync_now().is_ok(),
            Err(fatal) => {
                error!("{}", fatal.0);
                false
            }
        };
        if is_flushed {
            self.net.release_output(u64::MAX);
        }
        is_flushed
    }

    /// What follows for the AOF when settings have changed.
    pub fn configure_aof(&mut self) {
        let server = &mut *self.server;
        let config = &server.engine.config;
        server.aof.appender.set_policy(policy(config));
        let cleans = !config.persistence.aof_disable_auto_gc;
        // While a rewrite changes the manifest, that does this too.
        if cleans && server.aof.rewrite.is_none() && !server.aof.manifest.history.is_empty() {
            let manifest = std::mem::take(&mut server.aof.manifest);
            server.aof.manifest = disk::remove_history(&*server.aof.files, &server.aof.folder, manifest);
        }
    }

    /// Whether something that is under way keeps an RDB save from beginning.
    pub fn is_image_running(&self) -> Option<Target> {
        let is_rewriting = self.server.aof.rewrite.as_ref().is_some_and(|rewrite| rewrite.stage != Stage::Committing);
        self.server.snapshots.target().or(is_rewriting.then_some(Target::AofBase))
    }
}

#[cfg(test)]
mod tests;
