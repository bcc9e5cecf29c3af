//! Hundreds of replicas, most of them nothing but a socket: the stream they are owed is kept once, those that do not read cost
//! neither the master nor the others anything, and in a tree all hear the same.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::node::{LATER, Node, wait_for};

const MANY: usize = 100;
const READING: usize = 10;
/// Writes, and the length of each: well above what the sockets of a connection take.
const WRITES: usize = 4000;
const LENGTH: usize = 10_000;
/// What the master may hold for one that does not read, besides the stream.
const COPIES: usize = 256 * 1024;
const LAST: &str = "the-last-key";

fn follower(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"PSYNC ? -1\r\n").unwrap();
    stream
}

/// Reads until the last key has come.
fn read_all(mut stream: TcpStream) -> TcpStream {
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let count = stream.read(&mut buffer).expect("the stream goes on");
        assert!(count > 0, "the master let a replica go");
        seen.extend_from_slice(&buffer[..count]);
        // After the last write there is nothing but a PING now and then.
        seen.drain(..seen.len().saturating_sub(256));
        if seen.windows(LAST.len()).any(|window| window == LAST.as_bytes()) {
            return stream;
        }
    }
}

#[test]
fn a_hundred_replicas_share_one_copy_of_the_stream() {
    let root = tempfile::tempdir().unwrap();
    let lines = [
        "save \"\"",
        "repl-diskless-sync-delay 0",
        "repl-backlog-size 1mb",
        "client-output-buffer-limit replica 0 0 0",
        "repl-timeout 600",
    ];
    let master = Node::server(root.path(), &lines);
    master.call(&["SET", "k", "v"]);
    let mut followers: Vec<TcpStream> = (0..MANY).map(|_| follower(master.port)).collect();
    wait_for("all are online", LATER, || master.ask(&["INFO", "replication"]).matches("state=online").count() == MANY);

    let stuck = followers.split_off(READING);
    let reading: Vec<_> = followers.into_iter().map(|stream| std::thread::spawn(move || read_all(stream))).collect();
    let memory = |field: &str| master.info("memory", field).parse::<usize>().expect("a figure");
    let before = memory("used_memory");
    let (mut client, value) = (master.client(), "x".repeat(LENGTH));
    for n in 0..WRITES {
        client.call(&["SET", &format!("key:{}", n % 10), &value]).expect("writes are not held up");
    }
    client.call(&["SET", LAST, "1"]).unwrap();
    let readers: Vec<_> = reading.into_iter().map(|reader| reader.join().expect("who reads has everything")).collect();

    let written = WRITES * LENGTH;
    let stream = memory("mem_total_replication_buffers");
    assert!((written / 4..written * 5 / 4).contains(&stream), "{stream} bytes for {written}, {} replicas", stuck.len());
    let grown = memory("used_memory").saturating_sub(before);
    let most = stream + stuck.len() * COPIES;
    assert!(
        grown < most,
        "{grown} bytes more for {written} written, of which {stream} are the stream; {most} is the most"
    );
    assert_eq!(master.info("replication", "connected_slaves"), MANY.to_string());
    drop((stuck, readers));
    wait_for("nobody needs it any more", LATER, || memory("mem_total_replication_buffers") < 3 << 20);
}

/// A master, three replicas of it, and seventy below each of these: every byte of the stream comes to all of them.
#[test]
fn two_hundred_replicas_in_a_tree_hear_the_same() {
    const BELOW: usize = 70;
    let root = tempfile::tempdir().unwrap();
    let lines = ["save \"\"", "repl-diskless-sync-delay 0", "repl-timeout 600"];
    let master = Node::server(root.path(), &lines);
    let replicaof = format!("replicaof 127.0.0.1 {}", master.port);
    let middle: Vec<Node> = (0..3).map(|_| Node::server(root.path(), &[&lines[..], &[&replicaof]].concat())).collect();
    wait_for("the middle is up", LATER, || {
        middle.iter().all(|node| node.info("replication", "master_link_status") == "up")
    });
    let followers: Vec<TcpStream> = middle.iter().flat_map(|node| (0..BELOW).map(|_| follower(node.port))).collect();
    wait_for("all are online", LATER, || {
        middle.iter().all(|node| node.ask(&["INFO", "replication"]).matches("state=online").count() == BELOW)
    });
    let readers: Vec<_> = followers.into_iter().map(|stream| std::thread::spawn(move || commands(stream))).collect();
    let mut client = master.client();
    for n in 0..1000 {
        client.call(&["SET", &format!("key:{n}"), "value"]).unwrap();
    }
    client.call(&["SET", LAST, "1"]).unwrap();
    for reader in readers {
        let keys = reader.join().expect("the whole stream");
        assert!((0..1000).map(|n| format!("key:{n}")).eq(keys), "a key is missing, comes twice or in another place");
    }
    let ids: Vec<String> = middle.iter().map(|node| node.info("replication", "master_replid")).collect();
    assert!(ids.iter().all(|id| *id == master.info("replication", "master_replid")), "{ids:?}");
    assert!(middle.iter().all(|node| node.info("stats", "sync_full") == BELOW.to_string()));
}

/// The keys set on the stream before the last one, in order.
fn commands(mut stream: TcpStream) -> Vec<String> {
    let (mut text, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    while !text.windows(LAST.len()).any(|window| window == LAST.as_bytes()) {
        let count = stream.read(&mut buffer).expect("the stream goes on");
        assert!(count > 0, "the connection was closed");
        text.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let keys = text.split("\r\n").filter(|line| line.starts_with("key:"));
    keys.map(str::to_owned).collect()
}
