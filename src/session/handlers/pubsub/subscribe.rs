//! SUBSCRIBE channel …, PSUBSCRIBE pattern …, SSUBSCRIBE channel …
//!
//! Reply:   for each name a push (an array in RESP2) of the word, the name and the number of subscriptions. They are
//!          sent even to a client that switched replies off, because they belong to the stream of messages.

use crate::pubsub::Space;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Access, Arg, ArgKind, Arity, Channels, Flags, KeySpec, Meta, Spec};

/// SUBSCRIBE.
pub const SUBSCRIBE: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "subscribe",
        arity: Arity::AtLeast(2),
        flags: super::BASE.flags.and(Flags::SENTINEL),
        channels: Channels::Subscribe,
        summary: "Listens for messages published to channels.",
        complexity: "O(N) in the number of channels.",
        args: &[Arg::new("channel", ArgKind::String).multiple()],
        ..super::BASE
    },
    handler: |ctx, args| subscribe(ctx, args, Space::Channel),
};

/// PSUBSCRIBE.
pub const PSUBSCRIBE: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "psubscribe",
        arity: Arity::AtLeast(2),
        flags: super::BASE.flags.and(Flags::SENTINEL),
        channels: Channels::SubscribePatterns,
        summary: "Listens for messages published to channels that match patterns.",
        complexity: "O(N) in the number of patterns.",
        args: &[Arg::new("pattern", ArgKind::Pattern).multiple()],
        ..super::BASE
    },
    handler: |ctx, args| subscribe(ctx, args, Space::Pattern),
};

/// SSUBSCRIBE.
pub const SSUBSCRIBE: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "ssubscribe",
        since: "7.0.0",
        arity: Arity::AtLeast(2),
        keys: &[KeySpec::range(1, -1, 1, Access::NONE).not_key()],
        channels: Channels::Subscribe,
        summary: "Listens for messages published to shard channels.",
        complexity: "O(N) in the number of channels.",
        args: &[Arg::new("shardchannel", ArgKind::String).multiple()],
        ..super::BASE
    },
    handler: |ctx, args| subscribe(ctx, args, Space::Shard),
};

fn subscribe(ctx: &mut SessionCtx<'_>, args: &Args<'_>, space: Space) -> SessionResult {
    let word = match space {
        Space::Channel => "subscribe",
        Space::Pattern => "psubscribe",
        Space::Shard => "ssubscribe",
    };
    for name in args.from(1) {
        ctx.pubsub.subscribe(ctx.session.id, space, name);
        ctx.session.subscribed = ctx.pubsub.counts(ctx.session.id);
        confirm(ctx, word, Some(name), space);
    }
    Ok(SessionOutcome::Done)
}

/// `[word, name, subscriptions left]`.
pub fn confirm(ctx: &mut SessionCtx<'_>, word: &str, name: Option<&[u8]>, space: Space) {
    let count = ctx.session.subscribed.shown_for(space);
    let is_muted = ctx.reply.out().is_muted();
    ctx.reply.out().set_muted(false);
    ctx.reply.push(3);
    ctx.reply.bulk(word.as_bytes());
    match name {
        Some(name) => ctx.reply.bulk(name),
        None => ctx.reply.null(),
    }
    ctx.reply.int(count as i64);
    ctx.reply.out().set_muted(is_muted);
}

/// Ends all subscriptions without a word.
pub fn forget_all(ctx: &mut SessionCtx<'_>) {
    ctx.pubsub.remove_client(ctx.session.id);
    ctx.session.subscribed = ctx.pubsub.counts(ctx.session.id);
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn each_name_is_confirmed_with_the_number_of_subscriptions() {
        let mut world = World::new();
        assert_eq!(world.run("SUBSCRIBE a b a"), "*3 $subscribe $a :1 *3 $subscribe $b :2 *3 $subscribe $a :2");
        assert_eq!(world.run("PSUBSCRIBE p*"), "*3 $psubscribe $p* :3");
        assert_eq!(world.run("SSUBSCRIBE s"), "*3 $ssubscribe $s :1");
        assert_eq!(world.session.subscribed.total(), 4);
        world.run("HELLO 3");
        assert_eq!(world.run("SUBSCRIBE c"), ">3 $subscribe $c :4");
    }

    #[test]
    fn confirmations_come_even_when_replies_are_off() {
        let mut world = World::new();
        world.run("CLIENT REPLY OFF");
        assert_eq!(world.run("SUBSCRIBE a"), "*3 $subscribe $a :1");
        assert_eq!(world.run("PING"), "");
    }
}
