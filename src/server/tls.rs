//! TLS of the server: when its settings or its files change.

use std::sync::Arc;

use crate::base::files::RealFiles;
use crate::config::directive::Reason;
use crate::config::model::Config;
use crate::config::tls::NO_CLUSTER;
use crate::net::{ListenerId, Net, TlsContext};
use crate::server::{Server, Turn};

/// Has new connections made with these settings. The error is for whoever set them.
pub fn configure(net: &mut Net, config: &Config) -> Result<(), String> {
    let context = match config.tls.is_wanted() {
        true => Some(Arc::new(TlsContext::build(&config.tls.settings(), &RealFiles, net.now().wall())?)),
        false => None,
    };
    context.iter().for_each(|context| log_remarks(context));
    net.set_tls(context);
    Ok(())
}

fn log_remarks(context: &TlsContext) {
    context.warnings.iter().for_each(|text| tracing::warn!("{text}"));
}

impl Server {
    /// The listening sockets of encrypted connections, or of the others.
    pub fn listeners_of(&mut self, is_tls: bool) -> &mut Vec<ListenerId> {
        if is_tls { &mut self.tls_listeners } else { &mut self.listeners }
    }
}

impl Turn<'_> {
    /// CONFIG SET of something about TLS.
    pub fn apply_tls(&mut self, before: &Config, after: &Config) -> Result<(), Reason> {
        if after.tls.tls_cluster {
            return Err(NO_CLUSTER.into());
        }
        configure(self.net, after).map_err(|error| {
            tracing::warn!("Failed to configure TLS: {error}");
            Reason::from(format!("Unable to update TLS configuration: {error}"))
        })?;
        match before.tls.tls_port == after.tls.tls_port {
            true => Ok(()),
            false => self.listen_elsewhere(before, after, true),
        }
    }

    /// Looks whether somebody has put new certificates in place.
    pub fn cron_of_tls(&mut self) {
        let tls = &self.server.engine.config.tls;
        if !tls.is_wanted() {
            return;
        }
        match self.net.refresh_tls(&tls.settings(), &RealFiles) {
            None => {}
            Some(Ok(context)) => {
                tracing::info!("TLS certificates have changed and are used for new connections from now on.");
                log_remarks(&context);
            }
            Some(Err(error)) => tracing::warn!("TLS files have changed and cannot be used; the old ones stay: {error}"),
        }
    }
}
