//! The loop with real sockets on the loopback, turn by turn, on one thread.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use bytes::Bytes;

use super::*;
use crate::resp::encode;
use crate::resp::parser::{Batch, Parsed, Parser, RequestLimits};

/// Longest sleep of one turn in these tests: reached only when something that should happen does not.
const PATIENCE_MS: u64 = 5000;
const TURNS_MAX: usize = 20_000;

/// Sends back what it receives, and remembers what it was told.
#[derive(Default)]
pub(super) struct Echo {
    pub(super) log: Vec<String>,
    pub(super) conns: Vec<ConnId>,
    pub(super) received: usize,
    keep_input: bool,
    /// What is kept is asked for again in the next turn.
    asks_again: bool,
    pub(super) close_after_reply: bool,
    refuse: bool,
    stop_on: Option<TimerKey>,
    pub(super) wants_turn: bool,
    /// Replies of the next turns wait for this ticket.
    pub(super) hold: Option<u64>,
    /// When one connection ends or is congested, the others are closed.
    pub(super) stands_and_falls: bool,
    /// Parsers are lent to whoever reads, and what they found is kept until the input is taken.
    pub(super) lends: bool,
    pub(super) ahead: HashMap<ConnId, Ahead>,
    pub(super) parsers: HashMap<ConnId, Parser>,
    /// What came is left alone.
    pub(super) is_away: bool,
}

impl Echo {
    fn close_others(&mut self, net: &mut Net, but: ConnId) {
        if self.stands_and_falls {
            self.conns.iter().filter(|conn| **conn != but).for_each(|conn| net.close(*conn));
        }
    }
}

impl App for Echo {
    fn accepted(&mut self, net: &mut Net, conn: ConnId, _listener: ListenerId) {
        self.conns.push(conn);
        if self.refuse {
            net.out(conn).unwrap().append(b"-ERR max number of clients reached\r\n");
            net.close_after_flush(conn);
        }
    }

    fn lend_parser(&mut self, conn: ConnId) -> Option<Ahead> {
        assert!(!self.ahead.contains_key(&conn));
        let limits = RequestLimits { authenticated: true, bulk_max: 1 << 29, from_master: false };
        self.lends.then(|| {
            let mut ahead = Ahead::default();
            ahead.lend(self.parsers.entry(conn).or_default(), limits, 64);
            ahead
        })
    }

    fn parsed(&mut self, conn: ConnId, mut ahead: Ahead) {
        ahead.give_back(self.parsers.get_mut(&conn).unwrap());
        if !ahead.is_idle() {
            self.ahead.insert(conn, ahead);
        }
    }

    fn received(&mut self, net: &mut Net, ready: &[ConnId]) {
        if self.is_away {
            return;
        }
        for &conn in ready {
            if let Some(mut ahead) = self.ahead.remove(&conn) {
                let input = net.take_input(conn).unwrap();
                let mut batch = Batch::new();
                assert_eq!(ahead.move_to(&mut batch, 0), Ok(Parsed::All));
                for request in batch.requests() {
                    encode::send(net.out(conn).unwrap(), &batch.args(request, input.storage()));
                }
                net.put_input(conn, input);
                continue;
            }
            let Some(mut input) = net.take_input(conn) else { continue };
            self.received += input.bytes().len();
            if !self.keep_input {
                net.out(conn).unwrap().append(input.bytes());
                input.consume(input.bytes().len());
            }
            net.put_input(conn, input);
            if self.asks_again {
                net.announce(conn);
            }
            if self.close_after_reply {
                net.close_after_flush(conn);
            }
        }
    }

    fn connected(&mut self, net: &mut Net, conn: ConnId, result: io::Result<()>) {
        assert_eq!(net.is_open(conn), result.is_ok());
        self.log.push(format!("connected {:?}", result.map_err(|error| error_text(&error))));
    }

    fn closed(&mut self, net: &mut Net, conn: ConnId, reason: Closed) {
        assert!(!net.is_open(conn));
        let name = match reason {
            Closed::End => "end",
            Closed::Flushed => "flushed",
            Closed::ReadFailed(_) => "read failed",
            Closed::WriteFailed(_) => "write failed",
        };
        self.log.push(name.to_owned());
        self.close_others(net, conn);
    }

    fn congested(&mut self, net: &mut Net, conn: ConnId) {
        assert!(!net.conn(conn).unwrap().out().is_empty());
        self.close_others(net, conn);
        self.log.push("congested".to_owned());
    }

    fn drained(&mut self, net: &mut Net, conn: ConnId) {
        self.log.push(format!("drained {}", net.conn(conn).unwrap().out().len()));
    }

    fn timer(&mut self, net: &mut Net, key: TimerKey) {
        self.log.push(format!("timer {}", key.0));
        if self.stop_on == Some(key) {
            net.stop();
        }
    }

    fn woken(&mut self, _net: &mut Net) {
        self.log.push("woken".to_owned());
    }

    fn resolved(&mut self, _net: &mut Net, tag: u64, result: io::Result<Vec<IpAddr>>) {
        self.log.push(format!("resolved {tag} {:?}", result.map_err(|error| error_text(&error))));
    }

    fn before_sleep(&mut self, net: &mut Net, now: Now) -> Option<Instant> {
        if let Some(ticket) = self.hold {
            self.conns.iter().for_each(|conn| net.hold_output(*conn, ticket));
        }
        Some(if self.wants_turn { now.mono } else { now.mono + PATIENCE_MS })
    }
}

pub(super) struct World {
    pub(super) event_loop: Loop,
    pub(super) app: Echo,
}

impl World {
    pub(super) fn new() -> World {
        World { event_loop: Loop::new().unwrap(), app: Echo::default() }
    }

    pub(super) fn listen(&mut self) -> SocketAddr {
        let options = ListenOptions { backlog: 511, keepalive: 300, mark: 0, is_tls: false };
        let report = self.net().listen_tcp(&["127.0.0.1"], 0, &options);
        assert!(!report.failed, "{report:?}");
        self.net().listener_address(report.listeners[0]).unwrap()
    }

    fn client(&mut self) -> TcpStream {
        let address = self.listen();
        let client = TcpStream::connect(address).unwrap();
        self.until("a client", |world| !world.app.conns.is_empty());
        client
    }

    pub(super) fn net(&mut self) -> &mut Net {
        self.event_loop.net()
    }

    pub(super) fn turn(&mut self) {
        self.event_loop.turn(&mut self.app).unwrap();
    }

    pub(super) fn until(&mut self, what: &str, mut done: impl FnMut(&mut World) -> bool) {
        for _ in 0..TURNS_MAX {
            if done(self) {
                return;
            }
            self.turn();
        }
        panic!("waited in vain for {what}; told: {:?}", self.app.log);
    }

    fn until_told(&mut self, text: &str) {
        self.until(text, |world| world.app.log.iter().any(|line| line == text));
    }
}

/// Who asked is answered before a message goes out to those who listen, so that it can ask again meanwhile.
#[test]
fn answers_are_sent_before_what_is_pushed() {
    let mut world = World::new();
    let address = world.listen();
    let mut clients: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    world.until("all clients", |world| world.app.conns.len() == 3);
    let [listener, first, second] = world.app.conns[..] else { unreachable!() };
    for asking in [first, second] {
        let mut out = world.net().take_out(asking).unwrap();
        world.net().out(listener).unwrap().append(b"news");
        out.append(b"sent");
        world.net().put_out(asking, out);
    }
    let net = world.net();
    assert_eq!((&net.dirty[..], &net.pushed[..]), (&[first, second][..], &[listener][..]));
    world.app.wants_turn = true;
    world.turn();
    for (client, text) in clients.iter_mut().zip(["newsnews", "sent", "sent"]) {
        let mut reply = vec![0; text.len()];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(reply, text.as_bytes());
    }
}

#[test]
fn bytes_come_in_and_go_out_with_one_read_and_one_write() {
    let mut world = World::new();
    let mut client = world.client();
    let before = *world.net().stats();
    for round in 1..=10 {
        client.write_all(b"PING\r\n").unwrap();
        world.until("the echo", |world| world.app.received == 6 * round);
        let mut reply = [0; 6];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"PING\r\n");
    }
    let stats = *world.net().stats();
    assert_eq!((stats.reads - before.reads, stats.writes - before.writes), (10, 10));
    assert_eq!((stats.bytes_in, stats.bytes_out), (60, 60));
    let id = world.app.conns[0];
    let conn = world.net().conn(id).unwrap();
    assert_eq!((conn.bytes_in(), conn.bytes_out()), (60, 60));
    assert_eq!(conn.peer_text(), client.local_addr().unwrap().to_string());
    assert_eq!(conn.local_text(), client.peer_addr().unwrap().to_string());
    assert_eq!((conn.input().memory(), conn.out().memory(), conn.is_local()), (0, 0, true));
    drop(client);
    world.until_told("end");
    assert_eq!(world.net().connections(), 0);
}

#[test]
fn accepted_sockets_have_the_options_of_their_listener() {
    let mut world = World::new();
    let _client = world.client();
    let id = world.app.conns[0];
    let conn = world.net().conn(id).unwrap();
    let socket = socket2::SockRef::from(&conn.socket);
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap().as_secs(), 300);
}

#[test]
fn a_client_that_ends_its_stream_still_gets_its_replies() {
    for size in [5, READ, 2 * READ, 100_000] {
        let mut world = World::new();
        let mut client = world.client();
        let sent = vec![b'x'; size];
        client.write_all(&sent).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        world.until_told("end");
        let mut reply = Vec::new();
        client.read_to_end(&mut reply).unwrap();
        assert_eq!(reply.len(), size);
    }
}

const READ: usize = crate::base::limits::READ_CHUNK;

#[test]
fn a_reply_larger_than_the_socket_waits_for_its_reader() {
    let mut world = World::new();
    world.app.wants_turn = true;
    let mut client = world.client();
    let id = world.app.conns[0];
    let chunk = Bytes::from(vec![b'v'; 1 << 20]);
    let net = world.net();
    let out = net.out(id).unwrap();
    (0..32).for_each(|_| out.append_shared(chunk.clone()));
    out.append(b"end");
    net.watch_output(id, 0);
    net.close_after_flush(id);
    world.until_told("congested");
    world.app.log.clear();
    world.net().out(id).unwrap().append(b"more");
    world.until_told("congested");
    let (mut total, mut buffer) = (0, vec![0; 1 << 20]);
    client.set_nonblocking(true).unwrap();
    world.until("all bytes", |_| {
        match client.read(&mut buffer) {
            Ok(count) => total += count,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        total == (32 << 20) + 7
    });
    world.until_told("flushed");
    assert!(!world.app.log.contains(&"write failed".to_owned()));
}

/// What a reply acknowledges may not be safe yet: each part of the output waits for its own ticket, in order.
#[test]
fn held_output_leaves_with_its_ticket_and_nothing_overtakes_it() {
    let mut world = World::new();
    let mut client = world.client();
    client.set_read_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
    let read = |client: &mut TcpStream| {
        let mut buf = [0; 100];
        let count = client.read(&mut buf).unwrap_or(0);
        String::from_utf8(buf[..count].to_vec()).unwrap()
    };
    for (text, hold) in [("one", Some(3)), ("two", Some(3)), ("three", Some(9)), ("four", None)] {
        let before = world.app.received;
        world.app.hold = hold;
        client.write_all(text.as_bytes()).unwrap();
        world.until(text, |world| world.app.received > before);
    }
    world.app.wants_turn = true;
    world.turn();
    assert_eq!(read(&mut client), "");
    world.net().release_output(2);
    world.turn();
    assert_eq!(read(&mut client), "");
    world.net().release_output(3);
    world.turn();
    assert_eq!(read(&mut client), "onetwo");
    let conn = world.app.conns[0];
    world.net().close_after_flush(conn);
    world.turn();
    assert_eq!(read(&mut client), "");
    world.net().release_output(u64::MAX);
    world.until_told("flushed");
    assert_eq!(read(&mut client), "threefour");
}

#[test]
fn output_that_drained_is_told_once() {
    let mut world = World::new();
    world.app.wants_turn = true;
    let _client = world.client();
    let id = world.app.conns[0];
    world.net().out(id).unwrap().append(b"hello");
    world.net().watch_output(id, 3);
    world.until_told("drained 0");
    world.turn();
    world.net().out(id).unwrap().append(b"hello");
    world.turn();
    assert_eq!(world.app.log.len(), 1);
    world.net().watch_output(id, 3);
    world.until("the second", |world| world.app.log.len() == 2);
}

#[test]
fn a_paused_connection_is_not_read_until_it_is_resumed() {
    let mut world = World::new();
    world.app.wants_turn = true;
    let mut client = world.client();
    let id = world.app.conns[0];
    world.net().pause_reading(id);
    client.write_all(b"hello").unwrap();
    (0..5).for_each(|_| world.turn());
    assert_eq!(world.app.received, 0);
    world.net().resume_reading(id);
    world.until("the bytes", |world| world.app.received == 5);
}

#[test]
fn bytes_left_in_the_input_are_announced_on_request() {
    let mut world = World::new();
    world.app.wants_turn = true;
    let mut client = world.client();
    let id = world.app.conns[0];
    world.app.keep_input = true;
    client.write_all(b"hello").unwrap();
    world.until("the bytes", |world| world.app.received == 5);
    world.turn();
    assert_eq!(world.app.received, 5);
    world.app.keep_input = false;
    world.net().announce(id);
    world.turn();
    assert_eq!(world.app.received, 10);
    let mut reply = [0; 5];
    client.read_exact(&mut reply).unwrap();
}

#[test]
fn who_has_sent_more_than_was_looked_at_is_not_read_from() {
    let mut world = World::new();
    world.app.wants_turn = true;
    let mut client = world.client();
    (world.app.keep_input, world.app.asks_again) = (true, true);
    client.write_all(b"hello").unwrap();
    world.until("the bytes", |world| world.app.received >= 5);
    client.write_all(b"world").unwrap();
    for turn in 2..10 {
        world.turn();
        assert_eq!(world.app.received, turn * 5, "the same bytes as before");
    }
    (world.app.keep_input, world.app.asks_again) = (false, false);
    let mut reply = [0; 10];
    world.until("the rest", |world| world.app.received == 9 * 5 + 10);
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"helloworld");
}

#[test]
fn a_peer_that_dies_while_paused_is_noticed() {
    let mut world = World::new();
    let client = world.client();
    let id = world.app.conns[0];
    world.net().pause_reading(id);
    socket2::SockRef::from(&client).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(client);
    world.until_told("read failed");
}

#[test]
fn a_refused_client_reads_why() {
    let mut world = World::new();
    world.app.refuse = true;
    let mut client = world.client();
    world.until_told("flushed");
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "-ERR max number of clients reached\r\n");
}

#[test]
fn closing_now_tells_nobody() {
    let mut world = World::new();
    world.app.wants_turn = true;
    let mut client = world.client();
    let id = world.app.conns[0];
    world.net().out(id).unwrap().append(b"lost");
    world.net().close(id);
    assert!(world.net().out(id).is_none() && world.net().take_input(id).is_none());
    world.turn();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    assert!(world.app.log.is_empty());
}

#[test]
fn closing_after_a_reply() {
    let mut world = World::new();
    world.app.close_after_reply = true;
    let mut client = world.client();
    client.write_all(b"QUIT\r\n").unwrap();
    world.until_told("flushed");
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "QUIT\r\n");
}

#[test]
fn dialling_reaches_a_listener_and_says_when_nobody_listens() {
    let mut world = World::new();
    let address = world.listen();
    let source = Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)));
    let id = world.net().dial(address, &DialOptions { source, ..DialOptions::default() });
    world.net().out(id).unwrap().append(b"early");
    world.until_told("connected Ok(())");
    world.until("the echo", |world| world.app.received >= 10);
    let conn = world.net().conn(id).unwrap();
    assert_eq!(
        (conn.peer_text(), conn.local_address().unwrap().ip().to_string()),
        (address.to_string(), "127.0.0.2".into())
    );

    let (closed, probe) = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        (listener.local_addr().unwrap(), DialOptions::default())
    };
    let id = world.net().dial(closed, &probe);
    world.until_told("connected Err(\"Connection refused\")");
    assert!(!world.net().is_open(id));
}

#[test]
fn a_source_address_that_is_not_ours() {
    let mut world = World::new();
    let address = world.listen();
    let source = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    world.net().dial(address, &DialOptions { source, ..DialOptions::default() });
    world.until_told("connected Err(\"Cannot assign requested address\")");
    world.net().dial(address, &DialOptions { source, source_is_optional: true, ..DialOptions::default() });
    world.until_told("connected Ok(())");
}

#[test]
fn timers_fire_in_order_and_end_the_loop() {
    let mut world = World::new();
    let now = world.net().now().mono;
    world.net().set_timer(TimerKey(2), now + 3);
    world.net().set_timer(TimerKey(1), now + 1);
    world.net().set_timer(TimerKey(9), now);
    world.net().cancel_timer(TimerKey(9));
    world.app.stop_on = Some(TimerKey(2));
    world.event_loop.run(&mut world.app).unwrap();
    assert_eq!(world.app.log, ["timer 1", "timer 2"]);
}

#[test]
fn another_thread_wakes_the_loop_and_leaves_its_mail() {
    let mut world = World::new();
    let (sender, inbox) = mailbox(world.net().wake_handle(), 8);
    let thread = std::thread::spawn(move || (0..100).all(|number| sender.send(number)));
    let mut mail = Vec::new();
    world.until("all mail", |world| {
        if world.app.log.pop().is_some() {
            mail.extend(inbox.drain());
        }
        mail.len() == 100
    });
    assert!(thread.join().unwrap() && mail == (0..100).collect::<Vec<_>>());
    let (sender, inbox) = mailbox(world.net().wake_handle(), 1);
    assert_eq!((sender.try_send(1), sender.try_send(2)), (Ok(()), Err(2)));
    drop(inbox);
    assert!(!sender.send(3));
}

#[test]
fn names_are_resolved_beside_the_loop() {
    let mut world = World::new();
    world.net().resolve(1, "127.0.0.3");
    world.net().resolve(2, "::1");
    world.until_told("resolved 2 Ok([::1])");
    assert_eq!(world.app.log[0], "resolved 1 Ok([127.0.0.3])");
    world.net().resolve(3, "localhost");
    world.until("localhost", |world| world.app.log.iter().any(|line| line.starts_with("resolved 3 Ok([")));
    world.net().resolve(4, "no such name");
    world.until("a failure", |world| world.app.log.iter().any(|line| line.starts_with("resolved 4 Err(")));
}

#[test]
fn a_socket_file_serves_like_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("redis.sock");
    let path = path.to_str().unwrap();
    let mut world = World::new();
    let listener = world.net().listen_unix(path, 0o700, 16).unwrap();
    let mut client = UnixStream::connect(path).unwrap();
    client.write_all(b"PING\r\n").unwrap();
    world.until("the bytes", |world| world.app.received == 6);
    let mut reply = [0; 6];
    client.read_exact(&mut reply).unwrap();
    let id = world.app.conns[0];
    assert_eq!(world.net().conn(id).unwrap().peer_text(), format!("{path}:0"));
    world.net().stop_listening(listener);
    assert!(UnixStream::connect(path).is_err() && !std::path::Path::new(path).exists());
}

#[test]
fn many_clients_in_one_turn() {
    let mut world = World::new();
    let address = world.listen();
    let mut clients: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    world.until("all clients", |world| world.app.conns.len() == 200);
    clients.iter_mut().for_each(|client| client.write_all(b"hello").unwrap());
    world.until("all bytes", |world| world.app.received == 1000);
    for client in &mut clients {
        let mut reply = [0; 5];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"hello");
    }
    clients.truncate(100);
    world.until("the ends", |world| world.net().connections() == 100);
    assert_eq!(world.app.log, vec!["end"; 100]);
}

#[test]
fn one_that_sends_without_pause_does_not_stop_the_others() {
    let mut world = World::new();
    world.app.wants_turn = true;
    let address = world.listen();
    let mut fast = TcpStream::connect(address).unwrap();
    let mut slow = TcpStream::connect(address).unwrap();
    world.until("both", |world| world.app.conns.len() == 2);
    fast.set_nonblocking(true).unwrap();
    let flood = vec![b'f'; 1 << 20];
    while fast.write(&flood).is_ok() {}
    slow.write_all(b"hello").unwrap();
    let before = world.app.received;
    world.turn();
    let slow_id = world.app.conns[1];
    assert_eq!(world.net().conn(slow_id).unwrap().bytes_in(), 5);
    assert!(world.app.received - before <= 4 * READ + 5);
}

#[test]
fn a_large_argument_is_received_without_a_second_copy() {
    use crate::resp::parser::{Batch, Parser, RequestLimits};
    let mut world = World::new();
    let mut client = world.client();
    let id = world.app.conns[0];
    world.app.keep_input = true;
    let value = vec![b'v'; 3_000_000];
    let writer = std::thread::spawn(move || {
        client.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3000000\r\n").unwrap();
        client.write_all(&value).unwrap();
        client.write_all(b"\r\n*1\r\n$4\r\nPING\r\n").unwrap();
        client
    });
    let (mut parser, mut batch, mut seen) = (Parser::new(), Batch::new(), Vec::new());
    let limits = RequestLimits { authenticated: true, bulk_max: 1 << 29, from_master: false };
    world.until("both requests", |world| {
        let mut input = world.net().take_input(id).unwrap();
        batch.clear();
        parser.parse(&mut input, &limits, 64, 0, &mut batch).unwrap();
        for request in batch.requests() {
            let args = batch.args(request, input.storage());
            seen.push((args.len(), args.bytes(), args.len() == 3 && args.shared(2).is_some()));
        }
        assert!(input.memory() <= 8_000_000);
        world.net().put_input(id, input);
        seen.len() == 2
    });
    assert_eq!(seen, [(3, 3_000_004, true), (1, 4, false)]);
    writer.join().unwrap();
}
