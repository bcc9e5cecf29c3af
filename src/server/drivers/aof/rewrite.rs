//! Rewriting the AOF: a new base that holds everything, and a file for what comes after.
//!
//! ```text
//!             begin              prepared                 image complete             committed
//!   idle ───────────► Preparing ──────────► Ready ► Imaging ───────────► Committing ────────────► idle
//!                      disk thread:          the image begins between     disk thread: base in place, manifest
//!                      new incr file, named  two commands; in the same    replaced (that counts), old files gone
//!                      in the manifest       moment writing moves to the
//!                                            new file
//! ```
//!
//! Wherever this stops, the manifest on disk names files that hold everything. A failure leaves one more incr file, and after
//! three of them in a row the server waits longer and longer before it tries again by itself.

use bytes::Bytes;
use tracing::{error, info, warn};

use super::{Aof, FAR, Mode};
use crate::base::time::{Instant, Now};
use crate::persist::aof::disk::{self, Commit, Job, Prepare, Prepared};
use crate::persist::aof::folder::{FolderError, tried};
use crate::persist::aof::limit::{Check, growth_due};
use crate::persist::aof::load::after_line;
use crate::persist::aof::manifest::{Entry, Manifest};
use crate::server::Turn;
use crate::server::drivers::saves::{Target, aof_image_path};

/// A rewrite under way.
pub(super) struct Rewrite {
    pub(super) started: Now,
    pub(super) stage: Stage,
    /// The new file of changes, when the manifest names it.
    incr: Option<Entry>,
    /// It, before the image begins.
    prepared: Option<Prepared>,
    /// Position in the AOF at which the image was taken.
    cut: u64,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Preparing,
    /// The image begins as soon as no other is being taken.
    Ready,
    Imaging,
    Committing,
}

impl Aof {
    /// Asks for a rewrite as soon as possible.
    pub fn schedule_rewrite(&mut self) {
        self.is_scheduled = true;
    }

    pub(super) fn remove_temporary_incr(&mut self) {
        let path = self.folder.temporary_incr();
        if self.files.size(&path).is_ok_and(|size| size.is_some()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            info!("Removing the temp incr aof file {name} in the background");
            self.ask(Job::Remove(path));
        }
    }
}

impl Turn<'_> {
    /// Begins a rewrite. None may be under way.
    pub fn begin_rewrite(&mut self) -> Result<(), FolderError> {
        let started = self.server.engine.now;
        let aof = &mut self.server.aof;
        assert!(aof.rewrite.is_none(), "one rewrite at a time");
        aof.is_scheduled = false;
        let mut rewrite = Rewrite { started, stage: Stage::Ready, incr: None, prepared: None, cut: 0 };
        match aof.mode {
            Mode::Off => aof.folder.create(&*aof.files)?,
            Mode::Starting => {
                // Nothing is promised yet, so nothing of this has to be durable.
                let path = aof.folder.temporary_incr();
                aof.folder.create(&*aof.files)?;
                let created = aof.files.create(&path).and_then(|_| disk::open(&*aof.files, &path));
                rewrite.prepared =
                    Some(tried(|| format!("Can't open the append-only file {}", path.display()), created)?);
            }
            Mode::On => {
                let incr = aof.manifest.next_incr(&aof.folder.prefix);
                info!("Creating AOF incr file {} on background rewrite", incr.shown());
                let new = aof.manifest.clone().with_incr(incr.clone());
                let (folder, path) = (aof.folder.clone(), aof.folder.path_of(&incr));
                let manifest = Some((aof.manifest.clone(), new));
                aof.ask(Job::Prepare(Box::new(Prepare { folder, incr: path, manifest })));
                rewrite.incr = Some(incr);
                rewrite.stage = Stage::Preparing;
            }
        }
        aof.record.rewrites += 1;
        aof.rewrite = Some(rewrite);
        info!("Background append only file rewriting started by pid {}", self.server.identity.pid);
        // Where nothing has to be waited for the image is that of this moment.
        self.rewrite_turn();
        Ok(())
    }

    /// The new file is there.
    pub(super) fn rewrite_prepared(&mut self, result: Result<Prepared, FolderError>, manifest: Option<Manifest>) {
        let aof = &mut self.server.aof;
        if let Some(manifest) = manifest {
            aof.manifest = manifest;
        }
        let Some(rewrite) = aof.rewrite.as_mut().filter(|rewrite| rewrite.stage == Stage::Preparing) else { return };
        match result {
            Ok(prepared) => {
                rewrite.prepared = Some(prepared);
                rewrite.stage = Stage::Ready;
            }
            Err(error) => {
                error.log();
                self.rewrite_failed();
            }
        }
    }

    /// Goes on as far as possible; begins a rewrite when one is due. When it needs the next turn.
    pub(super) fn rewrite_turn(&mut self) -> Instant {
        let is_free = self.server.snapshots.target().is_none() && !self.server.engine.facts.is_loading;
        let is_ready = self.server.aof.rewrite.as_ref().is_some_and(|rewrite| rewrite.stage == Stage::Ready);
        if is_ready && is_free && self.server.engine.depth == 0 {
            self.begin_image();
            // Its walk goes on with the next turn, which must not wait for a client.
            return self.net.now().mono;
        }
        FAR
    }

    fn begin_image(&mut self) {
        self.drain_journal();
        let now = self.server.engine.now.mono;
        let end = self.server.repl.node.history().end();
        let aof = &mut self.server.aof;
        let prepared = aof.rewrite.as_mut().and_then(|rewrite| rewrite.prepared.take());
        if aof.appender.is_open() {
            match aof.appender.flush(now) {
                Ok(true) => aof.refresh_offset(end),
                // What waits belongs before the image and could come to lie behind it.
                Ok(false) => {
                    warn!("The AOF can't be rewritten: what waits to be written does not get to the disk");
                    return self.rewrite_failed();
                }
                Err(fatal) => {
                    error!("{}", fatal.0);
                    self.server.exit_code = 1;
                    self.server.is_leaving = true;
                    return;
                }
            }
        }
        if let Some(Prepared { write, sync }) = prepared {
            if !aof.appender.is_open() {
                aof.appender.forget_waiting();
                aof.written_offset = end;
            }
            let old_size = aof.appender.is_open().then(|| aof.appender.size());
            aof.other_bytes += aof.appender.size();
            if let Some(position) = aof.appender.switch_to(write, 0) {
                aof.note_sync(position);
                aof.ask(Job::Sync);
            }
            aof.note_sync(aof.appender.taken());
            aof.ask(Job::Use(sync));
            if let (Some(size), Some(old)) = (old_size, &aof.writing_to) {
                aof.appender.add(Bytes::from(after_line(&old.name, size)));
            }
            aof.writing_to = aof.rewrite.as_ref().and_then(|rewrite| rewrite.incr.clone());
            // Each file says by itself when its first change was made, and where the stream stood.
            aof.stamped = 0;
            aof.told.nothing();
        }
        let cut = aof.appender.taken();
        self.begin_snapshot(Target::AofBase);
        // Only now: the end of an earlier image may have been told meanwhile.
        if let Some(rewrite) = &mut self.server.aof.rewrite {
            rewrite.cut = cut;
            rewrite.stage = Stage::Imaging;
        }
        self.server.engine.journal.reselect();
        self.server.refresh_replication_facts();
    }

    /// The image is complete, or will never be.
    pub fn image_for_aof_ended(&mut self, ok: bool) {
        let config = &self.server.engine.config;
        let clean = !config.persistence.aof_disable_auto_gc;
        let is_rdb = config.persistence.aof_use_rdb_preamble;
        let memory = self.server.snapshots.record.last_memory;
        let image = aof_image_path(config, self.server.identity.pid);
        let aof = &mut self.server.aof;
        aof.record.last_memory = memory;
        let Some(rewrite) = aof.rewrite.as_mut().filter(|rewrite| rewrite.stage == Stage::Imaging) else { return };
        if !ok {
            warn!("Background AOF rewrite terminated with error");
            return self.rewrite_failed();
        }
        info!("Background AOF rewrite terminated with success");
        rewrite.stage = Stage::Committing;
        let prefix = &aof.folder.prefix;
        let base = aof.manifest.next_base(prefix, is_rdb);
        let old = aof.manifest.clone();
        let temporary = (aof.mode == Mode::Starting).then(|| old.next_incr(prefix));
        let new = match &temporary {
            Some(incr) => old.clone().with_incr(incr.clone()),
            None => old.clone(),
        };
        let kept = temporary.as_ref().or(rewrite.incr.as_ref()).map(|incr| incr.seq);
        let new = new.rewritten(base.clone(), kept);
        rewrite.incr = temporary.clone().or(rewrite.incr.take());
        let commit = Commit { folder: aof.folder.clone(), image, base, incr: temporary, old, new, clean };
        aof.ask(Job::Commit(Box::new(commit)));
    }

    /// The manifest was replaced, or not.
    pub(super) fn rewrite_committed(&mut self, result: Result<u64, FolderError>, manifest: Manifest) {
        let now = self.server.engine.now;
        let aof = &mut self.server.aof;
        aof.manifest = manifest;
        let Some(rewrite) = aof.rewrite.as_mut().filter(|rewrite| rewrite.stage == Stage::Committing) else { return };
        let base_size = match result {
            Ok(size) => size,
            Err(error) => {
                error.log();
                return self.rewrite_failed();
            }
        };
        aof.record.is_last_ok = true;
        aof.record.last_seconds = Some((now.mono.since(rewrite.started.mono) / 1000) as i64);
        aof.appender.saved_elsewhere(rewrite.cut);
        aof.rewrite = None;
        aof.limit.succeeded();
        aof.other_bytes = base_size;
        aof.base_bytes = base_size + aof.appender.size();
        if aof.mode == Mode::Starting {
            aof.mode = Mode::On;
            aof.writing_to = aof.manifest.last_incr().cloned();
        }
        info!("Background AOF rewrite finished successfully");
        self.server.refresh_aof_facts();
    }

    /// The rewrite ends without a result.
    fn rewrite_failed(&mut self) {
        let aof = &mut self.server.aof;
        let Some(rewrite) = aof.rewrite.take() else { return };
        aof.record.is_last_ok = false;
        aof.record.last_seconds = Some((self.server.engine.now.mono.since(rewrite.started.mono) / 1000) as i64);
        aof.limit.failed();
        self.forget_start();
    }

    /// Ends the rewrite because something else matters more; no failure.
    pub fn cancel_rewrite(&mut self) {
        let Some(rewrite) = &self.server.aof.rewrite else { return };
        let stage = rewrite.stage;
        if stage == Stage::Committing {
            // It is too late to stop it, and no harm: its report finds no rewrite and only the manifest is noted.
            self.await_commit();
            return;
        }
        self.server.aof.rewrite = None;
        if stage == Stage::Imaging && self.server.snapshots.target() == Some(Target::AofBase) {
            self.server.snapshots.cancel(&mut self.server.engine);
        }
        self.forget_start();
    }

    /// Waits until the manifest is replaced: some milliseconds, and only when the AOF is switched at that very moment.
    fn await_commit(&mut self) {
        while self.server.aof.rewrite.is_some() {
            let Some(done) = self.server.aof.disk.as_ref().and_then(disk::Disk::wait) else { return };
            match done {
                disk::Done::Committed(result, manifest) => self.rewrite_committed(result, *manifest),
                disk::Done::Prepared(result, manifest) => self.rewrite_prepared(result, manifest),
                disk::Done::Synced(result) => {
                    let now = self.server.engine.now.mono;
                    if let Err(fatal) = self.server.aof.appender.synced(now, result) {
                        error!("{}", fatal.0);
                        self.server.exit_code = 1;
                        self.server.is_leaving = true;
                    }
                }
            }
        }
    }

    /// The first image did not come about: what was gathered behind it means nothing. It is tried again.
    fn forget_start(&mut self) {
        if self.server.aof.mode != Mode::Starting {
            return;
        }
        let aof = &mut self.server.aof;
        aof.appender.close();
        aof.remove_temporary_incr();
        aof.is_scheduled = true;
        self.server.refresh_replication_facts();
    }

    /// Begins a rewrite when one was scheduled or the files have grown enough. To be called about ten times a second.
    pub fn cron_of_aof(&mut self) {
        let server = &mut *self.server;
        if server.aof.rewrite.is_some() || server.snapshots.target().is_some() || server.engine.facts.is_loading {
            return;
        }
        let now = server.engine.now.mono;
        let persistence = &server.engine.config.persistence;
        let (percentage, min_size) = (persistence.auto_aof_rewrite_percentage, persistence.auto_aof_rewrite_min_size);
        let aof = &mut server.aof;
        let size = aof.other_bytes + aof.appender.size();
        let growth = match aof.mode {
            Mode::On => growth_due(size, aof.base_bytes, percentage, min_size),
            _ => None,
        };
        if !aof.is_scheduled && growth.is_none() {
            return;
        }
        match aof.limit.check(now) {
            Check::May => {}
            Check::Wait => return,
            Check::WaitFrom { minutes } => {
                warn!(
                    "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {minutes} minutes"
                );
                return;
            }
        }
        if let Some(growth) = growth.filter(|_| !aof.is_scheduled) {
            info!("Starting automatic rewriting of AOF on {growth}% growth");
        }
        if let Err(error) = self.begin_rewrite() {
            error.log();
            let aof = &mut self.server.aof;
            aof.record.is_last_ok = false;
            aof.limit.failed();
            aof.is_scheduled = aof.mode == Mode::Starting;
        }
    }
}
