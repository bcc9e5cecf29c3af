//! A master that must not write alone: four replicas, three Sentinels, min-slaves under its old name.

use super::node::{LATER, Node, wait_for};

const CONF: &[&str] =
    &["save \"\"", "min-slaves-to-write 2", "min-slaves-max-lag 10", "repl-diskless-sync-delay 0", "pidfile pid"];

#[test]
fn writes_stop_with_too_few_replicas_and_a_sentinel_tells_all_it_sees() {
    let root = tempfile::tempdir().unwrap();
    let master = Node::server(root.path(), CONF);
    let replicaof = format!("replicaof 127.0.0.1 {}", master.port);
    let mut replicas: Vec<Node> = (0..4)
        .map(|_| {
            let mut lines = CONF.to_vec();
            lines.push(&replicaof);
            Node::server(root.path(), &lines)
        })
        .collect();
    let monitor = format!("sentinel monitor mymaster 127.0.0.1 {} 2", master.port);
    let conf = [&*monitor, "sentinel down-after-milliseconds mymaster 300", "sentinel failover-timeout mymaster 10000"];
    let sentinels: Vec<Node> = (0..3).map(|_| Node::sentinel(root.path(), &conf)).collect();
    wait_for("four replicas are online", LATER, || master.info("replication", "min_slaves_good_slaves") == "4");
    wait_for("the Sentinels know everybody", LATER, || {
        sentinels.iter().all(|s| s.ask(&["INFO", "sentinel"]).contains("slaves=4,sentinels=3"))
    });
    assert_eq!(master.call(&["SET", "k", "1"]).text(), "OK");

    let mut listener = sentinels[0].client();
    listener.call(&["PSUBSCRIBE", "*"]).unwrap();
    let refused = sentinels[0].call(&["PUBLISH", "somewhere", "hello"]).text();
    assert_eq!(refused, "ERR Only HELLO messages are accepted by Sentinel instances.");

    let stopped: Vec<u16> = replicas[..3].iter().map(|replica| replica.port).collect();
    replicas[..3].iter_mut().for_each(Node::kill);
    wait_for("the master refuses writes", LATER, || {
        master.ask(&["SET", "k", "2"]) == "NOREPLICAS Not enough good replicas to write."
    });
    assert_eq!(master.call(&["GET", "k"]).text(), "1");
    assert_eq!(master.info("replication", "min_slaves_good_slaves"), "1");
    assert_eq!(master.call(&["MULTI"]).text(), "OK");

    let mut seen = Vec::new();
    while seen.len() < 3 {
        let message = listener.read().expect("the Sentinel tells").text();
        if message.starts_with("pmessage * +sdown slave ") {
            seen.push(message);
        }
    }
    for port in stopped {
        let end = format!("slave 127.0.0.1:{port} 127.0.0.1 {port} @ mymaster 127.0.0.1 {}", master.port);
        assert!(seen.iter().any(|message| message.ends_with(&end)), "{seen:?} lacks {end}");
    }

    replicas[..3].iter_mut().for_each(Node::start_again);
    wait_for("the master writes again", LATER, || master.ask(&["SET", "k", "3"]) == "OK");
    wait_for("the Sentinel says so", LATER, || {
        let message = listener.read().expect("the Sentinel tells").text();
        message.starts_with("pmessage * -sdown slave ")
    });
    assert_eq!(
        sentinels[0].call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]).items()[1].text(),
        master.port.to_string()
    );
}
