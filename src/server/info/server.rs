//! INFO server and cluster: what this process is.

use crate::config::values::BindAddress;
use crate::server::{COMPATIBLE_VERSION, Turn, VERSION};
use crate::stats::info::InfoWriter;

/// `# Server`
pub fn write(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    let server = &turn.server;
    let config = &server.engine.config;
    let now = server.engine.now;
    let uptime = now.mono.since(server.identity.started) / 1000;
    info.section("Server")
        .field("redis_version", COMPATIBLE_VERSION)
        // What Redis says when it was not built from a repository: our builds do not know.
        .field("redis_git_sha1", "00000000")
        .field("redis_git_dirty", 0)
        .field("server_name", "rredis")
        .field("rredis_version", VERSION)
        .field("redis_mode", "standalone")
        .field("os", &server.identity.os)
        .field("arch_bits", usize::BITS)
        .field("monotonic_clock", "POSIX clock_gettime")
        .field("multiplexing_api", "epoll")
        .field("process_id", server.identity.pid)
        .field("process_supervised", server.identity.supervised)
        .field("run_id", server.identity.run_id)
        .field("tcp_port", if config.network.port != 0 { config.network.port } else { config.tls.tls_port })
        .field("server_time_usec", now.wall_us)
        .field("uptime_in_seconds", uptime)
        .field("uptime_in_days", uptime / 86_400)
        .field("hz", server.effective_hz())
        .field("configured_hz", config.process.hz)
        .field("lru_clock", now.wall().as_secs() & 0xff_ffff)
        .field("executable", &server.identity.executable)
        .field("config_file", &server.identity.config_file)
        .field("io_threads_active", i32::from(turn.net.is_io_threaded()));
    if let Some(left) = server.shutdown_in_ms() {
        info.field("shutdown_in_milliseconds", left);
    }
    let binds: String = config.network.bind.iter().map(|address: &BindAddress| format!(",bind={address}")).collect();
    let socket = &config.network.unixsocket;
    let listeners = [
        (config.network.port != 0).then(|| format!("name=tcp{binds},port={}", config.network.port)),
        (!socket.as_os_str().is_empty()).then(|| format!("name=unix,bind={}", socket.display())),
        (config.tls.tls_port != 0).then(|| format!("name=tls{binds},port={}", config.tls.tls_port)),
    ];
    for (number, text) in listeners.into_iter().flatten().enumerate() {
        info.line(format_args!("listener{number}:{text}"));
    }
}

/// `# Modules`: there are none.
pub fn write_modules(_: &mut Turn<'_>, info: &mut InfoWriter) {
    info.section("Modules");
}

/// `# Cluster`
pub fn write_cluster(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    info.section("Cluster").flag("cluster_enabled", turn.server.engine.config.cluster.cluster_enabled);
}
