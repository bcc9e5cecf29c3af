//! One server to an RDB file: two that save to the same place would replace each other's data.
//!
//! The RDB file itself cannot be locked: it is replaced by every save, and before the first there is none. So there is a file
//! beside it, `dump.rdb.lock`, that is locked while a server saves there. The lock ends with the process, however that ends; what a
//! killed process leaves is an empty file that means nothing. A clean end removes it.
//!
//! A server with save points claims its place when it starts, others with their first save. Where the disk has no locks, or
//! no file can be made (a read-only folder), nobody is safer when the server does not work, and it goes on.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::files::{File, Files};
use crate::persist::rdb_file::SaveError;

/// What a server holds. Dropped, it is free for others.
pub struct Claim {
    files: Arc<dyn Files>,
    held: Mutex<Option<Held>>,
}

struct Held {
    /// The RDB file.
    path: PathBuf,
    /// `None` where no lock can be had.
    lock: Option<Box<dyn File>>,
}

impl Claim {
    /// Holds nothing yet.
    pub fn new(files: Arc<dyn Files>) -> Claim {
        Claim { files, held: Mutex::default() }
    }

    /// Makes sure that no other server saves to this file; what was held before is given up. Costs nothing when it is held already.
    pub fn take(&self, path: &Path) -> Result<(), SaveError> {
        let mut held = self.held.lock();
        if !self.files.has_locks() || held.as_ref().is_some_and(|held| held.path == path) {
            return Ok(());
        }
        let lock_path = lock_path(path);
        let lock = match self.files.append_alone(&lock_path) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let text = format!(
                    "it is in use by another server, which holds the lock {}. Two servers must not share dir and dbfilename: give \
                     this one its own, or save \"\" if it saves nothing.",
                    lock_path.display()
                );
                let action = format!("Can't save to the RDB file {}", path.display());
                return Err(SaveError { action, source: io::Error::new(error.kind(), text) });
            }
            other => other.ok(),
        };
        self.give_up(&mut held);
        *held = Some(Held { path: path.to_owned(), lock });
        Ok(())
    }

    fn give_up(&self, held: &mut Option<Held>) {
        // The file goes before the lock: who gets that afterwards sees that the file is not the one that is there.
        if let Some(Held { path, lock: Some(_lock) }) = held.take() {
            let _ = self.files.remove(&lock_path(&path));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = self.held.lock().take();
        self.give_up(&mut held);
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::RealFiles;

    fn claim() -> Claim {
        Claim::new(Arc::new(RealFiles))
    }

    #[test]
    fn one_server_has_a_file_and_another_one_beside_it_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let (first, second) = (claim(), claim());
        first.take(&path("a.rdb")).unwrap();
        first.take(&path("a.rdb")).unwrap();
        let error = second.take(&path("a.rdb")).unwrap_err().to_string();
        assert!(error.contains("a.rdb: it is in use by another server") && error.contains("dbfilename"), "{error}");
        second.take(&path("b.rdb")).unwrap();
        assert!(first.take(&path("b.rdb")).is_err());
        assert!(second.take(&path("a.rdb")).is_err(), "what was refused costs nothing that was held");

        first.take(&path("c.rdb")).unwrap();
        second.take(&path("a.rdb")).unwrap();
        drop((first, second));
        assert_eq!(RealFiles.list(folder.path()).unwrap(), Vec::<OsString>::new());
    }

    #[test]
    fn what_a_killed_server_left_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rdb.lock"), "").unwrap();
        claim().take(&folder.path().join("a.rdb")).unwrap();
    }

    #[test]
    fn where_no_lock_can_be_made_the_server_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a.rdb.lock")).unwrap();
        let claim = claim();
        claim.take(&folder.path().join("a.rdb")).unwrap();
        drop(claim);
        assert!(folder.path().join("a.rdb.lock").exists());
    }
}
