//! What changing a setting at run time entails: the effects that CONFIG SET's declarations name, carried out.
//!
//! An effect gets the settings before and after the change and either happens whole or not at all, because a CONFIG SET of
//! several names is all or nothing: when a later effect fails, the earlier ones are called again the other way round.
//! Most settings need nothing here: they are read where they are used, and what was derived from them is refreshed once
//! at the end ([`Turn::settings_changed`]).

use crate::base::{crash, process};
use crate::config::directive::{Apply, Reason};
use crate::config::model::Config;
use crate::config::startup;
use crate::config::title;
use crate::net::{ListenOptions, ListenerId, Net};
use crate::server::Turn;

impl Turn<'_> {
    /// Carries out one effect.
    pub fn apply(&mut self, effect: Apply, before: &Config, after: &Config) -> Result<(), Reason> {
        match effect {
            Apply::Port => self.listen_elsewhere(before, after, false),
            Apply::Bind => {
                self.listen_elsewhere(before, after, false)?;
                self.listen_elsewhere(before, after, true).inspect_err(|_| {
                    let _ = self.listen_elsewhere(after, before, false);
                })
            }
            Apply::Tls => self.apply_tls(before, after),
            Apply::MaxClients => process::allow_clients(after.clients.maxclients).map_err(|most| {
                format!("The operating system is not able to handle the specified number of clients, try with {most}")
                    .into()
            }),
            Apply::Directory => std::env::set_current_dir(&after.process.dir)
                .map_err(|error| Reason::from(crate::net::error_text(&error))),
            Apply::Password => {
                self.server.engine.acl.set_requirepass(&after.security.requirepass);
                Ok(())
            }
            Apply::ClientLimits => {
                let _ = self.net.set_listener_keepalive(after.network.tcp_keepalive);
                Ok(())
            }
            Apply::LogLevel => {
                startup::set_log_level(after.logging.loglevel);
                Ok(())
            }
            Apply::AppendOnly if after.persistence.appendonly => self.start_aof(),
            Apply::AppendOnly => {
                self.stop_aof();
                Ok(())
            }
            Apply::ProcTitle => {
                let identity = &self.server.identity;
                title::show(after, &identity.program, &identity.config_file, "standalone");
                Ok(())
            }
            Apply::MaxMemory => {
                let (limit, used) = (after.memory.maxmemory, self.memory_counted());
                if limit != 0 && used > limit {
                    tracing::warn!(
                        "WARNING: the new maxmemory value set via CONFIG SET ({limit}) is smaller than the current memory \
                         usage ({used}). This will result in key eviction and/or the inability to accept new write \
                         commands depending on the maxmemory-policy."
                    );
                }
                self.server.engine.shortage.is_unfinished = true;
                Ok(())
            }
            Apply::OomScore => {
                let is_replica = self.server.engine.facts.is_replica;
                self.server.oom_score.adjust(after, is_replica).map_err(|text| {
                    tracing::warn!("{text}");
                    Reason::from("Failed to set current oom_score_adj. Check server logs.")
                })
            }
            // Read where they are used, or refreshed at the end.
            Apply::Backlog
            | Apply::Replication
            | Apply::GoodReplicas
            | Apply::Hz
            | Apply::Eviction
            | Apply::LazyFree
            | Apply::Expiry
            | Apply::Notifications
            | Apply::Snapshots
            | Apply::Encoding
            | Apply::SlowLog
            | Apply::Latency
            | Apply::AppendFsync
            | Apply::Acl => Ok(()),
            Apply::CrashReports => {
                crash::configure(after.process.crash_log_enabled, after.process.use_exit_on_panic);
                Ok(())
            }
            // Not in effect yet; CONFIG SET names them in the log.
            Apply::Locale | Apply::Allocator | Apply::Cluster => Ok(()),
        }
    }

    /// The settings have changed: brings everything derived from them up to date.
    pub fn settings_changed(&mut self) {
        self.server.refresh_settings();
        self.server.refresh_facts();
        self.configure_replication();
        self.configure_aof();
        self.server.refresh_replication_facts();
    }

    /// Listens on the new addresses and port, then stops listening on the old ones. Where both name the same address the
    /// old socket is closed first, and opened again if the rest fails.
    pub fn listen_elsewhere(&mut self, before: &Config, after: &Config, is_tls: bool) -> Result<(), Reason> {
        let old: Vec<ListenerId> = std::mem::take(self.server.listeners_of(is_tls));
        let is_same_port = port_of(before, is_tls) == port_of(after, is_tls);
        if is_same_port {
            old.iter().for_each(|id| self.net.stop_listening(*id));
        }
        match open_listeners(self.net, after, is_tls) {
            Ok(new) => {
                if !is_same_port {
                    old.iter().for_each(|id| self.net.stop_listening(*id));
                }
                *self.server.listeners_of(is_tls) = new;
                Ok(())
            }
            Err(warnings) => {
                warnings.iter().for_each(|text| tracing::warn!("{text}"));
                let again = match is_same_port {
                    true => open_listeners(self.net, before, is_tls).unwrap_or_default(),
                    false => old,
                };
                *self.server.listeners_of(is_tls) = again;
                Err(match is_same_port {
                    true => "Failed to bind to specified addresses.".into(),
                    false => "Unable to listen on this port. Check server logs.".into(),
                })
            }
        }
    }
}

/// The port of encrypted connections, or of the others.
pub fn port_of(config: &Config, is_tls: bool) -> u16 {
    if is_tls { config.tls.tls_port } else { config.network.port }
}

/// Opens the sockets for one kind of connections. The error is for the log.
fn open_listeners(net: &mut Net, config: &Config, is_tls: bool) -> Result<Vec<ListenerId>, Vec<String>> {
    let port = port_of(config, is_tls);
    if port == 0 || config.network.bind.is_empty() {
        return Ok(Vec::new());
    }
    let options = ListenOptions {
        backlog: config.network.tcp_backlog,
        keepalive: config.network.tcp_keepalive,
        mark: config.network.socket_mark_id,
        is_tls,
    };
    let addresses: Vec<String> = config.network.bind.iter().map(ToString::to_string).collect();
    let report = net.listen_tcp(&addresses, port, &options);
    if report.failed {
        report.listeners.iter().for_each(|id| net.stop_listening(*id));
        return Err(report.warnings);
    }
    Ok(report.listeners)
}
