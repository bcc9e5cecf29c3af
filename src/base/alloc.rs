//! The global allocator: mimalloc, with the bytes in use counted.
//!
//! `used_memory` must be right at any moment, because `maxmemory` acts on it, and it must cost next to nothing, because
//! every allocation pays for it. So each thread adds to a counter of its own with plain loads and stores, no locked
//! instruction; reading the total sums the counters. What is counted is what the allocator really hands out: sizes
//! rounded up to its classes.
//!
//! Counters are handed to threads in the order in which they first allocate and are not handed back. The program has a
//! handful of long-lived threads; should more than [`COUNTERS`] ever exist, the late ones share the last counter and
//! pay for an atomic addition.
//!
//! The allocator does not ask the system for huge pages (`no_thp`). Their first touch clears two megabytes at once; in a virtual machine
//! whose host had to find that memory first, it was seen to take four milliseconds, and the thread that touches is the event loop. Small
//! pages cost no more processor time there. The arena of the keyspace has huge pages, and a thread that touches them ahead.
//!
//! A thread may free what another allocated, so a single counter can go below zero; only the sum has a meaning. Memory
//! that does not come from here (the arena of the keyspace maps its own) is added with [`note`].

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use mimalloc::MiMalloc;

/// How many threads count without atomic additions. Tests have a thread each, and some look at their own counter.
const COUNTERS: usize = if cfg!(test) { 8192 } else { 64 };

/// One counter on a cache line of its own.
#[repr(align(64))]
struct Counter(AtomicI64);

static USED: [Counter; COUNTERS] = [const { Counter(AtomicI64::new(0)) }; COUNTERS];
static PEAK: AtomicUsize = AtomicUsize::new(0);
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Constant and without destructor, so that reading it never allocates.
    static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Adds `bytes` (negative when freed) to the memory in use.
#[inline]
pub fn note(bytes: i64) {
    // A thread that is being torn down has no MINE any more and shares the last counter.
    let mine = MINE.try_with(|mine| if mine.get() == usize::MAX { first_use(mine) } else { mine.get() });
    match mine {
        Ok(index) if index < COUNTERS - 1 => {
            // Only this thread writes this counter.
            let counter = &USED[index].0;
            counter.store(counter.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
        }
        _ => {
            USED[COUNTERS - 1].0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

#[cold]
fn first_use(mine: &Cell<usize>) -> usize {
    let index = NEXT.fetch_add(1, Ordering::Relaxed).min(COUNTERS - 1);
    mine.set(index);
    index
}

/// Bytes in use, as INFO's `used_memory` reports them.
pub fn used_memory() -> usize {
    let in_use = NEXT.load(Ordering::Relaxed).min(COUNTERS - 1);
    // The last one is shared by those that have none.
    let counters = USED[..in_use].iter().chain(&USED[COUNTERS - 1..]);
    let sum: i64 = counters.map(|counter| counter.0.load(Ordering::Relaxed)).sum();
    sum.max(0) as usize
}

/// The most that [`observe_peak`] has seen.
pub fn peak_memory() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// Bytes in use, noted for the peak; called once per turn of the loop and before the peak is shown.
pub fn observe_peak() -> usize {
    let used = used_memory();
    PEAK.fetch_max(used, Ordering::Relaxed);
    used
}

/// Starts the peak anew from what is in use now.
pub fn reset_peak() {
    PEAK.store(used_memory(), Ordering::Relaxed);
}

/// What mimalloc hands out for a request of `size` bytes: multiples of 16 up to 64, then four classes per doubling, and
/// whole pages for large blocks. A request larger than a class of the allocator's own rounding would only be counted a
/// little low; a test compares this with the real figures.
#[inline]
pub const fn rounded(size: usize) -> usize {
    if size <= 8 {
        8
    } else if size <= 64 {
        size.next_multiple_of(16)
    } else if size <= LARGE {
        let step = 1 << ((size - 1).ilog2() - 2);
        size.next_multiple_of(step)
    } else {
        size.next_multiple_of(4096)
    }
}

/// Blocks beyond this come in whole pages.
const LARGE: usize = 512 * 1024;

/// mimalloc, counting.
pub struct Counting;

// Miri cannot run C.
#[cfg_attr(not(miri), global_allocator)]
#[cfg_attr(miri, allow(dead_code))]
static GLOBAL: Counting = Counting;

// SAFETY: every call is handed to mimalloc unchanged and its answer returned unchanged, so its guarantees are ours. The
// counting neither allocates nor panics: `MINE` is a constant thread-local without destructor, additions of sizes of live
// blocks cannot overflow an i64.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that mimalloc asks for.
        let block = unsafe { MiMalloc.alloc(layout) };
        if !block.is_null() {
            note(rounded(layout.size()) as i64);
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        let block = unsafe { MiMalloc.alloc_zeroed(layout) };
        if !block.is_null() {
            note(rounded(layout.size()) as i64);
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(-(rounded(layout.size()) as i64));
        // SAFETY: `block` came from `alloc` with this layout, hence from mimalloc.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as for `dealloc`; the caller has checked that `new_size` fits a layout.
        let moved = unsafe { MiMalloc.realloc(block, layout, new_size) };
        if !moved.is_null() {
            note(rounded(new_size) as i64 - rounded(layout.size()) as i64);
        }
        moved
    }
}

/// What this thread has allocated and not freed. Meaningful as a difference, unless there are very many threads.
#[cfg(test)]
pub fn used_by_this_thread() -> i64 {
    USED[MINE.with(Cell::get).min(COUNTERS - 1)].0.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn what_is_allocated_is_counted_and_given_back() {
        drop(black_box(Box::new(1u8)));
        // Other tests run in other threads; this thread's own counter is undisturbed unless it is the shared one.
        if MINE.with(Cell::get) >= COUNTERS - 1 {
            return;
        }
        let before = used_by_this_thread();
        let block = black_box(vec![0u8; 100_000]);
        assert_eq!(used_by_this_thread() - before, rounded(100_000) as i64);
        drop(block);
        assert_eq!(used_by_this_thread(), before);
        note(40);
        note(-40);
        assert_eq!(used_by_this_thread(), before);
    }

    #[test]
    fn sizes_are_rounded_to_the_allocators_classes() {
        assert_eq!([1, 8, 9, 24, 40, 64].map(rounded), [8, 8, 16, 32, 48, 64]);
        assert_eq!([65, 100, 129, 161, 1025].map(rounded), [80, 112, 160, 192, 1280]);
        assert_eq!(rounded(1_000_001), 1_003_520);
    }

    #[test]
    fn the_rounding_is_that_of_the_allocator() {
        unsafe extern "C" {
            fn mi_good_size(size: usize) -> usize;
        }
        let large = [LARGE - 1, LARGE, LARGE + 1, 1 << 20, 3_000_000, 100_000_001];
        for size in (1..70_000).chain((70_000..600_000).step_by(997)).chain(large) {
            // SAFETY: a pure function of mimalloc, which is linked.
            assert_eq!(rounded(size), unsafe { mi_good_size(size) }, "{size}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_allocator_asks_for_no_huge_pages() {
        let block = black_box(vec![1u8; 4 << 20]);
        let address = block.as_ptr() as usize;
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut lines = smaps.lines().skip_while(|line| {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let bounds = range.and_then(|(from, to)| {
                Some(usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?)
            });
            !bounds.is_some_and(|bounds| bounds.contains(&address))
        });
        let flags = lines.find(|line| line.starts_with("VmFlags:")).expect("the block is mapped");
        assert!(flags.contains(" rd ") && !flags.contains(" hg"), "{flags}");
    }

    #[test]
    fn the_peak_never_lags_behind() {
        let block = black_box(vec![0u8; 50_000_000]);
        let used = observe_peak();
        assert!(used >= 50_000_000 && used <= peak_memory());
        drop(block);
        assert!(peak_memory() >= used);
    }
}
