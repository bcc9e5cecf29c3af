//! Commands that see the whole server. One file each, with its declaration.

mod bgrewriteaof;
mod bgsave;
mod cluster;
mod config;
mod dbsize;
mod debug;
mod failover;
mod flush;
mod info;
mod lastsave;
mod latency;
mod latency_text;
mod lolwut;
mod memory;
mod migrate;
mod module;
mod monitor;
mod psync;
mod replconf;
mod replicaof;
mod role;
mod save;
mod shutdown;
mod slowlog;
mod swapdb;
mod time;
mod wait;
mod waitaof;

use crate::commands::contract::CommandResult;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::session::Session;
use crate::spec::{Meta, Spec};

/// A command that sees the whole server.
pub type AdminHandler = for<'t, 'a, 'r> fn(&mut Turn<'t>, &mut Session, &Args<'a>, Reply<'r>) -> CommandResult;

/// The handler of a container's HELP: it reads the command table.
macro_rules! help_handler {
    ($container:literal) => {
        |turn, _, _, mut reply| {
            crate::spec::docs::reply_help(&mut reply, turn.server.table.catalog(), $container);
            Ok(crate::commands::contract::Outcome::Done)
        }
    };
}
use help_handler;

/// All of them.
pub const TABLE: &[&Spec<AdminHandler>] = &[
    &bgrewriteaof::SPEC,
    &bgsave::SPEC,
    &config::GET,
    &config::HELP,
    &config::RESETSTAT,
    &config::REWRITE,
    &config::SET,
    &dbsize::SPEC,
    &debug::SPEC,
    &failover::SPEC,
    &flush::FLUSHALL,
    &flush::FLUSHDB,
    &info::SPEC,
    &lastsave::SPEC,
    &latency::DOCTOR,
    &latency::GRAPH,
    &latency::HELP,
    &latency::HISTOGRAM,
    &latency::HISTORY,
    &latency::LATEST,
    &latency::RESET,
    &lolwut::SPEC,
    &memory::DOCTOR,
    &memory::HELP,
    &memory::MALLOC_STATS,
    &memory::STATS,
    &migrate::SPEC,
    &module::HELP,
    &module::LIST,
    &module::LOAD,
    &module::LOADEX,
    &module::UNLOAD,
    &monitor::SPEC,
    &psync::PSYNC,
    &psync::SYNC,
    &replconf::SPEC,
    &replicaof::REPLICAOF,
    &replicaof::SLAVEOF,
    &role::SPEC,
    &save::SPEC,
    &shutdown::SPEC,
    &slowlog::GET,
    &slowlog::HELP,
    &slowlog::LEN,
    &slowlog::RESET,
    &swapdb::SPEC,
    &time::SPEC,
    &wait::SPEC,
    &waitaof::SPEC,
];

/// What a cluster would be asked.
pub use cluster::TABLE as CLUSTER;

/// Commands that only hold subcommands.
pub const CONTAINERS: &[&Meta] =
    &[&cluster::CONTAINER, &config::CONTAINER, &latency::CONTAINER, &module::CONTAINER, &slowlog::CONTAINER];
