//! One set of permissions: which commands, on which keys, in which channels.
//!
//! Commands are bits by their number in the command table, plus a flag for "all, also future ones". What the bits came
//! from is kept beside them as text, because that is what ACL LIST shows and configuration files store.

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::base::glob;
use crate::resp::args::Args;
use crate::spec::keys::{Access, KeyList};
use crate::spec::{Catalog, Channels, Command, CommandId, Flags};

/// What may be done to keys that match a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRight {
    /// Reading what they hold.
    pub read: bool,
    /// Changing it.
    pub write: bool,
}

/// A key pattern and the right it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    /// A glob.
    pub pattern: Box<[u8]>,
    /// What it gives.
    pub right: KeyRight,
}

/// Why a command is refused; the order is that of interest: when several selectors refuse, the later reason is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The command itself.
    Command,
    /// The key at this word.
    Key(usize),
    /// The channel at this word.
    Channel(usize),
}

/// One set of permissions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    pub(super) is_all_commands: bool,
    pub(super) is_all_keys: bool,
    pub(super) is_all_channels: bool,
    allowed: Bits,
    /// First arguments allowed of commands that are not allowed as a whole (`+select|0`).
    first_args: HashMap<CommandId, Vec<Box<[u8]>>>,
    /// `(allow, "get" | "config|get" | "@read")`, after a leading `-@all` or `+@all`.
    rules: Vec<(bool, Box<str>)>,
    starts_with_all: bool,
    pub(super) keys: Vec<KeyPattern>,
    pub(super) channels: Vec<Box<[u8]>>,
}

/// A growing set of command numbers.
#[derive(Clone, Debug, Default)]
struct Bits(SmallVec<[u64; 8]>);

impl PartialEq for Bits {
    fn eq(&self, other: &Bits) -> bool {
        let words = self.0.len().max(other.0.len());
        (0..words).all(|word| self.0.get(word).unwrap_or(&0) == other.0.get(word).unwrap_or(&0))
    }
}

impl Bits {
    fn has(&self, id: CommandId) -> bool {
        self.0.get(id.index() / 64).is_some_and(|word| word & (1 << (id.index() % 64)) != 0)
    }

    fn set(&mut self, id: CommandId, value: bool) {
        let (word, bit) = (id.index() / 64, 1u64 << (id.index() % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        match value {
            true => self.0[word] |= bit,
            false => self.0[word] &= !bit,
        }
    }
}

impl Selector {
    /// Everything allowed, whatever the table holds.
    pub(super) fn all_powerful() -> Selector {
        Selector {
            is_all_commands: true,
            starts_with_all: true,
            is_all_keys: true,
            is_all_channels: true,
            ..Selector::default()
        }
    }

    /// Nothing allowed, except perhaps all channels.
    pub(super) fn new(channels_open: bool) -> Selector {
        Selector { is_all_channels: channels_open, ..Selector::default() }
    }

    /// Whether nothing is forbidden.
    pub fn is_all_powerful(&self) -> bool {
        self.is_all_commands && self.is_all_keys && self.is_all_channels
    }

    /// `+@all`: every command, also those a later version brings.
    pub(super) fn allow_all_commands(&mut self, catalog: &Catalog) {
        self.is_all_commands = true;
        self.starts_with_all = true;
        catalog.all().for_each(|command| self.allowed.set(command.id, true));
        self.rules.clear();
        self.first_args.clear();
    }

    /// `-@all`.
    pub(super) fn forbid_all_commands(&mut self) {
        self.is_all_commands = false;
        self.starts_with_all = false;
        self.allowed = Bits::default();
        self.rules.clear();
        self.first_args.clear();
    }

    /// `+get`, `-config`, `+config|get`: the command, and all its subcommands.
    pub(super) fn set_command(&mut self, command: &Command, is_allowed: bool, catalog: &Catalog) {
        self.leave_all(is_allowed, catalog);
        for id in command.subcommands.iter().copied().chain([command.id]) {
            self.set_bit(id, is_allowed);
            self.first_args.remove(&id);
        }
        self.note_rule(&command.full_name, is_allowed);
    }

    /// `+@read`, `-@read`.
    pub(super) fn set_category(
        &mut self,
        category: (&'static str, crate::spec::Category),
        allow: bool,
        catalog: &Catalog,
    ) {
        self.leave_all(allow, catalog);
        let members = catalog.all().filter(|command| command.categories.has(category.1));
        members.for_each(|command| self.set_bit(command.id, allow));
        self.note_rule(&format!("@{}", category.0), allow);
    }

    /// `+select|0`; in lower case.
    pub(super) fn allow_first_arg(&mut self, command: &Command, first: &str) {
        let allowed = self.first_args.entry(command.id).or_default();
        if !allowed.iter().any(|known| **known == *first.as_bytes()) {
            allowed.push(first.as_bytes().into());
        }
        self.note_rule(&format!("{}|{first}", command.full_name), true);
    }

    fn set_bit(&mut self, id: CommandId, value: bool) {
        self.allowed.set(id, value);
    }

    /// Something is about to be forbidden: from here on the bits say what is not.
    fn leave_all(&mut self, is_allowed: bool, catalog: &Catalog) {
        if self.is_all_commands && !is_allowed {
            self.is_all_commands = false;
            catalog.all().for_each(|command| self.allowed.set(command.id, true));
        }
    }

    /// A later rule about the same thing, or about a container, makes the earlier one pointless.
    fn note_rule(&mut self, rule: &str, is_allowed: bool) {
        let rule = rule.to_ascii_lowercase();
        let is_covered =
            |old: &str| old.strip_prefix(&*rule).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'));
        self.rules.retain(|(_, old)| !is_covered(old));
        self.rules.push((is_allowed, rule.into_boxed_str()));
    }

    /// `-@all +get`: the commands as ACL rules.
    pub fn describe_commands(&self) -> String {
        let mut text = String::from(if self.starts_with_all { "+@all" } else { "-@all" });
        for (is_allowed, rule) in &self.rules {
            text.push_str(if *is_allowed { " +" } else { " -" });
            text.push_str(rule);
        }
        text
    }

    /// `~a* %R~b`: the keys as ACL rules, empty for none.
    pub fn describe_keys(&self) -> Vec<u8> {
        if self.is_all_keys {
            return b"~*".to_vec();
        }
        let one = |key: &KeyPattern| {
            let prefix: &[u8] = match key.right {
                KeyRight { read: true, write: true } => b"~",
                KeyRight { read: true, .. } => b"%R~",
                KeyRight { .. } => b"%W~",
            };
            [prefix, &key.pattern].concat()
        };
        self.keys.iter().map(one).collect::<Vec<_>>().join(&b' ')
    }

    /// `&c*`: the channels as ACL rules, empty for none.
    pub fn describe_channels(&self) -> Vec<u8> {
        if self.is_all_channels {
            return b"&*".to_vec();
        }
        self.channels.iter().map(|channel| [b"&", &**channel].concat()).collect::<Vec<_>>().join(&b' ')
    }

    /// The whole selector as ACL LIST shows it.
    pub fn describe(&self) -> Vec<u8> {
        let mut text = self.describe_keys();
        if !text.is_empty() {
            text.push(b' ');
        }
        if !self.is_all_channels {
            text.extend_from_slice(b"resetchannels ");
        }
        let channels = self.describe_channels();
        text.extend_from_slice(&channels);
        if !channels.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(self.describe_commands().as_bytes());
        text
    }

    /// Whether it lets every key be read: by `allkeys`, or by the pattern `*`.
    pub(super) fn reads_all_keys(&self) -> bool {
        self.is_all_keys || self.keys.iter().any(|key| key.right.read && *key.pattern == *b"*")
    }

    /// Whether the command may run with these keys. `keys` is asked for only when key patterns decide.
    pub(super) fn check(
        &self,
        command: &Command,
        args: &Args<'_>,
        keys: &mut dyn FnMut() -> KeyList,
    ) -> Result<(), Reason> {
        if !self.allows_command(command, args) {
            return Err(Reason::Command);
        }
        if !self.is_all_keys && command.has_keys() {
            for key in keys() {
                if !self.allows_key(args.get(key.index), key.access) {
                    return Err(Reason::Key(key.index));
                }
            }
        }
        self.check_channels(command, args)
    }

    fn allows_command(&self, command: &Command, args: &Args<'_>) -> bool {
        if self.is_all_commands || command.flags.has(Flags::NO_AUTH) || self.allowed.has(command.id) {
            return true;
        }
        let first = if command.parent.is_some() { 2 } else { 1 };
        let Some(allowed) = self.first_args.get(&command.id) else { return false };
        args.len() > first && allowed.iter().any(|word| word.eq_ignore_ascii_case(args.get(first)))
    }

    fn allows_key(&self, key: &[u8], access: Access) -> bool {
        let reads = access.has(Access::ACCESS);
        let writes = access.has(Access::UPDATE.and(Access::INSERT).and(Access::DELETE));
        let is_enough = |right: KeyRight| (right.read || !reads) && (right.write || !writes);
        self.keys.iter().any(|own| is_enough(own.right) && glob::matches(&own.pattern, key))
    }

    fn check_channels(&self, command: &Command, args: &Args<'_>) -> Result<(), Reason> {
        let (words, is_pattern) = match command.meta.channels {
            Channels::None => return Ok(()),
            _ if self.is_all_channels => return Ok(()),
            Channels::Publish => (1..args.len().min(2), false),
            Channels::Subscribe => (1..args.len(), false),
            Channels::SubscribePatterns => (1..args.len(), true),
        };
        for word in words {
            if !self.allows_channel(args.get(word), is_pattern) {
                return Err(Reason::Channel(word));
            }
        }
        Ok(())
    }

    /// Whether a channel may be used. A pattern to subscribe to must be one of ours, letter by letter: whether one
    /// pattern covers another cannot be told in general.
    pub(super) fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        let fits = |own: &[u8]| if is_pattern { own == channel } else { glob::matches(own, channel) };
        self.is_all_channels || self.channels.iter().any(|own| fits(own))
    }
}
