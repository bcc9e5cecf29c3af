//! What a command is, without what it does.
//!
//! A command is declared once, beside its handler, as a [`Spec`]: a [`Meta`] (name, arity, flags, keys, documentation)
//! and a handler of whatever kind `H` the floor above uses. The command table, COMMAND and its subcommands, ACL
//! categories, key extraction and the docs pages all read the same declaration.
//!
//! A subcommand is a `Spec` of its own that names its `container`; a command that only holds subcommands (CONFIG,
//! CLIENT) is a [`Meta`] without a handler. [`Table`] puts them together and is what a program looks names up in.

pub mod docs;
pub mod flags;
pub mod keys;
pub mod options;
pub mod table;

pub use flags::{Category, Flags};
pub use keys::{Access, BeginSearch, FindKeys, KeySpec};
pub use table::{Catalog, Command, CommandId, LookupError, Table, TableBuilder};

/// A command's declaration and its handler.
pub struct Spec<H: 'static> {
    /// Everything but behaviour.
    pub meta: Meta,
    /// What runs.
    pub handler: H,
}

/// A command without its behaviour.
#[derive(Clone, Copy)]
pub struct Meta {
    /// Lower case; for a subcommand its own word only (`get` of `config get`).
    pub name: &'static str,
    /// For a subcommand the command it belongs to (`config` of `config get`), else empty.
    pub container: &'static str,
    /// The family, as COMMAND DOCS names it.
    pub group: Group,
    /// Redis version that introduced it.
    pub since: &'static str,
    /// How many words, the name included (for a subcommand: container and subcommand included).
    pub arity: Arity,
    /// Behaviour flags.
    pub flags: Flags,
    /// ACL categories beyond those that follow from flags and group.
    pub categories: Category,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Finds the keys where the specs alone cannot.
    pub keys_by: Option<keys::KeysBy>,
    /// Whether its words name channels.
    pub channels: Channels,
    /// One line, in our words.
    pub summary: &'static str,
    /// Big-O, in our words.
    pub complexity: &'static str,
    /// `(version, what changed)`.
    pub history: &'static [(&'static str, &'static str)],
    /// Hints for proxies, as in COMMAND INFO.
    pub tips: &'static [&'static str],
    /// Since which version it is deprecated, and what replaces it.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Arguments for COMMAND DOCS.
    pub args: &'static [Arg],
}

impl Meta {
    /// What a declaration starts from: `Meta { name: "get", …, ..Meta::NEW }`.
    pub const NEW: Meta = Meta {
        name: "",
        container: "",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::Exactly(1),
        flags: Flags::NONE,
        categories: Category::NONE,
        keys: &[],
        keys_by: None,
        channels: Channels::None,
        summary: "",
        complexity: "O(1)",
        history: &[],
        tips: &[],
        deprecated: None,
        args: &[],
    };
}

/// Which words of a command are channels, for ACL rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// None.
    None,
    /// The first word after the name is published to.
    Publish,
    /// All words after the name are subscribed to.
    Subscribe,
    /// All words after the name are patterns that are subscribed to.
    SubscribePatterns,
}

/// How many words a command takes, its name included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Not one more, not one less.
    Exactly(usize),
    /// That many or more.
    AtLeast(usize),
}

impl Arity {
    /// Whether `words` fits.
    pub const fn accepts(self, words: usize) -> bool {
        match self {
            Arity::Exactly(n) => words == n,
            Arity::AtLeast(n) => words >= n,
        }
    }

    /// Redis's notation: negative means "at least".
    pub const fn as_redis(self) -> i64 {
        match self {
            Arity::Exactly(n) => n as i64,
            Arity::AtLeast(n) => -(n as i64),
        }
    }
}

/// Command families, as COMMAND DOCS spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Pubsub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Hyperloglog,
    Cluster,
    Sentinel,
    Geo,
    Stream,
    Bitmap,
}

impl Group {
    /// The word in COMMAND DOCS.
    pub const fn as_str(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::Pubsub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::Hyperloglog => "hyperloglog",
            Group::Cluster => "cluster",
            Group::Sentinel => "sentinel",
            Group::Geo => "geo",
            Group::Stream => "stream",
            Group::Bitmap => "bitmap",
        }
    }
}

/// One argument for COMMAND DOCS.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// What kind of word it is.
    pub kind: ArgKind,
    /// The literal word before it, if any (`EX` of `EX seconds`).
    pub token: Option<&'static str>,
    /// Which of the command's key specs it belongs to, when it is a key.
    pub key_spec: Option<usize>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// When it is repeated, the literal word before it is repeated too.
    pub repeats_token: bool,
    /// Since which version, when later than the command.
    pub since: Option<&'static str>,
    /// Parts of a block, or alternatives of a one-of.
    pub parts: &'static [Arg],
}

/// The kinds of COMMAND DOCS arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ArgKind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl Arg {
    /// An argument that must be there once.
    pub const fn new(name: &'static str, kind: ArgKind) -> Arg {
        Arg {
            name,
            kind,
            token: None,
            key_spec: None,
            optional: false,
            multiple: false,
            repeats_token: false,
            since: None,
            parts: &[],
        }
    }

    /// A key, belonging to the command's `spec`-th key spec.
    pub const fn key(name: &'static str, spec: usize) -> Arg {
        Arg { key_spec: Some(spec), ..Arg::new(name, ArgKind::Key) }
    }

    /// A bare word such as `NX`.
    pub const fn token(name: &'static str, token: &'static str) -> Arg {
        Arg { token: Some(token), ..Arg::new(name, ArgKind::PureToken) }
    }

    /// One of several alternatives.
    pub const fn one_of(name: &'static str, parts: &'static [Arg]) -> Arg {
        Arg { parts, ..Arg::new(name, ArgKind::OneOf) }
    }

    /// Several arguments that go together.
    pub const fn block(name: &'static str, parts: &'static [Arg]) -> Arg {
        Arg { parts, ..Arg::new(name, ArgKind::Block) }
    }

    /// Preceded by a literal word.
    pub const fn after(self, token: &'static str) -> Arg {
        Arg { token: Some(token), ..self }
    }

    /// May be left out.
    pub const fn optional(self) -> Arg {
        Arg { optional: true, ..self }
    }

    /// May be repeated.
    pub const fn multiple(self) -> Arg {
        Arg { multiple: true, ..self }
    }

    /// When repeated, with its literal word (`GET a GET b`).
    pub const fn repeats_token(self) -> Arg {
        Arg { repeats_token: true, ..self }
    }

    /// Introduced later than its command.
    pub const fn since(self, version: &'static str) -> Arg {
        Arg { since: Some(version), ..self }
    }
}
