//! What the settings about TLS come to.

use crate::base::tls::{ClientCertificates, KeyPair, TlsSettings};
use crate::config::model::Tls;
use crate::config::values::TlsAuth;

/// Why `tls-cluster yes` is refused.
pub const NO_CLUSTER: &str = "tls-cluster: there is no cluster mode, whose bus could be encrypted";

impl Tls {
    /// Whether anything is to be encrypted.
    pub fn is_wanted(&self) -> bool {
        self.tls_port != 0 || self.tls_replication
    }

    /// The port that others reach us at: they use TLS as we do.
    pub fn announced_port(&self, port: u16) -> u16 {
        if self.tls_replication && self.tls_port != 0 { self.tls_port } else { port }
    }

    /// As those want it who make connections.
    pub fn settings(&self) -> TlsSettings {
        TlsSettings {
            own: KeyPair {
                certificate: self.tls_cert_file.clone(),
                key: self.tls_key_file.clone(),
                password: self.tls_key_file_pass.clone(),
            },
            as_client: KeyPair {
                certificate: self.tls_client_cert_file.clone(),
                key: self.tls_client_key_file.clone(),
                password: self.tls_client_key_file_pass.clone(),
            },
            ca_file: self.tls_ca_cert_file.clone(),
            ca_folder: self.tls_ca_cert_dir.clone(),
            clients: match self.tls_auth_clients {
                TlsAuth::No => ClientCertificates::No,
                TlsAuth::Optional => ClientCertificates::Optional,
                TlsAuth::Yes => ClientCertificates::Required,
            },
            protocols: self.tls_protocols.clone(),
            ciphers: self.tls_ciphers.clone(),
            suites: self.tls_ciphersuites.clone(),
            prefers_own_ciphers: self.tls_prefer_server_ciphers,
            sessions_max: self.tls_session_caching.then_some(self.tls_session_cache_size),
            session_seconds: self.tls_session_cache_timeout,
            serves: self.tls_port != 0,
            dials: self.tls_replication,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_others_use_is_the_encrypted_one_when_links_are() {
        let mut tls = Tls { tls_port: 7, ..Tls::default() };
        assert_eq!((tls.is_wanted(), tls.announced_port(5)), (true, 5));
        tls.tls_replication = true;
        assert_eq!(tls.announced_port(5), 7);
        tls.tls_port = 0;
        assert_eq!((tls.is_wanted(), tls.announced_port(5)), (true, 5));
        assert!(!Tls::default().is_wanted());
    }
}
