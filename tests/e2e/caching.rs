//! Client-side caching between real connections: what is told without a command of anybody, and who is forgotten.

use super::client::{Client, Reply};
use super::node::{LATER, Node, SOON, wait_for};

fn caching_client(node: &Node, options: &[&str]) -> Client {
    let mut client = node.client();
    client.call(&["HELLO", "3"]).unwrap();
    let words = [&["CLIENT", "TRACKING", "ON"], options].concat();
    assert_eq!(client.call(&words).unwrap(), Reply::Status("OK".into()));
    client
}

/// The keys of the next message, sorted.
fn told(client: &mut Client) -> Vec<String> {
    let message = client.read().unwrap();
    assert_eq!(message.items()[0].text(), "invalidate", "{message:?}");
    let mut keys: Vec<String> = message.items()[1].items().iter().map(Reply::text).collect();
    keys.sort();
    keys
}

#[test]
fn expiry_flushes_and_swaps_are_told_to_who_has_read_and_to_who_follows_a_prefix() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\""]);
    let mut writer = node.client();
    let mut reader = caching_client(&node, &[]);
    let mut follower = caching_client(&node, &["BCAST", "PREFIX", "user:"]);
    writer.call(&["SET", "user:1", "x", "PX", "1000"]).unwrap();
    assert_eq!(told(&mut follower), ["user:1"]);
    assert_eq!(reader.call(&["GET", "user:1"]).unwrap().text(), "x");
    // Nobody asks for it any more; it is told when its time is over.
    assert_eq!((told(&mut reader), told(&mut follower)), (vec!["user:1".to_owned()], vec!["user:1".to_owned()]));
    writer.call(&["MSET", "user:2", "x", "other", "x"]).unwrap();
    assert_eq!(told(&mut follower), ["user:2"]);
    for command in [&["FLUSHDB"][..], &["FLUSHALL", "ASYNC"], &["SWAPDB", "0", "1"]] {
        reader.call(&["GET", "user:2"]).unwrap();
        assert!(!writer.call(command).unwrap().is_error());
        assert_eq!((told(&mut reader), told(&mut follower)), (vec![], vec![]), "{command:?}");
    }
    assert_eq!(node.info("clients", "tracking_clients"), "2");
    assert_eq!(node.info("stats", "tracking_total_prefixes"), "1");
}

#[test]
fn who_leaves_is_forgotten_even_while_its_script_is_stuck() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\"", "busy-reply-threshold 20"]);
    let mut stuck = caching_client(&node, &["BCAST"]);
    stuck.call(&["SUBSCRIBE", "channel"]).unwrap();
    stuck.call(&["WATCH", "key"]).unwrap();
    stuck.send(&["EVAL", "while true do end", "0"]).unwrap();
    let mut other = node.client();
    wait_for("the script is stuck", LATER, || other.call(&["PING"]).unwrap().text().starts_with("BUSY"));
    drop(stuck);
    other.call(&["SCRIPT", "KILL"]).unwrap();
    wait_for("the server serves again", SOON, || other.call(&["PING"]).unwrap().text() == "PONG");
    wait_for("nothing of the client is left", SOON, || {
        let of_clients = ["tracking_clients", "pubsub_clients", "watching_clients", "total_watched_keys"]
            .map(|field| node.info("clients", field));
        of_clients == ["0", "0", "0", "0"] && node.info("stats", "tracking_total_prefixes") == "0"
    });
    // And no number of it: two connections, this one and the one that asks.
    wait_for("it is not listed", SOON, || node.ask(&["CLIENT", "LIST"]).lines().count() == 2);
}
