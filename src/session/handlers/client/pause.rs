//! CLIENT PAUSE milliseconds [WRITE|ALL], CLIENT UNPAUSE: hold back everybody's commands for a while.

use super::ADMIN;
use crate::base::number::parse_i64;
use crate::resp::args::Args;
use crate::session::context::Pause;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

/// CLIENT PAUSE.
pub const PAUSE: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "pause",
        since: "3.0.0",
        arity: Arity::AtLeast(3),
        summary: "Holds back commands of all clients for some milliseconds.",
        history: &[("6.2.0", "WRITE holds back only what may change something.")],
        args: &[
            Arg::new("timeout", ArgKind::Integer),
            Arg::one_of("mode", &[Arg::token("write", "WRITE"), Arg::token("all", "ALL")]).optional().since("6.2.0"),
        ],
        ..ADMIN
    },
    handler: pause,
};

/// CLIENT UNPAUSE.
pub const UNPAUSE: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "unpause",
        since: "6.2.0",
        arity: Arity::Exactly(2),
        summary: "Ends CLIENT PAUSE.",
        complexity: "O(N) in the number of clients that wait.",
        ..ADMIN
    },
    handler: |ctx, _| {
        ctx.peers.unpause();
        ctx.reply.ok();
        Ok(SessionOutcome::Done)
    },
};

fn pause(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let what = match args.len() {
        3 => Pause::All,
        4 if args.is(3, "write") => Pause::Write,
        4 if args.is(3, "all") => Pause::All,
        4 => return Err(SessionError::fixed("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(SessionError::SYNTAX),
    };
    let millis = parse_i64(args.get(2)).ok_or(SessionError::fixed("ERR timeout is not an integer or out of range"))?;
    let millis = u64::try_from(millis).map_err(|_| SessionError::fixed("ERR timeout is negative"))?;
    // A pause of centuries would overflow the clock that it is compared with.
    if millis > i64::MAX as u64 - ctx.now.mono.as_millis() {
        return Err(SessionError::fixed("ERR timeout is out of range"));
    }
    ctx.peers.pause(ctx.now.mono + millis, what);
    ctx.reply.ok();
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::base::time::Instant;
    use crate::session::context::Pause;
    use crate::session::handlers::testing::World;

    #[test]
    fn a_pause_has_an_end_and_a_kind() {
        let mut world = World::new();
        assert_eq!(world.run("CLIENT PAUSE 500 write"), "+OK");
        assert_eq!(world.peers.pause, Some((Instant::from_millis(10_500), Pause::Write)));
        assert_eq!(world.run("CLIENT PAUSE 1"), "+OK");
        assert_eq!(world.peers.pause, Some((Instant::from_millis(10_001), Pause::All)));
        assert_eq!(world.run("CLIENT UNPAUSE"), "+OK");
        assert_eq!(world.peers.pause, None);
    }

    #[test]
    fn mistakes_are_told() {
        let mut world = World::new();
        assert_eq!(world.run("CLIENT PAUSE x"), "-ERR timeout is not an integer or out of range");
        assert_eq!(world.run("CLIENT PAUSE -1"), "-ERR timeout is negative");
        assert_eq!(world.run("CLIENT PAUSE 9223372036854775807"), "-ERR timeout is out of range");
        assert_eq!(world.run("CLIENT PAUSE 1 foo"), "-ERR CLIENT PAUSE mode must be WRITE or ALL");
        assert_eq!(world.peers.pause, None);
    }
}
