//! The folder of an AOF on disk: reading the manifest, replacing it, taking over an old single file, and removing what is no
//! longer needed.
//!
//! Names, for `appendfilename` `a` and `appenddirname` `d`: `d/a.manifest` and the files that it lists; while something is
//! being prepared `d/temp-a.manifest` and `d/temp-a.incr`. Every act that others rely on ends with a sync of the folder.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::manifest::{Entry, Manifest, ManifestError};
use crate::base::files::{self, Files, read_whole, strerror};

/// Largest manifest: thousands of failed rewrites stay below a megabyte.
const MANIFEST_MAX: u64 = 64 * 1024 * 1024;

/// Where an AOF is, and what its files are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The server's folder (`dir`), where an old single file would be.
    pub outer: PathBuf,
    /// The folder of the AOF.
    pub path: PathBuf,
    /// `appendfilename`.
    pub prefix: Vec<u8>,
}

/// Why the files cannot be used. `Display` gives what the log says.
#[derive(Debug)]
pub enum FolderError {
    /// The manifest makes no sense.
    Manifest(PathBuf, ManifestError),
    /// Something could not be done.
    Disk {
        /// What was tried, with the file it was tried on.
        action: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FolderError::Manifest(path, error) => write!(f, "{}: {error}", path.display()),
            FolderError::Disk { action, source } => write!(f, "{action}: {}", strerror(source)),
        }
    }
}

impl std::error::Error for FolderError {}

impl FolderError {
    /// Writes the error into the log, in the lines that Redis uses.
    pub fn log(&self) {
        match self {
            FolderError::Manifest(path, error) => {
                tracing::error!("*** FATAL AOF MANIFEST FILE ERROR ***");
                if error.line > 0 {
                    tracing::error!("Reading the manifest file {}, at line {}", path.display(), error.line);
                    tracing::error!(">>> '{}'", error.text);
                } else {
                    tracing::error!("Reading the manifest file {}", path.display());
                }
                tracing::error!("{}", error.reason);
            }
            FolderError::Disk { .. } => tracing::error!("{self}"),
        }
    }
}

/// Names what was tried.
pub fn tried<T>(action: impl FnOnce() -> String, result: io::Result<T>) -> Result<T, FolderError> {
    result.map_err(|source| FolderError::Disk { action: action(), source })
}

impl Folder {
    /// Where the manifest is.
    pub fn manifest(&self) -> PathBuf {
        self.path.join(OsStr::from_bytes(&[&self.prefix, &b".manifest"[..]].concat()))
    }

    /// Where changes are gathered while the first image is taken.
    pub fn temporary_incr(&self) -> PathBuf {
        self.path.join(OsStr::from_bytes(&[b"temp-", &self.prefix[..], b".incr"].concat()))
    }

    fn temporary_manifest(&self) -> PathBuf {
        self.path.join(OsStr::from_bytes(&[b"temp-", &self.prefix[..], b".manifest"].concat()))
    }

    /// Where a file of the AOF is.
    pub fn path_of(&self, entry: &Entry) -> PathBuf {
        entry.path(&self.path)
    }

    /// Makes sure that the folder is there.
    pub fn create(&self, files: &dyn Files) -> Result<(), FolderError> {
        let created = files.create_folder(&self.path).and_then(|()| files.sync_folder(files::folder_of(&self.path)));
        tried(|| format!("Can't open or create append-only dir {}", self.path.display()), created)
    }

    /// Reads the manifest. Without one there is an empty AOF.
    pub fn read(&self, files: &dyn Files) -> Result<Manifest, FolderError> {
        let path = self.manifest();
        match read_whole(files, &path, MANIFEST_MAX) {
            Ok(content) => Manifest::parse(&content).map_err(|error| FolderError::Manifest(path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::debug!("The AOF manifest file {} doesn't exist", path.display());
                Ok(Manifest::default())
            }
            Err(source) => {
                let action = format!("Fatal error: can't open the AOF manifest file {} for reading", path.display());
                Err(FolderError::Disk { action, source })
            }
        }
    }

    /// Replaces the manifest; after a crash it is the old or the new one.
    pub fn write(&self, files: &dyn Files, manifest: &Manifest) -> Result<(), FolderError> {
        let (path, temporary) = (self.manifest(), self.temporary_manifest());
        let written = files::replace(files, &path, &temporary, &manifest.text());
        tried(|| format!("Error trying to replace the AOF manifest file {}", path.display()), written)
    }

    /// Whether an AOF of the time before manifests is to be taken over: there is one in the outer folder, and the AOF has no
    /// files yet, or was left in the middle of taking it over. Gives the manifest that names it.
    pub fn take_over_old_file(&self, files: &dyn Files, manifest: &Manifest) -> Result<Option<Manifest>, FolderError> {
        let old = self.outer.join(OsStr::from_bytes(&self.prefix));
        let place = self.path.join(OsStr::from_bytes(&self.prefix));
        let size = |path: &Path| tried(|| format!("Can't stat {}", path.display()), files.size(path));
        if size(&old)?.is_none() {
            return Ok(None);
        }
        let is_begun = manifest.incr.is_empty() && manifest.base.as_ref().is_some_and(|base| base.name == self.prefix);
        let is_new = *manifest == Manifest::default();
        if !(is_new || is_begun && size(&place)?.is_none()) {
            return Ok(None);
        }
        self.create(files)?;
        let manifest = Manifest::of_old_file(&self.prefix);
        // First the list, then the file: left in between, the next start sees that it was begun.
        self.write(files, &manifest)?;
        let moved = files
            .rename(&old, &place)
            .and_then(|()| files.sync_folder(&self.path))
            .and_then(|()| files.sync_folder(files::folder_of(&old)));
        tried(
            || format!("Error trying to move the old AOF file {} into {}", old.display(), self.path.display()),
            moved,
        )?;
        info!(
            "Successfully migrated an old-style AOF file ({}) into the AOF directory ({}).",
            String::from_utf8_lossy(&self.prefix),
            self.path.display()
        );
        Ok(Some(manifest))
    }

    /// Removes superseded files. One that cannot be removed does no harm.
    pub fn remove(&self, files: &dyn Files, entries: &[Entry]) {
        for entry in entries {
            info!("Removing the history file {} in the background", entry.shown());
            if let Err(error) = files.remove(&self.path_of(entry))
                && error.kind() != io::ErrorKind::NotFound
            {
                warn!("Error removing the history file {}: {}", entry.shown(), strerror(&error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::memory::{Fault, MemoryFiles};

    fn folder() -> Folder {
        Folder { outer: "/s".into(), path: "/s/d".into(), prefix: b"a".to_vec() }
    }

    fn disk() -> MemoryFiles {
        let files = MemoryFiles::new();
        files.create_folder(Path::new("/s")).unwrap();
        files
    }

    #[test]
    fn a_manifest_is_the_old_or_the_new_one_wherever_writing_it_stops() {
        let folder = folder();
        let old = Manifest::of_old_file(b"x");
        let new = old.clone().with_incr(old.next_incr(b"a"));
        for stop in 0..10 {
            let files = disk();
            folder.create(&files).unwrap();
            folder.write(&files, &old).unwrap();
            files.fail_at(files.operations() + stop, Fault::PowerCut);
            let result = folder.write(&files, &new);
            let read = folder.read(&files.after_power_cut()).unwrap();
            assert!(read == new || (result.is_err() && read == old), "{stop}");
        }
    }

    #[test]
    fn without_a_manifest_the_aof_is_empty_and_a_bad_one_is_refused() {
        let (files, folder) = (disk(), folder());
        folder.create(&files).unwrap();
        assert!(folder.read(&files).unwrap().is_empty());
        files.create(&folder.manifest()).unwrap();
        assert!(matches!(folder.read(&files), Err(FolderError::Manifest(..))));
    }

    #[test]
    fn an_old_file_is_taken_over_and_that_can_be_interrupted_anywhere() {
        for stop in 0..12 {
            let (files, folder) = (disk(), folder());
            let mut file = files.create(Path::new("/s/a")).unwrap();
            file.write_all(b"old").unwrap();
            file.sync_all().unwrap();
            files.sync_folder(Path::new("/s")).unwrap();
            files.fail_at(files.operations() + stop, Fault::PowerCut);
            let _ = folder.take_over_old_file(&files, &Manifest::default());
            let files = files.after_power_cut();
            let manifest = folder.read(&files).unwrap();
            let manifest = folder.take_over_old_file(&files, &manifest).unwrap().unwrap_or(manifest);
            assert_eq!(manifest, Manifest::of_old_file(b"a"), "{stop}");
            let place = folder.path_of(manifest.base.as_ref().unwrap());
            assert_eq!(read_whole(&files, &place, 10).unwrap(), b"old", "{stop}");
            assert_eq!(folder.read(&files).unwrap(), manifest);
        }
    }

    #[test]
    fn an_old_file_beside_an_aof_in_use_is_left_alone() {
        let (files, folder) = (disk(), folder());
        files.create(Path::new("/s/a")).unwrap();
        let manifest = Manifest::default().with_base(Manifest::default().next_base(b"a", true));
        assert!(folder.take_over_old_file(&files, &manifest).unwrap().is_none());
        folder.create(&files).unwrap();
        files.create(Path::new("/s/d/a")).unwrap();
        assert!(folder.take_over_old_file(&files, &Manifest::of_old_file(b"a")).unwrap().is_none());
    }
}
