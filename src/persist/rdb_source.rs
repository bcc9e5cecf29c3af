//! Reads a file ahead of whoever uses it: a thread fills blocks, the data thread takes them and gives the empty ones back.
//! So loading never waits for a read that could have been done meanwhile, and memory stays at a few blocks.

use std::io;
use std::path::Path;
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::writer::Wake;
use crate::base::files::Files;

/// Size of a block: large enough for full disk speed, small enough to stay in the cache.
const BLOCK: usize = 512 * 1024;
/// Blocks in flight.
const BLOCKS: usize = 4;

/// A file being read.
#[derive(Debug)]
pub struct Source {
    filled: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    size: u64,
}

/// What there is.
#[derive(Debug)]
pub enum Next {
    /// The next bytes, at least one.
    Block(Vec<u8>),
    /// Nothing yet; the wake will be called.
    NotYet,
    /// The file is over.
    End,
    /// It cannot be read further.
    Failed(io::Error),
}

impl Source {
    /// Opens a file; `wake` is called whenever there is something to take.
    pub fn open(files: &dyn Files, path: &Path, wake: Wake) -> io::Result<Source> {
        let mut file = files.open(path)?;
        let size = file.size()?;
        let (sender, filled) = bounded(BLOCKS);
        let (empty, blocks) = bounded(BLOCKS);
        for _ in 0..BLOCKS {
            let _ = empty.send(Vec::new());
        }
        let work = move || {
            // Ends with the file, with an error, or when the other side is gone.
            while let Ok(mut block) = blocks.recv() {
                block.resize(BLOCK, 0);
                let result = file.read_full(&mut block).map(|n| {
                    block.truncate(n);
                    block
                });
                let is_last = result.as_ref().map_or(true, |block| block.len() < BLOCK);
                let is_empty = result.as_ref().is_ok_and(|block| block.is_empty());
                if !is_empty && sender.send(result).is_err() || is_last {
                    break;
                }
                wake();
            }
            drop(sender);
            wake();
        };
        thread::Builder::new().name("rdb-reader".into()).spawn(work)?;
        Ok(Source { filled, empty, size })
    }

    /// Size of the file when it was opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next block, if there is one.
    pub fn next(&self) -> Next {
        match self.filled.try_recv() {
            Ok(Ok(block)) => Next::Block(block),
            Ok(Err(error)) => Next::Failed(error),
            Err(TryRecvError::Empty) => Next::NotYet,
            Err(TryRecvError::Disconnected) => Next::End,
        }
    }

    /// The next block, waiting for it. Only where blocking is allowed.
    pub fn wait(&self) -> Next {
        match self.filled.recv() {
            Ok(Ok(block)) => Next::Block(block),
            Ok(Err(error)) => Next::Failed(error),
            Err(_) => Next::End,
        }
    }

    /// Gives a used block back to be filled again.
    pub fn give_back(&self, block: Vec<u8>) {
        let _ = self.empty.try_send(block);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::files::memory::{Fault, MemoryFiles};

    fn all(files: &MemoryFiles) -> Vec<u8> {
        let source = Source::open(files, Path::new("f"), Arc::new(|| {})).unwrap();
        let mut bytes = Vec::new();
        while let Next::Block(block) = source.wait() {
            bytes.extend_from_slice(&block);
            source.give_back(block);
        }
        assert!(matches!(source.wait(), Next::End));
        assert_eq!(source.size(), bytes.len() as u64);
        bytes
    }

    #[test]
    fn a_file_comes_whole_and_in_order() {
        for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 9 * BLOCK + 77] {
            let files = MemoryFiles::new();
            let content: Vec<u8> = (0..len).map(|i| (i / 7) as u8).collect();
            files.create(Path::new("f")).unwrap().write_all(&content).unwrap();
            assert!(all(&files) == content, "{len} bytes");
        }
    }

    #[test]
    fn a_file_that_fails_says_so() {
        let files = MemoryFiles::new();
        assert!(Source::open(&files, Path::new("f"), Arc::new(|| {})).is_err());
        files.create(Path::new("f")).unwrap().write_all(&vec![0; 20 * BLOCK]).unwrap();
        let source = Source::open(&files, Path::new("f"), Arc::new(|| {})).unwrap();
        files.fail_at(files.operations(), Fault::PowerCut);
        let _ = files.create(Path::new("g"));
        let mut blocks = 0;
        while let Next::Block(block) = source.wait() {
            source.give_back(block);
            blocks += 1;
        }
        assert!(blocks < 20, "the power went");
    }
}
