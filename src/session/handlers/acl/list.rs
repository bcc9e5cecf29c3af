//! ACL LIST, ACL USERS, ACL WHOAMI: who there is.

use super::{ADMIN, BASE};
use crate::session::{SessionHandler, SessionOutcome};
use crate::spec::{Arity, Meta, Spec};

/// ACL LIST.
pub const LIST: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "list",
        arity: Arity::Exactly(2),
        summary: "Lists all users with their rules, as configuration files write them.",
        complexity: "O(N) in the number of users.",
        ..ADMIN
    },
    handler: |ctx, _| {
        let lines = ctx.acl.lines();
        ctx.reply.array(lines.len());
        lines.iter().for_each(|line| ctx.reply.bulk(line));
        Ok(SessionOutcome::Done)
    },
};

/// ACL USERS.
pub const USERS: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "users",
        arity: Arity::Exactly(2),
        summary: "Lists the names of all users.",
        complexity: "O(N) in the number of users.",
        ..ADMIN
    },
    handler: |ctx, _| {
        let users = ctx.acl.users();
        ctx.reply.array(users.len());
        users.iter().for_each(|(_, user)| ctx.reply.bulk(&user.name));
        Ok(SessionOutcome::Done)
    },
};

/// ACL WHOAMI.
pub const WHOAMI: Spec<SessionHandler> = Spec {
    meta: Meta { name: "whoami", arity: Arity::Exactly(2), summary: "Returns the caller's user.", ..BASE },
    handler: |ctx, _| {
        match ctx.session.user.and_then(|id| ctx.acl.user(id)) {
            Some(user) => ctx.reply.bulk(&user.name),
            None => ctx.reply.null(),
        }
        Ok(SessionOutcome::Done)
    },
};

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn users_are_listed_by_name() {
        let mut world = World::new();
        world.run("ACL SETUSER bob on nopass +get ~k");
        assert_eq!(
            world.run("ACL LIST"),
            "*2 $user bob on nopass sanitize-payload ~k resetchannels -@all +get \
             $user default on nopass sanitize-payload ~* &* +@all"
        );
        assert_eq!(world.run("ACL USERS"), "*2 $bob $default");
        assert_eq!(world.run("ACL WHOAMI"), "$default");
        world.run("AUTH bob x");
        assert_eq!(world.run("ACL WHOAMI"), "$bob");
    }
}
