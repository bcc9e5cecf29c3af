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

/// Name, whether a plain INFO shows it, writer.
const SECTIONS: &[(&str, bool, Section)] = &[
    ("server", true, server::write),
    ("clients", true, clients::write),
    ("memory", true, memory::write),
    ("persistence", true, persistence::write),
    ("stats", true, stats::write),
    ("replication", true, replication::write),
    ("cpu", true, cpu::write),
    ("commandstats", false, commands::write_commands),
    ("errorstats", true, commands::write_errors),
    ("latencystats", false, commands::write_latencies),
    ("cluster", true, server::write_cluster),
    ("keyspace", true, keyspace::write),
];

/// The text of the sections asked for.
pub fn text(turn: &mut Turn<'_>, sections: &Sections) -> String {
    let mut info = InfoWriter::new();
    for (name, is_default, write) in SECTIONS {
        if sections.wants(name, *is_default) {
            write(turn, &mut info);
        }
    }
    info.finish()
}
