//! Examines an RDB file without loading it: every record is read and checked as loading would do, and nothing is kept.
//!
//! The report has the form of `redis-check-rdb`. A fault is told with its offset, the key it is in, and what was being read.

use std::io;
use std::path::Path;

use crate::base::files::{File, Files, strerror};
use crate::base::hash::Crc64;
use crate::base::time::UnixMillis;
use crate::data::limits::Limits;
use crate::rdb::decode::{DecodeError, DecodeErrorKind, Decoder, Event};

/// Bytes read at a time.
const BLOCK: usize = 512 * 1024;

/// A key or a value of a fact is shown up to so many bytes.
const SHOWN_MAX: usize = 128;

/// Takes the lines of the report.
pub type Out<'a> = dyn FnMut(&str) + 'a;

/// What was found in a good file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Keys whose time is over.
    pub expired: u64,
    /// Where the image ends; something may follow in an AOF.
    pub end: u64,
}

/// Examines the file and tells `out` about it. `None`: it is not good.
pub fn check_rdb(files: &dyn Files, path: &Path, now: UnixMillis, out: &mut Out<'_>) -> Option<Found> {
    let mut file = match files.open(path) {
        Ok(file) => file,
        Err(error) => {
            out(&format!("Cannot open file {}: {}", path.display(), strerror(&error)));
            return None;
        }
    };
    check(&mut *file, &path.display().to_string(), now, out)
}

/// The same for an open file, from its beginning.
pub fn check(file: &mut dyn File, name: &str, now: UnixMillis, out: &mut Out<'_>) -> Option<Found> {
    out(&format!("[offset 0] Checking RDB file {name}"));
    let mut check =
        Check { found: Found::default(), decoder: Decoder::new(Limits::default()), doing: "start", key: None };
    match check.run(file, now, out) {
        Ok(()) => {
            out(&format!("[offset {}] \\o/ RDB looks OK! \\o/", check.decoder.offset()));
            check.figures(out);
            check.found.end = check.decoder.offset();
            Some(check.found)
        }
        Err((offset, text)) => {
            out("--- RDB ERROR DETECTED ---");
            out(&format!("[offset {offset}] {text}"));
            out(&format!("[additional info] While doing: {}", check.doing));
            if let Some(key) = &check.key {
                out(&format!("[additional info] Last key read: '{key}'"));
            }
            check.figures(out);
            None
        }
    }
}

struct Check {
    found: Found,
    decoder: Decoder,
    doing: &'static str,
    key: Option<String>,
}

impl Check {
    fn run(&mut self, file: &mut dyn File, now: UnixMillis, out: &mut Out<'_>) -> Result<(), (u64, String)> {
        let (mut buffer, mut crc, mut summed) = (Vec::new(), Crc64::new(), 0u64);
        loop {
            if read_block(file, &mut buffer).map_err(|error| (self.decoder.offset(), strerror(&error)))? == 0 {
                let error = self.decoder.truncated();
                return Err((error.offset, "Unexpected EOF reading RDB file".to_owned()));
            }
            let mut view = &buffer[..];
            loop {
                let rest = view;
                let place = self.decoder.offset();
                let event = self.decoder.next(&mut view).map_err(|error| told(&error))?;
                let taken = (rest.len() - view.len()) as u64;
                let place = place + taken;
                let Some(event) = event else {
                    crc.update(&rest[..taken as usize]);
                    summed += taken;
                    break;
                };
                match event {
                    Event::Aux { name, value } => {
                        self.doing = "read-aux";
                        out(&format!("[offset {place}] AUX FIELD {} = '{}'", shown(name), shown(value)));
                    }
                    Event::Library(_) => {
                        self.doing = "read-functions";
                        out(&format!("[offset {place}] Function library"));
                    }
                    Event::SelectDb(db) => {
                        self.doing = "read-key";
                        out(&format!("[offset {place}] Selecting DB ID {db}"));
                    }
                    Event::ResizeDb { .. } => {}
                    Event::Key { key, facts, .. } => {
                        self.doing = "read-object-value";
                        self.key = Some(shown(key));
                        self.found.keys += 1;
                        self.found.expires += u64::from(facts.expiry.is_some());
                        self.found.expired += u64::from(facts.expiry.is_some_and(|at| at < now));
                    }
                    Event::End { checksum, covered } => {
                        self.doing = "check-sum";
                        crc.update(&rest[..(covered - summed) as usize]);
                        let place = self.decoder.offset();
                        match checksum {
                            None => out(&format!(
                                "[offset {place}] RDB file was saved with checksum disabled: no check performed."
                            )),
                            Some(stored) if stored == crc.value() => out(&format!("[offset {place}] Checksum OK")),
                            Some(_) => return Err((place, "RDB CRC error".to_owned())),
                        }
                        return Ok(());
                    }
                }
                crc.update(&rest[..taken as usize]);
                summed += taken;
            }
            let done = buffer.len() - view.len();
            buffer.drain(..done);
        }
    }

    fn figures(&self, out: &mut Out<'_>) {
        out(&format!("[info] {} keys read", self.found.keys));
        out(&format!("[info] {} expires", self.found.expires));
        out(&format!("[info] {} already expired", self.found.expired));
    }
}

/// Adds the next bytes of the file; how many.
pub(super) fn read_block(file: &mut dyn File, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let start = buffer.len();
    buffer.resize(start + BLOCK, 0);
    let count = file.read_full(&mut buffer[start..])?;
    buffer.truncate(start + count);
    Ok(count)
}

fn told(error: &DecodeError) -> (u64, String) {
    let text = match &error.kind {
        DecodeErrorKind::Signature => "Wrong signature trying to load DB from file".to_owned(),
        DecodeErrorKind::Version(version) => format!("Can't handle RDB format version {version}"),
        _ => error.to_string(),
    };
    (error.offset, text)
}

fn shown(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(SHOWN_MAX)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::memory::MemoryFiles;
    use crate::base::hash::crc64;
    use crate::data::string::StrView;
    use crate::rdb::encode::{Chunk, KeyFacts};
    use crate::rdb::pack::Packer;

    fn image() -> Vec<u8> {
        let (mut chunk, mut bytes) = (Chunk::new(0, true), Vec::new());
        chunk.magic();
        chunk.aux("redis-ver", b"7.2.6");
        chunk.select_db(3);
        let facts = KeyFacts { expiry: Some(UnixMillis(5)), ..KeyFacts::default() };
        chunk.key(b"a", StrView::Bytes(b"1"), facts);
        chunk.key(b"b", StrView::Bytes(&[b'x'; 100]), KeyFacts::default());
        chunk.eof();
        Packer::new(true).pack(chunk, |piece| bytes.extend_from_slice(&piece));
        bytes.extend_from_slice(&crc64(&bytes).to_le_bytes());
        bytes
    }

    fn report(bytes: &[u8]) -> (Option<Found>, String) {
        let files = MemoryFiles::new();
        files.create(Path::new("f")).unwrap().write_all(bytes).unwrap();
        let mut text = String::new();
        let found = check_rdb(&files, Path::new("f"), UnixMillis(10), &mut |line| text += &format!("{line}\n"));
        (found, text)
    }

    #[test]
    fn a_good_file_is_reported_with_its_figures() {
        let bytes = image();
        let (found, text) = report(&bytes);
        assert_eq!(found, Some(Found { keys: 2, expires: 1, expired: 1, end: bytes.len() as u64 }));
        assert!(
            text.starts_with("[offset 0] Checking RDB file f\n[offset 26] AUX FIELD redis-ver = '7.2.6'\n"),
            "{text}"
        );
        assert!(text.contains("] Selecting DB ID 3\n"), "{text}");
        assert!(text.contains("] Checksum OK\n") && text.contains("\\o/ RDB looks OK! \\o/"), "{text}");
        assert!(text.ends_with("[info] 2 keys read\n[info] 1 expires\n[info] 1 already expired\n"), "{text}");
    }

    #[test]
    fn faults_are_told_with_their_place() {
        let bytes = image();
        for len in 0..bytes.len() {
            let (found, text) = report(&bytes[..len]);
            assert!(found.is_none() && text.contains("--- RDB ERROR DETECTED ---"), "{len}: {text}");
        }
        let mut flipped = bytes.clone();
        flipped[12] ^= 1;
        assert!(report(&flipped).1.contains("RDB CRC error"));
        assert!(report(b"REDIS9999").1.contains("Can't handle RDB format version 9999"));
        assert!(report(b"something else").1.contains("Wrong signature"));
    }
}
