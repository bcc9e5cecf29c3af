//! Chooses the program: server or Sentinel.

use rredis::config::model::Config;
use rredis::config::values::BindAddress;
use rredis::server;

fn main() {
    let mut config = Config::default();
    config.network.bind = vec![BindAddress { host: "127.0.0.1".into(), is_optional: false }];
    config.clients.maxclients = 10_000;
    config.clients.proto_max_bulk_len = 512 * 1024 * 1024;
    config.clients.client_query_buffer_limit = 1024 * 1024 * 1024;
    config.keyspace.databases = 16;
    config.process.hz = 10;
    config.network.tcp_backlog = 511;
    config.logging.slowlog_log_slower_than = 10_000;
    config.logging.slowlog_max_len = 128;
    let mut args = std::env::args().skip(1);
    while let Some(word) = args.next() {
        if word == "--port" {
            config.network.port = args.next().and_then(|port| port.parse().ok()).unwrap_or(6379);
        }
    }
    match server::boot::run(config, String::new()) {
        Ok(code) => std::process::exit(code),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}
