//! What is asked of encrypted connections: names of files, versions and ciphers as they stand in a config file. What they mean is
//! for whoever makes connections to say.

use std::path::PathBuf;

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// None is asked for.
    No,
    /// One that is shown must be good.
    Optional,
    /// Without a good one there is no connection.
    Required,
}

/// A certificate and its private key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPair {
    /// PEM file with the certificate and those of the authorities between it and the root. Empty: none.
    pub certificate: PathBuf,
    /// PEM file with the private key. Empty: it is in the file of the certificate.
    pub key: PathBuf,
    /// Password of the key. Empty: none.
    pub password: Vec<u8>,
}

/// All there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// What we show to clients.
    pub own: KeyPair,
    /// What we show to those we connect to. Without a certificate: the same.
    pub as_client: KeyPair,
    /// PEM file of authorities that are trusted.
    pub ca_file: PathBuf,
    /// Folder of such files.
    pub ca_folder: PathBuf,
    /// Certificates of clients.
    pub clients: ClientCertificates,
    /// Versions in words, `TLSv1.2 TLSv1.3`; empty: all that are safe.
    pub protocols: String,
    /// Ciphers of TLS 1.2 by OpenSSL's names; empty: all.
    pub ciphers: String,
    /// Cipher suites of TLS 1.3; empty: all.
    pub suites: String,
    /// Our order of ciphers counts, not the client's.
    pub prefers_own_ciphers: bool,
    /// How many sessions are kept to be resumed; `None`: none, 0: as many as there is room for.
    pub sessions_max: Option<u32>,
    /// For how long.
    pub session_seconds: u32,
    /// Clients are served encrypted.
    pub serves: bool,
    /// Connections to others are encrypted.
    pub dials: bool,
}
