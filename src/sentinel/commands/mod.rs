//! What a Sentinel can be asked. Reading commands answer from the core's own view; changing ones become an
//! [`Act`] that the shell hands to the core, whose answer may wait for the disk.

mod change;
mod config;
mod general;
mod help;
mod info;
mod listing;
mod scripts;

use crate::base::time::Now;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::sentinel::core::Sentinel;
use crate::sentinel::core::instance::Master;
use crate::sentinel::core::io::{Command, DownQuestion};
use crate::sentinel::core::view::Field;
use crate::sentinel::shell::Figures;
use crate::spec::{Arity, Flags, Group, Meta, Spec};

/// What a handler sees.
pub struct View<'a> {
    /// The core.
    pub sentinel: &'a Sentinel,
    /// The program around it.
    pub figures: &'a Figures,
    /// The moment.
    pub now: Now,
}

/// What follows from a command.
pub enum Act {
    /// The reply is written.
    Answered,
    /// The core is to change something; its answer is the reply.
    Change(Command),
    /// A peer asks whether a master is down, and for a vote.
    Question(DownQuestion),
    /// A peer's hello; the reply is `:1`.
    Hello(Vec<u8>),
    /// The log level is to be asked for or set: part of SENTINEL CONFIG.
    Leave,
}

/// A Sentinel command. The error is the wire text, prefix included.
pub type SentinelHandler = fn(&View<'_>, &Args<'_>, &mut Reply<'_>) -> Result<Act, String>;

/// All commands that are a Sentinel's own.
pub const TABLE: &[&[&Spec<SentinelHandler>]] =
    &[change::TABLE, config::TABLE, general::TABLE, help::TABLE, listing::TABLE, scripts::TABLE];

/// SENTINEL itself.
pub const CONTAINERS: &[&Meta] = &[&Meta {
    name: "sentinel",
    group: Group::Sentinel,
    since: "2.8.4",
    arity: Arity::AtLeast(2),
    flags: FLAGS,
    summary: "A container for Sentinel commands.",
    complexity: "Depends on the subcommand.",
    ..Meta::NEW
}];

const FLAGS: Flags = Flags::ADMIN.and(Flags::SENTINEL).and(Flags::ONLY_SENTINEL);

/// What every subcommand's declaration starts from.
const BASE: Meta = Meta { container: "sentinel", group: Group::Sentinel, since: "2.8.4", flags: FLAGS, ..Meta::NEW };

/// The master named by word `index`.
fn master<'a>(view: &View<'a>, args: &Args<'_>, index: usize) -> Result<&'a Master, String> {
    let name = String::from_utf8_lossy(args.get(index));
    view.sentinel.master(&name).ok_or_else(|| "ERR No such master with that name".to_owned())
}

/// An instance as a map of texts.
fn write_fields(reply: &mut Reply<'_>, fields: &[Field]) {
    reply.map(fields.len());
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
}

/// A word as text.
fn text(args: &Args<'_>, index: usize) -> String {
    String::from_utf8_lossy(args.get(index)).into_owned()
}
