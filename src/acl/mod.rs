//! Users: who may log in, and what they may do.

mod password;

pub use password::Digest;

use hashbrown::HashMap;

/// A user's number. Never reused, so that a client whose user was deleted cannot become somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(u32);

impl UserId {
    /// The user that every connection starts as.
    pub const DEFAULT: UserId = UserId(0);
}

/// One user.
pub struct User {
    /// Its name.
    pub name: Box<[u8]>,
    /// May log in.
    pub is_on: bool,
    /// Any password will do.
    pub is_nopass: bool,
    /// Passwords that open it.
    pub passwords: Vec<Digest>,
}

/// All users.
pub struct Acl {
    users: Vec<Option<Box<User>>>,
    by_name: HashMap<Box<[u8]>, UserId>,
}

impl Default for Acl {
    fn default() -> Acl {
        Acl::new()
    }
}

impl Acl {
    /// Only the default user, who may do everything without a password.
    pub fn new() -> Acl {
        let mut acl = Acl { users: Vec::new(), by_name: HashMap::new() };
        let name: Box<[u8]> = b"default"[..].into();
        acl.by_name.insert(name.clone(), UserId::DEFAULT);
        acl.users.push(Some(Box::new(User { name, is_on: true, is_nopass: true, passwords: Vec::new() })));
        acl
    }

    /// The user of this number, unless deleted.
    pub fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(id.0 as usize).and_then(Option::as_deref)
    }

    fn default_user(&self) -> &User {
        self.user(UserId::DEFAULT).expect("the default user is never deleted")
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
        let user = self.users[0].as_deref_mut().expect("the default user is never deleted");
        user.passwords.clear();
        user.is_nopass = password.is_empty();
        if !password.is_empty() {
            user.passwords.push(Digest::of(password));
        }
    }

    /// The user that this name and password log in.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<UserId> {
        let id = *self.by_name.get(name)?;
        let user = self.user(id)?;
        let is_known = user.is_nopass || Digest::of(password).is_among(&user.passwords);
        (user.is_on && is_known).then_some(id)
    }
}
