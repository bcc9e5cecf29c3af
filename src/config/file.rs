//! Reading settings from text: config files, what they include, and the command line put into the same form.
//!
//! ```text
//!  # a comment                      lines that begin with # and empty lines are skipped
//!  port 6380                        name, then words; the name in any case
//!  requirepass "two words"          quotes and escapes as redis-cli has them (base/quote.rs)
//!  daemonize yes   # note           a lone # after whitespace starts a comment; stock Redis refuses such a line
//!  include /etc/redis/*.conf        read at this place; a pattern that matches nothing is skipped
//! ```
//!
//! Later lines win; `save` lines gather. The first line that is wrong stops everything: the error names the file, the
//! line and its text, and for a misspelt name the nearest real one. Nothing here opens a file: [`Files`] is passed in.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::files::{Files, read_whole};
use crate::base::glob;
use crate::base::quote;
use crate::config::directive::{Directive, Effect, Flags, Kind, Turn};
use crate::config::model::Config;
use crate::config::table;

/// Which program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The data server.
    Server,
    /// The Sentinel.
    Sentinel,
}

/// One line, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// The file, or what stands for one: `command line`, `standard input`.
    pub file: String,
    /// Counted from 1.
    pub number: usize,
    /// The line as it was written.
    pub text: String,
    /// Its words, the name first.
    pub words: Vec<Vec<u8>>,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Lines `sentinel …`, to be understood by the Sentinel.
    pub sentinel: Vec<SourceLine>,
    /// Lines `user …`.
    pub users: Vec<SourceLine>,
    /// Lines `rename-command old new`.
    pub renames: Vec<SourceLine>,
    /// Directives that were set and that we know but do not act on yet, by name, each once.
    pub not_in_effect: Vec<&'static str>,
}

/// Why the settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file.
    pub file: String,
    /// The line; 0 when it is not about a line.
    pub number: usize,
    /// Its text.
    pub text: String,
    /// What is wrong.
    pub reason: String,
}

impl LoadError {
    /// An error about a line.
    pub fn at(line: &SourceLine, reason: impl Into<String>) -> LoadError {
        LoadError { file: line.file.clone(), number: line.number, text: line.text.clone(), reason: reason.into() }
    }
}

/// The block that Redis prints, with the file named.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        write!(f, "\n*** FATAL CONFIG FILE ERROR (rredis {version}) ***\n")?;
        if self.number > 0 {
            writeln!(f, "Reading the configuration file, at line {}", self.number)?;
            writeln!(f, ">>> '{}'", self.text)?;
            writeln!(f, "In {}: {}", self.file, self.reason)
        } else {
            writeln!(f, "{}: {}", self.file, self.reason)
        }
    }
}

/// Largest config file.
const FILE_MAX: u64 = 16 * 1024 * 1024;
/// How deep files may include others.
const INCLUDE_DEPTH_MAX: usize = 16;

/// Reads settings from one text after the other.
pub struct Loader<'a> {
    files: &'a dyn Files,
    mode: Mode,
    loaded: Loaded,
    seen: HashSet<&'static str>,
}

impl<'a> Loader<'a> {
    /// Starts from the defaults of the program.
    pub fn new(files: &'a dyn Files, mode: Mode) -> Loader<'a> {
        let mut config = Config::default();
        if mode == Mode::Sentinel {
            config.network.port = 26379;
            config.network.protected_mode = false;
            config.persistence.save.clear();
        }
        let loaded =
            Loaded { config, sentinel: Vec::new(), users: Vec::new(), renames: Vec::new(), not_in_effect: Vec::new() };
        Loader { files, mode, loaded, seen: HashSet::new() }
    }

    /// Reads a file.
    pub fn file(&mut self, path: &Path) -> Result<(), LoadError> {
        self.include(path, 0)
    }

    /// Reads a text; `name` stands for a file in errors.
    pub fn text(&mut self, name: &str, text: &[u8]) -> Result<(), LoadError> {
        self.read(name, text, 0)
    }

    /// What was read, once it is complete and fits together.
    pub fn finish(self) -> Result<Loaded, LoadError> {
        let loaded = self.loaded;
        if !loaded.users.is_empty() && !loaded.config.security.aclfile.as_os_str().is_empty() {
            let reason = "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is \
                          invalid. This setup is very likely to lead to configuration errors and security holes, please \
                          define either an ACL file or declare users directly in your redis.conf, but not both.";
            return Err(LoadError::at(&loaded.users[0], reason));
        }
        Ok(loaded)
    }

    fn include(&mut self, path: &Path, depth: usize) -> Result<(), LoadError> {
        let name = path.display().to_string();
        let failed = |reason: String| LoadError { file: name.clone(), number: 0, text: String::new(), reason };
        if depth > INCLUDE_DEPTH_MAX {
            return Err(failed(format!("included more than {INCLUDE_DEPTH_MAX} levels deep; does it include itself?")));
        }
        let text = read_whole(self.files, path, FILE_MAX)
            .map_err(|error| failed(format!("Fatal error, can't open config file '{name}': {error}")))?;
        self.read(&name, &text, depth)
    }

    fn read(&mut self, file: &str, text: &[u8], depth: usize) -> Result<(), LoadError> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let trimmed = line.trim_ascii();
            if trimmed.is_empty() || trimmed[0] == b'#' {
                continue;
            }
            let shown = String::from_utf8_lossy(trimmed).into_owned();
            let mut source = SourceLine { file: file.to_owned(), number: index + 1, text: shown, words: Vec::new() };
            let Some(words) = words_of(trimmed) else {
                return Err(LoadError::at(&source, "Unbalanced quotes in configuration line"));
            };
            if words.is_empty() {
                continue;
            }
            source.words = words;
            self.line(source, depth)?;
        }
        Ok(())
    }

    fn line(&mut self, line: SourceLine, depth: usize) -> Result<(), LoadError> {
        let name = line.words[0].to_ascii_lowercase();
        if name == b"include" {
            let [_, pattern] = line.words.as_slice() else {
                return Err(LoadError::at(&line, "wrong number of arguments"));
            };
            for path in self.matching(&String::from_utf8_lossy(pattern)) {
                self.include(&path, depth + 1)?;
            }
            return Ok(());
        }
        if name == b"sentinel" {
            return self.sentinel_line(line);
        }
        let Some(directive) = table::find(&name) else {
            return Err(LoadError::at(&line, unknown(&name)));
        };
        if let Kind::Line { words, .. } = &directive.kind {
            if !words.contains(&(line.words.len() - 1)) {
                return Err(LoadError::at(&line, "wrong number of arguments"));
            }
            match directive.name {
                "user" => self.loaded.users.push(line),
                "rename-command" => self.loaded.renames.push(line),
                _ => return Err(LoadError::at(&line, "C modules cannot be loaded: rredis has no module interface")),
            }
            return Ok(());
        }
        self.set(directive, &line)
    }

    fn set(&mut self, directive: &'static Directive, line: &SourceLine) -> Result<(), LoadError> {
        let mut words: Vec<Vec<u8>> = line.words[1..].to_vec();
        if words.is_empty() && !directive.flags.has(Flags::MULTI) {
            return Err(LoadError::at(line, "wrong number of arguments"));
        }
        if directive.flags.has(Flags::MULTI)
            && let [single] = words.as_slice()
            && single.contains(&b' ')
        {
            // Several words in one pair of quotes, as CONFIG SET and the command line have them.
            words = quote::split_args(single)
                .ok_or_else(|| LoadError::at(line, "Unbalanced quotes in configuration line"))?;
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let turn = if self.seen.insert(directive.name) { Turn::First } else { Turn::Further };
        directive.set(&mut self.loaded.config, &words, turn).map_err(|reason| LoadError::at(line, reason))?;
        if directive.effect == Effect::NotYet && !self.loaded.not_in_effect.contains(&directive.name) {
            self.loaded.not_in_effect.push(directive.name);
        }
        Ok(())
    }

    fn sentinel_line(&mut self, line: SourceLine) -> Result<(), LoadError> {
        if self.mode == Mode::Server {
            return Err(LoadError::at(&line, "sentinel directive while not in sentinel mode"));
        }
        let word = line.words.get(1).map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).unwrap_or_default();
        if !SENTINEL_WORDS.contains(&word.as_str()) {
            let reason = "Unrecognized sentinel configuration statement.";
            let hint = nearest(&word, SENTINEL_WORDS.iter().copied());
            let hint = hint.map(|near| format!(" Did you mean 'sentinel {near}'?")).unwrap_or_default();
            return Err(LoadError::at(&line, format!("{reason}{hint}")));
        }
        self.loaded.sentinel.push(line);
        Ok(())
    }

    /// The files that a path or a pattern in its last part names. A plain path names itself, so that a missing file is an
    /// error; a pattern that matches nothing is not.
    fn matching(&self, pattern: &str) -> Vec<PathBuf> {
        let path = PathBuf::from(pattern);
        let last = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !last.contains(['*', '?', '[']) {
            return vec![path];
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let mut names: Vec<_> = self.files.list(&folder).unwrap_or_default();
        names.retain(|name| glob::matches(last.as_bytes(), name.as_encoded_bytes()));
        names.sort();
        names.into_iter().map(|name| folder.join(name)).collect()
    }
}

/// Second words of `sentinel` lines.
pub const SENTINEL_WORDS: &[&str] = &[
    "monitor",
    "down-after-milliseconds",
    "failover-timeout",
    "parallel-syncs",
    "notification-script",
    "client-reconfig-script",
    "auth-pass",
    "auth-user",
    "rename-command",
    "master-reboot-down-after-period",
    "config-epoch",
    "leader-epoch",
    "known-replica",
    "known-slave",
    "known-sentinel",
    "myid",
    "current-epoch",
    "announce-ip",
    "announce-port",
    "deny-scripts-reconfig",
    "sentinel-user",
    "sentinel-pass",
    "resolve-hostnames",
    "announce-hostnames",
];

/// The words of a line up to a trailing comment; `None` on a quoting error.
pub fn words_of(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    while let (after, Some(word)) = quote::next_word(rest)? {
        if word.bytes == b"#" && !word.is_quoted && !words.is_empty() {
            break;
        }
        words.push(word.bytes);
        rest = after;
    }
    Some(words)
}

/// What is said about a name that nobody knows.
pub fn unknown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).into_owned();
    let known = table::all().flat_map(|directive| std::iter::once(directive.name).chain(directive.alias));
    let hint = nearest(&name, known).map(|near| format!(". Did you mean '{near}'?")).unwrap_or_default();
    format!("Bad directive or wrong number of arguments{hint}")
}

/// The nearest of `known` to a misspelt name, if any is near enough to be meant.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (name.len() / 3).clamp(1, 4);
    known.map(|word| (distance(name, word), word)).filter(|(far, _)| *far <= limit).min().map(|(_, word)| word)
}

/// Edits (insert, delete, replace, swap of neighbours) that make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::RealFiles;

    fn load(mode: Mode, text: &str) -> Result<Loaded, LoadError> {
        let mut loader = Loader::new(&RealFiles, mode);
        loader.text("test.conf", text.as_bytes())?;
        loader.finish()
    }

    fn reason(mode: Mode, text: &str) -> String {
        load(mode, text).unwrap_err().reason
    }

    #[test]
    fn comments_quotes_units_aliases_and_repeated_lines() {
        let loaded = load(
            Mode::Server,
            "# first\n\n  PORT 6380  \ndaemonize yes   # note\nrequirepass \"a b\\x41\"\nmin-slaves-to-write 2\n\
             maxmemory 1gb\nsave 900 1\nsave 300 10 60 10000\nuser alice on #5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 ~* +@all\n",
        )
        .unwrap();
        let config = loaded.config;
        assert_eq!((config.network.port, config.process.daemonize), (6380, true));
        assert_eq!(config.security.requirepass, b"a bA");
        assert_eq!(config.replication.min_replicas_to_write, 2);
        assert_eq!(config.memory.maxmemory, 1 << 30);
        assert_eq!(config.persistence.save.len(), 3);
        assert_eq!(loaded.users[0].words.len(), 6);
        assert!(loaded.not_in_effect.contains(&"maxmemory"));
    }

    #[test]
    fn the_first_wrong_line_is_named_with_its_file_and_text() {
        let error = load(Mode::Server, "port 1\n\nport  x \n").unwrap_err();
        assert_eq!((error.file.as_str(), error.number, error.text.as_str()), ("test.conf", 3, "port  x"));
        assert_eq!(error.reason, "argument couldn't be parsed into an integer");
        let shown = error.to_string();
        assert!(
            shown.contains("*** FATAL CONFIG FILE ERROR")
                && shown.contains("at line 3")
                && shown.contains(">>> 'port  x'")
        );
    }

    #[test]
    fn each_kind_of_mistake_has_its_words() {
        assert_eq!(reason(Mode::Server, "requirepass \"open"), "Unbalanced quotes in configuration line");
        assert_eq!(reason(Mode::Server, "port"), "wrong number of arguments");
        assert_eq!(reason(Mode::Server, "port 1 2"), "wrong number of arguments");
        assert_eq!(reason(Mode::Server, "appendonly maybe"), "argument must be 'yes' or 'no'");
        assert_eq!(reason(Mode::Server, "port 70000"), "argument must be between 0 and 65535 inclusive");
        assert_eq!(reason(Mode::Server, "sentinel monitor a b 1 1"), "sentinel directive while not in sentinel mode");
        assert!(reason(Mode::Server, "repl-diskless-sink yes").ends_with("Did you mean 'repl-diskless-sync'?"));
        assert_eq!(reason(Mode::Server, "somethingelse yes"), "Bad directive or wrong number of arguments");
        assert!(reason(Mode::Server, "loadmodule /x.so").contains("modules"));
    }

    #[test]
    fn a_misspelt_sentinel_statement_suggests_the_real_one() {
        let text = reason(Mode::Sentinel, "sentinel norification-script mymaster /x");
        assert!(text.ends_with("Did you mean 'sentinel notification-script'?"), "{text}");
        let loaded = load(Mode::Sentinel, "sentinel monitor mymaster 127.0.0.1 6379 2 # the group\n").unwrap();
        assert_eq!(loaded.sentinel[0].words.len(), 6);
        assert_eq!((loaded.config.network.port, loaded.config.network.protected_mode), (26379, false));
    }

    #[test]
    fn files_include_files_and_patterns_but_not_for_ever() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| std::fs::write(root.path().join(name), text).unwrap();
        let at = |name: &str| root.path().join(name).display().to_string();
        write("a.conf", format!("port 1\ninclude {}\ninclude {}\n", at("part-*.conf"), at("none-*.conf")));
        write("part-1.conf", "port 2\n".to_owned());
        write("part-2.conf", "port 3\n".to_owned());
        let mut loader = Loader::new(&RealFiles, Mode::Server);
        loader.file(&root.path().join("a.conf")).unwrap();
        assert_eq!(loader.finish().unwrap().config.network.port, 3);

        write("self.conf", format!("include {}\n", at("self.conf")));
        let error = Loader::new(&RealFiles, Mode::Server).file(&root.path().join("self.conf")).unwrap_err();
        assert!(error.reason.contains("levels deep"));
        let error = Loader::new(&RealFiles, Mode::Server).file(&root.path().join("missing.conf")).unwrap_err();
        assert!(error.reason.contains("can't open config file"));
    }
}
