//! Encrypted connections.

use crate::config::directive::Effect::NoSubject;
use crate::config::directive::{Apply, Directive, Flags, INT_MAX, PORT_MAX, RUNTIME, flag, integer, text, word};
use crate::config::table::Group;
use crate::config::values::TlsAuth;

/// What every directive of this group starts from.
const TLS: Directive = Directive { apply: Some(Apply::Tls), ..RUNTIME };

/// Encrypted connections.
pub static GROUP: Group = Group {
    title: "TLS",
    intro: "",
    directives: &[
        Directive {
            name: "tls-port",
            kind: integer!(Int, tls.tls_port, 0, 0..=PORT_MAX),
            doc: "Port for encrypted connections. 0: none. With `port 0` all clients must use TLS.",
            ..TLS
        },
        Directive {
            name: "tls-cert-file",
            kind: text!(tls.tls_cert_file, ""),
            flags: Flags::VOLATILE,
            doc: "Our certificate, and those between it and the authority, PEM. When the file changes it is read again for new \
                  connections; those that stand are not touched.",
            ..TLS
        },
        Directive {
            name: "tls-key-file",
            kind: text!(tls.tls_key_file, ""),
            flags: Flags::VOLATILE,
            doc: "Its private key, PEM. Empty: it is in the file of the certificate.",
            ..TLS
        },
        Directive {
            name: "tls-key-file-pass",
            kind: text!(tls.tls_key_file_pass, ""),
            flags: Flags::SENSITIVE,
            doc: "Password of the private key, which must be in PKCS#8.",
            ..TLS
        },
        Directive {
            name: "tls-client-cert-file",
            kind: text!(tls.tls_client_cert_file, ""),
            flags: Flags::VOLATILE,
            doc: "Certificate for connections we open, to masters and from a Sentinel. Empty: the same.",
            ..TLS
        },
        Directive {
            name: "tls-client-key-file",
            kind: text!(tls.tls_client_key_file, ""),
            flags: Flags::VOLATILE,
            doc: "Its private key.",
            ..TLS
        },
        Directive {
            name: "tls-client-key-file-pass",
            kind: text!(tls.tls_client_key_file_pass, ""),
            flags: Flags::SENSITIVE,
            doc: "Password of that key.",
            ..TLS
        },
        Directive {
            name: "tls-dh-params-file",
            kind: text!(tls.tls_dh_params_file, ""),
            flags: Flags::VOLATILE,
            effect: NoSubject("key exchanges are always on elliptic curves"),
            doc: "Parameters for key exchanges that are not used any more: ours are always on elliptic curves.",
            ..TLS
        },
        Directive {
            name: "tls-ca-cert-file",
            kind: text!(tls.tls_ca_cert_file, ""),
            flags: Flags::VOLATILE,
            doc: "Certificates of the authorities we trust, PEM. Host names are not compared with certificates.",
            ..TLS
        },
        Directive {
            name: "tls-ca-cert-dir",
            kind: text!(tls.tls_ca_cert_dir, ""),
            flags: Flags::VOLATILE,
            doc: "Folder of such certificates.",
            ..TLS
        },
        Directive {
            name: "tls-auth-clients",
            kind: word!(tls.tls_auth_clients: TlsAuth::Yes),
            doc: "Whether clients must show a certificate: `yes`, `no`, or `optional`, where one that is shown must be good.",
            ..TLS
        },
        Directive {
            name: "tls-replication",
            kind: flag!(tls.tls_replication, false),
            doc: "Encrypt connections to the master, and a Sentinel's to everybody.",
            ..TLS
        },
        Directive {
            name: "tls-cluster",
            kind: flag!(tls.tls_cluster, false),
            effect: NoSubject("there is no cluster mode"),
            doc: "Encrypt the cluster bus.",
            ..TLS
        },
        Directive {
            name: "tls-protocols",
            kind: text!(tls.tls_protocols, ""),
            doc: "Versions to allow, `TLSv1.2` and `TLSv1.3`; empty: both.",
            ..TLS
        },
        Directive {
            name: "tls-ciphers",
            kind: text!(tls.tls_ciphers, ""),
            doc: "Ciphers to allow in TLS 1.2, by OpenSSL's names; empty: all we have, which are those of ECDHE with AES-GCM or \
                  ChaCha20.",
            ..TLS
        },
        Directive {
            name: "tls-ciphersuites",
            kind: text!(tls.tls_ciphersuites, ""),
            doc: "Cipher suites to allow in TLS 1.3; empty: all.",
            ..TLS
        },
        Directive {
            name: "tls-prefer-server-ciphers",
            kind: flag!(tls.tls_prefer_server_ciphers, false),
            doc: "Choose ciphers in our order instead of the client's.",
            ..TLS
        },
        Directive {
            name: "tls-session-caching",
            kind: flag!(tls.tls_session_caching, true),
            doc: "Let clients resume sessions.",
            ..TLS
        },
        Directive {
            name: "tls-session-cache-size",
            kind: integer!(Int, tls.tls_session_cache_size, 20480, 0..=INT_MAX),
            doc: "Sessions to remember. 0: no limit.",
            ..TLS
        },
        Directive {
            name: "tls-session-cache-timeout",
            kind: integer!(Int, tls.tls_session_cache_timeout, 300, 0..=INT_MAX),
            doc: "Seconds to remember a session.",
            ..TLS
        },
    ],
};
