//! A master that comes back without its data, while its replicas have them: alone, with stock servers, and under Sentinels.

use std::path::Path;

use super::node::{LATER, Node, OURS, free_port, stock, wait_for};

const BARE: &[&str] = &["save \"\"", "repl-diskless-sync-delay 0", "enable-debug-command yes"];

fn master(root: &Path, program: &Path) -> Node {
    Node::start(root, program, free_port(), "redis.conf", BARE, &[])
}

fn replica(root: &Path, program: &Path, master: u16) -> Node {
    let line = format!("replicaof 127.0.0.1 {master}");
    Node::start(root, program, free_port(), "redis.conf", &[BARE, &[&line]].concat(), &[])
}

fn is_up(node: &Node) -> bool {
    node.info("replication", "master_link_status") == "up"
}

fn has_refused(node: &Node) -> bool {
    node.info("replication", "newborn_master_refused") == "1"
}

/// Writes something, and waits until the replicas have it.
fn fill(master: &Node, replicas: &[&Node]) {
    wait_for("the replicas follow", LATER, || replicas.iter().all(|replica| is_up(replica)));
    for number in 0..100 {
        master.call(&["SET", &format!("key:{number}"), "value"]);
    }
    wait_for("they have everything", LATER, || replicas.iter().all(|replica| replica.ask(&["DBSIZE"]) == "100"));
}

/// The master's door: replicas of ours and stock ones keep what they have.
#[test]
fn a_master_that_came_back_empty_synchronizes_nobody_who_has_more() {
    let ours = Path::new(OURS);
    for program in [Some(ours), stock("redis-server").as_deref()].into_iter().flatten() {
        let root = tempfile::tempdir().unwrap();
        let mut master = master(root.path(), ours);
        let replica = replica(root.path(), program, master.port);
        fill(&master, &[&replica]);
        master.kill();
        master.start_again();
        // Clients do not know, and go on writing.
        master.call(&["SET", "written", "meanwhile"]);
        wait_for("the master has refused it", LATER, || has_refused(&master));
        assert!(master.log().contains("This master started without data"), "{}", master.log());
        let connections = || master.info("stats", "total_connections_received").parse::<u64>().unwrap();
        let (before, mut asked) = (connections(), 0);
        wait_for("the replica has tried again, three times", LATER, || {
            asked += 1;
            connections() >= before + asked + 3
        });
        assert_eq!((replica.ask(&["DBSIZE"]).as_str(), is_up(&replica)), ("100", false));
        assert_eq!(master.info("stats", "sync_full"), "0");
        // A new one, without a history, is welcome.
        let fresh = self::replica(root.path(), program, master.port);
        wait_for("a new replica is served", LATER, || is_up(&fresh) && fresh.ask(&["GET", "written"]) == "meanwhile");
    }
}

/// The replica's own door: the master is a stock one, which would give away its nothing.
#[test]
fn an_empty_data_set_of_a_stock_master_is_not_taken_in() {
    let Some(server) = stock("redis-server") else { return };
    for load in ["repl-diskless-load disabled", "repl-diskless-load swapdb"] {
        let root = tempfile::tempdir().unwrap();
        let mut master = master(root.path(), &server);
        let line = format!("replicaof 127.0.0.1 {}", master.port);
        let lines = [BARE, &[&line, load]].concat();
        let replica = Node::start(root.path(), Path::new(OURS), free_port(), "redis.conf", &lines, &[]);
        fill(&master, &[&replica]);
        master.kill();
        master.start_again();
        wait_for("the replica refuses", LATER, || has_refused(&replica));
        assert_eq!((replica.ask(&["DBSIZE"]).as_str(), is_up(&replica)), ("100", false));
        assert!(replica.log().contains("the master has no data at all"), "{}", replica.log());

        // With a key in it, it is somebody's data.
        master.call(&["SET", "new", "data"]);
        wait_for("the replica takes it", LATER, || is_up(&replica) && replica.ask(&["GET", "new"]) == "data");
        assert_eq!(replica.ask(&["DBSIZE"]), "1");
        assert!(!has_refused(&replica));
    }
}

/// What is meant to be empty may be: FLUSHALL on a living master, and a person who says so.
#[test]
fn what_is_meant_to_be_empty_is_taken_in() {
    let root = tempfile::tempdir().unwrap();
    let ours = Path::new(OURS);
    let first = master(root.path(), ours);
    let member = replica(root.path(), ours, first.port);
    fill(&first, &[&member]);
    // The replica misses FLUSHALL, and so much that only a full resync will do.
    first.call(&["CONFIG", "SET", "repl-backlog-size", "16kb"]);
    member.signal("STOP");
    assert_eq!(first.ask(&["FLUSHALL"]), "OK");
    first.call(&["CLIENT", "KILL", "TYPE", "replica"]);
    for _ in 0..40 {
        first.call(&["SET", "large", &"x".repeat(20_000)]);
    }
    first.call(&["DEL", "large"]);
    member.signal("CONT");
    wait_for("the replica is empty, too", LATER, || is_up(&member) && member.ask(&["DBSIZE"]) == "0");
    assert_eq!(first.info("stats", "sync_full"), "2");

    // With data it is sent to a new, empty master.
    fill(&first, &[&member]);
    for program in [Some(ours), stock("redis-server").as_deref()].into_iter().flatten() {
        member.call(&["REPLICAOF", "127.0.0.1", &first.port.to_string()]);
        wait_for("it has data", LATER, || is_up(&member) && member.ask(&["DBSIZE"]) == "100");
        let empty = master(root.path(), program);
        member.call(&["REPLICAOF", "127.0.0.1", &empty.port.to_string()]);
        wait_for("it is empty", LATER, || is_up(&member) && member.ask(&["DBSIZE"]) == "0");
    }

    // And one that came back empty is believed when that is wanted.
    let mut second = master(root.path(), ours);
    let follower = replica(root.path(), ours, second.port);
    fill(&second, &[&follower]);
    second.kill();
    second.start_again();
    wait_for("it is refused", LATER, || has_refused(&second));
    follower.call(&["CONFIG", "SET", "newborn-master-protection", "no"]);
    wait_for("the replica gives up its data", LATER, || is_up(&follower) && follower.ask(&["DBSIZE"]) == "0");
}

/// Under Sentinel a replica with the data takes over, long before anybody would miss the master, and the newborn one follows it.
#[test]
fn sentinels_have_a_replica_with_the_data_take_over() {
    let root = tempfile::tempdir().unwrap();
    let ours = Path::new(OURS);
    let mut first = master(root.path(), ours);
    let replicas = [replica(root.path(), ours, first.port), replica(root.path(), ours, first.port)];
    let monitor = format!("sentinel monitor mymaster 127.0.0.1 {} 2", first.port);
    let patience = ["sentinel down-after-milliseconds mymaster 600000", "sentinel failover-timeout mymaster 10000"];
    let lines = [&[&*monitor], &patience[..]].concat();
    let sentinels: Vec<Node> = (0..3).map(|_| Node::sentinel(root.path(), &lines)).collect();
    wait_for("every Sentinel knows everybody", LATER, || {
        sentinels.iter().all(|s| s.ask(&["INFO", "sentinel"]).contains("slaves=2,sentinels=3"))
    });
    fill(&first, &[&replicas[0], &replicas[1]]);
    first.kill();
    first.start_again();
    first.call(&["SET", "written", "meanwhile"]);
    let told = |sentinel: &Node| {
        let reply = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]);
        reply.split(' ').nth(1).and_then(|port| port.parse::<u16>().ok()).unwrap_or_default()
    };
    wait_for("another is the master", LATER, || sentinels.iter().all(|sentinel| told(sentinel) != first.port));
    let port = told(&sentinels[0]);
    let all = [&first, &replicas[0], &replicas[1]];
    wait_for("everybody has the data", LATER, || all.iter().all(|node| node.ask(&["DBSIZE"]) == "100"));
    wait_for("and follows the new master", LATER, || {
        let mut others = all.iter().filter(|node| node.port != port);
        others.all(|node| node.info("replication", "master_port") == port.to_string() && is_up(node))
    });
    wait_for("nobody is down any more", LATER, || {
        sentinels.iter().all(|s| s.ask(&["INFO", "sentinel"]).contains("status=ok"))
    });
}

/// A replica that holds nothing has nothing to lose, whatever it has heard.
#[test]
fn a_replica_without_data_follows_a_master_that_came_back_empty() {
    let root = tempfile::tempdir().unwrap();
    let mut master = master(root.path(), Path::new(OURS));
    let replica = replica(root.path(), Path::new(OURS), master.port);
    fill(&master, &[&replica]);
    assert_eq!(master.ask(&["FLUSHALL"]), "OK");
    wait_for("it is empty, too", LATER, || replica.ask(&["DBSIZE"]) == "0");
    master.kill();
    master.start_again();
    wait_for("it follows", LATER, || is_up(&replica) && master.info("replication", "connected_slaves") == "1");
    assert!(!has_refused(&master));
}
