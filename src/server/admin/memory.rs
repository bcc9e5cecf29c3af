//! MEMORY STATS, DOCTOR, MALLOC-STATS, HELP: where the memory goes. What looks at one key is in `commands/generic/memory.rs`.
//!
//! Reply:   STATS: a map of figures; what the allocator holds is taken from what the process holds. DOCTOR and MALLOC-STATS: text.
//! Source:  redis.io/commands/memory-stats, since 4.0.0.

use crate::commands::contract::{CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::server::info::Overhead;
use crate::session::Session;
use crate::spec::{Arity, Flags, Group, Meta, Spec};

const BASE: Meta = Meta {
    container: "memory",
    group: Group::Server,
    since: "4.0.0",
    arity: Arity::Exactly(2),
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Meta::NEW
};

/// MEMORY DOCTOR.
pub const DOCTOR: Spec<AdminHandler> = Spec {
    meta: Meta { name: "doctor", summary: "Returns a report on the use of memory, with advice.", ..BASE },
    handler: doctor,
};

/// MEMORY HELP.
pub const HELP: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "help",
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Describes the subcommands.",
        tips: &[],
        ..BASE
    },
    handler: super::help_handler!("memory"),
};

/// MEMORY MALLOC-STATS.
pub const MALLOC_STATS: Spec<AdminHandler> = Spec {
    meta: Meta { name: "malloc-stats", summary: "Returns the allocator's own figures, if it has any.", ..BASE },
    handler: |_, _, _, mut reply| {
        // Redis says this in a text, and not as an error, of allocators other than its own.
        reply.verbatim("txt", b"Stats not supported for the current allocator");
        Ok(Outcome::Done)
    },
};

/// MEMORY STATS.
pub const STATS: Spec<AdminHandler> =
    Spec { meta: Meta { name: "stats", summary: "Returns where the memory goes.", ..BASE }, handler: stats };

fn stats(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let memory = Overhead::now(turn);
    let keyspace = &turn.server.engine.keyspace;
    let sizes = keyspace.sizes(turn.server.engine.now.wall());
    let keys: u64 = sizes.iter().map(|size| size.keys as u64).sum();
    let net = memory.used.saturating_sub(memory.startup);
    let dataset = memory.dataset();
    let first = [
        ("peak.allocated", memory.peak),
        ("total.allocated", memory.used),
        ("startup.allocated", memory.startup),
        ("replication.backlog", memory.backlog),
        ("clients.slaves", memory.replicas),
        ("clients.normal", memory.clients),
        ("cluster.links", 0),
        ("aof.buffer", memory.aof_buffer),
        ("lua.caches", memory.scripts),
        ("functions.caches", memory.functions),
    ];
    let then = [
        ("overhead.total", memory.total()),
        ("keys.count", keys),
        ("keys.bytes-per-key", net.checked_div(keys).unwrap_or_default()),
        ("dataset.bytes", dataset),
    ];
    let ratios =
        [("dataset.percentage", percent(dataset, net)), ("peak.percentage", percent(memory.used, memory.peak))];
    reply.map(first.len() + sizes.len() + then.len() + ratios.len() + 11);
    for (name, value) in first {
        reply.bulk(name.as_bytes());
        reply.int(value as i64);
    }
    for size in &sizes {
        reply.bulk_display(format_args!("db.{}", size.db));
        reply.map(3);
        reply.bulk(b"overhead.hashtable.main");
        reply.int(keyspace.index_memory_of(size.db) as i64);
        // An expiry is a part of its key's entry, and there are no slots.
        reply.bulk(b"overhead.hashtable.expires");
        reply.int(0);
        reply.bulk(b"overhead.hashtable.slot-to-keys");
        reply.int(0);
    }
    for (name, value) in then {
        reply.bulk(name.as_bytes());
        reply.int(value as i64);
    }
    for (name, value) in ratios {
        reply.bulk(name.as_bytes());
        reply.double(value);
    }
    for (name, value) in [
        ("allocator.allocated", memory.used),
        ("allocator.active", memory.active()),
        ("allocator.resident", memory.active()),
    ] {
        reply.bulk(name.as_bytes());
        reply.int(value as i64);
    }
    for (name, whole, part) in [
        ("allocator-fragmentation", memory.active(), memory.used),
        ("allocator-rss", memory.active(), memory.active()),
        ("rss-overhead", memory.resident, memory.active()),
    ] {
        reply.bulk_display(format_args!("{name}.ratio"));
        reply.double(whole as f64 / part.max(1) as f64);
        reply.bulk_display(format_args!("{name}.bytes"));
        reply.int(whole as i64 - part as i64);
    }
    reply.bulk(b"fragmentation");
    reply.double(memory.fragmentation());
    reply.bulk(b"fragmentation.bytes");
    reply.int(memory.resident as i64 - memory.used as i64);
    Ok(Outcome::Done)
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// Below this there is nothing to say.
const LITTLE: u64 = 5 * 1024 * 1024;
/// Waste below this is not worth a word.
const WASTE: u64 = 10 * 1024 * 1024;
/// A client should not hold more on average.
const CLIENT: u64 = 200 * 1024;
/// More scripts than this were hardly written by people.
const SCRIPTS: usize = 1000;

fn doctor(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let memory = Overhead::now(turn);
    let text = diagnosis(&memory, turn.server.clients.len() as u64, turn.server.engine.scripts.len());
    reply.verbatim("txt", text.as_bytes());
    Ok(Outcome::Done)
}

/// The report.
fn diagnosis(memory: &Overhead, clients: u64, scripts: usize) -> String {
    if memory.used < LITTLE {
        return "There is next to nothing in memory, so there is nothing to say about it.\n".to_owned();
    }
    let found: Vec<&str> = [
        (
            memory.peak > memory.used + memory.used / 2,
            "Peak: at one time more than one and a half times as much was in use as is now. What was freed may stay with the \
             process for a while, to be used again.",
        ),
        (
            memory.fragmentation() > 1.4 && memory.resident.saturating_sub(memory.used) > WASTE,
            "Resident memory: the process holds much more than is in use. After a peak this passes; otherwise sizes of values \
             change so often that the free places do not fit.",
        ),
        (
            memory.clients / clients.max(1) > CLIENT,
            "Clients: their buffers are large on average. CLIENT LIST (tot-mem, omem, qbuf) tells whose; subscribers that do \
             not read and very long pipelines are the usual reasons. maxmemory-clients and client-output-buffer-limit set \
             limits.",
        ),
        (
            memory.replicas > WASTE,
            "Replicas: much waits to be sent to them. INFO replication tells which of them lags.",
        ),
        (
            scripts > SCRIPTS,
            "Scripts: more than a thousand are kept. Programs should not write a new script for each call, but give the \
             differences as KEYS and ARGV.",
        ),
    ]
    .into_iter()
    .filter(|(is_found, _)| *is_found)
    .map(|(_, text)| text)
    .collect();
    if found.is_empty() {
        return "Nothing about the use of memory stands out.\n".to_owned();
    }
    let lines: String = found.iter().map(|text| format!(" * {text}\n\n")).collect();
    format!("What stands out about the use of memory:\n\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_what_stands_out_and_nothing_else() {
        let mb = 1024 * 1024;
        let calm = Overhead { used: 100 * mb, peak: 100 * mb, resident: 110 * mb, ..Overhead::default() };
        assert!(diagnosis(&calm, 1, 0).starts_with("Nothing"));
        assert!(diagnosis(&Overhead { used: mb, ..calm }, 1, 5000).starts_with("There is next to nothing"));
        let bad = Overhead { peak: 151 * mb, resident: 141 * mb, clients: 100 * mb, replicas: 11 * mb, ..calm };
        let text = diagnosis(&bad, 10, 1001);
        for word in ["Peak:", "Resident memory:", "Clients:", "Replicas:", "Scripts:"] {
            assert!(text.contains(word), "{text}");
        }
        assert!(!diagnosis(&bad, 1000, 1000).contains("Clients:"));
    }
}
