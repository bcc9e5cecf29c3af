//! INFO memory: what is used, what the process holds, and where it goes.

use crate::base::alloc;
use crate::server::Turn;
use crate::server::client_memory::buffers;
use crate::session::Kind;
use crate::stats::info::{InfoWriter, human_bytes};

/// `# Memory`
pub fn write(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    let memory = Overhead::now(turn);
    let server = &turn.server;
    let config = &server.engine.config;
    let (used, peak, rss, startup) = (memory.used, memory.peak, memory.resident, memory.startup);
    let (overhead, dataset) = (memory.total(), memory.dataset());
    let (scripts, functions) = (&server.engine.scripts, &server.engine.functions);
    let vm = (scripts.vm_memory() + functions.vm_memory()) as u64;
    let texts: u64 = functions.texts().iter().map(|text| text.len() as u64).sum();
    let total_system = total_system_bytes();
    let percent = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    info.section("Memory")
        .field("used_memory", used)
        .field("used_memory_human", human_bytes(used))
        .field("used_memory_rss", rss)
        .field("used_memory_rss_human", human_bytes(rss))
        .field("used_memory_peak", peak)
        .field("used_memory_peak_human", human_bytes(peak))
        .field("used_memory_peak_perc", format_args!("{:.2}%", percent(used, peak)))
        .field("used_memory_overhead", overhead)
        .field("used_memory_startup", startup)
        .field("used_memory_dataset", dataset)
        .field("used_memory_dataset_perc", format_args!("{:.2}%", percent(dataset, used.saturating_sub(startup))))
        .field("allocator_allocated", used)
        .field("allocator_active", memory.active())
        .field("allocator_resident", memory.active())
        .field("total_system_memory", total_system)
        .field("total_system_memory_human", human_bytes(total_system))
        .field("used_memory_lua", scripts.vm_memory())
        .field("used_memory_vm_eval", scripts.vm_memory())
        .field("used_memory_lua_human", human_bytes(scripts.vm_memory() as u64))
        .field("used_memory_scripts_eval", scripts.cache_memory())
        .field("number_of_cached_scripts", scripts.len())
        .field("number_of_functions", functions.functions_len())
        .field("number_of_libraries", functions.len())
        .field("used_memory_vm_functions", functions.vm_memory())
        .field("used_memory_vm_total", vm)
        .field("used_memory_vm_total_human", human_bytes(vm))
        .field("used_memory_functions", texts)
        .field("used_memory_scripts", texts + scripts.cache_memory() as u64)
        .field("used_memory_scripts_human", human_bytes(texts + scripts.cache_memory() as u64))
        .field("maxmemory", config.memory.maxmemory)
        .field("maxmemory_human", human_bytes(config.memory.maxmemory))
        .field("maxmemory_policy", config.memory.maxmemory_policy)
        .ratio("allocator_frag_ratio", memory.active() as f64 / used.max(1) as f64)
        .field("allocator_frag_bytes", memory.active() as i64 - used as i64)
        .ratio("allocator_rss_ratio", 1.0)
        .field("allocator_rss_bytes", 0)
        .ratio("rss_overhead_ratio", rss as f64 / memory.active().max(1) as f64)
        .field("rss_overhead_bytes", rss as i64 - memory.active() as i64)
        .ratio("mem_fragmentation_ratio", memory.fragmentation())
        .field("mem_fragmentation_bytes", rss as i64 - used as i64)
        .field("mem_not_counted_for_evict", turn.memory_not_counted())
        .field("mem_replication_backlog", memory.backlog)
        .field("mem_total_replication_buffers", server.replication_memory())
        .field("mem_clients_slaves", memory.replicas)
        .field("mem_clients_normal", memory.clients)
        .field("mem_cluster_links", 0)
        .field("mem_aof_buffer", memory.aof_buffer)
        .field("mem_allocator", "mimalloc")
        .field("active_defrag_running", server.defrag.percent)
        .field("lazyfree_pending_objects", server.engine.keyspace.lazyfree_pending())
        .field("lazyfreed_objects", server.engine.keyspace.lazyfreed());
}

/// What is in use, and what of it is not the data. Bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overhead {
    /// In use altogether.
    pub used: u64,
    /// The most that was in use at one time.
    pub peak: u64,
    /// What the process holds of the machine's memory.
    pub resident: u64,
    /// In use before there were data.
    pub startup: u64,
    /// The backlog of replication.
    pub backlog: u64,
    /// Buffers of replicas.
    pub replicas: u64,
    /// Buffers of all other clients.
    pub clients: u64,
    /// What waits to be written to the append only file.
    pub aof_buffer: u64,
    /// Scripts that are kept.
    pub scripts: u64,
    /// Libraries of functions.
    pub functions: u64,
    /// Tables, without the entries.
    pub tables: u64,
    /// Lua.
    pub interpreter: u64,
}

impl Overhead {
    /// As it is now.
    pub fn now(turn: &Turn<'_>) -> Overhead {
        let server = &turn.server;
        let (mut clients, mut replicas) = (0u64, 0u64);
        for client in server.clients.iter() {
            let (Some(session), Some(socket)) = (client.session.as_deref(), turn.net.conn(client.conn)) else {
                continue;
            };
            let memory = buffers(client, socket, false) + session.memory() as u64;
            match session.kind {
                Kind::Replica => replicas += memory,
                _ => clients += memory,
            }
        }
        // What the backlog holds beyond its size is kept for replicas that lag.
        let (buffers, size) = (server.replication_memory(), server.engine.config.replication.repl_backlog_size);
        let has_replicas = !server.repl.node.master().replicas().is_empty();
        let beyond = if has_replicas { buffers.saturating_sub(size) } else { 0 };
        Overhead {
            peak: alloc::observe_peak().max(alloc::peak_memory()) as u64,
            used: alloc::used_memory() as u64,
            resident: resident_bytes(),
            startup: server.identity.memory_at_start,
            backlog: buffers - beyond,
            replicas: replicas + beyond,
            clients,
            aof_buffer: server.aof.sizes().map_or(0, |sizes| sizes.buffer),
            scripts: server.engine.scripts.cache_memory() as u64,
            functions: server.engine.functions.texts().iter().map(|text| text.len() as u64).sum(),
            tables: server.engine.keyspace.index_memory() as u64,
            interpreter: (server.engine.scripts.vm_memory() + server.engine.functions.vm_memory()) as u64,
        }
    }

    /// All that is not the data.
    pub fn total(&self) -> u64 {
        self.startup
            + self.backlog
            + self.replicas
            + self.clients
            + self.aof_buffer
            + self.scripts
            + self.functions
            + self.tables
    }

    /// The data.
    pub fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.total())
    }

    /// What the allocator holds of the machine's memory, as Redis takes it to be with an allocator that does not say: all that the
    /// process holds, except for the interpreter.
    pub fn active(&self) -> u64 {
        self.resident.saturating_sub(self.interpreter)
    }

    /// How much more the process holds than is in use.
    pub fn fragmentation(&self) -> f64 {
        if self.used == 0 { 0.0 } else { self.resident as f64 / self.used as f64 }
    }
}

/// Pages of this process in memory, in bytes; 0 where /proc does not tell.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}

fn total_system_bytes() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
}
