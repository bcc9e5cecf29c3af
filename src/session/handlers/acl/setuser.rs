//! ACL SETUSER name rule …: create or change a user. ACL DELUSER name …: delete users.
//!
//! A wrong rule changes nothing. Connected clients feel a change with their next command; those that listen to channels
//! their user may no longer hear are closed, as are all clients of a deleted user.

use super::ADMIN;
use crate::acl::{Acl, UserId};
use crate::base::id::ClientId;
use crate::pubsub::{PubSub, Space};
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

/// ACL SETUSER.
pub const SETUSER: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "setuser",
        arity: Arity::AtLeast(3),
        summary: "Creates or changes a user.",
        complexity: "O(N) in the number of rules.",
        history: &[("6.2.0", "Channel patterns."), ("7.0.0", "Selectors, and rights by key pattern.")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        args: &[Arg::new("username", ArgKind::String), Arg::new("rule", ArgKind::String).optional().multiple()],
        ..ADMIN
    },
    handler: setuser,
};

/// ACL DELUSER.
pub const DELUSER: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "deluser",
        arity: Arity::AtLeast(3),
        summary: "Deletes users and closes their connections.",
        complexity: "O(N) in the number of connections.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        args: &[Arg::new("username", ArgKind::String).multiple()],
        ..ADMIN
    },
    handler: deluser,
};

fn setuser(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let rules: Vec<Vec<u8>> = args.from(3).map(<[u8]>::to_vec).collect();
    let user = ctx.acl.set_user(args.get(2), &rules, ctx.catalog);
    let user = user.map_err(|error| SessionError::text(format!("ERR {error}")))?;
    close_forbidden_subscribers(ctx, user);
    ctx.reply.ok();
    Ok(SessionOutcome::Done)
}

/// Closes the user's clients that listen to what the user may not hear any more.
pub fn close_forbidden_subscribers(ctx: &mut SessionCtx<'_>, user: UserId) {
    let (acl, pubsub) = (&*ctx.acl, &*ctx.pubsub);
    let mut forbidden = Vec::new();
    ctx.peers.each(&mut |session, _| {
        if session.user == Some(user) && hears_forbidden(acl, pubsub, session.id, user) {
            forbidden.push(session.id);
        }
    });
    forbidden.iter().for_each(|id| ctx.peers.kill(*id));
    if ctx.session.user == Some(user) && hears_forbidden(acl, pubsub, ctx.session.id, user) {
        ctx.session.marks.is_closing_after_reply = true;
    }
}

fn hears_forbidden(acl: &Acl, pubsub: &PubSub, client: ClientId, user: UserId) -> bool {
    [Space::Channel, Space::Pattern, Space::Shard].into_iter().any(|space| {
        let names = pubsub.names_of(client, space);
        names.iter().any(|name| !acl.allows_subscription(user, name, space == Space::Pattern))
    })
}

fn deluser(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    if args.from(2).any(|name| name == b"default") {
        return Err(SessionError::fixed("ERR The 'default' user cannot be removed"));
    }
    let deleted: Vec<UserId> = args.from(2).filter_map(|name| ctx.acl.delete_user(name)).collect();
    close_clients_of(ctx, &deleted);
    ctx.reply.int(deleted.len() as i64);
    Ok(SessionOutcome::Done)
}

/// Closes the clients of users that are no more. The caller, if it is one, still gets its reply.
pub fn close_clients_of(ctx: &mut SessionCtx<'_>, gone: &[UserId]) {
    let gone: hashbrown::HashSet<UserId> = gone.iter().copied().collect();
    let is_gone = |user: UserId| gone.contains(&user);
    let mut orphans = Vec::new();
    ctx.peers.each(&mut |session, _| {
        if session.user.is_some_and(is_gone) {
            orphans.push(session.id);
        }
    });
    orphans.iter().for_each(|id| ctx.peers.kill(*id));
    if ctx.session.user.is_some_and(is_gone) {
        ctx.session.user = Some(UserId::DEFAULT);
        ctx.session.is_authenticated = false;
        ctx.session.marks.is_closing_after_reply = true;
    }
}

#[cfg(test)]
mod tests {
    use crate::base::id::ClientId;
    use crate::pubsub::Space;
    use crate::session::handlers::testing::World;

    #[test]
    fn a_wrong_rule_is_named_and_changes_nothing() {
        let mut world = World::new();
        assert_eq!(
            world.run("ACL SETUSER u on +nosuch"),
            "-ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL"
        );
        assert_eq!(world.run("ACL GETUSER u"), "nil");
        assert_eq!(
            world.run("ACL SETUSER u (+get ~a"),
            "-ERR Unmatched parenthesis in acl selector starting at '(+get'."
        );
        assert_eq!(world.run("ACL SETUSER \"a b\""), "-ERR Usernames can't contain spaces or null characters");
    }

    #[test]
    fn subscribers_of_forbidden_channels_are_closed() {
        let mut world = World::new();
        world.run("ACL SETUSER u on nopass +@all &a &b");
        let user = world.acl.id(b"u");
        world.peer().user = user;
        world.peer().user = user;
        world.subscribe_peer(10, Space::Channel, "a");
        world.subscribe_peer(11, Space::Channel, "b");
        assert_eq!(world.run("ACL SETUSER u resetchannels &a"), "+OK");
        assert_eq!(world.peers.killed, [ClientId(11)]);
    }

    #[test]
    fn clients_of_a_deleted_user_are_closed() {
        let mut world = World::new();
        world.run("ACL SETUSER u on nopass +@all");
        world.peer().user = world.acl.id(b"u");
        world.run("AUTH u x");
        assert_eq!(world.run("ACL DELUSER u nobody"), ":1");
        assert_eq!(world.peers.killed, [ClientId(10)]);
        assert!(world.session.marks.is_closing_after_reply);
        assert_eq!(world.run("ACL DELUSER x default"), "-ERR The 'default' user cannot be removed");
    }
}
