//! What a directive is: its name, the shape of its value, where the value is kept, and what changing it entails.
//!
//! Every directive is declared once, in `table/`. The file parser, CONFIG GET, SET and REWRITE, and the shipped
//! `redis.conf` all read that declaration. A declaration holds two small functions that reach its field of [`Config`]
//! (the *slot*, made by the macros of this file), so the typed value has one home and nobody converts names to fields.
//!
//! [`Apply`] names what else has to happen when a value changes at run time, such as opening another port. The server
//! carries it out; this module imports nobody.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::base::number;
use crate::base::quote;
use crate::config::memory_units;
use crate::config::model::Config;

/// Why a value was refused: Redis's own words.
pub type Reason = Cow<'static, str>;

/// A condition on a configuration, and why it is refused when it does not hold.
pub type Check = fn(&Config) -> Result<(), &'static str>;

/// Reads the words of a line into a configuration.
pub type SetWords = fn(&mut Config, &[&[u8]], Turn) -> Result<(), Reason>;

/// One directive.
pub struct Directive {
    /// Its name; always lower case.
    pub name: &'static str,
    /// An older name that means the same.
    pub alias: Option<&'static str>,
    /// Shape, default and place of its value.
    pub kind: Kind,
    /// When it may be set.
    pub when: When,
    /// Peculiarities.
    pub flags: Flags,
    /// A condition on the configuration as it would be with the new value.
    pub check: Option<Check>,
    /// What changing it at run time entails, beyond being read at its next use.
    pub apply: Option<Apply>,
    /// Whether we act on it.
    pub effect: Effect,
    /// What it does, for `redis.conf`.
    pub doc: &'static str,
}

/// Set in a file, on the command line, or by CONFIG SET. Declarations start from this or from [`START`].
pub const RUNTIME: Directive = Directive {
    name: "",
    alias: None,
    kind: Kind::Ignored,
    when: When::Runtime,
    flags: Flags::NONE,
    check: None,
    apply: None,
    effect: Effect::InEffect,
    doc: "",
};

/// Set in a file or on the command line only.
pub const START: Directive = Directive { when: When::Start, ..RUNTIME };

/// The shape of a value, its default and where it is kept.
pub enum Kind {
    /// `yes` or `no`.
    Bool {
        /// The default.
        default: bool,
        /// Its field.
        slot: Slot<bool>,
    },
    /// A whole number.
    Int {
        /// The default.
        default: i128,
        /// Both ends included.
        range: RangeInclusive<i128>,
        /// Its field.
        slot: Number,
    },
    /// A whole number written in octal.
    Octal {
        /// The default.
        default: i128,
        /// Both ends included.
        range: RangeInclusive<i128>,
        /// Its field.
        slot: Number,
    },
    /// A size, with units.
    Bytes {
        /// The default.
        default: i128,
        /// Both ends included.
        range: RangeInclusive<i128>,
        /// Its field.
        slot: Number,
    },
    /// One word out of a list.
    Word {
        /// Index of the default.
        default: usize,
        /// The words.
        words: &'static [&'static str],
        /// Its field.
        slot: Choice,
    },
    /// Any text.
    Text {
        /// The default.
        default: &'static str,
        /// Its field.
        slot: Text,
    },
    /// Anything else.
    Special(Special),
    /// Several lines of a file, each an act of its own rather than a value: `include`, `user`. The words after the name.
    Line {
        /// How it is written.
        usage: &'static str,
        /// How many words follow the name.
        words: RangeInclusive<usize>,
    },
    /// Accepted with one word and ignored, as Redis does with what it has given up.
    Ignored,
}

/// A field reached by reference.
pub struct Slot<T: 'static> {
    /// Reads it.
    pub get: fn(&Config) -> &T,
    /// Writes it.
    pub get_mut: fn(&mut Config) -> &mut T,
}

/// A field that holds a whole number.
pub struct Number {
    /// Reads it.
    pub get: fn(&Config) -> i128,
    /// Writes it; the value was checked against the range.
    pub set: fn(&mut Config, i128),
}

/// A field that holds one of a list of words.
pub struct Choice {
    /// Reads it.
    pub get: fn(&Config) -> usize,
    /// Writes it.
    pub set: fn(&mut Config, usize),
}

/// A field that holds text.
pub struct Text {
    /// Reads it.
    pub get: fn(&Config) -> &[u8],
    /// Writes it.
    pub set: fn(&mut Config, &[u8]) -> Result<(), Reason>,
}

/// A value with a grammar of its own.
pub struct Special {
    /// The words of the default.
    pub default: &'static [&'static str],
    /// Reads the words of a line.
    pub set: SetWords,
    /// The value as CONFIG GET prints it.
    pub get: fn(&Config) -> String,
    /// The value as lines of a file, without the name; lines equal to those of the default need not be written.
    pub lines: fn(&Config) -> Vec<String>,
}

/// Whether a value takes the place of the former one, or joins it: a repeated `save` line of a file joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The first such line, or CONFIG SET.
    First,
    /// A further line of the same start.
    Further,
}

/// A type of field that [`Text`] can hold.
pub trait TextField {
    /// Its bytes.
    fn bytes(&self) -> &[u8];
    /// Takes new bytes.
    fn assign(&mut self, bytes: &[u8]) -> Result<(), Reason>;
}

impl TextField for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
    fn assign(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        *self = bytes.to_vec();
        Ok(())
    }
}

impl TextField for PathBuf {
    fn bytes(&self) -> &[u8] {
        self.as_os_str().as_bytes()
    }
    fn assign(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        if bytes.contains(&0) {
            return Err("a path can't contain a zero byte".into());
        }
        *self = PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()));
        Ok(())
    }
}

impl TextField for String {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
    fn assign(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let text = std::str::from_utf8(bytes).map_err(|_| "argument must be valid UTF-8")?;
        *self = text.to_owned();
        Ok(())
    }
}

/// The kind of a yes/no: `flag!(network.protected_mode, true)`.
macro_rules! flag {
    ($($path:ident).+, $default:expr) => {
        $crate::config::directive::Kind::Bool {
            default: $default,
            slot: $crate::config::directive::Slot { get: |c| &c.$($path).+, get_mut: |c| &mut c.$($path).+ },
        }
    };
}
/// The kind of a number: `integer!(Int, network.port, 6379, 0..=65535)`, or `Octal` or `Bytes`. The range must fit into
/// the type of the field; a test checks every declaration.
macro_rules! integer {
    ($kind:ident, $($path:ident).+, $default:expr, $range:expr) => {
        $crate::config::directive::Kind::$kind {
            default: $default,
            range: $range,
            slot: $crate::config::directive::Number {
                get: |c| i128::from(c.$($path).+),
                set: |c, value| c.$($path).+ = value as _,
            },
        }
    };
}
/// The kind of a directive whose value is one of the words of an enum: `word!(logging.loglevel: LogLevel::Notice)`.
macro_rules! word {
    ($($path:ident).+ : $kind:ident :: $default:ident) => {
        $crate::config::directive::Kind::Word {
            default: $kind::$default as usize,
            words: $kind::WORDS,
            slot: $crate::config::directive::Choice {
                get: |c| c.$($path).+ as usize,
                set: |c, index| {
                    if let Some(value) = $kind::from_index(index) {
                        c.$($path).+ = value;
                    }
                },
            },
        }
    };
}
/// The kind of a directive whose value is a text: `text!(network.unixsocket, "")`.
macro_rules! text {
    ($($path:ident).+, $default:expr) => {
        $crate::config::directive::Kind::Text {
            default: $default,
            slot: $crate::config::directive::Text {
                get: |c| $crate::config::directive::TextField::bytes(&c.$($path).+),
                set: |c, bytes| $crate::config::directive::TextField::assign(&mut c.$($path).+, bytes),
            },
        }
    };
}
pub(crate) use {flag, integer, text, word};

/// Largest C `int`, the upper end of many ranges.
pub const INT_MAX: i128 = i32::MAX as i128;
/// Largest signed 64-bit number.
pub const LONG_MAX: i128 = i64::MAX as i128;
/// The largest port.
pub const PORT_MAX: i128 = u16::MAX as i128;
/// One mebibyte.
pub const MIB: i128 = 1 << 20;

/// When a directive may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At start only.
    Start,
    /// Also by CONFIG SET.
    Runtime,
}

/// Whether we act on a directive. One that is not in effect is accepted, kept, shown, and named in the log at start and when CONFIG
/// SET changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does what it says.
    InEffect,
    /// There is nothing here that it could act on, and this is why: the end of a sentence.
    NoSubject(&'static str),
}

/// Peculiarities of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// Nothing special.
    pub const NONE: Flags = Flags(0);
    /// Its value is shown in crash reports.
    pub const DEBUG: Flags = Flags(1);
    /// CONFIG GET shows it only when it is named exactly.
    pub const HIDDEN: Flags = Flags(2);
    /// A secret: MONITOR and the slow log must not show it.
    pub const SENSITIVE: Flags = Flags(4);
    /// CONFIG SET needs `enable-protected-configs`.
    pub const PROTECTED: Flags = Flags(8);
    /// Several words.
    pub const MULTI: Flags = Flags(16);
    /// Setting it has consequences even when the value stays the same.
    pub const VOLATILE: Flags = Flags(32);
    /// CONFIG SET is refused while the data set is being loaded.
    pub const DENY_LOADING: Flags = Flags(64);

    /// Both.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// True when all of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a change at run time entails. Values that are read from the configuration at each use need none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apply {
    /// Listen on the new `port`.
    Port,
    /// Listen on the new `bind` addresses.
    Bind,
    /// Rebuild the TLS settings and their listener.
    Tls,
    /// Check that the operating system allows that many descriptors.
    MaxClients,
    /// Change the working directory; done at once, since other values may be relative to it.
    Directory,
    /// Change the password of the user `default`.
    Password,
    /// Client limits: buffers, bulk length, idle time, keepalive.
    ClientLimits,
    /// Start or stop the append only file.
    AppendOnly,
    /// Change how the append only file is synced.
    AppendFsync,
    /// Resize the backlog.
    Backlog,
    /// Other timings and rules of replication, on either side.
    Replication,
    /// Count the good replicas anew.
    GoodReplicas,
    /// Change the frequency of the timer.
    Hz,
    /// Evict down to the new limit.
    MaxMemory,
    /// Parameters of eviction and of the LFU counter.
    Eviction,
    /// What is freed in the background.
    LazyFree,
    /// Encoding thresholds.
    Encoding,
    /// How hard expired keys are looked for.
    Expiry,
    /// Which keyspace events are published.
    Notifications,
    /// Save points and the form of RDB files.
    Snapshots,
    /// How much is logged.
    LogLevel,
    /// Threshold and length of the slow log.
    SlowLog,
    /// Latency monitor and histograms.
    Latency,
    /// Length of the ACL log, default of channels.
    Acl,
    /// Title of the process.
    ProcTitle,
    /// OOM score of the process.
    OomScore,
    /// Collation of SORT ALPHA.
    Locale,
    /// What a crash leaves behind, and how it ends.
    CrashReports,
    /// Background thread of the allocator.
    Allocator,
    /// What this node tells the cluster.
    Cluster,
}

impl Effect {
    /// Why setting it changes nothing; `None` when it does.
    pub fn excuse(self) -> Option<&'static str> {
        match self {
            Effect::InEffect => None,
            Effect::NoSubject(reason) => Some(reason),
        }
    }
}

impl Directive {
    /// True for its name and its alias, in any case.
    pub fn is_called(&self, name: &[u8]) -> bool {
        let is = |own: &str| own.as_bytes().eq_ignore_ascii_case(name);
        is(self.name) || self.alias.is_some_and(is)
    }

    /// True when it has a value, so that CONFIG GET shows it.
    pub fn has_value(&self) -> bool {
        !matches!(self.kind, Kind::Line { .. } | Kind::Ignored)
    }

    /// Sets the value from the words after the name. On an error `config` is unchanged, except where `check` fails:
    /// callers work on a copy or give up altogether.
    pub fn set(&self, config: &mut Config, words: &[&[u8]], turn: Turn) -> Result<(), Reason> {
        match &self.kind {
            Kind::Special(special) => (special.set)(config, words, turn)?,
            Kind::Line { .. } | Kind::Ignored => {}
            _ => {
                let [word] = words else { return Err("wrong number of arguments".into()) };
                self.set_word(config, word)?;
            }
        }
        self.check.map_or(Ok(()), |check| check(config)).map_err(Reason::from)
    }

    fn set_word(&self, config: &mut Config, word: &[u8]) -> Result<(), Reason> {
        match &self.kind {
            Kind::Bool { slot, .. } => {
                *(slot.get_mut)(config) = parse_bool(word).ok_or("argument must be 'yes' or 'no'")?;
            }
            Kind::Int { range, slot, .. } => {
                let value = number::parse_i64(word).ok_or("argument couldn't be parsed into an integer")?;
                (slot.set)(config, in_range(i128::from(value), range)?);
            }
            Kind::Octal { range, slot, .. } => {
                let value = parse_octal(word).ok_or("argument couldn't be parsed as an octal number")?;
                (slot.set)(config, in_range(value, range).map_err(|_| octal_range(range))?);
            }
            Kind::Bytes { range, slot, .. } => {
                let value = memory_units::parse(word).ok_or("argument must be a memory value")?;
                (slot.set)(config, in_range(i128::from(value), range)?);
            }
            Kind::Word { words, slot, .. } => {
                let index = words.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(word));
                (slot.set)(config, index.ok_or_else(|| one_of(words))?);
            }
            Kind::Text { slot, .. } => (slot.set)(config, word)?,
            Kind::Special(_) | Kind::Line { .. } | Kind::Ignored => {}
        }
        Ok(())
    }

    /// The value as CONFIG GET prints it; empty for a directive that has none.
    pub fn get(&self, config: &Config) -> Vec<u8> {
        match &self.kind {
            Kind::Bool { slot, .. } => yes_no(*(slot.get)(config)).into(),
            Kind::Int { slot, .. } | Kind::Bytes { slot, .. } => (slot.get)(config).to_string().into_bytes(),
            Kind::Octal { slot, .. } => format!("{:o}", (slot.get)(config)).into_bytes(),
            Kind::Word { words, slot, .. } => words[(slot.get)(config)].into(),
            Kind::Text { slot, .. } => (slot.get)(config).to_vec(),
            Kind::Special(special) => (special.get)(config).into_bytes(),
            Kind::Line { .. } | Kind::Ignored => Vec::new(),
        }
    }

    /// The value as lines of a config file, without the name: one line for most, several or none for some.
    pub fn lines(&self, config: &Config) -> Vec<String> {
        match &self.kind {
            Kind::Bytes { slot, .. } => vec![memory_units::format((slot.get)(config) as u64)],
            Kind::Text { slot, .. } => vec![quote::quoted((slot.get)(config))],
            Kind::Special(special) => (special.lines)(config),
            Kind::Line { .. } | Kind::Ignored => Vec::new(),
            _ => vec![String::from_utf8_lossy(&self.get(config)).into_owned()],
        }
    }

    /// Sets the declared default.
    pub fn reset(&self, config: &mut Config) {
        match &self.kind {
            Kind::Bool { default, slot } => *(slot.get_mut)(config) = *default,
            Kind::Int { default, slot, .. } | Kind::Octal { default, slot, .. } | Kind::Bytes { default, slot, .. } => {
                (slot.set)(config, *default);
            }
            Kind::Word { default, slot, .. } => (slot.set)(config, *default),
            Kind::Text { default, slot } => {
                (slot.set)(config, default.as_bytes()).expect("a declared default is acceptable");
            }
            Kind::Special(special) => {
                let words: Vec<&[u8]> = special.default.iter().map(|word| word.as_bytes()).collect();
                (special.set)(config, &words, Turn::First).expect("a declared default is acceptable");
            }
            Kind::Line { .. } | Kind::Ignored => {}
        }
    }
}

/// `yes` or `no`, in any case.
pub fn parse_bool(word: &[u8]) -> Option<bool> {
    match word {
        _ if word.eq_ignore_ascii_case(b"yes") => Some(true),
        _ if word.eq_ignore_ascii_case(b"no") => Some(false),
        _ => None,
    }
}

/// `yes` or `no`.
pub fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// The refusal that lists the words.
pub fn one_of(words: &[&str]) -> Reason {
    format!("argument(s) must be one of the following: {}", words.join(", ")).into()
}

fn parse_octal(word: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(word).ok()?;
    i64::from_str_radix(text, 8).ok().map(i128::from)
}

fn in_range(value: i128, range: &RangeInclusive<i128>) -> Result<i128, Reason> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(format!("argument must be between {} and {} inclusive", range.start(), range.end()).into())
}

fn octal_range(range: &RangeInclusive<i128>) -> Reason {
    format!("argument must be between {:o} and {:o} inclusive", range.start(), range.end()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;

    fn set(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
        let directive = table::find(name.as_bytes()).unwrap_or_else(|| panic!("no directive {name}"));
        let words = quote::split_args(value.as_bytes()).unwrap();
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        directive.set(config, &words, Turn::First).map_err(Reason::into_owned)
    }

    fn get(config: &Config, name: &str) -> String {
        String::from_utf8(table::find(name.as_bytes()).unwrap().get(config)).unwrap()
    }

    /// Name, value, what it reads back as.
    #[test]
    fn values_read_back() {
        for (name, value, shown) in [
            ("port", "0", "0"),
            ("PORT", "65535", "65535"),
            ("protected-mode", "NO", "no"),
            ("maxmemory", "18446744073709551615", "18446744073709551615"),
            ("maxmemory", "\"\"", "0"),
            ("maxmemory", "10MB", "10485760"),
            ("unixsocketperm", "777", "777"),
            ("loglevel", "Warning", "warning"),
            ("slave-priority", "7", "7"),
            ("hz", "1000", "500"),
            ("hz", "0", "1"),
            ("save", "10 3", "10 3"),
            ("save", "\"\"", ""),
            ("save", "", ""),
            ("bind", "\"\"", ""),
            ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
            ("replicaof", "localhost 6380", "localhost 6380"),
            ("slaveof", "NO ONE", ""),
            ("maxmemory-clients", "5%", "5%"),
            ("maxmemory-clients", "1kb", "1024"),
            ("maxmemory-clients", "0%", "0"),
            ("shutdown-on-sigint", "now SAVE", "save now"),
            ("shutdown-on-sigterm", "default", "default"),
            ("notify-keyspace-events", "KEA", "AKE"),
            ("notify-keyspace-events", "\"\"", ""),
            ("latency-tracking-info-percentiles", "50 99.99 0.5 100", "50 99.99 0.5 100"),
            ("latency-tracking-info-percentiles", "\"\"", ""),
            ("oom-score-adj-values", "3 2 -1", "3 2 -1"),
            ("requirepass", "\"a \\xff\"", "a \u{fffd}"),
            ("proc-title-template", "\"{title} x {port}\"", "{title} x {port}"),
        ] {
            let mut config = Config::default();
            assert_eq!(set(&mut config, name, value), Ok(()), "{name} {value}");
            let read = table::find(name.as_bytes()).unwrap().get(&config);
            assert_eq!(String::from_utf8_lossy(&read), shown, "{name} {value}");
        }
    }

    #[test]
    fn refusals_have_the_words_of_redis() {
        for (name, value, reason) in [
            ("port", "65536", "argument must be between 0 and 65535 inclusive"),
            ("port", "x", "argument couldn't be parsed into an integer"),
            ("tcp-keepalive", "10.5", "argument couldn't be parsed into an integer"),
            ("port", "1 2", "wrong number of arguments"),
            ("port", "", "wrong number of arguments"),
            ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
            ("protected-mode", "maybe", "argument must be 'yes' or 'no'"),
            ("maxmemory", "1x", "argument must be a memory value"),
            ("maxmemory", "-1", "argument must be a memory value"),
            ("proto-max-bulk-len", "1", "argument must be between 1048576 and 9223372036854775807 inclusive"),
            (
                "repl-backlog-size",
                "9223372036854775808",
                "argument must be between 1 and 9223372036854775807 inclusive",
            ),
            ("unixsocketperm", "1777", "argument must be between 0 and 777 inclusive"),
            ("unixsocketperm", "-1", "argument must be between 0 and 777 inclusive"),
            ("unixsocketperm", "99", "argument couldn't be parsed as an octal number"),
            ("appendfsync", "foo", "argument(s) must be one of the following: everysec, always, no"),
            ("save", "1", "Invalid save parameters"),
            ("save", "0 1", "Invalid save parameters"),
            ("save", "1 -1", "Invalid save parameters"),
            ("save", "a b", "Invalid save parameters"),
            ("client-output-buffer-limit", "normal 1 2", "Wrong number of arguments in buffer limit configuration."),
            (
                "client-output-buffer-limit",
                "foo 1 2 3",
                "Invalid client class specified in buffer limit configuration.",
            ),
            (
                "client-output-buffer-limit",
                "master 1 2 3",
                "Invalid client class specified in buffer limit configuration.",
            ),
            (
                "client-output-buffer-limit",
                "normal a 2 3",
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ),
            ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
            ("maxmemory-clients", "-5", "argument must be a memory or percent value"),
            ("shutdown-on-sigint", "save nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously"),
            (
                "shutdown-on-sigint",
                "foo",
                "argument(s) must be one of the following: default, save, nosave, now, force",
            ),
            ("oom-score-adj-values", "1 2", "wrong number of arguments"),
            (
                "oom-score-adj-values",
                "1 2 3000",
                "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
            ),
            ("notify-keyspace-events", "Kq", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
            ("notify-keyspace-events", "A B", "wrong number of arguments"),
            ("bind", "a b c d e f g h i j k l m n o p q", "Too many bind addresses specified."),
            ("replicaof", "a", "wrong number of arguments"),
            ("replicaof", "a b", "Invalid master port"),
            ("replicaof", "a 65536", "Invalid master port"),
            ("latency-tracking-info-percentiles", "a", "Invalid latency-tracking-info-percentiles parameters"),
            (
                "latency-tracking-info-percentiles",
                "50 101",
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
            ),
            ("dbfilename", "a/b", "dbfilename can't be a path, just a filename"),
            ("appendfilename", "\"\"", "appendfilename can't be empty"),
            ("appendfilename", "a/b", "appendfilename can't be a path, just a filename"),
            ("appenddirname", "\"\"", "appenddirname can't be empty"),
            ("appenddirname", "a/b", "appenddirname can't be a path, just a dirname"),
            ("proc-title-template", "{foo}", "template format is invalid or contains unknown variables"),
            ("proc-title-template", "\"\"", "template format is invalid or contains unknown variables"),
            ("proc-title-template", "a{port", "template format is invalid or contains unknown variables"),
            ("cluster-announce-hostname", "a_b", "Hostnames may only contain alphanumeric characters, hyphens or dots"),
            ("cluster-announce-human-nodename", "a&b", "Announced human node name contained invalid character"),
            ("dbfilename", "\"\\xff\"", "argument must be valid UTF-8"),
            ("logfile", "\"\\x00\"", "a path can't contain a zero byte"),
        ] {
            assert_eq!(set(&mut Config::default(), name, value), Err(reason.to_owned()), "{name} {value}");
        }
        let long = "a".repeat(256);
        let reason = set(&mut Config::default(), "cluster-announce-hostname", &long).unwrap_err();
        assert_eq!(reason, "Hostnames must be less than 256 characters");
    }

    #[test]
    fn a_class_not_named_keeps_its_output_limit() {
        let mut config = Config::default();
        set(&mut config, "client-output-buffer-limit", "normal 1k 2mb 3 replica 10 10 10").unwrap();
        assert_eq!(
            get(&config, "client-output-buffer-limit"),
            "normal 1000 2097152 3 slave 10 10 10 pubsub 33554432 8388608 60"
        );
    }

    #[test]
    fn a_relative_dir_starts_from_the_former_one() {
        let mut config = Config::default();
        set(&mut config, "dir", "/var").unwrap();
        set(&mut config, "dir", "./lib").unwrap();
        assert_eq!(get(&config, "dir"), "/var/lib");
        set(&mut config, "dir", "/tmp").unwrap();
        assert_eq!(get(&config, "dir"), "/tmp");
    }
}
