//! CLIENT TRACKINGINFO: how this connection's keys are tracked for a cache of its own.
//!
//! Reply:   a map of the words that describe the mode, the client to which messages are redirected (-1 while off, 0 for none) and
//!          the prefixes.

use super::BASE;
use crate::session::tracking::Tracking;
use crate::session::{SessionHandler, SessionOutcome};
use crate::spec::{Arity, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "trackinginfo",
        since: "6.2.0",
        arity: Arity::Exactly(2),
        summary: "Tells how this connection's keys are tracked for a cache of its own.",
        ..BASE
    },
    handler: |ctx, _| {
        let tracking = ctx.session.tracking.as_deref();
        let words = tracking.map_or_else(|| vec!["off"], Tracking::words);
        let prefixes = tracking.map_or(&[][..], |tracking| &tracking.prefixes);
        ctx.reply.map(3);
        ctx.reply.bulk(b"flags");
        ctx.reply.set(words.len());
        words.iter().for_each(|word| ctx.reply.bulk(word.as_bytes()));
        ctx.reply.bulk(b"redirect");
        ctx.reply.int(Tracking::redirect_number(tracking));
        ctx.reply.bulk(b"prefixes");
        ctx.reply.array(prefixes.len());
        prefixes.iter().for_each(|prefix| ctx.reply.bulk(prefix));
        Ok(SessionOutcome::Done)
    },
};

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn a_client_that_does_not_track_says_so() {
        let expected = "*6 $flags *1 $off $redirect :-1 $prefixes *0";
        assert_eq!(World::new().run("CLIENT TRACKINGINFO"), expected);
    }
}
