//! CLIENT GETREDIR: which client receives this one's invalidation messages; -1 while tracking is off.

use super::BASE;
use crate::session::tracking::Tracking;
use crate::session::{SessionHandler, SessionOutcome};
use crate::spec::{Arity, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "getredir",
        since: "6.0.0",
        arity: Arity::Exactly(2),
        summary: "Returns the client that receives this one's invalidation messages.",
        ..BASE
    },
    handler: |ctx, _| {
        ctx.reply.int(Tracking::redirect_number(ctx.session.tracking.as_deref()));
        Ok(SessionOutcome::Done)
    },
};

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn nobody_receives_for_a_client_that_does_not_track() {
        assert_eq!(World::new().run("CLIENT GETREDIR"), ":-1");
    }
}
