//! Emptying chunks that are mostly gaps, so that they can be unmapped.
//!
//! Removing keys at random leaves gaps everywhere: hardly a page becomes empty, hardly a chunk goes. Gaps are used again by blocks of
//! their size, but not by anybody else. So, when asked to, the arena looks how full each chunk is, chooses the emptiest, and whoever
//! knows the blocks in them moves those elsewhere:
//!
//! ```text
//!  survey    how full is each chunk, some at a time; then the emptiest are chosen, no more than can be moved without taking much
//!  drain     nothing is handed out from a chosen chunk any more; its last block takes it along
//!  settle    what could not be emptied serves again
//! ```

#![allow(unsafe_code)]

use std::ptr::NonNull;

use super::{Arena, MAX_CLASS, PAGE, Page, page_of};

/// Chunks looked at in one step of the survey: some 50 µs.
const SURVEYED: usize = 16;
/// A chunk fuller than this, in per cent, would be much copying for little memory.
const WORTH_BELOW: usize = 80;
/// Blocks of at most one part in this many of the arena are moved in one go: that much more it takes meanwhile.
const MOVED_PART: usize = 8;

/// How far the survey has come.
#[derive(Debug, Default)]
pub(super) struct Survey {
    next: usize,
    /// The chunks that are worth emptying: how full in per cent, and which.
    candidates: Vec<(usize, usize)>,
}

impl Arena {
    /// Bytes mapped.
    pub fn mapped(&self) -> usize {
        self.mapped
    }

    /// Goes on with the survey. When it is over: whether there is a chunk to be emptied.
    pub fn survey(&mut self) -> Option<bool> {
        let end = (self.survey.next + SURVEYED).min(self.chunks.len());
        for index in self.survey.next..end {
            let Some(used) = self.used_of(index) else { continue };
            let size = self.chunks[index].as_ref().map_or(0, |chunk| chunk.size);
            if index != self.newest && used > 0 && used * 100 < size * WORTH_BELOW {
                self.survey.candidates.push((used * 100 / size, index));
            }
        }
        self.survey.next = end;
        if end < self.chunks.len() {
            return None;
        }
        let mut candidates = std::mem::take(&mut self.survey).candidates;
        candidates.sort_unstable();
        let mut room = self.mapped / MOVED_PART;
        let mut is_any = false;
        for (percent, index) in candidates {
            let Some(chunk) = self.chunks[index].as_mut() else { continue };
            let used = chunk.size / 100 * percent;
            if is_any && used > room {
                break;
            }
            room = room.saturating_sub(used);
            chunk.is_chosen = true;
            is_any = true;
        }
        Some(is_any)
    }

    /// Bytes of blocks handed out from a chunk.
    fn used_of(&self, index: usize) -> Option<usize> {
        let chunk = self.chunks[index].as_ref()?;
        let pages = (0..chunk.touched as usize).map(|nth| {
            // SAFETY: touched pages of a mapped chunk have headers.
            let page = unsafe { &*chunk.base.add(nth * PAGE).cast::<Page>() };
            page.live as usize * page.block as usize
        });
        Some(pages.sum())
    }

    /// Whether the block at `block`, of which `size` bytes were asked for, is in a chunk that is to be emptied.
    ///
    /// # Safety
    /// It came from `alloc(size)` of this arena and was not given back.
    pub unsafe fn is_draining(&mut self, block: NonNull<u8>, size: usize) -> bool {
        if size > MAX_CLASS {
            return false;
        }
        let page = page_of(block);
        // SAFETY: blocks of this size lie in pages, whose headers are at multiples of PAGE; a page with a live block is mapped.
        let (is_draining, index) = unsafe { ((*page).is_draining, (*page).chunk as usize) };
        if is_draining {
            return true;
        }
        // A chunk that has become the newest since is filled, not emptied.
        let is_chosen = self.chunks[index].as_ref().is_some_and(|chunk| chunk.is_chosen) && index != self.newest;
        if is_chosen {
            self.drain(index);
        }
        is_chosen
    }

    /// From here on nothing is handed out from this chunk.
    fn drain(&mut self, index: usize) {
        let Some(chunk) = &self.chunks[index] else { return };
        let (base, touched) = (chunk.base, chunk.touched as usize);
        for nth in 0..touched {
            // SAFETY: touched pages of a mapped chunk have headers; an empty one is in the list of those, one with room in that
            // of its class, a full one in none.
            unsafe {
                let page = base.add(nth * PAGE).cast::<Page>();
                if (*page).live == 0 {
                    self.unlist_empty(page);
                } else if (*page).listed {
                    self.unlist(page);
                }
                (*page).is_draining = true;
            }
        }
    }

    /// The last block of a page of such a chunk came back.
    #[cold]
    pub(super) fn page_drained(&mut self, index: usize) {
        let chunk = self.chunks[index].as_mut().expect("a live page has a chunk");
        chunk.live -= 1;
        if chunk.live == 0 {
            let chunk = self.chunks[index].take().expect("just seen");
            self.mapped -= chunk.size;
            self.pager.unmap(chunk);
        }
    }

    /// Ends this round: what is left of the chosen chunks serves again.
    pub fn settle(&mut self) {
        self.survey = Survey::default();
        for index in 0..self.chunks.len() {
            let Some(chunk) = self.chunks[index].as_mut() else { continue };
            if !std::mem::take(&mut chunk.is_chosen) {
                continue;
            }
            let (base, touched) = (chunk.base, chunk.touched as usize);
            for nth in 0..touched {
                // SAFETY: as in `drain`; a page of a draining chunk is in no list.
                unsafe {
                    let page = base.add(nth * PAGE).cast::<Page>();
                    if !std::mem::take(&mut (*page).is_draining) {
                        continue;
                    }
                    if (*page).live == 0 {
                        self.list_empty(page);
                    } else if !(*page).free.is_null() || (*page).fresh < (*page).end {
                        self.list(page);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pager;
    use super::*;
    use crate::base::rng::{Rng, steps};

    /// What is left in random places moves together, a part in each round; then nothing is worth moving.
    #[test]
    fn gaps_close_round_by_round() {
        let mut rng = Rng::seeded(9);
        let mut arena = Arena::new(Pager::default());
        let mut live: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
        for nth in 0..steps(60_000, 1500) {
            let size = [24, 120, 576, 9000][rng.below(200) as usize * 4 / 201];
            let (block, fill) = (arena.alloc(size), nth as u8);
            // SAFETY: the block has `size` bytes.
            unsafe { block.as_ptr().write_bytes(fill, size) };
            live.push((block, size, fill));
        }
        for _ in 0..live.len() / 10 * 9 {
            let (block, size, _) = live.swap_remove(rng.below(live.len() as u64) as usize);
            // SAFETY: a live block of `size` bytes, freed once.
            unsafe { arena.free(block, size) };
        }
        let (used, before) = (arena.used(), arena.mapped());
        for _ in 0..steps(40, 4) {
            let mut most = arena.mapped();
            let is_any = loop {
                if let Some(is_any) = arena.survey() {
                    break is_any;
                }
            };
            if !is_any {
                break;
            }
            let limit = most + most / MOVED_PART + 2 * 256 * 1024;
            for (block, size, fill) in &mut live {
                // SAFETY: a live block of `size` bytes, freed once, after its bytes were copied.
                unsafe {
                    if arena.is_draining(*block, *size) {
                        let target = arena.alloc(*size);
                        std::ptr::copy_nonoverlapping(block.as_ptr(), target.as_ptr(), *size);
                        arena.free(*block, *size);
                        *block = target;
                    }
                    let bytes = std::slice::from_raw_parts(block.as_ptr(), *size);
                    assert!(bytes.iter().all(|byte| byte == fill));
                }
                most = most.max(arena.mapped());
            }
            assert!(most <= limit, "{most} of {limit} in one round");
            arena.settle();
            assert_eq!(arena.used(), used);
        }
        assert!(
            cfg!(miri) || arena.mapped() < used * 2 && arena.mapped() * 4 < before,
            "{used} {before} {}",
            arena.mapped()
        );
        for (block, size, _) in live {
            // SAFETY: a live block of `size` bytes, freed once.
            unsafe { arena.free(block, size) };
        }
        assert_eq!(arena.used(), 0);
    }
}
