//! FAILOVER: a master hands over to a replica while clients write, ours and stock ones in either role.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::client::Client;
use super::node::{LATER, Node, OURS, free_port, stock, wait_for};

fn start(root: &Path, program: &Path) -> Node {
    let lines = ["save \"\"", "repl-diskless-sync-delay 0", "enable-debug-command yes"];
    Node::start(root, program, free_port(), "redis.conf", &lines, &[])
}

fn follow(replica: &Node, master: &Node) {
    replica.ask(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
    wait_for("the link is up", LATER, || replica.info("replication", "master_link_status") == "up");
    // A stock master counts a replica only after its first acknowledgement.
    let listed = format!("port={},state=online", replica.port);
    let is_listed = |number: u32| master.info("replication", &format!("slave{number}")).contains(&listed);
    wait_for("the master counts its replica", LATER, || (0..8).any(is_listed));
}

fn state(node: &Node) -> String {
    node.info("replication", "master_failover_state")
}

/// Counts up at whoever is the master until told to stop; the number of acknowledged writes.
fn writer(mut port: u16, mut other: u16, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut count = 0;
        let mut client = Client::connect(port).expect("the master accepts connections");
        while !stop.load(Ordering::Relaxed) {
            match client.call(&["INCR", "counter"]) {
                Ok(reply) if !reply.is_error() => count += 1,
                _ => {
                    std::mem::swap(&mut port, &mut other);
                    client = Client::connect(port).expect("the other one accepts connections");
                }
            }
        }
        count
    })
}

fn hand_over(master_program: Option<PathBuf>, replica_program: Option<PathBuf>) {
    let (Some(master_program), Some(replica_program)) = (master_program, replica_program) else { return };
    let root = tempfile::tempdir().unwrap();
    let (master, replica) = (start(root.path(), &master_program), start(root.path(), &replica_program));
    follow(&replica, &master);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3).map(|_| writer(master.port, replica.port, Arc::clone(&stop))).collect();
    wait_for("some writes", LATER, || master.ask(&["GET", "counter"]).parse().unwrap_or(0) > 100);
    let port = replica.port.to_string();
    assert_eq!(master.ask(&["FAILOVER", "TO", "127.0.0.1", &port, "TIMEOUT", "10000"]), "OK");
    wait_for("the hand-over", LATER, || state(&master) == "no-failover" && master.ask(&["ROLE"]).starts_with("slave"));
    assert!(replica.ask(&["ROLE"]).starts_with("master"));
    let so_far: u64 = replica.ask(&["GET", "counter"]).parse().unwrap();
    wait_for("more writes", LATER, || replica.ask(&["GET", "counter"]).parse().unwrap_or(0) > so_far + 100);
    stop.store(true, Ordering::Relaxed);
    let acknowledged: u64 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
    assert_eq!(replica.ask(&["GET", "counter"]), acknowledged.to_string(), "a write was lost or made twice");
    wait_for("equal data", LATER, || master.ask(&["GET", "counter"]) == acknowledged.to_string());
    let (full, partial) = (replica.info("stats", "sync_full"), replica.info("stats", "sync_partial_ok"));
    assert_eq!((full.as_str(), partial.as_str()), ("0", "1"));
}

#[test]
fn ours_to_ours() {
    hand_over(Some(OURS.into()), Some(OURS.into()));
}

#[test]
fn ours_to_stock() {
    hand_over(Some(OURS.into()), stock("redis-server"));
}

#[test]
fn stock_to_ours() {
    hand_over(stock("redis-server"), Some(OURS.into()));
}

/// A replica that does not answer: the time is over, or the administrator gives up, or forces it.
#[test]
fn a_silent_target_ends_it_and_force_goes_on_without_its_consent() {
    let root = tempfile::tempdir().unwrap();
    let (master, replica) = (start(root.path(), Path::new(OURS)), start(root.path(), Path::new(OURS)));
    assert_eq!(master.ask(&["FAILOVER"]), "ERR FAILOVER requires connected replicas.");
    assert_eq!(master.ask(&["FAILOVER", "ABORT"]), "ERR No failover in progress.");
    follow(&replica, &master);
    assert_eq!(replica.ask(&["FAILOVER"]), "ERR FAILOVER is not valid when server is a replica.");
    replica.signal("STOP");
    master.ask(&["SET", "a", "1"]);
    let port = replica.port.to_string();
    let to_it = ["FAILOVER", "TO", "127.0.0.1", &port];
    assert_eq!(master.ask(&[&to_it[..], &["TIMEOUT", "200"]].concat()), "OK");
    assert_eq!(state(&master), "waiting-for-sync");
    assert_eq!(master.ask(&["FAILOVER"]), "ERR FAILOVER already in progress.");
    assert_eq!(master.ask(&["REPLICAOF", "NO", "ONE"]), "ERR REPLICAOF not allowed while failing over.");
    wait_for("the end of the time", LATER, || state(&master) == "no-failover");
    assert!(master.log().contains(&format!("FAILOVER to 127.0.0.1:{port} aborted: Replica never caught up before")));
    assert_eq!(master.ask(&["SET", "a", "2"]), "OK");

    assert_eq!(master.ask(&to_it), "OK");
    // A write waits, and is made once nothing is handed over any more.
    let mut client = master.client();
    client.send(&["SET", "a", "3"]).unwrap();
    assert_eq!(master.ask(&["GET", "a"]), "2");
    assert_eq!(master.ask(&["FAILOVER", "ABORT"]), "OK");
    assert_eq!((client.read().unwrap().text(), master.ask(&["GET", "a"])), ("OK".into(), "3".into()));

    assert_eq!(master.ask(&[&to_it[..], &["TIMEOUT", "100", "FORCE"]].concat()), "OK");
    wait_for("no master at all", LATER, || state(&master) == "failover-in-progress");
    assert!(master.ask(&["ROLE"]).starts_with("slave"));
    replica.signal("CONT");
    wait_for("the hand-over", LATER, || state(&master) == "no-failover");
    wait_for("the link", LATER, || master.info("replication", "master_link_status") == "up");
    assert!(replica.ask(&["ROLE"]).starts_with("master"));
    assert_eq!(replica.ask(&["GET", "a"]), "3", "what it had in its buffer is not lost");
}
