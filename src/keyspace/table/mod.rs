//! The table of one database. A simple form for now: 1024 segments by hash prefix, each a list.

use bytes::Bytes;

use super::entry::{Entry, EntryRef, Value, value_of};
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::data::string::NewStr;

const SEGMENTS: usize = 1024;

/// Where an entry is. Good until the table changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loc {
    segment: usize,
    slot: usize,
}

#[derive(Default)]
struct Segment {
    version: u64,
    entries: Vec<Entry>,
}

/// The entries of one segment, as a snapshot sees them.
#[derive(Clone, Copy)]
pub struct SegmentView<'a>(&'a [Entry]);

impl<'a> SegmentView<'a> {
    /// The entries, in no order.
    pub fn iter(self) -> impl Iterator<Item = EntryRef<'a>> {
        self.0.iter().map(EntryRef)
    }

    /// How many entries there are.
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

pub(super) struct Table {
    segments: Vec<Segment>,
    len: usize,
    expires: usize,
    expiry_sum: i128,
}

fn segment_of(hash: u64) -> usize {
    (hash >> 54) as usize
}

fn shared(value: Value) -> Option<Bytes> {
    match value {
        Value::Shared(bytes) => Some(bytes),
        _ => None,
    }
}

impl Table {
    pub fn new(version: u64) -> Table {
        let segments = (0..SEGMENTS).map(|_| Segment { version, entries: Vec::new() }).collect();
        Table { segments, len: 0, expires: 0, expiry_sum: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn expires_len(&self) -> usize {
        self.expires
    }

    /// Sum of all expiry times, for the average time to live.
    pub fn expiry_sum(&self) -> i128 {
        self.expiry_sum
    }

    pub fn reserve(&mut self, _keys: usize) {}

    pub fn prefetch_bucket(&self, _hash: u64) {}

    pub fn prefetch_entry(&self, _hash: u64) {}

    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Loc> {
        let segment = segment_of(hash);
        let slot = self.segments[segment].entries.iter().position(|entry| *entry.key == *key)?;
        Some(Loc { segment, slot })
    }

    pub fn entry(&self, loc: Loc) -> EntryRef<'_> {
        EntryRef(&self.segments[loc.segment].entries[loc.slot])
    }

    pub fn set_recency(&mut self, loc: Loc, recency: u32) {
        self.segments[loc.segment].entries[loc.slot].recency = recency;
    }

    fn count_expiry(&mut self, old: Option<UnixMillis>, new: Option<UnixMillis>) {
        self.expires = self.expires + usize::from(new.is_some()) - usize::from(old.is_some());
        self.expiry_sum += i128::from(new.map_or(0, |t| t.0)) - i128::from(old.map_or(0, |t| t.0));
    }

    pub fn insert(&mut self, hash: u64, key: &[u8], new: NewStr<'_>, expiry: Option<UnixMillis>, recency: u32) {
        let (value, edited) = value_of(new);
        self.segments[segment_of(hash)].entries.push(Entry { key: key.into(), value, edited, expiry, recency });
        self.len += 1;
        self.count_expiry(None, expiry);
    }

    pub fn replace(&mut self, loc: Loc, new: NewStr<'_>, expiry: Option<UnixMillis>, recency: u32) -> Option<Bytes> {
        let (value, edited) = value_of(new);
        let entry = &mut self.segments[loc.segment].entries[loc.slot];
        let old = std::mem::replace(&mut entry.expiry, expiry);
        let old_value = std::mem::replace(&mut entry.value, value);
        (entry.edited, entry.recency) = (edited, recency);
        self.count_expiry(old, expiry);
        shared(old_value)
    }

    pub fn set_expiry(&mut self, loc: Loc, expiry: Option<UnixMillis>) {
        let old = std::mem::replace(&mut self.segments[loc.segment].entries[loc.slot].expiry, expiry);
        self.count_expiry(old, expiry);
    }

    /// The value's bytes, at least `min_len` of them, to be edited in place.
    pub fn edit_bytes<R>(&mut self, loc: Loc, min_len: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
        let entry = &mut self.segments[loc.segment].entries[loc.slot];
        let mut bytes = EntryRef(entry).value().to_vec();
        bytes.resize(bytes.len().max(min_len), 0);
        let result = f(&mut bytes);
        (entry.value, entry.edited) = (Value::Inline(bytes), true);
        result
    }

    pub fn remove(&mut self, loc: Loc) -> Option<Bytes> {
        let entry = self.segments[loc.segment].entries.swap_remove(loc.slot);
        self.len -= 1;
        self.count_expiry(entry.expiry, None);
        shared(entry.value)
    }

    /// The segment that a write to `hash` will alter, if it is older than `epoch`. It is then stamped.
    pub fn seal(&mut self, hash: u64, epoch: u64) -> Option<SegmentView<'_>> {
        let segment = &mut self.segments[segment_of(hash)];
        if segment.version >= epoch {
            return None;
        }
        segment.version = epoch;
        Some(SegmentView(&segment.entries))
    }

    /// The segment at `position` of the hash space, and the position after it (`None` at the end).
    pub fn segment_at(&self, position: u64) -> (SegmentView<'_>, Option<u64>) {
        let index = segment_of(position);
        let next = (index + 1 < SEGMENTS).then_some((index as u64 + 1) << 54);
        (SegmentView(&self.segments[index].entries), next)
    }

    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(EntryRef<'_>)) -> u64 {
        let (mut index, mut seen) = (cursor as usize, 0);
        while index < SEGMENTS && seen < count {
            seen += self.segments[index].entries.len();
            self.segments[index].entries.iter().for_each(|entry| visit(EntryRef(entry)));
            index += 1;
        }
        if index < SEGMENTS { index as u64 } else { 0 }
    }

    pub fn random(&self, rng: &mut Rng) -> Option<Loc> {
        let mut nth = rng.below(self.len as u64) as usize;
        for (segment, s) in self.segments.iter().enumerate() {
            if nth < s.entries.len() {
                return Some(Loc { segment, slot: nth });
            }
            nth -= s.entries.len();
        }
        None
    }

    /// Gives `visit` keys whose time is over at `now`, from `position` on, until it says stop.
    pub fn expired(
        &mut self,
        now: UnixMillis,
        position: u64,
        more: &mut dyn FnMut() -> bool,
        out: &mut Vec<u8>,
        ends: &mut Vec<usize>,
    ) -> Option<u64> {
        let mut index = segment_of(position);
        while index < SEGMENTS {
            for entry in &self.segments[index].entries {
                if entry.expiry.is_some_and(|when| now > when) {
                    out.extend_from_slice(&entry.key);
                    ends.push(out.len());
                }
            }
            index += 1;
            if !ends.is_empty() || !more() {
                break;
            }
        }
        (index < SEGMENTS).then_some((index as u64) << 54)
    }
}
