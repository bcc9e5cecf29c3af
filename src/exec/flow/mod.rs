//! Commands that run other commands, or decide which may run: transactions and scripts. They reach the rest of the
//! program through [`Host`](crate::exec::Host).

pub mod eval;
mod function_table;
pub mod functions;
pub mod multi;
mod script_admin;
mod script_table;
mod table;
mod tracking;

/// Commands that are nothing but the sum of their subcommands.
pub const CONTAINERS: &[&Meta] = &[&function_table::FUNCTION, &script_table::SCRIPT];

/// The families.
pub const TABLES: &[&[&Spec<Flow>]] = &[function_table::TABLE, script_table::TABLE, table::TABLE, tracking::TABLE];

use crate::commands::contract::{CommandResult, Outcome};
use crate::exec::{Handler, Host, reply};
use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::session::Session;
use crate::spec::{Meta, Spec, Table, docs};

/// Which one. An enum rather than a function pointer, because these are generic over the program they run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Flow {
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
    Eval(eval::Form),
    ScriptLoad,
    ScriptExists,
    ScriptFlush,
    ScriptKill {
        is_function: bool,
    },
    ScriptDebug,
    Fcall {
        is_read_only: bool,
    },
    FunctionLoad,
    FunctionDelete,
    FunctionFlush,
    FunctionDump,
    FunctionRestore,
    FunctionList,
    FunctionStats,
    Tracking,
    Caching,
    /// HELP of a container.
    Help(&'static str),
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
        Flow::Eval(form) => eval::eval(host, table, form, session, args, out),
        Flow::ScriptLoad => script_admin::load(host.engine(), session, args, out),
        Flow::ScriptExists => script_admin::exists(host.engine(), session, args, out),
        Flow::ScriptFlush => script_admin::flush(host.engine(), session, args, out),
        Flow::ScriptKill { is_function } => script_admin::kill(host.engine(), session, is_function, out),
        Flow::ScriptDebug => script_admin::debug(session, args, out),
        Flow::Fcall { is_read_only } => functions::fcall(host, table, is_read_only, session, args, out),
        Flow::FunctionLoad => functions::load(host, session, args, out),
        Flow::FunctionDelete => functions::delete(host.engine(), session, args, out),
        Flow::FunctionFlush => functions::flush(host.engine(), session, args, out),
        Flow::FunctionDump => functions::dump(host.engine(), session, out),
        Flow::FunctionRestore => functions::restore(host, session, args, out),
        Flow::FunctionList => functions::list(host.engine(), session, args, out),
        Flow::FunctionStats => functions::stats(host, session, out),
        Flow::Tracking => tracking::tracking(host, session, args, out),
        Flow::Caching => tracking::caching(session, args, out),
        Flow::Help(container) => {
            docs::reply_help(&mut reply(session, out), table.catalog(), container);
            Ok(Outcome::Done)
        }
    }
}
