//! Encrypted connections: what stock redis-cli gets, what is told about wrong files, and a whole group whose members show each
//! other certificates, which are replaced under way.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::node::{LATER, Node, OURS, SOON, free_port, stock, wait_for};

/// An authority, and a folder with what it issued: `ca.pem`, `cert.pem`, `key.pem`.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for this machine that is valid until the year given.
    fn issue(&self, last_year: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.not_after = date_time_ymd(last_year, 1, 2);
        params.distinguished_name.push(DnType::CommonName, "member");
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// Replaces a file as an administrator's tool does: whole.
fn put(path: &Path, text: &str) {
    let temporary = path.with_extension("new");
    fs::write(&temporary, text).unwrap();
    fs::rename(&temporary, path).unwrap();
}

fn put_all(folder: &Path, authority: &Authority) {
    fs::create_dir_all(folder).unwrap();
    let (certificate, key) = authority.issue(2040);
    put(&folder.join("ca.pem"), &authority.pem);
    put(&folder.join("cert.pem"), &certificate);
    put(&folder.join("key.pem"), &key);
}

fn lines(folder: &Path, port: u16) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("tls-port {port}"),
        format!("tls-cert-file {}", path("cert.pem")),
        format!("tls-key-file {}", path("key.pem")),
        format!("tls-ca-cert-file {}", path("ca.pem")),
    ]
}

fn server(root: &Path, folder: &Path, port: u16, more: &[&str]) -> Node {
    let lines = lines(folder, port);
    let mut all: Vec<&str> = lines.iter().map(String::as_str).collect();
    all.extend(more);
    Node::server(root, &all)
}

/// What redis-cli prints, errors included.
fn cli(folder: &Path, port: u16, certificate: bool, words: &[&str]) -> Option<String> {
    let program = stock("redis-cli")?;
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "--tls", "--cacert"]).arg(folder.join("ca.pem"));
    if certificate {
        command.arg("--cert").arg(folder.join("cert.pem")).arg("--key").arg(folder.join("key.pem"));
    }
    let output = command.args(words).output().unwrap();
    Some(
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
            .trim()
            .to_owned(),
    )
}

/// A connection of ours with what the folder holds now.
struct TlsClient(StreamOwned<ClientConnection, TcpStream>);

impl TlsClient {
    fn connect(folder: &Path, port: u16) -> io::Result<TlsClient> {
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let mut roots = RootCertStore::empty();
        let added =
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&read("ca.pem")).map(Result::unwrap));
        assert_ne!(added.0, 0);
        let chain = CertificateDer::pem_slice_iter(&read("cert.pem")).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(&read("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap();
        let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(SOON))?;
        Ok(TlsClient(StreamOwned::new(session, socket)))
    }

    /// Sends a line, and gives the first line of the answer.
    fn line(&mut self, text: &str) -> io::Result<String> {
        self.0.write_all(format!("{text}\r\n").as_bytes())?;
        let (mut line, mut byte) = (Vec::new(), [0]);
        while !line.ends_with(b"\r\n") {
            self.0.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

#[test]
fn redis_cli_talks_to_a_server_that_listens_for_tls_only() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("tls");
    put_all(&folder, &Authority::new());
    let port = free_port();
    // The last `port` counts; the harness asks at the encrypted one by redis-cli.
    let text =
        [vec!["port 0".to_owned(), "bind 127.0.0.1".to_owned(), "save \"\"".to_owned()], lines(&folder, port)].concat();
    let conf = root.path().join("redis.conf");
    fs::write(&conf, text.join("\n")).unwrap();
    let mut process = Command::new(OURS).arg(&conf).current_dir(root.path()).spawn().unwrap();
    let Some(_) = stock("redis-cli") else {
        process.kill().unwrap();
        process.wait().unwrap();
        return;
    };
    wait_for("the server answers", LATER, || cli(&folder, port, true, &["PING"]).unwrap() == "PONG");
    let value = "x".repeat(200_000);
    assert_eq!(cli(&folder, port, true, &["SET", "k", &value[..100_000]]).unwrap(), "OK");
    assert_eq!(cli(&folder, port, true, &["APPEND", "k", &value[..100_000]]).unwrap(), "200000");
    assert_eq!(cli(&folder, port, true, &["GET", "k"]).unwrap(), value);
    assert!(
        cli(&folder, port, true, &["INFO", "server"])
            .unwrap()
            .contains(&format!("listener0:name=tls,bind=127.0.0.1,port={port}"))
    );
    let refused = cli(&folder, port, false, &["PING"]).unwrap();
    assert!(!refused.contains("PONG"), "a client without a certificate was served: {refused}");
    assert_eq!(cli(&folder, port, true, &["CONFIG", "SET", "tls-auth-clients", "optional"]).unwrap(), "OK");
    assert_eq!(cli(&folder, port, false, &["PING"]).unwrap(), "PONG");
    for version in ["TLSv1.2", "TLSv1.3"] {
        assert_eq!(cli(&folder, port, false, &["CONFIG", "SET", "tls-protocols", version]).unwrap(), "OK");
        assert_eq!(cli(&folder, port, false, &["PING"]).unwrap(), "PONG");
    }
    let old = cli(&folder, port, false, &["CONFIG", "SET", "tls-protocols", "TLSv1.1"]).unwrap();
    assert!(old.contains("TLSv1.1 is not safe any more"), "{old}");
    let ciphers = cli(&folder, port, false, &["CONFIG", "SET", "tls-ciphers", "AES128-SHA"]).unwrap();
    assert!(ciphers.contains("'AES128-SHA' is not supported"), "{ciphers}");
    assert_eq!(cli(&folder, port, false, &["CONFIG", "GET", "tls-protocols"]).unwrap(), "tls-protocols\nTLSv1.3");
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Encrypted with the help of other threads: everybody gets its own, in order, whatever its size.
#[test]
fn a_crowd_over_tls_is_served_by_io_threads() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("tls");
    put_all(&folder, &Authority::new());
    let port = free_port();
    let node = server(root.path(), &folder, port, &["io-threads 4", "io-threads-do-reads yes"]);
    let mut clients: Vec<TlsClient> = (0..30).map(|_| TlsClient::connect(&folder, port).unwrap()).collect();
    for client in &mut clients {
        assert_eq!(client.line("PING").unwrap(), "+PONG");
    }
    for turn in 0..10 {
        let value = |number: usize| ((b'a' + number as u8 % 26) as char).to_string().repeat(1 + number * turn * 1000);
        for (number, client) in clients.iter_mut().enumerate() {
            let value = value(number);
            let set = format!("*3\r\n$3\r\nSET\r\n$2\r\n{number:02}\r\n${}\r\n{value}\r\n", value.len());
            client.0.write_all(format!("{set}GET {number:02}\r\nECHO {turn}\r\n").as_bytes()).unwrap();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let (value, turn) = (value(number), turn.to_string());
            let expected = format!("+OK\r\n${}\r\n{value}\r\n${}\r\n{turn}\r\n", value.len(), turn.len());
            let mut heard = vec![0; expected.len()];
            client.0.read_exact(&mut heard).unwrap();
            assert!(heard == expected.as_bytes(), "client {number} in turn {turn}");
        }
    }
    for field in ["io_threaded_reads_processed", "io_threaded_writes_processed"] {
        assert_ne!(node.info("stats", field), "0", "{field}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named_and_change_nothing() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("tls");
    let authority = Authority::new();
    put_all(&folder, &authority);
    let port = free_port();
    let node = server(root.path(), &folder, port, &[]);
    let mut standing = TlsClient::connect(&folder, port).unwrap();
    assert_eq!(standing.line("PING").unwrap(), "+PONG");

    let missing = node.ask(&["CONFIG", "SET", "tls-cert-file", "/no/such/file"]);
    assert!(missing.contains("'/no/such/file': No such file or directory"), "{missing}");
    let (other, _) = authority.issue(2040);
    put(&folder.join("other.pem"), &other);
    let other = folder.join("other.pem").display().to_string();
    let mismatch = node.ask(&["CONFIG", "SET", "tls-cert-file", &other]);
    assert!(
        mismatch.contains("key.pem' does not belong to the certificate") && mismatch.contains("other.pem"),
        "{mismatch}"
    );
    assert!(node.ask(&["CONFIG", "GET", "tls-cert-file"]).ends_with("/cert.pem"));
    let cluster = node.ask(&["CONFIG", "SET", "tls-cluster", "yes"]);
    assert!(cluster.contains("there is no cluster mode"), "{cluster}");

    // Another port, then none, then one again.
    let elsewhere = free_port();
    assert_eq!(node.ask(&["CONFIG", "SET", "tls-port", &elsewhere.to_string()]), "OK");
    assert_eq!(TlsClient::connect(&folder, elsewhere).unwrap().line("PING").unwrap(), "+PONG");
    assert!(TlsClient::connect(&folder, port).is_err());
    assert_eq!(node.ask(&["CONFIG", "SET", "tls-port", "0"]), "OK");
    assert!(TlsClient::connect(&folder, elsewhere).is_err());
    assert_eq!(node.ask(&["CONFIG", "SET", "tls-port", &port.to_string()]), "OK");
    assert_eq!(standing.line("PING").unwrap(), "+PONG");

    // A certificate that has expired is used, since nothing better is there; the log says so.
    let (expired, key) = authority.issue(2025);
    put(&folder.join("key.pem"), &key);
    put(&folder.join("cert.pem"), &expired);
    wait_for("the log names it", SOON, || node.log().contains("cert.pem' has expired on 2025-01-02 00:00:00 UTC"));
    let refused = TlsClient::connect(&folder, port).and_then(|mut client| client.line("PING")).unwrap_err();
    assert!(refused.to_string().contains("certificate expired"), "{refused}");
    assert_eq!(standing.line("PING").unwrap(), "+PONG");
}

#[test]
fn a_start_with_wrong_files_says_what_is_wrong() {
    let root = tempfile::tempdir().unwrap();
    let start = |lines: &str| {
        let conf = root.path().join("redis.conf");
        fs::write(&conf, format!("port 0\nbind 127.0.0.1\n{lines}\n")).unwrap();
        let output = Command::new(OURS).arg(&conf).current_dir(root.path()).output().unwrap();
        assert!(!output.status.success());
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let port = free_port();
    let text = start(&format!("tls-port {port}"));
    assert!(text.contains("Failed to configure TLS. No tls-cert-file configured!"), "{text}");
    let text = start(&format!("tls-port {port}\ntls-cert-file /none.pem\ntls-auth-clients no"));
    assert!(text.contains("'/none.pem': No such file or directory"), "{text}");
    let text = start("tls-cluster yes");
    assert!(text.contains("tls-cluster: there is no cluster mode"), "{text}");
}

/// A group whose links are all encrypted.
struct Group {
    folder: PathBuf,
    data: Vec<(Node, u16)>,
    sentinels: Vec<(Node, u16)>,
}

impl Group {
    fn start(root: &Path, folder: &Path) -> Group {
        let common = ["save \"\"", "repl-diskless-sync-delay 0", "tls-replication yes"];
        let master_port = free_port();
        let replicaof = format!("replicaof 127.0.0.1 {master_port}");
        let data = (0..3)
            .map(|index| {
                let port = if index == 0 { master_port } else { free_port() };
                let mut more = common.to_vec();
                if index > 0 {
                    more.push(&replicaof);
                }
                (server(root, folder, port, &more), port)
            })
            .collect();
        let sentinels = (0..3)
            .map(|_| {
                let port = free_port();
                let mut lines = lines(folder, port);
                lines.extend([
                    "tls-replication yes".to_owned(),
                    format!("sentinel monitor mymaster 127.0.0.1 {master_port} 2"),
                    "sentinel down-after-milliseconds mymaster 1000".to_owned(),
                    "sentinel failover-timeout mymaster 10000".to_owned(),
                ]);
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                (Node::sentinel(root, &lines), port)
            })
            .collect();
        Group { folder: folder.to_path_buf(), data, sentinels }
    }

    fn nodes(&self) -> impl Iterator<Item = &(Node, u16)> {
        self.data.iter().chain(&self.sentinels)
    }

    fn wait_complete(&self) {
        wait_for("every Sentinel knows two replicas and two others", LATER, || {
            self.sentinels.iter().all(|(node, _)| {
                let info = node.ask(&["INFO", "sentinel"]);
                info.contains("status=ok") && info.contains("slaves=2,sentinels=3")
            })
        });
        wait_for("two replicas are in sync", LATER, || {
            self.data.iter().filter(|(node, _)| node.info("replication", "master_link_status") == "up").count() == 2
        });
        wait_for("the Sentinels have heard both replicas", LATER, || {
            self.sentinels.iter().all(|(node, _)| {
                node.ask(&["SENTINEL", "REPLICAS", "mymaster"]).matches("master-link-status ok").count() == 2
            })
        });
    }

    fn master(&self, index: usize) -> u16 {
        let reply = self.sentinels[index].0.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]);
        reply.split(' ').nth(1).and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// A new connection to everybody who is there.
    fn greet(&self, but: Option<u16>) {
        for (_, port) in self.nodes().filter(|(_, port)| Some(*port) != but) {
            let answer = TlsClient::connect(&self.folder, *port).and_then(|mut client| client.line("PING"));
            assert_eq!(answer.unwrap_or_else(|error| panic!("port {port}: {error}")), "+PONG");
        }
    }

    /// Replaces files, and waits until all that run have taken them up.
    fn replace(&self, files: &[(&str, &str)], but: Option<u16>) {
        const WORD: &str = "TLS certificates have changed";
        let running = || self.nodes().filter(|(_, port)| Some(*port) != but);
        let before: Vec<usize> = running().map(|(node, _)| node.log().matches(WORD).count()).collect();
        for (name, text) in files {
            put(&self.folder.join(name), text);
        }
        wait_for("everybody uses the new files", LATER, || {
            running().zip(&before).all(|((node, _), before)| node.log().matches(WORD).count() > *before)
        });
    }
}

#[test]
fn a_group_fails_over_while_its_certificates_are_replaced() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("tls");
    let (first, second) = (Authority::new(), Authority::new());
    put_all(&folder, &first);
    let mut group = Group::start(root.path(), &folder);
    group.wait_complete();
    group.greet(None);
    let old = group.master(0);
    let mut client = TlsClient::connect(&folder, old).unwrap();
    assert_eq!(client.line("SET written before").unwrap(), "+OK");
    assert_eq!(client.line("WAIT 2 10000").unwrap(), ":2");

    // Both authorities are trusted first; the old certificates are still shown.
    group.replace(&[("ca.pem", &format!("{}{}", first.pem, second.pem))], None);
    group.greet(None);
    let index = group.data.iter().position(|(_, port)| *port == old).unwrap();
    group.data[index].0.kill();
    // In the middle of the failover everybody gets another certificate.
    let (certificate, key) = second.issue(2040);
    group.replace(&[("key.pem", &key), ("cert.pem", &certificate)], Some(old));
    wait_for("another master is chosen by all", LATER, || {
        let ports = [group.master(0), group.master(1), group.master(2)];
        ports.iter().all(|port| *port == ports[0] && *port != old && *port != 0)
    });
    group.greet(Some(old));
    let new = group.master(0);
    let mut client = TlsClient::connect(&folder, new).unwrap();
    wait_for("it takes writes", LATER, || client.line("SET written after").unwrap() == "+OK");

    // The old authority is no longer trusted; the old master comes back with new files.
    group.replace(&[("ca.pem", &second.pem)], Some(old));
    group.data[index].0.start_again();
    group.wait_complete();
    group.greet(None);
    assert_eq!(client.line("WAIT 2 10000").unwrap(), ":2");
    for (node, port) in &group.data {
        wait_for("every node has the last write", LATER, || node.ask(&["GET", "written"]) == "after");
        let mut client = TlsClient::connect(&folder, *port).unwrap();
        client.0.sock.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        assert_eq!(client.line("EXISTS written").unwrap(), ":1");
    }
    for (node, port) in group.nodes() {
        let log = node.log();
        // A Sentinel that waits too long gives an attempt up in the middle and makes another; that is not meant.
        let gone = ["Connection reset by peer", "Connection closed by peer", "Broken pipe"];
        let is_refused = |line: &&str| {
            line.contains("Error accepting a client connection") && !gone.iter().any(|words| line.contains(words))
        };
        let failed: Vec<&str> = log.lines().filter(is_refused).collect();
        assert!(failed.is_empty(), "port {port}: {failed:?}");
    }
}
