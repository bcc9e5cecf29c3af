//! COMMAND: the command table, for clients that read it.

mod getkeys;
mod info;
mod list;

use super::help_command;
use crate::session::SessionHandler;
use crate::spec::{Category, Flags, Group, Meta, Spec};

/// What all subcommands share.
const BASE: Meta = Meta {
    container: "command",
    group: Group::Server,
    since: "2.8.13",
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::SENTINEL),
    categories: Category::CONNECTION,
    ..Meta::NEW
};

help_command!("command", Group::Server, "5.0.0", BASE.flags, BASE.categories);

/// COMMAND and its subcommands.
pub const TABLE: &[&Spec<SessionHandler>] = &[
    &info::COMMAND,
    &list::COUNT,
    &info::DOCS,
    &getkeys::GETKEYS,
    &getkeys::GETKEYSANDFLAGS,
    &HELP,
    &info::INFO,
    &list::LIST,
];
