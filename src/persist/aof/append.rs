//! What is written to the AOF when, when it is synced, and what a failure means.
//!
//! Changes arrive as chunks while commands run. At the end of each turn of the loop everything that came is written with one
//! write, by the thread that owns the data: that is a copy into the system's memory, and it makes the changes outlive this
//! process. Making them outlive the machine is a sync, which takes a disk's time; it is asked for here and done elsewhere
//! ([`super::disk`]).
//!
//! | `appendfsync` | when to write | when to sync | a reply may leave when its change is |
//! |---|---|---|---|
//! | `always`   | when no sync is under way | at once | on disk |
//! | `everysec` | each turn; while a sync is under way up to two seconds later | a second after the last | written, or soon |
//! | `no`       | each turn | never | written |
//!
//! *Group commit.* With `always`, what arrives while a sync is under way is gathered and shares the next one: one sync for all
//! clients of several turns. [`Appender::safe`] is the position up to which replies may leave. Clients who were just released
//! come back a moment later, and would miss a sync that began at once; on a slow disk the owner lets it wait for them a
//! little ([`Appender::gather_until`]).
//!
//! *Failures.* A write that fails or is short leaves part of a command: it is cut off again, the bytes are kept and tried
//! again, and clients are told (MISCONF) until it works. A sync that fails is another matter: the system may have thrown away
//! the pages that it could not write and report success the next time, so no later sync of this file proves anything. With
//! `always` the process ends, before anybody is told that the change is safe. Otherwise writes are refused and only a rewrite,
//! whose new files hold everything that this one may have lost, makes the AOF good again ([`Appender::is_tainted`]).
//!
//! This is a machine without clock and without thread; the file is whatever [`File`] it is given.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;

use crate::base::files::{File, strerror};
use crate::base::time::Instant;

/// `appendfsync`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Before the reply.
    Always,
    /// Once a second.
    #[default]
    EverySecond,
    /// Never: when the system pleases.
    Never,
}

/// Milliseconds between two syncs with `everysec`.
const SYNC_PERIOD: u64 = 1000;

/// Milliseconds that a write waits for a sync under way, with `everysec`.
const POSTPONED_MAX: u64 = 2000;

/// Milliseconds between two lines about the same trouble in the log.
const LOG_PERIOD: u64 = 30_000;

/// Milliseconds until a failed write is tried again, if no turn comes earlier.
const RETRY_PERIOD: u64 = 1000;

/// Chunks shorter than this are gathered before they are written.
const GATHER_BELOW: usize = 64 * 1024;

/// How much is gathered for one write.
const GATHER_MAX: usize = 1024 * 1024;

/// Whoever ends the process must not say more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fatal(pub String);

/// What a turn asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Sync the file up to this position, and say how that went ([`Appender::synced`]).
    pub sync: Option<u64>,
    /// The next turn is needed at this moment at the latest.
    pub next: Option<Instant>,
}

/// The end of the AOF.
pub struct Appender {
    policy: Policy,
    /// `no-appendfsync-on-rewrite` applies at present: nothing is synced.
    is_sync_suspended: bool,
    /// The next sync waits for more changes until then.
    gather_until: Option<Instant>,
    file: Option<Box<dyn File>>,
    /// Bytes of the file that are good.
    size: u64,
    waiting: VecDeque<Bytes>,
    waiting_bytes: u64,
    scratch: Vec<u8>,
    /// Positions count all bytes ever taken, whatever file they are in.
    taken: u64,
    written: u64,
    sync_asked: u64,
    synced: u64,
    /// Positions that syncs under way will reach, in order.
    under_way: VecDeque<u64>,
    last_sync: Instant,
    postponed_since: Option<Instant>,
    retry_at: Option<Instant>,
    /// Why the last write failed.
    write_error: Option<String>,
    /// Why a sync failed.
    sync_error: Option<String>,
    /// Where the present file begins.
    file_start: u64,
    /// A sync failed, and what lies before this position may not be on disk.
    tainted_to: Option<u64>,
    last_complaint: Option<Instant>,
    /// Writes that a sync under way has held up for too long.
    pub delayed: u64,
}

impl Appender {
    /// Without a file: what arrives waits.
    pub fn new(policy: Policy) -> Appender {
        Appender {
            policy,
            is_sync_suspended: false,
            gather_until: None,
            file: None,
            size: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            scratch: Vec::new(),
            taken: 0,
            written: 0,
            sync_asked: 0,
            synced: 0,
            under_way: VecDeque::new(),
            last_sync: Instant::default(),
            postponed_since: None,
            retry_at: None,
            write_error: None,
            sync_error: None,
            file_start: 0,
            tainted_to: None,
            last_complaint: None,
            delayed: 0,
        }
    }

    /// Sets `appendfsync`.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Whether `no-appendfsync-on-rewrite` applies now.
    pub fn suspend_sync(&mut self, is_suspended: bool) {
        self.is_sync_suspended = is_suspended;
    }

    /// With `always`, holds the next sync back until then, so that more changes share it.
    pub fn gather_until(&mut self, until: Option<Instant>) {
        self.gather_until = until;
    }

    /// Whether replies must wait for the disk.
    pub fn holds_replies(&self) -> bool {
        self.policy == Policy::Always && !self.is_sync_suspended && self.file.is_some()
    }

    /// Takes changes, to be written at the end of the turn.
    pub fn add(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.taken += bytes.len() as u64;
            self.waiting_bytes += bytes.len() as u64;
            self.waiting.push_back(bytes);
        }
    }

    /// The position behind everything that was taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The position behind everything that was written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The position behind everything that is known to be on disk.
    pub fn on_disk(&self) -> u64 {
        self.synced
    }

    /// The position up to which changes are as safe as the settings say.
    pub fn safe(&self) -> u64 {
        if self.holds_replies() { self.synced } else { self.taken }
    }

    /// Bytes of the present file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that wait to be written.
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    /// Syncs under way.
    pub fn syncs_under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Whether there is a file.
    pub fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Why changes must be refused at present, in the words of the system.
    pub fn trouble(&self) -> Option<&str> {
        self.write_error.as_deref().or(self.sync_error.as_deref())
    }

    /// Whether the last write worked.
    pub fn is_write_ok(&self) -> bool {
        self.write_error.is_none()
    }

    /// Whether the files may lack something that a sync should have saved; only a rewrite helps.
    pub fn is_tainted(&self) -> bool {
        self.tainted_to.is_some()
    }

    /// A rewrite has brought everything before `position` to the disk, in other files.
    pub fn saved_elsewhere(&mut self, position: u64) {
        if self.tainted_to.is_some_and(|to| to <= position) {
            self.tainted_to = None;
            self.sync_error = None;
            // What was synced since then did not count; it is asked for once more.
            self.sync_asked = self.sync_asked.min(position);
        }
        if self.tainted_to.is_none() {
            self.synced = self.synced.max(position);
        }
    }

    /// Goes on in another file, which holds `size` bytes. What was taken before must have been written ([`Appender::flush`]);
    /// a sync of the old file has to be asked for by the caller, with the position that this returns, and reported as usual.
    pub fn switch_to(&mut self, file: Box<dyn File>, size: u64) -> Option<u64> {
        let is_unsynced = self.file.is_some() && self.written > self.sync_asked;
        self.file = Some(file);
        self.file_start = self.written;
        self.size = size;
        self.retry_at = None;
        self.postponed_since = None;
        is_unsynced.then(|| self.ask_sync())
    }

    /// Closes the file. Whatever waits is dropped, nothing is owed any more.
    pub fn close(&mut self) {
        self.file = None;
        self.forget_waiting();
        self.size = 0;
        self.write_error = None;
        self.sync_error = None;
        self.tainted_to = None;
        self.retry_at = None;
        self.postponed_since = None;
    }

    /// Drops what waits: it belongs to a history that nobody will read.
    pub fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.written = self.taken;
        self.sync_asked = self.taken;
        self.synced = self.taken;
    }

    /// The end of a turn: writes what waits, if it may, and says what to sync.
    pub fn turn(&mut self, now: Instant) -> Result<Wanted, Fatal> {
        let mut wanted = Wanted::default();
        if self.file.is_none() {
            return Ok(wanted);
        }
        if !self.waiting.is_empty() {
            match self.hold_write_until(now) {
                Some(until) => wanted.next = until,
                None => self.write(now)?,
            }
        }
        if let Some(at) = self.retry_at {
            wanted.next = Some(at);
        }
        let is_owed = self.written > self.sync_asked && !self.is_sync_suspended && self.under_way.is_empty();
        match self.policy {
            Policy::Always if is_owed => match self.gather_until.filter(|&until| now < until) {
                Some(until) => wanted.next = Some(until),
                None => wanted.sync = Some(self.ask_sync()),
            },
            Policy::EverySecond if is_owed => {
                let due = self.last_sync + SYNC_PERIOD;
                if now >= due {
                    self.last_sync = now;
                    wanted.sync = Some(self.ask_sync());
                } else {
                    wanted.next = Some(wanted.next.map_or(due, |next| next.min(due)));
                }
            }
            _ => {}
        }
        Ok(wanted)
    }

    /// Writes everything now, whatever is under way. False when it did not work.
    pub fn flush(&mut self, now: Instant) -> Result<bool, Fatal> {
        if self.file.is_some() && !self.waiting.is_empty() {
            self.write(now)?;
        }
        Ok(self.waiting.is_empty())
    }

    /// Syncs before it returns: for the end of the process. Whether all is on disk.
    pub fn sync_now(&mut self) -> Result<(), String> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.written > self.synced || !self.under_way.is_empty() {
            let result = file.sync_data().map_err(|error| strerror(&error));
            result.inspect_err(|text| tracing::error!("Fail to fsync the AOF file: {text}"))?;
            self.sync_asked = self.written;
            self.synced = self.written;
        }
        Ok(())
    }

    /// A sync ended.
    pub fn synced(&mut self, now: Instant, result: Result<(), io::Error>) -> Result<(), Fatal> {
        let Some(position) = self.under_way.pop_front() else { return Ok(()) };
        match result {
            Ok(()) if self.tainted_to.is_some() => Ok(()),
            Ok(()) => {
                self.synced = self.synced.max(position);
                Ok(())
            }
            Err(error) if self.policy == Policy::Always => Err(Fatal(format!(
                "Can't persist AOF for fsync error when the AOF fsync policy is 'always': {}. Exiting...",
                strerror(&error)
            ))),
            Err(error) => {
                let text = strerror(&error);
                if self.may_complain(now) {
                    tracing::error!("Fail to fsync the AOF file: {text}");
                }
                // What was written meanwhile may have been among the pages that were given up.
                let to = if position <= self.file_start { self.file_start } else { self.written };
                self.tainted_to = Some(self.tainted_to.map_or(to, |before| before.max(to)));
                self.sync_error = Some(text);
                Ok(())
            }
        }
    }

    fn ask_sync(&mut self) -> u64 {
        self.sync_asked = self.written;
        self.under_way.push_back(self.written);
        self.written
    }

    /// Whether writing has to wait, and until when at the latest (`None` inside: for the end of a sync).
    fn hold_write_until(&mut self, now: Instant) -> Option<Option<Instant>> {
        if self.under_way.is_empty() || self.is_sync_suspended {
            self.postponed_since = None;
            return None;
        }
        match self.policy {
            Policy::Always => Some(None),
            Policy::Never => None,
            Policy::EverySecond => {
                let until = *self.postponed_since.get_or_insert(now) + POSTPONED_MAX;
                if now < until {
                    return Some(Some(until));
                }
                self.delayed += 1;
                tracing::info!(
                    "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting \
                     for fsync to complete, this may slow down the server."
                );
                self.postponed_since = Some(now);
                None
            }
        }
    }

    fn write(&mut self, now: Instant) -> Result<(), Fatal> {
        let before = self.size;
        let (done, result) = self.write_waiting();
        self.postponed_since = self.postponed_since.filter(|_| !self.under_way.is_empty());
        let Err(error) = result else {
            self.note_written(done);
            self.retry_at = None;
            if self.write_error.take().is_some() {
                tracing::warn!("AOF write error looks solved. The server can write again.");
            }
            return Ok(());
        };
        let text = strerror(&error);
        if self.may_complain(now) {
            match done {
                0 => tracing::error!("Error writing to the AOF file: {text}"),
                _ => tracing::error!(
                    "Short write while writing to the AOF file: (nwritten={done}, expected={}): {text}",
                    self.waiting_bytes
                ),
            }
        }
        if self.policy == Policy::Always {
            // Nobody was told that this is safe. What is left of it at the end of the file is cut off at the next start.
            return Err(Fatal(
                "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...".to_owned(),
            ));
        }
        if done > 0
            && let Err(error) = self.file.as_mut().expect("just written").set_size(before)
        {
            tracing::error!(
                "Could not remove short write from the append-only file. The server may refuse to load the AOF the next \
                 time it starts. ftruncate: {}",
                strerror(&error)
            );
            // It stays, and is continued where it stopped.
            self.note_written(done);
        }
        self.write_error = Some(text);
        self.retry_at = Some(now + RETRY_PERIOD);
        Ok(())
    }

    /// Hands everything that waits to the file. How many bytes it took.
    fn write_waiting(&mut self) -> (u64, io::Result<()>) {
        let file = self.file.as_mut().expect("only called with a file");
        let (mut done, mut index) = (0, 0);
        while index < self.waiting.len() {
            let first = &self.waiting[index];
            let alone = first.len() >= GATHER_BELOW || index + 1 == self.waiting.len();
            self.scratch.clear();
            if alone {
                index += 1;
            } else {
                while let Some(next) = self.waiting.get(index)
                    && next.len() < GATHER_BELOW
                    && self.scratch.len() + next.len() <= GATHER_MAX
                {
                    self.scratch.extend_from_slice(next);
                    index += 1;
                }
            }
            let mut rest: &[u8] = if alone { first } else { &self.scratch };
            while !rest.is_empty() {
                match file.write(rest) {
                    Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
                    Ok(count) => {
                        done += count as u64;
                        rest = &rest[count..];
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return (done, Err(error)),
                }
            }
        }
        (done, Ok(()))
    }

    /// The first `count` of the waiting bytes are in the file.
    fn note_written(&mut self, mut count: u64) {
        self.size += count;
        self.written += count;
        self.waiting_bytes -= count;
        while let Some(first) = self.waiting.front_mut() {
            if count < first.len() as u64 {
                let _ = first.split_to(count as usize);
                break;
            }
            count -= first.len() as u64;
            self.waiting.pop_front();
        }
    }

    fn may_complain(&mut self, now: Instant) -> bool {
        let may = self.last_complaint.is_none_or(|last| now.since(last) > LOG_PERIOD);
        if may {
            self.last_complaint = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests;
