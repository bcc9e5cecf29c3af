//! PUBLISH channel message, SPUBLISH channel message: a message to everybody who listens.
//!
//! Reply:   how many clients received it. Replicas receive the command; the AOF does not.

use crate::base::id::ClientId;
use crate::pubsub::{Message, PubSub};
use crate::resp::args::Args;
use crate::session::{Peers, Session, SessionCtx, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Access, Arg, ArgKind, Arity, Channels, Flags, Group, KeySpec, Meta, Spec};

const BASE: Meta = Meta {
    group: Group::Pubsub,
    arity: Arity::Exactly(3),
    flags: Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::MAY_REPLICATE),
    channels: Channels::Publish,
    complexity: "O(N+M) in the number of subscribers and of patterns.",
    ..Meta::NEW
};

/// PUBLISH.
pub const PUBLISH: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "publish",
        since: "2.0.0",
        flags: BASE.flags.and(Flags::SENTINEL),
        summary: "Sends a message to the subscribers of a channel.",
        args: &[Arg::new("channel", ArgKind::String), Arg::new("message", ArgKind::String)],
        ..BASE
    },
    handler: |ctx, args| {
        let receivers = publish(ctx.pubsub, ctx.peers, ctx.session, args.get(1), args.get(2));
        ctx.reply.int(receivers as i64);
        Ok(SessionOutcome::ToReplicas)
    },
};

/// SPUBLISH.
pub const SPUBLISH: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "spublish",
        since: "7.0.0",
        keys: &[KeySpec::one(1, Access::NONE).not_key()],
        summary: "Sends a message to the subscribers of a shard channel.",
        complexity: "O(N) in the number of subscribers.",
        args: &[Arg::new("shardchannel", ArgKind::String), Arg::new("message", ArgKind::String)],
        ..BASE
    },
    handler: spublish,
};

fn spublish(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let (session, peers) = (&mut *ctx.session, &mut *ctx.peers);
    let receivers = ctx.pubsub.publish_shard(args.get(1), args.get(2), &mut |to, message| {
        hand_over(session, peers, to, message);
    });
    ctx.reply.int(receivers as i64);
    Ok(SessionOutcome::ToReplicas)
}

/// Publishes on behalf of a command of `session`: what the client itself subscribed to follows that command's reply.
pub fn publish(pubsub: &PubSub, peers: &mut dyn Peers, session: &mut Session, channel: &[u8], payload: &[u8]) -> usize {
    pubsub.publish(channel, payload, &mut |to, message| hand_over(session, peers, to, message))
}

fn hand_over(session: &mut Session, peers: &mut dyn Peers, to: ClientId, message: &Message<'_>) {
    if to == session.id {
        session.pending_pushes.push(message.encoded(session.push_proto()).clone());
    } else {
        peers.deliver(to, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::base::id::ClientId;
    use crate::pubsub::Space;
    use crate::resp::reply::Proto;
    use crate::session::SessionOutcome;
    use crate::session::handlers::testing::World;

    #[test]
    fn everybody_who_listens_receives_in_the_protocol_of_each() {
        let mut world = World::new();
        world.peer();
        world.peer().proto = Proto::Resp3;
        world.subscribe_peer(11, Space::Channel, "news");
        world.subscribe_peer(10, Space::Pattern, "n*");
        assert_eq!(world.run("PUBLISH news hi"), ":2");
        assert_eq!(world.last_outcome, Some(SessionOutcome::ToReplicas));
        let expected = [(11, ">3 $message $news $hi"), (10, "*4 $pmessage $n* $news $hi")];
        assert_eq!(world.peers.delivered, expected.map(|(id, text)| (ClientId(id), text.to_owned())));
        assert_eq!(world.run("PUBLISH other hi"), ":0");
    }

    #[test]
    fn ones_own_message_follows_the_reply() {
        let mut world = World::new();
        world.run("HELLO 3");
        world.run("SUBSCRIBE a");
        assert_eq!(world.run("PUBLISH a x"), ":1 >3 $message $a $x");
    }

    #[test]
    fn shard_channels_are_apart() {
        let mut world = World::new();
        world.peer();
        world.subscribe_peer(10, Space::Shard, "s");
        assert_eq!((world.run("PUBLISH s x"), world.run("SPUBLISH s x")), (":0".into(), ":1".into()));
        assert_eq!(world.peers.delivered, [(ClientId(10), "*3 $smessage $s $x".to_owned())]);
    }
}
