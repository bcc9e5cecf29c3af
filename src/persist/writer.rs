//! The thread that finishes a snapshot: compression, checksum, and the disk.
//!
//! The data thread hands over chunks and never waits. How much is under way is counted in [`Flow`]: the snapshot stops
//! walking above [`Flow::HIGH`] and the thread wakes the data thread when it falls below [`Flow::LOW`] again. What the
//! hook of a write adds is never refused.
//!
//! There are two kinds. A *file* writer ends with the file in place. A *stream* writer gives the finished bytes back, for
//! the data thread to hand to replicas; how much those have not taken yet is for the caller to count. When the caller takes
//! nothing, the thread waits with [`Flow::HIGH`] bytes in its hands: a single chunk may hold a value of gigabytes.
//!
//! The thread also makes the buffers in which the data thread lays out what comes next, and touches them: fresh memory is cleared by
//! the system when it is touched first, and that may take milliseconds. What has been packed or written to a file serves again. A data
//! thread that finds none is woken when there are some.
//!
//! A writer whose handle is dropped stops after the chunk in its hands and removes its temporary file. Dropping is final:
//! the file gets its name under a lock that dropping takes too, so no forgotten thread can put an old image over a newer
//! one.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::rdb_file::{Plan, RdbFile, SaveError};
use super::snapshot::{BUFFER, BUFFERS};
use crate::base::cpus::{self, Work};
use crate::base::files::Files;
use crate::base::hash::Crc64;
use crate::base::queue::{Receiver, Sender, queue};
use crate::rdb::encode::Chunk;
use crate::rdb::pack::Packer;

/// How the thread tells the data thread to look at it.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Bytes handed over but not yet disposed of.
#[derive(Debug, Default)]
pub struct Flow {
    under_way: AtomicU64,
    finished_bytes: AtomicU64,
    /// Memory of what is under way.
    memory: AtomicU64,
    /// Pieces of a stream that were given back and not yet taken.
    untaken: AtomicU64,
    /// Set when nobody wants the result any more. Held while a file gets its name.
    is_cancelled: Mutex<bool>,
    /// Less is untaken, or the stream is cancelled.
    goes_on: Condvar,
    /// Set when buffers were asked for.
    wants_buffers: AtomicBool,
    /// Set when the data thread found none.
    lacks_buffers: AtomicBool,
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

    /// Waits until there is room for another piece; false when nobody wants it any more.
    fn wait_for_room(&self) -> bool {
        let mut is_cancelled = self.is_cancelled.lock();
        while !*is_cancelled && self.untaken.load(Ordering::Relaxed) >= Flow::HIGH {
            self.goes_on.wait(&mut is_cancelled);
        }
        !*is_cancelled
    }

    fn taken(&self, bytes: u64) {
        self.sub(bytes);
        self.memory.fetch_sub(bytes, Ordering::Relaxed);
        let before = self.untaken.fetch_sub(bytes, Ordering::Relaxed);
        if before >= Flow::HIGH {
            // Under the lock, or the thread might look just before and wait just after.
            let _held = self.is_cancelled.lock();
            self.goes_on.notify_one();
        }
    }

    fn cancel(&self) {
        *self.is_cancelled.lock() = true;
        self.goes_on.notify_one();
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
    Load(Load),
    /// Make buffers.
    Buffers,
    Finish,
}

/// Something to write.
enum Load {
    Chunk(Chunk),
    Bytes(Bytes),
}

impl Load {
    fn size(&self) -> u64 {
        match self {
            Load::Chunk(chunk) => chunk.len() as u64,
            Load::Bytes(bytes) => bytes.len() as u64,
        }
    }

    fn memory(&self) -> u64 {
        match self {
            Load::Chunk(chunk) => chunk.memory() as u64,
            Load::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// The data thread's end.
#[derive(Debug)]
pub struct Writer {
    orders: Sender<Order>,
    reports: Receiver<Report>,
    buffers: Receiver<Chunk>,
    flow: Arc<Flow>,
}

impl Writer {
    /// Starts a thread that writes a file. The kind of work says on which processors.
    pub fn file(files: Arc<dyn Files>, plan: Plan, work: Work, wake: Wake) -> Writer {
        Writer::spawn(work, wake, move |thread| {
            let mut file = RdbFile::create(files, plan)?;
            while let Some(load) = thread.next_load() {
                let (size, memory) = (load.size(), load.memory());
                match load {
                    Load::Chunk(mut chunk) => {
                        file.add_while(&mut chunk, &mut |piece| {
                            if let Ok(bytes) = piece.try_into_mut() {
                                thread.recycle(Chunk::in_buffer(bytes.into()));
                            }
                            !thread.is_cancelled()
                        })?;
                        thread.recycle(chunk);
                    }
                    Load::Bytes(bytes) => file.add_bytes(&bytes)?,
                }
                thread.flow.finished_bytes.fetch_add(size, Ordering::Relaxed);
                thread.disposed_of(size, memory);
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
        Writer::spawn(Work::Save, wake, move |thread| {
            let mut packer = Packer::new(compress);
            let mut crc = checksum.then(Crc64::new);
            let mut bytes = 0;
            while let Some(load) = thread.next_load() {
                let (size, memory) = (load.size(), load.memory());
                let mut give = |piece: Bytes| {
                    if let Some(crc) = &mut crc {
                        crc.update(&piece);
                    }
                    bytes += piece.len() as u64;
                    if thread.give(piece) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                };
                match load {
                    Load::Chunk(mut chunk) => {
                        let _ = packer.pack_while(&mut chunk, &mut give);
                        thread.recycle(chunk);
                    }
                    Load::Bytes(bytes) => {
                        let _ = give(bytes);
                    }
                }
                thread.disposed_of(size, memory);
            }
            let checksum = crc.map_or(0, |crc| crc.value());
            thread.give(Bytes::copy_from_slice(&checksum.to_le_bytes()));
            Ok(bytes + 8)
        })
    }

    fn spawn(kind: Work, wake: Wake, run: impl FnOnce(&Thread) -> Result<u64, SaveError> + Send + 'static) -> Writer {
        let (orders, incoming) = queue();
        let (outgoing, reports) = queue();
        let (spare, buffers) = queue();
        let flow = Arc::new(Flow::default());
        let used = RefCell::default();
        let thread = Thread { orders: incoming, reports: outgoing, spare, used, flow: flow.clone(), wake };
        let work = move || {
            cpus::enter(kind);
            let result = run(&thread);
            thread.report(match result {
                Ok(bytes) => Report::Done { bytes },
                Err(error) => Report::Failed(error),
            });
        };
        if let Err(error) = thread::Builder::new().name("rdb-writer".into()).spawn(work) {
            // Without a thread nobody will ever report; say so in its place.
            let (failed, reports) = queue();
            let action = "Can't save in background: no thread".to_owned();
            failed.send(Report::Failed(SaveError { action, source: error }));
            return Writer { orders, reports, buffers, flow };
        }
        Writer { orders, reports, buffers, flow }
    }

    /// Hands over records. A writer that has failed drops them.
    pub fn add(&self, chunk: Chunk) {
        self.load(Load::Chunk(chunk));
    }

    /// Hands over bytes to be written as they are.
    pub fn add_bytes(&self, bytes: Bytes) {
        self.load(Load::Bytes(bytes));
    }

    fn load(&self, load: Load) {
        self.flow.add(load.size());
        self.flow.memory.fetch_add(load.memory(), Ordering::Relaxed);
        self.orders.send(Order::Load(load));
    }

    /// Nothing follows: put the file in place, or end the stream.
    pub fn finish(&self) {
        self.orders.send(Order::Finish);
    }

    /// A chunk with room for [`BUFFER`] bytes whose memory is there, if one is ready.
    pub fn buffer(&self) -> Option<Chunk> {
        self.buffers.try_recv()
    }

    /// Whether a buffer is ready. If none is, the thread wakes the data thread as soon as one is.
    pub fn has_buffer(&self) -> bool {
        if !self.buffers.is_empty() {
            return true;
        }
        if !self.flow.wants_buffers.swap(true, Ordering::Relaxed) {
            // It may have nothing else to do.
            self.orders.send(Order::Buffers);
        }
        self.flow.lacks_buffers.store(true, Ordering::SeqCst);
        // Made before it could see that, perhaps.
        !self.buffers.is_empty()
    }

    /// The next report, if there is one.
    pub fn report(&self) -> Option<Report> {
        self.taken(self.reports.try_recv())
    }

    /// Waits for the next report. Only for a save that may block.
    pub fn wait(&self) -> Option<Report> {
        self.taken(self.reports.recv())
    }

    fn taken(&self, report: Option<Report>) -> Option<Report> {
        if let Some(Report::Piece(piece)) = &report {
            self.flow.taken(piece.len() as u64);
        }
        report
    }

    /// Bytes handed over and still held.
    pub fn under_way(&self) -> u64 {
        self.flow.under_way()
    }

    /// Memory of what was handed over and is still held.
    pub fn memory(&self) -> u64 {
        self.flow.memory.load(Ordering::Relaxed) + (self.buffers.len() * BUFFER) as u64
    }

    /// Bytes finished so far.
    pub fn finished_bytes(&self) -> u64 {
        self.flow.finished_bytes()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flow.cancel();
    }
}

/// The thread's end.
struct Thread {
    orders: Receiver<Order>,
    reports: Sender<Report>,
    spare: Sender<Chunk>,
    /// Buffers that may serve again.
    used: RefCell<Vec<Chunk>>,
    flow: Arc<Flow>,
    wake: Wake,
}

impl Thread {
    /// What to write next; `None` when that was all, or when nobody wants the result any more.
    fn next_load(&self) -> Option<Load> {
        if self.is_cancelled() {
            return None;
        }
        loop {
            self.make_buffers();
            match self.orders.recv() {
                Some(Order::Load(load)) => return Some(load),
                Some(Order::Buffers) => {}
                Some(Order::Finish) => return None,
                None => {
                    *self.flow.is_cancelled.lock() = true;
                    return None;
                }
            }
        }
    }

    fn make_buffers(&self) {
        while self.flow.wants_buffers.load(Ordering::Relaxed) && self.spare.len() < BUFFERS {
            let buffer = self.used.borrow_mut().pop().unwrap_or_else(|| {
                // Not with zeros, which memory from the system might be said to have without touching it.
                Chunk::in_buffer(vec![1; BUFFER])
            });
            if !self.spare.send(buffer) {
                return;
            }
            // The first will do; the others follow while the data thread wakes.
            if self.flow.lacks_buffers.swap(false, Ordering::SeqCst) {
                (self.wake)();
            }
        }
    }

    /// Keeps the memory of a chunk until a buffer is asked for, if it is of use as one.
    fn recycle(&self, chunk: Chunk) {
        let mut used = self.used.borrow_mut();
        let is_of_use = used.len() < BUFFERS && (BUFFER..2 * BUFFER).contains(&chunk.capacity());
        used.extend(is_of_use.then_some(chunk));
    }

    fn is_cancelled(&self) -> bool {
        *self.flow.is_cancelled.lock()
    }

    fn disposed_of(&self, bytes: u64, memory: u64) {
        self.flow.memory.fetch_sub(memory, Ordering::Relaxed);
        if self.flow.sub(bytes) {
            (self.wake)();
        }
    }

    /// Gives a piece of a stream back, when there is room for it; false when nobody wants it.
    fn give(&self, piece: Bytes) -> bool {
        if !self.flow.wait_for_room() {
            return false;
        }
        let bytes = piece.len() as u64;
        self.flow.add(bytes);
        for count in [&self.flow.memory, &self.flow.untaken, &self.flow.finished_bytes] {
            count.fetch_add(bytes, Ordering::Relaxed);
        }
        self.report(Report::Piece(piece));
        true
    }

    fn report(&self, report: Report) {
        // Nobody listens to a writer that was given up.
        self.reports.send(report);
        (self.wake)();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::files::memory::{Fault, MemoryFiles};
    use crate::base::files::read_whole;
    use crate::data::Value;
    use crate::data::list::{End, List, Packing};
    use crate::persist::rdb_file::Footer;
    use crate::rdb::encode::KeyFacts;

    fn plan() -> Plan {
        Plan {
            path: "dump.rdb".into(),
            claim: None,
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
        let writer = Writer::file(Arc::new(files.clone()), plan(), Work::Save, no_wake());
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
        let to_file = Writer::file(Arc::new(files.clone()), plan(), Work::Save, no_wake());
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
        let writer = Writer::file(Arc::new(files.clone()), plan, Work::Save, no_wake());
        writer.add_bytes(Bytes::from_static(b"REDIS"));
        writer.add_bytes(Bytes::from_static(b"0010"));
        writer.finish();
        assert!(matches!(writer.wait(), Some(Report::Done { bytes: 9 })));
        assert_eq!(read_whole(&files, Path::new("dump.rdb"), 100).unwrap(), b"REDIS0010");
    }

    #[test]
    fn buffers_are_made_while_somebody_uses_them() {
        let (files, (woken, wait)) = (MemoryFiles::new(), crossbeam_channel::unbounded());
        let writer = Writer::stream(false, false, Arc::new(move || woken.send(()).unwrap_or_default()));
        assert!(writer.buffer().is_none(), "they are made when asked for");
        let mut made = 0;
        while made < 3 * BUFFERS {
            // Wakes when one is there that was not.
            while !writer.has_buffer() {
                wait.recv().unwrap();
            }
            while let Some(buffer) = writer.buffer() {
                assert!(buffer.is_empty() && buffer.capacity() >= BUFFER);
                made += 1;
                writer.add(chunk(b"one"));
            }
        }
        let receiving = Writer::file(Arc::new(files), plan(), Work::Save, no_wake());
        receiving.finish();
        receiving.wait();
        assert!(receiving.buffers.is_empty() && receiving.memory() == 0, "who receives a file asks for none");
    }

    #[test]
    fn buffers_of_what_is_written_serve_again() {
        let writer = Writer::file(Arc::new(MemoryFiles::new()), plan(), Work::Save, no_wake());
        writer.has_buffer();
        let all_are_made = || {
            let made = (0..10_000_000).any(|_| {
                thread::yield_now();
                writer.buffers.len() == BUFFERS
            });
            assert!(made, "the thread makes as many as there is room for, and then waits");
        };
        all_are_made();
        // Of a chunk without open places the piece comes back, of another one the chunk.
        for (text, larger) in [(&b"one"[..], 1000), (&[b'a'; 100], 2000)] {
            let mut known = Chunk::in_buffer(Vec::with_capacity(BUFFER + larger));
            known.reset(true);
            known.aux("n", text);
            writer.add(known);
            // One may have been on its way when the place became free.
            let is_back = (0..4).any(|_| {
                let taken: Vec<Chunk> = std::iter::from_fn(|| writer.buffer()).collect();
                assert!(taken.iter().all(|buffer| buffer.is_empty() && buffer.capacity() >= BUFFER));
                let is_back = taken.iter().any(|buffer| buffer.capacity() == BUFFER + larger);
                writer.add(chunk(b"two"));
                all_are_made();
                is_back
            });
            assert!(is_back, "with {} bytes of text", text.len());
        }
    }

    #[test]
    fn a_failure_is_reported_and_the_rest_is_dropped() {
        let files = MemoryFiles::new();
        files.fail_at(0, Fault::Error(libc::EACCES));
        let writer = Writer::file(Arc::new(files), plan(), Work::Save, no_wake());
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
        let writer = Writer::file(Arc::new(files.clone()), plan(), Work::Save, wake);
        writer.add(chunk(b"one"));
        drop(writer);
        wait.recv().unwrap(); // The thread reports when it is done, although nobody reads it.
        assert!(files.list(Path::new(".")).unwrap().is_empty());
    }

    #[test]
    fn a_stream_waits_until_what_it_gave_back_is_taken() {
        let flow = Arc::new(Flow::default());
        for is_wanted in [true, false] {
            flow.untaken.store(Flow::HIGH + 10, Ordering::Relaxed);
            flow.memory.store(Flow::HIGH + 10, Ordering::Relaxed);
            flow.under_way.store(Flow::HIGH + 10, Ordering::Relaxed);
            let of_thread = flow.clone();
            let thread = thread::spawn(move || (of_thread.wait_for_room(), of_thread.untaken.load(Ordering::Relaxed)));
            if is_wanted {
                flow.taken(10);
                flow.taken(10);
                assert_eq!(thread.join().unwrap(), (true, Flow::HIGH - 10));
            } else {
                flow.cancel();
                assert_eq!(thread.join().unwrap(), (false, Flow::HIGH + 10));
            }
        }
    }

    #[test]
    fn a_stream_of_one_large_value_is_whole_and_can_be_given_up() {
        let mut list = List::new();
        for number in 0..300u32 {
            list.push_one(End::Right, &number.to_le_bytes().repeat(20_000), Packing::default());
        }
        let large = || {
            let mut chunk = Chunk::new(0, false);
            chunk.key_with_frozen(b"k", Value::List(list.clone()), KeyFacts::default());
            chunk
        };
        let stream = Writer::stream(false, false, no_wake());
        stream.add(large());
        assert!(stream.memory() < 10_000, "a value that is shared needs no memory");
        stream.finish();
        let mut bytes = Vec::new();
        while let Some(Report::Piece(piece)) = stream.wait() {
            assert!(stream.flow.untaken.load(Ordering::Relaxed) <= Flow::HIGH + 100_000);
            bytes.extend_from_slice(&piece);
        }
        let mut expected = Vec::new();
        Packer::new(false).pack(large(), |piece| expected.extend_from_slice(&piece));
        assert_eq!((bytes.len(), stream.memory(), stream.under_way()), (expected.len() + 8, 0, 0));
        assert!(bytes.starts_with(&expected));
        let (woken, wait) = crossbeam_channel::unbounded();
        let given_up = Writer::stream(false, false, Arc::new(move || woken.send(()).unwrap_or_default()));
        given_up.add(large());
        wait.recv().unwrap();
        drop(given_up);
        // The thread ends although nobody takes the rest, and with it the way to wake us.
        while wait.recv().is_ok() {}
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
