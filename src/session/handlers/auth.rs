//! AUTH [username] password: log in.
//!
//! Reply:   OK.
//! Errors:  WRONGPASS; ERR when no user is named and the default user has no password.
//! Source:  redis.io/commands/auth.

use crate::acl::UserId;
use crate::resp::args::Args;
use crate::session::denial::Scene;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "auth",
        group: Group::Connection,
        arity: Arity::AtLeast(2),
        flags: Flags::NOSCRIPT
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::FAST)
            .and(Flags::NO_AUTH)
            .and(Flags::SENTINEL)
            .and(Flags::ALLOW_BUSY),
        categories: Category::CONNECTION,
        summary: "Logs the connection in.",
        complexity: "O(N) in the number of passwords of the user.",
        history: &[("6.0.0", "A user can be named.")],
        args: &[Arg::new("username", ArgKind::String).optional().since("6.0.0"), Arg::new("password", ArgKind::String)],
        ..Meta::NEW
    },
    handler: auth,
};

/// A login that does not fit any user.
pub const WRONGPASS: SessionError =
    SessionError::fixed("WRONGPASS invalid username-password pair or user is disabled.");

fn auth(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    match args.len() {
        2 if ctx.acl.is_default_nopass() => Err(SessionError::fixed(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
             configuration is correct?",
        )),
        2 => log_in(ctx, b"default", args.get(1), args.get(0)),
        3 => log_in(ctx, args.get(1), args.get(2), args.get(0)),
        _ => Err(SessionError::SYNTAX),
    }?;
    ctx.reply.ok();
    Ok(SessionOutcome::Done)
}

/// Makes the client this user, or notes the failure.
pub fn log_in(ctx: &mut SessionCtx<'_>, name: &[u8], password: &[u8], command: &[u8]) -> Result<UserId, SessionError> {
    let Some(user) = ctx.acl.authenticate(name, password) else {
        let figures = ctx.peers.figures(ctx.session.id);
        let scene = Scene { session: ctx.session, figures: &figures, catalog: ctx.catalog, now: &ctx.now };
        scene.note_failed_login(ctx.acl, command, name);
        return Err(WRONGPASS);
    };
    ctx.session.user = Some(user);
    ctx.session.is_authenticated = true;
    Ok(user)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn with_a_password_set_only_that_password_logs_in() {
        let mut world = World::new();
        world.acl.set_requirepass(b"secret");
        world.reconnect();
        assert!(world.session.must_authenticate(&world.acl));
        assert_eq!(world.run("AUTH wrong"), "-WRONGPASS invalid username-password pair or user is disabled.");
        assert!(world.session.must_authenticate(&world.acl));
        assert_eq!(world.run("AUTH secret"), "+OK");
        assert!(!world.session.must_authenticate(&world.acl));
        assert_eq!(world.run("AUTH default secret"), "+OK");
        assert_eq!(world.acl.denials.auth, 1);
    }

    #[test]
    fn without_a_password_one_argument_is_a_mistake_and_two_log_in() {
        let mut world = World::new();
        assert!(world.run("AUTH x").starts_with("-ERR AUTH <password> called without any password configured"));
        assert_eq!(world.run("AUTH default x"), "+OK");
        assert_eq!(world.run("AUTH nobody x"), "-WRONGPASS invalid username-password pair or user is disabled.");
        assert_eq!(world.run("AUTH a b c"), "-ERR syntax error");
        assert_eq!(world.run("AUTH"), "-ERR wrong number of arguments for 'auth' command");
    }

    #[test]
    fn a_failed_login_does_not_end_an_earlier_one() {
        let mut world = World::new();
        world.acl.set_requirepass(b"secret");
        world.reconnect();
        world.run("AUTH secret");
        world.run("AUTH wrong");
        assert!(!world.session.must_authenticate(&world.acl));
    }
}
