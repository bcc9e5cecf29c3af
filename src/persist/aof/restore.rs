//! Going back to a moment: `--restore-to`.
//!
//! The files are read from their beginning, as at any start, up to the first time stamp that is later than the moment. The data
//! are then those of that moment, and go on in files of their own; everything that was there before stays as it is:
//!
//! ```text
//!   before                                        after --restore-to
//!   appendonly.aof.manifest ─┐                    appendonly.aof.manifest ──────────────────────────────┐
//!                            │                    appendonly.aof.before-restore-1793887387.manifest ─┐  │
//!   appendonly.aof.3.base.rdb┤                    appendonly.aof.3.base.rdb  <───────────────────────┤  │
//!   appendonly.aof.3.incr.aof┤                    appendonly.aof.3.incr.aof  <───────────────────────┤  │
//!   appendonly.aof.4.incr.aof┘                    appendonly.aof.4.incr.aof  <───────────────────────┘  │
//!                                                 appendonly.aof.4.base.rdb, appendonly.aof.5.incr.aof <┘
//! ```
//!
//! Replacing the manifest is what makes it count, so a crash leaves the old set or the new one. Whoever wants back what was left
//! out puts the old manifest in the place of the new one.
//!
//! *What is known about when.* An image says when it was made, and time stamps say when what follows them was done; nothing
//! else does. So there must be a time stamp at all, and something must be known to be of the moment or before it. The second rule
//! also keeps a server that is started again with the same option from undoing what was done since: its base is younger than
//! the moment.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::folder::{Folder, FolderError, tried};
use super::manifest::Manifest;
use crate::base::calendar::utc_text;
use crate::base::files::{self, Files};

/// What the files have said so far about when their content was made.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Nothing later than this is wanted: seconds since 1970.
    moment: i64,
    /// When the image that everything begins with was made.
    base: Option<i64>,
    /// The last time stamp that was passed.
    passed: Option<i64>,
    /// The time stamp at which reading stopped.
    stopped: Option<i64>,
    /// Changes in front of the first time stamp.
    unstamped: u64,
}

impl Limit {
    /// Nothing later than `moment`.
    pub fn new(moment: i64) -> Limit {
        Limit { moment, base: None, passed: None, stopped: None, unstamped: 0 }
    }

    /// An image, made then. The error says why the moment cannot be reached.
    pub fn image(&mut self, name: &str, created: Option<i64>) -> Result<(), String> {
        self.base = created;
        match created {
            Some(at) if at > self.moment => Err(format!(
                "Can't restore to {}: the base {name} was made later, at {}. What was before is not in these files; an older \
                 set of them (….before-restore-….manifest, or a backup) may have it.",
                utc_text(self.moment),
                utc_text(at)
            )),
            _ => Ok(()),
        }
    }

    /// A change.
    pub fn change(&mut self) {
        self.unstamped += u64::from(self.passed.is_none());
    }

    /// A time stamp of the file `name`: whether what follows is still wanted.
    pub fn stamp(&mut self, name: &str, at: i64) -> Result<bool, String> {
        if at <= self.moment {
            self.passed = Some(self.passed.map_or(at, |before| before.max(at)));
            return Ok(true);
        }
        if self.passed.is_none() && self.base.is_none() {
            return Err(format!(
                "Can't restore to {}: nothing in the append only file is known to be of that moment or before it. The first \
                 time stamp, in {name}, is {}.",
                utc_text(self.moment),
                utc_text(at)
            ));
        }
        self.stopped = Some(at);
        Ok(false)
    }

    /// Everything wanted was read. The error says that it is not known what that is.
    pub fn end(&self) -> Result<(), String> {
        match self.passed.or(self.stopped) {
            Some(_) => Ok(()),
            None => Err(format!(
                "Can't restore to {}: the append only file has no time stamps (aof-timestamp-enabled), so nothing says when \
                 its changes were made.",
                utc_text(self.moment)
            )),
        }
    }

    /// What the log says about the state that was reached.
    pub fn report(&self, changes: u64) -> Vec<String> {
        let mut lines = vec![format!(
            "Restored to {} ({}): {changes} changes were replayed; the last time stamp among them is {}.",
            utc_text(self.moment),
            self.moment,
            self.passed.or(self.base).map_or("unknown".to_owned(), utc_text)
        )];
        if self.unstamped > 0 {
            lines.push(format!(
                "{} changes stand in front of the first time stamp and are taken to be of the time before it.",
                self.unstamped
            ));
        }
        lines.push(match self.stopped {
            Some(at) => format!("The first time stamp that was left out is {}.", utc_text(at)),
            None => "The files have nothing that is later.".to_owned(),
        });
        lines
    }
}

/// Keeps the present list of files under another name, and gives the beginning of a new one, whose files do not exist yet: the
/// list is empty, but counts on. `now` is part of the name: seconds since 1970.
pub fn set_aside(
    files: &dyn Files,
    folder: &Folder,
    manifest: &Manifest,
    now: i64,
) -> Result<(Manifest, PathBuf), FolderError> {
    let named = |extra: u32| {
        let dot = if extra == 0 { String::new() } else { format!(".{extra}") };
        let suffix = format!(".before-restore-{now}{dot}.manifest");
        folder.path.join(OsStr::from_bytes(&[&folder.prefix[..], suffix.as_bytes()].concat()))
    };
    let exists = |path: &std::path::Path| tried(|| format!("Can't stat {}", path.display()), files.size(path));
    let mut extra = 0;
    while exists(&named(extra))?.is_some() {
        extra += 1;
    }
    let place = named(extra);
    let temporary = place.with_extension("manifest.temp");
    let written = files::replace(files, &place, &temporary, &manifest.text());
    tried(|| format!("Can't keep the list of the present files as {}", place.display()), written)?;
    let mut fresh = manifest.clone().without_files();
    // Files that an earlier restore left here are somebody's, too.
    loop {
        let is_rdb = |is_rdb| folder.path_of(&fresh.next_base(&folder.prefix, is_rdb));
        let taken = [is_rdb(true), is_rdb(false), folder.path_of(&fresh.next_incr(&folder.prefix))];
        let mut is_free = true;
        for path in &taken {
            is_free &= exists(path)?.is_none();
        }
        if is_free {
            return Ok((fresh, place));
        }
        fresh.skip_number();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::memory::MemoryFiles;
    use std::path::Path;

    #[test]
    fn what_is_known_to_be_of_before_can_be_reached() {
        let mut limit = Limit::new(200);
        assert!(limit.image("a", Some(100)).is_ok());
        limit.change();
        assert_eq!((limit.stamp("i", 200), limit.stamp("i", 201)), (Ok(true), Ok(false)));
        assert!(limit.end().is_ok());
        let text = limit.report(7).join("\n");
        assert!(text.contains("1970-01-01T00:03:20Z (200): 7 changes") && text.contains("1 changes stand"), "{text}");
        assert!(text.contains("left out is 1970-01-01T00:03:21Z"), "{text}");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(Limit::new(99).image("a.4.base.rdb", Some(100)).unwrap_err().contains("a.4.base.rdb was made later"));
        assert!(Limit::new(99).stamp("i", 100).unwrap_err().contains("nothing in the append only file is known"));
        let mut limit = Limit::new(99);
        limit.image("a", Some(50)).unwrap();
        limit.change();
        assert!(limit.end().unwrap_err().contains("no time stamps"));
        assert_eq!(limit.stamp("i", 100), Ok(false), "the image is of before");
        assert!(limit.end().is_ok());
    }

    #[test]
    fn the_new_list_counts_on_behind_every_file_there_is() {
        let files = MemoryFiles::new();
        let folder = Folder { outer: "/".into(), path: "/d".into(), prefix: b"a".to_vec() };
        files.create_folder(Path::new("/d")).unwrap();
        let manifest = Manifest::parse(b"file a.3.base.rdb seq 3 type b\nfile a.5.incr.aof seq 5 type i\n").unwrap();
        files.create(Path::new("/d/a.4.base.rdb")).unwrap();
        let (fresh, place) = set_aside(&files, &folder, &manifest, 77).unwrap();
        assert_eq!(place, Path::new("/d/a.before-restore-77.manifest"));
        assert_eq!(files::read_whole(&files, &place, 1000).unwrap(), manifest.text());
        assert!(fresh.is_empty());
        assert_eq!(fresh.next_base(b"a", true).name, b"a.5.base.rdb");
        assert_eq!(fresh.next_incr(b"a").name, b"a.7.incr.aof");
        let (_, second) = set_aside(&files, &folder, &manifest, 77).unwrap();
        assert_eq!(second, Path::new("/d/a.before-restore-77.1.manifest"), "none is overwritten");
    }
}
