//! Reading an AOF at the start: the base, then each file of changes, as the manifest lists them.
//!
//! ```text
//!   base.rdb    an image, read by rdb_load         ─┐
//!   base.aof    commands, or an image and commands  │  each command goes to Replay::run, which executes it
//!   1.incr.aof  commands                            │  as if its client had just sent it
//!   2.incr.aof  commands, perhaps cut off          ─┘
//! ```
//!
//! [`Load::step`] does one slice and never waits for the disk. A transaction is executed by its EXEC, so the part of one that
//! ends with the file has changed nothing.
//!
//! *A cut end.* A crash may leave the last file with half a command, with a transaction whose EXEC is missing, or with zeros
//! that were never filled. Nobody was
//! told that this is safe, and with `aof-load-truncated` it is cut off and the server starts. Anything else that is wrong, in
//! particular a cut end of a file with others behind it that are not empty, means that data are missing which were confirmed: then the
//! program must not go on, and no file is changed.
//!
//! *A gap.* With `everysec` and `no` a power cut may cost the end of one file although the next one, written to since a rewrite
//! began, is on disk. Executing what follows a gap would make a state that never existed. So each file that continues another
//! says how long that was; if it is shorter now, what lies behind the gap is cut off as well.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tracing::{info, warn};

use super::folder::Folder;
use super::manifest::{Kind, Manifest};
use super::place::Known;
use super::read::{Item, Reader, timestamp};
use super::restore::Limit;
use crate::base::files::{Files, strerror};
use crate::base::limits::SLICE_MAX_US;
use crate::keyspace::Keyspace;
use crate::persist::file_load::LoadProgress;
use crate::persist::pace;
use crate::persist::rdb_load::{Fed, LoadError, Loaded, Loader, Rules};
use crate::persist::rdb_source::{Next, Source};
use crate::persist::writer::Wake;
use crate::rdb::header::ReplFacts;
use crate::resp::args::Args;

/// What begins an image.
const RDB_MAGIC: &[u8] = b"REDIS";

/// The clock is read after so many commands.
const ASK_EVERY: u32 = 64;

/// Commands that are looked at before the first of them is executed, so that their keys are on their way from memory.
const AHEAD: usize = 32;

/// They lie within so many bytes.
const AHEAD_BYTES: usize = 16 * 1024;

/// A buffer that grew beyond this for one large command is not kept.
const BUFFER_KEPT: usize = 1024 * 1024;

/// Begins the annotation at the head of a file of changes that says which file it continues, and how many bytes that had.
pub const AFTER: &[u8] = b"RREDIS-AFTER:";

/// Who executes commands.
pub trait Replay {
    /// Executes one command. An error ends the loading.
    fn run(&mut self, args: &Args<'_>) -> Result<(), Refused>;

    /// This command will come soon.
    fn expect(&mut self, args: &Args<'_>);

    /// Has the data brought nearer that were expected since the last call.
    fn fetch_expected(&mut self);

    /// Whether a transaction was begun and not ended.
    fn is_in_multi(&mut self) -> bool;

    /// The data set, for images.
    fn keyspace(&mut self) -> &mut Keyspace;

    /// Puts the libraries of functions in place that an image had. The error says which is wrong and why.
    fn libraries(&mut self, texts: &[Bytes]) -> Result<(), String>;
}

/// Why a command ends the loading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such command: the file is not for us.
    Unknown,
    /// It answered this error, and the settings want that to be the end.
    Failed(String),
}

/// How to load.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `aof-load-truncated`.
    pub accepts_cut_end: bool,
    /// `key-load-delay`.
    pub key_delay: i32,
    /// Stop before the first change that was made after this moment (seconds since 1970), by the files' time stamps, and change
    /// no file.
    pub restore_to: Option<i64>,
    /// So many of the last bytes of the replication stream are of use.
    pub backlog: u64,
    /// For images.
    pub rules: Rules,
}

/// Why loading failed.
#[derive(Debug)]
pub struct Failure {
    /// The lines for the log; the last one says it all.
    pub lines: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.lines.last().map_or("", String::as_str))
    }
}

impl Failure {
    fn of(line: String) -> Failure {
        Failure { lines: vec![line] }
    }
}

/// One file of the list.
struct Part {
    name: String,
    path: PathBuf,
    kind: Kind,
    size: u64,
}

/// An AOF being loaded.
pub struct Load {
    files: Arc<dyn Files>,
    wake: Wake,
    settings: Settings,
    parts: Vec<Part>,
    /// The part being read.
    number: usize,
    current: Option<Current>,
    /// Bytes of the parts that are done.
    done_bytes: u64,
    total_bytes: u64,
    keys: Loaded,
    commands: u64,
    started_us: u64,
    part_started_us: u64,
    /// Where the replication stream stands.
    place: Known,
    used_memory: Option<u64>,
    was_cut: bool,
    /// What is known of when, and where reading stopped, when the state of a moment is wanted.
    limit: Option<Limit>,
    stopped_at: Option<(usize, u64)>,
}

/// The file being read.
struct Current {
    source: Source,
    buffer: Vec<u8>,
    /// What of the buffer is done.
    at: usize,
    /// Place in the file of the buffer's first byte.
    offset: u64,
    content: Content,
    reader: Reader,
    /// Reads ahead of the other.
    scout: Reader,
    /// Commands that the scout has seen and nobody executed.
    ahead: usize,
    /// Everything before this place is whole: no command and no transaction reaches beyond.
    whole: u64,
    /// What is there does not hold the next item to its end.
    is_short: bool,
    /// There are zeros where a command should go on; what it means if something else follows.
    zeros_from: Option<Failure>,
}

enum Content {
    /// Not known yet.
    Unknown,
    Image(Box<Loader>),
    Commands,
}

impl Load {
    /// Opens nothing yet, but finds out what there is. `Ok(None)`: the manifest names no data.
    pub fn begin(
        files: Arc<dyn Files>,
        folder: &Folder,
        manifest: &Manifest,
        settings: Settings,
        now_us: u64,
        wake: Wake,
    ) -> Result<Option<Load>, Failure> {
        let mut parts = Vec::new();
        for entry in manifest.data_files() {
            let (name, path) = (entry.shown(), folder.path_of(entry));
            let size = match files.size(&path) {
                Ok(Some(size)) => size,
                Ok(None) => {
                    return Err(Failure::of(format!(
                        "The append log file {name} doesn't exist: No such file or directory ({})",
                        path.display()
                    )));
                }
                Err(error) => return Err(cannot_open(&name, &error)),
            };
            parts.push(Part { name, path, kind: entry.kind, size });
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let total_bytes = parts.iter().map(|part| part.size).sum();
        Ok(Some(Load {
            files,
            wake,
            settings,
            parts,
            number: 0,
            current: None,
            done_bytes: 0,
            total_bytes,
            keys: Loaded::default(),
            commands: 0,
            started_us: now_us,
            part_started_us: now_us,
            place: Known::nothing(settings.backlog),
            used_memory: None,
            was_cut: false,
            limit: settings.restore_to.map(Limit::new),
            stopped_at: None,
        }))
    }

    /// Does one slice.
    pub fn step(&mut self, replay: &mut dyn Replay, clock: &mut dyn FnMut() -> u64) -> Result<LoadProgress, Failure> {
        let start = clock();
        let delay = self.settings.key_delay;
        loop {
            let work = self.keys.keys + self.commands;
            if let Some(due) = pace::due_us(self.started_us, work, delay).filter(|&due| due > start) {
                return Ok(LoadProgress::Until(due));
            }
            match self.advance(replay, clock, &mut |now| delay == 0 && now - start < SLICE_MAX_US, false)? {
                Step::Again if delay == 0 && clock() - start < SLICE_MAX_US => {}
                Step::Again => return Ok(LoadProgress::More),
                Step::Waiting => return Ok(LoadProgress::Waiting),
                Step::Done => return Ok(LoadProgress::Done(self.keys)),
            }
        }
    }

    /// Loads everything, waiting for the disk: DEBUG LOADAOF.
    pub fn run(&mut self, replay: &mut dyn Replay, clock: &mut dyn FnMut() -> u64) -> Result<(), Failure> {
        while self.advance(replay, clock, &mut |_| true, true)? != Step::Done {}
        Ok(())
    }

    /// Bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Size of the base.
    pub fn base_bytes(&self) -> u64 {
        self.parts.iter().filter(|part| part.kind == Kind::Base).map(|part| part.size).sum()
    }

    /// Bytes read so far.
    pub fn loaded_bytes(&self) -> u64 {
        self.done_bytes + self.current.as_ref().map_or(0, |current| current.offset + current.at as u64)
    }

    /// Keys that came with an image.
    pub fn keys(&self) -> Loaded {
        self.keys
    }

    /// Memory that the writer of the image used, when it said so.
    pub fn used_memory(&self) -> Option<u64> {
        self.used_memory
    }

    /// Where the replication stream stood with exactly these data, when the files say so.
    pub fn position(&self) -> Option<ReplFacts> {
        self.place.position()
    }

    /// The last bytes of the replication stream up to that place, as far as the files have them.
    pub fn last_bytes(&self) -> &[u8] {
        self.place.last_bytes()
    }

    /// Whether a cut end was removed.
    pub fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// What the log says about a state that was gone back to, and about what was left out.
    pub fn restore_report(&self) -> Vec<String> {
        let Some(limit) = &self.limit else { return Vec::new() };
        let mut lines = limit.report(self.commands);
        if let Some((number, place)) = self.stopped_at {
            let (part, later) = (&self.parts[number], &self.parts[number + 1..]);
            let left = part.size - place;
            lines.push(format!("Left out: {left} bytes of {} from offset {place} on.", part.name));
            lines.extend(later.iter().map(|part| format!("Left out: {} with {} bytes.", part.name, part.size)));
        }
        lines
    }

    /// Whether nothing more is to be read.
    fn is_over(&self) -> Result<bool, Failure> {
        if self.number < self.parts.len() {
            return Ok(false);
        }
        self.limit.as_ref().map_or(Ok(true), |limit| limit.end().map(|()| true)).map_err(Failure::of)
    }

    /// Reads no further than this place of the present file.
    fn stop_at(&mut self, place: u64) -> Step {
        self.stopped_at = Some((self.number, place));
        self.place.forget();
        self.current = None;
        self.number = self.parts.len();
        Step::Again
    }

    /// Does a little. `more` gets the time now and then and says whether to go on.
    fn advance(
        &mut self,
        replay: &mut dyn Replay,
        clock: &mut dyn FnMut() -> u64,
        more: &mut dyn FnMut(u64) -> bool,
        may_wait: bool,
    ) -> Result<Step, Failure> {
        if self.is_over()? {
            return Ok(Step::Done);
        }
        let part = &self.parts[self.number];
        let Some(current) = &mut self.current else {
            self.part_started_us = clock();
            let opened = Source::open(&*self.files, &part.path, self.wake.clone());
            let source = opened.map_err(|error| cannot_open(&part.name, &error))?;
            self.current = Some(Current::new(source));
            return Ok(Step::Again);
        };
        match current.refill(may_wait) {
            Ok(Refill::Ready) => {}
            Ok(Refill::NotYet) => return Ok(Step::Waiting),
            Ok(Refill::End) => {
                self.end_of_part(replay)?;
                if self.number == self.parts.len() {
                    return Ok(Step::Again);
                }
                let seconds = clock().saturating_sub(self.part_started_us) as f64 / 1e6;
                let part = &self.parts[self.number];
                let what = if part.kind == Kind::Base { "base" } else { "incr" };
                info!("DB loaded from {what} file {}: {seconds:.3} seconds", part.name);
                self.done_bytes += part.size;
                self.number += 1;
                self.current = None;
                return Ok(Step::Again);
            }
            Err(error) => {
                let (name, reason) = (&part.name, strerror(&error));
                return Err(Failure::of(format!(
                    "Unrecoverable error reading the append only file {name}: {reason} (at offset {})",
                    current.place()
                )));
            }
        }
        if let Content::Unknown = current.content {
            current.recognise(&self.settings, part);
        }
        match &mut current.content {
            Content::Unknown => {
                current.is_short = true;
                Ok(Step::Again)
            }
            Content::Image(_) => self.image(replay, clock, more),
            Content::Commands => self.commands(replay, clock, more),
        }
    }

    fn image(
        &mut self,
        replay: &mut dyn Replay,
        clock: &mut dyn FnMut() -> u64,
        more: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Step, Failure> {
        let part = &self.parts[self.number];
        let current = self.current.as_mut().expect("being read");
        let Content::Image(loader) = &mut current.content else { unreachable!("only called for an image") };
        let mut input = &current.buffer[current.at..];
        let fed = loader.feed(replay.keyspace(), &mut input, &mut || more(clock()));
        current.at = current.buffer.len() - input.len();
        self.keys = loader.loaded();
        self.used_memory = loader.facts().used_memory;
        match fed {
            Err(error) => Err(bad_image(&part.name, &error)),
            Ok(Fed::NeedsMore | Fed::Paused) => Ok(Step::Again),
            Ok(Fed::Done) => {
                let loaded = loader.loaded();
                info!("{loaded}");
                self.place.image(loader.facts().repl());
                if let Some(limit) = &mut self.limit {
                    limit.image(&part.name, loader.facts().created).map_err(Failure::of)?;
                }
                let libraries = loader.facts().libraries.clone();
                replay.libraries(&libraries).map_err(|text| bad_library(&part.name, &text))?;
                current.content = Content::Commands;
                current.whole = current.place();
                if current.whole < part.size {
                    info!("Reading the remaining AOF tail...");
                }
                Ok(Step::Again)
            }
        }
    }

    fn commands(
        &mut self,
        replay: &mut dyn Replay,
        clock: &mut dyn FnMut() -> u64,
        more: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Step, Failure> {
        let part = &self.parts[self.number];
        let current = self.current.as_mut().expect("being read");
        let mut asked = 0;
        loop {
            let place = current.place();
            if current.zeros_from.is_some() {
                return current.only_zeros();
            }
            current.look_ahead(replay);
            let found = match current.reader.next(&current.buffer[current.at..]) {
                Ok(found) => found,
                Err(defect) => {
                    let failure = bad_format(part, place, &defect);
                    let wrong = current.at + defect.at;
                    let may_be_cut = may_be_cut(&*self.files, &self.parts[self.number..]);
                    if !may_be_cut || !self.settings.accepts_cut_end || current.buffer.get(wrong) != Some(&0) {
                        return Err(failure);
                    }
                    current.at = wrong;
                    current.zeros_from = Some(failure);
                    return current.only_zeros();
                }
            };
            let Some((item, taken)) = found else {
                current.is_short = true;
                return Ok(Step::Again);
            };
            match item {
                Item::Command(args) => {
                    if let Err(refused) = replay.run(&args) {
                        let name = args.shown(0);
                        let file = &part.name;
                        return Err(Failure::of(match refused {
                            Refused::Unknown => format!(
                                "Unknown command '{name}' reading the append only file {file} (at offset {place})"
                            ),
                            Refused::Failed(text) => format!(
                                "Command '{name}' answered '{text}' reading the append only file {file} (at offset {place}), \
                                 and propagation-error-behavior is panic"
                            ),
                        }));
                    }
                    self.commands += 1;
                    let bytes = &current.buffer[current.at..current.at + taken];
                    self.place.command(bytes, selects(&args), replay.is_in_multi());
                    if let Some(limit) = &mut self.limit {
                        limit.change();
                    }
                }
                Item::Annotation(line) => {
                    if let (Some(limit), Some(at)) = (&mut self.limit, timestamp(line))
                        && !limit.stamp(&part.name, at).map_err(Failure::of)?
                    {
                        let whole = current.whole;
                        return Ok(self.stop_at(whole));
                    }
                    self.place.annotation(line, replay.is_in_multi());
                    if place == 0
                        && let Some((name, size)) = after(line)
                        && let Some(before) =
                            self.parts[..self.number].iter().position(|part| part.name.as_bytes() == name)
                        && self.parts[before].size < size
                    {
                        return self.gap(before, size);
                    }
                }
            }
            current.at += taken;
            if !replay.is_in_multi() {
                current.whole = current.place();
            }
            asked += 1;
            if asked >= ASK_EVERY {
                asked = 0;
                if !more(clock()) {
                    return Ok(Step::Again);
                }
            } else if self.settings.key_delay != 0 {
                return Ok(Step::Again);
            }
        }
    }

    /// The file before this one has lost its end: what follows cannot be used.
    fn gap(&mut self, before: usize, expected: u64) -> Result<Step, Failure> {
        let (name, previous) = (&self.parts[self.number].name, &self.parts[before]);
        let text = format!(
            "The AOF file {} has {} bytes where {expected} had been written: what {name} continues is missing",
            previous.name, previous.size
        );
        if !self.settings.accepts_cut_end {
            return Err(Failure { lines: vec![text, "Fatal error: a file of the AOF has lost its end".to_owned()] });
        }
        warn!("!!! Warning: {text}!!!");
        if self.limit.is_some() {
            return Ok(self.stop_at(0));
        }
        for part in &mut self.parts[self.number..] {
            warn!("!!! Truncating the AOF {} at offset 0 !!!", part.name);
            let cut = self.files.append(&part.path).and_then(|mut file| {
                file.set_size(0)?;
                file.sync_all()
            });
            if let Err(error) = cut {
                return Err(Failure::of(format!("Error truncating the AOF file {}: {}", part.name, strerror(&error))));
            }
            self.total_bytes -= part.size;
            part.size = 0;
        }
        self.was_cut = true;
        self.current = None;
        self.number = self.parts.len();
        Ok(Step::Again)
    }

    /// The file is over: was it whole?
    fn end_of_part(&mut self, replay: &mut dyn Replay) -> Result<(), Failure> {
        let part = &self.parts[self.number];
        let current = self.current.as_mut().expect("being read");
        match &mut current.content {
            Content::Image(loader) => return Err(bad_image(&part.name, &loader.truncated())),
            // Fewer bytes than any command.
            Content::Unknown if current.at < current.buffer.len() => {
                let mut reader = Reader::default();
                reader
                    .next(&current.buffer[current.at..])
                    .map_err(|defect| bad_format(part, current.offset, &defect))?;
            }
            Content::Unknown | Content::Commands => {}
        }
        let has_rest = current.at < current.buffer.len() || current.zeros_from.is_some();
        if !has_rest && !replay.is_in_multi() {
            return Ok(());
        }
        let (name, whole) = (&part.name, current.whole);
        let mut lines = Vec::new();
        if replay.is_in_multi() {
            lines.push(format!("Revert incomplete MULTI/EXEC transaction in AOF file {name}"));
        }
        if !may_be_cut(&*self.files, &self.parts[self.number..]) {
            lines.push(format!("The AOF file {name} is cut off at offset {whole}, and is not the last one"));
            lines.push("Fatal error: the truncated file is not the last file".to_owned());
            return Err(Failure { lines });
        }
        if !self.settings.accepts_cut_end {
            lines.push(format!(
                "Unexpected end of file reading the append only file {name} (all is well up to offset {whole}). You can: \
                 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively \
                 you can set the 'aof-load-truncated' configuration option to yes and restart the server."
            ));
            return Err(Failure { lines });
        }
        lines.iter().for_each(|line| warn!("{line}"));
        warn!("!!! Warning: short read while loading the AOF file {name}!!!");
        if self.limit.is_some() {
            self.stop_at(whole);
            return Ok(());
        }
        warn!("!!! Truncating the AOF {name} at offset {whole} !!!");
        let cut = self.files.append(&part.path).and_then(|mut file| {
            file.set_size(whole)?;
            file.sync_all()
        });
        if let Err(error) = cut {
            return Err(Failure::of(format!("Error truncating the AOF file {name}: {}", strerror(&error))));
        }
        warn!("AOF {name} loaded anyway because aof-load-truncated is enabled");
        self.was_cut = true;
        // Its size counts from now on.
        let part = &mut self.parts[self.number];
        self.total_bytes -= part.size - whole;
        part.size = whole;
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Again,
    Waiting,
    Done,
}

enum Refill {
    Ready,
    NotYet,
    End,
}

impl Current {
    fn new(source: Source) -> Current {
        Current {
            source,
            buffer: Vec::new(),
            at: 0,
            offset: 0,
            content: Content::Unknown,
            reader: Reader::default(),
            scout: Reader::default(),
            ahead: 0,
            whole: 0,
            is_short: true,
            zeros_from: None,
        }
    }

    /// Looks at some commands when those of the last time are executed. What is wrong with one is found out when its turn comes.
    fn look_ahead(&mut self, replay: &mut dyn Replay) {
        if self.ahead > 0 {
            self.ahead -= 1;
            return;
        }
        let mut at = self.at;
        let end = self.buffer.len().min(at + AHEAD_BYTES);
        self.scout.reset();
        while self.ahead < AHEAD
            && let Ok(Some((item, taken))) = self.scout.next(&self.buffer[at..end])
        {
            if let Item::Command(args) = item {
                replay.expect(&args);
            }
            at += taken;
            self.ahead += 1;
        }
        replay.fetch_expected();
        self.ahead = self.ahead.saturating_sub(1);
    }

    /// A power cut can leave a file whose end was made room for and never filled. Zeros up to the end are a cut end.
    fn only_zeros(&mut self) -> Result<Step, Failure> {
        if self.buffer[self.at..].iter().any(|&byte| byte != 0) {
            return Err(self.zeros_from.take().expect("only called with it"));
        }
        self.at = self.buffer.len();
        self.is_short = true;
        Ok(Step::Again)
    }

    /// The place in the file that is read next.
    fn place(&self) -> u64 {
        self.offset + self.at as u64
    }

    /// Adds a block when what is there does not suffice.
    fn refill(&mut self, may_wait: bool) -> io::Result<Refill> {
        if !self.is_short && self.at < self.buffer.len() {
            return Ok(Refill::Ready);
        }
        let next = if may_wait { self.source.wait() } else { self.source.next() };
        match next {
            Next::Block(block) => {
                self.offset += self.at as u64;
                if self.at == self.buffer.len() {
                    let old = std::mem::replace(&mut self.buffer, block);
                    self.source.give_back(if old.capacity() > BUFFER_KEPT { Vec::new() } else { old });
                } else {
                    self.buffer.drain(..self.at);
                    self.buffer.extend_from_slice(&block);
                    self.source.give_back(block);
                }
                self.at = 0;
                self.is_short = false;
                Ok(Refill::Ready)
            }
            Next::NotYet => Ok(Refill::NotYet),
            Next::End => Ok(Refill::End),
            Next::Failed(error) => Err(error),
        }
    }

    /// Looks whether the file begins with an image.
    fn recognise(&mut self, settings: &Settings, part: &Part) {
        let start = &self.buffer[self.at..];
        if start.len() < RDB_MAGIC.len() && RDB_MAGIC.starts_with(start) {
            return;
        }
        self.content = if start.starts_with(RDB_MAGIC) && part.kind == Kind::Base {
            match part.name.ends_with(".rdb") {
                true => info!("Reading RDB base file on AOF loading..."),
                false => info!("Reading RDB preamble from AOF file..."),
            }
            let rules = Rules { bytes_there: part.size, drop_expired: false, replace: false, ..settings.rules };
            Content::Image(Box::new(Loader::new(rules)))
        } else {
            Content::Commands
        };
    }
}

/// Whether the first of these files may have lost its end in a crash: all behind it are empty, or the next one says that it
/// continues this one, and then it will be seen to continue something that is missing.
fn may_be_cut(files: &dyn Files, parts: &[Part]) -> bool {
    let Some(next) = parts[1..].iter().find(|part| part.size > 0) else { return true };
    let mut head = [0; 1024];
    let read = files.open(&next.path).and_then(|mut file| file.read_full(&mut head));
    let Ok(count) = read else { return false };
    let line = head[..count].split(|&byte| byte == b'\r').next().unwrap_or_default();
    let name = line.strip_prefix(b"#").and_then(after).map(|(name, _)| name);
    name == Some(parts[0].name.as_bytes())
}

fn cannot_open(name: &str, error: &io::Error) -> Failure {
    Failure::of(format!("Fatal error: can't open the append log file {name} for reading: {}", strerror(error)))
}

fn bad_image(name: &str, error: &LoadError) -> Failure {
    let lines = vec![
        format!("{error} ({name})"),
        format!("Error reading the RDB preamble of the AOF file {name}, AOF loading aborted"),
    ];
    Failure { lines }
}

fn bad_library(name: &str, error: &str) -> Failure {
    Failure::of(format!("Failed creating the function libraries of {name}: {error}"))
}

fn bad_format(part: &Part, command: u64, defect: &super::read::Defect) -> Failure {
    Failure::of(format!(
        "Bad file format reading the append only file {} at offset {} ({defect}): make a backup of your AOF file, then use \
         ./redis-check-aof --fix <filename.manifest>",
        part.name,
        command + defect.at as u64
    ))
}

/// The database that a command chooses for those behind it.
fn selects(args: &Args<'_>) -> Option<u32> {
    let db = (args.len() == 2 && args.is(0, "select")).then(|| args.get(1))?;
    std::str::from_utf8(db).ok()?.parse().ok()
}

/// What a file of changes begins with that continues `name`, which has `size` bytes.
pub fn after_line(name: &[u8], size: u64) -> Vec<u8> {
    [b"#", AFTER, format!("{size}:").as_bytes(), name.escape_ascii().to_string().as_bytes(), b"\r\n"].concat()
}

/// The size and the name in such a line; a name that needs escaping is none, and is not looked after.
fn after(annotation: &[u8]) -> Option<(&[u8], u64)> {
    let rest = annotation.strip_prefix(AFTER)?;
    let colon = rest.iter().position(|&byte| byte == b':')?;
    let size = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
    Some((&rest[colon + 1..], size))
}

#[cfg(test)]
mod tests;
