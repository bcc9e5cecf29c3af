//! The only access to the disk, behind a trait, so that what decides about files can be tested on a disk that fails.
//!
//! [`Files`] opens, renames and lists; [`File`] reads and writes. [`RealFiles`] is the operating system;
//! [`memory::MemoryFiles`] keeps everything in memory, knows what would survive a power cut, and fails on demand.
//!
//! Replacing a file so that a crash leaves either the old or the new one, whole, takes five steps in this order: write a
//! temporary file beside it, fsync that, rename it over the old name, fsync the folder. [`replace`] does all of them.
//! Without the first fsync the new name may point to an empty file after a power cut; without the last, the rename
//! itself may be lost after it was reported.
//!
//! Errors are plain `io::Error`; whoever reports one adds the path and says what it was doing.

pub mod memory;
mod write_out;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How often a file is opened anew because another process removed it meanwhile.
const ALONE_TRIES: usize = 100;

/// A disk.
pub trait Files: Send + Sync {
    /// Opens an existing file for reading, from its start.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Creates a file for writing; one that exists is emptied.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Opens a file so that every write goes to its end; creates it when it does not exist.
    fn append(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// The same, for this process alone: an error of kind `WouldBlock` while another process (or another opening of this one)
    /// has it so. Ends when the file is closed, also by a crash.
    fn append_alone(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.append(path)
    }

    /// Whether [`Files::append_alone`] keeps others away. A disk that only one process knows needs no locks.
    fn has_locks(&self) -> bool {
        false
    }

    /// Gives a file another name, replacing what had that name. Durable only after [`Files::sync_folder`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Creates a folder; one that exists is fine.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Names of the files in a folder, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>>;

    /// Size of a file in bytes; `None` when there is no such file.
    fn size(&self, path: &Path) -> io::Result<Option<u64>>;

    /// What tells that a file, or a folder, is not what it was; `None` when there is nothing of that name.
    fn stamp(&self, path: &Path) -> io::Result<Option<FileStamp>>;
}

/// How a file looks from outside. Another stamp: it was changed or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    /// The file's number on its disk.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When its content, its name or its rights changed last, in nanoseconds.
    pub changed_ns: i128,
}

/// An open file. Writes and reads may be short, as those of the operating system are.
pub trait File: Send {
    /// Reads some bytes; 0 at the end of the file.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes some bytes, at least one unless `bytes` is empty.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes the content durable, and of the metadata what is needed to read it (fdatasync).
    fn sync_data(&mut self) -> io::Result<()>;

    /// Has the system begin to write a part of the content to the disk; with `wait` it has done so on return, and says whether that
    /// went well. The disk may still have it in a cache of its own: only a sync makes it durable. An empty part is written out.
    fn write_out(&mut self, part: Range<u64>, wait: bool) -> io::Result<()>;

    /// Makes content and metadata durable (fsync).
    fn sync_all(&mut self) -> io::Result<()>;

    /// Size in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Cuts the file, or extends it with zeros.
    fn set_size(&mut self, size: u64) -> io::Result<()>;

    /// The next read or write happens `offset` bytes from the start (writes of [`Files::append`] still go to the end).
    fn seek(&mut self, offset: u64) -> io::Result<()>;

    /// Writes all bytes. After an error it is unknown how many were written.
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until `buf` is full or the file ends; returns how many bytes that were.
    fn read_full(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read(&mut buf[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// Reads a whole file of at most `max` bytes; a larger one is an error, so that a wrong path cannot fill the memory.
pub fn read_whole(files: &dyn Files, path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut file = files.open(path)?;
    let size = file.size()?;
    if size > max {
        let text = format!("the file has {size} bytes, more than the {max} allowed here");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    let mut content = vec![0; size as usize];
    let filled = file.read_full(&mut content)?;
    content.truncate(filled);
    Ok(content)
}

/// Replaces `path` by `content` so that a crash at any moment leaves the old file or the new one. `temporary` is a path
/// in the same folder; on failure it is removed and `path` is as it was, unless the very last step failed: then the new
/// content is in place but a power cut might still bring the old one back.
pub fn replace(files: &dyn Files, path: &Path, temporary: &Path, content: &[u8]) -> io::Result<()> {
    let written = (|| {
        let mut file = files.create(temporary)?;
        file.write_all(content)?;
        file.sync_all()
    })();
    if let Err(error) = written.and_then(|()| files.rename(temporary, path)) {
        // The first error is the one to report; a temporary file that cannot be removed harms nobody.
        let _ = files.remove(temporary);
        return Err(error);
    }
    files.sync_folder(folder_of(path))
}

/// The folder a path is in; the current one for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// What went wrong, in the operating system's words alone: `No such file or directory`.
pub fn strerror(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) if error.raw_os_error().is_some() => words.to_owned(),
        _ => text,
    }
}

/// The disk of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = fs::File::open(path)?;
        // Opening a folder succeeds on Unix and only reading it fails; say so at once.
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Box::new(RealFile(file)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(RealFile(fs::File::create(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = fs::OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn has_locks(&self) -> bool {
        true
    }

    fn append_alone(&self, path: &Path) -> io::Result<Box<dyn File>> {
        // Whoever had it may remove it before giving it up: a lock on a file that is no longer there keeps nobody away.
        for _ in 0..ALONE_TRIES {
            let file = fs::OpenOptions::new().append(true).create(true).open(path)?;
            match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                // Some file systems have no locks. Nobody is safer when the server refuses to work on them.
                Ok(()) | Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::NOLCK) => {}
                Err(error) => return Err(error.into()),
            }
            let mine = file.metadata()?;
            if fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (mine.dev(), mine.ino())) {
                return Ok(Box::new(RealFile(file)));
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other,
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            // A link to a file is as good as the file.
            if kind.is_file() || (kind.is_symlink() && fs::metadata(entry.path()).is_ok_and(|target| target.is_file()))
            {
                names.push(entry.file_name());
            }
        }
        names.sort();
        Ok(names)
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn stamp(&self, path: &Path) -> io::Result<Option<FileStamp>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(FileStamp {
                inode: metadata.ino(),
                size: metadata.len(),
                changed_ns: i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

struct RealFile(fs::File);

impl File for RealFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write_out(&mut self, part: Range<u64>, wait: bool) -> io::Result<()> {
        write_out::write_out(self.0.as_fd(), part, wait)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_size(&mut self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::memory::{Fault, MemoryFiles};
    use super::*;

    /// What every disk must do; run against both kinds.
    fn behaves(files: &dyn Files, folder: &Path) {
        let (a, b) = (folder.join("a"), folder.join("b"));
        assert_eq!(files.open(&a).err().map(|e| e.kind()), Some(io::ErrorKind::NotFound));
        assert_eq!(files.size(&a).unwrap(), None);
        files.create(&a).unwrap().write_all(b"hello").unwrap();
        let mut file = files.append(&a).unwrap();
        file.write_all(b" world").unwrap();
        assert_eq!(file.size().unwrap(), 11);
        file.set_size(8).unwrap();
        file.write_out(2..8, false).unwrap();
        file.write_out(2..8, true).unwrap();
        file.write_out(8..8, true).unwrap();
        file.sync_all().unwrap();
        assert_eq!(read_whole(files, &a, 8).unwrap(), b"hello wo");
        assert_eq!(read_whole(files, &a, 7).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let mut file = files.open(&a).unwrap();
        file.seek(6).unwrap();
        let mut buf = [0; 16];
        assert_eq!(file.read_full(&mut buf).unwrap(), 2);
        assert_eq!(&buf[..2], b"wo");
        files.create(&b).unwrap();
        assert_eq!(files.list(folder).unwrap(), ["a", "b"]);
        files.rename(&a, &b).unwrap();
        files.sync_folder(folder).unwrap();
        assert_eq!(files.size(&b).unwrap(), Some(8));
        replace(files, &b, &a, b"new").unwrap();
        assert_eq!(read_whole(files, &b, 100).unwrap(), b"new");
        assert_eq!(files.list(folder).unwrap(), ["b"]);
        files.remove(&b).unwrap();
        assert!(files.remove(&b).is_err());
        let inner = folder.join("inner");
        files.create_folder(&inner).unwrap();
        files.create_folder(&inner).unwrap();
        assert!(files.open(&inner).is_err());
        assert_eq!(files.list(&inner).unwrap(), Vec::<OsString>::new());
        assert!(files.list(&folder.join("missing")).is_err());
    }

    #[test]
    fn the_real_disk_behaves() {
        let folder = tempfile::tempdir().unwrap();
        behaves(&RealFiles, folder.path());
    }

    #[test]
    fn a_file_can_be_had_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let first = RealFiles.append_alone(&path).unwrap();
        assert_eq!(RealFiles.append_alone(&path).err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
        assert!(RealFiles.append(&path).is_ok(), "who does not ask is not refused");
        RealFiles.remove(&path).unwrap();
        let second = RealFiles.append_alone(&path).unwrap();
        drop(first);
        assert!(RealFiles.append_alone(&path).is_err(), "the lock of a file that is gone is nobody's");
        drop(second);
        assert!(RealFiles.append_alone(&path).is_ok());
    }

    #[test]
    fn the_disk_in_memory_behaves_the_same() {
        let files = MemoryFiles::new();
        files.create_folder(Path::new("/d")).unwrap();
        behaves(&files, Path::new("/d"));
    }

    /// Config files, manifests and the state of a Sentinel are written this way.
    #[test]
    fn replace_is_whole_whatever_the_disk_does() {
        let (path, temporary) = (Path::new("/d/conf"), Path::new("/d/temp"));
        let mut rng = crate::base::rng::Rng::seeded(1);
        let faults =
            [Fault::PowerCut, Fault::Error(libc::EIO), Fault::Error(libc::ENOSPC), Fault::ShortWrite, Fault::LostPages];
        for fault in faults {
            for operation in 0.. {
                let files = MemoryFiles::new();
                files.create_folder(Path::new("/d")).unwrap();
                replace(&files, path, temporary, b"old").unwrap();
                let at = files.operations() + operation;
                files.fail_at(at, fault);
                let result = replace(&files, path, temporary, b"the new content");
                let torn = files.after_torn_power_cut(&mut |n| rng.below(n as u64) as usize);
                for after in [files.after_power_cut(), torn, files.after_kill()] {
                    let content = read_whole(&after, path, 100).unwrap();
                    let is_new = content == b"the new content";
                    assert!(is_new || (result.is_err() && content == b"old"), "{fault:?} at {operation}: {content:?}");
                }
                if files.operations() <= at {
                    assert!(operation > 3 && result.is_ok());
                    break;
                }
            }
        }
    }

    #[test]
    fn replace_leaves_the_old_or_the_new_file_wherever_it_stops() {
        let path = Path::new("/d/conf");
        let temporary = Path::new("/d/temp");
        let mut stops = 0;
        for operation in 0.. {
            let files = MemoryFiles::new();
            files.create_folder(Path::new("/d")).unwrap();
            replace(&files, path, temporary, b"old").unwrap();
            files.fail_at(files.operations() + operation, Fault::PowerCut);
            let result = replace(&files, path, temporary, b"new");
            let after = files.after_power_cut();
            let content = read_whole(&after, path, 100).unwrap();
            if result.is_ok() {
                assert_eq!(content, b"new", "reported as done, so it must survive");
                break;
            }
            assert!(content == b"old" || content == b"new", "stopped at {operation}: {content:?}");
            stops += 1;
        }
        assert_eq!(stops, 5); // create, write, fsync, rename, fsync of the folder
    }

    #[test]
    fn replace_reports_a_full_disk_and_keeps_the_old_file() {
        let files = MemoryFiles::new();
        files.create_folder(Path::new("/d")).unwrap();
        replace(&files, Path::new("/d/conf"), Path::new("/d/temp"), b"old").unwrap();
        files.set_capacity(Some(5));
        let error = replace(&files, Path::new("/d/conf"), Path::new("/d/temp"), b"longer").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(files.list(Path::new("/d")).unwrap(), ["conf"]);
        assert_eq!(read_whole(&files, Path::new("/d/conf"), 100).unwrap(), b"old");
    }

    #[test]
    fn errors_are_told_in_the_words_of_the_system() {
        assert_eq!(strerror(&io::Error::from_raw_os_error(2)), "No such file or directory");
        assert_eq!(strerror(&io::Error::other("x (os error 2)")), "x (os error 2)");
    }

    #[test]
    fn the_folder_of_a_bare_name_is_the_current_one() {
        assert_eq!(folder_of(Path::new("dump.rdb")), Path::new("."));
        assert_eq!(folder_of(Path::new("/x/dump.rdb")), Path::new("/x"));
    }
}
