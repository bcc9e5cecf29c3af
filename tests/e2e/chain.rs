//! Three servers on one host with ports, pid files, dump files and logs of their own: SLAVEOF at run time, a chain,
//! and what is left of it when its head goes away.

use super::node::{LATER, Node, wait_for};

fn node(root: &std::path::Path, name: &str) -> Node {
    Node::server(root, &["save \"\"", "repl-diskless-sync-delay 0", &format!("dbfilename {name}.rdb"), "pidfile pid"])
}

#[test]
fn the_middle_of_a_chain_takes_over_and_the_lower_end_goes_on_without_a_full_resync() {
    let root = tempfile::tempdir().unwrap();
    let (mut head, middle, lower) = (node(root.path(), "a"), node(root.path(), "b"), node(root.path(), "c"));
    head.call(&["SET", "before", "1"]);
    assert_eq!(middle.call(&["SLAVEOF", "127.0.0.1", &head.port.to_string()]).text(), "OK");
    wait_for("the middle is in sync", LATER, || middle.info("replication", "master_link_status") == "up");
    assert_eq!(lower.call(&["SLAVEOF", "127.0.0.1", &middle.port.to_string()]).text(), "OK");
    wait_for("the lower is in sync", LATER, || lower.info("replication", "master_link_status") == "up");
    assert_eq!(
        middle.call(&["SLAVEOF", "127.0.0.1", &head.port.to_string()]).text(),
        "OK Already connected to specified master"
    );

    head.call(&["SET", "k", "v"]);
    wait_for("the write has gone down the chain", LATER, || lower.ask(&["GET", "k"]) == "v");
    assert_eq!(head.info("replication", "role"), "master");
    assert_eq!(head.info("replication", "connected_slaves"), "1");
    let entry = head.info("replication", "slave0");
    assert!(entry.starts_with(&format!("ip=127.0.0.1,port={},state=online,offset=", middle.port)), "{entry}");
    for (node, master) in [(&middle, head.port), (&lower, middle.port)] {
        assert_eq!(node.info("replication", "role"), "slave");
        assert_eq!(node.info("replication", "master_port"), master.to_string());
        assert_eq!(node.info("replication", "slave_read_only"), "1");
        assert_eq!(node.call(&["SET", "x", "1"]).text(), "READONLY You can't write against a read only replica.");
    }
    let id = head.info("replication", "master_replid");
    assert_eq!(
        (middle.info("replication", "master_replid"), lower.info("replication", "master_replid")),
        (id.clone(), id.clone())
    );
    wait_for("all offsets are equal", LATER, || {
        let offset = head.info("replication", "master_repl_offset");
        [&middle, &lower].iter().all(|node| node.info("replication", "slave_repl_offset") == offset)
    });

    let before = lower.info("stats", "sync_full");
    let full_of_middle = middle.info("stats", "sync_full");
    let _ = head.client().call(&["SHUTDOWN", "NOSAVE"]);
    head.wait_gone();
    wait_for("the middle notices", LATER, || middle.info("replication", "master_link_status") == "down");
    let offset: i64 = middle.info("replication", "slave_repl_offset").parse().unwrap();
    assert_eq!(middle.call(&["SLAVEOF", "NO", "ONE"]).text(), "OK");
    assert_eq!(middle.info("replication", "role"), "master");
    assert_eq!(middle.info("replication", "master_replid2"), id);
    assert_eq!(middle.info("replication", "second_repl_offset"), (offset + 1).to_string());
    assert_ne!(middle.info("replication", "master_replid"), id);

    middle.call(&["SET", "after", "2"]);
    wait_for("the lower end follows", LATER, || lower.ask(&["GET", "after"]) == "2");
    assert_eq!(lower.info("stats", "sync_full"), before);
    assert_eq!(middle.info("stats", "sync_full"), full_of_middle, "the lower end needed a full resync");
    assert_eq!(middle.info("stats", "sync_partial_ok"), "1");
    assert_eq!(lower.info("replication", "master_replid"), middle.info("replication", "master_replid"));
}
