//! The ACL file: one `user name rules…` line per user, as ACL SAVE writes it and ACL LOAD reads it.
//!
//! Words are cut at spaces; there are no quotes and no comments. Loading takes the whole file or nothing: every line is
//! applied to a fresh set of users, and only when all of them are right do these take the place of the present ones. Whoever
//! is the same before and after keeps its number, and so its clients stay; whoever changed gets a new one, so that clients
//! logged in as the old one may do nothing any more, not even until their connections are closed. The default user alone keeps
//! its number: every connection starts as it.
//!
//! Errors name the file and the line, but not the rule unless the rule is about a command: others may hold passwords.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::acl::rules::{self, RuleError};
use crate::acl::user::User;
use crate::acl::{Acl, Slot, UserId};
use crate::base::files::{self, Files};
use crate::base::limits::ACL_FILE_BYTES_MAX;
use crate::spec::Catalog;

/// The file, and the disk it is on.
pub struct AclFile {
    /// Where it is (`aclfile`).
    pub path: PathBuf,
    /// The disk.
    pub files: Arc<dyn Files>,
}

impl AclFile {
    fn read(&self, catalog: &Catalog, channels_open: bool) -> Result<Vec<User>, String> {
        let content = files::read_whole(&*self.files, &self.path, ACL_FILE_BYTES_MAX).map_err(|error| {
            let reason = files::strerror(&error);
            format!("Error loading ACLs, opening file '{}': {reason}", self.path.display())
        })?;
        parse(&content, &self.path, catalog, channels_open)
    }

    fn write(&self, content: &[u8]) -> io::Result<()> {
        let mut temporary = self.path.as_os_str().to_owned();
        temporary.push(format!(".tmp-{}", std::process::id()));
        files::replace(&*self.files, &self.path, Path::new(&temporary), content)
    }
}

/// The users of a file's content. The error tells all that is wrong with it.
pub fn parse(content: &[u8], path: &Path, catalog: &Catalog, channels_open: bool) -> Result<Vec<User>, String> {
    let file = path.display();
    let mut users: Vec<User> = Vec::new();
    let mut known = hashbrown::HashSet::new();
    let mut errors = String::new();
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if errors.len() > ERRORS_TEXT_MAX {
            errors.push_str("And so on. ");
            break;
        }
        let words: Vec<Vec<u8>> = line.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
        let (Some(name), true) = (words.get(1), words[0] == b"user") else {
            errors += &format!("{file}:{number} should start with user keyword followed by the username. ");
            continue;
        };
        let shown = String::from_utf8_lossy(name);
        if rules::has_spaces(name) {
            errors += &format!("'{file}:{number}: username '{shown}' contains invalid characters. ");
            continue;
        }
        if !known.insert(name.clone()) {
            errors += &format!("WARNING: Duplicate user '{shown}' found on line {number}. ");
            continue;
        }
        let mut user = User::new(name, channels_open);
        match rules::join_selectors(&words[2..]) {
            Err(_) => errors += &format!("{file}:{number}: Unmatched parenthesis in selector definition."),
            Ok(words) => apply_all(&mut user, &words, catalog, channels_open, |word, error| {
                let shown = String::from_utf8_lossy(word);
                errors += &match error {
                    RuleError::UnknownName => {
                        format!("{file}:{number}: Error in applying operation '{shown}': {error}. ")
                    }
                    _ => format!("{file}:{number}: {error}. "),
                };
            }),
        }
        users.push(user);
    }
    if errors.is_empty() {
        return Ok(users);
    }
    errors += "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
    Err(errors)
}

/// How much is told about a file full of errors.
const ERRORS_TEXT_MAX: usize = 16 * 1024;

/// Applies the words of a line. Told are all unknown names, which harm nothing else, and the first other error.
fn apply_all(
    user: &mut User,
    words: &[Vec<u8>],
    catalog: &Catalog,
    channels_open: bool,
    mut tell: impl FnMut(&[u8], RuleError),
) {
    let mut has_failed = false;
    for word in words {
        let word = word.trim_ascii();
        match rules::apply(user, word, catalog, channels_open) {
            Ok(()) => {}
            Err(RuleError::UnknownName) => tell(word, RuleError::UnknownName),
            Err(error) if !has_failed => {
                tell(word, error);
                has_failed = true;
            }
            Err(_) => {}
        }
    }
}

impl Acl {
    /// Takes the users of the ACL file in place of the present ones. Given back are the numbers that are no longer valid:
    /// users that are gone and users that have changed. The error is for the client or the log.
    pub fn load(&mut self, catalog: &Catalog) -> Result<Vec<UserId>, String> {
        let file = self.file.as_ref().ok_or(NO_FILE)?;
        let users = file.read(catalog, self.is_pubsub_open)?;
        Ok(self.replace_all(users))
    }

    /// Writes all users to the ACL file, whole or not at all.
    pub fn save(&self) -> Result<(), SaveError> {
        let file = self.file.as_ref().ok_or(SaveError::NoFile)?;
        let mut content = self.lines().join(&b'\n');
        content.push(b'\n');
        file.write(&content).map_err(SaveError::Disk)
    }

    fn replace_all(&mut self, users: Vec<User>) -> Vec<UserId> {
        let mut gone: Vec<UserId> = Vec::new();
        let is_default = |user: &User| *user.name == *b"default";
        if !users.iter().any(is_default) {
            self.users[0] = Some(Slot::of(User::open_default()));
        }
        let mut stays: hashbrown::HashSet<UserId> = [UserId::DEFAULT].into();
        for user in users {
            let known = self.id(&user.name);
            if is_default(&user) {
                self.users[0] = Some(Slot::of(user));
            } else if let Some(id) = known.filter(|id| self.user(*id) == Some(&user)) {
                stays.insert(id);
            } else {
                let id = UserId(self.users.len() as u32);
                if let Some(old) = self.by_name.insert(user.name.clone(), id) {
                    self.users[old.0 as usize] = None;
                    gone.push(old);
                }
                self.users.push(Some(Slot::of(user)));
                stays.insert(id);
            }
        }
        let missing: Vec<_> = self.by_name.extract_if(|_, id| !stays.contains(id)).map(|(_, id)| id).collect();
        missing.iter().for_each(|id| self.users[id.0 as usize] = None);
        gone.extend(missing);
        gone.sort_unstable();
        gone
    }
}

/// Why ACL SAVE failed.
#[derive(Debug)]
pub enum SaveError {
    /// `aclfile` is not set.
    NoFile,
    /// The disk.
    Disk(io::Error),
}

/// What ACL LOAD and SAVE say when `aclfile` is not set.
pub const NO_FILE: &str = "This Redis instance is not configured to use an ACL file. You may want to specify users via the \
                           ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration \
                           file set) in order to store users in the Redis configuration.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::tests::table;
    use crate::base::files::memory::{Fault, MemoryFiles};

    const PATH: &str = "/users.acl";

    fn disk(content: &[u8]) -> MemoryFiles {
        let disk = MemoryFiles::new();
        files::replace(&disk, Path::new(PATH), Path::new("/t"), content).unwrap();
        disk
    }

    fn acl_on(disk: &MemoryFiles) -> Acl {
        let mut acl = Acl::new();
        acl.file = Some(AclFile { path: PATH.into(), files: Arc::new(disk.clone()) });
        acl
    }

    #[test]
    fn what_is_saved_loads_as_the_same_users() {
        let (table, disk) = (table(), disk(b""));
        let mut acl = acl_on(&disk);
        let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        acl.set_user(b"a", &words("on >x +get %R~k (+set ~q &c)"), table.catalog()).unwrap();
        acl.set_user(b"b", &words("-@all +select|Db0"), table.catalog()).unwrap();
        acl.save().unwrap();
        let mut other = acl_on(&disk);
        assert_eq!(other.load(table.catalog()).unwrap(), []);
        assert_eq!(other.lines(), acl.lines());
        // A second load finds nobody changed.
        assert_eq!(other.load(table.catalog()).unwrap(), []);
    }

    #[test]
    fn only_those_who_changed_or_are_gone_lose_their_number() {
        let table = table();
        let disk = disk(b"user same on nopass +get\r\n\nuser changed on\nuser gone on\n");
        let mut acl = acl_on(&disk);
        acl.set_user(b"removed", &[], table.catalog()).unwrap();
        let removed = acl.id(b"removed").unwrap();
        assert_eq!(acl.load(table.catalog()).unwrap(), [removed]);
        let ids = [b"same".as_slice(), b"changed", b"gone"].map(|name| acl.id(name).unwrap());
        let new = b"user changed off\nuser same on nopass +get\nuser default off";
        files::replace(&disk, Path::new(PATH), Path::new("/t"), new).unwrap();
        assert_eq!(acl.load(table.catalog()).unwrap(), ids[1..]);
        assert_eq!((acl.id(b"same"), acl.id(b"gone")), (Some(ids[0]), None));
        assert_eq!((acl.user(ids[1]), acl.user(ids[2])), (None, None));
        assert!(!acl.is_default_open() && acl.id(b"default") == Some(UserId::DEFAULT));
    }

    #[test]
    fn a_file_without_the_default_user_makes_it_as_at_the_start() {
        let table = table();
        let mut acl = acl_on(&disk(b"user a on\n"));
        acl.set_requirepass(b"x");
        acl.load(table.catalog()).unwrap();
        assert!(acl.is_default_open() && acl.is_all_powerful(UserId::DEFAULT));
    }

    #[test]
    fn a_wrong_file_changes_nothing_and_tells_all_that_is_wrong() {
        let table = table();
        let content = b"user a on\nusr b\nuser a\nuser c +nosuch >secret #bad %~x\nuser d (+get\nuser\n";
        let mut acl = acl_on(&disk(content));
        acl.set_user(b"old", &[], table.catalog()).unwrap();
        let before = acl.lines();
        let text = acl.load(table.catalog()).unwrap_err();
        assert_eq!(
            text,
            "/users.acl:2 should start with user keyword followed by the username. \
             WARNING: Duplicate user 'a' found on line 3. \
             /users.acl:4: Error in applying operation '+nosuch': Unknown command or category name in ACL. \
             /users.acl:4: The password hash must be exactly 64 characters and contain only lowercase hexadecimal \
             characters. \
             /users.acl:5: Unmatched parenthesis in selector definition.\
             /users.acl:6 should start with user keyword followed by the username. \
             WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
        );
        assert_eq!(acl.lines(), before);
        let missing = acl_on(&MemoryFiles::new()).load(table.catalog()).unwrap_err();
        assert!(missing.starts_with("Error loading ACLs, opening file '/users.acl': "), "{missing}");
        assert_eq!(Acl::new().load(table.catalog()).unwrap_err(), NO_FILE);
    }

    #[test]
    fn a_save_that_fails_leaves_the_old_file() {
        let table = table();
        for fault in 0.. {
            let disk = disk(b"user old on\n");
            let mut acl = acl_on(&disk);
            acl.set_user(b"new", &[], table.catalog()).unwrap();
            disk.fail_at(disk.operations() + fault, Fault::Error(28));
            let result = acl.save();
            let content = files::read_whole(&disk, Path::new(PATH), 1000).unwrap();
            match result {
                Ok(()) => {
                    assert!(fault >= 4, "{fault}");
                    break;
                }
                // The last step is the folder's sync, when the new name is there already.
                Err(_) => assert!(content == b"user old on\n" || fault == 4, "{fault}"),
            }
        }
    }
}
