//! INFO: what the server says about itself, one file per section, in Redis's order.
//!
//! A field is there when it has a subject. What rredis does not have (forks, modules, a cluster bus) has no figures.

mod clients;
mod commands;
mod cpu;
mod keyspace;
mod memory;
mod persistence;
mod replication;
mod server;
mod stats;

pub use memory::Overhead;

use crate::server::Turn;
use crate::stats::info::{InfoWriter, Sections};

/// Writes one section.
type Section = fn(&mut Turn<'_>, &mut InfoWriter);

/// When a section is shown besides when it is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// By a plain INFO.
    Always,
    /// By INFO all.
    WithAll,
    /// Never.
    Named,
}

use Shown::{Always, Named, WithAll};

/// Name, when it is shown, writer.
const SECTIONS: &[(&str, Shown, Section)] = &[
    ("server", Always, server::write),
    ("clients", Always, clients::write),
    ("memory", Always, memory::write),
    ("persistence", Always, persistence::write),
    ("stats", Always, stats::write),
    ("replication", Always, replication::write),
    ("cpu", Always, cpu::write),
    ("modules", Always, server::write_modules),
    ("commandstats", WithAll, commands::write_commands),
    ("errorstats", Always, commands::write_errors),
    ("latencystats", WithAll, commands::write_latencies),
    ("cluster", Always, server::write_cluster),
    ("keyspace", Always, keyspace::write),
    ("debug", Named, stats::write_debug),
];

/// The text of the sections asked for.
pub fn text(turn: &mut Turn<'_>, sections: &Sections) -> String {
    let mut info = InfoWriter::new();
    for (name, shown, write) in SECTIONS {
        let is_named = sections.names(name);
        if is_named || *shown != Named && sections.wants(name, *shown == Always) {
            write(turn, &mut info);
        }
    }
    info.finish()
}
