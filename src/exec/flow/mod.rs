//! Commands that run other commands, or decide which may run: the transaction family. They reach the rest of the
//! program through [`Host`](crate::exec::Host).

pub mod multi;
mod table;

pub use table::TABLE;

use crate::commands::contract::CommandResult;
use crate::exec::{Handler, Host};
use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::session::Session;
use crate::spec::Table;

/// Which one. An enum rather than a function pointer, because these are generic over the program they run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Flow {
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
}

/// Runs it.
pub fn run<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    flow: Flow,
    session: &mut Session,
    args: &Args<'_>,
    out: &mut Out,
) -> CommandResult {
    match flow {
        Flow::Multi => multi::multi(session, out),
        Flow::Exec => multi::exec(host, table, session, out),
        Flow::Discard => multi::discard_command(host.engine(), session, out),
        Flow::Watch => multi::watch(host.engine(), session, args, out),
        Flow::Unwatch => multi::unwatch(host.engine(), session, out),
    }
}
