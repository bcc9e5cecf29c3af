//! CLIENT UNBLOCK id [TIMEOUT|ERROR]: end another client's blocking command.
//!
//! Reply:   1 when it was in one, else 0.

use super::ADMIN;
use crate::base::id::ClientId;
use crate::base::number::parse_i64;
use crate::resp::args::Args;
use crate::session::context::Unblock;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "unblock",
        since: "5.0.0",
        arity: Arity::AtLeast(3),
        summary: "Ends another client's blocking command.",
        complexity: "O(log N) in the number of clients.",
        args: &[
            Arg::new("client-id", ArgKind::Integer),
            Arg::one_of("unblock-type", &[Arg::token("timeout", "TIMEOUT"), Arg::token("error", "ERROR")]).optional(),
        ],
        ..ADMIN
    },
    handler: unblock,
};

fn unblock(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let how = match args.len() {
        3 => Unblock::Timeout,
        4 if args.is(3, "timeout") => Unblock::Timeout,
        4 if args.is(3, "error") => Unblock::Error,
        4 => return Err(SessionError::fixed("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => return Err(SessionError::fixed("ERR wrong number of arguments for 'client|unblock' command")),
    };
    let id = ClientId(parse_i64(args.get(2)).ok_or(SessionError::NOT_INTEGER)? as u64);
    let is_done = id != ctx.session.id && ctx.peers.unblock(id, how);
    ctx.reply.int(i64::from(is_done));
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::base::id::ClientId;
    use crate::session::context::Unblock;
    use crate::session::handlers::testing::World;

    #[test]
    fn only_a_blocked_client_can_be_unblocked() {
        let mut world = World::new();
        world.peer();
        world.peer().marks.is_blocked = true;
        assert_eq!(world.run("CLIENT UNBLOCK 10"), ":0");
        assert_eq!(world.run("CLIENT UNBLOCK 99"), ":0");
        assert_eq!(world.run("CLIENT UNBLOCK 3"), ":0");
        assert_eq!(world.run("CLIENT UNBLOCK 11 error"), ":1");
        assert_eq!(world.run("CLIENT UNBLOCK 11"), ":1");
        assert_eq!(world.peers.unblocked, [(ClientId(11), Unblock::Error), (ClientId(11), Unblock::Timeout)]);
    }

    #[test]
    fn mistakes_are_told() {
        let mut world = World::new();
        assert_eq!(world.run("CLIENT UNBLOCK x"), "-ERR value is not an integer or out of range");
        let refusal = "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
        assert_eq!(world.run("CLIENT UNBLOCK 10 now"), refusal);
    }
}
