//! Clients that wait, with real connections: what is before and behind a blocking command, who leaves, and roles.

use std::path::Path;

use super::client::Client;
use super::node::{LATER, Node, OURS, SOON, free_port, wait_for};

fn start(root: &Path) -> Node {
    let lines = ["save \"\"", "repl-diskless-sync-delay 0"];
    Node::start(root, Path::new(OURS), free_port(), "redis.conf", &lines, &[])
}

fn waits(node: &Node, words: &[&str]) -> Client {
    let before = blocked(node);
    let mut client = node.client();
    client.send(words).unwrap();
    wait_for("the client waits", SOON, || blocked(node) == before + 1);
    client
}

fn blocked(node: &Node) -> usize {
    node.info("clients", "blocked_clients").parse().unwrap()
}

fn heard(client: &mut Client) -> Vec<String> {
    let reply = client.read().unwrap();
    reply.items().iter().map(|item| item.text()).collect()
}

#[test]
fn what_was_sent_behind_a_blocking_command_follows_it() {
    let root = tempfile::tempdir().unwrap();
    let node = start(root.path());
    let mut client = waits(&node, &["BLPOP", "k", "0"]);
    client.send(&["RPUSH", "k", "mine"]).unwrap();
    client.send(&["BRPOP", "k", "other", "0"]).unwrap();
    client.send(&["BLPOP", "k", "0.05"]).unwrap();
    assert_eq!(node.ask(&["RPUSH", "k", "yours"]), "1");
    assert_eq!(heard(&mut client), ["k", "yours"]);
    assert_eq!(client.read().unwrap().text(), "1");
    assert_eq!(heard(&mut client), ["k", "mine"]);
    assert!(client.read().unwrap().items().is_empty());
    assert_eq!((blocked(&node), node.info("clients", "total_blocking_keys")), (0, "0".into()));
    assert!(node.info("commandstats", "cmdstat_blpop").starts_with("calls=2,"));
}

#[test]
fn who_leaves_or_is_made_to_leave_gets_nothing() {
    let root = tempfile::tempdir().unwrap();
    let node = start(root.path());
    let mut killed = node.client();
    let id = killed.call(&["CLIENT", "ID"]).unwrap().text();
    killed.send(&["BLPOP", "k", "0"]).unwrap();
    let gone = waits(&node, &["BLPOP", "k", "0"]);
    let mut last = waits(&node, &["BLPOP", "k", "0"]);
    wait_for("three wait", SOON, || blocked(&node) == 3);
    drop(gone);
    wait_for("one left", SOON, || blocked(&node) == 2);
    assert_eq!(node.ask(&["CLIENT", "KILL", "ID", &id]), "1");
    assert_eq!(node.ask(&["RPUSH", "k", "a"]), "1");
    assert!(killed.read().is_err());
    assert_eq!(heard(&mut last), ["k", "a"]);
}

#[test]
fn a_master_that_becomes_a_replica_ends_all_waiting_and_a_replicas_readers_follow_the_stream() {
    let root = tempfile::tempdir().unwrap();
    let (master, node) = (start(root.path()), start(root.path()));
    let mut on_list = waits(&node, &["BLPOP", "k", "0"]);
    let mut on_replicas = waits(&node, &["WAIT", "5", "0"]);
    assert_eq!(node.ask(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]), "OK");
    for client in [&mut on_list, &mut on_replicas] {
        let text = client.read().unwrap().text();
        assert!(text.contains("UNBLOCKED force unblock from blocking operation"), "{text}");
        assert!(client.read().is_err());
    }
    wait_for("the link is up", LATER, || node.info("replication", "master_link_status") == "up");
    let mut reader = waits(&node, &["XREAD", "BLOCK", "0", "STREAMS", "s", "0"]);
    let id = master.ask(&["XADD", "s", "*", "f", "v"]);
    let reply = reader.read().unwrap();
    let entry = &reply.items()[0].items()[1].items()[0];
    assert_eq!(entry.items()[0].text(), id);
}
