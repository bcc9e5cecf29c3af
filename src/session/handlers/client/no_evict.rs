//! CLIENT NO-EVICT on|off: whether the connection may be closed to free memory. CLIENT NO-TOUCH on|off: whether its reads
//! count as use of a key.

use super::{ADMIN, BASE};
use crate::resp::args::Args;
use crate::session::{SessionError, SessionHandler, SessionOutcome};
use crate::spec::{Arg, Arity, Flags, Meta, Spec};

const ON_OFF: &[Arg] = &[Arg::one_of("enabled", &[Arg::token("on", "ON"), Arg::token("off", "OFF")])];

/// CLIENT NO-EVICT.
pub const NO_EVICT: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "no-evict",
        since: "7.0.0",
        arity: Arity::Exactly(3),
        summary: "Says whether the connection may be closed to free memory.",
        args: ON_OFF,
        ..ADMIN
    },
    handler: |ctx, args| {
        ctx.session.marks.is_no_evict = is_on(args)?;
        ctx.reply.ok();
        Ok(SessionOutcome::Done)
    },
};

/// CLIENT NO-TOUCH.
pub const NO_TOUCH: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "no-touch",
        since: "7.2.0",
        arity: Arity::Exactly(3),
        flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE),
        summary: "Says whether this connection's reads count as use of a key.",
        args: ON_OFF,
        ..BASE
    },
    handler: |ctx, args| {
        ctx.session.marks.is_no_touch = is_on(args)?;
        ctx.reply.ok();
        Ok(SessionOutcome::Done)
    },
};

fn is_on(args: &Args<'_>) -> Result<bool, SessionError> {
    match () {
        _ if args.is(2, "on") => Ok(true),
        _ if args.is(2, "off") => Ok(false),
        _ => Err(SessionError::SYNTAX),
    }
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn both_are_switched_on_and_off() {
        let mut world = World::new();
        assert_eq!((world.run("CLIENT NO-EVICT on"), world.run("CLIENT NO-TOUCH ON")), ("+OK".into(), "+OK".into()));
        assert!(world.session.marks.is_no_evict && world.session.marks.is_no_touch);
        assert_eq!(world.run("CLIENT NO-EVICT maybe"), "-ERR syntax error");
        assert_eq!(world.run("CLIENT NO-TOUCH off"), "+OK");
        assert!(world.session.marks.is_no_evict && !world.session.marks.is_no_touch);
    }
}
