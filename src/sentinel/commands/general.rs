//! INFO, ROLE, PUBLISH, SHUTDOWN: commands of every server that mean something else here.

use super::{Act, SentinelHandler, View, info};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::sentinel::core::HELLO_CHANNEL;
use crate::spec::{Arg, ArgKind, Arity, Category, Channels, Flags, Group, Meta, Spec};
use crate::stats::info::Sections;

const INFO: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "info",
        group: Group::Server,
        arity: Arity::AtLeast(1),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::SENTINEL),
        categories: Category::DANGEROUS,
        summary: "Returns what the Sentinel says about itself, by section.",
        args: &[Arg::new("section", ArgKind::String).optional().multiple()],
        ..Meta::NEW
    },
    handler: |view, args, reply| {
        reply.verbatim("txt", info::text(view, &Sections::parse(args.from(1))).as_bytes());
        Ok(Act::Answered)
    },
};

const ROLE: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "role",
        group: Group::Server,
        since: "2.8.12",
        flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::SENTINEL),
        categories: Category::ADMIN.and(Category::DANGEROUS),
        summary: "Returns the role, and the names of the monitored masters.",
        ..Meta::NEW
    },
    handler: |view, _, reply| {
        reply.array(2);
        reply.bulk(b"sentinel");
        reply.array(view.sentinel.masters().len());
        view.sentinel.masters().iter().for_each(|master| reply.bulk(master.instance.name.as_bytes()));
        Ok(Act::Answered)
    },
};

const PUBLISH: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "publish",
        group: Group::Pubsub,
        since: "2.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::PUBSUB
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::FAST)
            .and(Flags::MAY_REPLICATE)
            .and(Flags::SENTINEL),
        channels: Channels::Publish,
        summary: "Tells a hello, as another Sentinel.",
        args: &[Arg::new("channel", ArgKind::String), Arg::new("message", ArgKind::String)],
        ..Meta::NEW
    },
    handler: publish,
};

const SHUTDOWN: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "shutdown",
        group: Group::Server,
        arity: Arity::AtLeast(1),
        flags: Flags::ADMIN
            .and(Flags::NOSCRIPT)
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::NO_MULTI)
            .and(Flags::SENTINEL)
            .and(Flags::ALLOW_BUSY),
        summary: "Ends the Sentinel.",
        ..Meta::NEW
    },
    handler: shutdown,
};

/// The family.
pub const TABLE: &[&Spec<SentinelHandler>] = &[&INFO, &ROLE, &PUBLISH, &SHUTDOWN];

fn publish(_: &View<'_>, args: &Args<'_>, _: &mut Reply<'_>) -> Result<Act, String> {
    if args.get(1) != HELLO_CHANNEL {
        return Err("ERR Only HELLO messages are accepted by Sentinel instances.".to_owned());
    }
    Ok(Act::Hello(args.get(2).to_vec()))
}

fn shutdown(_: &View<'_>, args: &Args<'_>, _: &mut Reply<'_>) -> Result<Act, String> {
    let is_known = |word: &[u8]| {
        ["nosave", "save", "now", "force"].iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
    };
    if args.len() == 2 && args.is(1, "abort") {
        return Err("ERR No shutdown in progress.".to_owned());
    }
    if !args.from(1).all(is_known) {
        return Err("ERR syntax error".to_owned());
    }
    Ok(Act::Leave)
}
