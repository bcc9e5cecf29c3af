use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair as NewKey, date_time_ymd};

use super::*;
use crate::base::files::memory::MemoryFiles;
use crate::base::files::replace;
use crate::net::tls::tests::settings;

/// An authority, and a server's certificate that it signed.
struct Issued {
    ca: String,
    certificate: String,
    key: String,
}

fn issue(last_year: i32) -> Issued {
    let ca_key = NewKey::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = NewKey::generate().unwrap();
    let mut server = CertificateParams::new(vec!["server".to_owned()]).unwrap();
    server.not_after = date_time_ymd(last_year, 1, 2);
    let certificate = server.signed_by(&key, &issuer).unwrap();
    Issued { ca: root.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

fn put(files: &MemoryFiles, path: &str, text: &str) {
    replace(files, Path::new(path), Path::new("/temporary"), text.as_bytes()).unwrap();
}

fn disk(issued: &Issued) -> MemoryFiles {
    let files = MemoryFiles::new();
    put(&files, "/cert", &issued.certificate);
    put(&files, "/key", &issued.key);
    put(&files, "/ca", &issued.ca);
    files
}

const NOW: UnixMillis = UnixMillis(1_795_683_420_000);

fn refusal(settings: &TlsSettings, files: &MemoryFiles) -> String {
    TlsContext::build(settings, files, NOW).map(|_| ()).expect_err("this cannot be used")
}

#[test]
fn what_is_wrong_is_told_with_the_name_of_the_file() {
    let (issued, other) = (issue(2030), issue(2030));
    let files = disk(&issued);
    let context = TlsContext::build(&settings(), &files, NOW).unwrap();
    assert_eq!(context.warnings, [""; 0]);

    put(&files, "/key", &other.key);
    assert_eq!(refusal(&settings(), &files), "The private key '/key' does not belong to the certificate '/cert'");
    put(&files, "/key", "nothing");
    assert_eq!(
        refusal(&settings(), &files),
        "Failed to load private key (tls-key-file) '/key': there is no private key in it"
    );
    put(&files, "/cert", "nothing");
    let text = "Failed to load certificate (tls-cert-file) '/cert': there is no certificate in it";
    assert_eq!(refusal(&settings(), &files), text);
    let mut missing = settings();
    missing.ca_file = "/missing".into();
    let text = "Failed to load CA certificate(s) (tls-ca-cert-file) '/missing': No such file or directory";
    assert_eq!(refusal(&missing, &files), text);
    missing.ca_file = PathBuf::new();
    put(&files, "/cert", &issued.certificate);
    put(&files, "/key", &issued.key);
    assert_eq!(refusal(&missing, &files), NO_AUTHORITY);
    let bare = TlsSettings { own: KeyPair::default(), ..settings() };
    assert_eq!(refusal(&bare, &files), "No tls-cert-file configured!");
    let key_alone = KeyPair { key: "/key".into(), ..KeyPair::default() };
    let text = refusal(&TlsSettings { own: key_alone, ..settings() }, &files);
    assert_eq!(text, "tls-key-file is set and tls-cert-file is not");
}

#[test]
fn an_expired_certificate_is_named_with_its_date() {
    let files = disk(&issue(2025));
    let context = TlsContext::build(&settings(), &files, NOW).unwrap();
    assert_eq!(context.warnings, ["The certificate '/cert' has expired on 2025-01-02 00:00:00 UTC"]);
}

#[test]
fn certificate_and_key_may_share_a_file_and_authorities_a_folder() {
    let issued = issue(2030);
    let files = disk(&issued);
    files.create_folder(Path::new("/cas")).unwrap();
    put(&files, "/both", &format!("{}{}", issued.certificate, issued.key));
    put(&files, "/cas/one.pem", &issued.ca);
    put(&files, "/cas/README", "not a certificate");
    let mut settings = settings();
    settings.own = KeyPair { certificate: "/both".into(), ..KeyPair::default() };
    (settings.ca_file, settings.ca_folder) = (PathBuf::new(), "/cas".into());
    TlsContext::build(&settings, &files, NOW).unwrap();
    files.remove(Path::new("/cas/one.pem")).unwrap();
    assert!(refusal(&settings, &files).ends_with("'/cas': there is no certificate in it"));
}

#[test]
fn a_changed_file_is_noticed() {
    let issued = issue(2030);
    let files = disk(&issued);
    let context = TlsContext::build(&settings(), &files, NOW).unwrap();
    assert!(!context.is_outdated(&files));
    put(&files, "/ca", &issued.ca.replace('\n', "\r\n"));
    assert!(context.is_outdated(&files));
    put(&files, "/ca", &issued.ca);
    let context = TlsContext::build(&settings(), &files, NOW).unwrap();
    files.remove(Path::new("/key")).unwrap();
    assert!(context.is_outdated(&files));
}

#[test]
fn an_encrypted_key_needs_its_password() {
    // openssl genpkey -algorithm ED25519 | openssl pkcs8 -topk8 -passout pass:secret
    const KEY: &str = include_str!("encrypted.pem");
    assert_eq!(private_key(KEY.as_bytes(), b"").unwrap_err(), "it is encrypted and no password is set");
    assert!(private_key(KEY.as_bytes(), b"wrong").unwrap_err().starts_with("the password is wrong"));
    let key = private_key(KEY.as_bytes(), b"secret").unwrap();
    assert!(ring::default_provider().key_provider.load_private_key(key).is_ok());
    let old = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n";
    assert!(private_key(old, b"x").unwrap_err().contains("openssl pkcs8 -topk8"));
}
