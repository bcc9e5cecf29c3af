//! Values of many elements, saved and sent while they are being altered, renamed and deleted.

use std::process::Command;

use super::client::Client;
use super::node::{LATER, Node, stock, wait_for};

const LINES: &[&str] = &["save \"\"", "enable-debug-command yes", "repl-diskless-sync-delay 0"];

/// Elements of each value.
const COUNT: usize = 12_000;

/// Calls a command with so many words more at a time.
fn call_with(client: &mut Client, command: &[&str], words: &[String], at_a_time: usize) {
    for some in words.chunks(at_a_time) {
        let words: Vec<&str> = command.iter().copied().chain(some.iter().map(String::as_str)).collect();
        client.call(&words).unwrap();
    }
}

/// A value of each type.
fn fill(node: &Node) {
    let mut client = node.client();
    let names: Vec<String> = (0..COUNT).map(|n| format!("element:{n}")).collect();
    let pairs: Vec<String> = (0..COUNT).flat_map(|n| [n.to_string(), format!("element:{n}")]).collect();
    call_with(&mut client, &["SADD", "set"], &names, 500);
    call_with(&mut client, &["HSET", "hash"], &pairs, 500);
    call_with(&mut client, &["ZADD", "zset"], &pairs, 500);
    call_with(&mut client, &["RPUSH", "list"], &names, 500);
    call_with(&mut client, &["RPUSH", "doomed"], &names, 500);
    client.call(&["HPEXPIRE", "hash", "100000000", "FIELDS", "3", "0", "5000", "11000"]).unwrap();
    for n in 1..=COUNT / 4 {
        client.call(&["XADD", "stream", &format!("{n}-0"), "field", &format!("value:{n}")]).unwrap();
    }
    client.call(&["XGROUP", "CREATE", "stream", "group", "0"]).unwrap();
    client.call(&["XREADGROUP", "GROUP", "group", "ann", "COUNT", "2000", "STREAMS", "stream", ">"]).unwrap();
}

/// Alters all of them: elements first, then what the keys lead to.
fn disturb(node: &Node) {
    let mut client = node.client();
    let mut call = |words: &[&str]| client.call(words).unwrap();
    for round in 0..200 {
        let n = round * 59 % COUNT;
        let (name, number) = (format!("element:{n}"), n.to_string());
        call(&["SREM", "set", &name]);
        call(&["SADD", "set", &format!("new:{n}")]);
        call(&["HSET", "hash", &number, "another value, longer than the one before"]);
        call(&["HDEL", "hash", &(n + 1).to_string()]);
        call(&["ZADD", "zset", &format!("-{number}"), &name]);
        call(&["ZREM", "zset", &format!("element:{}", n + 1)]);
        call(&["LSET", "list", &number, "other"]);
        call(&["LPUSH", "list", "first"]);
        call(&["XADD", "stream", "*", "field", "value"]);
        call(&["XDEL", "stream", &format!("{}-0", n + 1)]);
        call(&["XACK", "stream", "group", &format!("{}-0", n + 2)]);
    }
    call(&["RENAME", "zset", "set"]);
    call(&["UNLINK", "doomed"]);
    call(&["COPY", "list", "copy"]);
    call(&["MOVE", "hash", "3"]);
    call(&["SWAPDB", "0", "3"]);
    call(&["LTRIM", "list", "5", "100"]);
}

#[test]
fn a_save_holds_large_values_as_they_were_when_it_began() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), LINES);
    fill(&node);
    let before = node.ask(&["DEBUG", "DIGEST"]);
    node.call(&["CONFIG", "SET", "rdb-key-save-delay", "50000"]);
    node.call(&["BGSAVE"]);
    disturb(&node);
    node.call(&["CONFIG", "SET", "rdb-key-save-delay", "0"]);
    wait_for("the save ends", LATER, || node.info("persistence", "rdb_bgsave_in_progress") == "0");
    assert_eq!(node.info("persistence", "rdb_last_bgsave_status"), "ok");
    assert_ne!(node.ask(&["DEBUG", "DIGEST"]), before);
    if let Some(check) = stock("redis-check-rdb") {
        // It does not know hashes with expiries of fields, and gets the file of a server without them.
        let other = Node::server(root.path(), LINES);
        fill(&other);
        other.call(&["HPERSIST", "hash", "FIELDS", "3", "0", "5000", "11000"]);
        other.call(&["BGSAVE"]);
        disturb(&other);
        wait_for("the save ends", LATER, || other.info("persistence", "rdb_bgsave_in_progress") == "0");
        let report = Command::new(&check).arg(other.folder.join("dump.rdb")).output().unwrap();
        assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stdout));
    }
    let mut node = node;
    node.kill();
    node.start_again();
    wait_for("the file is loaded", LATER, || node.info("persistence", "loading") == "0");
    assert_eq!(node.ask(&["DEBUG", "DIGEST"]), before);
}

#[test]
fn a_replica_gets_large_values_that_change_while_they_are_sent() {
    let root = tempfile::tempdir().unwrap();
    let (master, replica) = (Node::server(root.path(), LINES), Node::server(root.path(), LINES));
    fill(&master);
    replica.call(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
    wait_for("the resync begins", LATER, || master.info("stats", "sync_full") == "1");
    disturb(&master);
    wait_for("the replica has everything", LATER, || {
        replica.info("replication", "master_link_status") == "up"
            && replica.info("replication", "slave_repl_offset") == master.info("replication", "master_repl_offset")
    });
    assert_eq!(replica.ask(&["DEBUG", "DIGEST"]), master.ask(&["DEBUG", "DIGEST"]));
}

#[test]
fn a_rewritten_aof_of_commands_holds_large_values() {
    let root = tempfile::tempdir().unwrap();
    let lines = [LINES, &["appendonly yes", "aof-use-rdb-preamble no"]].concat();
    let mut node = Node::server(root.path(), &lines);
    fill(&node);
    node.call(&["BGREWRITEAOF"]);
    disturb(&node);
    wait_for("the rewrite ends", LATER, || {
        node.info("persistence", "aof_rewrite_in_progress") == "0" && node.info("persistence", "aof_rewrites") == "1"
    });
    assert_eq!(node.info("persistence", "aof_last_bgrewrite_status"), "ok");
    let after = node.ask(&["DEBUG", "DIGEST"]);
    node.kill();
    node.start_again();
    wait_for("the file is loaded", LATER, || node.info("persistence", "loading") == "0");
    assert_eq!(node.ask(&["DEBUG", "DIGEST"]), after);
}
