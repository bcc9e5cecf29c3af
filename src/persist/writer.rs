//! The thread that finishes a snapshot: compression, checksum, and the disk.
//!
//! The data thread hands over chunks and never waits. How much is under way is counted in [`Flow`]: the snapshot stops
//! walking above [`Flow::HIGH`] and the thread wakes the data thread when it falls below [`Flow::LOW`] again. What the
//! hook of a write adds is never refused.
//!
//! There are two kinds. A *file* writer ends with the file in place. A *stream* writer gives the finished bytes back, for
//! the data thread to hand to replicas; how much those have not taken yet is for the caller to count.
//!
//! A writer whose handle is dropped stops after the chunk in its hands and removes its temporary file. Dropping is final:
//! the file gets its name under a lock that dropping takes too, so no forgotten thread can put an old image over a newer
//! one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use super::rdb_file::{Plan, RdbFile, SaveError};
use crate::base::files::Files;
use crate::base::hash::Crc64;
use crate::rdb::encode::Chunk;
use crate::rdb::pack::Packer;

/// How the thread tells the data thread to look at it.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Bytes handed over but not yet disposed of.
#[derive(Debug, Default)]
pub struct Flow {
    under_way: AtomicU64,
    finished_bytes: AtomicU64,
    /// Set when nobody wants the result any more. Held while a file gets its name.
    is_cancelled: Mutex<bool>,
}

impl Flow {
    /// The walk stops when so much is under way: enough to keep a fast disk busy over a slice, little beside the data.
    pub const HIGH: u64 = 8 * 1024 * 1024;
    /// And goes on below this.
    pub const LOW: u64 = 2 * 1024 * 1024;

    /// Bytes under way.
    pub fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Bytes that have reached the disk or were handed back, after compression.
    pub fn finished_bytes(&self) -> u64 {
        self.finished_bytes.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: u64) {
        self.under_way.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes `bytes` off; true when that crossed the low mark.
    fn sub(&self, bytes: u64) -> bool {
        let before = self.under_way.fetch_sub(bytes, Ordering::Relaxed);
        before > Flow::LOW && before - bytes <= Flow::LOW
    }
}

/// What comes back from the thread.
#[derive(Debug)]
pub enum Report {
    /// Finished bytes of a stream, in order.
    Piece(Bytes),
    /// Everything is done: the file is in place, or the last piece was reported.
    Done {
        /// Size of the result in bytes.
        bytes: u64,
    },
    /// It did not work out; nothing else follows.
    Failed(SaveError),
}

enum Order {
    Chunk(Chunk),
    Bytes(Bytes),
    Finish,
}

impl Order {
    fn size(&self) -> u64 {
        match self {
            Order::Chunk(chunk) => chunk.len() as u64,
            Order::Bytes(bytes) => bytes.len() as u64,
            Order::Finish => 0,
        }
    }
}

/// The data thread's end.
#[derive(Debug)]
pub struct Writer {
    orders: Sender<Order>,
    reports: Receiver<Report>,
    flow: Arc<Flow>,
}

impl Writer {
    /// Starts a thread that writes a file.
    pub fn file(files: Arc<dyn Files>, plan: Plan, wake: Wake) -> Writer {
        Writer::spawn(wake, move |thread| {
            let mut file = RdbFile::create(files, plan)?;
            while let Some(order) = thread.next_order() {
                let size = order.size();
                match order {
                    Order::Chunk(chunk) => file.add(chunk)?,
                    Order::Bytes(bytes) => file.add_bytes(&bytes)?,
                    Order::Finish => break,
                }
                thread.disposed_of(size);
            }
            if thread.is_cancelled() {
                return Ok(0);
            }
            file.seal()?;
            {
                let is_cancelled = thread.flow.is_cancelled.lock();
                if *is_cancelled {
                    return Ok(0);
                }
                file.put_in_place()?;
            }
            file.settle()
        })
    }

    /// Starts a thread that gives the finished bytes back.
    pub fn stream(compress: bool, checksum: bool, wake: Wake) -> Writer {
        Writer::spawn(wake, move |thread| {
            let mut packer = Packer::new(compress);
            let mut crc = checksum.then(Crc64::new);
            let mut bytes = 0;
            let mut report = |thread: &Thread, piece: Bytes, crc: &mut Option<Crc64>| {
                if let Some(crc) = crc {
                    crc.update(&piece);
                }
                bytes += piece.len() as u64;
                thread.report(Report::Piece(piece));
            };
            while let Some(order) = thread.next_order() {
                let (size, mut pieces) = (order.size(), Vec::new());
                match order {
                    Order::Chunk(chunk) => packer.pack(chunk, |piece| pieces.push(piece)),
                    Order::Bytes(bytes) => pieces.push(bytes),
                    Order::Finish => break,
                }
                // From here on the pieces count instead of the chunk.
                thread.flow.add(pieces.iter().map(|piece| piece.len() as u64).sum());
                thread.flow.sub(size);
                for piece in pieces {
                    report(thread, piece, &mut crc);
                }
            }
            let checksum = crc.map_or(0, |crc| crc.value());
            thread.flow.add(8);
            report(thread, Bytes::copy_from_slice(&checksum.to_le_bytes()), &mut None);
            Ok(bytes)
        })
    }

    fn spawn(wake: Wake, run: impl FnOnce(&Thread) -> Result<u64, SaveError> + Send + 'static) -> Writer {
        let (orders, incoming) = unbounded();
        let (outgoing, reports) = unbounded();
        let flow = Arc::new(Flow::default());
        let thread = Thread { orders: incoming, reports: outgoing, flow: flow.clone(), wake };
        let work = move || {
            let result = run(&thread);
            thread.report(match result {
                Ok(bytes) => Report::Done { bytes },
                Err(error) => Report::Failed(error),
            });
        };
        if let Err(error) = thread::Builder::new().name("rdb-writer".into()).spawn(work) {
            // Without a thread nobody will ever report; say so in its place.
            let (failed, reports) = unbounded();
            let action = "Can't save in background: no thread".to_owned();
            let _ = failed.send(Report::Failed(SaveError { action, source: error }));
            return Writer { orders, reports, flow };
        }
        Writer { orders, reports, flow }
    }

    /// Hands over records. A writer that has failed drops them.
    pub fn add(&self, chunk: Chunk) {
        self.flow.add(chunk.len() as u64);
        let _ = self.orders.send(Order::Chunk(chunk));
    }

    /// Hands over bytes to be written as they are.
    pub fn add_bytes(&self, bytes: Bytes) {
        self.flow.add(bytes.len() as u64);
        let _ = self.orders.send(Order::Bytes(bytes));
    }

    /// Nothing follows: put the file in place, or end the stream.
    pub fn finish(&self) {
        let _ = self.orders.send(Order::Finish);
    }

    /// The next report, if there is one.
    pub fn report(&self) -> Option<Report> {
        self.taken(self.reports.try_recv().ok())
    }

    /// Waits for the next report. Only for a save that may block.
    pub fn wait(&self) -> Option<Report> {
        self.taken(self.reports.recv().ok())
    }

    fn taken(&self, report: Option<Report>) -> Option<Report> {
        if let Some(Report::Piece(piece)) = &report {
            self.flow.sub(piece.len() as u64);
        }
        report
    }

    /// Bytes handed over and still held.
    pub fn under_way(&self) -> u64 {
        self.flow.under_way()
    }

    /// Bytes finished so far.
    pub fn finished_bytes(&self) -> u64 {
        self.flow.finished_bytes()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        *self.flow.is_cancelled.lock() = true;
    }
}

/// The thread's end.
struct Thread {
    orders: Receiver<Order>,
    reports: Sender<Report>,
    flow: Arc<Flow>,
    wake: Wake,
}

impl Thread {
    /// What to do next; `None` when nobody wants the result any more.
    fn next_order(&self) -> Option<Order> {
        if self.is_cancelled() {
            return None;
        }
        let order = self.orders.recv().ok();
        if order.is_none() {
            *self.flow.is_cancelled.lock() = true;
        }
        order
    }

    fn is_cancelled(&self) -> bool {
        *self.flow.is_cancelled.lock()
    }

    fn disposed_of(&self, bytes: u64) {
        self.flow.finished_bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.flow.sub(bytes) {
            (self.wake)();
        }
    }

    fn report(&self, report: Report) {
        if let Report::Piece(piece) = &report {
            self.flow.finished_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        // Nobody listens to a writer that was given up.
        let _ = self.reports.send(report);
        (self.wake)();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::files::memory::{Fault, MemoryFiles};
    use crate::base::files::read_whole;
    use crate::persist::rdb_file::Footer;

    fn plan() -> Plan {
        Plan {
            path: "dump.rdb".into(),
            temporary: "temp-1.rdb".into(),
            compress: true,
            footer: Footer::Checksum,
            incremental_fsync: false,
        }
    }

    fn chunk(text: &[u8]) -> Chunk {
        let mut chunk = Chunk::new(0, true);
        chunk.aux("n", text);
        chunk
    }

    fn no_wake() -> Wake {
        Arc::new(|| {})
    }

    #[test]
    fn a_file_writer_ends_with_the_file_in_place() {
        let files = MemoryFiles::new();
        let writer = Writer::file(Arc::new(files.clone()), plan(), no_wake());
        writer.add(chunk(b"one"));
        writer.add(chunk(&[b'a'; 100]));
        writer.finish();
        let Some(Report::Done { bytes }) = writer.wait() else { panic!("the disk is fine") };
        assert_eq!(files.size(Path::new("dump.rdb")).unwrap(), Some(bytes));
        assert_eq!(writer.under_way(), 0);
    }

    #[test]
    fn a_stream_writer_gives_back_what_a_file_would_hold() {
        let files = MemoryFiles::new();
        let to_file = Writer::file(Arc::new(files.clone()), plan(), no_wake());
        let stream = Writer::stream(true, true, no_wake());
        for text in [&b"one"[..], &[b'a'; 5000], &(0..=255).collect::<Vec<u8>>()] {
            to_file.add(chunk(text));
            stream.add(chunk(text));
        }
        to_file.finish();
        stream.finish();
        assert!(matches!(to_file.wait(), Some(Report::Done { .. })));
        let mut bytes = Vec::new();
        while let Some(Report::Piece(piece)) = stream.wait() {
            assert!(stream.under_way() < 6000);
            bytes.extend_from_slice(&piece);
        }
        assert_eq!(bytes, read_whole(&files, Path::new("dump.rdb"), 1 << 20).unwrap());
        assert_eq!((stream.under_way(), stream.finished_bytes()), (0, bytes.len() as u64));
    }

    #[test]
    fn bytes_of_a_received_file_are_written_as_they_are() {
        let files = MemoryFiles::new();
        let plan = Plan { footer: Footer::Included, ..plan() };
        let writer = Writer::file(Arc::new(files.clone()), plan, no_wake());
        writer.add_bytes(Bytes::from_static(b"REDIS"));
        writer.add_bytes(Bytes::from_static(b"0010"));
        writer.finish();
        assert!(matches!(writer.wait(), Some(Report::Done { bytes: 9 })));
        assert_eq!(read_whole(&files, Path::new("dump.rdb"), 100).unwrap(), b"REDIS0010");
    }

    #[test]
    fn a_failure_is_reported_and_the_rest_is_dropped() {
        let files = MemoryFiles::new();
        files.fail_at(0, Fault::Error(libc::EACCES));
        let writer = Writer::file(Arc::new(files), plan(), no_wake());
        let Some(Report::Failed(error)) = writer.wait() else { panic!("the folder is read-only") };
        assert!(error.to_string().contains("Permission denied"), "{error}");
        writer.add(chunk(b"x"));
        writer.finish();
        assert!(writer.wait().is_none());
    }

    #[test]
    fn a_writer_that_is_given_up_leaves_no_file() {
        let files = MemoryFiles::new();
        let (woken, wait) = crossbeam_channel::bounded(1);
        let wake: Wake = Arc::new(move || woken.send(()).unwrap_or_default());
        let writer = Writer::file(Arc::new(files.clone()), plan(), wake);
        writer.add(chunk(b"one"));
        drop(writer);
        wait.recv().unwrap(); // The thread reports when it is done, although nobody reads it.
        assert!(files.list(Path::new(".")).unwrap().is_empty());
    }

    #[test]
    fn falling_below_the_low_mark_is_told_once() {
        let flow = Flow::default();
        flow.add(Flow::HIGH + 5);
        assert!(!flow.sub(5));
        assert!(flow.sub(Flow::HIGH - 1));
        assert!(!flow.sub(1));
    }
}
