//! PUBSUB CHANNELS [pattern], NUMSUB [channel …], NUMPAT, SHARDCHANNELS [pattern], SHARDNUMSUB [channel …].

use crate::base::glob;
use crate::pubsub::Space;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Flags, Group, Meta, Spec};

const BASE: Meta = Meta {
    container: "pubsub",
    group: Group::Pubsub,
    since: "2.8.0",
    arity: Arity::AtLeast(2),
    flags: Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE),
    ..Meta::NEW
};

const PATTERN: &[Arg] = &[Arg::new("pattern", ArgKind::Pattern).optional()];

/// PUBSUB CHANNELS.
pub const CHANNELS: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "channels",
        summary: "Lists channels with subscribers.",
        complexity: "O(N) in the number of channels.",
        args: PATTERN,
        ..BASE
    },
    handler: |ctx, args| channels(ctx, args, Space::Channel),
};

/// PUBSUB SHARDCHANNELS.
pub const SHARDCHANNELS: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "shardchannels",
        since: "7.0.0",
        summary: "Lists shard channels with subscribers.",
        complexity: "O(N) in the number of channels.",
        args: PATTERN,
        ..BASE
    },
    handler: |ctx, args| channels(ctx, args, Space::Shard),
};

/// PUBSUB NUMSUB.
pub const NUMSUB: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "numsub",
        summary: "Counts the subscribers of channels, those through patterns left out.",
        complexity: "O(N) in the number of channels named.",
        args: &[Arg::new("channel", ArgKind::String).optional().multiple()],
        ..BASE
    },
    handler: |ctx, args| Ok(numsub(ctx, args, Space::Channel)),
};

/// PUBSUB SHARDNUMSUB.
pub const SHARDNUMSUB: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "shardnumsub",
        since: "7.0.0",
        summary: "Counts the subscribers of shard channels.",
        complexity: "O(N) in the number of channels named.",
        args: &[Arg::new("shardchannel", ArgKind::String).optional().multiple()],
        ..BASE
    },
    handler: |ctx, args| Ok(numsub(ctx, args, Space::Shard)),
};

/// PUBSUB NUMPAT.
pub const NUMPAT: Spec<SessionHandler> = Spec {
    meta: Meta { name: "numpat", arity: Arity::Exactly(2), summary: "Counts the patterns with subscribers.", ..BASE },
    handler: |ctx, _| {
        ctx.reply.int(ctx.pubsub.active_len(Space::Pattern) as i64);
        Ok(SessionOutcome::Done)
    },
};

fn channels(ctx: &mut SessionCtx<'_>, args: &Args<'_>, space: Space) -> SessionResult {
    if args.len() > 3 {
        let word = String::from_utf8_lossy(args.get(1));
        let text = format!("ERR unknown subcommand or wrong number of arguments for '{word}'. Try PUBSUB HELP.");
        return Err(SessionError::text(text));
    }
    let pattern = (args.len() == 3).then(|| args.get(2));
    let names = ctx.pubsub.active(space).filter(|name| pattern.is_none_or(|pattern| glob::matches(pattern, name)));
    let names: Vec<_> = names.collect();
    ctx.reply.array(names.len());
    names.into_iter().for_each(|name| ctx.reply.bulk(name));
    Ok(SessionOutcome::Done)
}

fn numsub(ctx: &mut SessionCtx<'_>, args: &Args<'_>, space: Space) -> SessionOutcome {
    ctx.reply.array((args.len() - 2) * 2);
    for name in args.from(2) {
        ctx.reply.bulk(name);
        ctx.reply.int(ctx.pubsub.subscribers_len(space, name) as i64);
    }
    SessionOutcome::Done
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn channels_are_listed_and_subscribers_counted() {
        let mut world = World::new();
        world.run("SUBSCRIBE news");
        world.run("PSUBSCRIBE n* m*");
        world.run("SSUBSCRIBE s");
        assert_eq!(world.run("PUBSUB CHANNELS"), "*1 $news");
        assert_eq!(world.run("PUBSUB CHANNELS x*"), "*0");
        assert_eq!(world.run("PUBSUB NUMSUB news other"), "*4 $news :1 $other :0");
        assert_eq!(world.run("PUBSUB NUMSUB"), "*0");
        assert_eq!(world.run("PUBSUB NUMPAT"), ":2");
        assert_eq!(world.run("PUBSUB SHARDCHANNELS"), "*1 $s");
        assert_eq!(world.run("PUBSUB SHARDNUMSUB s"), "*2 $s :1");
        let refusal = "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.";
        assert_eq!(world.run("PUBSUB CHANNELS a b"), refusal);
    }
}
