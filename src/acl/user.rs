//! One user: how it logs in, and its sets of permissions.

use crate::acl::password::Digest;
use crate::acl::rules::RuleError;
use crate::acl::selector::Selector;

/// One user.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Its name.
    pub name: Box<[u8]>,
    /// May log in.
    pub is_on: bool,
    /// Any password will do.
    pub is_nopass: bool,
    /// RESTORE payloads of this user are not checked in depth (`skip-sanitize-payload`).
    pub is_payload_trusted: bool,
    /// Passwords that open it, in the order they were added.
    pub passwords: Vec<Digest>,
    /// At least one: the first is what words outside of parentheses speak about. A command may run when any allows it.
    pub selectors: Vec<Selector>,
}

impl User {
    /// A new user: off, no password, nothing allowed.
    pub fn new(name: &[u8], channels_open: bool) -> User {
        let mut user = User {
            name: name.into(),
            is_on: false,
            is_nopass: false,
            is_payload_trusted: false,
            passwords: Vec::new(),
            selectors: Vec::new(),
        };
        user.reset(channels_open);
        user
    }

    /// The default user before anybody changes it: on, without a password, everything allowed.
    pub fn open_default() -> User {
        let mut user = User::new(b"default", true);
        (user.is_on, user.is_nopass) = (true, true);
        user.selectors[0] = Selector::all_powerful();
        user
    }

    /// Back to what a new user is.
    pub fn reset(&mut self, channels_open: bool) {
        self.is_on = false;
        self.is_nopass = false;
        self.is_payload_trusted = false;
        self.passwords.clear();
        self.selectors.clear();
        self.selectors.push(Selector::new(channels_open));
    }

    /// Adds a password; the user then needs one.
    pub fn add_password(&mut self, digest: Digest) {
        if !self.passwords.contains(&digest) {
            self.passwords.push(digest);
        }
        self.is_nopass = false;
    }

    /// Removes a password.
    pub fn remove_password(&mut self, digest: &Digest) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| known == digest).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    /// Whether it may do everything.
    pub fn is_all_powerful(&self) -> bool {
        self.selectors.iter().any(Selector::is_all_powerful)
    }

    /// Its flags as ACL GETUSER shows them.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.is_on { "on" } else { "off" }];
        if self.is_nopass {
            flags.push("nopass");
        }
        flags.push(if self.is_payload_trusted { "skip-sanitize-payload" } else { "sanitize-payload" });
        flags
    }

    /// All of it as rules, without the name: what ACL LIST and configuration files hold.
    pub fn describe(&self) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = self.flags().into_iter().map(|flag| flag.as_bytes().to_vec()).collect();
        words.extend(self.passwords.iter().map(|digest| format!("#{}", digest.as_str()).into_bytes()));
        words.push(self.selectors[0].describe());
        words.extend(self.selectors[1..].iter().map(|selector| [b"(", &*selector.describe(), b")"].concat()));
        words.join(&b' ')
    }
}
