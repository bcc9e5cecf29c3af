//! Masters and replicas, ours and stock ones: full and partial resyncs in every form, and what waits for replicas.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::client::Reply;
use super::node::{LATER, Node, OURS, free_port, stock, wait_for};

const QUIET: &str = "save \"\"";
const AT_ONCE: &str = "repl-diskless-sync-delay 0";

fn start(root: &Path, program: &Path, lines: &[&str]) -> Node {
    Node::start(root, program, free_port(), "redis.conf", &[&[QUIET, "enable-debug-command yes"], lines].concat(), &[])
}

fn ours(root: &Path, lines: &[&str]) -> Node {
    start(root, Path::new(OURS), lines)
}

fn follow(replica: &Node, master: &Node) {
    assert_eq!(replica.ask(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]), "OK");
    wait_for_link(replica, master);
}

fn wait_for_link(replica: &Node, master: &Node) {
    wait_for("the link is up", LATER, || {
        replica.info("replication", "master_link_status") == "up"
            && replica.info("replication", "master_port") == master.port.to_string()
    });
}

/// Keys of several kinds in several databases.
fn fill(node: &Node, count: usize, size: usize) {
    let mut client = node.client();
    let mut call = |words: &[&str]| client.call(words).expect("an answer");
    for number in 0..count {
        call(&["SELECT", &(number % 3).to_string()]);
        let key = format!("key:{number}");
        match number % 4 {
            0 => call(&["SET", &key, &number.to_string()]),
            1 => call(&["SET", &key, &"v".repeat(size)]),
            2 => call(&["SET", &key, "short", "EX", "10000"]),
            _ => call(&["APPEND", &key, "appended"]),
        };
    }
    call(&["SELECT", "0"]);
    call(&["SET", "large", &"L".repeat(200_000)]);
}

/// All keys with their values and whether they expire, in order. The digest of stock servers is not ours.
fn content(node: &Node) -> Vec<String> {
    let mut client = node.client();
    let mut call = |words: &[&str]| client.call(words).expect("an answer");
    let mut all = Vec::new();
    for db in 0..16 {
        call(&["SELECT", &db.to_string()]);
        let mut cursor = "0".to_owned();
        loop {
            let page = call(&["SCAN", &cursor, "COUNT", "1000"]);
            let keys: Vec<String> = page.items()[1].items().iter().map(Reply::text).collect();
            for key in keys {
                let expires = call(&["PTTL", &key]) != Reply::Int(-1);
                all.push(format!("{db} {key} {expires} {}", call(&["GET", &key]).text()));
            }
            cursor = page.items()[0].text();
            if cursor == "0" {
                break;
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

fn check_equal(master: &Node, replica: &Node) {
    wait_for("equal offsets", LATER, || {
        master.info("replication", "master_repl_offset") == replica.info("replication", "master_repl_offset")
    });
    let (expected, found) = (content(master), content(replica));
    assert_eq!(expected.len(), found.len());
    assert!(expected == found, "the contents differ");
}

/// Full resync with each form of transfer, the stream, and a partial resync after the link was cut on either side.
fn full_and_partial(master_program: Option<PathBuf>, replica_program: Option<PathBuf>) {
    let (Some(master_program), Some(replica_program)) = (master_program, replica_program) else { return };
    let loads = ["disabled", "on-empty-db", "swapdb"];
    for (diskless, load) in loads.into_iter().flat_map(|load| [("yes", load), ("no", load)]) {
        let root = tempfile::tempdir().unwrap();
        let sync = format!("repl-diskless-sync {diskless}");
        let master = start(root.path(), &master_program, &[&sync, AT_ONCE, "repl-backlog-size 4mb"]);
        fill(&master, 2000, 500);
        let replica = start(root.path(), &replica_program, &[&format!("repl-diskless-load {load}")]);
        follow(&replica, &master);
        check_equal(&master, &replica);
        fill(&master, 100, 30_000);
        master.ask(&["DEL", "key:0"]);
        let mut client = master.client();
        for words in [&["MULTI"][..], &["SET", "a", "1"], &["SELECT", "5"], &["SET", "b", "2"], &["EXEC"]] {
            client.call(words).unwrap();
        }
        check_equal(&master, &replica);
        assert_eq!(master.info("stats", "sync_full"), "1");

        // The master closes the link, then the replica does; what was written meanwhile arrives once.
        for (side, kind, count) in [(&master, "replica", "1"), (&replica, "master", "2")] {
            side.ask(&["CLIENT", "KILL", "TYPE", kind]);
            master.ask(&["INCR", "counter"]);
            wait_for("a partial resync", LATER, || master.info("stats", "sync_partial_ok") == count);
            check_equal(&master, &replica);
        }
        assert_eq!((master.ask(&["GET", "counter"]), master.info("stats", "sync_full")), ("2".into(), "1".into()));
    }
}

#[test]
fn our_master_feeds_our_replica() {
    full_and_partial(Some(OURS.into()), Some(OURS.into()));
}

#[test]
fn a_stock_master_feeds_our_replica() {
    full_and_partial(stock("redis-server"), Some(OURS.into()));
}

#[test]
fn our_master_feeds_a_stock_replica() {
    full_and_partial(Some(OURS.into()), stock("redis-server"));
}

/// A chain that goes from ours to stock and back passes on every byte.
#[test]
fn a_stock_server_in_the_middle_of_a_chain() {
    let Some(program) = stock("redis-server") else { return };
    let root = tempfile::tempdir().unwrap();
    let head = ours(root.path(), &[AT_ONCE]);
    let middle = start(root.path(), &program, &[AT_ONCE]);
    let last = ours(root.path(), &[]);
    follow(&middle, &head);
    follow(&last, &middle);
    fill(&head, 300, 200);
    check_equal(&head, &last);
    assert_eq!(last.info("replication", "master_replid"), head.info("replication", "master_replid"));
    assert_eq!(middle.ask(&["REPLICAOF", "NO", "ONE"]), "OK");
    middle.ask(&["SET", "after", "promotion"]);
    wait_for_link(&last, &middle);
    check_equal(&middle, &last);
    assert_eq!(middle.info("stats", "sync_full"), "1", "the promotion cost a full resync");
    // The old head comes back as a replica of its replica.
    follow(&head, &middle);
    check_equal(&middle, &head);
}

#[test]
fn passwords_and_host_names_on_the_command_line() {
    let root = tempfile::tempdir().unwrap();
    let master = ours(root.path(), &[AT_ONCE, "requirepass secret"]);
    let replica = |password: &str| {
        let (port, master_port) = (free_port(), master.port.to_string());
        let own = port.to_string();
        let words = ["--port", &own, "--save", "", "--slaveof", "localhost", &master_port, "--masterauth", password];
        let args = words.iter().map(ToString::to_string).collect();
        Node::launch(Path::new(OURS), port, root.path().join(own.clone()), args)
    };
    let (wrong, right) = (replica("no"), replica("secret"));
    wait_for("the link", LATER, || right.info("replication", "master_link_status") == "up");
    wait_for("the refusal", LATER, || wrong.log().contains("Unable to AUTH to MASTER: -WRONGPASS"));
    assert_eq!(wrong.info("replication", "master_link_status"), "down");
    assert_eq!(wrong.ask(&["CONFIG", "SET", "masterauth", "secret"]), "OK");
    wait_for_link(&wrong, &master);
    // What REPLICAOF said at run time is what CONFIG REWRITE would write.
    assert_eq!(wrong.ask(&["CONFIG", "GET", "replicaof"]), format!("replicaof localhost {}", master.port));
    wrong.ask(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(wrong.ask(&["CONFIG", "GET", "replicaof"]), "replicaof ");
    assert_eq!(right.info("replication", "master_host"), "localhost");
}

#[test]
fn wait_counts_the_replicas_that_have_everything() {
    let root = tempfile::tempdir().unwrap();
    let master = ours(root.path(), &[AT_ONCE]);
    let replica = ours(root.path(), &[]);
    follow(&replica, &master);
    let mut client = master.client();
    let mut ask = |words: &[&str]| client.call(words).expect("an answer").text();
    ask(&["SET", "k", "v"]);
    assert_eq!(ask(&["WAIT", "1", "5000"]), "1");
    assert_eq!(ask(&["WAIT", "2", "50"]), "1");
    replica.signal("STOP");
    ask(&["SET", "k", "v"]);
    assert_eq!(ask(&["WAIT", "1", "100"]), "0");
    replica.signal("CONT");
    assert_eq!(ask(&["WAIT", "1", "5000"]), "1");
    assert!(replica.ask(&["WAIT", "1", "0"]).starts_with("ERR WAIT cannot be used with replica instances"));
    for (number, text) in [
        ("9223372036854775808", "timeout is not an integer or out of range"),
        ("9223372036854775807", "timeout is out of range"),
        ("-1", "timeout is negative"),
    ] {
        assert_eq!(ask(&["WAIT", "2", number]), format!("ERR {text}"));
    }
}

#[test]
fn a_silent_replica_soon_counts_no_more_and_counts_again_when_it_speaks() {
    let root = tempfile::tempdir().unwrap();
    let master = ours(root.path(), &[AT_ONCE]);
    master.ask(&["CONFIG", "SET", "min-slaves-max-lag", "2", "min-slaves-to-write", "1"]);
    let refusal = "NOREPLICAS Not enough good replicas to write.";
    assert_eq!(master.ask(&["SET", "k", "v1"]), refusal);
    let replica = ours(root.path(), &[]);
    follow(&replica, &master);
    wait_for("writes", LATER, || master.ask(&["SET", "k", "v2"]) == "OK");
    replica.signal("STOP");
    wait_for("NOREPLICAS", LATER, || master.ask(&["SET", "k", "v3"]) == refusal);
    assert_eq!(master.info("replication", "min_slaves_good_slaves"), "0");
    assert_ne!(master.ask(&["GET", "k"]), "v1");
    replica.signal("CONT");
    wait_for("the replica's return", LATER, || master.ask(&["SET", "k", "v4"]) == "OK");
}

#[test]
fn stale_data_is_refused_when_the_administrator_says_so() {
    let root = tempfile::tempdir().unwrap();
    let replica = ours(root.path(), &["replica-serve-stale-data no", "replicaof 127.0.0.1 1"]);
    let refusal = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    assert_eq!(replica.ask(&["GET", "x"]), refusal);
    assert_eq!(replica.info("replication", "master_link_status"), "down");
    assert!(replica.ask(&["ROLE"]).starts_with("slave 127.0.0.1 1 connect"));
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(replica.ask(&["GET", "x"]), "(null)");
}

/// A replica and a master that stop and start again from their files need no full resync, and keys whose time came
/// meanwhile are gone on both sides.
#[test]
fn after_a_restart_from_a_file_the_stream_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let mut master = ours(root.path(), &[AT_ONCE]);
    let mut replica = ours(root.path(), &[&format!("replicaof 127.0.0.1 {}", master.port)]);
    wait_for_link(&replica, &master);
    fill(&master, 100, 100);
    check_equal(&master, &replica);
    assert_eq!(replica.ask(&["SAVE"]), "OK");
    replica.kill();
    master.ask(&["SET", "while", "away"]);
    replica.start_again();
    wait_for_link(&replica, &master);
    check_equal(&master, &replica);
    assert_eq!((master.info("stats", "sync_full"), master.info("stats", "sync_partial_ok")), ("1".into(), "1".into()));

    master.ask(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    master.ask(&["SET", "short", "life", "PX", "1"]);
    let id = master.info("replication", "master_replid");
    assert_eq!(master.ask(&["SAVE"]), "OK");
    let end: u64 = master.info("replication", "master_repl_offset").parse().unwrap();
    master.kill();
    master.start_again();
    wait_for_link(&replica, &master);
    assert_eq!(master.info("replication", "master_replid2"), id);
    assert_eq!(master.info("replication", "second_repl_offset"), (end + 1).to_string());
    assert_eq!((master.info("stats", "sync_full"), master.info("stats", "sync_partial_ok")), ("0".into(), "1".into()));
    check_equal(&master, &replica);
    assert_eq!(master.ask(&["DBSIZE"]), replica.ask(&["DBSIZE"]), "the replica still holds the expired key");
}

/// Writes go on while a full resync runs, through each form of it.
#[test]
fn writes_during_a_full_resync_arrive_once() {
    for diskless in ["yes", "no"] {
        let root = tempfile::tempdir().unwrap();
        let master = ours(root.path(), &[AT_ONCE, &format!("repl-diskless-sync {diskless}")]);
        master.ask(&["DEBUG", "POPULATE", "100000", "key", "100"]);
        let replica = ours(root.path(), &[]);
        replica.ask(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
        let mut client = master.client();
        for number in 0..3000 {
            client.call(&["INCR", &format!("counter:{}", number % 7)]).unwrap();
            client.call(&["SET", &format!("key:{}", number * 13), &number.to_string()]).unwrap();
        }
        wait_for_link(&replica, &master);
        wait_for("equal data", LATER, || master.ask(&["DEBUG", "DIGEST"]) == replica.ask(&["DEBUG", "DIGEST"]));
        assert_eq!(master.info("stats", "sync_full"), "1");
    }
}

/// With `swapdb` a replica answers from its old data while new ones of the same history arrive, keeps them when that
/// fails, and has the new ones at once when it does not.
#[test]
fn old_data_are_served_while_new_ones_arrive_aside() {
    let root = tempfile::tempdir().unwrap();
    let master = ours(root.path(), &[AT_ONCE, "repl-backlog-size 16kb", "rdbcompression no"]);
    let replica = ours(root.path(), &["repl-diskless-load swapdb", "replica-read-only no"]);
    follow(&replica, &master);
    master.ask(&["DEBUG", "POPULATE", "2000", "key", "10000"]);
    replica.ask(&["SET", "mine", "old"]);
    master.ask(&["CONFIG", "SET", "rdb-key-save-delay", "2000"]);
    let resync = || {
        let mut client = master.client();
        let large = "x".repeat(100_000);
        for words in [&["MULTI"][..], &["CLIENT", "KILL", "TYPE", "replica"], &["SET", "large", &large], &["EXEC"]] {
            client.call(words).unwrap();
        }
        wait_for("async loading", LATER, || replica.info("persistence", "async_loading") == "1");
    };
    resync();
    assert_eq!(replica.info("persistence", "loading"), "0");
    assert_eq!(replica.ask(&["GET", "mine"]), "old");
    assert!(replica.ask(&["REPLICAOF", "NO", "ONE"]).starts_with("LOADING"));
    assert!(replica.ask(&["CONFIG", "SET", "appendonly", "no"]).starts_with("LOADING"));
    assert_eq!(replica.info("persistence", "loading_total_bytes"), "0");
    // The master closes the link in the middle.
    master.ask(&["CONFIG", "SET", "repl-diskless-sync-delay", "2"]);
    master.ask(&["CLIENT", "KILL", "TYPE", "replica"]);
    wait_for("the end of it", LATER, || replica.info("persistence", "async_loading") == "0");
    assert_eq!(replica.ask(&["GET", "mine"]), "old");
    assert!(replica.log().contains("MASTER <-> REPLICA sync: Discarding temporary DB in background"));
    master.ask(&["CONFIG", "SET", "rdb-key-save-delay", "0"]);
    wait_for_link(&replica, &master);
    check_equal(&master, &replica);
    assert_eq!(replica.ask(&["GET", "mine"]), "(null)");

    // Another history: its data are of no use meanwhile, but are there again when it fails.
    let other = ours(root.path(), &[AT_ONCE, "rdb-key-save-delay 2000"]);
    other.ask(&["DEBUG", "POPULATE", "2000", "other", "10000"]);
    replica.ask(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]);
    wait_for("loading", LATER, || replica.info("persistence", "loading") == "1");
    assert!(replica.ask(&["GET", "large"]).starts_with("LOADING"));
    assert!(replica.ask(&["REPLICAOF", "NO", "ONE"]).starts_with("LOADING"));
    other.ask(&["CONFIG", "SET", "repl-diskless-sync-delay", "100"]);
    other.ask(&["CLIENT", "KILL", "TYPE", "replica"]);
    wait_for("the end of it", LATER, || replica.info("persistence", "loading") == "0");
    assert_eq!(replica.ask(&["DBSIZE"]), master.ask(&["DBSIZE"]));
    follow(&replica, &master);
    check_equal(&master, &replica);
    assert_eq!(master.info("stats", "sync_partial_ok"), "1", "what was kept is good for a partial resync");
}

/// A replica that does not read costs its master no memory beyond its limit, and holds nobody up.
#[test]
fn a_replica_that_stopped_reading_is_let_go_and_comes_back() {
    let root = tempfile::tempdir().unwrap();
    let limit = "client-output-buffer-limit replica 4mb 0 0";
    let master = ours(root.path(), &[AT_ONCE, limit, "repl-backlog-size 1mb"]);
    let (slow, quick) = (ours(root.path(), &[]), ours(root.path(), &[]));
    follow(&slow, &master);
    follow(&quick, &master);
    slow.signal("STOP");
    let mut client = master.client();
    for number in 0..300 {
        client.call(&["SET", &format!("key:{number}"), &"x".repeat(100_000)]).unwrap();
    }
    wait_for("the slow one is let go", LATER, || master.info("replication", "connected_slaves") == "1");
    assert!(master.log().contains("scheduled to be closed ASAP for overcoming of output buffer limits"));
    check_equal(&master, &quick);
    let kept: u64 = master.info("replication", "repl_backlog_histlen").parse().unwrap();
    assert!(kept < 2 << 20, "the backlog kept {kept} bytes for a replica that is gone");
    slow.signal("CONT");
    wait_for_link(&slow, &master);
    check_equal(&master, &slow);
}

#[test]
fn redis_cli_takes_a_snapshot_and_leaves() {
    let (Some(cli), Some(check)) = (stock("redis-cli"), stock("redis-check-rdb")) else { return };
    let root = tempfile::tempdir().unwrap();
    for diskless in ["yes", "no"] {
        let master = ours(root.path(), &[AT_ONCE, &format!("repl-diskless-sync {diskless}")]);
        fill(&master, 500, 100);
        let file = root.path().join("copy.rdb");
        let port = master.port.to_string();
        let output = Command::new(&cli).args(["-p", &port, "--rdb", &file.to_string_lossy()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let output = Command::new(&check).arg(&file).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("RDB looks OK"), "{output:?}");
        wait_for("its leaving", LATER, || master.info("replication", "connected_slaves") == "0");
    }
}

/// A connection that carries the stream is not for questions.
#[test]
fn a_replica_that_asks_is_cut_off() {
    let root = tempfile::tempdir().unwrap();
    let master = ours(root.path(), &[AT_ONCE]);
    let mut client = master.client();
    let answer = client.call(&["PSYNC", "?", "-1"]).unwrap().text();
    assert!(answer.starts_with("FULLRESYNC "), "{answer}");
    client.send(&["GET", "foo"]).unwrap();
    wait_for("the cut", LATER, || master.info("replication", "connected_slaves") == "0");
    let log = master.log();
    assert!(log.contains("Replica generated a reply to command 'get', disconnecting it: "), "{log}");
    assert!(log.contains("== CRITICAL == This master is sending an error to its replica: "), "{log}");
    assert!(log.contains("Replica can't interact with the keyspace"), "{log}");
    assert_eq!(master.ask(&["PSYNC", "abc", "x"]), "ERR value is not an integer or out of range");
}

#[test]
fn a_command_that_fails_on_a_replica_ends_a_read_only_one_if_the_settings_say_so() {
    let root = tempfile::tempdir().unwrap();
    let master = ours(root.path(), &[AT_ONCE]);
    let strict = "propagation-error-behavior panic";
    let writable = ours(root.path(), &[strict, "replica-read-only no"]);
    let mut read_only = ours(root.path(), &[strict]);
    // What the replicas had differs: one was written to, the other was writable for a moment.
    for replica in [&writable, &read_only] {
        follow(replica, &master);
        assert_eq!(replica.ask(&["CONFIG", "SET", "replica-read-only", "no"]), "OK");
        assert_eq!(replica.ask(&["SET", "list", "a string"]), "OK");
    }
    assert_eq!(read_only.ask(&["CONFIG", "SET", "replica-read-only", "yes"]), "OK");
    assert_eq!(master.ask(&["RPUSH", "list", "element"]), "1");
    assert_eq!(master.ask(&["SET", "after", "1"]), "OK");
    wait_for("the read-only replica has ended", LATER, || read_only.exit_code() == Some(1));
    let said = "This replica is sending an error to its master: 'WRONGTYPE Operation against a key holding the wrong kind of value'";
    assert!(read_only.log().contains(said), "{}", read_only.log());
    wait_for("the writable one goes on", LATER, || writable.ask(&["GET", "after"]) == "1");
    assert_eq!(writable.info("stats", "unexpected_error_replies"), "1");
}

/// Beside a stock replica: the same lines in the same order, as often. Only the reason, which stock takes from somewhere else, differs.
#[test]
fn a_master_whose_name_has_no_address_is_logged_as_by_redis() {
    let Some(server) = stock("redis-server") else { return };
    let root = tempfile::tempdir().unwrap();
    let nowhere = "replicaof nobody.invalid 6379";
    for node in [start(root.path(), &server, &[nowhere]), ours(root.path(), &[nowhere])] {
        let lines = || -> Vec<String> {
            let log = node.log();
            let about = log.lines().filter(|line| line.contains("MASTER"));
            about.map(|line| line.split_once(['*', '#']).unwrap().1.trim().to_owned()).collect()
        };
        wait_for("several attempts", LATER, || lines().len() >= 6);
        for pair in lines().chunks_exact(2) {
            assert_eq!(pair[0], "Connecting to MASTER nobody.invalid:6379");
            let reason = pair[1].strip_prefix("Unable to connect to MASTER: ");
            assert!(reason.is_some_and(|reason| !reason.is_empty()), "{pair:?}");
        }
        assert_eq!(node.ask(&["PING"]), "PONG");
        assert_eq!(node.info("replication", "master_link_status"), "down");
    }
}
