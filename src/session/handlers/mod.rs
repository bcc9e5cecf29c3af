//! The commands about one's own connection. A program lists [`TABLE`] and [`CONTAINERS`], or the part of them it serves.

mod acl;
mod auth;
mod client;
mod command;
mod echo;
mod hello;
mod ping;
mod pubsub;
mod quit;
mod reset;
mod select;
#[cfg(test)]
mod testing;

pub use client::BASE as CLIENT_BASE;
pub use pubsub::publish::publish;

use crate::session::SessionHandler;
use crate::spec::{Meta, Spec};

/// Single commands and subcommands. The families are [`FAMILIES`].
pub const TABLE: &[&Spec<SessionHandler>] =
    &[&auth::SPEC, &echo::SPEC, &hello::SPEC, &ping::SPEC, &quit::SPEC, &reset::SPEC, &select::SPEC];

/// CLIENT, COMMAND, the channels, ACL.
pub const FAMILIES: &[&[&Spec<SessionHandler>]] = &[TABLE, client::TABLE, command::TABLE, pubsub::TABLE, acl::TABLE];

/// Commands that are the sum of their subcommands.
pub const CONTAINERS: &[&Meta] = &[&client::CONTAINER, &pubsub::CONTAINER, &acl::CONTAINER];

/// What a container's HELP does: it reads the command table.
macro_rules! help_command {
    ($container:literal, $group:expr, $since:literal, $flags:expr, $categories:expr) => {
        /// HELP of the container.
        pub const HELP: crate::spec::Spec<crate::session::SessionHandler> = crate::spec::Spec {
            meta: crate::spec::Meta {
                name: "help",
                container: $container,
                group: $group,
                since: $since,
                arity: crate::spec::Arity::Exactly(2),
                flags: $flags,
                categories: $categories,
                summary: "Lists the subcommands.",
                ..crate::spec::Meta::NEW
            },
            handler: |ctx, _| {
                crate::spec::docs::reply_help(&mut ctx.reply, ctx.catalog, $container);
                Ok(crate::session::SessionOutcome::Done)
            },
        };
    };
}
use help_command;
