//! From settings and files to what connections need: our certificate, whom we trust, what we agree to.
//!
//! A context never changes. When a file does, another one is built and used from then on; connections that stand keep the one they
//! began with, so nothing is dropped. A context remembers what its files looked like, so that a look at them now and then tells
//! whether they have changed. Building reads them all, and an error leaves the old context in use: in the middle of a rotation
//! certificate and key may not belong together for a moment.
//!
//! Host names are not compared with certificates, as in Redis: what counts is that one of our authorities signed. Addresses of
//! servers move with failovers, and whoever holds a key signed by a private authority is a member.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::SecretDocument;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};

use super::ciphers;
use super::sessions::Sessions;
use super::validity::{date_text, validity};
use crate::base::files::{FileStamp, Files, read_whole, strerror};
use crate::base::limits::TLS_FILE_BYTES_MAX;
use crate::base::time::UnixMillis;
use crate::base::tls::{ClientCertificates, KeyPair, TlsSettings};

/// What connections are made with.
pub struct TlsContext {
    pub(in crate::net) server: Option<Arc<ServerConfig>>,
    pub(in crate::net) client: Arc<ClientConfig>,
    /// What is not wrong but should be known, for the log.
    pub warnings: Vec<String>,
    stamps: Vec<(PathBuf, Option<FileStamp>)>,
}

impl std::fmt::Debug for TlsContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsContext(…)")
    }
}

impl TlsContext {
    /// Reads the files. The error names the directive or the file.
    pub fn build(settings: &TlsSettings, files: &dyn Files, now: UnixMillis) -> Result<TlsContext, String> {
        let mut reader = Reader { files, now, warnings: Vec::new(), stamps: Vec::new() };
        let versions = ciphers::versions(&settings.protocols)?;
        let provider = Arc::new(CryptoProvider {
            cipher_suites: ciphers::ciphers(&settings.suites, &settings.ciphers)?,
            ..ring::default_provider()
        });
        let roots = reader.roots(&settings.ca_file, &settings.ca_folder)?;
        let own = reader.key_pair(&settings.own, &provider, "tls-cert-file", "tls-key-file")?;
        let as_client = match settings.as_client.certificate.as_os_str().is_empty() {
            true => own.clone(),
            false => reader.key_pair(&settings.as_client, &provider, "tls-client-cert-file", "tls-client-key-file")?,
        };
        if settings.serves && own.is_none() {
            return Err("No tls-cert-file configured!".to_owned());
        }
        if settings.dials && roots.is_empty() {
            return Err(NO_AUTHORITY.to_owned());
        }
        let server = match own {
            Some(own) => Some(Arc::new(server_config(settings, &provider, &versions, roots.clone(), own)?)),
            None => None,
        };
        let client = Arc::new(client_config(&provider, &versions, roots, as_client)?);
        Ok(TlsContext { server, client, warnings: reader.warnings, stamps: reader.stamps })
    }

    /// Whether a file looks different from when it was read.
    pub fn is_outdated(&self, files: &dyn Files) -> bool {
        self.stamps.iter().any(|(path, stamp)| stamp_of(files, path) != *stamp)
    }
}

/// What the files of these settings look like, for telling later that they changed again after they could not be used.
pub fn stamps(settings: &TlsSettings, files: &dyn Files) -> Vec<Option<FileStamp>> {
    let TlsSettings { own, as_client, ca_file, ca_folder, .. } = settings;
    let paths = [&own.certificate, &own.key, &as_client.certificate, &as_client.key, ca_file, ca_folder];
    paths.into_iter().filter(|path| !path.as_os_str().is_empty()).map(|path| stamp_of(files, path)).collect()
}

fn stamp_of(files: &dyn Files, path: &Path) -> Option<FileStamp> {
    files.stamp(path).ok().flatten()
}

fn server_config(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    roots: Arc<RootCertStore>,
    own: Arc<CertifiedKey>,
) -> Result<ServerConfig, String> {
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions);
    let builder = builder.map_err(|error| format!("tls-protocols and the ciphers do not fit together: {error}"))?;
    let builder = match settings.clients {
        ClientCertificates::No => builder.with_no_client_auth(),
        _ if roots.is_empty() => return Err(NO_AUTHORITY.to_owned()),
        asked => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
            let verifier = match asked {
                ClientCertificates::Optional => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| error.to_string())?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.ignore_client_order = settings.prefers_own_ciphers;
    match settings.sessions_max {
        Some(max) => config.session_storage = Arc::new(Sessions::new(max, settings.session_seconds)),
        None => {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
    }
    Ok(config)
}

const NO_AUTHORITY: &str = "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or \
                            tls-auth-clients are enabled!";

fn client_config(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    roots: Arc<RootCertStore>,
    own: Option<Arc<CertifiedKey>>,
) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions);
    let builder = builder.map_err(|error| format!("tls-protocols and the ciphers do not fit together: {error}"))?;
    let verifier = AnyName { roots, algorithms: provider.signature_verification_algorithms };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    };
    // Links stand for days. Resuming would only tie a new one to the certificates of an old one.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Accepts the certificate of every server that one of our authorities has signed, whatever names it holds.
#[derive(Debug)]
struct AnyName {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.roots.is_empty() {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, self.algorithms.all)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Reads files, and notes what they look like and what is odd about them.
struct Reader<'a> {
    files: &'a dyn Files,
    now: UnixMillis,
    warnings: Vec<String>,
    stamps: Vec<(PathBuf, Option<FileStamp>)>,
}

impl Reader<'_> {
    fn read(&mut self, path: &Path, what: &str) -> Result<Vec<u8>, String> {
        // First what it looks like: if it is replaced now, that will be seen as a change.
        self.stamps.push((path.to_owned(), stamp_of(self.files, path)));
        let read = read_whole(self.files, path, TLS_FILE_BYTES_MAX);
        read.map_err(|error| format!("Failed to load {what} '{}': {}", path.display(), strerror(&error)))
    }

    fn certificates(&mut self, path: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
        let text = self.read(path, what)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let found = found.map_err(|error| format!("Failed to load {what} '{}': {error}", path.display()))?;
        if found.is_empty() {
            return Err(format!("Failed to load {what} '{}': there is no certificate in it", path.display()));
        }
        Ok(found)
    }

    fn key_pair(
        &mut self,
        pair: &KeyPair,
        provider: &CryptoProvider,
        certificate_name: &str,
        key_name: &str,
    ) -> Result<Option<Arc<CertifiedKey>>, String> {
        if pair.certificate.as_os_str().is_empty() {
            return match pair.key.as_os_str().is_empty() {
                true => Ok(None),
                false => Err(format!("{key_name} is set and {certificate_name} is not")),
            };
        }
        let certificates = self.certificates(&pair.certificate, &format!("certificate ({certificate_name})"))?;
        self.check_dates(&certificates[0], &pair.certificate);
        let key_path = if pair.key.as_os_str().is_empty() { &pair.certificate } else { &pair.key };
        let what = format!("private key ({key_name})");
        let text = self.read(key_path, &what)?;
        let failed = |reason: String| format!("Failed to load {what} '{}': {reason}", key_path.display());
        let key = private_key(&text, &pair.password).map_err(failed)?;
        let key = provider.key_provider.load_private_key(key).map_err(|error| failed(error.to_string()))?;
        let both = CertifiedKey::new(certificates, key);
        both.keys_match().map_err(|_| {
            format!(
                "The private key '{}' does not belong to the certificate '{}'",
                key_path.display(),
                pair.certificate.display()
            )
        })?;
        Ok(Some(Arc::new(both)))
    }

    fn check_dates(&mut self, certificate: &CertificateDer<'_>, path: &Path) {
        let Some((from, to)) = validity(certificate) else { return };
        let now = self.now.0 / 1000;
        if now > to {
            self.warnings.push(format!("The certificate '{}' has expired on {}", path.display(), date_text(to)));
        } else if now < from {
            self.warnings.push(format!("The certificate '{}' is not valid before {}", path.display(), date_text(from)));
        }
    }

    fn roots(&mut self, file: &Path, folder: &Path) -> Result<Arc<RootCertStore>, String> {
        let mut roots = RootCertStore::empty();
        if !file.as_os_str().is_empty() {
            let what = "CA certificate(s) (tls-ca-cert-file)";
            for certificate in self.certificates(file, what)? {
                let added = roots.add(certificate);
                added.map_err(|error| format!("Failed to load {what} '{}': {error}", file.display()))?;
            }
        }
        if !folder.as_os_str().is_empty() {
            self.stamps.push((folder.to_owned(), stamp_of(self.files, folder)));
            let what = "CA certificates (tls-ca-cert-dir)";
            let failed = |error| format!("Failed to load {what} '{}': {}", folder.display(), strerror(&error));
            for name in self.files.list(folder).map_err(failed)? {
                // Such folders hold other things too, and certificates that are too odd for us.
                if let Ok(found) = self.certificates(&folder.join(name), what) {
                    roots.add_parsable_certificates(found);
                }
            }
            if roots.is_empty() {
                return Err(format!("Failed to load {what} '{}': there is no certificate in it", folder.display()));
            }
        }
        Ok(Arc::new(roots))
    }
}

/// The private key in a PEM text. A password is for keys in PKCS#8; the older form, with `DEK-Info`, is not read.
fn private_key(text: &[u8], password: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    const ENCRYPTED_END: &[u8] = b"-----END ENCRYPTED PRIVATE KEY-----";
    let find = |word: &[u8]| memchr::memmem::find(text, word);
    if let (Some(start), Some(end)) = (find(ENCRYPTED), find(ENCRYPTED_END)) {
        if password.is_empty() {
            return Err("it is encrypted and no password is set".to_owned());
        }
        let part = text.get(start..end + ENCRYPTED_END.len()).and_then(|part| std::str::from_utf8(part).ok());
        let part = part.ok_or("it is not a PEM text")?;
        let (_, document) = SecretDocument::from_pem(part).map_err(|error| error.to_string())?;
        let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|error| error.to_string())?;
        let key = encrypted.decrypt(password).map_err(|_| "the password is wrong, or the encryption not supported")?;
        return Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into());
    }
    if find(b"Proc-Type: 4,ENCRYPTED").is_some() {
        return Err(
            "keys encrypted in the old form are not supported; convert it with `openssl pkcs8 -topk8`".to_owned()
        );
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => "there is no private key in it".to_owned(),
        error => error.to_string(),
    })
}

#[cfg(test)]
mod tests;
