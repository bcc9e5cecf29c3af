//! Reading the configuration: files, standard input, options of the command line.
//!
//! ```text
//!   line      = blank | "#" anything | words [ "#" anything ]
//!   words     = name value*                       cut and unquoted by base/quote.rs
//! ```
//!
//! Lines are taken in order and later ones win; `include` reads another file in its place; `save` lines add up. A
//! trailing comment begins at a `#` that stands alone after white space, outside quotes, behind at least one value: so
//! `daemonize yes  # note` is a comment, while `requirepass #` and the hash in `user alice #<sha256>` are values. Redis
//! knows no trailing comments and refuses such lines.
//!
//! What cannot be decided here is handed on as [`SourceLine`]s, which remember where they stood: commands to rename (the
//! command table is elsewhere), users, and the `sentinel` lines, whose shape alone is checked. Whoever finds one of them
//! wrong later makes the same kind of error out of it.
//!
//! `dir` counts from its line on: relative paths of later `include`s start there. The process changes its own directory
//! after loading, so that checking a file has no effects. Until a `dir`, relative paths start in the process's own.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::base::files::{self, Files};
use crate::base::glob;
use crate::base::limits::{CONFIG_BYTES_MAX, CONFIG_INCLUDE_DEPTH_MAX};
use crate::base::quote;
use crate::config::directive::{Directive, Effect, Flags, Kind, Turn};
use crate::config::model::Config;
use crate::config::nearest::nearest;
use crate::config::sentinel_words::{self, SENTINEL_WORDS};
use crate::config::table;
use crate::config::tls::NO_CLUSTER;

/// Which program the configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A server of data.
    Server,
    /// A Sentinel.
    Sentinel,
}

impl Mode {
    /// The settings before anything is read. A Sentinel listens elsewhere and must be reachable from other hosts.
    pub fn defaults(self) -> Config {
        let mut config = Config::default();
        if self == Mode::Sentinel {
            config.network.port = 26379;
            config.network.protected_mode = false;
        }
        config
    }
}

/// A line, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// The file, or what stands for one: `command line`, `standard input`.
    pub file: Rc<str>,
    /// Counted from 1.
    pub number: usize,
    /// As written, without white space at its ends.
    pub text: String,
    /// Its words, unquoted; the name is the first.
    pub words: Vec<Vec<u8>>,
}

/// Why the program cannot start. `Display` is the block that Redis prints, several lines long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The line to blame, if it is a single one.
    pub line: Option<SourceLine>,
    /// What is wrong.
    pub reason: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

impl LoadError {
    /// An error about a line.
    pub fn at(line: &SourceLine, reason: impl Into<String>) -> LoadError {
        LoadError { line: Some(line.clone()), reason: reason.into(), hint: None }
    }

    /// An error that no single line is to blame for.
    pub fn whole(reason: impl Into<String>) -> LoadError {
        LoadError { line: None, reason: reason.into(), hint: None }
    }

    fn hint(mut self, hint: Option<String>) -> LoadError {
        self.hint = hint;
        self
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n*** FATAL CONFIG FILE ERROR (rredis {}) ***", env!("CARGO_PKG_VERSION"))?;
        if let Some(line) = &self.line {
            writeln!(f, "Reading the configuration file, at line {} of {}", line.number, line.file)?;
            writeln!(f, ">>> '{}'", line.text)?;
        }
        f.write_str(&self.reason)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n{hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// `sentinel …` lines, in order.
    pub sentinel: Vec<SourceLine>,
    /// `user …` lines, in order.
    pub users: Vec<SourceLine>,
    /// `rename-command …` lines, in order.
    pub renames: Vec<SourceLine>,
    /// Primary names of the directives that were set.
    pub names: BTreeSet<&'static str>,
    /// Primary names of those that are set but not acted on, in the order in which they were first set.
    pub not_in_effect: Vec<&'static str>,
}

/// Reads settings from one text after the other.
pub struct Loader<'a> {
    files: &'a dyn Files,
    mode: Mode,
    loaded: Loaded,
    bytes_left: u64,
}

impl<'a> Loader<'a> {
    /// Starts from the defaults of the program.
    pub fn new(files: &'a dyn Files, mode: Mode) -> Loader<'a> {
        let loaded = Loaded {
            config: mode.defaults(),
            sentinel: Vec::new(),
            users: Vec::new(),
            renames: Vec::new(),
            names: BTreeSet::new(),
            not_in_effect: Vec::new(),
        };
        Loader { files, mode, loaded, bytes_left: CONFIG_BYTES_MAX }
    }

    /// Reads a file.
    pub fn file(&mut self, path: &Path) -> Result<(), LoadError> {
        let content = self.content(path).map_err(LoadError::whole)?;
        self.read(&path.to_string_lossy(), &content, 0)
    }

    /// Reads a text; `name` stands for a file in errors.
    pub fn text(&mut self, name: &str, text: &[u8]) -> Result<(), LoadError> {
        self.read(name, text, 0)
    }

    /// What was read, once it is complete and fits together.
    pub fn finish(self) -> Result<Loaded, LoadError> {
        let config = &self.loaded.config;
        if config.tls.tls_cluster {
            return Err(LoadError::whole(NO_CLUSTER));
        }
        if let Some(user) = self.loaded.users.first()
            && !config.security.aclfile.as_os_str().is_empty()
        {
            let reason = "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is \
                          invalid. This setup is very likely to lead to configuration errors and security holes, please \
                          define either an ACL file or declare users directly in your redis.conf, but not both.";
            return Err(LoadError::at(user, reason));
        }
        Ok(self.loaded)
    }

    fn content(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        let content = files::read_whole(self.files, path, self.bytes_left).map_err(|error| {
            format!("Fatal error, can't open config file '{}': {}", path.display(), files::strerror(&error))
        })?;
        self.bytes_left -= content.len() as u64;
        Ok(content)
    }

    fn read(&mut self, file: &str, content: &[u8], depth: usize) -> Result<(), LoadError> {
        let file: Rc<str> = file.into();
        // Some editors begin a file with a byte order mark.
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
            let text = String::from_utf8_lossy(line.trim_ascii()).into_owned();
            let mut line_read = SourceLine { file: file.clone(), number: index + 1, text, words: Vec::new() };
            line_read.words =
                words_of(line).ok_or_else(|| LoadError::at(&line_read, "Unbalanced quotes in configuration line"))?;
            if !line_read.words.is_empty() {
                self.line(line_read, depth)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: SourceLine, depth: usize) -> Result<(), LoadError> {
        let (name, values) = line.words.split_first().expect("a line without words was skipped");
        let Some(directive) = table::find(name) else { return self.unlisted(line) };
        if directive.effect != Effect::InEffect && !self.loaded.not_in_effect.contains(&directive.name) {
            self.loaded.not_in_effect.push(directive.name);
        }
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let result = match &directive.kind {
            Kind::Line { usage, words } if !words.contains(&values.len()) => {
                let error = LoadError::at(&line, "Bad directive or wrong number of arguments");
                Err(error.hint(Some(format!("Usage: {usage}"))))
            }
            Kind::Ignored if values.len() != 1 => {
                Err(LoadError::at(&line, "Bad directive or wrong number of arguments"))
            }
            Kind::Line { .. } => return self.act(directive.name, line, depth),
            _ => self.set(directive, &values).map_err(|reason| LoadError::at(&line, reason)),
        };
        self.loaded.names.insert(directive.name);
        result
    }

    /// Sets a value. Several words may also come as one quoted word, as `--save "60 1"` gives them.
    fn set(&mut self, directive: &Directive, values: &[&[u8]]) -> Result<(), String> {
        let turn = if self.loaded.names.contains(directive.name) { Turn::Further } else { Turn::First };
        let config = &mut self.loaded.config;
        match values {
            [single] if directive.flags.has(Flags::MULTI) && !single.is_empty() => {
                let words = quote::split_args(single).ok_or("Unbalanced quotes in configuration line")?;
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                directive.set(config, &words, turn)
            }
            _ => directive.set(config, values, turn),
        }
        .map_err(|reason| reason.into_owned())?;
        if directive.name == "dir" {
            let folder = &self.loaded.config.process.dir;
            self.files.list(folder).map_err(|error| files::strerror(&error))?;
        }
        Ok(())
    }

    /// Lines that are acts rather than values.
    fn act(&mut self, name: &'static str, line: SourceLine, depth: usize) -> Result<(), LoadError> {
        self.loaded.names.insert(name);
        match name {
            "include" => self.include(&line, depth),
            "rename-command" => {
                self.loaded.renames.push(line);
                Ok(())
            }
            "user" => {
                self.loaded.users.push(line);
                Ok(())
            }
            _ => Err(LoadError::at(&line, "Modules written in C cannot be loaded by rredis")),
        }
    }

    fn include(&mut self, line: &SourceLine, depth: usize) -> Result<(), LoadError> {
        use std::os::unix::ffi::OsStrExt;
        if depth == CONFIG_INCLUDE_DEPTH_MAX {
            let reason = format!("Files include each other more than {CONFIG_INCLUDE_DEPTH_MAX} deep");
            return Err(LoadError::at(line, reason));
        }
        let path = self.loaded.config.process.dir.join(std::ffi::OsStr::from_bytes(&line.words[1]));
        let paths = if path.as_os_str().as_bytes().iter().any(|byte| b"*?[".contains(byte)) {
            self.matching(&path).map_err(|reason| LoadError::at(line, reason))?
        } else {
            vec![path]
        };
        for path in paths {
            let content = self.content(&path).map_err(|reason| LoadError::at(line, reason))?;
            self.read(&path.to_string_lossy(), &content, depth + 1)?;
        }
        Ok(())
    }

    /// The files that a pattern stands for, sorted by name. A name with a leading dot must be asked for.
    fn matching(&self, path: &Path) -> Result<Vec<PathBuf>, String> {
        use std::os::unix::ffi::OsStrExt;
        let folder = files::folder_of(path);
        let Some(pattern) = path.file_name().map(OsStrExt::as_bytes) else { return Ok(Vec::new()) };
        if folder.as_os_str().as_bytes().iter().any(|byte| b"*?[".contains(byte)) {
            return Err("Only the last part of an included path may be a pattern".to_owned());
        }
        let names = match self.files.list(folder) {
            Ok(names) => names,
            // Nothing matches in a folder that is not there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(format!("can't list '{}': {}", folder.display(), files::strerror(&error))),
        };
        let is_match =
            |name: &[u8]| name.starts_with(b".") == pattern.starts_with(b".") && glob::matches(pattern, name);
        Ok(names.iter().filter(|name| is_match(name.as_bytes())).map(|name| folder.join(name)).collect())
    }

    /// Lines whose first word is no directive.
    fn unlisted(&mut self, line: SourceLine) -> Result<(), LoadError> {
        let name = String::from_utf8_lossy(&line.words[0]).to_ascii_lowercase();
        if name == "sentinel" {
            return self.sentinel(line);
        }
        if name.contains('.') {
            return Err(match line.words.len() {
                1 => LoadError::at(&line, "Module config specified without value"),
                _ => LoadError::at(&line, "No module is loaded that this could be a setting of"),
            });
        }
        let hint = suggestion(&name);
        Err(LoadError::at(&line, "Bad directive or wrong number of arguments").hint(hint))
    }

    fn sentinel(&mut self, line: SourceLine) -> Result<(), LoadError> {
        let Some((word, values)) = line.words[1..].split_first() else {
            return Ok(()); // The option --sentinel, which has chosen the program already.
        };
        if self.mode == Mode::Server {
            return Err(LoadError::at(&line, "sentinel directive while not in sentinel mode"));
        }
        let unrecognized = || LoadError::at(&line, "Unrecognized sentinel configuration statement.");
        let Some(known) = sentinel_words::find(word) else {
            let word = String::from_utf8_lossy(word);
            let near = nearest(&word, SENTINEL_WORDS.iter().map(|known| known.name));
            return Err(unrecognized().hint(near.map(|near| format!("Did you mean 'sentinel {near}'?"))));
        };
        if !(known.words.0..=known.words.1).contains(&values.len()) {
            let usage = format!("Usage: sentinel {} {}", known.name, known.usage);
            return Err(unrecognized().hint(Some(usage)));
        }
        self.loaded.sentinel.push(line);
        Ok(())
    }
}

/// Which directive an unknown name is probably meant to be.
fn suggestion(name: &str) -> Option<String> {
    if let Some(word) = sentinel_words::find(name.as_bytes()) {
        return Some(format!("Did you mean 'sentinel {}'?", word.name));
    }
    let names = table::all().flat_map(|directive| std::iter::once(directive.name).chain(directive.alias));
    nearest(name, names.chain(["sentinel"])).map(|near| format!("Did you mean '{near}'?"))
}

/// The words of a line, none for a blank or a comment; `None` when quotes do not match.
pub fn words_of(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    if rest.starts_with(b"#") {
        return Some(words);
    }
    while let (after, Some(word)) = quote::next_word(rest)? {
        if words.len() > 1 && word.bytes == b"#" && !word.is_quoted {
            break;
        }
        words.push(word.bytes);
        rest = after;
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::memory::MemoryFiles;
    use crate::config::values::{HostPort, SavePoint};

    fn disk(files: &[(&str, &str)]) -> MemoryFiles {
        let disk = MemoryFiles::new();
        disk.create_folder(Path::new("/etc")).unwrap();
        disk.create_folder(Path::new("/etc/conf.d")).unwrap();
        for (path, content) in files {
            disk.create(Path::new(path)).unwrap().write_all(content.as_bytes()).unwrap();
        }
        disk
    }

    fn load_as(mode: Mode, files: &[(&str, &str)]) -> Result<Loaded, LoadError> {
        let disk = disk(files);
        let mut loader = Loader::new(&disk, mode);
        loader.file(Path::new(files[0].0))?;
        loader.finish()
    }

    fn server(text: &str) -> Result<Loaded, LoadError> {
        load_as(Mode::Server, &[("/etc/redis.conf", text)])
    }

    fn sentinel(text: &str) -> Result<Loaded, LoadError> {
        load_as(Mode::Sentinel, &[("/etc/sentinel.conf", text)])
    }

    #[test]
    fn lines_are_read_in_order_and_later_ones_win() {
        let loaded = server(
            "# a comment with 'one quote\n\n  port 1\r\nPORT \"2\"\n\tmaxmemory 1mb\nslaveof ::1 6380\n\
             bind 127.0.0.1 -::1\nrequirepass 'a b'\nlogfile \"\"",
        )
        .unwrap();
        assert_eq!(loaded.config.network.port, 2);
        assert_eq!(loaded.config.memory.maxmemory, 1 << 20);
        assert_eq!(loaded.config.replication.replicaof, Some(HostPort { host: "::1".into(), port: 6380 }));
        assert_eq!(loaded.config.network.bind.len(), 2);
        assert_eq!(loaded.config.security.requirepass, b"a b");
        assert!(loaded.names.contains("replicaof") && !loaded.names.contains("slaveof"));
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(server("\u{feff}port 7").unwrap().config.network.port, 7);
    }

    #[test]
    fn save_lines_add_up_and_replace_the_default() {
        let points = |text: &str| server(text).unwrap().config.persistence.save;
        assert_eq!(points("port 1").len(), 3);
        let two = [SavePoint { seconds: 60, changes: 1 }, SavePoint { seconds: 30, changes: 2 }];
        assert_eq!(points("save 60 1\nsave 30 2"), two);
        assert_eq!(points("save 60 1 30 2"), two);
        assert_eq!(points("save \"60 1 30 2\""), two);
        assert_eq!(points("save 900 1\nsave \"\"\nsave 60 1 30 2"), two);
        assert_eq!(points("save \"\""), []);
    }

    #[test]
    fn a_lone_hash_behind_a_value_starts_a_comment() {
        let loaded = server("daemonize yes   # it's a note\nport 7 #\nrequirepass #\nsave 60 1 # 30 2").unwrap();
        assert!(loaded.config.process.daemonize);
        assert_eq!(loaded.config.network.port, 7);
        assert_eq!(loaded.config.security.requirepass, b"#");
        assert_eq!(loaded.config.persistence.save.len(), 1);
        assert_eq!(server("requirepass \"a # b\"").unwrap().config.security.requirepass, b"a # b");
        let hash = format!("#{}", "a".repeat(64));
        let users = server(&format!("user alice on {hash} # note")).unwrap().users;
        assert_eq!(users[0].words, [&b"user"[..], b"alice", b"on", hash.as_bytes()]);
        assert_eq!(server("port 7 \"#\"").unwrap_err().reason, "wrong number of arguments");
        assert_eq!(server("port 7 #note").unwrap_err().reason, "wrong number of arguments");
    }

    #[test]
    fn refusals_have_the_words_of_redis() {
        for (text, reason) in [
            ("port \"1", "Unbalanced quotes in configuration line"),
            ("port '1'x", "Unbalanced quotes in configuration line"),
            ("port", "wrong number of arguments"),
            ("port 1 2", "wrong number of arguments"),
            ("port 70000", "argument must be between 0 and 65535 inclusive"),
            ("foo bar", "Bad directive or wrong number of arguments"),
            ("\"\"", "Bad directive or wrong number of arguments"),
            ("include", "Bad directive or wrong number of arguments"),
            ("user", "Bad directive or wrong number of arguments"),
            ("rename-command get", "Bad directive or wrong number of arguments"),
            ("loadmodule", "Bad directive or wrong number of arguments"),
            ("list-max-ziplist-entries", "Bad directive or wrong number of arguments"),
            ("list-max-ziplist-entries 3 4", "Bad directive or wrong number of arguments"),
            ("a.b", "Module config specified without value"),
            ("a.b c", "No module is loaded that this could be a setting of"),
            ("loadmodule /x.so", "Modules written in C cannot be loaded by rredis"),
            ("sentinel monitor m 127.0.0.1 1 1", "sentinel directive while not in sentinel mode"),
            ("cluster-enabled yes", "this server cannot be a node of a cluster"),
            ("dir /nonexistent", "No such file or directory"),
            ("dir a b", "wrong number of arguments"),
            ("save 1", "Invalid save parameters"),
            ("bind \"a 'b\"", "Unbalanced quotes in configuration line"),
            ("include /etc/none", "Fatal error, can't open config file '/etc/none': No such file or directory"),
            ("include /et?/x", "Only the last part of an included path may be a pattern"),
        ] {
            assert_eq!(server(text).unwrap_err().reason, reason, "{text}");
        }
        let both = server("aclfile /x\nuser alice on").unwrap_err();
        assert!(
            both.reason.starts_with("Configuring Redis with users defined in redis.conf and at the same setting an")
        );
    }

    #[test]
    fn what_redis_has_given_up_is_accepted() {
        assert!(server("list-max-ziplist-entries 3\nlist-max-ziplist-value 1\nlua-replicate-commands yes").is_ok());
    }

    #[test]
    fn an_error_shows_file_line_text_and_the_nearest_name() {
        let error = server("port 1\n  daemonise yes\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "\n*** FATAL CONFIG FILE ERROR (rredis {}) ***\n\
                 Reading the configuration file, at line 2 of /etc/redis.conf\n\
                 >>> 'daemonise yes'\n\
                 Bad directive or wrong number of arguments\n\
                 Did you mean 'daemonize'?",
                env!("CARGO_PKG_VERSION")
            )
        );
        assert!(!server("nothing-like-it 1").unwrap_err().to_string().contains("Did you mean"));
        let error = server("down-after-milliseconds m 1000").unwrap_err().to_string();
        assert!(error.ends_with("Did you mean 'sentinel down-after-milliseconds'?"), "{error}");
        let error = server("rename-command get").unwrap_err().to_string();
        assert!(error.ends_with("Usage: rename-command <command> <new name or \"\">"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let disk = disk(&[]);
        let error = Loader::new(&disk, Mode::Server).file(Path::new("/etc/x")).unwrap_err();
        assert_eq!(error.reason, "Fatal error, can't open config file '/etc/x': No such file or directory");
    }

    #[test]
    fn sentinel_are_handed_on_and_their_shape_is_checked() {
        let text = "port 5000\nsentinel monitor m 127.0.0.1 6379 2\nSENTINEL down-after-milliseconds m 1000 # short\n";
        let loaded = sentinel(text).unwrap();
        assert_eq!(loaded.sentinel.len(), 2);
        assert_eq!(loaded.sentinel[1].number, 3);
        assert_eq!(loaded.sentinel[1].words.len(), 4);
        assert_eq!(loaded.config.network.port, 5000);
        assert!(!loaded.config.network.protected_mode);
        assert!(sentinel("protected-mode yes").unwrap().config.network.protected_mode);
        assert_eq!(sentinel("sentinel").unwrap().config.network.port, 26379);
    }

    #[test]
    fn a_misspelt_sentinel_directive_gets_a_suggestion() {
        let error = sentinel("sentinel norification-script mymaster /x").unwrap_err();
        assert_eq!(error.reason, "Unrecognized sentinel configuration statement.");
        assert!(error.to_string().ends_with("Did you mean 'sentinel notification-script'?"));
        let error = sentinel("sentinel monitor mymaster 127.0.0.1 6379").unwrap_err().to_string();
        assert!(error.ends_with("Usage: sentinel monitor <name> <host> <port> <quorum>"), "{error}");
        assert!(sentinel("sentinl monitor m 1 1 1").unwrap_err().to_string().ends_with("Did you mean 'sentinel'?"));
    }

    #[test]
    fn a_line_found_wrong_later_makes_the_same_error() {
        let loaded = sentinel("\n sentinel monitor m x 6379 2 ").unwrap();
        let error = LoadError::at(&loaded.sentinel[0], "Can't resolve instance hostname.").to_string();
        assert!(
            error
                .contains("at line 2 of /etc/sentinel.conf\n>>> 'sentinel monitor m x 6379 2'\nCan't resolve instance"),
            "{error}"
        );
    }

    #[test]
    fn includes_are_read_in_place() {
        let main = "dir /etc\nport 1\ninclude conf.d/*.conf\ninclude /etc/nothing/*.conf\nport 3\ninclude last";
        let files = [
            ("/etc/redis.conf", main),
            ("/etc/conf.d/b.conf", "port 2\ntimeout 5"),
            ("/etc/conf.d/a.conf", "timeout 4\nhz 20"),
            ("/etc/conf.d/.hidden.conf", "hz 30"),
            ("/etc/conf.d/c.txt", "hz 40"),
            ("/etc/last", "maxclients 7"),
        ];
        let loaded = load_as(Mode::Server, &files).unwrap();
        assert_eq!(loaded.config.network.port, 3);
        assert_eq!(loaded.config.clients.timeout, 5);
        assert_eq!(loaded.config.process.hz, 20);
        assert_eq!(loaded.config.clients.maxclients, 7);
    }

    #[test]
    fn an_error_in_an_included_file_names_that_file() {
        let files = [("/etc/redis.conf", "include /etc/x"), ("/etc/x", "\nfoo bar")];
        let error = load_as(Mode::Server, &files).unwrap_err().to_string();
        assert!(error.contains("at line 2 of /etc/x\n>>> 'foo bar'"), "{error}");
    }

    #[test]
    fn a_circle_of_includes_ends() {
        let error = load_as(Mode::Server, &[("/etc/redis.conf", "include /etc/redis.conf")]).unwrap_err();
        assert_eq!(error.reason, "Files include each other more than 16 deep");
    }

    #[test]
    fn dir_counts_for_what_follows() {
        let files = [("/etc/redis.conf", "dir /etc\ndir conf.d\ninclude x"), ("/etc/conf.d/x", "port 9")];
        let loaded = load_as(Mode::Server, &files).unwrap();
        assert_eq!(loaded.config.network.port, 9);
        assert_eq!(loaded.config.process.dir, Path::new("/etc/conf.d"));
        assert_eq!(server("").unwrap().config.process.dir, Path::new(""));
    }

    #[test]
    fn later_sources_win_and_have_names_of_their_own() {
        let disk = disk(&[("/etc/redis.conf", "port 1\nsave 30 1")]);
        let mut loader = Loader::new(&disk, Mode::Server);
        loader.file(Path::new("/etc/redis.conf")).unwrap();
        loader.text("standard input", b"port 2\nsave 60 1").unwrap();
        let error = loader.text("the command line", b"port \"3\"\nfoo").unwrap_err().to_string();
        let loaded = loader.finish().unwrap();
        assert_eq!(loaded.config.network.port, 3);
        assert_eq!(loaded.config.persistence.save.len(), 2);
        assert!(error.contains("at line 2 of the command line\n>>> 'foo'"), "{error}");
    }

    #[test]
    fn directives_without_effect_are_listed_once() {
        let loaded = server("activerehashing no\nport 1\nactiverehashing yes\ndisable-thp no").unwrap();
        assert_eq!(loaded.not_in_effect, ["activerehashing", "disable-thp"]);
    }

    #[test]
    fn renames_are_handed_on() {
        let loaded = server("rename-command CONFIG \"\"\nrename-command GET get2").unwrap();
        assert_eq!(loaded.renames.len(), 2);
        assert_eq!(loaded.renames[0].words[2], b"");
    }
}
