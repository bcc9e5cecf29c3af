//! MODULE LIST, LOAD, LOADEX, UNLOAD, HELP: modules written in C cannot be loaded, so that none is there.
//!
//! Reply:   LIST: an empty array.
//! Errors:  LOAD and LOADEX are refused; UNLOAD finds no module of that name.
//! Source:  redis.io/commands/module-list, since 4.0.0.

use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::config::values::Allowed;
use crate::server::admin::AdminHandler;
use crate::server::{Turn, is_local};
use crate::session::Session;
use crate::spec::{Arg, ArgKind, Arity, Flags, Group, Meta, Spec};

/// The container.
pub const CONTAINER: Meta = Meta {
    name: "module",
    group: Group::Server,
    since: "4.0.0",
    arity: Arity::AtLeast(2),
    summary: "What is asked about modules; there are none here.",
    complexity: "Depends on the subcommand.",
    ..Meta::NEW
};

const BASE: Meta = Meta {
    container: "module",
    group: Group::Server,
    since: "4.0.0",
    flags: Flags::ADMIN.and(Flags::NOSCRIPT),
    ..Meta::NEW
};

const CHANGE: Meta = Meta { flags: BASE.flags.and(Flags::NO_ASYNC_LOADING).and(Flags::PROTECTED), ..BASE };

/// MODULE HELP.
pub const HELP: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "help",
        since: "5.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Lists the subcommands.",
        ..BASE
    },
    handler: super::help_handler!("module"),
};

/// MODULE LIST.
pub const LIST: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "list",
        arity: Arity::Exactly(2),
        summary: "Returns the modules that are loaded: none.",
        tips: &["nondeterministic_output_order"],
        ..BASE
    },
    handler: |_, _, _, mut reply| {
        reply.array(0);
        Ok(Outcome::Done)
    },
};

/// MODULE LOAD.
pub const LOAD: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "load",
        arity: Arity::AtLeast(3),
        summary: "Would load a module.",
        args: &[Arg::new("path", ArgKind::String), Arg::new("arg", ArgKind::String).optional().multiple()],
        ..CHANGE
    },
    handler: |turn, session, _, _| refuse(turn, session, CANNOT_LOAD),
};

/// MODULE LOADEX.
pub const LOADEX: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "loadex",
        since: "7.0.0",
        arity: Arity::AtLeast(3),
        summary: "Would load a module with settings.",
        args: &[Arg::new("path", ArgKind::String)],
        ..CHANGE
    },
    handler: |turn, session, _, _| refuse(turn, session, CANNOT_LOAD),
};

/// MODULE UNLOAD.
pub const UNLOAD: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "unload",
        arity: Arity::Exactly(3),
        summary: "Would unload a module.",
        args: &[Arg::new("name", ArgKind::String)],
        ..CHANGE
    },
    handler: |turn, session, _, _| refuse(turn, session, "Error unloading module: no such module with that name"),
};

const CANNOT_LOAD: &str = "Error loading the extension: modules written in C cannot be loaded by this server";

/// Whoever may not use these is told so, everybody else the reason.
fn refuse(turn: &Turn<'_>, session: &Session, reason: &'static str) -> CommandResult {
    let is_allowed = match turn.server.engine.config.security.enable_module_command {
        Allowed::Yes => true,
        Allowed::Local => is_local(session),
        Allowed::No => false,
    };
    Err(CommandError::err(if is_allowed {
        reason
    } else {
        "MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a local \
         connection, otherwise you need to set this option in the configuration file, and then restart the server."
    }).into())
}
