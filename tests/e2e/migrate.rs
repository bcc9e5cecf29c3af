//! MIGRATE between real servers, ours and a stock one.

use std::path::{Path, PathBuf};

use super::node::{LATER, Node, OURS, free_port, stock, wait_for};

fn start(root: &Path, program: &Path, lines: &[&str]) -> Node {
    Node::start(root, program, free_port(), "redis.conf", &[&["save \"\""], lines].concat(), &[])
}

fn move_between(from: Option<PathBuf>, to: Option<PathBuf>) {
    let (Some(from), Some(to)) = (from, to) else { return };
    let root = tempfile::tempdir().unwrap();
    let (source, target) = (start(root.path(), &from, &[]), start(root.path(), &to, &["requirepass secret"]));
    let port = target.port.to_string();
    let migrate = |rest: &[&str]| source.ask(&[&["MIGRATE", "127.0.0.1", &port], rest].concat());
    let mut there = target.client();
    let mut at_target = |words: &[&str]| there.call(words).unwrap().text();
    assert_eq!(at_target(&["AUTH", "secret"]), "OK");
    assert_eq!(at_target(&["SELECT", "2"]), "OK");

    assert_eq!(migrate(&["k", "2", "5000", "AUTH", "secret"]), "NOKEY");
    source.ask(&["SET", "k", "v", "PX", "100000"]);
    assert!(migrate(&["k", "2", "5000"]).contains("Target instance replied with error: NOAUTH"));
    assert!(migrate(&["k", "2", "5000", "AUTH", "wrong"]).contains("Target instance replied with error: WRONGPASS"));
    assert!(
        migrate(&["k", "99", "5000", "AUTH", "secret"]).contains("Target instance replied with error: ERR DB index")
    );
    assert_eq!(source.ask(&["EXISTS", "k"]), "1");
    assert_eq!(migrate(&["k", "2", "5000", "COPY", "AUTH2", "default", "secret"]), "OK");
    assert_eq!((source.ask(&["EXISTS", "k"]), at_target(&["GET", "k"])), ("1".into(), "v".into()));
    assert!((1..=100_000).contains(&at_target(&["PTTL", "k"]).parse::<i64>().unwrap()));

    source.ask(&["SET", "k", "new"]);
    source.ask(&["RPUSH", "list", "a", "b"]);
    let refusal = migrate(&["", "2", "5000", "AUTH", "secret", "KEYS", "missing", "list", "k"]);
    assert!(refusal.contains("BUSYKEY"), "{refusal}");
    // What arrived is gone here, what did not is not.
    assert_eq!((source.ask(&["EXISTS", "list"]), source.ask(&["EXISTS", "k"])), ("0".into(), "1".into()));
    assert_eq!(migrate(&["", "2", "5000", "REPLACE", "AUTH", "secret", "KEYS", "k", "list"]), "OK");
    assert_eq!((at_target(&["GET", "k"]), at_target(&["PTTL", "k"])), ("new".into(), "-1".into()));
    assert_eq!((at_target(&["LLEN", "list"]), source.ask(&["DBSIZE"])), ("2".into(), "0".into()));
}

#[test]
fn keys_move_between_ours_and_stock_servers() {
    move_between(Some(OURS.into()), Some(OURS.into()));
    move_between(Some(OURS.into()), stock("redis-server"));
    move_between(stock("redis-server"), Some(OURS.into()));
}

#[test]
fn replicas_hear_of_the_keys_that_moved_and_a_dead_target_costs_nothing() {
    let root = tempfile::tempdir().unwrap();
    let nodes: Vec<Node> =
        (0..3).map(|_| start(root.path(), Path::new(OURS), &["repl-diskless-sync-delay 0"])).collect();
    let [source, replica, target] = &nodes[..] else { unreachable!() };
    replica.ask(&["REPLICAOF", "127.0.0.1", &source.port.to_string()]);
    wait_for("the link is up", LATER, || replica.info("replication", "master_link_status") == "up");
    source.ask(&["MSET", "a", "1", "b", "2", "c", "3"]);
    wait_for("three keys", LATER, || replica.ask(&["DBSIZE"]) == "3");
    let port = target.port.to_string();
    let moved = source.ask(&["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS", "a", "c"]);
    assert_eq!(moved, "OK");
    assert_eq!(source.info("stats", "migrate_cached_sockets"), "1");
    wait_for("one key", LATER, || replica.ask(&["DBSIZE"]) == "1");
    assert_eq!((target.ask(&["GET", "a"]), target.ask(&["GET", "c"])), ("1".into(), "3".into()));

    let nobody = free_port().to_string();
    let error = source.ask(&["MIGRATE", "127.0.0.1", &nobody, "b", "0", "100"]);
    assert!(error.contains("IOERR error or timeout connecting to the client"), "{error}");
    // A target that stands still: the time is over while its answer is awaited.
    target.ask(&["CLIENT", "PAUSE", "3000"]);
    let error = source.ask(&["MIGRATE", "127.0.0.1", &port, "b", "0", "100"]);
    assert!(error.contains("IOERR error or timeout reading to target instance"), "{error}");
    assert_eq!(source.ask(&["GET", "b"]), "2");
    assert_eq!(source.info("stats", "migrate_cached_sockets"), "0");
}
