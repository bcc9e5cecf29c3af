//! A byte string that is owned through a thin pointer: its first four bytes say how long it is.
//!
//! A `Vec<u8>` is three words, a `Box<[u8]>` two. A million small hashes feel the difference, and the length is in the
//! listpack's header anyway. The capacity needs no field either: it is a function of the length, [`capacity`], whose
//! steps are those of the allocator's size classes. So an insertion allocates only when it leaves its class (growth by at
//! least a fifth, so appending costs constant time on average), and what the allocator hands out is used.

#![allow(unsafe_code)]

use std::alloc::{self, Layout, handle_alloc_error};
use std::ptr::{self, NonNull};
use std::slice;

use crate::base::limits::LISTPACK_MAX;

/// Longest block. Redis lets a single element of just under the limit make a listpack that is a few bytes over it; such
/// a one from a file is accepted.
pub(super) const BLOCK_MAX: usize = LISTPACK_MAX + 64;

/// Bytes of the length in front.
const LENGTH: usize = 4;

/// Invariant: the pointer is to an allocation of `layout(len)`, exclusively owned, where `len` is the little-endian number in
/// its first four bytes; `LENGTH <= len <= BLOCK_MAX`, and the first `len` bytes are initialised.
pub(super) struct Block(NonNull<u8>);

// SAFETY: a block owns plain bytes and shares nothing; a shared reference only reads them.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

/// Bytes allocated for a block of `len` bytes: a multiple of 8 up to 64, then four steps per doubling.
pub(super) fn capacity(len: usize) -> usize {
    if len <= 64 {
        return len.next_multiple_of(8);
    }
    len.next_multiple_of(1 << ((len - 1).ilog2() - 2))
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(capacity(len), 1).expect("blocks are at most BLOCK_MAX long")
}

impl Block {
    /// A block with this content; the first four bytes of `bytes` are replaced by the length. Panics when `bytes` is
    /// shorter than that or longer than [`BLOCK_MAX`].
    pub(super) fn new(bytes: &[u8]) -> Block {
        assert!((LENGTH..=BLOCK_MAX).contains(&bytes.len()), "a block of {} bytes", bytes.len());
        let layout = layout(bytes.len());
        // SAFETY: the layout is not empty, as there are at least four bytes.
        let Some(at) = NonNull::new(unsafe { alloc::alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the allocation has room for `bytes.len() <= capacity` bytes and is not the memory of `bytes`. With the
        // length written, all of the invariant holds.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), at.as_ptr(), bytes.len());
            let mut block = Block(at);
            block.set_len(bytes.len());
            block
        }
    }

    #[inline]
    pub(super) fn address(&self) -> *const u8 {
        self.0.as_ptr()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        // SAFETY: the first four bytes are there and initialised.
        u32::from_le(unsafe { self.0.as_ptr().cast::<u32>().read_unaligned() }) as usize
    }

    /// # Safety
    /// The block must have the layout of `len`, and its first `len` bytes, but for the length itself, be initialised.
    #[inline]
    unsafe fn set_len(&mut self, len: usize) {
        // SAFETY: the first four bytes are part of every block.
        unsafe { self.0.as_ptr().cast::<u32>().write_unaligned((len as u32).to_le()) }
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialised, and are not written while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.0.as_ptr(), self.len()) }
    }

    /// Overwrites bytes behind the length.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let len = self.len();
        assert!(at >= LENGTH && at <= len && bytes.len() <= len - at, "{} bytes at {at} of {len}", bytes.len());
        // SAFETY: the target lies within the initialised bytes and does not touch the length; `bytes` is other memory, since
        // `self` is borrowed exclusively.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_ptr().add(at), bytes.len()) }
    }

    /// Replaces `removed` bytes at `at` (behind the length) by `parts`, one after the other. Panics, with the block
    /// unchanged, when it would become longer than [`BLOCK_MAX`].
    pub(super) fn splice(&mut self, at: usize, removed: usize, parts: [&[u8]; 3]) {
        let old = self.len();
        assert!(at >= LENGTH && at <= old && removed <= old - at, "{removed} bytes at {at} of {old}");
        let added: usize = parts.iter().map(|part| part.len()).sum();
        let new = old - removed + added;
        assert!(new <= BLOCK_MAX, "a listpack of {new} bytes");

        let (had, needs) = (layout(old), layout(new));
        if needs.size() > had.size() {
            // SAFETY: the block has the layout of its old length.
            unsafe { self.resize(had, needs) }
        }
        // SAFETY: `at + removed <= old` bytes were initialised, so the tail of `old - at - removed` bytes may be read; its new
        // end is `new`, which is within both the old and the present allocation's capacity. The parts fill exactly the
        // gap `at .. at + added` before it, also within `new`; they are other memory, since `self` is borrowed
        // exclusively. Nothing here panics, so the length, which says `old` until the last line, is not looked at in between.
        unsafe {
            let base = self.0.as_ptr();
            ptr::copy(base.add(at + removed), base.add(at + added), old - at - removed);
            let mut to = base.add(at);
            for part in parts {
                ptr::copy_nonoverlapping(part.as_ptr(), to, part.len());
                to = to.add(part.len());
            }
            if needs.size() < had.size() {
                self.resize(had, needs);
            }
            self.set_len(new);
        }
    }

    /// # Safety
    /// The block must have layout `had`. Afterwards it has `needs`; the caller sees to it that the length says so.
    unsafe fn resize(&mut self, had: Layout, needs: Layout) {
        // SAFETY: by the caller's word the block was allocated so; `needs` has the same alignment and is neither empty nor
        // beyond `isize::MAX`, as it comes from a length of 4 to BLOCK_MAX.
        let moved = unsafe { alloc::realloc(self.0.as_ptr(), had, needs.size()) };
        let Some(moved) = NonNull::new(moved) else { handle_alloc_error(needs) };
        self.0 = moved;
    }
}

impl Clone for Block {
    fn clone(&self) -> Block {
        Block::new(self.as_slice())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block is owned and has the layout of its length.
        unsafe { alloc::dealloc(self.0.as_ptr(), layout(self.len())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Rng, steps};

    #[test]
    fn capacities_grow_in_steps_and_are_never_too_small() {
        let mut before = 0;
        for len in (4..100_000).step_by(steps(1, 997) as usize) {
            let now = capacity(len);
            assert!(now >= len && now >= before && now.is_multiple_of(8), "{len}: {now} after {before}");
            assert!(now <= 64 || now * 4 <= len * 5 + 4, "{len}: {now}");
            assert_eq!(capacity(now), now);
            before = now;
        }
        assert_eq!(capacity(LISTPACK_MAX), LISTPACK_MAX);
    }

    #[test]
    fn random_splices_agree_with_a_vec() {
        for seed in 0..u64::from(steps(20, 2)) {
            let mut rng = Rng::seeded(seed);
            let mut model = vec![4, 0, 0, 0];
            let mut block = Block::new(&model);
            for _ in 0..steps(300, 60) {
                let at = 4 + rng.below(model.len() as u64 - 3) as usize;
                let removed = rng.below((model.len() - at) as u64 + 1) as usize;
                let part: Vec<u8> = (0..rng.below(200)).map(|_| rng.next_u64() as u8).collect();
                let (a, b) = part.split_at(part.len() / 3);
                block.splice(at, removed, [a, &[], b]);
                model.splice(at..at + removed, part.iter().copied());
                let len = model.len() as u32;
                model[..4].copy_from_slice(&len.to_le_bytes());
                assert_eq!(block.as_slice(), model, "seed {seed}");
                assert_eq!(block.clone().as_slice(), model);
                if model.len() > 4 {
                    let at = 4 + rng.below(model.len() as u64 - 4) as usize;
                    model[at] = 7;
                    block.write(at, &[7]);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "bytes at 3")]
    fn the_length_cannot_be_overwritten() {
        Block::new(&[0; 8]).write(3, &[1]);
    }

    #[test]
    fn a_block_is_one_word() {
        assert_eq!(size_of::<Option<Block>>(), size_of::<usize>());
    }
}
