//! Memory for entries and segments: many small blocks of one table, given back all at once when the table goes.
//!
//! Why not the global allocator? Its small classes step by 16 bytes, which costs the typical key 8 bytes; it cannot put
//! the blocks of one table on huge pages of their own; and flushing a table would have to free every key. Here classes
//! step by 8 bytes, chunks are aligned for huge pages, and dropping an arena is a handful of `munmap` calls.
//!
//! ```text
//! chunk   256 KiB; in a large table 2 MiB, aligned to that, as a huge page
//!   page  64 KiB, aligned to 64 KiB, all blocks of one size
//!         | header 64 B | block | block | block | ... | rest |
//! ```
//!
//! A block's page is found by clearing the low 16 bits of its address. A page hands out blocks from its free list first,
//! then those never used. Pages with room hang in a list per class; empty pages go back to the arena for any class; a
//! chunk whose pages are all empty is unmapped, but for one that is kept against flutter.
//!
//! Classes: every multiple of 8 up to 512, of 64 up to 1024, then sizes that divide a page with little waste. Blocks
//! whose size is a multiple of 64 are aligned to 64 bytes, all others to 8. Requests beyond [`MAX_CLASS`] bytes go to the
//! global allocator.
//!
//! Two things about a chunk take long: the first touch of its pages, which the kernel must find and clear (in a virtual
//! machine the host as well: for a huge page milliseconds were seen), and unmapping it. Both are left to a thread, the
//! [`Pager`]: the next chunk is mapped, and populated there, while the present one still has a quarter left. If the pager
//! is late, the touch does its work, as always.
//!
//! The arena serves one thread at a time and knows nothing of what is in its blocks.

mod drain;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};
use std::sync::{Arc, OnceLock};
use std::thread;

use crossbeam_channel::{Sender, unbounded};

use crate::base::alloc::note;

const PAGE: usize = 64 * 1024;
const HEADER: usize = 64;
const SMALL_CHUNK: usize = 256 * 1024;
const HUGE_CHUNK: usize = 2 * 1024 * 1024;
/// Memory of a table from which on its chunks are huge pages. Below, the part of the last huge page not used yet would be
/// felt in resident memory, and a processor's TLB reaches far enough.
const HUGE_FROM: usize = 64 * 1024 * 1024;
/// A dropped arena of up to this size is unmapped on the spot, some 100 µs.
const UNMAP_AT_ONCE: usize = 1024 * 1024;
/// The next chunk is prepared when one part in this many of the newest is left: time for some thousand keys.
const PREPARE_AT: usize = 4;

/// Largest block served from pages: eight of them fill one.
pub(super) const MAX_CLASS: usize = 8128;

/// Sizes up to this step by 8.
const FINE: usize = 512;
const FINE_CLASSES: usize = FINE / 8;
/// Sizes beyond `FINE` are looked up in units of 64.
const UNITS: usize = MAX_CLASS / 64 + 1;
const CLASSES: usize = FINE_CLASSES + 47;

/// The coarse classes: for each count of 64-byte units, the number of the class that serves it, and its size.
const COARSE: ([u8; UNITS], [u16; CLASSES]) = {
    let mut class_of = [0u8; UNITS];
    let mut sizes = [0u16; CLASSES];
    let mut class = 0;
    while class < FINE_CLASSES {
        sizes[class] = (class as u16 + 1) * 8;
        class += 1;
    }
    let mut units = FINE / 64 + 1;
    while units < UNITS {
        // The largest size of which as many fit into a page; below 1024 every multiple of 64 is a class.
        let fit = (PAGE - HEADER) / (units * 64);
        let size = if units <= 16 { units * 64 } else { (PAGE - HEADER) / fit / 64 * 64 };
        if sizes[class - 1] as usize != size {
            sizes[class] = size as u16;
            class += 1;
        }
        class_of[units] = class as u8 - 1;
        units += 1;
    }
    assert!(class == CLASSES);
    (class_of, sizes)
};

#[inline]
fn class_of(size: usize) -> usize {
    if size <= FINE { size.saturating_sub(1) / 8 } else { COARSE.0[size.div_ceil(64)] as usize }
}

/// What a request of `size` bytes really takes.
#[inline]
pub(super) fn rounded(size: usize) -> usize {
    if size <= FINE {
        size.next_multiple_of(8).max(8)
    } else if size <= MAX_CLASS {
        COARSE.1[class_of(size)] as usize
    } else {
        size.next_multiple_of(64)
    }
}

/// At the start of every page.
#[repr(C, align(64))]
struct Page {
    /// First freed block; each holds the address of the next.
    free: *mut u8,
    /// Neighbours in the list this page is in: of its class, or of empty pages.
    prev: *mut Page,
    next: *mut Page,
    /// Where the blocks never used begin.
    fresh: u32,
    /// Behind the last block that fits.
    end: u32,
    block: u32,
    live: u32,
    chunk: u32,
    class: u16,
    /// Whether it hangs in the list of its class: so long as it has room.
    listed: bool,
    /// Whether its chunk is being emptied: then it hangs in no list.
    is_draining: bool,
}

/// The header of the page in which a small block lies.
#[inline]
fn page_of(block: NonNull<u8>) -> *mut Page {
    (block.as_ptr() as usize & !(PAGE - 1)) as *mut Page
}

struct Chunk {
    base: *mut u8,
    size: usize,
    /// Pages handed out at least once.
    touched: u32,
    /// Pages not empty.
    live: u32,
    /// It is to be emptied.
    is_chosen: bool,
}

/// The memory of one table.
pub(super) struct Arena {
    /// Pages with room, by class.
    room: [*mut Page; CLASSES],
    /// Pages that hold nothing.
    empty: *mut Page,
    /// Unmapped ones are `None`, their place is used again.
    chunks: Vec<Option<Chunk>>,
    /// The chunk whose pages were not all touched yet.
    newest: usize,
    /// Mapped, and perhaps populated, to become the newest.
    next: Option<Chunk>,
    /// Bytes of all chunks.
    mapped: usize,
    idle_chunks: usize,
    used: usize,
    pager: Pager,
    survey: drain::Survey,
}

// SAFETY: the arena owns its chunks alone; every pointer in it leads into them.
unsafe impl Send for Arena {}

impl Arena {
    /// An arena that has mapped nothing yet.
    pub fn new(pager: Pager) -> Arena {
        Arena {
            room: [ptr::null_mut(); CLASSES],
            empty: ptr::null_mut(),
            chunks: Vec::new(),
            newest: 0,
            next: None,
            mapped: 0,
            idle_chunks: 0,
            used: 0,
            pager,
            survey: drain::Survey::default(),
        }
    }

    /// Bytes handed out from pages, rounded to classes.
    pub fn used(&self) -> usize {
        self.used
    }

    /// A block of at least `size` bytes, of unspecified content.
    #[inline]
    pub fn alloc(&mut self, size: usize) -> NonNull<u8> {
        if size > MAX_CLASS {
            return alloc_large(size);
        }
        let class = class_of(size);
        let page = self.room[class];
        if page.is_null() {
            return self.alloc_slow(class);
        }
        self.take(page)
    }

    /// Takes a block from a page that has room.
    #[inline]
    fn take(&mut self, page: *mut Page) -> NonNull<u8> {
        // SAFETY: `page` is in a list of this arena, so it is the header of a live page nobody else refers to, and it has
        // room: either a freed block (which holds the next link, written by `free`) or a fresh one before `end`.
        unsafe {
            let p = &mut *page;
            let block = if p.free.is_null() {
                let block = page.cast::<u8>().add(p.fresh as usize);
                p.fresh += p.block;
                block
            } else {
                let block = p.free;
                p.free = block.cast::<*mut u8>().read();
                block
            };
            p.live += 1;
            self.used += p.block as usize;
            note(i64::from(p.block));
            if p.free.is_null() && p.fresh >= p.end {
                self.unlist(page);
            }
            NonNull::new_unchecked(block)
        }
    }

    #[cold]
    #[inline(never)]
    fn alloc_slow(&mut self, class: usize) -> NonNull<u8> {
        let page = self.empty_page();
        let block = usize::from(COARSE.1[class]);
        // SAFETY: `empty_page` gives the header of a page in no list, for us to set up; its chunk number is valid.
        unsafe {
            let p = &mut *page;
            p.free = ptr::null_mut();
            p.fresh = HEADER as u32;
            p.end = (HEADER + (PAGE - HEADER) / block * block) as u32;
            p.block = block as u32;
            p.live = 0;
            p.class = class as u16;
            p.listed = false;
            p.is_draining = false;
        }
        self.list(page);
        self.take(page)
    }

    /// Gives back the block at `block`, of which `size` bytes were asked for.
    ///
    /// # Safety
    /// It came from `alloc(size)` of this arena (or of a size rounded to the same), and is not used again.
    #[inline]
    pub unsafe fn free(&mut self, block: NonNull<u8>, size: usize) {
        if size > MAX_CLASS {
            // SAFETY: such a size was served by `alloc_large`.
            return unsafe { free_large(block, size) };
        }
        let page = page_of(block);
        // SAFETY: blocks lie in pages, whose headers are at multiples of PAGE; a page with a live block is mapped. The
        // block has at least 8 bytes, aligned to 8, for the link.
        unsafe {
            let p = &mut *page;
            debug_assert_eq!(p.block as usize, rounded(size));
            block.as_ptr().cast::<*mut u8>().write(p.free);
            p.free = block.as_ptr();
            p.live -= 1;
            self.used -= p.block as usize;
            note(-i64::from(p.block));
            if p.live == 0 {
                self.retire(page);
            } else if !p.listed && !p.is_draining {
                self.list(page);
            }
        }
    }

    /// Puts a page with room at the head of its class's list.
    fn list(&mut self, page: *mut Page) {
        // SAFETY: `page` and the head of the list are headers of live pages.
        unsafe {
            let class = usize::from((*page).class);
            let head = self.room[class];
            (*page).prev = ptr::null_mut();
            (*page).next = head;
            if !head.is_null() {
                (*head).prev = page;
            }
            (*page).listed = true;
            self.room[class] = page;
        }
    }

    fn unlist(&mut self, page: *mut Page) {
        // SAFETY: `page` is in the list of its class; neighbours in a list are headers of live pages.
        unsafe {
            let (prev, next) = ((*page).prev, (*page).next);
            if prev.is_null() {
                self.room[usize::from((*page).class)] = next;
            } else {
                (*prev).next = next;
            }
            if !next.is_null() {
                (*next).prev = prev;
            }
            (*page).listed = false;
        }
    }

    fn list_empty(&mut self, page: *mut Page) {
        // SAFETY: `page` is the header of a mapped page in no list, and so is the head of the list.
        unsafe {
            (*page).prev = ptr::null_mut();
            (*page).next = self.empty;
            if !self.empty.is_null() {
                (*self.empty).prev = page;
            }
        }
        self.empty = page;
    }

    fn unlist_empty(&mut self, page: *mut Page) {
        // SAFETY: `page` is in the list of empty pages, whose members are headers of mapped pages.
        unsafe {
            let (prev, next) = ((*page).prev, (*page).next);
            if prev.is_null() {
                self.empty = next;
            } else {
                (*prev).next = next;
            }
            if !next.is_null() {
                (*next).prev = prev;
            }
        }
    }

    /// A page has become empty: it may serve any class, and its chunk may go.
    #[cold]
    #[inline(never)]
    fn retire(&mut self, page: *mut Page) {
        // SAFETY: `page` is the header of a live page; it is listed if it had room before its last block came back, unless its chunk
        // is being emptied.
        let chunk = unsafe {
            if (*page).is_draining {
                return self.page_drained((*page).chunk as usize);
            }
            if (*page).listed {
                self.unlist(page);
            }
            (*page).chunk as usize
        };
        self.list_empty(page);
        let slot = self.chunks[chunk].as_mut().expect("a live page has a chunk");
        slot.live -= 1;
        if slot.live == 0 {
            self.idle_chunks += 1;
            if self.idle_chunks > 1 && chunk != self.newest {
                self.release(chunk);
            }
        }
    }

    /// Unmaps a chunk all of whose pages are empty.
    fn release(&mut self, index: usize) {
        let chunk = self.chunks[index].take().expect("released once");
        self.idle_chunks -= 1;
        for nth in 0..chunk.touched as usize {
            // SAFETY: touched pages of a chunk without live ones are in the list of empty pages, as are their neighbours.
            unsafe {
                self.unlist_empty(chunk.base.add(nth * PAGE).cast::<Page>());
            }
        }
        self.mapped -= chunk.size;
        self.pager.unmap(chunk);
    }

    fn map_chunk(&mut self) -> Chunk {
        let size = if self.mapped < HUGE_FROM { SMALL_CHUNK } else { HUGE_CHUNK };
        self.mapped += size;
        Chunk { base: map(size), size, touched: 0, live: 0, is_chosen: false }
    }

    /// A page for a class to use, in no list, its chunk noted.
    fn empty_page(&mut self) -> *mut Page {
        let page = self.empty;
        if !page.is_null() {
            // SAFETY: pages in the list of empty ones are live.
            unsafe {
                self.unlist_empty(page);
                let chunk = self.chunks[(*page).chunk as usize].as_mut().expect("an empty page has a chunk");
                self.idle_chunks -= usize::from(chunk.live == 0);
                chunk.live += 1;
            }
            return page;
        }
        let full = |chunk: &Option<Chunk>| chunk.as_ref().is_none_or(|c| c.touched as usize == c.size / PAGE);
        if self.chunks.get(self.newest).is_none_or(full) {
            let chunk = match self.next.take() {
                Some(chunk) => chunk,
                None => self.map_chunk(),
            };
            self.newest = match self.chunks.iter().position(Option::is_none) {
                Some(place) => place,
                None => {
                    self.chunks.push(None);
                    self.chunks.len() - 1
                }
            };
            self.chunks[self.newest] = Some(chunk);
            self.idle_chunks += 1;
        }
        let newest = self.newest;
        let chunk = self.chunks[newest].as_mut().expect("just made or just found");
        self.idle_chunks -= usize::from(chunk.live == 0);
        // SAFETY: page number `touched` lies within the chunk and was never handed out.
        let page = unsafe { chunk.base.add(chunk.touched as usize * PAGE).cast::<Page>() };
        chunk.touched += 1;
        chunk.live += 1;
        let pages = chunk.size / PAGE;
        if chunk.touched as usize == pages - pages / PREPARE_AT && self.next.is_none() {
            let next = self.map_chunk();
            self.pager.populate(&next);
            self.next = Some(next);
        }
        // SAFETY: the page is mapped, ours alone, and aligned as a page.
        unsafe { (*page).chunk = newest as u32 };
        page
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        note(-(self.used as i64));
        let chunks = self.chunks.drain(..).flatten().chain(self.next.take());
        if self.mapped > UNMAP_AT_ONCE {
            chunks.for_each(|chunk| self.pager.unmap(chunk));
        } else {
            chunks.for_each(|chunk| unmap(&chunk));
        }
    }
}

enum Job {
    /// Touch every page at this address, of so many bytes.
    Populate(usize, usize),
    Unmap(Chunk),
}

// SAFETY: a chunk is an address and figures; who has the value is the only one to use it.
unsafe impl Send for Chunk {}

/// A thread that does what takes the kernel long. It starts with the first job and ends with the last arena that knows it.
#[derive(Clone, Default)]
pub(in crate::keyspace) struct Pager(Arc<OnceLock<Option<Sender<Job>>>>);

impl Pager {
    fn send(&self, job: Job) -> Result<(), Job> {
        match self.0.get_or_init(start_pager) {
            Some(thread) => thread.send(job).map_err(|refused| refused.0),
            None => Err(job),
        }
    }

    /// Has the chunk populated soon. Whether that happens makes no difference but in time.
    fn populate(&self, chunk: &Chunk) {
        let _ = self.send(Job::Populate(chunk.base as usize, chunk.size));
    }

    fn unmap(&self, chunk: Chunk) {
        if let Err(Job::Unmap(chunk)) = self.send(Job::Unmap(chunk)) {
            unmap(&chunk);
        }
    }
}

fn start_pager() -> Option<Sender<Job>> {
    let (sender, receiver) = unbounded();
    let run = move || {
        for job in receiver {
            match job {
                Job::Populate(base, size) => populate(base, size),
                Job::Unmap(chunk) => unmap(&chunk),
            }
        }
    };
    thread::Builder::new().name("pager".into()).spawn(run).ok()?;
    Some(sender)
}

#[cfg(all(target_os = "linux", not(miri)))]
fn populate(base: usize, size: usize) {
    // SAFETY: this makes pages present and changes no byte in them. Should the chunk have been unmapped meanwhile, it
    // fails, or does the same to whatever is mapped there now. Kernels before 5.14 refuse it.
    unsafe {
        libc::madvise(base as *mut libc::c_void, size, libc::MADV_POPULATE_WRITE);
    }
}

#[cfg(any(not(target_os = "linux"), miri))]
fn populate(_base: usize, _size: usize) {}

fn large_layout(size: usize) -> Layout {
    Layout::from_size_align(rounded(size), 64).expect("values are bounded far below the address space")
}

#[cold]
#[inline(never)]
fn alloc_large(size: usize) -> NonNull<u8> {
    let layout = large_layout(size);
    // SAFETY: the size is not zero.
    NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

/// # Safety
/// `block` came from `alloc_large(size)`.
#[cold]
#[inline(never)]
unsafe fn free_large(block: NonNull<u8>, size: usize) {
    // SAFETY: the caller's promise, and the layout is the same function of the size.
    unsafe { dealloc(block.as_ptr(), large_layout(size)) }
}

/// Miri's own memory instead of mapped memory, of which it cannot give parts back.
#[cfg(miri)]
fn map(size: usize) -> *mut u8 {
    let layout = Layout::from_size_align(size, size.next_power_of_two()).expect("constants");
    // SAFETY: the size is not zero.
    unsafe { std::alloc::alloc_zeroed(layout) }
}

#[cfg(miri)]
fn unmap(chunk: &Chunk) {
    let layout = Layout::from_size_align(chunk.size, chunk.size.next_power_of_two()).expect("constants");
    // SAFETY: the chunk came from `map` with this size, and whoever calls this forgets it.
    unsafe { dealloc(chunk.base.cast(), layout) }
}

/// Maps `size` bytes aligned to the next power of two of `size`, at least a page.
#[cfg(not(miri))]
fn map(size: usize) -> *mut u8 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // Twice as much always contains an aligned piece; the rest is given back at once.
    let span = size * 2;
    // SAFETY: an anonymous mapping at no particular address touches nothing of ours; the pieces unmapped are parts of it
    // that nobody has seen.
    unsafe {
        let raw = libc::mmap(ptr::null_mut(), span, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if raw == libc::MAP_FAILED {
            handle_alloc_error(Layout::from_size_align(size, PAGE).expect("constants"));
        }
        let start = raw as usize;
        let base = start.next_multiple_of(size);
        if base > start {
            libc::munmap(raw, base - start);
        }
        let end = base + size;
        if start + span > end {
            libc::munmap(end as *mut libc::c_void, start + span - end);
        }
        if size == HUGE_CHUNK {
            #[cfg(target_os = "linux")]
            libc::madvise(base as *mut libc::c_void, size, libc::MADV_HUGEPAGE);
        }
        base as *mut u8
    }
}

#[cfg(not(miri))]
fn unmap(chunk: &Chunk) {
    // SAFETY: the chunk was mapped by `map` with this size, and whoever calls this forgets it.
    unsafe {
        libc::munmap(chunk.base.cast(), chunk.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Rng, steps};

    #[test]
    fn classes_step_by_eight_and_waste_little() {
        assert_eq!([1, 8, 9, 24, 25, 40, 512].map(rounded), [8, 8, 16, 24, 32, 40, 512]);
        assert_eq!([513, 1024, 4032, 8128].map(rounded), [576, 1024, 4032, 8128]);
        for size in (1..=MAX_CLASS).step_by(steps(1, 61) as usize) {
            let (got, class) = (rounded(size), class_of(size));
            assert_eq!(got, usize::from(COARSE.1[class]));
            assert!(got >= size && (class == 0 || usize::from(COARSE.1[class - 1]) < size), "{size}");
            assert!(got - size < 8 || got - size < 64 + size / 7, "{size} takes {got}");
        }
        for &size in &COARSE.1 {
            let size = usize::from(size);
            assert!((PAGE - HEADER) % size <= PAGE / 12, "a page of {size} wastes too much");
        }
        assert_eq!(rounded(8129), 8192);
    }

    #[test]
    fn blocks_never_overlap_and_are_aligned() {
        let mut rng = Rng::seeded(5);
        let mut arena = Arena::new(Pager::default());
        let mut live: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
        let mut expected = 0;
        let many = steps(40_000, 400);
        for step in 0..many {
            if rng.percent(if step < many / 8 * 5 { 60 } else { 30 }) || live.is_empty() {
                let size = match rng.below(20) {
                    0 => rng.between(1, 20_000),
                    1..=4 => rng.between(1, 5000),
                    _ => rng.between(1, 120),
                } as usize;
                let block = arena.alloc(size);
                let fill = step as u8;
                assert_eq!(block.as_ptr() as usize % 8, 0);
                if rounded(size).is_multiple_of(64) {
                    assert_eq!(block.as_ptr() as usize % 64, 0);
                }
                // SAFETY: the block has `size` bytes.
                unsafe { block.as_ptr().write_bytes(fill, size) };
                live.push((block, size, fill));
                expected += if size <= MAX_CLASS { rounded(size) } else { 0 };
            } else {
                let (block, size, fill) = live.swap_remove(rng.below(live.len() as u64) as usize);
                // SAFETY: a live block of `size` bytes, freed once.
                unsafe {
                    let bytes = std::slice::from_raw_parts(block.as_ptr(), size);
                    assert!(bytes.iter().all(|&b| b == fill), "a block of {size} was overwritten");
                    arena.free(block, size);
                }
                expected -= if size <= MAX_CLASS { rounded(size) } else { 0 };
            }
            assert_eq!(arena.used(), expected);
        }
        for (block, size, _) in live {
            // SAFETY: as above.
            unsafe { arena.free(block, size) };
        }
        assert_eq!(arena.used(), 0);
        assert!(arena.chunks.iter().flatten().count() <= 2, "empty chunks are unmapped");
    }
}
