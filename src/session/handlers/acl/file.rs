//! ACL LOAD and ACL SAVE: the users of the file given by `aclfile`.
//!
//! Errors:  ERR without such a file, or with what is wrong in it; nothing has changed then.
//! Source:  redis.io/commands/acl-load, acl-save, since 6.0.0.
//!
//! After LOAD the clients of users that changed or are gone are closed, as are clients that listen to channels the default user
//! may no longer hear. Redis 7.2 closes the clients of all users but the default one.

use super::ADMIN;
use super::setuser::{close_clients_of, close_forbidden_subscribers};
use crate::acl::UserId;
use crate::acl::file::{NO_FILE, SaveError};
use crate::session::{SessionError, SessionHandler, SessionOutcome};
use crate::spec::{Arity, Meta, Spec};

/// ACL LOAD.
pub const LOAD: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "load",
        arity: Arity::Exactly(2),
        summary: "Reads the users from the ACL file, in place of the present ones.",
        complexity: "O(N) in the number of users and connections.",
        ..ADMIN
    },
    handler: |ctx, _| {
        let error = |text| SessionError::text(format!("ERR {text}"));
        let gone = ctx.acl.load(ctx.catalog).map_err(error)?;
        close_clients_of(ctx, &gone);
        close_forbidden_subscribers(ctx, UserId::DEFAULT);
        ctx.reply.ok();
        Ok(SessionOutcome::Done)
    },
};

/// ACL SAVE.
pub const SAVE: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "save",
        arity: Arity::Exactly(2),
        summary: "Writes the users to the ACL file.",
        complexity: "O(N) in the number of users.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..ADMIN
    },
    handler: |ctx, _| match ctx.acl.save() {
        Ok(()) => {
            ctx.reply.ok();
            Ok(SessionOutcome::Done)
        }
        Err(SaveError::NoFile) => Err(SessionError::text(format!("ERR {NO_FILE}"))),
        Err(SaveError::Disk(error)) => {
            tracing::warn!("Writing ACL file for ACL SAVE: {error}");
            Err(SessionError::fixed(
                "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
            ))
        }
    },
};

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use crate::acl::file::AclFile;
    use crate::base::files;
    use crate::base::files::memory::{Fault, MemoryFiles};
    use crate::base::id::ClientId;
    use crate::session::handlers::testing::World;

    fn world() -> (World, MemoryFiles) {
        let disk = MemoryFiles::new();
        let mut world = World::new();
        world.acl.file = Some(AclFile { path: "/acl".into(), files: Arc::new(disk.clone()) });
        (world, disk)
    }

    #[test]
    fn clients_of_users_that_stayed_the_same_stay() {
        let (mut world, disk) = world();
        world.run("ACL SETUSER same on nopass +get");
        world.run("ACL SETUSER other on nopass +get");
        assert_eq!(world.run("ACL SAVE"), "+OK");
        for name in [b"same".as_slice(), b"other"] {
            world.peer().user = world.acl.id(name);
        }
        assert_eq!(world.run("ACL LOAD"), "+OK");
        assert_eq!(world.peers.killed, []);
        let saved = files::read_whole(&disk, Path::new("/acl"), 1000).unwrap();
        let changed = String::from_utf8(saved).unwrap().replace("user other on", "user other off");
        files::replace(&disk, Path::new("/acl"), Path::new("/t"), changed.as_bytes()).unwrap();
        world.run("AUTH other x");
        assert_eq!(world.run("ACL LOAD"), "+OK");
        assert_eq!(world.peers.killed, [ClientId(11)]);
        assert!(world.session.marks.is_closing_after_reply);
    }

    #[test]
    fn without_a_file_or_a_disk_nothing_is_loaded_or_saved() {
        let mut bare = World::new();
        for command in ["ACL LOAD", "ACL SAVE"] {
            assert!(bare.run(command).starts_with("-ERR This Redis instance is not configured to use an ACL file."));
        }
        let (mut world, disk) = world();
        assert!(world.run("ACL LOAD").starts_with("-ERR Error loading ACLs, opening file '/acl': "));
        disk.fail_at(disk.operations(), Fault::Error(28));
        assert!(world.run("ACL SAVE").starts_with("-ERR There was an error trying to save the ACLs."));
    }
}
