//! The thread that does for the AOF what takes a disk's time: syncs, and the steps of a rewrite that change the manifest.
//!
//! Jobs are done in order, one at a time, and reported in the same order. Only one job that changes the manifest may be under
//! way; its report says which manifest is on disk now.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use tracing::{info, warn};

use super::folder::{Folder, FolderError, tried};
use super::manifest::{Entry, Manifest};
use crate::base::cpus::{self, Work};
use crate::base::files::{File, Files};
use crate::persist::writer::Wake;

/// Something to do.
pub enum Job {
    /// From now on syncs are of this file.
    Use(Box<dyn File>),
    /// Sync it.
    Sync,
    /// Create an empty file for changes, and name it in the manifest if one is given.
    Prepare(Box<Prepare>),
    /// Put an image in place as the new base.
    Commit(Box<Commit>),
    /// Remove a file that nobody needs.
    Remove(PathBuf),
}

/// The first step of a rewrite.
pub struct Prepare {
    /// Where.
    pub folder: Folder,
    /// The file.
    pub incr: PathBuf,
    /// What is on disk now, and what shall be there.
    pub manifest: Option<(Manifest, Manifest)>,
}

/// The last step of a rewrite.
pub struct Commit {
    /// Where.
    pub folder: Folder,
    /// The finished image.
    pub image: PathBuf,
    /// What it becomes.
    pub base: Entry,
    /// The temporary file of changes gets this name.
    pub incr: Option<Entry>,
    /// What is on disk now.
    pub old: Manifest,
    /// What shall be there.
    pub new: Manifest,
    /// Remove superseded files afterwards.
    pub clean: bool,
}

/// What became of a job. `Use` and `Remove` are not reported.
pub enum Done {
    /// A sync ended.
    Synced(io::Result<()>),
    /// The file is there: to write to, and to sync. The manifest that is on disk now, if it was to be changed.
    Prepared(Result<Prepared, FolderError>, Option<Manifest>),
    /// The rewrite is complete or not; the manifest that is on disk now. With success, the size of the base.
    Committed(Result<u64, FolderError>, Box<Manifest>),
}

/// An empty file of changes.
pub struct Prepared {
    /// For writing.
    pub write: Box<dyn File>,
    /// For syncing.
    pub sync: Box<dyn File>,
}

/// The owner's end.
pub struct Disk {
    jobs: Sender<Job>,
    done: Receiver<Done>,
}

impl Disk {
    /// Starts the thread. `wake` is called after each report.
    pub fn start(files: Arc<dyn Files>, wake: Wake) -> io::Result<Disk> {
        let (jobs, incoming) = unbounded();
        let (outgoing, done) = unbounded();
        let work = move || {
            cpus::enter(Work::Background);
            let mut worker = Worker { files, current: None };
            while let Ok(job) = incoming.recv() {
                if let Some(report) = worker.do_job(job) {
                    if outgoing.send(report).is_err() {
                        break;
                    }
                    wake();
                }
            }
        };
        thread::Builder::new().name("aof-disk".into()).spawn(work)?;
        Ok(Disk { jobs, done })
    }

    /// Hands over a job.
    pub fn ask(&self, job: Job) {
        // The thread ends only when this end is gone.
        let _ = self.jobs.send(job);
    }

    /// The next report, if there is one.
    pub fn report(&self) -> Option<Done> {
        self.done.try_recv().ok()
    }

    /// Waits for the next report. Only for who may block: the end of the process.
    pub fn wait(&self) -> Option<Done> {
        self.done.recv().ok()
    }
}

struct Worker {
    files: Arc<dyn Files>,
    current: Option<Box<dyn File>>,
}

impl Worker {
    fn do_job(&mut self, job: Job) -> Option<Done> {
        match job {
            Job::Use(file) => {
                self.current = Some(file);
                None
            }
            Job::Sync => Some(Done::Synced(self.current.as_mut().map_or(Ok(()), |file| file.sync_data()))),
            Job::Prepare(prepare) => {
                let (result, on_disk) = prepare.run(&*self.files);
                Some(Done::Prepared(result, on_disk))
            }
            Job::Commit(commit) => {
                let (result, manifest) = commit.run(&*self.files);
                Some(Done::Committed(result, Box::new(manifest)))
            }
            Job::Remove(path) => {
                if let Err(error) = self.files.remove(&path) {
                    warn!("Error removing {}: {error}", path.display());
                }
                None
            }
        }
    }
}

/// Opens a file of changes twice: the one who writes must not wait for the one who syncs. The first keeps other servers away.
pub fn open(files: &dyn Files, path: &std::path::Path) -> io::Result<Prepared> {
    Ok(Prepared { write: files.append_alone(path)?, sync: files.append(path)? })
}

/// Writes a manifest. Whatever happens, which one is on disk afterwards is known: when only making it durable failed, it is
/// the new one, and then nothing that either names may be removed.
fn replace(files: &dyn Files, folder: &Folder, old: Manifest, new: Manifest) -> (Result<(), FolderError>, Manifest) {
    match folder.write(files, &new) {
        Ok(()) => (Ok(()), new),
        Err(error) => {
            let is_new = folder.read(files).is_ok_and(|read| read == new);
            (Err(error), if is_new { new } else { old })
        }
    }
}

impl Prepare {
    fn run(self, files: &dyn Files) -> (Result<Prepared, FolderError>, Option<Manifest>) {
        let Prepare { folder, incr, manifest } = self;
        let opened = folder.create(files).and_then(|()| {
            // A file that is left over from an earlier try may hold something.
            let created = files.create(&incr).and_then(|_| open(files, &incr));
            tried(|| format!("Can't open the append-only file {}", incr.display()), created)
        });
        let Some((old, new)) = manifest else { return (opened, None) };
        let file = match opened {
            Ok(file) => file,
            Err(error) => return (Err(error), Some(old)),
        };
        let (result, on_disk) = replace(files, &folder, old, new);
        (result.map(|()| file), Some(on_disk))
    }
}

impl Commit {
    fn run(self, files: &dyn Files) -> (Result<u64, FolderError>, Manifest) {
        let Commit { folder, image, base, incr, old, new, clean } = self;
        let place = folder.path_of(&base);
        let moved = (|| {
            let size = tried(|| format!("Can't stat {}", image.display()), files.size(&image))?.unwrap_or(0);
            tried(
                || {
                    let (from, to) = (image.display(), place.display());
                    format!("Error trying to rename the temporary AOF base file {from} into {to}")
                },
                files.rename(&image, &place),
            )?;
            info!("Successfully renamed the temporary AOF base file {} into {}", image.display(), base.shown());
            if let Some(incr) = &incr {
                let (from, to) = (folder.temporary_incr(), folder.path_of(incr));
                tried(
                    || {
                        let (from, to) = (from.display(), to.display());
                        format!("Error trying to rename the temporary AOF incr file {from} into {to}")
                    },
                    files.rename(&from, &to),
                )?;
                info!("Successfully renamed the temporary AOF incr file {} into {}", from.display(), incr.shown());
            }
            // The names first: the manifest must not name what a power cut would take away.
            tried(
                || format!("Fail to fsync AOF directory {}", folder.path.display()),
                files.sync_folder(&folder.path),
            )?;
            Ok(size)
        })();
        let size = match moved {
            Ok(size) => size,
            Err(error) => {
                // The names are not in any manifest: whatever is there is litter.
                let _ = files.remove(&image);
                let _ = files.remove(&place);
                if let Some(incr) = &incr {
                    let _ = files.rename(&folder.path_of(incr), &folder.temporary_incr());
                }
                return (Err(error), old);
            }
        };
        let (result, on_disk) = replace(files, &folder, old.clone(), new);
        if let Err(error) = result {
            if on_disk == old {
                let _ = files.remove(&place);
                if let Some(incr) = &incr {
                    let _ = files.rename(&folder.path_of(incr), &folder.temporary_incr());
                }
            }
            return (Err(error), on_disk);
        }
        let manifest = if clean { remove_history(files, &folder, on_disk) } else { on_disk };
        (Ok(size), manifest)
    }
}

/// Removes superseded files, and then their names; a crash in between leaves names of files that nobody reads. The manifest
/// that is on disk afterwards.
pub fn remove_history(files: &dyn Files, folder: &Folder, manifest: Manifest) -> Manifest {
    if manifest.history.is_empty() {
        return manifest;
    }
    folder.remove(files, &manifest.history);
    let (result, on_disk) = replace(files, folder, manifest.clone(), manifest.without_history());
    if let Err(error) = result {
        warn!("{error}");
    }
    on_disk
}
