//! Channels: subscribing, publishing, and PUBSUB.

mod introspect;
pub mod publish;
pub(super) mod subscribe;
mod unsubscribe;

use super::help_command;
use crate::session::SessionHandler;
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// The container PUBSUB.
pub const CONTAINER: Meta = Meta {
    name: "pubsub",
    group: Group::Pubsub,
    since: "2.8.0",
    arity: Arity::AtLeast(2),
    summary: "Tells about channels and subscriptions.",
    ..Meta::NEW
};

/// What commands that subscribe share.
const BASE: Meta = Meta {
    group: Group::Pubsub,
    since: "2.0.0",
    flags: Flags::PUBSUB.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    ..Meta::NEW
};

help_command!("pubsub", Group::Pubsub, "6.2.0", Flags::LOADING.and(Flags::STALE), Category::NONE);

/// The family.
pub const TABLE: &[&Spec<SessionHandler>] = &[
    &subscribe::PSUBSCRIBE,
    &publish::PUBLISH,
    &introspect::CHANNELS,
    &HELP,
    &introspect::NUMPAT,
    &introspect::NUMSUB,
    &introspect::SHARDCHANNELS,
    &introspect::SHARDNUMSUB,
    &unsubscribe::PUNSUBSCRIBE,
    &publish::SPUBLISH,
    &subscribe::SSUBSCRIBE,
    &subscribe::SUBSCRIBE,
    &unsubscribe::SUNSUBSCRIBE,
    &unsubscribe::UNSUBSCRIBE,
];
