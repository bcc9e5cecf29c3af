//! Writing an RDB file so that a crash at any moment leaves the old file or the new one, whole.
//!
//! The image goes to a temporary file in the same folder, is synced, renamed over the old file, and the folder is synced.
//! With `rdb-save-incremental-fsync` every 4 MiB begin their way to the disk as soon as they are there, and the next ones wait until those
//! before have arrived: the disk works all the time, memory holds little that it has yet to take, and the sync at the end has little left
//! to do. A sync that fails ends the save, and so does such a wait: after that the kernel may have dropped the pages, and another one
//! would report success for data that are gone.

use std::fmt;
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::files::{File, Files, folder_of};
use crate::base::hash::Crc64;
use crate::persist::claim::Claim;
use crate::rdb::encode::Chunk;
use crate::rdb::pack::Packer;

/// Small pieces are gathered up to this size before they are written.
const GATHER: usize = 256 * 1024;

/// With incremental fsync, so many bytes begin their way to the disk at a time. Redis's number.
const WRITE_OUT: u64 = 4 * 1024 * 1024;

/// Where and how to write.
#[derive(Clone)]
pub struct Plan {
    /// The file.
    pub path: PathBuf,
    /// Who else saves there is refused; `None` for a file that is safe otherwise.
    pub claim: Option<Arc<Claim>>,
    /// A name in the same folder that nobody else uses.
    pub temporary: PathBuf,
    /// `rdbcompression`.
    pub compress: bool,
    /// What ends the file.
    pub footer: Footer,
    /// `rdb-save-incremental-fsync`.
    pub incremental_fsync: bool,
}

/// The last eight bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footer {
    /// The checksum of the rest.
    Checksum,
    /// Zeros: no checksum was taken (`rdbchecksum no`).
    Zeros,
    /// They are among the bytes that are added: a file received from a master.
    Included,
}

/// What failed, and how.
#[derive(Debug)]
pub struct SaveError {
    /// What was tried, with the file it was tried on.
    pub action: String,
    /// What the operating system said.
    pub source: io::Error,
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.action, self.source)
    }
}

impl std::error::Error for SaveError {}

/// An RDB file being written. Dropped before [`RdbFile::finish`] it removes what it wrote.
pub struct RdbFile {
    files: Arc<dyn Files>,
    plan: Plan,
    file: Option<Box<dyn File>>,
    packer: Packer,
    gathered: Vec<u8>,
    crc: Option<Crc64>,
    written: u64,
    /// With incremental fsync, the part whose way to the disk began last.
    on_its_way: Range<u64>,
}

impl RdbFile {
    /// Creates the temporary file.
    pub fn create(files: Arc<dyn Files>, plan: Plan) -> Result<RdbFile, SaveError> {
        if let Some(claim) = &plan.claim {
            claim.take(&plan.path)?;
        }
        let file = files.create(&plan.temporary).map_err(|source| SaveError {
            action: format!("Failed opening the temp RDB file {} for saving", plan.temporary.display()),
            source,
        })?;
        Ok(RdbFile {
            packer: Packer::new(plan.compress),
            crc: (plan.footer == Footer::Checksum).then(Crc64::new),
            files,
            plan,
            file: Some(file),
            gathered: Vec::with_capacity(GATHER),
            written: 0,
            on_its_way: 0..0,
        })
    }

    /// Adds records. After an error nothing more may be added.
    pub fn add(&mut self, mut chunk: Chunk) -> Result<(), SaveError> {
        self.add_while(&mut chunk, &mut |_| true)
    }

    /// Adds records. `written` is given each piece that was, and says whether somebody still wants the file; what was left out spoils it.
    /// The chunk is empty then.
    pub fn add_while(&mut self, chunk: &mut Chunk, written: &mut dyn FnMut(Bytes) -> bool) -> Result<(), SaveError> {
        let mut packer = std::mem::replace(&mut self.packer, Packer::new(false));
        let mut result = Ok(());
        let _ = packer.pack_while(chunk, &mut |piece| {
            result = self.piece(&piece);
            if result.is_ok() && written(piece) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        self.packer = packer;
        result.map_err(|source| self.failed("Write error while saving DB to the disk", source))
    }

    /// Adds bytes as they are. After an error nothing more may be added.
    pub fn add_bytes(&mut self, bytes: &[u8]) -> Result<(), SaveError> {
        self.piece(bytes).map_err(|source| self.failed("Write error while saving DB to the disk", source))
    }

    /// Adds the footer and puts the file in place. Returns its size.
    pub fn finish(mut self) -> Result<u64, SaveError> {
        self.seal()?;
        self.put_in_place()?;
        self.settle()
    }

    /// First step of [`RdbFile::finish`]: adds the footer and makes the temporary file durable.
    pub fn seal(&mut self) -> Result<(), SaveError> {
        // What is still gathered counts; the checksum itself, which joins it for one write, does not.
        let checksum = self.crc.take().map_or(0, |mut crc| {
            crc.update(&self.gathered);
            crc.value()
        });
        let footer = match self.plan.footer {
            Footer::Included => Ok(()),
            Footer::Checksum | Footer::Zeros => self.piece(&checksum.to_le_bytes()),
        };
        let written = footer.and_then(|()| self.flush()).and_then(|()| self.sync());
        written.map_err(|source| self.failed("Write error while saving DB to the disk", source))
    }

    /// Second step: gives the file its name.
    pub fn put_in_place(&mut self) -> Result<(), SaveError> {
        let renamed = self.files.rename(&self.plan.temporary, &self.plan.path);
        renamed.map_err(|source| {
            let (from, to) = (self.plan.temporary.display(), self.plan.path.display());
            SaveError { action: format!("Error moving temp DB file {from} on the final destination {to}"), source }
        })?;
        // The name is in place: what was written must no longer be removed, whatever comes.
        self.file = None;
        Ok(())
    }

    /// Third step: makes the name durable. Returns the size of the file.
    pub fn settle(self) -> Result<u64, SaveError> {
        let synced = self.files.sync_folder(folder_of(&self.plan.path));
        synced.map_err(|source| self.failed("Failed to fsync the folder of the DB file", source))?;
        Ok(self.written)
    }

    fn failed(&self, action: &str, source: io::Error) -> SaveError {
        SaveError { action: format!("{action} ({})", self.plan.temporary.display()), source }
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.gathered.len() + bytes.len() <= GATHER {
            self.gathered.extend_from_slice(bytes);
            return Ok(());
        }
        self.flush()?;
        if bytes.len() <= GATHER / 2 {
            self.gathered.extend_from_slice(bytes);
            return Ok(());
        }
        // Large values are written in parts, so that the disk is not given hundreds of megabytes at once.
        for part in bytes.chunks(WRITE_OUT as usize) {
            self.write(part)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut gathered = std::mem::take(&mut self.gathered);
        let result = self.write(&gathered);
        gathered.clear();
        self.gathered = gathered;
        result
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(crc) = &mut self.crc {
            crc.update(bytes);
        }
        self.file.as_mut().expect("open until renamed").write_all(bytes)?;
        self.written += bytes.len() as u64;
        if self.plan.incremental_fsync && self.written - self.on_its_way.end >= WRITE_OUT {
            let next = self.on_its_way.end..self.written;
            let before = std::mem::replace(&mut self.on_its_way, next.clone());
            let file = self.file.as_mut().expect("open until renamed");
            file.write_out(next, false)?;
            file.write_out(before, true)?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.as_mut().expect("open until renamed").sync_all()
    }
}

impl Drop for RdbFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Nothing can be done about a temporary file that will not go; the next save overwrites it.
            let _ = self.files.remove(&self.plan.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::files::memory::{Fault, MemoryFiles};
    use crate::base::files::read_whole;
    use crate::base::hash::crc64;

    fn plan() -> Plan {
        Plan {
            path: "dump.rdb".into(),
            claim: None,
            temporary: "temp-1.rdb".into(),
            compress: false,
            footer: Footer::Checksum,
            incremental_fsync: true,
        }
    }

    fn chunk(db: u64) -> Chunk {
        let mut chunk = Chunk::new(0, false);
        chunk.select_db(db);
        chunk
    }

    fn save(files: &MemoryFiles, plan: Plan, dbs: u64) -> Result<u64, SaveError> {
        let mut file = RdbFile::create(Arc::new(files.clone()), plan)?;
        for db in 0..dbs {
            file.add(chunk(db))?;
        }
        file.finish()
    }

    #[test]
    fn a_file_ends_with_the_checksum_of_the_rest() {
        let files = MemoryFiles::new();
        assert_eq!(save(&files, plan(), 3).unwrap(), 14);
        let content = read_whole(&files, Path::new("dump.rdb"), 100).unwrap();
        assert_eq!(content[..6], *b"\xfe\x00\xfe\x01\xfe\x02");
        assert_eq!(content[6..], crc64(&content[..6]).to_le_bytes());
        save(&files, Plan { footer: Footer::Zeros, ..plan() }, 1).unwrap();
        let content = read_whole(&files, Path::new("dump.rdb"), 100).unwrap();
        assert_eq!(content, b"\xfe\x00\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn stopped_anywhere_the_old_file_or_the_new_one_is_there_whole() {
        let old = b"\xfe\x00\0\0\0\0\0\0\0\0".to_vec();
        for operation in 0.. {
            let files = MemoryFiles::new();
            save(&files, Plan { footer: Footer::Zeros, ..plan() }, 1).unwrap();
            files.fail_at(files.operations() + operation, Fault::PowerCut);
            let result = save(&files, plan(), 3);
            let content = read_whole(&files.after_power_cut(), Path::new("dump.rdb"), 100).unwrap();
            if result.is_ok() {
                assert_eq!((content.len(), operation), (14, 5));
                break;
            }
            assert!(content == old || content.len() == 14, "stopped at {operation}: {content:?}");
        }
    }

    #[test]
    fn whatever_the_disk_does_the_old_file_or_the_new_one_is_there_whole() {
        let mut rng = crate::base::rng::Rng::seeded(1);
        let old = b"\xfe\x00\0\0\0\0\0\0\0\0".to_vec();
        for fault in [Fault::Error(libc::EIO), Fault::Error(libc::ENOSPC), Fault::ShortWrite, Fault::LostPages] {
            for operation in 0.. {
                let files = MemoryFiles::new();
                save(&files, Plan { footer: Footer::Zeros, ..plan() }, 1).unwrap();
                let at = files.operations() + operation;
                files.fail_at(at, fault);
                let result = save(&files, plan(), 3);
                let torn = files.after_torn_power_cut(&mut |n| rng.below(n as u64) as usize);
                for after in [files.after_power_cut(), torn, files.after_kill()] {
                    let content = read_whole(&after, Path::new("dump.rdb"), 100).unwrap();
                    let is_new = content.len() == 14 && content[6..] == crc64(&content[..6]).to_le_bytes();
                    assert!(is_new || (result.is_err() && content == old), "{fault:?} at {operation}: {content:?}");
                }
                if files.operations() <= at {
                    assert!(operation > 3 && result.is_ok());
                    break;
                }
            }
        }
    }

    #[test]
    fn a_failed_save_leaves_the_old_file_and_no_litter() {
        for (fault, part) in [
            (0, "Failed opening the temp RDB file temp-1.rdb for saving"),
            (1, "Write error while saving DB to the disk"),
            (2, "Write error while saving DB to the disk"),
            (3, "Error moving temp DB file temp-1.rdb on the final destination dump.rdb"),
        ] {
            let files = MemoryFiles::new();
            save(&files, Plan { footer: Footer::Zeros, ..plan() }, 1).unwrap();
            files.fail_at(files.operations() + fault, Fault::Error(libc::ENOSPC));
            let error = save(&files, plan(), 3).unwrap_err();
            assert!(error.action.starts_with(part), "{error}");
            assert!(error.to_string().contains("No space left"));
            assert_eq!(files.list(Path::new(".")).unwrap(), ["dump.rdb"]);
            assert_eq!(read_whole(&files, Path::new("dump.rdb"), 100).unwrap().len(), 10);
        }
    }

    #[test]
    fn a_save_that_is_given_up_removes_its_file() {
        let files = MemoryFiles::new();
        let mut file = RdbFile::create(Arc::new(files.clone()), plan()).unwrap();
        file.add(chunk(1)).unwrap();
        drop(file);
        assert!(files.list(Path::new(".")).unwrap().is_empty());
    }

    #[test]
    fn what_begins_its_way_early_is_neither_lost_nor_durable_too_soon() {
        let old = b"\xfe\x00\0\0\0\0\0\0\0\0".to_vec();
        let text = Bytes::from(vec![b'x'; WRITE_OUT as usize + 1000]);
        let size = 3 * text.len() + 8;
        let mut failed = Vec::new();
        for operation in 0.. {
            let files = MemoryFiles::new();
            save(&files, Plan { footer: Footer::Zeros, ..plan() }, 1).unwrap();
            let at = files.operations() + operation;
            files.fail_at(at, Fault::LostPages);
            let mut file = RdbFile::create(Arc::new(files.clone()), Plan { footer: Footer::Zeros, ..plan() }).unwrap();
            let result = (0..3).try_for_each(|_| file.add_bytes(&text)).and_then(|()| file.finish());
            let content = read_whole(&files.after_power_cut(), Path::new("dump.rdb"), 1 << 30).unwrap();
            let is_new = content.len() == size && content[..size - 8] == text.repeat(3);
            assert!(if result.is_ok() { is_new } else { content == old }, "at {operation}: {result:?}");
            failed.extend(result.is_err().then_some(operation));
            if files.operations() <= at {
                break;
            }
        }
        // Create, and for each text two writes, from the second one on with a wait before the rest of it; the footer; the sync.
        assert_eq!(failed, [4, 7, 10]);
    }

    #[test]
    fn short_writes_are_continued_and_large_pieces_come_in_order() {
        let files = MemoryFiles::new();
        (1..20).for_each(|at| files.fail_at(at, Fault::ShortWrite));
        let mut file = RdbFile::create(Arc::new(files.clone()), Plan { footer: Footer::Zeros, ..plan() }).unwrap();
        let mut expected = Vec::new();
        for len in [10, 300_000, 5_000_000, 100_000, 7] {
            let text = vec![b'a' + (len % 7) as u8; len];
            let mut chunk = Chunk::new(0, false);
            chunk.aux("n", &text);
            Packer::new(false).pack(chunk.clone(), |piece| expected.extend_from_slice(&piece));
            file.add(chunk).unwrap();
        }
        file.finish().unwrap();
        expected.extend_from_slice(&[0; 8]);
        assert!(read_whole(&files, Path::new("dump.rdb"), 1 << 30).unwrap() == expected);
    }
}
