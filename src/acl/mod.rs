//! Users: who may log in, and what they may do.
//!
//! A [`User`] has passwords and one or more selectors, each a set of permissions; a command may run when one selector
//! allows the command itself, every key it names and every channel it names. Rules are words ([`rules`]), as ACL SETUSER
//! and configuration files write them.
//!
//! Clients refer to users by number, so that a change of rules holds for connected clients at once. The default user has
//! number 0 and cannot be deleted. The path of a command asks [`Acl::is_all_powerful`] first, which is one flag kept
//! with each user; only others are looked at in detail.

pub mod file;
mod log;
mod password;
pub mod rules;
mod selector;
mod user;

pub use log::{AclLog, Context, LogEntry, Refused};
pub use password::Digest;
pub use selector::{Reason, Selector};
pub use user::User;

use hashbrown::HashMap;

use crate::acl::rules::RuleError;
use crate::resp::args::Args;
use crate::spec::keys::{KeyList, keys_of};
use crate::spec::{Catalog, Command};

/// A user's number. Never reused, so that a client whose user was deleted cannot become somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(u32);

impl UserId {
    /// The user that every connection starts as.
    pub const DEFAULT: UserId = UserId(0);
}

/// All users.
pub struct Acl {
    users: Vec<Option<Box<Slot>>>,
    by_name: HashMap<Box<[u8]>, UserId>,
    /// New users may use all channels (`acl-pubsub-default allchannels`).
    pub is_pubsub_open: bool,
    /// What was refused lately.
    pub log: AclLog,
    /// How often something was refused, for INFO.
    pub denials: Denials,
    /// Where ACL SAVE writes and ACL LOAD reads (`aclfile`).
    pub file: Option<file::AclFile>,
}

/// How often something was refused, since the start or CONFIG RESETSTAT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Denials {
    /// Logins.
    pub auth: u64,
    /// Commands.
    pub command: u64,
    /// Keys.
    pub key: u64,
    /// Channels.
    pub channel: u64,
}

struct Slot {
    user: User,
    is_all_powerful: bool,
}

impl Slot {
    fn of(user: User) -> Box<Slot> {
        Box::new(Slot { is_all_powerful: user.is_all_powerful(), user })
    }
}

/// Why ACL SETUSER or a `user` line was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// A word is wrong.
    Rule {
        /// The word.
        word: String,
        /// What is wrong with it.
        error: RuleError,
    },
    /// A `(` that nothing closes.
    Unmatched {
        /// The word that opens it.
        word: String,
    },
    /// A name that could not be written to a file.
    BadName,
    /// A configuration that defines a user twice.
    Duplicate,
}

impl std::fmt::Display for SetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SetError::Rule { word, error } => write!(f, "Error in ACL SETUSER modifier '{word}': {error}"),
            SetError::Unmatched { word } => write!(f, "Unmatched parenthesis in acl selector starting at '{word}'."),
            SetError::Duplicate => f.write_str("Duplicate user found. A user can only be defined once in config files"),
            SetError::BadName => f.write_str("Usernames can't contain spaces or null characters"),
        }
    }
}

/// A command that the user may not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What was in the way.
    pub reason: Reason,
}

impl Denied {
    /// The error reply, with its prefix.
    pub fn text(&self, acl: &Acl, user: UserId, command: &Command) -> String {
        match self.reason {
            Reason::Command => format!("NOPERM {}", acl.command_text(user, command)),
            Reason::Key(_) => "NOPERM No permissions to access a key".into(),
            Reason::Channel(_) => "NOPERM No permissions to access a channel".into(),
        }
    }

    /// ACL DRYRUN's answer, which tells the key or channel.
    pub fn dry_run_text(&self, acl: &Acl, user: UserId, command: &Command, args: &Args<'_>) -> String {
        let object = |word: usize| String::from_utf8_lossy(args.get(word)).into_owned();
        let name = acl.name_text(user);
        match self.reason {
            Reason::Command => acl.command_text(user, command),
            Reason::Key(word) => format!("User {name} has no permissions to access the '{}' key", object(word)),
            Reason::Channel(word) => format!("User {name} has no permissions to access the '{}' channel", object(word)),
        }
    }
}

impl Default for Acl {
    fn default() -> Acl {
        Acl::new()
    }
}

impl Acl {
    /// Only the default user, who may do everything without a password.
    pub fn new() -> Acl {
        let user = User::open_default();
        let by_name = HashMap::from_iter([(user.name.clone(), UserId::DEFAULT)]);
        Acl {
            users: vec![Some(Slot::of(user))],
            by_name,
            is_pubsub_open: false,
            log: AclLog::default(),
            denials: Denials::default(),
            file: None,
        }
    }

    fn slot(&self, id: UserId) -> Option<&Slot> {
        self.users.get(id.0 as usize).and_then(Option::as_deref)
    }

    fn default_user(&self) -> &User {
        self.user(UserId::DEFAULT).expect("the default user is never deleted")
    }

    /// The user of this number, unless deleted.
    pub fn user(&self, id: UserId) -> Option<&User> {
        self.slot(id).map(|slot| &slot.user)
    }

    /// The number of the user of this name.
    pub fn id(&self, name: &[u8]) -> Option<UserId> {
        self.by_name.get(name).copied()
    }

    /// All users in the order of their names, as Redis lists them.
    pub fn users(&self) -> Vec<(UserId, &User)> {
        let mut all: Vec<_> = self.by_name.values().filter_map(|id| Some((*id, self.user(*id)?))).collect();
        all.sort_unstable_by(|a, b| a.1.name.cmp(&b.1.name));
        all
    }

    /// Whether a new connection is logged in without doing anything.
    pub fn is_default_open(&self) -> bool {
        let user = self.default_user();
        user.is_nopass && user.is_on
    }

    /// Whether the default user needs no password, be it enabled or not.
    pub fn is_default_nopass(&self) -> bool {
        self.default_user().is_nopass
    }

    /// `requirepass`: the default user's only password; empty means none is needed.
    pub fn set_requirepass(&mut self, password: &[u8]) {
        let slot = self.users[0].as_deref_mut().expect("the default user is never deleted");
        slot.user.passwords.clear();
        slot.user.is_nopass = password.is_empty();
        if !password.is_empty() {
            slot.user.passwords.push(Digest::of(password));
        }
    }

    /// The user that this name and password log in. The password is digested whoever it is for, so that the time taken does
    /// not tell which users there are.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<UserId> {
        let digest = Digest::of(password);
        let id = self.id(name)?;
        let user = self.user(id)?;
        let is_known = digest.is_among(&user.passwords) | user.is_nopass;
        (user.is_on && is_known).then_some(id)
    }

    /// Creates or changes a user. A wrong word leaves everything as it was.
    pub fn set_user(&mut self, name: &[u8], words: &[Vec<u8>], catalog: &Catalog) -> Result<UserId, SetError> {
        if rules::has_spaces(name) {
            return Err(SetError::BadName);
        }
        let lossy = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        let words = rules::join_selectors(words).map_err(|word| SetError::Unmatched { word: lossy(&word) })?;
        let known = self.id(name);
        let mut user = match known.and_then(|id| self.user(id)) {
            Some(user) => user.clone(),
            None => User::new(name, self.is_pubsub_open),
        };
        for word in &words {
            rules::apply(&mut user, word, catalog, self.is_pubsub_open)
                .map_err(|error| SetError::Rule { word: lossy(word), error })?;
        }
        let id = known.unwrap_or(UserId(self.users.len() as u32));
        match known {
            Some(_) => self.users[id.0 as usize] = Some(Slot::of(user)),
            None => {
                self.by_name.insert(user.name.clone(), id);
                self.users.push(Some(Slot::of(user)));
            }
        }
        Ok(id)
    }

    /// Takes in the `user` lines of a configuration, each the name and its rules. They say all there is about a user, so
    /// that the default user, too, starts from nothing. The error tells which line.
    pub fn configure(&mut self, lines: &[Vec<Vec<u8>>], catalog: &Catalog) -> Result<(), (usize, SetError)> {
        for (number, line) in lines.iter().enumerate() {
            let Some((name, rules)) = line.split_first() else { continue };
            if lines[..number].iter().any(|earlier| earlier.first() == Some(name)) {
                return Err((number, SetError::Duplicate));
            }
            let rules: Vec<Vec<u8>> = [&[b"reset".to_vec()], rules].concat();
            self.set_user(name, &rules, catalog).map_err(|error| (number, error))?;
        }
        Ok(())
    }

    /// Deletes a user. The default user stays; asking for it is the caller's mistake and answered with `None` too.
    pub fn delete_user(&mut self, name: &[u8]) -> Option<UserId> {
        let id = self.id(name).filter(|id| *id != UserId::DEFAULT)?;
        self.by_name.remove(name);
        self.users[id.0 as usize] = None;
        Some(id)
    }

    /// `user name rules…` lines: ACL LIST, and what CONFIG REWRITE stores.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        let line = |user: &User| [b"user ", &*user.name, b" ", &*user.describe()].concat();
        self.users().iter().map(|(_, user)| line(user)).collect()
    }

    /// Whether the user may do everything, also what later versions bring. The quick question on every command's path.
    #[inline]
    pub fn is_all_powerful(&self, user: UserId) -> bool {
        self.slot(user).is_some_and(|slot| slot.is_all_powerful)
    }

    /// Whether the user may run this command with these words. A deleted user may nothing.
    pub fn check(&self, user: UserId, command: &Command, args: &Args<'_>) -> Result<(), Denied> {
        let Some(slot) = self.slot(user) else {
            return Err(Denied { reason: Reason::Command });
        };
        let mut keys: Option<KeyList> = None;
        let mut find_keys = || keys.get_or_insert_with(|| keys_of(command.meta, args).unwrap_or_default()).clone();
        let mut told: Option<Reason> = None;
        for selector in &slot.user.selectors {
            match selector.check(command, args, &mut find_keys) {
                Ok(()) => return Ok(()),
                Err(reason) => told = told.max(Some(reason)),
            }
        }
        Err(Denied { reason: told.unwrap_or(Reason::Command) })
    }

    /// Whether the user may run this command with these words and read whatever key there is.
    pub fn may_read_all_keys(&self, user: UserId, command: &Command, args: &Args<'_>) -> bool {
        let mut find_keys = || keys_of(command.meta, args).unwrap_or_default();
        let selectors = self.user(user).map_or(&[][..], |user| &user.selectors[..]);
        selectors
            .iter()
            .any(|selector| selector.reads_all_keys() && selector.check(command, args, &mut find_keys).is_ok())
    }

    /// Whether the user may stay subscribed to this channel or pattern after its rules changed.
    pub fn allows_subscription(&self, user: UserId, name: &[u8], is_pattern: bool) -> bool {
        let allows = |user: &User| user.selectors.iter().any(|selector| selector.allows_channel(name, is_pattern));
        self.user(user).is_some_and(allows)
    }

    /// A user's name as text.
    pub fn name_text(&self, user: UserId) -> String {
        self.user(user).map_or_else(String::new, |user| String::from_utf8_lossy(&user.name).into_owned())
    }

    fn command_text(&self, user: UserId, command: &Command) -> String {
        format!("User {} has no permissions to run the '{}' command", self.name_text(user), command.full_name)
    }
}

#[cfg(test)]
mod tests;
