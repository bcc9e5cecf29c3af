//! Encrypted connections of the loop to itself, on the loopback.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair as NewKey};

use super::*;
use crate::base::files::memory::MemoryFiles;
use crate::base::files::replace;
use crate::base::time::{Instant, Now, UnixMillis};
use crate::base::tls::{ClientCertificates, KeyPair, TlsSettings};
use crate::net::{App, Closed, ConnId, DialOptions, ListenOptions, Loop, Net, TlsContext};

const TURNS_MAX: usize = 20_000;

/// Sends back what clients send, and keeps what comes back.
#[derive(Default)]
struct Echo {
    clients: Vec<ConnId>,
    ours: Vec<ConnId>,
    heard: Vec<u8>,
    log: Vec<String>,
}

impl App for Echo {
    fn accepted(&mut self, _: &mut Net, conn: ConnId, _: ListenerId) {
        self.clients.push(conn);
    }

    fn received(&mut self, net: &mut Net, ready: &[ConnId]) {
        for &conn in ready {
            let Some(mut input) = net.take_input(conn) else { continue };
            let count = input.bytes().len();
            if self.clients.contains(&conn) {
                // Both ways out: copied, and shared.
                let (copied, shared) = input.bytes().split_at(count / 2);
                let out = net.out(conn).unwrap();
                out.append(copied);
                out.append_shared(Bytes::copy_from_slice(shared));
            } else {
                self.heard.extend_from_slice(input.bytes());
            }
            input.consume(count);
            net.put_input(conn, input);
        }
    }

    fn connected(&mut self, net: &mut Net, conn: ConnId, result: io::Result<()>) {
        assert_eq!(net.is_open(conn), result.is_ok());
        match result {
            Ok(()) => self.ours.push(conn),
            Err(error) => self.log.push(format!("not connected: {error}")),
        }
    }

    fn closed(&mut self, _: &mut Net, _: ConnId, reason: Closed) {
        self.log.push(format!("closed: {reason:?}"));
    }

    fn handshake_failed(&mut self, _: &mut Net, _: &str, _: &str, error: &io::Error) {
        self.log.push(format!("refused: {error}"));
    }

    fn before_sleep(&mut self, _: &mut Net, now: Now) -> Option<Instant> {
        Some(now.mono + 5000)
    }
}

struct World {
    event_loop: Loop,
    app: Echo,
    address: SocketAddr,
    files: MemoryFiles,
}

/// Everything at its default, with the files that tests put on their disks.
pub(super) fn settings() -> TlsSettings {
    TlsSettings {
        own: KeyPair { certificate: "/cert".into(), key: "/key".into(), password: Vec::new() },
        as_client: KeyPair::default(),
        ca_file: "/ca".into(),
        ca_folder: Default::default(),
        clients: ClientCertificates::Required,
        protocols: String::new(),
        ciphers: String::new(),
        suites: String::new(),
        prefers_own_ciphers: false,
        sessions_max: Some(10),
        session_seconds: 300,
        serves: true,
        dials: true,
    }
}

/// Puts an authority and a certificate of it on the disk.
fn issue(files: &MemoryFiles) {
    let ca_key = NewKey::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = ca.self_signed(&ca_key).unwrap();
    let key = NewKey::generate().unwrap();
    let certificate = CertificateParams::new(vec!["any".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    for (path, text) in [("/ca", root.pem()), ("/cert", certificate.pem()), ("/key", key.serialize_pem())] {
        replace(files, Path::new(path), Path::new("/temporary"), text.as_bytes()).unwrap();
    }
}

fn context(settings: &TlsSettings, files: &MemoryFiles) -> Option<Arc<TlsContext>> {
    Some(Arc::new(TlsContext::build(settings, files, UnixMillis(0)).unwrap()))
}

impl World {
    fn new(settings: &TlsSettings) -> World {
        let files = MemoryFiles::new();
        issue(&files);
        let mut event_loop = Loop::new().unwrap();
        let net = event_loop.net();
        net.set_tls(context(settings, &files));
        let options = ListenOptions { backlog: 511, keepalive: 0, mark: 0, is_tls: true };
        let report = net.listen_tcp(&["127.0.0.1"], 0, &options);
        let address = net.listener_address(report.listeners[0]).unwrap();
        World { event_loop, app: Echo::default(), address, files }
    }

    fn net(&mut self) -> &mut Net {
        self.event_loop.net()
    }

    fn dial(&mut self) -> ConnId {
        let address = self.address;
        self.net().dial(address, &DialOptions { is_tls: true, ..DialOptions::default() })
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut World) -> bool) {
        for _ in 0..TURNS_MAX {
            if done(self) {
                return;
            }
            self.event_loop.turn(&mut self.app).unwrap();
        }
        panic!("waited in vain for {what}; told: {:?}", self.app.log);
    }

    /// Sends bytes and waits for them to come back.
    fn echo(&mut self, conn: ConnId, bytes: &[u8]) {
        self.app.heard.clear();
        self.net().out(conn).unwrap().append_shared(Bytes::copy_from_slice(bytes));
        self.until("the echo", |world| world.app.heard.len() >= bytes.len());
        assert!(self.app.heard == bytes);
    }
}

#[test]
fn bytes_of_any_number_arrive_as_they_were_sent() {
    for protocols in ["TLSv1.3", "TLSv1.2"] {
        let mut world = World::new(&TlsSettings { protocols: protocols.to_owned(), ..settings() });
        let ours = world.dial();
        // What is written before the connection stands is sent when it does.
        world.net().out(ours).unwrap().append(b"early");
        world.until("the early echo", |world| world.app.heard == b"early");
        let large: Vec<u8> = (0..3_000_000u32).map(|number| ((number * 31) >> 3) as u8).collect();
        for bytes in [&b"x"[..], &large[..20_000], &large] {
            world.echo(ours, bytes);
        }
        assert!(world.net().conn(ours).unwrap().is_tls());
        world.net().close(ours);
        world.until("the end", |world| world.app.log == ["closed: End"]);
        assert_eq!(world.net().connections(), 0);
    }
}

#[test]
fn held_output_stays_held_and_the_last_words_are_sent() {
    let mut world = World::new(&settings());
    world.dial();
    world.until("a client", |world| world.app.clients.len() == 1 && world.app.ours.len() == 1);
    let client = world.app.clients[0];
    world.net().out(client).unwrap().append(b"one");
    world.net().hold_output(client, 1);
    world.net().out(client).unwrap().append(b"two");
    world.net().hold_output(client, 2);
    let other = world.dial();
    world.until("another connection", |world| world.app.ours.len() == 2);
    world.echo(other, b"not held");
    world.app.heard.clear();
    world.net().close(other);
    world.net().release_output(1);
    world.until("the first part", |world| world.app.heard == b"one");
    world.net().release_output(2);
    world.net().close_after_flush(client);
    world.until("the rest", |world| world.app.heard == b"onetwo");
    world.until("both ends", |world| world.net().connections() == 0);
}

#[test]
fn who_does_not_speak_tls_or_says_nothing_harms_nobody() {
    let mut world = World::new(&settings());
    let _silent = TcpStream::connect(world.address).unwrap();
    let mut plain = TcpStream::connect(world.address).unwrap();
    plain.write_all(b"*1\r\n$4\r\nPING\r\n").unwrap();
    let ours = world.dial();
    world.until("a connection", |world| world.app.ours == [ours]);
    world.echo(ours, b"fine");
    world.until("a refusal", |world| world.app.log.len() == 1);
    assert!(world.app.log[0].starts_with("refused: "), "{:?}", world.app.log);
    assert_eq!((world.net().handshakes.count, world.app.clients.len()), (1, 1));
    // The silent one has been at it for a day.
    world.net().handshakes.since[0].0 = Instant::from_millis(1);
    world.until("another refusal", |world| world.app.log.len() == 2);
    assert_eq!(world.app.log[1], "refused: the TLS handshake takes too long");
    assert_eq!((world.net().handshakes.count, world.net().connections()), (0, 2));
}

#[test]
fn with_too_many_at_it_clients_wait_until_others_are_done() {
    let mut world = World::new(&settings());
    let ours = world.dial();
    world.net().handshakes.count += crate::base::limits::TLS_HANDSHAKES_MAX;
    for _ in 0..3 {
        world.event_loop.turn(&mut world.app).unwrap();
    }
    assert_eq!((world.app.clients.len(), world.app.ours.len()), (0, 0));
    world.net().handshakes.count = 0;
    world.until("a connection", |world| world.app.ours == [ours]);
}

#[test]
fn new_certificates_are_for_new_connections_and_the_old_ones_stand() {
    let mut world = World::new(&settings());
    let old = world.dial();
    world.until("a connection", |world| world.app.ours.len() == 1);
    let files = world.files.clone();
    assert!(world.net().refresh_tls(&settings(), &files).is_none());

    // Half of a rotation: told once, and nothing changes.
    let other = MemoryFiles::new();
    issue(&other);
    let copy = |path: &str| {
        let text = crate::base::files::read_whole(&other, Path::new(path), 1 << 20).unwrap();
        replace(&files, Path::new(path), Path::new("/temporary"), &text).unwrap();
    };
    copy("/cert");
    let refused = world.net().refresh_tls(&settings(), &files).unwrap().unwrap_err();
    assert_eq!(refused, "The private key '/key' does not belong to the certificate '/cert'");
    assert!(world.net().refresh_tls(&settings(), &files).is_none());
    let second = world.dial();
    world.until("a connection", |world| world.app.ours.len() == 2);
    world.echo(second, b"still the old ones");

    copy("/key");
    copy("/ca");
    world.net().refresh_tls(&settings(), &files).unwrap().unwrap();
    assert!(world.net().refresh_tls(&settings(), &files).is_none());
    let third = world.dial();
    world.until("a connection", |world| world.app.ours.len() == 3);
    world.echo(third, b"new");
    world.echo(old, b"old");
}

#[test]
fn a_stranger_is_refused_on_either_side() {
    let mut world = World::new(&settings());
    world.dial();
    // The client's side of the connection exists already; the server's is made with certificates of another authority.
    let files = MemoryFiles::new();
    issue(&files);
    world.net().set_tls(context(&settings(), &files));
    world.until("both refusals", |world| world.app.log.len() == 2);
    assert!(
        world.app.log.iter().any(|text| text.starts_with("not connected: invalid peer certificate")),
        "{:?}",
        world.app.log
    );
    assert_eq!(world.net().connections(), 0);
}

#[test]
fn without_certificates_there_is_no_encrypted_connection() {
    let mut world = World::new(&settings());
    world.net().set_tls(None);
    world.dial();
    world.until("the failure", |world| !world.app.log.is_empty());
    assert_eq!(world.app.log, ["not connected: TLS is not configured"]);
}
