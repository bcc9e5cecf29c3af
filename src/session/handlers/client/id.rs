//! CLIENT ID: the connection's number, which no other connection of this process ever has.

use super::BASE;
use crate::session::{SessionHandler, SessionOutcome};
use crate::spec::{Arity, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "id",
        since: "5.0.0",
        arity: Arity::Exactly(2),
        summary: "Returns the connection's number.",
        ..BASE
    },
    handler: |ctx, _| {
        ctx.reply.int(ctx.session.id.0 as i64);
        Ok(SessionOutcome::Done)
    },
};

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn the_number_is_told() {
        let mut world = World::new();
        assert_eq!(world.run("CLIENT ID"), ":3");
        assert_eq!(world.run("CLIENT ID x"), "-ERR wrong number of arguments for 'client|id' command");
    }
}
