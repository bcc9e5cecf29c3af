//! Loading an RDB file: blocks that a thread reads ahead, put into the keyspace a slice at a time.
//!
//! [`FileLoad::step`] does one slice. It never waits for the disk: when no block is there it says so, and the thread's wake
//! brings it back. [`FileLoad::run`] does everything at once, for DEBUG RELOAD.

use std::io;
use std::path::Path;

use super::pace;
use super::rdb_load::{Fed, Gone, LoadError, Loaded, Loader, Rules};
use super::rdb_source::{Next, Source};
use super::writer::Wake;
use crate::base::files::Files;
use crate::base::limits::SLICE_MAX_US;
use crate::keyspace::Keyspace;

/// Where loading stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadProgress {
    /// There is more to do at once.
    More,
    /// The disk has to deliver first; the wake will come.
    Waiting,
    /// Nothing to do before this moment, in microseconds of the caller's clock (`key-load-delay`).
    Until(u64),
    /// The data are there.
    Done(Loaded),
}

/// A file being loaded.
pub struct FileLoad {
    source: Source,
    loader: Loader,
    block: Vec<u8>,
    position: usize,
    started_us: u64,
    key_delay: i32,
}

impl FileLoad {
    /// Opens the file. `key_delay` is `key-load-delay`; `wake` is called when a block has arrived.
    pub fn open(
        files: &dyn Files,
        path: &Path,
        rules: Rules,
        key_delay: i32,
        now_us: u64,
        wake: Wake,
    ) -> io::Result<FileLoad> {
        let source = Source::open(files, path, wake)?;
        let rules = Rules { bytes_there: source.size(), ..rules };
        Ok(FileLoad {
            source,
            loader: Loader::new(rules),
            block: Vec::new(),
            position: 0,
            started_us: now_us,
            key_delay,
        })
    }

    /// Does one slice.
    pub fn step(&mut self, keyspace: &mut Keyspace, clock: &mut dyn FnMut() -> u64) -> Result<LoadProgress, LoadError> {
        let start = clock();
        loop {
            if let Some(due) = self.due_us().filter(|&due| due > start) {
                return Ok(LoadProgress::Until(due));
            }
            if self.position == self.block.len() {
                self.source.give_back(std::mem::take(&mut self.block));
                self.position = 0;
                match self.source.next() {
                    Next::Block(block) => self.block = block,
                    Next::NotYet => return Ok(LoadProgress::Waiting),
                    Next::End => return Err(self.loader.truncated()),
                    Next::Failed(error) => return Err(LoadError::Read(error.to_string())),
                }
            }
            let delay = self.key_delay;
            let mut is_over = false;
            let mut more = || {
                is_over = delay != 0 || clock() - start >= SLICE_MAX_US;
                !is_over
            };
            match self.feed(keyspace, &mut more)? {
                Fed::Done => return Ok(LoadProgress::Done(self.loader.loaded())),
                Fed::Paused => return Ok(LoadProgress::More),
                Fed::NeedsMore if is_over => return Ok(LoadProgress::More),
                Fed::NeedsMore => {}
            }
        }
    }

    /// Loads everything, waiting for the disk.
    pub fn run(&mut self, keyspace: &mut Keyspace) -> Result<Loaded, LoadError> {
        loop {
            match self.feed(keyspace, &mut || true)? {
                Fed::Done => return Ok(self.loader.loaded()),
                Fed::NeedsMore | Fed::Paused => {}
            }
            self.source.give_back(std::mem::take(&mut self.block));
            self.position = 0;
            match self.source.wait() {
                Next::Block(block) => self.block = block,
                Next::Failed(error) => return Err(LoadError::Read(error.to_string())),
                Next::End | Next::NotYet => return Err(self.loader.truncated()),
            }
        }
    }

    fn feed(&mut self, keyspace: &mut Keyspace, more: &mut dyn FnMut() -> bool) -> Result<Fed, LoadError> {
        let mut input = &self.block[self.position..];
        let fed = self.loader.feed(keyspace, &mut input, more)?;
        self.position = self.block.len() - input.len();
        Ok(fed)
    }

    /// Size of the file.
    pub fn total_bytes(&self) -> u64 {
        self.source.size()
    }

    /// Bytes read so far.
    pub fn loaded_bytes(&self) -> u64 {
        self.loader.offset()
    }

    /// The keys left out, of which replicas must hear.
    pub fn take_gone(&mut self) -> Gone {
        self.loader.take_gone()
    }

    /// What was loaded, and what the file says about itself.
    pub fn loader(&self) -> &Loader {
        &self.loader
    }

    fn due_us(&self) -> Option<u64> {
        pace::due_us(self.started_us, self.loader.loaded().keys, self.key_delay)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::files::memory::MemoryFiles;
    use crate::base::rng::Rng;
    use crate::base::time::UnixMillis;
    use crate::data::Limits;
    use crate::data::string::StrView;
    use crate::persist::rdb_file::{Footer, Plan, RdbFile};
    use crate::rdb::encode::{Chunk, KeyFacts};

    const RULES: Rules = Rules {
        verify_checksum: true,
        drop_expired: true,
        replace: false,
        bytes_there: 0,
        now: UnixMillis(0),
        limits: Limits::DEFAULT,
    };

    fn file_with(keys: u32) -> MemoryFiles {
        let files = MemoryFiles::new();
        let plan = Plan {
            path: "dump.rdb".into(),
            claim: None,
            temporary: "temp.rdb".into(),
            compress: true,
            footer: Footer::Checksum,
            incremental_fsync: true,
        };
        let mut file = RdbFile::create(Arc::new(files.clone()), plan).unwrap();
        let mut chunk = Chunk::new(0, true);
        chunk.magic();
        for key in 0..keys {
            chunk.key(format!("key:{key}").as_bytes(), StrView::Bytes(&[b'v'; 60]), KeyFacts::default());
        }
        chunk.eof();
        file.add(chunk).unwrap();
        file.finish().unwrap();
        files
    }

    fn open(files: &MemoryFiles, delay: i32) -> io::Result<FileLoad> {
        FileLoad::open(files, Path::new("dump.rdb"), RULES, delay, 0, Arc::new(|| {}))
    }

    #[test]
    fn a_file_is_loaded_slice_by_slice() {
        let files = file_with(50_000);
        let mut keyspace = Keyspace::new(16, Rng::seeded(1));
        let mut load = open(&files, 0).unwrap();
        let (mut us, mut slices) = (0, 0);
        let loaded = loop {
            let mut clock = || {
                us += 100;
                us
            };
            match load.step(&mut keyspace, &mut clock).unwrap() {
                LoadProgress::Done(loaded) => break loaded,
                LoadProgress::More => slices += 1,
                LoadProgress::Waiting => std::thread::yield_now(),
                LoadProgress::Until(_) => panic!("no delay was asked for"),
            }
        };
        assert_eq!((loaded.keys, keyspace.len()), (50_000, 50_000));
        assert!(slices > 50, "{slices}");
        assert_eq!(load.loaded_bytes(), load.total_bytes());
    }

    #[test]
    fn a_delay_per_key_makes_loading_last_that_long() {
        let files = file_with(1000);
        let mut keyspace = Keyspace::new(16, Rng::seeded(1));
        let mut load = open(&files, 50).unwrap();
        let mut us = 0;
        loop {
            match load.step(&mut keyspace, &mut || us).unwrap() {
                LoadProgress::Done(_) => break,
                LoadProgress::Until(due) => us = due,
                LoadProgress::More => {}
                LoadProgress::Waiting => std::thread::yield_now(),
            }
        }
        assert!((40_000..=50_000).contains(&us), "{us}");
    }

    #[test]
    fn loading_at_once_gives_the_same() {
        let mut keyspace = Keyspace::new(16, Rng::seeded(1));
        let loaded = open(&file_with(20_000), 0).unwrap().run(&mut keyspace).unwrap();
        assert_eq!((loaded.keys, keyspace.len()), (20_000, 20_000));
    }

    #[test]
    fn a_missing_and_a_cut_file_are_errors() {
        assert_eq!(open(&MemoryFiles::new(), 0).err().unwrap().kind(), io::ErrorKind::NotFound);
        let files = file_with(20_000);
        let size = files.size(Path::new("dump.rdb")).unwrap().unwrap();
        files.append(Path::new("dump.rdb")).unwrap().set_size(size - 9).unwrap();
        let error = open(&files, 0).unwrap().run(&mut Keyspace::new(16, Rng::seeded(1))).unwrap_err();
        assert_eq!(error.to_string(), format!("unexpected end: what begins at offset {} is not complete", size - 9));
        files.create(Path::new("dump.rdb")).unwrap();
        let error = open(&files, 0).unwrap().run(&mut Keyspace::new(16, Rng::seeded(1))).unwrap_err();
        assert_eq!(error.to_string(), "unexpected end: what begins at offset 0 is not complete");
    }
}
