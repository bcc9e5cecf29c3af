//! The loop with helpers: it must do what it does without them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use bytes::Bytes;

use super::super::tests::World;
use crate::base::rng::Rng;

/// A world whose loop has so many threads, and clients in it.
fn world(threads: usize, clients: usize) -> (World, Vec<TcpStream>) {
    let mut world = World::new();
    world.net().start_io_threads(threads, true).unwrap();
    world.app.wants_turn = true;
    let address = world.listen();
    let clients: Vec<TcpStream> = (0..clients).map(|_| TcpStream::connect(address).unwrap()).collect();
    world.until("all clients", |world| world.app.conns.len() == clients.len());
    (world, clients)
}

#[test]
fn a_crowd_is_served_with_help() {
    let (mut world, mut clients) = world(4, 200);
    for round in 1..=5 {
        clients.iter_mut().for_each(|client| client.write_all(b"hello").unwrap());
        world.until("all bytes", |world| world.app.received == 1000 * round);
        world.turn();
        for client in &mut clients {
            let mut reply = [0; 5];
            client.read_exact(&mut reply).unwrap();
            assert_eq!(&reply, b"hello");
        }
    }
    let stats = *world.net().stats();
    assert_eq!((stats.bytes_in, stats.bytes_out, stats.reads, stats.writes), (5000, 5000, 1000, 1000));
    assert!(stats.threaded_reads > 500 && stats.threaded_writes > 500, "{stats:?}");
    assert!(stats.threaded_writes <= stats.writes);
    clients.truncate(100);
    world.until("the ends", |world| world.net().connections() == 100);
    assert_eq!(world.app.log, vec!["end"; 100]);
}

#[test]
fn nobody_is_woken_for_a_few() {
    let (mut world, mut clients) = world(4, 7);
    clients.iter_mut().for_each(|client| client.write_all(b"hello").unwrap());
    world.until("all bytes", |world| world.app.received == 35);
    world.turn();
    let stats = *world.net().stats();
    assert_eq!((stats.threaded_reads, stats.threaded_writes, stats.writes), (0, 0, 7));
    assert!(!world.net().is_io_threaded());
    let address = world.listen();
    let _eighth = TcpStream::connect(address).unwrap();
    world.until("one more", |world| world.app.conns.len() == 8);
    for conn in world.app.conns.clone() {
        world.net().out(conn).unwrap().append(b"x");
    }
    world.turn();
    assert_eq!((world.net().stats().threaded_writes, world.net().is_io_threaded()), (8, true));
    world.turn();
    assert!(!world.net().is_io_threaded());
}

/// A few of a crowd read nothing while others send.
fn is_slow(number: usize) -> bool {
    number.is_multiple_of(8)
}

/// Everybody sends and reads at a pace of its own, some not at all for a while: each gets back exactly what it sent, in order.
#[test]
fn each_stream_stays_in_order_and_whole() {
    for (seed, threads) in [(1, 1), (2, 2), (3, 4), (4, 6)] {
        let mut rng = Rng::seeded(seed);
        let (mut world, mut clients) = world(threads, 40);
        for (number, client) in clients.iter().enumerate() {
            client.set_nonblocking(true).unwrap();
            if is_slow(number) {
                // So that what it does not read waits with us, not with the system.
                socket2::SockRef::from(client).set_recv_buffer_size(16 * 1024).unwrap();
                let conn = world.app.conns[number];
                let socket = &world.net().conn(conn).unwrap().socket;
                socket2::SockRef::from(socket).set_send_buffer_size(16 * 1024).unwrap();
            }
        }
        let mut streams = vec![(0_u64, 0_u64); clients.len()];
        let byte = |client: usize, at: u64| (at.wrapping_mul(31) >> 3) as u8 ^ client as u8;
        let mut buffer = vec![0; 256 * 1024];
        let mut total = 0;
        let goal = 3 * 1024 * 1024;
        let mut rounds = 0;
        while streams.iter().any(|(sent, heard)| sent != heard) || total < goal {
            rounds += 1;
            assert!(rounds < 50_000, "seed {seed}: {streams:?}");
            for (number, client) in clients.iter_mut().enumerate() {
                let (sent, heard) = &mut streams[number];
                if total < goal && rng.below(3) == 0 {
                    let is_long = is_slow(number) || rng.percent(10);
                    let size = 1 + rng.below(if is_long { 100_000 } else { 300 });
                    let bytes: Vec<u8> = (0..size).map(|more| byte(number, *sent + more)).collect();
                    if let Ok(count) = client.write(&bytes) {
                        *sent += count as u64;
                        total += count;
                    }
                }
                if (!is_slow(number) || total >= goal)
                    && let Ok(count) = client.read(&mut buffer)
                {
                    let is_right = buffer[..count].iter().zip(*heard..).all(|(own, at)| *own == byte(number, at));
                    assert!(is_right && count > 0, "seed {seed}, client {number} behind byte {heard}");
                    *heard += count as u64;
                }
            }
            world.turn();
        }
        let stats = *world.net().stats();
        assert_eq!((stats.bytes_in, stats.bytes_out), (total as u64, total as u64));
        assert_eq!(stats.threaded_writes > 0 && stats.threaded_reads > 0, threads > 1, "{stats:?}");
        assert!(world.app.log.iter().any(|line| line == "congested"));
    }
}

#[test]
fn replies_leave_before_the_end_that_follows_them() {
    let (mut world, mut clients) = world(4, 60);
    world.app.close_after_reply = true;
    for client in &mut clients {
        client.write_all(b"QUIT\r\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    world.until("the ends", |world| world.net().connections() == 0);
    assert_eq!(world.app.log, vec!["flushed"; 60]);
    for client in &mut clients {
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "QUIT\r\n");
    }
}

#[test]
fn held_output_waits_whoever_sends() {
    let (mut world, mut clients) = world(4, 20);
    world.app.hold = Some(5);
    clients.iter_mut().for_each(|client| client.write_all(b"SET k v\r\n").unwrap());
    world.until("all bytes", |world| world.app.received == 180);
    (0..3).for_each(|_| world.turn());
    let before = *world.net().stats();
    assert_eq!(before.bytes_out, 0);
    world.app.hold = None;
    world.net().release_output(5);
    world.turn();
    assert_eq!(world.net().stats().bytes_out, 180);
    assert!(world.net().stats().threaded_writes >= before.threaded_writes + 20);
}

/// Who reads parses, and reads no more until what was found is taken.
#[test]
fn requests_are_parsed_where_they_are_read() {
    let (mut world, mut clients) = world(4, 40);
    world.app.lends = true;
    world.app.is_away = true;
    clients.iter_mut().for_each(|client| client.write_all(b"*1\r\n$4\r\nPING\r\nget k\r\n*1\r\n$4\r\nQU").unwrap());
    world.until("all bytes", |world| world.net().stats().bytes_in == 40 * 31);
    assert!(world.app.ahead.len() == 40 && world.app.ahead.values().all(|ahead| ahead.len() == 2));
    clients.iter_mut().for_each(|client| client.write_all(b"IT\r\n").unwrap());
    (0..10).for_each(|_| world.turn());
    assert_eq!(world.net().stats().bytes_in, 40 * 31, "positions in the input would be void");
    world.app.is_away = false;
    world.app.conns.clone().into_iter().for_each(|conn| world.net().announce(conn));
    world.until("the rest", |world| world.net().stats().bytes_in == 40 * 35);
    world.turn();
    for client in &mut clients {
        let mut reply = [0; 48];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(&reply[..], b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nget\r\n$1\r\nk\r\n*1\r\n$4\r\nQUIT\r\n");
    }
    assert!(world.net().stats().threaded_reads >= 80);
}

/// What the application does when it hears of one may end the others of the same round, which have been read or written.
#[test]
fn the_end_of_one_may_be_the_end_of_all() {
    let (mut world, clients) = world(4, 50);
    world.app.stands_and_falls = true;
    drop(clients);
    world.until("the ends", |world| world.net().connections() == 0);
    assert_eq!(world.app.log, ["end"]);

    let (mut world, mut clients) = self::world(4, 20);
    world.app.stands_and_falls = true;
    let chunk = Bytes::from(vec![b'v'; 8 << 20]);
    for conn in world.app.conns.clone() {
        world.net().out(conn).unwrap().append_shared(chunk.clone());
    }
    world.until("the ends", |world| world.net().connections() == 1);
    assert!(world.app.log.iter().all(|line| line == "congested"), "{:?}", world.app.log);
    // Those that are gone got a part; the one that is left gets all.
    let mut whole = 0;
    clients.iter().for_each(|client| client.set_nonblocking(true).unwrap());
    let mut totals = vec![0; clients.len()];
    let mut buffer = vec![0; 1 << 20];
    world.until("the whole value", |_| {
        for (client, total) in clients.iter_mut().zip(&mut totals) {
            match client.read(&mut buffer) {
                Ok(count) => *total += count,
                Err(error) => {
                    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionReset))
                }
            }
        }
        whole = totals.iter().filter(|total| **total == chunk.len()).count();
        whole == 1
    });
    assert_eq!(world.net().connections(), 1);
}
