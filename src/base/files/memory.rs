//! A disk in memory that can fail: for tests of whatever must survive a bad disk.
//!
//! It keeps two pictures of everything: what the running process sees, and what is durable. A write changes only the
//! first; fsync of a file copies its content to the second; fsync of a folder does so for the names in it. A power cut
//! leaves the durable picture. That is stricter than most file systems, which is the point: code that is right here does
//! not depend on luck.
//!
//! Operations that change something (create, append that creates, write, set_size, fsync, waiting for a part to be written out, rename,
//! remove) are counted, and [`MemoryFiles::fail_at`] says what happens at one of those numbers. A test that loops over all numbers until
//! the code under test succeeds has stopped it at every point.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::hash::BuildHasher;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{File, FileStamp, Files, folder_of};

/// What happens at a numbered operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation does nothing and reports this error number; later ones work.
    Error(i32),
    /// A write takes half of what it was given (at least one byte); anything else works normally.
    ShortWrite,
    /// The power goes: this and every later operation fails, reads included.
    PowerCut,
    /// A sync reports an error, and what it should have saved never gets to the disk, although later syncs report success:
    /// what Linux does with pages that could not be written. Anything else works normally.
    LostPages,
}

/// A disk in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    folders: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    inodes: Vec<Inode>,
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    capacity: Option<u64>,
    off: bool,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    content: Vec<u8>,
    durable: Vec<u8>,
    /// Bytes that no sync brings to the disk any more.
    lost: Vec<Range<usize>>,
}

impl MemoryFiles {
    /// An empty disk with no folder but the root and the current one.
    pub fn new() -> MemoryFiles {
        MemoryFiles::default()
    }

    /// How many changing operations there were so far.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Operation number `operation` (counted from 0 since the disk was made) meets `fault`.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.0.lock().faults.insert(operation, fault);
    }

    /// Sets how many bytes fit on the disk; writes beyond that are cut short, then fail with "no space left".
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.lock().capacity = bytes;
    }

    /// The same, but of each file that grew since its last sync a part of what was added may have got to the disk, and its size
    /// before its content: `chance` gives numbers below its argument.
    pub fn after_torn_power_cut(&self, chance: &mut dyn FnMut(usize) -> usize) -> MemoryFiles {
        let after = self.after_power_cut();
        let mut disk = after.0.lock();
        for (inode, before) in disk.inodes.iter_mut().zip(&self.0.lock().inodes) {
            if before.lost.is_empty() && before.content.starts_with(&before.durable) {
                let grown = before.content.len() - before.durable.len();
                let kept = before.durable.len() + chance(grown + 1);
                inode.content = before.content[..kept].to_vec();
                inode.content.resize(kept + chance(2) * chance(before.content.len() - kept + 1), 0);
                inode.durable.clone_from(&inode.content);
            }
        }
        drop(disk);
        after
    }

    /// The disk as the process that was killed left it.
    pub fn after_kill(&self) -> MemoryFiles {
        let disk = self.0.lock();
        MemoryFiles(Arc::new(Mutex::new(Disk {
            folders: disk.folders.clone(),
            names: disk.names.clone(),
            durable_names: disk.durable_names.clone(),
            inodes: disk.inodes.clone(),
            ..Disk::default()
        })))
    }

    /// The disk as the next start would find it if the power went now.
    pub fn after_power_cut(&self) -> MemoryFiles {
        let disk = self.0.lock();
        let inodes = disk.inodes.iter().map(|inode| Inode {
            content: inode.durable.clone(),
            durable: inode.durable.clone(),
            lost: Vec::new(),
        });
        MemoryFiles(Arc::new(Mutex::new(Disk {
            folders: disk.folders.clone(),
            names: disk.durable_names.clone(),
            durable_names: disk.durable_names.clone(),
            inodes: inodes.collect(),
            ..Disk::default()
        })))
    }
}

impl Disk {
    /// Counts a changing operation and says whether it is to fail or to be short.
    fn operation(&mut self) -> io::Result<bool> {
        self.powered()?;
        let fault = self.faults.get(&self.operations).copied();
        self.operations += 1;
        match fault {
            None => Ok(false),
            Some(Fault::ShortWrite | Fault::LostPages) => Ok(true),
            Some(Fault::Error(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(Fault::PowerCut) => {
                self.off = true;
                self.powered().map(|()| false)
            }
        }
    }

    fn powered(&self) -> io::Result<()> {
        if self.off { Err(io::Error::from_raw_os_error(libc::EIO)) } else { Ok(()) }
    }

    fn has_folder(&self, folder: &Path) -> bool {
        folder == Path::new("/") || folder == Path::new(".") || self.folders.contains(folder)
    }

    fn check_new_name(&self, path: &Path) -> io::Result<()> {
        if self.has_folder(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if self.has_folder(folder_of(path)) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOENT)) }
    }

    fn inode(&self, path: &Path) -> io::Result<usize> {
        if self.has_folder(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.names.get(path).copied().ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }

    fn used(&self) -> u64 {
        self.names.values().map(|&inode| self.inodes[inode].content.len() as u64).sum()
    }

    fn add(&mut self, path: &Path) -> usize {
        self.inodes.push(Inode::default());
        self.names.insert(path.to_owned(), self.inodes.len() - 1);
        self.inodes.len() - 1
    }
}

impl Files for MemoryFiles {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let disk = self.0.lock();
        disk.powered()?;
        let inode = disk.inode(path)?;
        drop(disk);
        Ok(Box::new(MemoryFile { disk: self.clone(), inode, position: 0, mode: Mode::Read }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut disk = self.0.lock();
        disk.check_new_name(path)?;
        disk.operation()?;
        let inode = match disk.names.get(path).copied() {
            Some(inode) => {
                disk.inodes[inode].content.clear();
                inode
            }
            None => disk.add(path),
        };
        drop(disk);
        Ok(Box::new(MemoryFile { disk: self.clone(), inode, position: 0, mode: Mode::Write }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut disk = self.0.lock();
        disk.check_new_name(path)?;
        let inode = match disk.names.get(path).copied() {
            Some(inode) => {
                disk.powered()?;
                inode
            }
            None => {
                disk.operation()?;
                disk.add(path)
            }
        };
        drop(disk);
        Ok(Box::new(MemoryFile { disk: self.clone(), inode, position: 0, mode: Mode::Append }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        let inode = disk.inode(from)?;
        disk.check_new_name(to)?;
        disk.operation()?;
        disk.names.remove(from);
        disk.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.inode(path)?;
        disk.operation()?;
        disk.names.remove(path);
        Ok(())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.powered()?;
        disk.folders.insert(path.to_owned());
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock();
        if !disk.has_folder(path) {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        disk.operation()?;
        let disk = &mut *disk;
        disk.durable_names.retain(|name, _| folder_of(name) != path);
        for (name, &inode) in &disk.names {
            if folder_of(name) == path {
                disk.durable_names.insert(name.clone(), inode);
            }
        }
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let disk = self.0.lock();
        disk.powered()?;
        if !disk.has_folder(folder) {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        let here = disk.names.keys().filter(|name| folder_of(name) == folder);
        Ok(here.filter_map(|name| name.file_name()).map(ToOwned::to_owned).collect())
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        let disk = self.0.lock();
        disk.powered()?;
        Ok(disk.names.get(path).map(|&inode| disk.inodes[inode].content.len() as u64))
    }

    fn stamp(&self, path: &Path) -> io::Result<Option<FileStamp>> {
        let disk = self.0.lock();
        disk.powered()?;
        let stamp = |inode: usize| {
            let content = &disk.inodes[inode].content;
            let sum = foldhash::fast::FixedState::default().hash_one(content);
            FileStamp { inode: inode as u64, size: content.len() as u64, changed_ns: i128::from(sum) }
        };
        let here = disk.names.keys().filter(|name| folder_of(name) == path).count() as u64;
        let folder = FileStamp { inode: u64::MAX, size: here, changed_ns: 0 };
        Ok(disk.names.get(path).map(|&inode| stamp(inode)).or_else(|| disk.has_folder(path).then_some(folder)))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Read,
    Write,
    Append,
}

struct MemoryFile {
    disk: MemoryFiles,
    inode: usize,
    position: usize,
    mode: Mode,
}

impl MemoryFile {
    /// What a sync and waiting for what is written out have in common: the disk may say that it has lost pages.
    fn pages_are_written(&mut self, is_durable: bool) -> io::Result<()> {
        let mut disk = self.disk.0.lock();
        let is_faulty = disk.operation()?;
        let is_lost = is_faulty && disk.faults.get(&(disk.operations - 1)) == Some(&Fault::LostPages);
        let inode = &mut disk.inodes[self.inode];
        if is_lost {
            inode.lost.push(inode.durable.len().min(inode.content.len())..inode.content.len());
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        if !is_durable {
            return Ok(());
        }
        inode.durable.clone_from(&inode.content);
        for lost in &inode.lost {
            let end = lost.end.min(inode.durable.len());
            inode.durable[lost.start.min(end)..end].fill(0);
        }
        Ok(())
    }
}

impl File for MemoryFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let disk = self.disk.0.lock();
        disk.powered()?;
        let content = &disk.inodes[self.inode].content;
        let rest = content.get(self.position..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.position += n;
        Ok(n)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.disk.0.lock();
        if self.mode == Mode::Read {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let is_short = disk.operation()? && disk.faults.get(&(disk.operations - 1)) == Some(&Fault::ShortWrite);
        let mut n = if is_short { bytes.len().div_ceil(2) } else { bytes.len() };
        if let Some(capacity) = disk.capacity {
            let free = capacity.saturating_sub(disk.used()) as usize;
            if free == 0 && n > 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            n = n.min(free);
        }
        let content = &mut disk.inodes[self.inode].content;
        let at = if self.mode == Mode::Append { content.len() } else { self.position };
        if content.len() < at + n {
            content.resize(at + n, 0);
        }
        content[at..at + n].copy_from_slice(&bytes[..n]);
        self.position = at + n;
        Ok(n)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.pages_are_written(true)
    }

    fn write_out(&mut self, part: Range<u64>, wait: bool) -> io::Result<()> {
        assert!(part.end <= self.size()?, "only what was written is written out");
        if wait && !part.is_empty() { self.pages_are_written(false) } else { self.disk.0.lock().powered() }
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.pages_are_written(true)
    }

    fn size(&self) -> io::Result<u64> {
        let disk = self.disk.0.lock();
        disk.powered()?;
        Ok(disk.inodes[self.inode].content.len() as u64)
    }

    fn set_size(&mut self, size: u64) -> io::Result<()> {
        let mut disk = self.disk.0.lock();
        disk.operation()?;
        disk.inodes[self.inode].content.resize(size as usize, 0);
        Ok(())
    }

    fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.position = offset as usize;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_only_what_was_synced() {
        let files = MemoryFiles::new();
        let (a, b) = (Path::new("a"), Path::new("b"));
        let mut file = files.create(a).unwrap();
        file.write_all(b"one").unwrap();
        file.sync_data().unwrap();
        assert_eq!(files.after_power_cut().size(a).unwrap(), None, "the name was not synced");
        files.sync_folder(Path::new(".")).unwrap();
        file.write_all(b"two").unwrap();
        files.rename(a, b).unwrap();
        let after = files.after_power_cut();
        assert_eq!((after.size(a).unwrap(), after.size(b).unwrap()), (Some(3), None));
    }

    #[test]
    fn faults_strike_at_their_number() {
        let files = MemoryFiles::new();
        files.fail_at(1, Fault::Error(libc::EIO));
        files.fail_at(2, Fault::ShortWrite);
        files.fail_at(4, Fault::PowerCut);
        let mut file = files.create(Path::new("a")).unwrap();
        assert_eq!(file.write(b"abcdef").unwrap_err().raw_os_error(), Some(libc::EIO));
        assert_eq!(file.write(b"abcdef").unwrap(), 3);
        assert_eq!(file.write(b"def").unwrap(), 3);
        assert!(file.sync_all().is_err());
        assert!(file.read(&mut [0]).is_err(), "nothing works without power");
        assert!(files.list(Path::new(".")).is_err());
    }

    #[test]
    fn a_full_disk_writes_what_fits_and_then_refuses() {
        let files = MemoryFiles::new();
        files.set_capacity(Some(4));
        let mut file = files.append(Path::new("a")).unwrap();
        assert_eq!(file.write(b"abcdef").unwrap(), 4);
        assert_eq!(file.write(b"ef").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_file_opened_for_reading_cannot_be_written() {
        let files = MemoryFiles::new();
        files.create(Path::new("a")).unwrap();
        assert!(files.open(Path::new("a")).unwrap().write(b"x").is_err());
    }
}
