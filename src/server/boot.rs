//! From settings to a server that listens.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use crate::acl::Acl;
use crate::acl::file::AclFile;
use crate::base::alloc;
use crate::base::files::{Files, RealFiles};
use crate::base::id::HexId;
use crate::base::log;
use crate::base::process;
use crate::base::rng::Rng;
use crate::base::time::Now;
use crate::commands::contract::DataSettings;
use crate::config::file::{LoadError, Loaded, SourceLine};
use crate::config::model::{Config, Encoding};
use crate::config::startup;
use crate::config::title;
use crate::config::values::{EvictionPolicy, PubsubDefault};
use crate::data::Limits;
use crate::exec::Engine;
use crate::exec::functions::Functions;
use crate::exec::scripts::Scripts;
use crate::keyspace::{Keyspace, Recency};
use crate::net::{ListenOptions, ListenReport, Loop, Net};
use crate::persist::writer::Wake;
use crate::server::apply::port_of;
use crate::server::dispatch::CommandTable;
use crate::server::drivers::aof::Aof;
use crate::server::drivers::repl::Replication;
use crate::server::drivers::saves::Snapshots;
use crate::server::{COMPATIBLE_VERSION, Identity, Server, dispatch, tls};
use crate::session::{Program, Role};
use crate::stats::command::CommandStats;
use crate::stats::slowlog::SlowLog;

impl Server {
    /// A server with these settings and no data.
    pub fn new(
        config: Config,
        identity: Identity,
        mut rng: Rng,
        now: Now,
        files: Arc<dyn Files>,
        wake: Wake,
    ) -> Server {
        let table = dispatch::table();
        let databases = config.keyspace.databases;
        let repl = Replication::new(&config, Rng::seeded(rng.next_u64()), now.mono);
        let snapshots = Snapshots::new(files.clone(), wake.clone(), identity.pid, now);
        let aof = Aof::new(files.clone(), wake, identity.pid, &config);
        let mut engine = Engine {
            keyspace: Keyspace::new(databases, Rng::seeded(rng.next_u64())),
            journal: Default::default(),
            watch: Default::default(),
            tracking: Default::default(),
            blocked: Default::default(),
            pubsub: Default::default(),
            acl: Default::default(),
            settings: DataSettings::default(),
            facts: Default::default(),
            program: Program { version: COMPATIBLE_VERSION, role: Role::Master, databases: databases as usize },
            counters: Default::default(),
            dirty_since_save: 0,
            shortage: Default::default(),
            scripts: Scripts::default(),
            functions: Functions::default(),
            command_stats: CommandStats::new(table.catalog().len()),
            slowlog: SlowLog::new(config.logging.slowlog_log_slower_than, config.logging.slowlog_max_len as usize),
            latency: Default::default(),
            monitors: Vec::new(),
            rng,
            now,
            depth: 0,
            config,
        };
        engine.acl.set_requirepass(&engine.config.security.requirepass);
        let path = &engine.config.security.aclfile;
        engine.acl.file = (!path.as_os_str().is_empty()).then(|| AclFile { path: path.clone(), files });
        let mut server = Server {
            engine,
            clients: Default::default(),
            table: Rc::new(table),
            pauses: Default::default(),
            last_pause: None,
            identity,
            listeners: Vec::new(),
            tls_listeners: Vec::new(),
            workspace: Default::default(),
            defrag: Default::default(),
            over_soft_limit: BTreeSet::new(),
            running_input: None,
            oom_score: Default::default(),
            loop_times: Default::default(),
            killed: Vec::new(),
            unblocked: Vec::new(),
            links: Default::default(),
            repl,
            snapshots,
            aof,
            aof_loading: None,
            loading: None,
            exit_code: 0,
            client_memory: Default::default(),
            cron: Default::default(),
            expire: Default::default(),
            pending_shutdown: None,
            signalled_shutdown: None,
            is_leaving: false,
            is_active_expire_on: true,
            is_cron_paused: false,
            is_checksum_skipped: false,
            lap_us: 0,
        };
        server.refresh_settings();
        server.refresh_facts();
        server.refresh_replication_facts();
        server
    }

    /// Brings everything that was derived from the settings up to date.
    pub fn refresh_settings(&mut self) {
        let engine = &mut self.engine;
        let config = &engine.config;
        let policy = config.memory.maxmemory_policy;
        let is_lfu = matches!(policy, EvictionPolicy::AllkeysLfu | EvictionPolicy::VolatileLfu);
        let is_lru = matches!(policy, EvictionPolicy::AllkeysLru | EvictionPolicy::VolatileLru);
        engine.settings = DataSettings {
            string_bytes_max: config.clients.proto_max_bulk_len,
            databases: config.keyspace.databases as usize,
            is_user_del_lazy: config.memory.lazyfree_lazy_user_del,
            is_server_del_lazy: config.memory.lazyfree_lazy_server_del,
            is_expire_lazy: config.memory.lazyfree_lazy_expire,
            is_past_expiry_deletion: !engine.facts.is_replica && !engine.facts.is_loading,
            is_lfu,
            are_integers_shared: config.memory.maxmemory == 0 || !(is_lfu || is_lru),
            is_checksum_skipped: self.is_checksum_skipped,
            limits: Limits {
                // DEBUG has set it, if anybody.
                list_plain_from: engine.settings.limits.list_plain_from,
                ..limits(&config.encoding)
            },
        };
        engine.keyspace.set_recency(if is_lfu {
            Recency::Lfu { log_factor: config.memory.lfu_log_factor, decay_minutes: config.memory.lfu_decay_time }
        } else {
            Recency::Lru
        });
        engine.latency.threshold_ms = config.logging.latency_monitor_threshold;
        self.client_memory.configure(config);
        engine.slowlog.threshold_usec = config.logging.slowlog_log_slower_than;
        engine.slowlog.set_len_max(config.logging.slowlog_max_len as usize);
        engine.acl.is_pubsub_open = config.security.acl_pubsub_default == PubsubDefault::Allchannels;
        engine.acl.log.set_len_max(config.security.acllog_max_len as usize);
        engine.command_stats.is_tracking = config.logging.latency_tracking;
        engine.refresh_observers();
    }

    /// Brings what the gates look at up to date: roles, pauses, replicas, saves.
    pub fn refresh_facts(&mut self) {
        let is_write_paused = self.pauses.is_write_paused();
        let config = &self.engine.config;
        let facts = &mut self.engine.facts;
        facts.is_replica_read_only = config.replication.replica_read_only;
        facts.is_stale_data_served = config.replication.replica_serve_stale_data;
        facts.is_write_paused = is_write_paused;
        facts.is_out_of_memory &= config.memory.maxmemory != 0;
        self.repl.node.keep_quiet(is_write_paused || self.is_leaving);
        self.snapshots.refresh_gate(&mut self.engine);
        let facts = &self.engine.facts;
        self.engine.program.role = if facts.is_replica { Role::Replica } else { Role::Master };
        self.engine.settings.is_past_expiry_deletion = !facts.is_replica && !facts.is_loading;
        self.engine.keyspace.keep_own_expires(facts.is_replica && !facts.is_replica_read_only);
    }

    /// Brings the OOM score up to date with the role; that it fails is logged.
    pub fn adjust_oom_score(&mut self) {
        if let Err(text) = self.oom_score.adjust(&self.engine.config, self.engine.facts.is_replica) {
            tracing::warn!("{text}");
        }
    }

    /// Opens the listening sockets. The texts of the report are for the log; `failed` means the server cannot start.
    pub fn listen(&mut self, net: &mut Net) -> ListenReport {
        let network = &self.engine.config.network;
        let mut report = ListenReport { listeners: Vec::new(), warnings: Vec::new(), failed: false };
        let addresses: Vec<String> = network.bind.iter().map(ToString::to_string).collect();
        for is_tls in [false, true] {
            let port = port_of(&self.engine.config, is_tls);
            if port == 0 || addresses.is_empty() || report.failed {
                continue;
            }
            let options = ListenOptions {
                backlog: network.tcp_backlog,
                keepalive: network.tcp_keepalive,
                mark: network.socket_mark_id,
                is_tls,
            };
            let opened = net.listen_tcp(&addresses, port, &options);
            let own = if is_tls { &mut self.tls_listeners } else { &mut self.listeners };
            own.clone_from(&opened.listeners);
            report.listeners.extend(opened.listeners);
            report.warnings.extend(opened.warnings);
            report.failed |= opened.failed;
        }
        if !network.unixsocket.as_os_str().is_empty() && !report.failed {
            let path = network.unixsocket.to_string_lossy().into_owned();
            match net.listen_unix(&path, network.unixsocketperm, network.tcp_backlog) {
                Ok(listener) => report.listeners.push(listener),
                Err(error) => {
                    report.warnings.push(format!("Failed opening Unix socket: bind: {error}"));
                    report.failed = true;
                }
            }
        }
        report
    }

    /// How often a second recurring work runs: `hz`, more of it with many clients when `dynamic-hz` says so.
    pub fn effective_hz(&self) -> u32 {
        let process = &self.engine.config.process;
        let mut hz = process.hz.clamp(1, 500);
        if process.dynamic_hz {
            while self.clients.len() / hz as usize > 200 && hz < 500 {
                hz = (hz * 2).min(500);
            }
        }
        hz
    }
}

impl Identity {
    /// Of this process, now.
    pub fn of_this_process(config_file: String, rng: &mut Rng, now: Now) -> Identity {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let os = format!(
            "{} {} {}",
            text("/proc/sys/kernel/ostype"),
            text("/proc/sys/kernel/osrelease"),
            std::env::consts::ARCH
        );
        Identity {
            run_id: HexId::random(rng),
            pid: std::process::id(),
            program: process::program_word(),
            executable: std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default(),
            config_file,
            os,
            supervised: "no",
            started: now.mono,
            memory_at_start: alloc::used_memory() as u64,
        }
    }
}

/// Whether a server could start with these settings: what only the server understands of them.
pub fn check(loaded: &Loaded) -> Result<(), String> {
    let mut table = dispatch::table();
    apply_renames(&mut table, &loaded.renames).map_err(|error| error.to_string())?;
    let mut acl = Acl::new();
    apply_users(&mut acl, &table, &loaded.users).map_err(|error| error.to_string())
}

/// Runs the server until it leaves, with the data as they were at the moment `restore_to` (seconds since 1970) if there is one. The
/// process's exit code, or why it could not begin.
pub fn run(loaded: Loaded, config_file: String, restore_to: Option<i64>) -> Result<i32, String> {
    let mut config = loaded.config;
    let (supervisor, pid_file) =
        startup::begin(&mut config, &config_file, &loaded.not_in_effect, "standalone", log::Role::Master)?;

    let mut rng = Rng::from_os();
    let mut event_loop = Loop::new().map_err(|error| format!("can't create the event loop: {error}"))?;
    event_loop.handle_signals().map_err(|error| format!("can't handle signals: {error}"))?;
    let now = event_loop.net().now();
    let mut identity = Identity::of_this_process(config_file, &mut rng, now);
    identity.supervised = supervisor.word();
    let handle = event_loop.net().wake_handle();
    let wake: Wake = Arc::new(move || handle.wake());
    let mut server = Server::new(config, identity, rng, now, Arc::new(RealFiles), wake);
    server.aof.restore_to = restore_to;
    let table = Rc::get_mut(&mut server.table).expect("nobody else holds the table yet");
    apply_renames(table, &loaded.renames).map_err(|error| error.to_string())?;
    apply_users(&mut server.engine.acl, table, &loaded.users).map_err(|error| error.to_string())?;
    if server.engine.acl.file.is_some() {
        let loaded = server.engine.acl.load(table.catalog());
        loaded.map_err(|error| format!("Aborting Redis startup because of ACL errors: {error}"))?;
    }
    tls::configure(event_loop.net(), &server.engine.config)
        .map_err(|error| format!("Failed to configure TLS. {error}"))?;
    let report = server.listen(event_loop.net());
    report.warnings.iter().for_each(|text| tracing::warn!("{text}"));
    if report.failed {
        tracing::warn!("Failed listening on port {} (tcp), aborting.", server.engine.config.network.port);
        return Ok(1);
    }
    let network = &server.engine.config.network;
    event_loop
        .net()
        .start_io_threads(network.io_threads as usize, network.io_threads_do_reads)
        .map_err(|error| format!("can't start the I/O threads: {error}"))?;
    title::show(&server.engine.config, &server.identity.program, &server.identity.config_file, "standalone");
    server.adjust_oom_score();
    // From here on clients get an answer, and some wait for this line.
    tracing::info!("Server initialized");
    if server.snapshots.keep_others_away(&server.engine.config).is_err() {
        return Ok(1);
    }
    let is_loading = match server.begin_loading_aof() {
        Ok(is_loading) if server.engine.config.persistence.appendonly => is_loading,
        Ok(_) => match server.begin_loading() {
            Ok(is_loading) => is_loading,
            Err(_) => return Ok(1),
        },
        Err(_) => return Ok(1),
    };
    if !is_loading {
        server.repl.node.started_without_data();
        tracing::info!("Ready to accept connections tcp");
    }
    supervisor.tell_ready();
    let result = event_loop.run(&mut server);
    // What made the program fail shall stay the last line of the log.
    let has_failed = server.exit_code != 0;
    if let Some(file) = pid_file {
        file.remove(!has_failed);
    }
    let socket = &server.engine.config.network.unixsocket;
    if !socket.as_os_str().is_empty() {
        if !has_failed {
            tracing::info!("Removing the unix socket file.");
        }
        let _ = std::fs::remove_file(socket);
    }
    if server.exit_code == 0 && result.is_ok() {
        tracing::warn!("Redis is now ready to exit, bye bye...");
    }
    result.map_err(|error| format!("the event loop failed: {error}"))?;
    Ok(server.exit_code)
}

fn apply_renames(table: &mut CommandTable, lines: &[SourceLine]) -> Result<(), LoadError> {
    for line in lines {
        let result = table.catalog_mut().rename(&line.words[1], &line.words[2]);
        result.map_err(|error| LoadError::at(line, error.to_string()))?;
    }
    Ok(())
}

fn apply_users(acl: &mut Acl, table: &CommandTable, lines: &[SourceLine]) -> Result<(), LoadError> {
    let users: Vec<_> = lines.iter().map(|line| line.words[1..].to_vec()).collect();
    acl.configure(&users, table.catalog()).map_err(|(at, error)| LoadError::at(&lines[at], error.to_string()))
}

/// The thresholds of encodings.
fn limits(config: &Encoding) -> Limits {
    Limits {
        hash_max_listpack_entries: config.hash_max_listpack_entries,
        hash_max_listpack_value: config.hash_max_listpack_value,
        list_max_listpack_size: config.list_max_listpack_size,
        list_compress_depth: config.list_compress_depth,
        list_plain_from: 0,
        set_max_intset_entries: config.set_max_intset_entries,
        set_max_listpack_entries: config.set_max_listpack_entries,
        set_max_listpack_value: config.set_max_listpack_value,
        zset_max_listpack_entries: config.zset_max_listpack_entries,
        zset_max_listpack_value: config.zset_max_listpack_value,
        hll_sparse_max_bytes: config.hll_sparse_max_bytes,
        stream_node_max_bytes: config.stream_node_max_bytes,
        stream_node_max_entries: config.stream_node_max_entries,
    }
}
