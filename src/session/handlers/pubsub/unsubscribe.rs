//! UNSUBSCRIBE [channel …], PUNSUBSCRIBE [pattern …], SUNSUBSCRIBE [channel …]; without names: all of them.
//!
//! Reply:   as for subscribing, one for each name, also for names that were not subscribed to; one with a null name when
//!          there was nothing to end.

use super::subscribe::confirm;
use crate::pubsub::Space;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Access, Arg, ArgKind, Arity, Flags, KeySpec, Meta, Spec};

/// UNSUBSCRIBE.
pub const UNSUBSCRIBE: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "unsubscribe",
        arity: Arity::AtLeast(1),
        flags: super::BASE.flags.and(Flags::SENTINEL),
        summary: "Stops listening to channels.",
        complexity: "O(N) in the number of channels.",
        args: &[Arg::new("channel", ArgKind::String).optional().multiple()],
        ..super::BASE
    },
    handler: |ctx, args| unsubscribe(ctx, args, Space::Channel),
};

/// PUNSUBSCRIBE.
pub const PUNSUBSCRIBE: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "punsubscribe",
        arity: Arity::AtLeast(1),
        flags: super::BASE.flags.and(Flags::SENTINEL),
        summary: "Stops listening to channels that match patterns.",
        complexity: "O(N) in the number of patterns.",
        args: &[Arg::new("pattern", ArgKind::Pattern).optional().multiple()],
        ..super::BASE
    },
    handler: |ctx, args| unsubscribe(ctx, args, Space::Pattern),
};

/// SUNSUBSCRIBE.
pub const SUNSUBSCRIBE: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "sunsubscribe",
        since: "7.0.0",
        arity: Arity::AtLeast(1),
        keys: &[KeySpec::range(1, -1, 1, Access::NONE).not_key()],
        summary: "Stops listening to shard channels.",
        complexity: "O(N) in the number of channels.",
        args: &[Arg::new("shardchannel", ArgKind::String).optional().multiple()],
        ..super::BASE
    },
    handler: |ctx, args| unsubscribe(ctx, args, Space::Shard),
};

fn unsubscribe(ctx: &mut SessionCtx<'_>, args: &Args<'_>, space: Space) -> SessionResult {
    let word = match space {
        Space::Channel => "unsubscribe",
        Space::Pattern => "punsubscribe",
        Space::Shard => "sunsubscribe",
    };
    let all = if args.len() == 1 { ctx.pubsub.names_of(ctx.session.id, space) } else { Vec::new() };
    let mut is_confirmed = false;
    for name in args.from(1).chain(all.iter().map(|name| &name[..])) {
        ctx.pubsub.unsubscribe(ctx.session.id, space, name);
        ctx.session.subscribed = ctx.pubsub.counts(ctx.session.id);
        confirm(ctx, word, Some(name), space);
        is_confirmed = true;
    }
    if !is_confirmed {
        confirm(ctx, word, None, space);
    }
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn names_are_left_one_by_one_or_all_at_once() {
        let mut world = World::new();
        world.run("SUBSCRIBE a b c");
        world.run("PSUBSCRIBE p");
        assert_eq!(world.run("UNSUBSCRIBE b zz"), "*3 $unsubscribe $b :3 *3 $unsubscribe $zz :3");
        assert_eq!(world.run("UNSUBSCRIBE"), "*3 $unsubscribe $a :2 *3 $unsubscribe $c :1");
        assert_eq!(world.run("UNSUBSCRIBE"), "*3 $unsubscribe nil :1");
        assert_eq!(world.run("PUNSUBSCRIBE"), "*3 $punsubscribe $p :0");
        assert_eq!(world.run("SUNSUBSCRIBE"), "*3 $sunsubscribe nil :0");
        assert!(!world.session.is_subscriber());
    }
}
