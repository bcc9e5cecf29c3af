//! The typed settings. A field is named exactly as its directive, with `_` for `-`; units are the directive's own
//! (seconds unless the directive says otherwise, bytes for sizes).
//!
//! `Config::default()` gives the defaults that the directives declare. The `Default` of a single group is all zeros and
//! serves only to build it.

use std::path::PathBuf;

use crate::config::table;
use crate::config::values::{
    Allowed, AppendFsync, BindAddress, BufferLimits, ClientMemory, DisklessLoad, EndpointType, EventClasses,
    EvictionPolicy, HostPort, LogLevel, OomScoreAdj, PropagationError, PubsubDefault, SanitizePayload, SavePoint,
    ShutdownFlags, Supervised, SyslogFacility, TlsAuth,
};

/// Every setting, by subsystem.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Listening sockets.
    pub network: Network,
    /// What one client may use.
    pub clients: Clients,
    /// The process itself: daemon, directory, signals, timers.
    pub process: Process,
    /// Databases, expiry, notifications.
    pub keyspace: Keyspace,
    /// Memory limit, eviction, freeing in the background.
    pub memory: Memory,
    /// RDB files and the append only file.
    pub persistence: Persistence,
    /// Masters and replicas.
    pub replication: Replication,
    /// Passwords and dangerous commands.
    pub security: Security,
    /// When small encodings become large ones.
    pub encoding: Encoding,
    /// Scripts.
    pub scripting: Scripting,
    /// Log, slow log, latency figures.
    pub logging: Logging,
    /// Encrypted connections.
    pub tls: Tls,
    /// Cluster mode.
    pub cluster: Cluster,
}

/// Listening sockets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    pub bind: Vec<BindAddress>,
    pub bind_source_addr: String,
    /// 0: no TCP.
    pub port: u16,
    pub protected_mode: bool,
    pub tcp_backlog: u32,
    /// Seconds; 0: off.
    pub tcp_keepalive: u32,
    /// Empty: no Unix socket.
    pub unixsocket: PathBuf,
    pub unixsocketperm: u32,
    pub socket_mark_id: u32,
    pub io_threads: u32,
    pub io_threads_do_reads: bool,
}

/// What one client may use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clients {
    pub maxclients: u32,
    /// Seconds an idle client may stay; 0: for ever.
    pub timeout: u32,
    pub client_output_buffer_limit: BufferLimits,
    pub client_query_buffer_limit: u64,
    pub proto_max_bulk_len: u64,
    pub maxmemory_clients: ClientMemory,
    pub tracking_table_max_keys: u64,
}

/// The process itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    pub daemonize: bool,
    pub supervised: Supervised,
    /// Empty: none, unless daemonized.
    pub pidfile: PathBuf,
    /// Empty until the program has put its working directory here.
    pub dir: PathBuf,
    pub set_proc_title: bool,
    pub proc_title_template: String,
    pub always_show_logo: bool,
    /// Already clamped to 1..=500.
    pub hz: u32,
    pub dynamic_hz: bool,
    pub shutdown_timeout: u32,
    pub shutdown_on_sigint: ShutdownFlags,
    pub shutdown_on_sigterm: ShutdownFlags,
    pub crash_log_enabled: bool,
    pub crash_memcheck_enabled: bool,
    pub use_exit_on_panic: bool,
    pub watchdog_period: u32,
    pub disable_thp: bool,
    pub oom_score_adj: OomScoreAdj,
    /// For a master, a replica, and a process that saves.
    pub oom_score_adj_values: [i32; 3],
    pub server_cpulist: String,
    pub bio_cpulist: String,
    pub aof_rewrite_cpulist: String,
    pub bgsave_cpulist: String,
    pub ignore_warnings: String,
    pub locale_collate: String,
}

/// Databases, expiry, notifications.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keyspace {
    pub databases: u32,
    pub activerehashing: bool,
    pub active_expire_effort: u32,
    pub notify_keyspace_events: EventClasses,
}

/// Memory limit, eviction, freeing in the background.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// 0: no limit.
    pub maxmemory: u64,
    pub maxmemory_policy: EvictionPolicy,
    pub maxmemory_samples: u32,
    pub maxmemory_eviction_tenacity: u32,
    pub lfu_log_factor: u32,
    pub lfu_decay_time: u32,
    pub lazyfree_lazy_eviction: bool,
    pub lazyfree_lazy_expire: bool,
    pub lazyfree_lazy_server_del: bool,
    pub lazyfree_lazy_user_del: bool,
    pub lazyfree_lazy_user_flush: bool,
    pub jemalloc_bg_thread: bool,
    pub activedefrag: bool,
    pub active_defrag_cycle_min: u32,
    pub active_defrag_cycle_max: u32,
    pub active_defrag_threshold_lower: u32,
    pub active_defrag_threshold_upper: u32,
    pub active_defrag_max_scan_fields: u64,
    pub active_defrag_ignore_bytes: u64,
}

/// RDB files and the append only file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Persistence {
    pub save: Vec<SavePoint>,
    pub dbfilename: String,
    pub rdbcompression: bool,
    pub rdbchecksum: bool,
    pub rdb_save_incremental_fsync: bool,
    pub rdb_del_sync_files: bool,
    pub stop_writes_on_bgsave_error: bool,
    pub sanitize_dump_payload: SanitizePayload,
    /// Microseconds of pause per key written; negative: fractions. For tests.
    pub rdb_key_save_delay: i32,
    /// Microseconds of pause per key loaded; negative: fractions. For tests.
    pub key_load_delay: i32,
    pub loading_process_events_interval_bytes: u32,
    pub appendonly: bool,
    pub appendfilename: String,
    pub appenddirname: String,
    pub appendfsync: AppendFsync,
    pub no_appendfsync_on_rewrite: bool,
    pub auto_aof_rewrite_percentage: u32,
    pub auto_aof_rewrite_min_size: u64,
    pub aof_rewrite_incremental_fsync: bool,
    pub aof_load_truncated: bool,
    pub aof_use_rdb_preamble: bool,
    pub aof_timestamp_enabled: bool,
    pub aof_disable_auto_gc: bool,
}

/// Masters and replicas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replication {
    pub replicaof: Option<HostPort>,
    pub masteruser: Vec<u8>,
    pub masterauth: Vec<u8>,
    pub replica_serve_stale_data: bool,
    pub replica_read_only: bool,
    pub replica_ignore_maxmemory: bool,
    pub replica_lazy_flush: bool,
    pub replica_priority: u32,
    pub replica_announced: bool,
    pub replica_announce_ip: String,
    /// 0: the listening port.
    pub replica_announce_port: u16,
    pub replica_ignore_disk_write_errors: bool,
    pub repl_backlog_size: u64,
    /// Seconds the backlog is kept without replicas; 0: for ever.
    pub repl_backlog_ttl: u64,
    pub repl_timeout: u32,
    pub repl_ping_replica_period: u32,
    pub repl_disable_tcp_nodelay: bool,
    pub repl_diskless_sync: bool,
    pub repl_diskless_sync_delay: u32,
    pub repl_diskless_sync_max_replicas: u32,
    pub repl_diskless_load: DisklessLoad,
    pub newborn_master_protection: bool,
    pub min_replicas_to_write: u32,
    pub min_replicas_max_lag: u32,
    pub propagation_error_behavior: PropagationError,
}

/// Passwords and dangerous commands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Security {
    /// Empty: none.
    pub requirepass: Vec<u8>,
    pub aclfile: PathBuf,
    pub acllog_max_len: u64,
    pub acl_pubsub_default: PubsubDefault,
    pub enable_protected_configs: Allowed,
    pub enable_debug_command: Allowed,
    pub enable_module_command: Allowed,
}

/// When small encodings become large ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoding {
    pub hash_max_listpack_entries: u64,
    pub hash_max_listpack_value: u64,
    /// Positive: elements per node; -1 to -5: 4, 8, 16, 32 or 64 KiB per node.
    pub list_max_listpack_size: i32,
    pub list_compress_depth: u32,
    pub set_max_intset_entries: u64,
    pub set_max_listpack_entries: u64,
    pub set_max_listpack_value: u64,
    pub zset_max_listpack_entries: u64,
    pub zset_max_listpack_value: u64,
    pub hll_sparse_max_bytes: u64,
    pub stream_node_max_bytes: u64,
    pub stream_node_max_entries: u64,
}

/// Scripts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scripting {
    /// Milliseconds before other clients are answered BUSY; 0: never.
    pub busy_reply_threshold: u64,
}

/// Log, slow log, latency figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logging {
    pub loglevel: LogLevel,
    /// Empty: standard output.
    pub logfile: PathBuf,
    pub syslog_enabled: bool,
    pub syslog_ident: String,
    pub syslog_facility: SyslogFacility,
    /// Microseconds; negative: off.
    pub slowlog_log_slower_than: i64,
    pub slowlog_max_len: u64,
    /// Milliseconds; 0: off.
    pub latency_monitor_threshold: u64,
    pub latency_tracking: bool,
    pub latency_tracking_info_percentiles: Vec<f64>,
}

/// Encrypted connections.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    pub tls_port: u16,
    pub tls_cluster: bool,
    pub tls_replication: bool,
    pub tls_auth_clients: TlsAuth,
    pub tls_prefer_server_ciphers: bool,
    pub tls_session_caching: bool,
    pub tls_session_cache_size: u32,
    pub tls_session_cache_timeout: u32,
    pub tls_cert_file: PathBuf,
    pub tls_key_file: PathBuf,
    pub tls_key_file_pass: Vec<u8>,
    pub tls_client_cert_file: PathBuf,
    pub tls_client_key_file: PathBuf,
    pub tls_client_key_file_pass: Vec<u8>,
    pub tls_dh_params_file: PathBuf,
    pub tls_ca_cert_file: PathBuf,
    pub tls_ca_cert_dir: PathBuf,
    pub tls_protocols: String,
    pub tls_ciphers: String,
    pub tls_ciphersuites: String,
}

/// Cluster mode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    pub cluster_enabled: bool,
    pub cluster_config_file: PathBuf,
    pub cluster_node_timeout: u64,
    pub cluster_ping_interval: u64,
    pub cluster_port: u16,
    pub cluster_require_full_coverage: bool,
    pub cluster_replica_no_failover: bool,
    pub cluster_replica_validity_factor: u32,
    pub cluster_migration_barrier: u32,
    pub cluster_allow_replica_migration: bool,
    pub cluster_allow_reads_when_down: bool,
    pub cluster_allow_pubsubshard_when_down: bool,
    pub cluster_link_sendbuf_limit: u64,
    pub cluster_announce_ip: String,
    pub cluster_announce_port: u16,
    pub cluster_announce_tls_port: u16,
    pub cluster_announce_bus_port: u16,
    pub cluster_announce_hostname: String,
    pub cluster_announce_human_nodename: String,
    pub cluster_preferred_endpoint_type: EndpointType,
}

impl Config {
    /// All zeros: the ground on which the declared defaults are laid.
    fn blank() -> Config {
        Config {
            network: Network::default(),
            clients: Clients::default(),
            process: Process::default(),
            keyspace: Keyspace::default(),
            memory: Memory::default(),
            persistence: Persistence::default(),
            replication: Replication::default(),
            security: Security::default(),
            encoding: Encoding::default(),
            scripting: Scripting::default(),
            logging: Logging::default(),
            tls: Tls::default(),
            cluster: Cluster::default(),
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        let mut config = Config::blank();
        table::all().for_each(|directive| directive.reset(&mut config));
        config
    }
}
