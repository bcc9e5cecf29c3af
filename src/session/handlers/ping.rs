//! PING [message]: is anybody there?
//!
//! Reply:   PONG, or the message. A RESP2 subscriber, who cannot tell replies from messages otherwise, gets
//!          `[pong, message]`.

use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "ping",
        group: Group::Connection,
        arity: Arity::AtLeast(1),
        flags: Flags::FAST.and(Flags::SENTINEL),
        categories: Category::CONNECTION,
        summary: "Answers, so that the caller knows that it can.",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        args: &[Arg::new("message", ArgKind::String).optional()],
        ..Meta::NEW
    },
    handler: ping,
};

fn ping(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    match args.len() {
        1 | 2 if ctx.session.is_subscriber() && !ctx.reply.is_resp3() => {
            ctx.reply.array(2);
            ctx.reply.bulk(b"pong");
            ctx.reply.bulk(if args.len() == 2 { args.get(1) } else { b"" });
        }
        1 => ctx.reply.simple("PONG"),
        2 => ctx.reply.bulk(args.get(1)),
        _ => return Err(SessionError::fixed("ERR wrong number of arguments for 'ping' command")),
    }
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn the_message_comes_back() {
        let mut world = World::new();
        assert_eq!(world.run("PING"), "+PONG");
        assert_eq!(world.run("PING hi"), "$hi");
        assert_eq!(world.run("PING a b"), "-ERR wrong number of arguments for 'ping' command");
    }

    #[test]
    fn a_resp2_subscriber_gets_an_array_and_a_resp3_one_does_not() {
        let mut world = World::new();
        world.run("SUBSCRIBE c");
        assert_eq!(world.run("PING"), "*2 $pong $");
        assert_eq!(world.run("PING hi"), "*2 $pong $hi");
        world.run("HELLO 3");
        assert_eq!(world.run("PING"), "+PONG");
    }
}
