//! The command table of one program: names to declarations and handlers.
//!
//! A table is built once, at start, from lists of [`Spec`]s whose handlers are of different kinds; the program wraps each
//! kind into its own `H`. The part that knows no handler is the [`Catalog`]: COMMAND, ACL rules, statistics and key
//! extraction work on it, so that floors which must not know `H` can.
//!
//! **Look-up.** It is on the path of every command, so it neither allocates nor copies the name. A name is reduced to its
//! first and last eight bytes in lower case and its length; these are hashed, and stored in the slots of an open-addressing
//! index. Up to sixteen bytes, which is nearly all names, a slot that agrees is a hit, and no other memory is read.
//!
//! **Names.** A command has one number ([`CommandId`]) and one full name (`get`, `config|get`) for life. RENAME changes
//! only the index: statistics, ACL rules and error texts keep the full name, as in Redis.

use crate::base::limits::BIG_ARG;
use crate::resp::args::Args;
use crate::spec::keys::legacy_range;
use crate::spec::{Arity, Category, Flags, Meta, Spec};

/// A command's number in its table: index of statistics, bit of ACL rules. Subcommands have numbers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u16);

impl CommandId {
    /// The number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<CommandId> for usize {
    fn from(id: CommandId) -> usize {
        id.index()
    }
}

/// A command as the table knows it: its declaration and what was derived from it.
pub struct Command {
    /// Its number.
    pub id: CommandId,
    /// The declaration.
    pub meta: &'static Meta,
    /// `get`, or `config|get`. What error texts, INFO and ACL rules show.
    pub full_name: Box<str>,
    /// The declared flags and those that follow from the key specs.
    pub flags: Flags,
    /// The declared categories and those that follow from flags.
    pub categories: Category,
    /// The container, for a subcommand.
    pub parent: Option<CommandId>,
    /// Subcommands in the order of their names.
    pub subcommands: Vec<CommandId>,
}

impl Command {
    /// Whether the command has subcommands.
    pub fn is_container(&self) -> bool {
        !self.subcommands.is_empty()
    }

    /// Refuses a wrong number of words (`words` counts the command's name).
    pub fn check_arity(&self, words: usize) -> Result<(), LookupError<'_>> {
        match self.meta.arity.accepts(words) {
            true => Ok(()),
            false => Err(LookupError::WrongArity { full_name: &self.full_name }),
        }
    }

    /// Whether it can work on keys at all.
    pub fn has_keys(&self) -> bool {
        self.meta.keys.iter().any(|spec| !spec.not_key) || self.flags.has(Flags::MOVABLEKEYS)
    }
}

/// Why words name no command that can run. `text` is what the client sees.
#[derive(Clone, Copy)]
pub enum LookupError<'a> {
    /// No such command.
    UnknownCommand(Args<'a>),
    /// The container exists, the subcommand does not.
    UnknownSubcommand(Args<'a>),
    /// Known, with a wrong number of words.
    WrongArity {
        /// `get`, or `config|get`.
        full_name: &'a str,
    },
}

impl LookupError<'_> {
    /// The error reply, with its prefix and without `-` and CRLF.
    pub fn text(&self) -> String {
        match self {
            LookupError::UnknownCommand(args) => {
                let name = c_text(args.get(0), 128);
                let mut text = format!("ERR unknown command '{name}', with args beginning with: ");
                let mut room = 128usize;
                for arg in args.from(1) {
                    if room == 0 {
                        break;
                    }
                    let shown = c_text(arg, room);
                    room = room.saturating_sub(shown.len() + 3);
                    text.push_str(&format!("'{shown}' "));
                }
                text
            }
            LookupError::UnknownSubcommand(args) => {
                let container = String::from_utf8_lossy(args.get(0)).to_ascii_uppercase();
                format!("ERR unknown subcommand '{}'. Try {container} HELP.", c_text(args.get(1), 128))
            }
            LookupError::WrongArity { full_name } => {
                format!("ERR wrong number of arguments for '{full_name}' command")
            }
        }
    }
}

/// What C's `%.*s` would show of `bytes`: it stops at a zero byte and after `max` bytes.
fn c_text(bytes: &[u8], max: usize) -> String {
    let end = bytes.iter().take(max.min(BIG_ARG)).position(|b| *b == 0).unwrap_or(bytes.len().min(max));
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// All commands of a program, without handlers.
pub struct Catalog {
    commands: Vec<Command>,
    /// Top-level names, as clients call them.
    index: Index,
    /// What clients call a top-level command; `None` once renamed away. Subcommands keep their word.
    called: Vec<Option<Box<str>>>,
}

/// Why a RENAME was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// There is no command of that name.
    #[error("No such command in rename-command")]
    NoSuchCommand,
    /// The new name is taken.
    #[error("Target command name already exists")]
    Taken,
}

impl Catalog {
    /// The command of this number.
    pub fn get(&self, id: CommandId) -> &Command {
        &self.commands[id.index()]
    }

    /// Every command and subcommand, whether clients can call it or not, in the order of numbers.
    pub fn all(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter()
    }

    /// How many numbers are in use; the size of tables indexed by them.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is no command.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The top-level commands that clients can call.
    pub fn callable(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(|command| command.parent.is_none() && self.called[command.id.index()].is_some())
    }

    /// The top-level command that clients call `name`, in any case.
    pub fn command(&self, name: &[u8]) -> Option<&Command> {
        let called = |id: u16| self.called[id as usize].as_deref().unwrap_or_default().as_bytes();
        self.index.find(name, called).map(|id| &self.commands[id as usize])
    }

    /// The top-level command that was declared as `name`, whatever clients call it now. ACL rules use this.
    pub fn declared(&self, name: &[u8]) -> Option<&Command> {
        self.commands.iter().find(|c| c.parent.is_none() && name.eq_ignore_ascii_case(c.meta.name.as_bytes()))
    }

    /// `container`'s subcommand `word`, in any case.
    pub fn subcommand(&self, container: &Command, word: &[u8]) -> Option<&Command> {
        let found = |id: &&CommandId| word.eq_ignore_ascii_case(self.get(**id).meta.name.as_bytes());
        container.subcommands.iter().find(found).map(|id| self.get(*id))
    }

    /// The command that `args` call: a container with a second word means that subcommand. Arity is not looked at.
    pub fn lookup<'a>(&'a self, args: &Args<'a>) -> Result<&'a Command, LookupError<'a>> {
        let Some(command) = self.command(args.get(0)) else {
            return Err(LookupError::UnknownCommand(*args));
        };
        if command.subcommands.is_empty() || args.len() == 1 {
            return Ok(command);
        }
        self.subcommand(command, args.get(1)).ok_or(LookupError::UnknownSubcommand(*args))
    }

    /// The command named as `get`, `config|get` or `CONFIG|GET`, under the names clients use.
    pub fn by_full_name(&self, name: &[u8]) -> Option<&Command> {
        match name.iter().position(|b| *b == b'|') {
            None => self.command(name),
            Some(bar) => self.subcommand(self.command(&name[..bar])?, &name[bar + 1..]),
        }
    }

    /// From now on clients call the command `new` (any case; empty: not at all).
    pub fn rename(&mut self, old: &[u8], new: &[u8]) -> Result<(), RenameError> {
        let id = self.command(old).ok_or(RenameError::NoSuchCommand)?.id;
        let new = String::from_utf8_lossy(new).to_ascii_lowercase();
        if !new.is_empty() && self.command(new.as_bytes()).is_some_and(|taken| taken.id != id) {
            return Err(RenameError::Taken);
        }
        self.called[id.index()] = (!new.is_empty()).then(|| new.into_boxed_str());
        self.index = Index::build(&self.called);
        Ok(())
    }
}

/// The catalog and the handlers of one program.
pub struct Table<H> {
    catalog: Catalog,
    handlers: Vec<Option<H>>,
}

impl<H> Table<H> {
    /// A table to be filled.
    pub fn builder() -> TableBuilder<H> {
        TableBuilder { entries: Vec::new() }
    }

    /// The commands without their handlers.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// For RENAME, at start.
    pub fn catalog_mut(&mut self) -> &mut Catalog {
        &mut self.catalog
    }

    /// The command that `args` call, with a fitting number of words.
    pub fn lookup<'a>(&'a self, args: &Args<'a>) -> Result<&'a Command, LookupError<'a>> {
        let command = self.catalog.lookup(args)?;
        command.check_arity(args.len())?;
        Ok(command)
    }

    /// The command's handler. A pure container has none; [`Table::lookup`] never returns one, because its arity asks for
    /// a second word and the second word decides.
    pub fn handler(&self, command: &Command) -> &H {
        self.handlers[command.id.index()].as_ref().expect("a command that was looked up has a handler")
    }
}

/// Collects declarations. Every kind of handler is wrapped into the program's own.
pub struct TableBuilder<H> {
    entries: Vec<(&'static Meta, Option<H>)>,
}

impl<H> TableBuilder<H> {
    /// Adds a family's commands.
    pub fn add<X: Copy>(mut self, specs: &[&'static Spec<X>], wrap: impl Fn(X) -> H) -> TableBuilder<H> {
        self.entries.extend(specs.iter().map(|spec| (&spec.meta, Some(wrap(spec.handler)))));
        self
    }

    /// Adds commands that are nothing but the sum of their subcommands. Arity must be `AtLeast(2)`.
    pub fn add_containers(mut self, containers: &[&'static Meta]) -> TableBuilder<H> {
        self.entries.extend(containers.iter().map(|meta| (*meta, None)));
        self
    }

    /// Drops every command and subcommand for which `keep` says no (by declaration).
    pub fn retain(mut self, keep: impl Fn(&Meta) -> bool) -> TableBuilder<H> {
        self.entries.retain(|(meta, _)| keep(meta));
        self
    }

    /// The table. Panics on a declaration that contradicts itself: a name twice, a subcommand without its container, a
    /// container without handler whose arity lets it be called alone.
    pub fn build(mut self) -> Table<H> {
        // Sorted by full name, so that numbers, COMMAND LIST and INFO have one stable order.
        self.entries.sort_by_key(|(meta, _)| (top_name(meta), !meta.container.is_empty(), meta.name));
        let (mut commands, mut handlers) = (Vec::<Command>::new(), Vec::new());
        for (number, (meta, handler)) in self.entries.into_iter().enumerate() {
            let id = CommandId(u16::try_from(number).expect("fewer than 65536 commands"));
            let full_name: Box<str> = match meta.container {
                "" => meta.name.into(),
                container => format!("{container}|{}", meta.name).into(),
            };
            assert!(
                handler.is_some() || meta.arity == Arity::AtLeast(2),
                "container {full_name} could be called alone"
            );
            let parent = (!meta.container.is_empty()).then(|| {
                let parent =
                    commands.iter_mut().rfind(|c| c.parent.is_none()).filter(|c| c.meta.name == meta.container);
                let parent = parent.unwrap_or_else(|| panic!("{full_name} has no container"));
                parent.subcommands.push(id);
                parent.id
            });
            let twice = commands.last().is_some_and(|last| last.full_name == full_name);
            assert!(!twice, "{full_name} is declared twice");
            let (flags, categories) = (effective_flags(meta), effective_categories(meta));
            commands.push(Command { id, meta, full_name, flags, categories, parent, subcommands: Vec::new() });
            handlers.push(handler);
        }
        let called = |c: &Command| c.parent.is_none().then(|| c.meta.name.into());
        let called: Vec<Option<Box<str>>> = commands.iter().map(called).collect();
        let index = Index::build(&called);
        Table { catalog: Catalog { commands, index, called }, handlers }
    }
}

fn top_name(meta: &Meta) -> &'static str {
    if meta.container.is_empty() { meta.name } else { meta.container }
}

/// The flags of a declaration, and `movablekeys` where positions alone cannot tell the keys.
fn effective_flags(meta: &Meta) -> Flags {
    match legacy_range(meta.keys).is_partial {
        true => meta.flags.and(Flags::MOVABLEKEYS),
        false => meta.flags,
    }
}

/// The categories of a declaration and those its flags imply, by Redis's rules.
fn effective_categories(meta: &Meta) -> Category {
    let mut all = meta.categories;
    let mut when = |flag: Flags, categories: Category| {
        if meta.flags.has(flag) {
            all = all.and(categories);
        }
    };
    when(Flags::WRITE, Category::WRITE);
    // A script command is marked read-only for what it may call; it belongs to no data category by itself.
    if !meta.categories.has(Category::SCRIPTING) {
        when(Flags::READONLY, Category::READ);
    }
    when(Flags::ADMIN, Category::ADMIN.and(Category::DANGEROUS));
    when(Flags::PUBSUB, Category::PUBSUB);
    when(Flags::FAST, Category::FAST);
    when(Flags::BLOCKING, Category::BLOCKING);
    if !all.has(Category::FAST) {
        all = all.and(Category::SLOW);
    }
    all
}

/// Names to numbers: open addressing over a power of two of slots, at most a quarter full, linear probing.
struct Index {
    slots: Box<[Slot]>,
}

/// A name's fingerprint and its command; 24 bytes, so that a look-up touches one cache line, rarely two.
#[derive(Clone, Copy)]
struct Slot {
    print: Print,
    id: u16,
}

/// The first and the last eight bytes of a name in lower case, and its length. For names of up to sixteen bytes that is
/// the whole name, and equal fingerprints mean equal names.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Print {
    first: u64,
    last: u64,
    len: u32,
}

impl Print {
    const WHOLE_MAX: usize = 16;

    fn of(name: &[u8]) -> Print {
        let eight = |at: usize| u64::from_le_bytes(name[at..at + 8].try_into().expect("eight bytes"));
        let four = |at: usize| u64::from(u32::from_le_bytes(name[at..at + 4].try_into().expect("four bytes")));
        let (first, last) = match name.len() {
            0 => (0, 0),
            1..=3 => (u64::from(name[0]) | u64::from(name[name.len() / 2]) << 8, u64::from(name[name.len() - 1])),
            4..=7 => (four(0), four(name.len() - 4)),
            n => (eight(0), eight(n - 8)),
        };
        Print { first: lower_case(first), last: lower_case(last), len: name.len() as u32 }
    }

    fn hash(&self) -> usize {
        let mixed = self.first.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.last.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        ((mixed ^ u64::from(self.len)).wrapping_mul(0xff51_afd7_ed55_8ccd) >> 32) as usize
    }
}

/// Eight ASCII bytes in lower case at once. In each byte the sums carry into bit 7 when the byte is at least `A`, and
/// when it is beyond `Z`; where only the first did, the letter is upper case and gets bit 5.
const fn lower_case(bytes: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low = bytes & (0x7f * EACH);
    let is_from_a = low + (0x80 - b'A' as u64) * EACH;
    let is_beyond_z = low + (0x7f - b'Z' as u64) * EACH;
    let is_upper = (is_from_a ^ is_beyond_z) & !bytes & (0x80 * EACH);
    bytes | is_upper >> 2
}

impl Index {
    const EMPTY: u16 = u16::MAX;

    fn build(called: &[Option<Box<str>>]) -> Index {
        let names = called.iter().flatten().count();
        let empty = Slot { print: Print { first: 0, last: 0, len: u32::MAX }, id: Index::EMPTY };
        let mut slots = vec![empty; (names * 4).next_power_of_two().max(16)].into_boxed_slice();
        for (id, name) in called.iter().enumerate() {
            let Some(name) = name else { continue };
            let print = Print::of(name.as_bytes());
            let mut at = print.hash() & (slots.len() - 1);
            while slots[at].id != Index::EMPTY {
                at = (at + 1) & (slots.len() - 1);
            }
            slots[at] = Slot { print, id: id as u16 };
        }
        Index { slots }
    }

    #[inline]
    fn find<'n>(&self, name: &[u8], name_of: impl Fn(u16) -> &'n [u8]) -> Option<u16> {
        let print = Print::of(name);
        let mut at = print.hash() & (self.slots.len() - 1);
        loop {
            let slot = &self.slots[at];
            if slot.print == print && (name.len() <= Print::WHOLE_MAX || name_of(slot.id).eq_ignore_ascii_case(name)) {
                return Some(slot.id);
            }
            if slot.id == Index::EMPTY {
                return None;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;
    use crate::spec::Group;

    type Handler = fn() -> u32;
    const GET: Spec<Handler> = Spec {
        meta: Meta { name: "get", arity: Arity::Exactly(2), flags: Flags::READONLY, ..Meta::NEW },
        handler: || 1,
    };
    const SET: Spec<Handler> =
        Spec { meta: Meta { name: "set", arity: Arity::AtLeast(3), flags: Flags::WRITE, ..Meta::NEW }, handler: || 2 };
    const CONFIG: Meta = Meta { name: "config", group: Group::Server, arity: Arity::AtLeast(2), ..Meta::NEW };
    const CONFIG_GET: Spec<Handler> = Spec {
        meta: Meta { name: "get", container: "config", arity: Arity::AtLeast(3), flags: Flags::ADMIN, ..Meta::NEW },
        handler: || 3,
    };
    const CONFIGURE: Spec<Handler> =
        Spec { meta: Meta { name: "configure", arity: Arity::Exactly(1), ..Meta::NEW }, handler: || 4 };

    fn table() -> Table<Handler> {
        let builder = Table::builder().add(&[&SET, &CONFIG_GET, &GET, &CONFIGURE], |handler| handler);
        builder.add_containers(&[&CONFIG]).build()
    }

    fn run(table: &Table<Handler>, words: &[&[u8]]) -> Result<u32, String> {
        let owned = OwnedArgs::of(words);
        let args = owned.as_args();
        table.lookup(&args).map(|command| table.handler(command)()).map_err(|error| error.text())
    }

    #[test]
    fn names_are_found_in_any_case_and_containers_by_their_second_word() {
        let table = table();
        assert_eq!(run(&table, &[b"GeT", b"k"]), Ok(1));
        assert_eq!(run(&table, &[b"set", b"k", b"v"]), Ok(2));
        assert_eq!(run(&table, &[b"CONFIG", b"GET", b"x"]), Ok(3));
        assert_eq!(table.catalog().by_full_name(b"CONFIG|get").map(|c| &*c.full_name), Some("config|get"));
    }

    #[test]
    fn the_texts_of_refusals_are_those_of_redis() {
        let table = table();
        let error = |words: &[&[u8]]| run(&table, words).unwrap_err();
        assert_eq!(error(&[b"get"]), "ERR wrong number of arguments for 'get' command");
        assert_eq!(error(&[b"CONFIG"]), "ERR wrong number of arguments for 'config' command");
        assert_eq!(error(&[b"config", b"GET"]), "ERR wrong number of arguments for 'config|get' command");
        assert_eq!(error(&[b"Config", b"GeX"]), "ERR unknown subcommand 'GeX'. Try CONFIG HELP.");
        assert_eq!(error(&[b"Foo"]), "ERR unknown command 'Foo', with args beginning with: ");
        assert_eq!(error(&[b"foo", b"a", b"b c"]), "ERR unknown command 'foo', with args beginning with: 'a' 'b c' ");
        let long = [b'x'; 200];
        let shown = error(&[&long, b"12345", &long, b"never"]);
        assert_eq!(
            shown,
            format!(
                "ERR unknown command '{}', with args beginning with: '12345' '{}' ",
                "x".repeat(128),
                "x".repeat(120)
            )
        );
    }

    #[test]
    fn renaming_changes_what_clients_call_and_nothing_else() {
        let mut table = table();
        assert_eq!(table.catalog_mut().rename(b"nosuch", b"x"), Err(RenameError::NoSuchCommand));
        assert_eq!(table.catalog_mut().rename(b"get", b"SET"), Err(RenameError::Taken));
        table.catalog_mut().rename(b"GET", b"Fetch").unwrap();
        table.catalog_mut().rename(b"configure", b"").unwrap();
        assert_eq!(run(&table, &[b"fetch", b"k"]), Ok(1));
        assert_eq!(run(&table, &[b"fetch"]).unwrap_err(), "ERR wrong number of arguments for 'get' command");
        assert!(run(&table, &[b"get", b"k"]).unwrap_err().starts_with("ERR unknown command"));
        assert!(run(&table, &[b"configure"]).is_err());
        assert!(table.catalog().declared(b"configure").is_some());
    }

    #[test]
    fn categories_follow_from_flags() {
        let table = table();
        let words = |name: &[u8]| table.catalog().by_full_name(name).unwrap().categories.words().collect::<Vec<_>>();
        assert_eq!(words(b"get"), ["read", "slow"]);
        assert_eq!(words(b"config|get"), ["admin", "slow", "dangerous"]);
    }

    #[test]
    fn eight_bytes_become_lower_case_as_one_by_one() {
        for byte in 0..=255u8 {
            for other in [0, b'A', b'Z' + 1, 0xff] {
                let bytes = [byte, other, byte, other, byte, byte, other, byte];
                let expected = bytes.to_ascii_lowercase();
                assert_eq!(lower_case(u64::from_le_bytes(bytes)).to_le_bytes(), expected[..]);
            }
        }
    }

    #[test]
    fn names_that_differ_in_one_bit_are_different() {
        let table = table();
        for (byte, bit) in [(0, 5), (1, 5), (2, 5), (2, 7), (0, 0)] {
            let mut name = *b"get";
            name[byte] ^= 1 << bit;
            assert_eq!(table.catalog().command(&name).is_some(), name.eq_ignore_ascii_case(b"get"));
        }
        assert!(table.catalog().command(b"").is_none() && table.catalog().command(b"ge").is_none());
    }

    #[test]
    fn names_of_every_length_hash_without_panic() {
        let table = table();
        for length in 0..40 {
            let name = vec![b'g'; length];
            assert!(table.catalog().command(&name).is_none());
        }
    }
}
