//! The types of settings that are neither a number, a yes/no nor a text: words out of a list, save points, buffer limits.

use std::fmt;

/// Declares an enum whose variants are the words of a directive. The words are matched without regard to case.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The words, in the order in which error messages list them.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word of this variant.
            pub fn as_str(self) -> &'static str {
                Self::WORDS[self as usize]
            }

            /// The variant whose word stands at `index` of [`Self::WORDS`].
            pub fn from_index(index: usize) -> Option<$name> {
                Self::ALL.get(index).copied()
            }

            /// The variant of a word, in any case.
            pub fn from_word(word: &[u8]) -> Option<$name> {
                let index = Self::WORDS.iter().position(|w| w.as_bytes().eq_ignore_ascii_case(word))?;
                Self::from_index(index)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// How much is logged: everything at this importance and above.
    LogLevel { Debug = "debug", Verbose = "verbose", #[default] Notice = "notice", Warning = "warning", Nothing = "nothing" }
}
words! {
    /// Which service manager started us.
    Supervised { Upstart = "upstart", Systemd = "systemd", Auto = "auto", #[default] No = "no" }
}
words! {
    /// The syslog facility.
    SyslogFacility {
        User = "user", #[default] Local0 = "local0", Local1 = "local1", Local2 = "local2", Local3 = "local3",
        Local4 = "local4", Local5 = "local5", Local6 = "local6", Local7 = "local7",
    }
}
words! {
    /// How a replica loads a snapshot that arrives over the socket.
    DisklessLoad { #[default] Disabled = "disabled", OnEmptyDb = "on-empty-db", Swapdb = "swapdb" }
}
words! {
    /// Which key goes first when memory is full.
    EvictionPolicy {
        VolatileLru = "volatile-lru", VolatileLfu = "volatile-lfu", VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl", AllkeysLru = "allkeys-lru", AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random", #[default] Noeviction = "noeviction",
    }
}
words! {
    /// When the append only file is brought to the disk.
    AppendFsync { #[default] Everysec = "everysec", Always = "always", No = "no" }
}
words! {
    /// Whether the process adjusts its own OOM score.
    OomScoreAdj { #[default] No = "no", Yes = "yes", Relative = "relative", Absolute = "absolute" }
}
words! {
    /// Which channels a new ACL user may use.
    PubsubDefault { Allchannels = "allchannels", #[default] Resetchannels = "resetchannels" }
}
words! {
    /// Whether payloads of RESTORE and RDB files are checked deeply.
    SanitizePayload { #[default] No = "no", Yes = "yes", Clients = "clients" }
}
words! {
    /// Who may use a dangerous feature: nobody, everybody, or connections from this host.
    Allowed { #[default] No = "no", Yes = "yes", Local = "local" }
}
words! {
    /// Which name of a cluster node clients are sent to.
    EndpointType { #[default] Ip = "ip", Hostname = "hostname", UnknownEndpoint = "unknown-endpoint" }
}
words! {
    /// What to do when a command from the master, or of the AOF, fails.
    PropagationError { #[default] Ignore = "ignore", Panic = "panic", PanicOnReplicas = "panic-on-replicas" }
}
words! {
    /// Whether TLS clients must show a certificate.
    TlsAuth { No = "no", #[default] Yes = "yes", Optional = "optional" }
}

/// How a signal shuts the server down. All off means the default: save when save points exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownFlags {
    /// Save even without save points.
    pub save: bool,
    /// Do not save even with save points.
    pub nosave: bool,
    /// Do not wait for replicas that lag.
    pub now: bool,
    /// Go on shutting down although saving failed.
    pub force: bool,
}

/// Save when at least `changes` writes happened in at least `seconds` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Least time since the last save.
    pub seconds: u64,
    /// Least number of changes since the last save.
    pub changes: u64,
}

/// How much output may wait for one client. Zero switches a limit off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimit {
    /// Bytes at which the client is closed at once.
    pub hard: u64,
    /// Bytes above which the client is closed after `soft_seconds`.
    pub soft: u64,
    /// How long the soft limit may be exceeded, in seconds.
    pub soft_seconds: u64,
}

/// The output limits of the three classes of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimits {
    /// Clients that ask and get answers.
    pub normal: BufferLimit,
    /// Replicas.
    pub replica: BufferLimit,
    /// Clients with at least one subscription.
    pub pubsub: BufferLimit,
}

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddress {
    /// An address, a host name, `*` (every IPv4 address) or `::*` (every IPv6 address).
    pub host: String,
    /// Written with a leading `-`: the address may be missing on this host.
    pub is_optional: bool,
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_optional {
            f.write_str("-")?;
        }
        f.write_str(&self.host)
    }
}

/// Where a master is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Address or host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// How much memory all clients together may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientMemory {
    /// No limit.
    #[default]
    Off,
    /// This many bytes.
    Bytes(u64),
    /// This share of `maxmemory`.
    Percent(u8),
}

/// A set of keyspace event classes: the letters of `notify-keyspace-events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventClasses(u16);

impl EventClasses {
    /// `K`: publish to `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: EventClasses = EventClasses(1 << 0);
    /// `E`: publish to `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: EventClasses = EventClasses(1 << 1);
    /// `g`: commands for keys of any type.
    pub const GENERIC: EventClasses = EventClasses(1 << 2);
    /// `$`: strings.
    pub const STRING: EventClasses = EventClasses(1 << 3);
    /// `l`: lists.
    pub const LIST: EventClasses = EventClasses(1 << 4);
    /// `s`: sets.
    pub const SET: EventClasses = EventClasses(1 << 5);
    /// `h`: hashes.
    pub const HASH: EventClasses = EventClasses(1 << 6);
    /// `z`: sorted sets.
    pub const ZSET: EventClasses = EventClasses(1 << 7);
    /// `x`: a key expired.
    pub const EXPIRED: EventClasses = EventClasses(1 << 8);
    /// `e`: a key was evicted.
    pub const EVICTED: EventClasses = EventClasses(1 << 9);
    /// `t`: streams.
    pub const STREAM: EventClasses = EventClasses(1 << 10);
    /// `m`: a key was not found.
    pub const KEY_MISS: EventClasses = EventClasses(1 << 11);
    /// `d`: module types.
    pub const MODULE: EventClasses = EventClasses(1 << 12);
    /// `n`: a key was created.
    pub const NEW: EventClasses = EventClasses(1 << 13);
    /// `A`: `g$lshzxetd`.
    pub const ALL: EventClasses = EventClasses(0b0001_0111_1111_1100);

    /// True when every class of `other` is in this set.
    pub const fn contains(self, other: EventClasses) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when nothing is to be published.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    pub const fn and(self, other: EventClasses) -> EventClasses {
        EventClasses(self.0 | other.0)
    }

    /// The classes of a text such as `KEA`; `None` when it holds any other character.
    pub fn parse(text: &[u8]) -> Option<EventClasses> {
        text.iter().try_fold(EventClasses(0), |set, letter| {
            let (_, class) = Self::LETTERS.iter().chain(&[(b'A', Self::ALL)]).find(|(l, _)| l == letter)?;
            Some(set.and(*class))
        })
    }

    /// In the order in which CONFIG GET prints them.
    const LETTERS: [(u8, EventClasses); 14] = [
        (b'g', Self::GENERIC),
        (b'$', Self::STRING),
        (b'l', Self::LIST),
        (b's', Self::SET),
        (b'h', Self::HASH),
        (b'z', Self::ZSET),
        (b'x', Self::EXPIRED),
        (b'e', Self::EVICTED),
        (b't', Self::STREAM),
        (b'd', Self::MODULE),
        (b'n', Self::NEW),
        (b'K', Self::KEYSPACE),
        (b'E', Self::KEYEVENT),
        (b'm', Self::KEY_MISS),
    ];
}

/// The letters as CONFIG GET prints them: `A` first when all of its classes are in.
impl fmt::Display for EventClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.contains(Self::ALL);
        if all {
            f.write_str("A")?;
        }
        for (letter, class) in Self::LETTERS {
            if self.contains(class) && !(all && Self::ALL.contains(class)) {
                write!(f, "{}", letter as char)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case() {
        assert_eq!(LogLevel::from_word(b"NOTICE"), Some(LogLevel::Notice));
        assert_eq!(LogLevel::from_word(b"loud"), None);
        assert_eq!(AppendFsync::from_index(1), Some(AppendFsync::Always));
        assert_eq!(EvictionPolicy::Noeviction.to_string(), "noeviction");
    }

    #[test]
    fn event_classes_print_a_for_the_whole_alphabet() {
        assert_eq!(EventClasses::parse(b"KEA").unwrap().to_string(), "AKE");
        assert_eq!(EventClasses::parse(b"g$lshzxetd").unwrap().to_string(), "A");
        assert_eq!(EventClasses::parse(b"mnEx").unwrap().to_string(), "xnEm");
        assert_eq!(EventClasses::parse(b"Kq"), None);
        assert!(EventClasses::parse(b"").unwrap().is_empty());
    }
}
