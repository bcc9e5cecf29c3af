//! Where the replication stream stands at each place of the AOF, so that partial resyncs go on after any end, clean or not.
//!
//! On a master the commands in the file *are* the stream, byte for byte, but for what only replicas want (PING, PUBLISH). So one
//! annotation says where the stream stands, and from there on whoever reads the file counts:
//!
//! ```text
//!   #RREDIS-STREAM:<id>:<offset>:<db>     the stream is at this offset, in this database; what follows belongs to it
//!   *3 SET a 1                            … + 27
//!   #RREDIS-SKIP:<offset>                 something that is not written lies in between: it is at this offset now
//!   #RREDIS-STREAM:-                      what follows belongs to no stream
//! ```
//!
//! A replica writes what it executed, which need not be what its master sent. So it says behind each turn where that was, and a
//! command without such a line behind it makes the place unknown:
//!
//! ```text
//!   #RREDIS-REPL:<id>:<offset>:<db>       everything so far is the stream up to this offset, in this database
//!   *3 SET a 1
//!   #RREDIS-AT:<offset>:<db>              the same, under the id of before
//! ```
//!
//! The rule behind all this: an offset is claimed only if the data are exactly those of that offset, wherever the file ends.
//! So a line comes before the bytes it is about, and an end inside a transaction counts as the place where that began.
//!
//! What a master has written since the last gap is kept when it is read: a replica that had not got the very last bytes
//! before the master ended goes on from there.

use crate::base::id::HexId;
use crate::rdb::header::ReplFacts;

const STREAM: &[u8] = b"RREDIS-STREAM:";
const SKIP: &[u8] = b"RREDIS-SKIP:";
const EXACT: &[u8] = b"RREDIS-REPL:";
const AT: &[u8] = b"RREDIS-AT:";

/// Of a backlog no more than this is taken from the file.
const KEPT_MAX: usize = 16 * 1024 * 1024;

// ---- writing ----

/// What the file says so far, and so what it must be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    state: State,
    /// The id that the file was told last.
    id: Option<HexId>,
    /// The database that the stream is in, as far as it is written.
    db: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Whoever reads the file knows nothing.
    #[default]
    Unknown,
    /// They count, and have come to this offset.
    Counting(u64),
    /// They know this offset, and nothing as soon as a command follows.
    Exact(u64),
}

/// Where the stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose history it is.
    pub id: HexId,
    /// Its last byte.
    pub end: u64,
    /// The database it is in; for a master the one that was noted ([`Told::in_database`]).
    pub db: u32,
    /// What will be written are its own bytes.
    pub is_ours: bool,
}

impl Told {
    /// A new file, or one that was read again: what it says does not count on.
    pub fn nothing(&mut self) {
        *self = Told { db: self.db, ..Told::default() };
    }

    /// The stream is in this database after what was written.
    pub fn in_database(&mut self, db: u32) {
        self.db = db;
    }

    /// The line that must come next, now that the stream stands here (`None`: nobody knows, or there is none).
    pub fn now_at(&mut self, place: Option<Place>) -> Option<String> {
        let Some(Place { id, end, db, is_ours }) = place else {
            if !matches!(std::mem::take(&mut self.state), State::Counting(_)) {
                return None;
            }
            self.id = None;
            return Some(line(STREAM, "-"));
        };
        let (db, is_known) = (if is_ours { self.db } else { db }, self.id == Some(id));
        let text = match (self.state, is_ours) {
            (State::Counting(at), true) if is_known && at == end => return None,
            (State::Exact(at), false) if is_known && at == end => return None,
            (State::Counting(at), true) if is_known && at < end => line(SKIP, &end.to_string()),
            (_, true) => line(STREAM, &format!("{id}:{end}:{db}")),
            (State::Counting(_), false) => line(EXACT, &format!("{id}:{end}:{db}")),
            (_, false) if is_known => line(AT, &format!("{end}:{db}")),
            (_, false) => line(EXACT, &format!("{id}:{end}:{db}")),
        };
        self.id = Some(id);
        self.state = if is_ours { State::Counting(end) } else { State::Exact(end) };
        Some(text)
    }

    /// So many bytes of commands were written.
    pub fn wrote(&mut self, bytes: u64) {
        self.state = match self.state {
            State::Counting(at) => State::Counting(at + bytes),
            State::Exact(_) | State::Unknown => State::Unknown,
        };
    }
}

fn line(name: &[u8], value: &str) -> String {
    format!("#{}{value}\r\n", String::from_utf8_lossy(name))
}

// ---- reading ----

/// What the files have said so far.
#[derive(Debug, Default)]
pub struct Known {
    /// The id told last.
    id: Option<HexId>,
    what: What,
    /// How much of the stream is wanted for a backlog.
    wanted: usize,
}

#[derive(Debug, Default)]
enum What {
    #[default]
    Nothing,
    Exact {
        end: u64,
        db: u32,
    },
    Counting(Counting),
}

#[derive(Debug)]
struct Counting {
    /// The stream up to here is executed.
    end: u64,
    /// The database at `end`.
    db: u32,
    /// What was read so far, an open transaction included.
    read: u64,
    /// The database there.
    read_db: u32,
    /// The last bytes up to `read`.
    kept: Vec<u8>,
}

impl Known {
    /// Nothing yet; `wanted` bytes of the stream's end are of use.
    pub fn nothing(wanted: u64) -> Known {
        Known { wanted: usize::try_from(wanted).map_or(KEPT_MAX, |wanted| wanted.min(KEPT_MAX)), ..Known::default() }
    }

    /// An image said this about itself.
    pub fn image(&mut self, facts: Option<ReplFacts>) {
        *self = Known { wanted: self.wanted, ..Known::default() };
        if let Some((id, end, db)) = facts.and_then(checked) {
            self.id = Some(id);
            self.what = What::Exact { end, db };
        }
    }

    /// A command of these bytes was read; `db`: it chooses this database. `is_open`: it belongs to a transaction that has not
    /// ended, and is not executed.
    pub fn command(&mut self, bytes: &[u8], db: Option<u32>, is_open: bool) {
        match &mut self.what {
            What::Nothing => {}
            What::Exact { .. } => self.what = What::Nothing,
            What::Counting(counting) => {
                counting.read += bytes.len() as u64;
                counting.read_db = db.unwrap_or(counting.read_db);
                if self.wanted > 0 {
                    if counting.kept.len() > 2 * self.wanted {
                        counting.kept.drain(..counting.kept.len() - self.wanted);
                    }
                    counting.kept.extend_from_slice(&bytes[bytes.len().saturating_sub(self.wanted)..]);
                    if bytes.len() > self.wanted {
                        // What lies before it is not connected with the rest.
                        let surplus = counting.kept.len() - self.wanted;
                        counting.kept.drain(..surplus);
                    }
                }
                if !is_open {
                    (counting.end, counting.db) = (counting.read, counting.read_db);
                }
            }
        }
    }

    /// An annotation was read.
    pub fn annotation(&mut self, line: &[u8], is_open: bool) {
        let text = |name: &[u8]| line.strip_prefix(name).and_then(|rest| std::str::from_utf8(rest).ok());
        if let Some(text) = text(STREAM) {
            self.what = What::Nothing;
            if let Some((id, end, db)) = whole(text).filter(|_| !is_open) {
                self.id = Some(id);
                let counting = Counting { end, db, read: end, read_db: db, kept: Vec::new() };
                self.what = What::Counting(counting);
            }
        } else if let Some(text) = text(SKIP) {
            match (&mut self.what, text.parse().ok().filter(|end| *end <= END_MAX)) {
                (What::Counting(counting), Some(end)) if end >= counting.read => {
                    counting.read = end;
                    counting.kept.clear();
                    if !is_open {
                        counting.end = end;
                    }
                }
                _ => self.what = What::Nothing,
            }
        } else if let Some(text) = text(EXACT) {
            self.what = What::Nothing;
            if let Some((id, end, db)) = whole(text).filter(|_| !is_open) {
                self.id = Some(id);
                self.what = What::Exact { end, db };
            }
        } else if let Some(text) = text(AT) {
            let place = text.split_once(':').and_then(|(end, db)| Some((end.parse().ok()?, db.parse().ok()?)));
            self.what = match place {
                Some((end, db)) if end <= END_MAX && !is_open && self.id.is_some() => What::Exact { end, db },
                _ => What::Nothing,
            };
        }
    }

    /// Nothing is known any more: what was read was not what was written.
    pub fn forget(&mut self) {
        (self.id, self.what) = (None, What::Nothing);
    }

    /// Where the stream stands with exactly the data that were read.
    pub fn position(&self) -> Option<ReplFacts> {
        let (end, db) = match &self.what {
            What::Nothing => return None,
            What::Exact { end, db } => (*end, *db),
            What::Counting(counting) => (counting.end, counting.db),
        };
        Some(ReplFacts { stream_db: db.into(), id: self.id?, offset: end as i64 })
    }

    /// The last bytes of the stream, up to that position.
    pub fn last_bytes(&self) -> &[u8] {
        match &self.what {
            What::Counting(counting) => {
                let open = (counting.read - counting.end) as usize;
                let executed = counting.kept.len().saturating_sub(open);
                &counting.kept[executed.saturating_sub(self.wanted)..executed]
            }
            What::Nothing | What::Exact { .. } => &[],
        }
    }
}

/// No stream gets near this; the sum of an offset and any length stays a number.
const END_MAX: u64 = i64::MAX as u64 / 2;

fn whole(text: &str) -> Option<(HexId, u64, u32)> {
    let mut fields = text.split(':');
    let id = HexId::parse(fields.next()?.as_bytes())?;
    let end = fields.next()?.parse().ok().filter(|end| *end <= END_MAX)?;
    let db = fields.next()?.parse().ok()?;
    fields.next().is_none().then_some((id, end, db))
}

fn checked(facts: ReplFacts) -> Option<(HexId, u64, u32)> {
    let end = u64::try_from(facts.offset).ok().filter(|end| *end <= END_MAX)?;
    Some((facts.id, end, u32::try_from(facts.stream_db).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(letter: u8) -> HexId {
        HexId::parse(&[letter; 40]).unwrap()
    }

    fn ours(end: u64) -> Option<Place> {
        Some(Place { id: id(b'a'), end, db: 0, is_ours: true })
    }

    fn theirs(end: u64, db: u32) -> Option<Place> {
        Some(Place { id: id(b'b'), end, db, is_ours: false })
    }

    /// Reads lines and commands, as a file has them: `+n` is a command of n bytes, `(` begins a transaction, `)` ends it.
    fn read(items: &[String]) -> Option<(u64, u32)> {
        let (mut known, mut is_open) = (Known::nothing(10), false);
        for item in items {
            match item.as_bytes()[0] {
                b'#' => known.annotation(item.trim_end().trim_start_matches('#').as_bytes(), is_open),
                b'(' => is_open = true,
                b')' => {
                    is_open = false;
                    known.command(b"", None, false);
                }
                _ => known.command(&vec![b'x'; item[1..].parse().unwrap()], None, is_open),
            }
        }
        let position = known.position()?;
        Some((position.offset as u64, position.stream_db as u32))
    }

    /// A writer whose every step is checked: wherever the file ends, what is read is the truth or nothing.
    struct Writer {
        told: Told,
        file: Vec<String>,
    }

    impl Writer {
        fn tell(&mut self, place: Option<Place>) -> Option<(u64, u32)> {
            self.file.extend(self.told.now_at(place));
            read(&self.file)
        }

        fn write(&mut self, bytes: u64) -> Option<(u64, u32)> {
            self.told.wrote(bytes);
            self.file.push(format!("+{bytes}"));
            read(&self.file)
        }
    }

    #[test]
    fn a_master_tells_once_and_where_something_is_left_out() {
        let mut writer = Writer { told: Told::default(), file: Vec::new() };
        assert_eq!(writer.write(5), None);
        writer.told.in_database(3);
        assert_eq!(writer.tell(ours(100)), Some((100, 3)));
        assert_eq!(writer.write(7), Some((107, 3)));
        assert_eq!(writer.tell(ours(107)), Some((107, 3)));
        assert_eq!(writer.file.len(), 3, "nothing had to be said");
        assert_eq!(writer.tell(ours(121)), Some((121, 3)));
        assert_eq!(writer.file[3], "#RREDIS-SKIP:121\r\n");
        assert_eq!(writer.tell(None), None);
        assert_eq!(writer.write(3), None);
        assert_eq!(writer.tell(ours(121)), Some((121, 3)));
    }

    #[test]
    fn a_replica_tells_behind_everything_it_writes() {
        let mut writer = Writer { told: Told::default(), file: Vec::new() };
        assert_eq!(writer.tell(theirs(50, 2)), Some((50, 2)));
        assert_eq!(writer.write(9), None);
        assert_eq!(writer.tell(theirs(64, 4)), Some((64, 4)));
        assert_eq!(writer.file[2], "#RREDIS-AT:64:4\r\n");
        assert_eq!(writer.tell(theirs(64, 4)), Some((64, 4)));
        assert_eq!(writer.file.len(), 3);
    }

    #[test]
    fn a_change_of_role_or_of_history_is_told_before_what_follows() {
        let mut writer = Writer { told: Told::default(), file: Vec::new() };
        writer.tell(ours(10));
        writer.write(5);
        assert_eq!(writer.tell(theirs(15, 0)), Some((15, 0)));
        assert_eq!(writer.write(9), None, "a replica's bytes are not counted");
        assert_eq!(writer.tell(theirs(20, 0)), Some((20, 0)));
        assert_eq!(writer.tell(ours(20)), Some((20, 0)));
        assert_eq!(writer.write(9), Some((29, 0)));
        let other = Some(Place { id: id(b'c'), ..ours(29).unwrap() });
        assert_eq!(writer.tell(other), Some((29, 0)));
        assert!(writer.file.last().unwrap().contains("STREAM:ccc"), "{:?}", writer.file);
        writer.told.nothing();
        assert!(writer.told.now_at(other).is_some(), "a new file is told everything");
    }

    #[test]
    fn an_open_transaction_does_not_count() {
        let stream = format!("#RREDIS-STREAM:{}:100:0\r\n", id(b'a'));
        let items = |more: &[&str]| -> Vec<String> {
            std::iter::once(stream.clone()).chain(more.iter().map(ToString::to_string)).collect()
        };
        assert_eq!(read(&items(&["+5", "(", "+6", "+7"])), Some((105, 0)));
        assert_eq!(read(&items(&["+5", "(", "+6", "#RREDIS-SKIP:150\r\n", "+7"])), Some((105, 0)));
        assert_eq!(read(&items(&["+5", "(", "+6", "#RREDIS-SKIP:150\r\n", "+7", ")"])), Some((157, 0)));
        assert_eq!(read(&items(&["(", "#RREDIS-AT:9:0\r\n"])), None, "no such line belongs there");
    }

    #[test]
    fn lines_that_make_no_sense_leave_nothing_known() {
        for bad in ["RREDIS-STREAM:x:1:0", "RREDIS-SKIP:99", "RREDIS-SKIP:x", "RREDIS-AT:1", "RREDIS-REPL:1:2:3"] {
            let mut known = Known::nothing(0);
            known.annotation(format!("RREDIS-STREAM:{}:100:0", id(b'a')).as_bytes(), false);
            assert!(known.position().is_some());
            known.annotation(bad.as_bytes(), false);
            assert_eq!(known.position(), None, "{bad}");
        }
        let mut known = Known::nothing(0);
        known.annotation(b"RREDIS-AT:1:0", false);
        assert_eq!(known.position(), None, "there is no id");
        known.annotation(format!("RREDIS-REPL:{}:{}:0", id(b'a'), u64::MAX).as_bytes(), false);
        assert_eq!(known.position(), None);
    }

    #[test]
    fn the_end_of_the_stream_is_kept_up_to_what_is_executed() {
        let mut known = Known::nothing(10);
        known.annotation(format!("RREDIS-STREAM:{}:100:0", id(b'a')).as_bytes(), false);
        let mut stream = Vec::new();
        for number in 0..50u8 {
            let bytes = vec![number; usize::from(number % 14)];
            stream.extend_from_slice(&bytes);
            known.command(&bytes, None, false);
            let kept = known.last_bytes();
            assert_eq!(kept.len(), stream.len().min(10));
            assert!(stream.ends_with(kept));
        }
        let end = known.position().unwrap().offset;
        assert_eq!(end as usize, 100 + stream.len());
        known.command(b"abc", None, true);
        assert!(stream.ends_with(known.last_bytes()), "an open transaction is not executed");
        assert_eq!(known.position().unwrap().offset, end);
        known.command(b"de", Some(7), false);
        assert!(known.last_bytes().ends_with(b"abcde"));
        assert_eq!(known.position().unwrap().stream_db, 7);
        known.annotation(format!("RREDIS-SKIP:{}", end + 100).as_bytes(), false);
        assert!(known.last_bytes().is_empty());
        known.forget();
        assert_eq!(known.position(), None);
    }
}
