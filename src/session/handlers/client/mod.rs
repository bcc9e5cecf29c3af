//! CLIENT: everything about connections.

mod getredir;
mod id;
mod kill;
mod list;
pub(super) mod name;
mod no_evict;
mod pause;
mod reply_mode;
mod setinfo;
mod trackinginfo;
mod unblock;

use super::help_command;
use crate::session::SessionHandler;
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// The container.
pub const CONTAINER: Meta = Meta {
    name: "client",
    group: Group::Connection,
    since: "2.4.0",
    arity: Arity::AtLeast(2),
    flags: Flags::SENTINEL,
    summary: "Everything about connections.",
    ..Meta::NEW
};

/// What all subcommands share.
pub const BASE: Meta = Meta {
    container: "client",
    group: Group::Connection,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::SENTINEL),
    categories: Category::CONNECTION,
    ..Meta::NEW
};

/// The same for those that concern other clients.
const ADMIN: Meta = Meta { flags: BASE.flags.and(Flags::ADMIN), ..BASE };

help_command!(
    "client",
    Group::Connection,
    "5.0.0",
    Flags::LOADING.and(Flags::STALE).and(Flags::SENTINEL),
    Category::CONNECTION
);

/// The subcommands.
pub const TABLE: &[&Spec<SessionHandler>] = &[
    &getredir::SPEC,
    &name::GETNAME,
    &HELP,
    &id::SPEC,
    &list::INFO,
    &kill::SPEC,
    &list::LIST,
    &no_evict::NO_EVICT,
    &no_evict::NO_TOUCH,
    &pause::PAUSE,
    &reply_mode::SPEC,
    &setinfo::SPEC,
    &name::SETNAME,
    &trackinginfo::SPEC,
    &unblock::SPEC,
    &pause::UNPAUSE,
];
