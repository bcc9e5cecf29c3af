//! CLIENT REPLY ON|OFF|SKIP: whether the server answers at all.
//!
//! ON is answered with OK; OFF and SKIP are not answered themselves. SKIP holds for the next command only. Messages of
//! subscriptions come through all the same.

use super::BASE;
use crate::resp::args::Args;
use crate::session::{ReplyMode, SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, Arity, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "reply",
        since: "3.2.0",
        arity: Arity::Exactly(3),
        summary: "Says whether the server answers this connection.",
        args: &[Arg::one_of("action", &[Arg::token("on", "ON"), Arg::token("off", "OFF"), Arg::token("skip", "SKIP")])],
        ..BASE
    },
    handler: reply_mode,
};

fn reply_mode(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    match () {
        _ if args.is(2, "on") => {
            ctx.session.reply_mode = ReplyMode::On;
            ctx.reply.out().set_muted(false);
            ctx.reply.ok();
        }
        _ if args.is(2, "off") => ctx.session.reply_mode = ReplyMode::Off,
        // After OFF there is nothing left to skip.
        _ if args.is(2, "skip") => {
            if ctx.session.reply_mode != ReplyMode::Off {
                ctx.session.reply_mode = ReplyMode::SkipNext;
            }
        }
        _ => return Err(SessionError::SYNTAX),
    }
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn off_silences_until_on() {
        let mut world = World::new();
        assert_eq!(world.run("CLIENT REPLY OFF"), "");
        assert_eq!(world.run("PING"), "");
        assert_eq!(world.run("CLIENT REPLY SKIP"), "");
        assert_eq!(world.run("NOSUCH"), "");
        assert_eq!(world.run("CLIENT REPLY ON"), "+OK");
        assert_eq!(world.run("PING"), "+PONG");
    }

    #[test]
    fn skip_silences_one_command() {
        let mut world = World::new();
        assert_eq!(world.run("CLIENT REPLY SKIP"), "");
        assert_eq!(world.run("PING"), "");
        assert_eq!(world.run("PING"), "+PONG");
        assert_eq!(world.run("CLIENT REPLY x"), "-ERR syntax error");
    }
}
