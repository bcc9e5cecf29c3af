//! Leaders that die at the worst moments, several masters under the same Sentinels, and which replica is chosen.

use super::node::{LATER, Node, wait_for};
use super::proxy::Proxy;
use super::watched::{BARE, Watched, fields, follows, told};

const SENTINEL: [&str; 3] = [
    "sentinel monitor mymaster 127.0.0.1 MASTER 2",
    "sentinel down-after-milliseconds mymaster 1000",
    "sentinel failover-timeout mymaster 10000",
];
const REPLICA: &[&str] = &["replicaof 127.0.0.1 MASTER"];

fn epoch(sentinel: &Node) -> u64 {
    fields(&sentinel.call(&["SENTINEL", "MASTERS"]), "config-epoch")[0].parse().expect("a number")
}

/// The first of three Sentinels sees the master down long before the others, is elected and dies as it is told; the others
/// see to it that there is one master in the end, and the first one, back again, agrees.
fn a_leader_dies(flag: &str, was_promoted: bool) {
    let root = tempfile::tempdir().unwrap();
    let mut group = Watched::start(root.path(), &[&[], REPLICA, REPLICA], 3, &SENTINEL);
    group.wait_complete(2);
    assert_eq!(group.servers[0].ask(&["SET", "k", "v"]), "OK");
    wait_for("the replicas have it", LATER, || group.servers.iter().all(|server| server.ask(&["GET", "k"]) == "v"));
    let set = |sentinel: &Node, name: &str, value: &str| {
        assert_eq!(sentinel.ask(&["SENTINEL", "SET", "mymaster", name, value]), "OK");
    };
    set(&group.sentinels[0], "quorum", "1");
    for other in &group.sentinels[1..] {
        set(other, "down-after-milliseconds", "6000");
    }
    assert_eq!(group.sentinels[0].ask(&["SENTINEL", "SIMULATE-FAILURE", flag]), "OK");
    let old = group.servers[0].port;
    group.servers[0].kill();
    wait_for("the leader dies", LATER, || group.sentinels[0].exit_code() == Some(99));
    let log = group.sentinels[0].log();
    assert!(
        log.contains("+elected-leader") && log.contains("Sentinel CRASH because of SENTINEL simulate-failure"),
        "{log}"
    );
    assert_eq!(log.contains("+promoted-slave"), was_promoted, "{log}");
    assert!(!log.contains("+switch-master"), "{log}");

    let others = &group.sentinels[1..];
    let mut new = 0;
    wait_for("the others have a master", LATER, || {
        new = told(&others[0], "mymaster").1;
        ![0, old].contains(&new) && told(&others[1], "mymaster").1 == new
    });
    // Its epoch was used up: what the others decided is of a later one.
    assert!(others.iter().all(|sentinel| epoch(sentinel) >= 2), "{}", others[0].log());

    group.sentinels[0].start_again();
    group.servers[0].start_again();
    wait_for("all agree", LATER, || group.sentinels.iter().all(|sentinel| told(sentinel, "mymaster").1 == new));
    wait_for("one master, which everybody follows", LATER, || {
        group.server(new).ask(&["ROLE"]).starts_with("master")
            && group.servers.iter().filter(|server| server.port != new).all(|server| follows(server, new))
    });
    assert!(group.servers.iter().all(|server| server.ask(&["GET", "k"]) == "v"));
    let epochs: Vec<u64> = group.sentinels.iter().map(epoch).collect();
    assert!(epochs.iter().all(|one| *one == epochs[0]), "{epochs:?}");
}

#[test]
fn a_leader_that_dies_when_elected_is_replaced() {
    a_leader_dies("crash-after-election", false);
}

#[test]
fn a_leader_that_dies_when_its_replica_is_promoted_leaves_one_master() {
    a_leader_dies("crash-after-promotion", true);
}

/// The smaller priority is chosen, though it has less; among equals the one that has more. Priority 0 has most and never is.
#[test]
fn priority_comes_before_what_a_replica_has() {
    let root = tempfile::tempdir().unwrap();
    for (priorities, chosen) in [([0, 20, 10], 2), ([0, 10, 10], 1)] {
        let root = root.path().join(chosen.to_string());
        let master = Node::server(&root, &BARE);
        let line = Proxy::start("127.0.0.1", master.port);
        let replicaof = |port: u16| format!("replicaof 127.0.0.1 {port}");
        let replica = |port: u16, priority: i32| {
            let lines = [BARE[0], BARE[1], &replicaof(port), &format!("replica-priority {priority}")];
            Node::server(&root, &lines)
        };
        let replicas = [
            replica(master.port, priorities[0]),
            replica(master.port, priorities[1]),
            replica(line.port, priorities[2]),
        ];
        let mut group = Watched { servers: vec![master], sentinels: Vec::new() };
        let monitor = SENTINEL[0].replace("MASTER 2", &format!("{} 1", group.servers[0].port));
        group.sentinels.push(Node::sentinel(&root, &[&monitor, SENTINEL[1], SENTINEL[2]]));
        // One that follows a proxy follows somebody else, it seems; it is corrected after a time, which is made long here.
        assert_eq!(group.sentinels[0].ask(&["SENTINEL", "DEBUG", "PUBLISH-PERIOD", "100000"]), "OK");
        wait_for("all three are known", LATER, || {
            let replicas = group.sentinels[0].ask(&["SENTINEL", "REPLICAS", "mymaster"]);
            replicas.matches("master-link-status ok").count() == 3
        });
        // The last one stays behind, and does not know it.
        line.swallow();
        let mut client = group.servers[0].client();
        client.call(&["SET", "k", &"x".repeat(1000)]).unwrap();
        assert_eq!(client.call(&["WAIT", "2", "5000"]).unwrap().text(), "2");
        let offset = |node: &Node| node.info("replication", "slave_repl_offset").parse::<u64>().expect("a number");
        assert!(offset(&replicas[2]) < offset(&replicas[1]));
        let old = group.servers[0].port;
        group.servers[0].kill();
        assert_eq!(group.wait_switched(old), replicas[chosen].port, "{}", group.sentinels[0].log());
    }
}

/// Two masters, the same three Sentinels: they share their links, and what happens to one master is nothing to the other.
#[test]
fn several_masters_fail_over_each_for_itself() {
    let root = tempfile::tempdir().unwrap();
    let mut second = Watched::start(root.path(), &[&[], REPLICA], 0, &[]);
    let other = format!("sentinel monitor other 127.0.0.1 {} 2", second.servers[0].port);
    let conf = [&SENTINEL[..], &[&other, "sentinel down-after-milliseconds other 1000"]].concat();
    let mut group = Watched::start(root.path(), &[&[], REPLICA], 3, &conf);
    group.wait_complete(1);
    let all = |sentinels: &[Node], what: &str| {
        wait_for(&format!("all Sentinels: {what}"), LATER, || {
            sentinels.iter().all(|sentinel| sentinel.ask(&["INFO", "sentinel"]).contains(what))
        });
    };
    let (first_port, other_port) = (group.servers[0].port, second.servers[0].port);
    all(&group.sentinels, &format!("name=other,status=ok,address=127.0.0.1:{other_port},slaves=1,sentinels=3"));
    wait_for("links are shared", LATER, || {
        group.sentinels.iter().all(|sentinel| {
            let others = sentinel.call(&["SENTINEL", "SENTINELS", "other"]);
            fields(&others, "link-refcount") == ["2", "2"]
        })
    });
    assert_eq!(group.sentinels[0].call(&["ROLE"]).items()[1].items().len(), 2);

    group.servers[0].kill();
    let first_new = group.wait_switched(first_port);
    for sentinel in &group.sentinels {
        assert_eq!(told(sentinel, "other").1, other_port);
        assert!(!sentinel.log().contains("down master other"), "{}", sentinel.log());
    }
    // The other one while the first is without a replica.
    wait_for("the replica of the other is ready", LATER, || follows(&second.servers[1], other_port));
    second.servers[0].kill();
    let other_new = second.servers[1].port;
    wait_for("the other fails over as well", LATER, || {
        group.sentinels.iter().all(|sentinel| told(sentinel, "other").1 == other_new)
    });
    assert!(group.sentinels.iter().all(|sentinel| told(sentinel, "mymaster").1 == first_new));
    group.servers[0].start_again();
    second.servers[0].start_again();
    wait_for("each follows its own", LATER, || {
        follows(&group.servers[0], first_new) && follows(&second.servers[0], other_new)
    });

    // One fewer, and another one while they run.
    for sentinel in &group.sentinels {
        assert_eq!(sentinel.ask(&["SENTINEL", "REMOVE", "mymaster"]), "OK");
        let words = ["SENTINEL", "MONITOR", "third", "127.0.0.1", &first_new.to_string(), "2"];
        assert_eq!(sentinel.ask(&words), "OK");
    }
    all(&group.sentinels, &format!("name=third,status=ok,address=127.0.0.1:{first_new},slaves=1,sentinels=3"));
    for sentinel in &group.sentinels {
        assert_eq!(told(sentinel, "mymaster").1, 0);
        assert_eq!(told(sentinel, "other").1, other_new);
        assert!(!sentinel.conf().contains("mymaster"), "{}", sentinel.conf());
    }
}
