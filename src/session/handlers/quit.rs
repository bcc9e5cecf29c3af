//! QUIT: the server closes the connection once its answers have been sent.

use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "quit",
        group: Group::Connection,
        arity: Arity::AtLeast(1),
        flags: Flags::NOSCRIPT
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::FAST)
            .and(Flags::NO_AUTH)
            .and(Flags::ALLOW_BUSY),
        categories: Category::CONNECTION,
        summary: "Closes the connection.",
        deprecated: Some(("7.2.0", "just closing the connection")),
        ..Meta::NEW
    },
    handler: quit,
};

fn quit(ctx: &mut SessionCtx<'_>, _: &Args<'_>) -> SessionResult {
    ctx.reply.ok();
    ctx.session.marks.is_closing_after_reply = true;
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn the_connection_closes_after_the_answer() {
        let mut world = World::new();
        assert_eq!(world.run("QUIT"), "+OK");
        assert!(world.session.marks.is_closing_after_reply);
    }
}
