//! ACL: users, what they may do, and what was refused. The file that LOAD and SAVE need hangs on the users.

mod cat;
mod dryrun;
mod file;
mod genpass;
mod getuser;
mod list;
mod log;
mod setuser;

use super::help_command;
use crate::session::SessionHandler;
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// The container.
pub const CONTAINER: Meta = Meta {
    name: "acl",
    group: Group::Server,
    since: "6.0.0",
    arity: Arity::AtLeast(2),
    flags: Flags::SENTINEL,
    summary: "Users and what they may do.",
    ..Meta::NEW
};

/// What the subcommands share that everybody may call.
const BASE: Meta = Meta {
    container: "acl",
    group: Group::Server,
    since: "6.0.0",
    arity: Arity::AtLeast(2),
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::SENTINEL),
    ..Meta::NEW
};

/// The same for administrators.
const ADMIN: Meta = Meta { flags: BASE.flags.and(Flags::ADMIN), ..BASE };

help_command!("acl", Group::Server, "6.0.0", Flags::LOADING.and(Flags::STALE).and(Flags::SENTINEL), Category::NONE);

/// The subcommands.
pub const TABLE: &[&Spec<SessionHandler>] = &[
    &cat::SPEC,
    &setuser::DELUSER,
    &dryrun::SPEC,
    &genpass::SPEC,
    &getuser::SPEC,
    &HELP,
    &list::LIST,
    &file::LOAD,
    &log::SPEC,
    &file::SAVE,
    &setuser::SETUSER,
    &list::USERS,
    &list::WHOAMI,
];
