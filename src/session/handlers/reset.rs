//! RESET: the connection is again what it was when it was new.
//!
//! Reply:   RESET.
//! Errors:  ERR on the link of a replica or of the master.
//!
//! Gone are an open MULTI, watched keys, subscriptions, MONITOR, the name, the user, RESP3 and CLIENT REPLY. The library
//! name and version stay: they belong to the program behind the connection.

use super::pubsub::subscribe::forget_all;
use crate::acl::UserId;
use crate::resp::args::Args;
use crate::resp::reply::{Proto, Reply};
use crate::session::{Kind, ReplyMode, SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "reset",
        group: Group::Connection,
        since: "6.2.0",
        arity: Arity::Exactly(1),
        flags: Flags::NOSCRIPT
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::FAST)
            .and(Flags::NO_AUTH)
            .and(Flags::ALLOW_BUSY),
        categories: Category::CONNECTION,
        summary: "Makes the connection as it was when it was new.",
        ..Meta::NEW
    },
    handler: reset,
};

fn reset(ctx: &mut SessionCtx<'_>, _: &Args<'_>) -> SessionResult {
    if matches!(ctx.session.kind, Kind::Replica | Kind::Master) {
        return Err(SessionError::fixed("ERR can only reset normal client connections"));
    }
    forget_all(ctx);
    let session = &mut *ctx.session;
    session.kind = Kind::Client;
    session.discard_multi();
    session.db = 0;
    session.proto = Proto::Resp2;
    session.user = Some(UserId::DEFAULT);
    session.is_authenticated = ctx.acl.is_default_open();
    session.name = None;
    session.reply_mode = ReplyMode::On;
    session.marks.is_cluster_readonly = false;
    session.marks.is_no_touch = false;
    ctx.reply.out().set_muted(false);
    Reply::new(ctx.reply.out(), Proto::Resp2).simple("RESET");
    Ok(SessionOutcome::Reset)
}

#[cfg(test)]
mod tests {
    use crate::resp::reply::Proto;
    use crate::session::Kind;
    use crate::session::handlers::testing::World;

    #[test]
    fn everything_is_as_for_a_new_client_but_the_library() {
        let mut world = World::new();
        for command in ["HELLO 3 SETNAME n", "SELECT 4", "SUBSCRIBE a", "PSUBSCRIBE p", "CLIENT SETINFO lib-name l"] {
            world.run(command);
        }
        world.acl.set_requirepass(b"secret");
        assert_eq!(world.run("RESET"), "+RESET");
        let session = &world.session;
        assert_eq!((session.proto, session.db, session.name.as_deref()), (Proto::Resp2, 0, None));
        assert!(!session.is_subscriber() && world.pubsub.is_empty());
        assert!(session.must_authenticate(&world.acl));
        assert_eq!(session.lib_name.as_deref(), Some(&b"l"[..]));
    }

    #[test]
    fn a_replicas_link_cannot_be_reset() {
        let mut world = World::new();
        world.session.kind = Kind::Replica;
        assert_eq!(world.run("RESET"), "-ERR can only reset normal client connections");
    }
}
