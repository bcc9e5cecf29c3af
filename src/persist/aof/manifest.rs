//! The list of files that make up an AOF.
//!
//! ```text
//! # a comment
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.1.incr.aof seq 1 type h
//! file appendonly.aof.2.incr.aof seq 2 type i
//! ```
//!
//! One line for each file: pairs of words in any order, of which `file`, `seq` and `type` are known and needed; a name with
//! blanks or unprintable bytes is quoted as in `redis.conf`. Types are `b`ase, `h`istory (superseded, about to be removed)
//! and `i`ncr; the incr files are listed in the order in which they were written. We write base, history, incr; we read
//! whatever has that meaning, and refuse everything else with the line and its number, because a list that is read wrong
//! loses data.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::base::quote;

/// Longest line, its end included. Redis's.
const LINE_MAX: usize = 1024;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All data at one moment.
    Base,
    /// No longer needed.
    History,
    /// Changes.
    Incr,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Kind::Base => 'b',
            Kind::History => 'h',
            Kind::Incr => 'i',
        }
    }
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without folder.
    pub name: Vec<u8>,
    /// Its number among the bases or the incr files.
    pub seq: u64,
    /// What it is for.
    pub kind: Kind,
}

impl Entry {
    /// Where it is when the AOF is in `folder`.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(OsStr::from_bytes(&self.name))
    }

    /// Its name, for the log.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }
}

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The base, if there is one.
    pub base: Option<Entry>,
    /// Superseded files, the latest first.
    pub history: Vec<Entry>,
    /// Changes, in order.
    pub incr: Vec<Entry>,
    /// Highest number of a base so far, also of one that is gone.
    base_seq: u64,
    /// The same for incr files.
    incr_seq: u64,
}

/// Why a text is no manifest. `Display` is Redis's sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Counted from 1; 0 when it is about the whole.
    pub line: usize,
    /// The line, as far as it can be shown.
    pub text: String,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No line at all.
    Empty,
    /// A line of more than [`LINE_MAX`] bytes.
    TooLong,
    /// The last line has no end: the file is cut off.
    CutOff,
    /// Not pairs of words, or one of the three is missing.
    Format,
    /// A name that leads out of the folder.
    Path,
    /// A type we do not know.
    Type,
    /// Two bases.
    TwoBases,
    /// Incr files out of order.
    Order,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Empty => "Found an empty AOF manifest",
            Reason::TooLong => "The AOF manifest file contains too long line",
            Reason::CutOff => "The AOF manifest file is cut off: its last line has no end",
            Reason::Format => "Invalid AOF manifest file format",
            Reason::Path => "File can't be a path, just a filename",
            Reason::Type => "Unknown AOF file type",
            Reason::TwoBases => "Found duplicate base file information",
            Reason::Order => "Found a non-monotonic sequence number",
        })
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => self.reason.fmt(f),
            line => write!(f, "line {line}, '{}': {}", self.text, self.reason),
        }
    }
}

impl std::error::Error for ManifestError {}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(content: &[u8]) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest::default();
        if content.is_empty() {
            return Err(ManifestError { line: 0, text: String::new(), reason: Reason::Empty });
        }
        for (index, line) in content.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let failed = |reason| ManifestError {
                line: index + 1,
                text: line[..line.len().min(LINE_MAX)].trim_ascii().escape_ascii().to_string(),
                reason,
            };
            if line.first() == Some(&b'#') {
                continue;
            }
            if line.len() > LINE_MAX {
                return Err(failed(Reason::TooLong));
            }
            if line.last() != Some(&b'\n') {
                return Err(failed(Reason::CutOff));
            }
            let entry = entry(line).map_err(failed)?;
            manifest.take(entry).map_err(failed)?;
        }
        Ok(manifest)
    }

    fn take(&mut self, entry: Entry) -> Result<(), Reason> {
        match entry.kind {
            Kind::Base if self.base.is_some() => return Err(Reason::TwoBases),
            Kind::Base => {
                self.base_seq = entry.seq;
                self.base = Some(entry);
            }
            Kind::History => self.history.push(entry),
            Kind::Incr if entry.seq <= self.incr_seq => return Err(Reason::Order),
            Kind::Incr => {
                self.incr_seq = entry.seq;
                self.incr.push(entry);
            }
        }
        Ok(())
    }

    /// The text of the file.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for Entry { name, seq, kind } in self.base.iter().chain(&self.history).chain(&self.incr) {
            text.extend_from_slice(b"file ");
            match needs_quotes(name) {
                true => text.extend_from_slice(quote::quoted(name).as_bytes()),
                false => text.extend_from_slice(name),
            }
            text.extend_from_slice(format!(" seq {seq} type {}\n", kind.letter()).as_bytes());
        }
        text
    }

    /// Whether no file is named that holds data.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incr.is_empty()
    }

    /// The files that hold the data, in the order in which they are loaded.
    pub fn data_files(&self) -> impl Iterator<Item = &Entry> {
        self.base.iter().chain(&self.incr)
    }

    /// The file that is written to.
    pub fn last_incr(&self) -> Option<&Entry> {
        self.incr.last()
    }

    /// The next base: `prefix` is `appendfilename`.
    pub fn next_base(&self, prefix: &[u8], is_rdb: bool) -> Entry {
        let seq = self.base_seq + 1;
        Entry { name: name(prefix, seq, if is_rdb { "base.rdb" } else { "base.aof" }), seq, kind: Kind::Base }
    }

    /// The next incr file.
    pub fn next_incr(&self, prefix: &[u8]) -> Entry {
        let seq = self.incr_seq + 1;
        Entry { name: name(prefix, seq, "incr.aof"), seq, kind: Kind::Incr }
    }

    /// An AOF of the time before manifests, taken over as the base.
    pub fn of_old_file(name: &[u8]) -> Manifest {
        let base = Entry { name: name.to_vec(), seq: 1, kind: Kind::Base };
        Manifest { base: Some(base), base_seq: 1, ..Manifest::default() }
    }

    /// The list with this base, where there was none.
    pub fn with_base(mut self, base: Entry) -> Manifest {
        self.base_seq = base.seq;
        self.base = Some(base);
        self
    }

    /// The list with one more incr file at its end.
    pub fn with_incr(mut self, incr: Entry) -> Manifest {
        self.incr_seq = incr.seq;
        self.incr.push(incr);
        self
    }

    /// The list after a rewrite: `base` holds everything that is in the files so far, except what is in the incr file
    /// `kept`, to which writing went on. All others are history.
    pub fn rewritten(mut self, base: Entry, kept: Option<u64>) -> Manifest {
        let mut superseded = Vec::new();
        let (kept, old): (Vec<Entry>, Vec<Entry>) =
            std::mem::take(&mut self.incr).into_iter().partition(|entry| Some(entry.seq) == kept);
        self.incr = kept;
        superseded.extend(old);
        superseded.extend(self.base.take());
        superseded.append(&mut self.history);
        self.history = superseded;
        self.history.iter_mut().for_each(|entry| entry.kind = Kind::History);
        self.with_base(base)
    }

    /// An empty list that counts on.
    pub fn without_files(self) -> Manifest {
        Manifest { base: None, history: Vec::new(), incr: Vec::new(), ..self }
    }

    /// Leaves out one number for the next base and the next incr file.
    pub fn skip_number(&mut self) {
        self.base_seq += 1;
        self.incr_seq += 1;
    }

    /// The list without superseded files.
    pub fn without_history(mut self) -> Manifest {
        self.history.clear();
        self
    }
}

fn name(prefix: &[u8], seq: u64, suffix: &str) -> Vec<u8> {
    [prefix, format!(".{seq}.{suffix}").as_bytes()].concat()
}

fn needs_quotes(name: &[u8]) -> bool {
    name.is_empty() || name.iter().any(|&byte| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\'' | b'\\'))
}

fn entry(line: &[u8]) -> Result<Entry, Reason> {
    let words = quote::split_args(line.trim_ascii()).ok_or(Reason::Format)?;
    if words.len() < 6 || !words.len().is_multiple_of(2) {
        return Err(Reason::Format);
    }
    let (mut name, mut seq, mut kind) = (None, None, None);
    for pair in words.chunks(2) {
        let value = &pair[1];
        match pair[0].to_ascii_lowercase().as_slice() {
            b"file" if value.contains(&b'/') || matches!(&value[..], b"." | b".." | b"") || value.contains(&0) => {
                return Err(Reason::Path);
            }
            b"file" => name = Some(value.clone()),
            b"seq" => seq = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).filter(is_seq),
            b"type" => {
                kind = Some(match value.first() {
                    Some(b'b') => Kind::Base,
                    Some(b'h') => Kind::History,
                    Some(b'i') => Kind::Incr,
                    _ => return Err(Reason::Type),
                });
            }
            _ => {}
        }
    }
    match (name, seq, kind) {
        (Some(name), Some(seq), Some(kind)) => Ok(Entry { name, seq, kind }),
        _ => Err(Reason::Format),
    }
}

/// Numbers go up by one with each file; none gets near the end of the range.
fn is_seq(seq: &u64) -> bool {
    (1..=i64::MAX as u64).contains(seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> (usize, Reason) {
        let error = Manifest::parse(text.as_bytes()).unwrap_err();
        (error.line, error.reason)
    }

    fn text(manifest: &Manifest) -> String {
        String::from_utf8(manifest.text()).unwrap()
    }

    const GOOD: &str =
        "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type i\n";

    #[test]
    fn what_is_written_reads_back() {
        let manifest = Manifest::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(text(&manifest), GOOD);
        assert_eq!(manifest.base.as_ref().unwrap().seq, 2);
        assert_eq!(manifest.last_incr().unwrap().name, b"a.2.incr.aof");
        assert_eq!(manifest.data_files().count(), 2);
        assert_eq!(manifest.next_base(b"a", true).name, b"a.3.base.rdb");
        assert_eq!(manifest.next_base(b"a", false).name, b"a.3.base.aof");
        assert_eq!(manifest.next_incr(b"a").name, b"a.3.incr.aof");
    }

    #[test]
    fn comments_unknown_pairs_any_order_and_gaps_are_fine() {
        let text = "# by hand\ntype b x y seq 7 FILE a\nfile i seq 3 type i\nfile j seq 9 type incr\n";
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(manifest.incr.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 9]);
        assert_eq!((manifest.next_base(b"", true).seq, manifest.next_incr(b"").seq), (8, 10));
    }

    #[test]
    fn names_that_need_it_are_quoted() {
        let name = b" file seq \n\n.aof .2.base.rdb".to_vec();
        let manifest = Manifest::default().with_base(Entry { name: name.clone(), seq: 2, kind: Kind::Base });
        assert_eq!(text(&manifest), "file \" file seq \\n\\n.aof .2.base.rdb\" seq 2 type b\n");
        assert_eq!(Manifest::parse(&manifest.text()).unwrap().base.unwrap().name, name);
    }

    #[test]
    fn each_defect_is_told_with_its_line() {
        let ok = "file a seq 1 type i\n";
        assert_eq!(reason(""), (0, Reason::Empty));
        assert_eq!(reason(&format!("{ok}\n")), (2, Reason::Format));
        assert_eq!(reason("file a seq 1 type\n"), (1, Reason::Format));
        assert_eq!(reason("file a seq 1 type i more\n"), (1, Reason::Format));
        assert_eq!(reason("filx a seq 1 type i\n"), (1, Reason::Format));
        assert_eq!(reason("file a seq 0 type i\n"), (1, Reason::Format));
        assert_eq!(reason("file a seq -1 type i\n"), (1, Reason::Format));
        assert_eq!(reason("file \"a seq 1 type i\n"), (1, Reason::Format));
        assert_eq!(reason("file a seq 1 type x\n"), (1, Reason::Type));
        assert_eq!(reason("file ../a seq 1 type i\n"), (1, Reason::Path));
        assert_eq!(reason("file .. seq 1 type i\n"), (1, Reason::Path));
        assert_eq!(reason(&format!("{ok}{ok}")), (2, Reason::Order));
        assert_eq!(reason("file a seq 1 type b\nfile b seq 2 type b\n"), (2, Reason::TwoBases));
        assert_eq!(reason("file a seq 1 type i"), (1, Reason::CutOff));
        assert_eq!(reason(&format!("{} {}\n", ok.trim_end(), "k v ".repeat(300))), (1, Reason::TooLong));
    }

    /// The order in which Redis lists what two rewrites left behind.
    #[test]
    fn a_rewrite_makes_history_of_all_but_the_file_that_is_written_to() {
        let prefix = b"a";
        let mut manifest =
            Manifest::parse(b"file a.5.base.rdb seq 5 type b\nfile a.1.incr.aof seq 1 type i\n").unwrap();
        for _ in 0..2 {
            let incr = manifest.next_incr(prefix);
            let seq = incr.seq;
            manifest = manifest.with_incr(incr);
            let base = manifest.next_base(prefix, true);
            manifest = manifest.rewritten(base, Some(seq));
        }
        assert_eq!(
            text(&manifest),
            "file a.7.base.rdb seq 7 type b\nfile a.2.incr.aof seq 2 type h\nfile a.6.base.rdb seq 6 type h\n\
             file a.1.incr.aof seq 1 type h\nfile a.5.base.rdb seq 5 type h\nfile a.3.incr.aof seq 3 type i\n"
        );
        let manifest = manifest.without_history();
        let base = manifest.next_base(prefix, true);
        let off = manifest.rewritten(base, None).without_history();
        assert_eq!(text(&off), "file a.8.base.rdb seq 8 type b\n");
        assert_eq!(off.next_incr(prefix).seq, 4);
        assert_eq!(Manifest::parse(&off.text()).unwrap().next_incr(prefix).seq, 1, "a new start counts anew");
    }
}
