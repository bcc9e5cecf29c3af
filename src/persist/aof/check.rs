//! Examines and repairs an AOF while no server runs: what `redis-check-aof` does, in its words.
//!
//! Given a manifest, all its files are examined in order; given a file, that one alone. Examining finds the place up to which
//! all is well: the end of the last command that is whole and not inside an open transaction. Repairing cuts the *last* file
//! there; an earlier file that is damaged cannot be repaired without losing what follows it, and is left alone. Cutting at a
//! time stamp works the same way.

use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::manifest::Manifest;
use super::read::{Item, Reader, timestamp};
use crate::base::files::{File, Files, folder_of, read_whole, strerror};
use crate::base::time::UnixMillis;
use crate::persist::check_rdb::{self, read_block};

/// What to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `--fix`.
    pub fix: bool,
    /// `--truncate-to-timestamp`.
    pub truncate_to: Option<i64>,
}

/// Whoever looks at the report.
pub trait Console {
    /// One line of it.
    fn line(&mut self, text: &str);

    /// A question; anything but yes is no.
    fn confirm(&mut self, question: &str) -> bool;
}

/// Largest manifest looked at.
const MANIFEST_MAX: u64 = 64 * 1024 * 1024;

/// The last words were told; the tool ends with a failure.
struct Over;

enum Outcome {
    Valid,
    Empty,
    Cut,
    CutToTime,
}

struct Checker<'a> {
    files: &'a dyn Files,
    options: Options,
    now: UnixMillis,
    console: &'a mut dyn Console,
}

/// Examines what `path` names. Whether all is well, or is now.
pub fn check_aof(files: &dyn Files, path: &Path, options: Options, now: UnixMillis, console: &mut dyn Console) -> bool {
    let mut checker = Checker { files, options, now, console };
    let result = match checker.is_manifest(path) {
        Ok(true) => checker.all_parts(path),
        Ok(false) => checker.single(path),
        Err(over) => Err(over),
    };
    result.is_ok()
}

impl Checker<'_> {
    fn fail<T>(&mut self, text: &str) -> Result<T, Over> {
        self.console.line(text);
        Err(Over)
    }

    fn open(&mut self, path: &Path) -> Result<(Box<dyn File>, u64), Over> {
        let opened = self.files.open(path).and_then(|file| {
            let size = file.size()?;
            Ok((file, size))
        });
        match opened {
            Ok(opened) => Ok(opened),
            Err(error) => self.fail(&format!("Cannot open file {}: {}, aborting...", path.display(), strerror(&error))),
        }
    }

    /// A manifest begins with `file`, maybe after comments.
    fn is_manifest(&mut self, path: &Path) -> Result<bool, Over> {
        let (mut file, _) = self.open(path)?;
        let mut start = vec![0; 64 * 1024];
        let count = match file.read_full(&mut start) {
            Ok(count) => count,
            Err(error) => return self.fail(&format!("Cannot read file {}: {}", path.display(), strerror(&error))),
        };
        let mut lines = start[..count].split(|&byte| byte == b'\n');
        Ok(lines.find(|line| !line.starts_with(b"#")).is_some_and(|line| line.starts_with(b"file")))
    }

    fn is_image(&mut self, path: &Path) -> Result<bool, Over> {
        let (mut file, _) = self.open(path)?;
        let mut start = [0; 5];
        Ok(file.read_full(&mut start).is_ok_and(|count| count == 5) && start == *b"REDIS")
    }

    fn all_parts(&mut self, path: &Path) -> Result<(), Over> {
        self.console.line("Start checking Multi Part AOF");
        let content = match read_whole(self.files, path, MANIFEST_MAX) {
            Ok(content) => content,
            Err(error) => return self.fail(&format!("Cannot read file {}: {}", path.display(), strerror(&error))),
        };
        let manifest = match Manifest::parse(&content) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.console.line("*** FATAL AOF MANIFEST FILE ERROR ***");
                if error.line > 0 {
                    self.console.line(&format!("Reading the manifest file, at line {}", error.line));
                    self.console.line(&format!(">>> '{}'", error.text));
                }
                return self.fail(&error.reason.to_string());
            }
        };
        let folder = Folder { outer: PathBuf::new(), path: folder_of(path).to_owned(), prefix: Vec::new() };
        // Empty files at the end: a rewrite was prepared and did not begin.
        let mut last = manifest.data_files().count();
        for entry in manifest.incr.iter().rev() {
            match self.files.size(&folder.path_of(entry)) {
                Ok(Some(0)) if last > 1 => last -= 1,
                _ => break,
            }
        }
        let mut number = 0;
        if let Some(base) = &manifest.base {
            number += 1;
            let place = folder.path_of(base);
            let is_image = self.is_image(&place)?;
            self.console.line(&format!("Start to check BASE AOF ({} format).", if is_image { "RDB" } else { "RESP" }));
            let outcome = self.part(&base.shown(), &place, number >= last, is_image)?;
            self.told(outcome, &base.shown(), "BASE AOF");
        }
        if !manifest.incr.is_empty() {
            self.console.line("Start to check INCR files.");
        }
        for incr in &manifest.incr {
            number += 1;
            let outcome = self.part(&incr.shown(), &folder.path_of(incr), number >= last, false)?;
            self.told(outcome, &incr.shown(), "INCR AOF");
        }
        self.console.line("All AOF files and manifest are valid");
        Ok(())
    }

    fn single(&mut self, path: &Path) -> Result<(), Over> {
        self.console.line("Start checking Old-Style AOF");
        let name = path.display().to_string();
        let is_image = self.is_image(path)?;
        let outcome = self.part(&name, path, true, is_image)?;
        self.told(outcome, &name, "AOF");
        Ok(())
    }

    fn told(&mut self, outcome: Outcome, name: &str, kind: &str) {
        self.console.line(&match outcome {
            Outcome::Valid => format!("{kind} {name} is valid"),
            Outcome::Empty => format!("{kind} {name} is empty"),
            Outcome::Cut => format!("Successfully truncated AOF {name}"),
            Outcome::CutToTime => {
                format!("Successfully truncated AOF {name} to timestamp {}", self.options.truncate_to.unwrap_or(0))
            }
        });
    }

    fn part(&mut self, name: &str, path: &Path, is_last: bool, is_image: bool) -> Result<Outcome, Over> {
        let (mut file, size) = self.open(path)?;
        if size == 0 {
            return Ok(Outcome::Empty);
        }
        let mut start = 0;
        if is_image {
            let console = &mut *self.console;
            let found = check_rdb::check(&mut *file, name, self.now, &mut |line| console.line(line));
            let Some(found) = found else { return self.fail("RDB preamble of AOF file is not sane, aborting.") };
            self.console.line("RDB preamble is OK, proceeding with AOF tail...");
            start = found.end;
            if let Err(error) = file.seek(start) {
                return self.fail(&format!("Failed to fseek in AOF {name}: {}", strerror(&error)));
            }
        }
        let scan = self.scan(&mut *file, name, start)?;
        if let Some((place, ts)) = scan.later {
            return self.cut_to_time(name, path, is_last, place, ts);
        }
        if let Some(text) = &scan.fault {
            self.console.line(text);
        }
        let rest = size - scan.well;
        if let (0, Some(timestamp)) = (rest, self.options.truncate_to) {
            self.console.line(&format!("Truncate nothing in AOF {name} to timestamp {timestamp}"));
            return Ok(Outcome::Valid);
        }
        self.console.line(&format!(
            "AOF analyzed: filename={name}, size={size}, ok_up_to={}, ok_up_to_line={}, diff={rest}",
            scan.well, scan.line
        ));
        if rest == 0 {
            return Ok(Outcome::Valid);
        }
        if !self.options.fix {
            return self.fail(&format!("AOF {name} is not valid. Use the --fix option to try fixing it."));
        }
        if !is_last {
            return self.fail(&format!("Failed to truncate AOF {name} because it is not the last file"));
        }
        self.console.line(&format!(
            "This will shrink the AOF {name} from {size} bytes, with {rest} bytes, to {} bytes",
            scan.well
        ));
        if !self.console.confirm("Continue? [y/N]: ") {
            return self.fail("Aborting...");
        }
        match cut(self.files, path, scan.well) {
            Ok(()) => Ok(Outcome::Cut),
            Err(error) => self.fail(&format!("Failed to truncate AOF {name}: {}", strerror(&error))),
        }
    }

    fn cut_to_time(
        &mut self,
        name: &str,
        path: &Path,
        is_last: bool,
        place: u64,
        timestamp: i64,
    ) -> Result<Outcome, Over> {
        if place == 0 {
            return self.fail(&format!("AOF {name} has nothing before timestamp {timestamp}, aborting..."));
        }
        if !is_last {
            self.console.line(&format!(
                "Failed to truncate AOF {name} to timestamp {timestamp} to offset {place} because it is not the last file."
            ));
            return self.fail(
                "If that is what you want, delete all files after this one and their lines in the manifest, and run \
                 redis-check-aof again.",
            );
        }
        match cut(self.files, path, place) {
            Ok(()) => Ok(Outcome::CutToTime),
            Err(error) => {
                self.fail(&format!("Failed to truncate AOF {name} to timestamp {timestamp}: {}", strerror(&error)))
            }
        }
    }

    /// Reads the commands from `start` on.
    fn scan(&mut self, file: &mut dyn File, name: &str, start: u64) -> Result<Scan, Over> {
        let mut scan = Scan { well: start, line: 1, fault: None, later: None };
        let (mut reader, mut buffer, mut place) = (Reader::default(), Vec::new(), start);
        let (mut is_in_multi, mut lines) = (false, 1);
        loop {
            match read_block(file, &mut buffer) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    return self.fail(&format!("Failed to read from AOF {name}, aborting... ({})", strerror(&error)));
                }
            }
            let mut at = 0;
            loop {
                let found = match reader.next(&buffer[at..]) {
                    Ok(Some(found)) => found,
                    Ok(None) => break,
                    Err(defect) => {
                        if defect.at == 0 {
                            self.console.line(&format!("AOF {name} format error"));
                        }
                        scan.fault = Some(format!("0x{:>16x}: {defect}", place + defect.at as u64));
                        return Ok(scan);
                    }
                };
                let (item, taken) = found;
                let mut fault = None;
                match item {
                    Item::Command(args) => {
                        lines += 1 + 2 * args.len() as u64;
                        if args.is(0, "multi") {
                            fault = is_in_multi.then_some("Unexpected MULTI");
                            is_in_multi = true;
                        } else if args.is(0, "exec") {
                            fault = (!is_in_multi).then_some("Unexpected EXEC");
                            is_in_multi = false;
                        }
                    }
                    Item::Annotation(line) => {
                        if let (Some(limit), true) = (self.options.truncate_to, line.starts_with(b"TS:")) {
                            match timestamp(line) {
                                None => return self.fail("Invalid timestamp annotation"),
                                Some(at) if at > limit => {
                                    scan.later = Some((scan.well, limit));
                                    return Ok(scan);
                                }
                                Some(_) => {}
                            }
                        }
                    }
                }
                if let Some(text) = fault {
                    scan.fault = Some(format!("0x{place:>16x}: {text} in AOF {name}"));
                    return Ok(scan);
                }
                at += taken;
                place += taken as u64;
                if !is_in_multi {
                    (scan.well, scan.line) = (place, lines);
                }
            }
            buffer.drain(..at);
        }
        if is_in_multi {
            scan.fault = Some("Reached EOF before reading EXEC for MULTI".to_owned());
        } else if !buffer.is_empty() {
            scan.fault = Some(format!("0x{place:>16x}: Unexpected end of file: what begins here is not complete"));
        }
        Ok(scan)
    }
}

struct Scan {
    /// Up to here all is well.
    well: u64,
    /// The line that begins there.
    line: u64,
    fault: Option<String>,
    /// Where to cut, when a time stamp after this moment was found.
    later: Option<(u64, i64)>,
}

fn cut(files: &dyn Files, path: &Path, size: u64) -> std::io::Result<()> {
    let mut file = files.append(path)?;
    file.set_size(size)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::memory::MemoryFiles;

    #[derive(Default)]
    struct Paper {
        text: String,
        says_yes: bool,
    }

    impl Console for Paper {
        fn line(&mut self, text: &str) {
            self.text += &format!("{text}\n");
        }

        fn confirm(&mut self, question: &str) -> bool {
            self.text += question;
            self.says_yes
        }
    }

    fn command(words: &[&str]) -> String {
        let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        format!("*{}\r\n{}", words.len(), words.collect::<String>())
    }

    fn disk(parts: &[(&str, &str)]) -> MemoryFiles {
        let files = MemoryFiles::new();
        files.create_folder(Path::new("/d")).unwrap();
        for (name, content) in parts {
            files.create(Path::new(name)).unwrap().write_all(content.as_bytes()).unwrap();
        }
        files
    }

    fn run(files: &MemoryFiles, path: &str, options: Options) -> (bool, String) {
        let mut paper = Paper { says_yes: true, ..Paper::default() };
        let ok = check_aof(files, Path::new(path), options, UnixMillis(0), &mut paper);
        (ok, paper.text)
    }

    const FIX: Options = Options { fix: true, truncate_to: None };

    #[test]
    fn a_damaged_end_is_found_and_cut_off() {
        let good = command(&["set", "foo", "hello"]);
        let files = disk(&[("a", &(good.clone() + "!!!"))]);
        let (ok, text) = run(&files, "a", Options::default());
        assert!(!ok && text.contains("ok_up_to=33, ok_up_to_line=8, diff=3"), "{text}");
        assert!(text.contains("AOF a format error") && text.contains("AOF a is not valid."), "{text}");
        let mut paper = Paper::default();
        assert!(!check_aof(&files, Path::new("a"), FIX, UnixMillis(0), &mut paper));
        assert!(paper.text.ends_with("Continue? [y/N]: Aborting...\n"), "{}", paper.text);
        let (ok, text) = run(&files, "a", FIX);
        assert!(ok && text.contains("Successfully truncated AOF a"), "{text}");
        assert_eq!(read_whole(&files, Path::new("a"), 100).unwrap(), good.as_bytes());
        assert!(run(&files, "a", Options::default()).1.ends_with("AOF a is valid\n"));
    }

    #[test]
    fn an_open_transaction_ends_before_its_multi() {
        let good = command(&["set", "foo", "hello"]);
        let open = good.clone() + &command(&["MULTI"]) + &command(&["set", "a", "b"]);
        let files = disk(&[("a", &open)]);
        let (ok, text) = run(&files, "a", FIX);
        assert!(ok && text.contains("Reached EOF before reading EXEC for MULTI"), "{text}");
        assert_eq!(files.size(Path::new("a")).unwrap(), Some(good.len() as u64));
        let (ok, text) = run(&disk(&[("a", &command(&["EXEC"]))]), "a", Options::default());
        assert!(!ok && text.contains("Unexpected EXEC in AOF a"), "{text}");
    }

    #[test]
    fn only_the_last_file_of_a_manifest_is_cut() {
        let good = command(&["set", "foo", "hello"]);
        let manifest = "file b seq 1 type b\nfile i seq 1 type i\n";
        let cut = &good[..20];
        let files = disk(&[("/d/m", manifest), ("/d/b", cut), ("/d/i", &good)]);
        let (ok, text) = run(&files, "/d/m", FIX);
        assert!(!ok && text.contains("Failed to truncate AOF b because it is not the last file"), "{text}");
        let files = disk(&[("/d/m", manifest), ("/d/b", &good), ("/d/i", cut)]);
        let (ok, text) = run(&files, "/d/m", FIX);
        assert!(ok && text.contains("Start to check BASE AOF (RESP format).") && text.contains("BASE AOF b is valid"));
        assert!(text.ends_with("Successfully truncated AOF i\nAll AOF files and manifest are valid\n"), "{text}");
        let (ok, text) = run(&disk(&[("/d/m", "file b seq 1 type b\n!!!\n")]), "/d/m", FIX);
        assert!(!ok && text.ends_with("Invalid AOF manifest file format\n"), "{text}");
        assert!(!run(&disk(&[("/d/m", manifest), ("/d/b", "")]), "/d/m", FIX).0, "a file is missing");
    }

    #[test]
    fn a_file_is_cut_before_the_first_later_time_stamp() {
        let content = format!("#TS:100\r\n{}#TS:200\r\n{}", command(&["set", "a", "1"]), command(&["set", "b", "2"]));
        let to = |ts| Options { fix: false, truncate_to: Some(ts) };
        let files = disk(&[("a", &content)]);
        assert!(run(&files, "a", to(200)).1.contains("Truncate nothing in AOF a to timestamp 200"));
        let (ok, text) = run(&files, "a", to(150));
        assert!(ok && text.ends_with("Successfully truncated AOF a to timestamp 150\n"), "{text}");
        assert_eq!(files.size(Path::new("a")).unwrap(), Some(36));
        let (ok, text) = run(&files, "a", to(99));
        assert!(!ok && text.contains("has nothing before timestamp 99, aborting"), "{text}");
    }
}
