//! What changed, as one ordered stream of bytes: the stream that replicas apply.
//!
//! A *unit* is what one client asked for: a command, or a whole EXEC. Each unit leaves zero or more entries. One entry
//! goes out bare; several go out between MULTI and EXEC, so that nobody ever sees half a unit. `SELECT n` is put before
//! an entry whenever the stream's database changes, inside the MULTI, because that is where stock servers put it.
//!
//! Entries are written straight into the stream. That a unit has a second entry is only known when it arrives; then the
//! MULTI is slipped in where the unit began. Units of several entries are rare and their bytes still warm.
//!
//! ```text
//!   … SET a 1 │ SELECT 3 · INCR b │ MULTI · DEL c · SET c 2 · EXEC │ …
//!              one entry            two entries
//! ```
//!
//! Two read the stream: the replicas and the append only file. What is for replicas alone (PUBLISH) is marked, and left out
//! of the file. What is for the file alone (a script asked for that) is no part of the stream, whose positions replicas share: it waits
//! beside it, with the position at which it belongs into the file.
//!
//! Entries lie one behind the other in buffers of [`BUFFER`] bytes, and what is drained are parts of these: whoever keeps the stream
//! and whoever sends it share them. A command that a client sent goes in as it came, which is one copy.
//!
//! Nobody listening (no replica has ever attached, no append-only file) costs one comparison: nothing is encoded.
//! Large arguments are not copied; they become chunks of their own.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::base::prefetch::{LINE, prefetch};
use crate::resp::args::Args;

/// The stream since it was last drained.
#[derive(Debug, Default)]
pub struct Journal {
    is_on: bool,
    chunks: Vec<Bytes>,
    tail: BytesMut,
    /// Bytes ever appended while on.
    written: u64,
    selected: Option<usize>,
    unit: Unit,
    /// Parts of the stream that only replicas want, in units of `written`.
    replicas_only: Vec<Range<u64>>,
    /// What only the file wants, and where it comes, in units of `written`.
    file_only: Vec<(u64, Bytes)>,
}

#[derive(Debug, Default)]
struct Unit {
    entries: usize,
    /// Where the first entry (or its SELECT) began: chunk number and offset in what was then the tail.
    chunk: usize,
    offset: usize,
    /// The same in units of `written`.
    start: u64,
    /// Replaced writes must not be wrapped: active expiry and eviction emit bare entries.
    is_bare: bool,
}

/// Room of the buffers that entries are written into.
const BUFFER: usize = 64 * 1024;

/// The buffers go round, and what was written into one last is far away when it is written to again: so many bytes ahead of an entry, as
/// many as it has are asked for, up to a few lines.
const AHEAD: usize = 512;
const AHEAD_MAX: usize = 4 * LINE;

/// A shorter part of the stream is drained as a copy, and its room is used again: a part that is shared keeps the whole buffer
/// alive, which shall hold little else than such parts.
const SHARE_MIN: usize = 2 * 1024;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

impl Journal {
    /// Starts or stops encoding. Starting again makes the next entry name its database.
    pub fn set_on(&mut self, is_on: bool) {
        if is_on && !self.is_on {
            self.selected = None;
        }
        self.is_on = is_on;
    }

    /// Whether anybody listens.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Bytes appended since the process began. A difference of two readings is a length of stream.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Makes the next entry name its database: a replica is about to start reading here.
    pub fn reselect(&mut self) {
        self.selected = None;
    }

    /// The database that the stream is in, as an RDB file for a replica notes it; `None` before the first entry.
    pub fn selected(&self) -> Option<usize> {
        self.selected
    }

    /// Adds one command to the present unit.
    pub fn append(&mut self, db: usize, args: &Args<'_>) {
        if self.is_on {
            self.enter(db);
            self.encode(args);
        }
    }

    /// Begins an entry in this database.
    fn enter(&mut self, db: usize) {
        self.open_entry();
        if self.selected != Some(db) {
            let digits = itoa::Buffer::new().format(db).to_owned();
            self.encode_words(&[b"SELECT", digits.as_bytes()]);
            self.selected = Some(db);
        }
    }

    /// Adds one command to the present unit, for replicas only.
    pub fn append_for_replicas(&mut self, db: usize, args: &Args<'_>) {
        if !self.is_on {
            return;
        }
        self.enter(db);
        let start = self.written;
        self.encode(args);
        self.replicas_only.push(start..self.written);
    }

    /// Keeps one command for the append only file alone. It names its database, and goes back to that of the
    /// stream. Within a MULTI of the stream it is part of that; by itself it is not wrapped.
    pub fn append_for_file(&mut self, db: usize, args: &Args<'_>) {
        if !self.is_on {
            return;
        }
        let mut aside = Journal { is_on: true, selected: self.selected, ..Journal::default() };
        aside.bare_unit();
        aside.append(db, args);
        if let Some(selected) = self.selected {
            aside.enter(selected);
        }
        aside.seal_tail();
        self.file_only.extend(aside.chunks.into_iter().map(|chunk| (self.written, chunk)));
    }

    /// Takes what is for the file alone, each piece with where it comes, in units of [`Journal::written`].
    pub fn take_file_only(&mut self) -> Vec<(u64, Bytes)> {
        std::mem::take(&mut self.file_only)
    }

    /// Takes the parts of what [`Journal::drain`] gives that are for replicas only, in units of [`Journal::written`].
    pub fn take_replicas_only(&mut self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.replicas_only)
    }

    /// Adds bytes that belong to no database (PING, REPLCONF GETACK *), outside any unit.
    pub fn append_raw(&mut self, words: &[&[u8]]) {
        if self.is_on {
            self.close_unit();
            self.encode_words(words);
        }
    }

    /// From here to the end of the unit entries are not wrapped in MULTI.
    pub fn bare_unit(&mut self) {
        self.unit.is_bare = true;
    }

    /// Ends the unit.
    pub fn close_unit(&mut self) {
        if self.unit.entries > 1 && !self.unit.is_bare {
            self.put(EXEC);
        }
        self.unit.entries = 0;
        self.unit.is_bare = false;
    }

    /// Takes what was appended since the last call. A unit that is still open (a change of role inside EXEC) ends here: what
    /// follows in it belongs to another history.
    pub fn drain(&mut self) -> Vec<Bytes> {
        self.close_unit();
        self.seal_tail();
        std::mem::take(&mut self.chunks)
    }

    /// Bytes of the buffer that nothing was written to yet.
    pub fn spare(&self) -> usize {
        self.tail.capacity() - self.tail.len()
    }

    /// Whether there is anything to drain.
    pub fn is_drained(&self) -> bool {
        self.chunks.is_empty() && self.tail.is_empty()
    }

    fn open_entry(&mut self) {
        match self.unit.entries {
            0 => {
                (self.unit.chunk, self.unit.offset) = (self.chunks.len(), self.tail.len());
                self.unit.start = self.written;
            }
            1 if !self.unit.is_bare => self.insert_multi(),
            _ => {}
        }
        self.unit.entries += 1;
    }

    /// Puts MULTI where the unit began, by cutting the chunk it lies in.
    fn insert_multi(&mut self) {
        self.seal_tail();
        let (chunk, offset) = (self.unit.chunk, self.unit.offset);
        let whole = self.chunks[chunk].clone();
        let pieces = [whole.slice(..offset), Bytes::from_static(MULTI), whole.slice(offset..)];
        self.chunks.splice(chunk..=chunk, pieces.into_iter().filter(|piece| !piece.is_empty()));
        self.written += MULTI.len() as u64;
        for part in self.replicas_only.iter_mut().filter(|part| part.start >= self.unit.start) {
            *part = part.start + MULTI.len() as u64..part.end + MULTI.len() as u64;
        }
        for (at, _) in self.file_only.iter_mut().filter(|(at, _)| *at >= self.unit.start) {
            *at += MULTI.len() as u64;
        }
    }

    fn encode(&mut self, args: &Args<'_>) {
        if let Some(bytes) = args.as_sent() {
            self.make_room(bytes.len());
            return self.put(bytes);
        }
        let is_large = |index: usize| args.shared(index).is_some();
        if !(0..args.len()).any(is_large) {
            return self.encode_small(args.len(), |index| args.get(index));
        }
        self.header(b'*', args.len());
        for index in 0..args.len() {
            match args.shared(index) {
                Some(large) => {
                    self.header(b'$', large.len());
                    self.seal_tail();
                    self.written += large.len() as u64;
                    self.chunks.push(large.clone());
                    self.put(b"\r\n");
                }
                None => self.bulk(args.get(index)),
            }
        }
    }

    fn encode_words(&mut self, words: &[&[u8]]) {
        self.encode_small(words.len(), |index| words[index]);
    }

    /// An entry of words none of which has a buffer of its own: room is made once, and then there is nothing but copying.
    fn encode_small<'w>(&mut self, count: usize, word: impl Fn(usize) -> &'w [u8]) {
        let lengths = (0..count).map(|index| word(index).len());
        let total = header_len(count) + lengths.map(|len| header_len(len) + len + 2).sum::<usize>();
        self.make_room(total);
        let start = self.tail.len();
        self.tail.resize(start + total, 0);
        let mut pen = Pen { left: &mut self.tail[start..] };
        pen.header(b'*', count);
        for index in 0..count {
            let word = word(index);
            pen.header(b'$', word.len());
            pen.put(word);
            pen.put(b"\r\n");
        }
        assert!(pen.left.is_empty(), "an entry has the length that was reckoned");
        self.written += total as u64;
    }

    fn bulk(&mut self, word: &[u8]) {
        self.header(b'$', word.len());
        self.put(word);
        self.put(b"\r\n");
    }

    fn header(&mut self, kind: u8, len: usize) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(len).as_bytes();
        self.put(&[kind]);
        self.put(digits);
        self.put(b"\r\n");
    }

    fn put(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
    }

    /// Makes room for an entry, so that it lies in one buffer. What is left of a buffer that is full is not used: too short to be
    /// shared, everything from then on would be copied once more.
    fn make_room(&mut self, len: usize) {
        if self.tail.capacity() - self.tail.len() >= len {
            let ahead = self.tail.as_ptr().wrapping_add(self.tail.len() + AHEAD);
            (0..len.min(AHEAD_MAX)).step_by(LINE).for_each(|at| prefetch(ahead.wrapping_add(at)));
            return;
        }
        self.seal_tail();
        let room = len.max(BUFFER);
        if !self.tail.try_reclaim(room) {
            self.tail = BytesMut::with_capacity(room);
        }
    }

    fn seal_tail(&mut self) {
        match self.tail.len() {
            0 => {}
            1..SHARE_MIN => {
                self.chunks.push(Bytes::copy_from_slice(&self.tail));
                self.tail.clear();
            }
            _ => self.chunks.push(self.tail.split().freeze()),
        }
    }
}

/// Bytes of `$len\r\n` or `*len\r\n`.
fn header_len(len: usize) -> usize {
    4 + len.checked_ilog10().unwrap_or(0) as usize
}

/// Room that has been made, and is filled from the front.
struct Pen<'a> {
    left: &'a mut [u8],
}

impl Pen<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let (now, later) = std::mem::take(&mut self.left).split_at_mut(bytes.len());
        now.copy_from_slice(bytes);
        self.left = later;
    }

    fn header(&mut self, kind: u8, len: usize) {
        match len {
            0..10 => self.put(&[kind, b'0' + len as u8, b'\r', b'\n']),
            10..100 => self.put(&[kind, b'0' + (len / 10) as u8, b'0' + (len % 10) as u8, b'\r', b'\n']),
            _ => {
                self.put(&[kind]);
                self.put(itoa::Buffer::new().format(len).as_bytes());
                self.put(b"\r\n");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;

    fn text(journal: &mut Journal) -> String {
        let bytes: Vec<u8> = journal.drain().concat();
        let words: Vec<&str> = std::str::from_utf8(&bytes).unwrap().split("\r\n").collect();
        words.iter().filter(|w| !w.starts_with(['*', '$'])).copied().collect::<Vec<_>>().join(" ").trim().to_owned()
    }

    fn on() -> Journal {
        let mut journal = Journal::default();
        journal.set_on(true);
        journal
    }

    fn add(journal: &mut Journal, db: usize, words: &[&[u8]]) {
        journal.append(db, &OwnedArgs::of(words).as_args());
    }

    #[test]
    fn one_entry_goes_bare_and_names_its_database_once() {
        let mut journal = on();
        add(&mut journal, 0, &[b"SET", b"a", b"1"]);
        journal.close_unit();
        add(&mut journal, 0, &[b"DEL", b"a"]);
        journal.close_unit();
        add(&mut journal, 3, &[b"INCR", b"b"]);
        journal.close_unit();
        assert_eq!(text(&mut journal), "SELECT 0 SET a 1 DEL a SELECT 3 INCR b");
    }

    #[test]
    fn words_of_every_length_are_encoded_as_resp_has_it() {
        let mut journal = on();
        let mut expected = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".to_vec();
        for len in [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 9999, 10_000, 20_000] {
            let word = vec![b'w'; len];
            add(&mut journal, 0, &[b"SET", &word]);
            journal.close_unit();
            expected.extend_from_slice(format!("*2\r\n$3\r\nSET\r\n${len}\r\n").as_bytes());
            expected.extend_from_slice(&word);
            expected.extend_from_slice(b"\r\n");
        }
        assert_eq!(journal.written(), expected.len() as u64);
        assert_eq!(journal.drain().concat(), expected);
    }

    #[test]
    fn long_parts_share_a_buffer_and_short_ones_use_no_room() {
        let (mut journal, value) = (on(), [b'v'; 500]);
        let mut drained = |count: usize| {
            for _ in 0..count {
                add(&mut journal, 0, &[b"SET", b"k", &value]);
                journal.close_unit();
            }
            (journal.drain(), journal.tail.capacity())
        };
        let (_, left) = drained(1);
        assert_eq!(drained(1).1, left, "a short part leaves the buffer as it was");
        let ((first, _), (second, left_then)) = (drained(10), drained(10));
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_eq!(first[0].as_ptr_range().end, second[0].as_ptr(), "one behind the other");
        assert_eq!(left_then, left - first[0].len() - second[0].len());
        // However much was appended before: the ends of buffers, which may be short, make no difference.
        for count in (1..300).rev() {
            let (parts, left) = drained(count);
            assert!(parts.len() <= 2 + parts.concat().len() / BUFFER, "{count}: {} parts", parts.len());
            assert!(left <= BUFFER, "{left}");
        }
        let (parts, _) = drained(500);
        assert!(parts.len() >= 4 && parts.iter().all(|part| part.len() <= BUFFER));
    }

    #[test]
    fn several_entries_are_wrapped_with_select_inside() {
        let mut journal = on();
        add(&mut journal, 0, &[b"DEL", b"x"]);
        journal.close_unit();
        add(&mut journal, 1, &[b"DEL", b"a"]);
        add(&mut journal, 1, &[b"SET", b"a", b"1"]);
        add(&mut journal, 1, &[b"SET", b"b", b"1"]);
        journal.close_unit();
        assert_eq!(text(&mut journal), "SELECT 0 DEL x MULTI SELECT 1 DEL a SET a 1 SET b 1 EXEC");
    }

    #[test]
    fn large_arguments_are_shared_and_can_be_wrapped() {
        let mut journal = on();
        let large = Bytes::from(vec![b'x'; 70_000]);
        let mut args = OwnedArgs::of(&[b"SET", b"k"]);
        args.push_shared(large.clone());
        add(&mut journal, 0, &[b"DEL", b"k"]);
        journal.append(0, &args.as_args());
        journal.close_unit();
        let written = journal.written();
        let chunks = journal.drain();
        assert!(chunks.iter().any(|chunk| chunk.as_ptr() == large.as_ptr()));
        assert!(chunks[0].starts_with(b"*1\r\n$5\r\nMULTI"));
        assert_eq!(chunks.iter().map(Bytes::len).sum::<usize>() as u64, written);
    }

    #[test]
    fn what_only_replicas_want_is_marked_wherever_multi_moves_it() {
        let mut journal = on();
        journal.append_for_replicas(0, &OwnedArgs::of(&[b"PUBLISH", b"c", b"m"]).as_args());
        add(&mut journal, 0, &[b"SET", b"a", b"1"]);
        journal.append_for_replicas(0, &OwnedArgs::of(&[b"PUBLISH", b"c", b"n"]).as_args());
        journal.close_unit();
        let parts = journal.take_replicas_only();
        let bytes: Vec<u8> = journal.drain().concat();
        for (part, message) in parts.iter().zip(["m", "n"]) {
            let text = &bytes[part.start as usize..part.end as usize];
            assert_eq!(text, format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1\r\n{message}\r\n").as_bytes());
        }
        assert_eq!(parts.len(), 2);
        assert!(journal.take_replicas_only().is_empty());
    }

    #[test]
    fn draining_in_the_middle_of_a_unit_ends_it() {
        let mut journal = on();
        add(&mut journal, 0, &[b"SET", b"a", b"1"]);
        add(&mut journal, 0, &[b"SET", b"b", b"1"]);
        assert_eq!(text(&mut journal), "MULTI SELECT 0 SET a 1 SET b 1 EXEC");
        add(&mut journal, 0, &[b"SET", b"c", b"1"]);
        journal.close_unit();
        assert_eq!(text(&mut journal), "SET c 1");
    }

    #[test]
    fn bare_units_are_never_wrapped() {
        let mut journal = on();
        journal.bare_unit();
        add(&mut journal, 0, &[b"DEL", b"a"]);
        add(&mut journal, 0, &[b"DEL", b"b"]);
        journal.close_unit();
        assert_eq!(text(&mut journal), "SELECT 0 DEL a DEL b");
    }

    #[test]
    fn what_is_for_the_file_alone_takes_no_place_in_the_stream() {
        let mut journal = on();
        add(&mut journal, 0, &[b"SET", b"a", b"1"]);
        let before = journal.written();
        journal.append_for_file(3, &OwnedArgs::of(&[b"SET", b"b", b"2"]).as_args());
        assert_eq!(journal.written(), before);
        add(&mut journal, 0, &[b"SET", b"c", b"3"]);
        journal.close_unit();
        let aside = journal.take_file_only();
        assert!(
            aside.iter().all(|(at, _)| *at == before + MULTI.len() as u64),
            "after the first entry, within the unit"
        );
        let bytes: Vec<u8> = aside.iter().flat_map(|(_, bytes)| bytes.to_vec()).collect();
        let expected: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
        assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(expected));
        assert_eq!(text(&mut journal), "MULTI SELECT 0 SET a 1 SET c 3 EXEC");
        assert!(journal.take_file_only().is_empty());
    }

    #[test]
    fn nothing_is_encoded_when_nobody_listens() {
        let mut journal = Journal::default();
        add(&mut journal, 0, &[b"SET", b"a", b"1"]);
        journal.close_unit();
        assert!(journal.is_drained() && journal.written() == 0);
    }
}
