//! Peers that vanish without closing anything: a line that swallows everything, processes that are stopped. Both sides find
//! out by themselves, and go on where they were once there is somebody again.

use super::client::Client;
use super::node::{LATER, Node, wait_for};
use super::proxy::Proxy;

const IMPATIENT: [&str; 4] =
    ["save \"\"", "repl-diskless-sync-delay 0", "repl-timeout 2", "repl-ping-replica-period 1"];

fn server(root: &std::path::Path, lines: &[&str]) -> Node {
    Node::server(root, &[&IMPATIENT[..], lines].concat())
}

fn is_up(replica: &Node) -> bool {
    replica.info("replication", "master_link_status") == "up"
}

fn wait_up(replica: &Node) {
    wait_for("the link is up", LATER, || is_up(replica));
}

/// A write, and how many replicas confirm it within this time.
fn write(client: &mut Client, value: &str, limit_ms: &str) -> String {
    assert_eq!(client.call(&["SET", "k", value]).unwrap().text(), "OK");
    client.call(&["WAIT", "1", limit_ms]).unwrap().text()
}

#[test]
fn both_sides_of_a_dead_line_give_it_up_and_go_on_where_they_were() {
    let root = tempfile::tempdir().unwrap();
    let master = server(root.path(), &[]);
    let line = Proxy::start("127.0.0.1", master.port);
    let replica = server(root.path(), &[&format!("replicaof 127.0.0.1 {}", line.port)]);
    wait_up(&replica);
    let mut client = master.client();
    assert_eq!(write(&mut client, "1", "5000"), "1");

    line.swallow();
    let before = line.accepted();
    assert_eq!(write(&mut client, "2", "200"), "0");
    wait_for("the master counts it no more", LATER, || master.info("replication", "connected_slaves") == "0");
    let gone = format!("Disconnecting timedout replica (streaming sync): 127.0.0.1:{}", replica.port);
    assert!(master.log().contains(&gone), "{}", master.log());
    wait_for("the replica notices", LATER, || replica.log().contains("MASTER timeout: no data nor PING received..."));
    // It is accepted again and again, and nobody says a word.
    wait_for("a handshake is given up, too", LATER, || {
        replica.log().contains("Timeout connecting to the MASTER...") && line.accepted() >= before + 2
    });
    assert!(!is_up(&replica));
    assert_eq!(replica.ask(&["GET", "k"]), "1");

    line.pass();
    wait_up(&replica);
    wait_for("what it missed", LATER, || replica.ask(&["GET", "k"]) == "2");
    assert_eq!(master.info("stats", "sync_full"), "1");
    assert_ne!(master.info("stats", "sync_partial_ok"), "0");
    assert_eq!(write(&mut client, "3", "5000"), "1");
}

#[test]
fn a_line_that_dies_in_the_middle_of_a_snapshot_is_given_up_by_both_sides() {
    for diskless in ["repl-diskless-sync yes", "repl-diskless-sync no"] {
        let root = tempfile::tempdir().unwrap();
        let master = server(root.path(), &[diskless, "rdbcompression no"]);
        let mut client = master.client();
        for number in 0..400 {
            client.call(&["SET", &format!("key:{number}"), &"x".repeat(50_000)]).unwrap();
        }
        let line = Proxy::start("127.0.0.1", master.port);
        line.swallow_after(2_000_000);
        let replica = server(root.path(), &[&format!("replicaof 127.0.0.1 {}", line.port)]);
        wait_for("the replica gives the transfer up", LATER, || {
            replica.log().contains("Timeout receiving bulk data from MASTER...")
        });
        wait_for("the master does", LATER, || {
            master.log().contains("Disconnecting timedout replica (full sync)")
                && master.info("replication", "connected_slaves") == "0"
        });
        line.pass();
        wait_up(&replica);
        assert_eq!(replica.ask(&["DBSIZE"]), "400");
        client.call(&["SET", "k", "v"]).unwrap();
        assert_eq!(client.call(&["WAIT", "1", "5000"]).unwrap().text(), "1");
    }
}

#[test]
fn a_stopped_replica_is_let_go_and_a_stopped_master_is_missed() {
    let root = tempfile::tempdir().unwrap();
    let master = server(root.path(), &[]);
    let replica = server(root.path(), &[&format!("replicaof 127.0.0.1 {}", master.port)]);
    wait_up(&replica);
    let mut client = master.client();
    assert_eq!(write(&mut client, "1", "5000"), "1");

    replica.signal("STOP");
    assert_eq!(write(&mut client, "2", "200"), "0");
    wait_for("the master counts it no more", LATER, || master.info("replication", "connected_slaves") == "0");
    replica.signal("CONT");
    wait_for("what it missed", LATER, || is_up(&replica) && replica.ask(&["GET", "k"]) == "2");

    master.signal("STOP");
    wait_for("the replica notices", LATER, || {
        !is_up(&replica) && replica.log().contains("MASTER timeout: no data nor PING received...")
    });
    // The kernel of a stopped process still accepts connections.
    wait_for("it tries again", LATER, || replica.log().contains("Timeout connecting to the MASTER..."));
    assert_eq!(replica.ask(&["GET", "k"]), "2");
    master.signal("CONT");
    wait_up(&replica);
    assert_eq!(write(&mut client, "3", "5000"), "1");
    assert_eq!(master.info("stats", "sync_full"), "1");
}
