//! What changing a setting at run time entails: the effects that CONFIG SET's declarations name, carried out.
//!
//! An effect gets the settings before and after the change and either happens whole or not at all, because a CONFIG SET of
//! several names is all or nothing: when a later effect fails, the earlier ones are called again the other way round.
//! Most settings need nothing here: they are read where they are used, and what was derived from them is refreshed once
//! at the end ([`Turn::settings_changed`]).

use crate::base::process;
use crate::config::directive::{Apply, Reason};
use crate::config::model::Config;
use crate::config::startup;
use crate::config::title;
use crate::net::{ListenOptions, ListenerId};
use crate::server::Turn;

impl Turn<'_> {
    /// Carries out one effect.
    pub fn apply(&mut self, effect: Apply, before: &Config, after: &Config) -> Result<(), Reason> {
        match effect {
            Apply::Port | Apply::Bind => self.listen_elsewhere(before, after),
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
                let (limit, used) = (after.memory.maxmemory, self.server.memory_counted());
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
            // Not in effect yet; CONFIG SET names them in the log.
            Apply::Tls | Apply::OomScore | Apply::Locale | Apply::CrashReports | Apply::Allocator | Apply::Cluster => {
                Ok(())
            }
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
    fn listen_elsewhere(&mut self, before: &Config, after: &Config) -> Result<(), Reason> {
        let old: Vec<ListenerId> = std::mem::take(&mut self.server.listeners);
        let is_same_port = before.network.port == after.network.port;
        if is_same_port {
            old.iter().for_each(|id| self.net.stop_listening(*id));
        }
        match self.open_listeners(after) {
            Ok(new) => {
                if !is_same_port {
                    old.iter().for_each(|id| self.net.stop_listening(*id));
                }
                self.server.listeners = new;
                Ok(())
            }
            Err(warnings) => {
                warnings.iter().for_each(|text| tracing::warn!("{text}"));
                self.server.listeners =
                    if is_same_port { self.open_listeners(before).unwrap_or_default() } else { old };
                Err(match before.network.port == after.network.port {
                    true => "Failed to bind to specified addresses.".into(),
                    false => "Unable to listen on this port. Check server logs.".into(),
                })
            }
        }
    }

    fn open_listeners(&mut self, config: &Config) -> Result<Vec<ListenerId>, Vec<String>> {
        if config.network.port == 0 || config.network.bind.is_empty() {
            return Ok(Vec::new());
        }
        let options = ListenOptions { backlog: config.network.tcp_backlog, keepalive: config.network.tcp_keepalive };
        let addresses: Vec<String> = config.network.bind.iter().map(ToString::to_string).collect();
        let report = self.net.listen_tcp(&addresses, config.network.port, &options);
        if report.failed {
            report.listeners.iter().for_each(|id| self.net.stop_listening(*id));
            return Err(report.warnings);
        }
        Ok(report.listeners)
    }
}
