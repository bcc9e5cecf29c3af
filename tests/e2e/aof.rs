//! The append only file with real processes: killed at any moment, files of stock servers, damaged files, disks that refuse.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::client::Client;
use super::node::{LATER, Node, OURS, free_port, stock, wait_for};

const AOF: &[&str] = &["save \"\"", "appendonly yes", "appendfsync always", "enable-debug-command yes"];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    AOF.iter().chain(more).copied().collect()
}

fn folder(node: &Node) -> PathBuf {
    node.folder.join("appendonlydir")
}

fn manifest(node: &Node) -> String {
    fs::read_to_string(folder(node).join("appendonly.aof.manifest")).unwrap_or_default()
}

fn last_incr(node: &Node) -> PathBuf {
    let manifest = manifest(node);
    let line = manifest.lines().rfind(|line| line.ends_with("type i")).expect("an incr file is named");
    folder(node).join(line.split(' ').nth(1).unwrap())
}

fn wait_loaded(node: &Node) {
    wait_for("the files are loaded", LATER, || node.info("persistence", "loading") == "0");
}

fn wait_rewritten(node: &Node) {
    wait_for("the rewrite is over", LATER, || {
        node.info("persistence", "aof_rewrite_in_progress") == "0"
            && node.info("persistence", "aof_rewrite_scheduled") == "0"
    });
}

/// After a kill in the middle of writing, rewrites included, everything is there that clients had been told `grace` before, and
/// nothing that they had not asked for.
fn nothing_acknowledged_is_lost(policy: &'static str, grace: Duration) {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &with(&["auto-aof-rewrite-percentage 0", policy]));
    let mut expected = 0;
    for round in 0..3 {
        let told: Vec<Arc<AtomicU64>> = (0..8).map(|_| Arc::new(AtomicU64::new(expected))).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = told
            .iter()
            .enumerate()
            .map(|(number, told)| {
                let (told, stop, port) = (told.clone(), stop.clone(), node.port);
                thread::spawn(move || {
                    let Ok(mut client) = Client::connect(port) else { return };
                    while !stop.load(Ordering::Relaxed) {
                        match client.call(&["INCR", &format!("counter:{number}")]) {
                            Ok(reply) => told.store(reply.text().parse().unwrap(), Ordering::SeqCst),
                            Err(_) => return,
                        }
                    }
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        let safe: Vec<u64> = told.iter().map(|told| told.load(Ordering::SeqCst)).collect();
        thread::sleep(grace);
        if round > 0 {
            assert!(node.ask(&["BGREWRITEAOF"]).contains("started"));
            thread::sleep(Duration::from_millis(5 * round));
        }
        node.kill();
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        node.start_again();
        wait_loaded(&node);
        let mut highest = 0;
        for (number, told) in told.iter().enumerate() {
            let there: u64 = node.ask(&["GET", &format!("counter:{number}")]).parse().unwrap_or(0);
            let told = told.load(Ordering::SeqCst);
            let least = if grace.is_zero() { told } else { safe[number] };
            assert!(least <= there && there <= told + 1, "round {round}: {least} is safe, {told} was told: {there}");
            highest = highest.max(there);
        }
        assert!(highest > expected, "something was written");
        // From a common value on.
        expected = highest;
        for number in 0..8 {
            node.call(&["SET", &format!("counter:{number}"), &highest.to_string()]);
        }
    }
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged_with_always() {
    nothing_acknowledged_is_lost("appendfsync always", Duration::ZERO);
}

/// What is written outlives the process; but while a sync is under way, writing may wait for up to two seconds.
#[test]
fn a_kill_loses_at_most_two_seconds_with_everysec() {
    nothing_acknowledged_is_lost("appendfsync everysec", Duration::from_millis(2100));
}

#[test]
fn files_of_a_stock_server_load_here_and_ours_load_there() {
    let Some(server) = stock("redis-server") else { return };
    let root = tempfile::tempdir().unwrap();
    let content = |node: &Node| {
        let mut client = node.client();
        let mut text = String::new();
        for key in ["a", "big", "gone", "later", "list", "set", "hash", "zset"] {
            text += &format!("{key}={} ", client.call(&["TYPE", key]).unwrap().text());
        }
        text += &client.call(&["MGET", "a", "big", "tx1", "tx2"]).unwrap().text();
        text += &format!(" {}", client.call(&["LRANGE", "list", "0", "-1"]).unwrap().text());
        text += &format!(" {}", client.call(&["PEXPIRETIME", "later"]).unwrap().text());
        client.call(&["SELECT", "9"]).unwrap();
        text + " " + &client.call(&["GET", "elsewhere"]).unwrap().text()
    };
    let fill = |node: &Node, from: &str| {
        let mut client = node.client();
        let big = from.repeat(5000);
        for words in [
            &["SET", "a", from][..],
            &["APPEND", "a", "x"],
            &["SET", "big", &big],
            &["SET", "gone", "x"],
            &["DEL", "gone"],
            &["SET", "later", "x", "EX", "10000"],
            &["RPUSH", "list", "a", "1", "c"],
            &["LPOP", "list"],
            &["MULTI"],
            &["INCR", "tx1"],
            &["INCRBYFLOAT", "tx2", "1.5"],
            &["EXEC"],
            &["SELECT", "9"],
            &["SET", "elsewhere", from],
        ] {
            client.call(words).unwrap();
        }
    };
    for preamble in ["aof-use-rdb-preamble yes", "aof-use-rdb-preamble no"] {
        let mut ours = Node::server(root.path(), &with(&[preamble, "aof-timestamp-enabled yes"]));
        fill(&ours, "ours");
        assert!(ours.ask(&["BGREWRITEAOF"]).contains("started"));
        wait_rewritten(&ours);
        fill(&ours, "again");
        let expected = content(&ours);
        let _ = ours.client().call(&["SHUTDOWN"]);
        ours.wait_gone();

        let port = free_port();
        let place = root.path().join(format!("redis-{port}"));
        copy(&folder(&ours), &place.join("appendonlydir"));
        let mut theirs = Node::start(root.path(), &server, port, "redis.conf", &with(&[preamble]), &[]);
        wait_loaded(&theirs);
        assert_eq!(content(&theirs), expected, "{preamble}");
        fill(&theirs, "theirs");
        theirs.call(&["BGREWRITEAOF"]);
        wait_rewritten(&theirs);
        fill(&theirs, "more");
        let expected = content(&theirs);
        let _ = theirs.client().call(&["SHUTDOWN"]);
        theirs.wait_gone();

        fs::remove_dir_all(folder(&ours)).unwrap();
        copy(&place.join("appendonlydir"), &folder(&ours));
        ours.start_again();
        wait_loaded(&ours);
        assert_eq!(content(&ours), expected, "{preamble}");
        ours.call(&["SET", "a", "on"]);
        ours.kill();
        ours.start_again();
        wait_loaded(&ours);
        assert_eq!(ours.ask(&["GET", "a"]), "on");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_cut_end_is_taken_off_or_refused_and_the_tool_repairs_it() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &with(&["aof-load-truncated no"]));
    node.call(&["SET", "a", "1"]);
    node.call(&["SET", "b", "2"]);
    node.kill();
    let file = last_incr(&node);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 3]).unwrap();
    node.start_quietly();
    wait_for("the server gives up", LATER, || node.exit_code() == Some(1));
    let log = node.log();
    assert!(log.lines().last().unwrap().contains("Unexpected end of file reading the append only file"), "{log}");
    assert_eq!(fs::read(&file).unwrap().len(), whole.len() - 3, "nothing was changed");

    let place = folder(&node).join("appendonly.aof.manifest");
    let report = Command::new(OURS).arg("--check-aof").arg(&place).output().unwrap();
    assert!(!report.status.success());
    assert!(String::from_utf8_lossy(&report.stdout).contains("is not valid. Use the --fix option"));
    let mut fix = Command::new("sh");
    fix.arg("-c").arg(format!("echo y | '{OURS}' --check-aof --fix '{}'", place.display()));
    let report = fix.output().unwrap();
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stdout));
    node.start_again();
    wait_loaded(&node);
    assert_eq!(node.ask(&["MGET", "a", "b"]), "1 (null)");
    node.kill();

    // With aof-load-truncated the server does that itself.
    let conf = fs::read_to_string(node.folder.join("redis.conf")).unwrap();
    fs::write(node.folder.join("redis.conf"), conf.replace("aof-load-truncated no", "aof-load-truncated yes")).unwrap();
    fs::write(&file, &whole[..whole.len() - 3]).unwrap();
    node.start_again();
    wait_loaded(&node);
    assert_eq!(node.ask(&["MGET", "a", "b"]), "1 (null)");
    assert!(node.log().contains("loaded anyway because aof-load-truncated is enabled"));
    assert_eq!(node.ask(&["SET", "b", "3"]), "OK");
    node.kill();
    node.start_again();
    wait_loaded(&node);
    assert_eq!(node.ask(&["MGET", "a", "b"]), "1 3");
}

#[test]
fn a_bad_manifest_stops_the_start_and_says_where() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), AOF);
    node.call(&["SET", "a", "1"]);
    node.kill();
    let place = folder(&node).join("appendonly.aof.manifest");
    let good = fs::read(&place).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    for (bad, reason) in [
        (String::new(), "Found an empty AOF manifest"),
        (text.replace("type b", "type x"), "Unknown AOF file type"),
        (text.replace("appendonly.aof.1.incr", "../x"), "File can't be a path, just a filename"),
        (format!("{text}{text}"), "Found duplicate base file information"),
        (text.trim_end().to_owned(), "The AOF manifest file is cut off"),
        (text.replace("1.incr.aof seq 1", "7.incr.aof seq 7"), "appendonly.aof.7.incr.aof doesn't exist"),
    ] {
        fs::write(&place, &bad).unwrap();
        fs::write(node.folder.join("log"), "").unwrap();
        node.start_quietly();
        wait_for("the server gives up", LATER, || node.exit_code() == Some(1));
        assert!(node.log().contains(reason), "{reason}: {}", node.log());
        assert_eq!(fs::read_to_string(&place).unwrap(), bad, "nothing was changed");
    }
    fs::write(&place, &good).unwrap();
    node.start_again();
    wait_for("the good files are loaded", LATER, || node.ask(&["GET", "a"]) == "1");
}

#[test]
fn it_can_be_switched_on_and_off_while_clients_write() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &["save \"\"", "appendfsync always", "enable-debug-command yes"]);
    node.call(&["DEBUG", "POPULATE", "5000"]);
    assert_eq!(node.ask(&["CONFIG", "SET", "appendonly", "yes"]), "OK");
    node.call(&["SET", "during", "the first image"]);
    wait_rewritten(&node);
    assert_eq!(manifest(&node).lines().count(), 2, "{}", manifest(&node));
    node.call(&["SET", "after", "it"]);
    let conf = node.folder.join("redis.conf");
    fs::write(&conf, fs::read_to_string(&conf).unwrap() + "\nappendonly yes\n").unwrap();
    node.kill();
    node.start_again();
    wait_loaded(&node);
    assert_eq!(node.ask(&["MGET", "during", "after", "key:4999"]), "the first image it value:4999");
    assert_eq!(node.ask(&["CONFIG", "SET", "appendonly", "no"]), "OK");
    node.call(&["SET", "after", "is not written"]);
    assert_eq!(node.ask(&["WAITAOF", "1", "0", "10"]).split(' ').next(), Some("ERR"));
    node.kill();
    node.start_again();
    wait_loaded(&node);
    assert_eq!(node.ask(&["GET", "after"]), "it");
}

#[test]
fn an_old_single_file_is_taken_over() {
    let root = tempfile::tempdir().unwrap();
    let port = free_port();
    let place = root.path().join(format!("redis-{port}"));
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("appendonly.aof"), "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nold\r\n").unwrap();
    let node = Node::start(root.path(), Path::new(OURS), port, "redis.conf", AOF, &[]);
    wait_loaded(&node);
    assert_eq!(node.ask(&["GET", "a"]), "old");
    assert!(!place.join("appendonly.aof").exists());
    assert_eq!(manifest(&node), "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n");
}

/// A planned restart of either side costs no full resync.
#[test]
fn partial_resyncs_go_on_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let mut master = Node::server(root.path(), AOF);
    let mut replica = Node::server(root.path(), AOF);
    replica.call(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
    let conf = replica.folder.join("redis.conf");
    let line = format!("\nreplicaof 127.0.0.1 {}\n", master.port);
    fs::write(&conf, fs::read_to_string(&conf).unwrap() + &line).unwrap();
    wait_for("the replica follows", LATER, || replica.info("replication", "master_link_status") == "up");
    wait_rewritten(&replica);
    master.call(&["SET", "a", "1"]);
    wait_for("the replica has it", LATER, || replica.ask(&["GET", "a"]) == "1");
    wait_for("and on disk", LATER, || master.ask(&["WAITAOF", "1", "1", "100"]) == "1 1");

    let _ = replica.client().call(&["SHUTDOWN"]);
    replica.wait_gone();
    master.call(&["SET", "b", "2"]);
    let full = master.info("stats", "sync_full");
    replica.start_again();
    wait_for("the replica has what came meanwhile", LATER, || replica.ask(&["MGET", "a", "b"]) == "1 2");
    assert_eq!(master.info("stats", "sync_full"), full);

    let _ = master.client().call(&["SHUTDOWN"]);
    master.wait_gone();
    master.start_again();
    wait_loaded(&master);
    wait_for("the replica follows again", LATER, || replica.info("replication", "master_link_status") == "up");
    assert_eq!(master.info("stats", "sync_full"), "0");
    master.call(&["SET", "c", "3"]);
    wait_for("the replica has it", LATER, || replica.ask(&["MGET", "a", "b", "c"]) == "1 2 3");
}

fn follows(replica: &Node) {
    wait_for("the replica follows", LATER, || replica.info("replication", "master_link_status") == "up");
}

fn same_data(one: &Node, other: &Node) {
    wait_for("both have the same data", LATER, || one.ask(&["DEBUG", "DIGEST"]) == other.ask(&["DEBUG", "DIGEST"]));
}

/// A master and a replica that knows it from its config file; both write every change to the disk.
fn pair(root: &Path) -> (Node, Node) {
    let master = Node::server(root, AOF);
    let line = format!("replicaof 127.0.0.1 {}", master.port);
    let replica = Node::server(root, &[AOF, &[&line, "repl-diskless-sync-delay 0"]].concat());
    follows(&replica);
    wait_rewritten(&replica);
    (master, replica)
}

fn write_something(master: &Node, round: u32) {
    let mut client = master.client();
    for db in ["0", "3"] {
        client.call(&["SELECT", db]).unwrap();
        client.call(&["INCRBY", "counter", &round.to_string()]).unwrap();
        client.call(&["PUBLISH", "channel", "only replicas get this"]).unwrap();
        client.call(&["MULTI"]).unwrap();
        client.call(&["RPUSH", "list", &format!("{db}:{round}")]).unwrap();
        client.call(&["SPOP", "nothing"]).unwrap();
        client.call(&["SET", "expires", "later", "EX", "1000"]).unwrap();
        client.call(&["EXEC"]).unwrap();
    }
}

/// Neither side is given the time to say goodbye, and yet no full resync is needed.
#[test]
fn partial_resyncs_go_on_after_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let (mut master, mut replica) = pair(root.path());
    let full = master.info("stats", "sync_full");
    for round in 1..4 {
        write_something(&master, round);
        same_data(&master, &replica);
        wait_for("it is on disk", LATER, || master.ask(&["WAITAOF", "1", "1", "100"]) == "1 1");
        replica.kill();
        write_something(&master, 10 * round);
        replica.start_again();
        follows(&replica);
        same_data(&master, &replica);
        assert_eq!(master.info("stats", "sync_full"), full, "{}", master.log());
    }
    for round in 1..4 {
        write_something(&master, round);
        // A client that writes while the master is killed: the last changes may be in its file, and not with the replica.
        let port = master.port;
        let writer = thread::spawn(move || {
            let Ok(mut client) = Client::connect(port) else { return };
            while client.call(&["INCR", "written"]).is_ok() {}
        });
        thread::sleep(Duration::from_millis(50 + 30 * u64::from(round)));
        master.kill();
        writer.join().unwrap();
        master.start_again();
        wait_loaded(&master);
        follows(&replica);
        same_data(&master, &replica);
        assert_eq!(master.info("stats", "sync_full"), "0", "{}", master.log());
    }
}

/// The master was killed, its replica took over, and the old master comes back as a replica: what both know of the same history
/// is enough.
#[test]
fn a_killed_master_comes_back_as_a_replica_without_a_full_resync() {
    let root = tempfile::tempdir().unwrap();
    let (mut master, replica) = pair(root.path());
    write_something(&master, 1);
    same_data(&master, &replica);
    master.kill();
    assert_eq!(replica.ask(&["REPLICAOF", "NO", "ONE"]), "OK");
    write_something(&replica, 2);
    master.start_again();
    wait_loaded(&master);
    assert_eq!(master.ask(&["REPLICAOF", "127.0.0.1", &replica.port.to_string()]), "OK");
    follows(&master);
    same_data(&replica, &master);
    assert_eq!(replica.info("stats", "sync_full"), "0", "{}", replica.log());
    assert_eq!(replica.info("stats", "sync_partial_ok"), "1");
}

/// The time of the server's clock, in seconds, once a new one has begun.
fn next_second(node: &Node) -> i64 {
    let now = || node.ask(&["TIME"]).split(' ').next().unwrap().parse::<i64>().unwrap();
    let before = now();
    wait_for("a second is over", LATER, || now() > before);
    now()
}

#[test]
fn a_server_goes_back_to_a_moment_and_keeps_what_it_leaves_out() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &with(&["aof-timestamp-enabled yes"]));
    node.call(&["SET", "a", "old"]);
    assert!(node.ask(&["BGREWRITEAOF"]).contains("started"));
    wait_rewritten(&node);
    next_second(&node);
    node.call(&["SET", "b", "good"]);
    let moment = next_second(&node) - 1;
    node.call(&["FLUSHALL"]);
    node.call(&["SET", "c", "after the accident"]);
    node.kill();
    let before: Vec<_> = ["appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof"]
        .iter()
        .map(|name| (folder(&node).join(name), fs::read(folder(&node).join(name)).unwrap()))
        .collect();
    let old_manifest = manifest(&node);

    let start = |node: &Node, words: &[&str]| {
        let conf = node.folder.join("redis.conf").display().to_string();
        let args = std::iter::once(conf).chain(words.iter().map(ToString::to_string)).collect();
        Node::launch(Path::new(OURS), node.port, node.folder.clone(), args)
    };
    let mut restored = start(&node, &["--restore-to", &moment.to_string()]);
    wait_loaded(&restored);
    assert_eq!(restored.ask(&["MGET", "a", "b", "c"]), "old good (null)");
    let log = restored.log();
    assert!(log.contains(&format!("({moment}): 2 changes were replayed")), "{log}");
    assert!(log.contains("bytes of appendonly.aof.2.incr.aof from offset"), "{log}");
    restored.call(&["SET", "d", "since then"]);
    for (path, content) in &before {
        assert_eq!(&fs::read(path).unwrap(), content, "{} is as it was", path.display());
    }
    restored.kill();
    // The same once more would undo what was done since.
    let conf = node.folder.join("redis.conf");
    let again =
        Command::new(OURS).arg(&conf).args(["--logfile", "", "--restore-to", &moment.to_string()]).output().unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stdout).contains("was made later"), "{again:?}");
    let mut usual = start(&node, &[]);
    wait_loaded(&usual);
    assert_eq!(usual.ask(&["MGET", "a", "b", "d"]), "old good since then");
    usual.kill();

    // And forward again.
    let kept = fs::read_dir(folder(&node)).unwrap().map(|entry| entry.unwrap().path());
    let kept = kept.into_iter().find(|path| path.display().to_string().contains(".before-restore-")).unwrap();
    assert_eq!(fs::read_to_string(&kept).unwrap(), old_manifest);
    fs::copy(&kept, folder(&node).join("appendonly.aof.manifest")).unwrap();
    let back = start(&node, &[]);
    wait_loaded(&back);
    assert_eq!(back.ask(&["MGET", "a", "b", "c"]), "(null) (null) after the accident");
}

#[test]
fn going_back_is_refused_where_it_makes_no_sense() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), AOF);
    node.call(&["SET", "a", "1"]);
    node.kill();
    let conf = node.folder.join("redis.conf").display().to_string();
    let before = fs::read(last_incr(&node)).unwrap();
    let master = ["--replicaof", "127.0.0.1", "1"];
    for (words, reason) in [
        (&["--appendonly", "no"][..], "needs appendonly yes"),
        (&master, "is for a master"),
        (&["--appenddirname", "elsewhere"], "finds no append only file"),
        (&[], "has no time stamps (aof-timestamp-enabled)"),
    ] {
        let mut words = words.to_vec();
        words.extend(["--logfile", "", "--restore-to", "2100-01-01T00:00:00Z"]);
        let output = Command::new(OURS).arg(&conf).args(&words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(reason), "{reason}: {output:?}");
    }
    assert_eq!(fs::read(last_incr(&node)).unwrap(), before);
}

/// What the documentation says about backups: while clients write and a rewrite may come at any time, a copy made that way is a
/// state that existed.
#[test]
fn a_copy_of_a_running_server_made_as_documented_is_whole() {
    if stock("redis-cli").is_none() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &with(&["auto-aof-rewrite-percentage 100", "auto-aof-rewrite-min-size 64kb"]));
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (stop, port) = (stop.clone(), node.port);
        thread::spawn(move || {
            let mut client = Client::connect(port).unwrap();
            let mut number = 0u64;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                let text = number.to_string();
                client.call(&["MSET", "first", &text, "second", &text, "filler", &"x".repeat(2000)]).unwrap();
            }
        })
    };
    wait_for("it has been rewritten", LATER, || {
        node.info("persistence", "aof_rewrites").parse::<u64>().is_ok_and(|rewrites| rewrites > 1)
    });
    let script = format!("{}/scripts/backup-aof.sh", env!("CARGO_MANIFEST_DIR"));
    let mut last = 0;
    for number in 0..3 {
        let copy = root.path().join(format!("copy-{number}"));
        let told: u64 = node.ask(&["GET", "first"]).parse().unwrap();
        let output =
            Command::new("bash").arg(&script).args(["-p", &node.port.to_string()]).arg(&copy).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let place = root.path().join(format!("from-copy-{number}"));
        let port = free_port();
        let words = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--appendonly", "yes", "--save", ""];
        self::copy(&copy, &place.join("appendonlydir"));
        let from_copy = Node::launch(Path::new(OURS), port, place, words.map(str::to_owned).to_vec());
        wait_loaded(&from_copy);
        let found = from_copy.ask(&["MGET", "first", "second"]);
        let (first, second) = found.split_once(' ').unwrap();
        assert_eq!(first, second);
        let found: u64 = first.parse().unwrap();
        assert!(told <= found && last < found, "{told} had been written: {found}");
        last = found;
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn a_second_server_on_the_same_files_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), AOF);
    node.call(&["SET", "a", "1"]);
    let before = fs::read(last_incr(&node)).unwrap();
    let port = free_port().to_string();
    let mut second = Command::new(OURS);
    second.args(["--port", &port, "--save", "", "--appendonly", "yes"]).current_dir(&node.folder);
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("is in use by another server"));
    assert_eq!(fs::read(last_incr(&node)).unwrap(), before);
    assert!(node.ask(&["BGREWRITEAOF"]).contains("started"));
    wait_rewritten(&node);
    assert_eq!(second.output().unwrap().status.code(), Some(1), "after a rewrite, too");
    assert_eq!(node.ask(&["GET", "a"]), "1");
}

/// Rewrites that fail cost nothing but one more file each; after three the server waits before it tries again by itself.
#[test]
fn failed_rewrites_leave_more_files_and_then_wait() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &with(&["auto-aof-rewrite-percentage 0"]));
    // A folder in the place of the image: also root cannot rename over that.
    let place = node.folder.join(format!("temp-rewriteaof-bg-{}.aof", node.pid()));
    fs::create_dir(&place).unwrap();
    fs::write(place.join("inside"), "").unwrap();
    for round in 1..=3 {
        node.call(&["INCR", "counter"]);
        assert!(node.ask(&["BGREWRITEAOF"]).contains("started"));
        wait_rewritten(&node);
        assert_eq!(node.info("persistence", "aof_last_bgrewrite_status"), "err");
        assert_eq!(node.info("persistence", "aof_rewrites_consecutive_failures"), round.to_string());
    }
    node.call(&["INCR", "counter"]);
    let names: Vec<String> = manifest(&node).lines().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    let expected = ["1.base.rdb", "1.incr.aof", "2.incr.aof", "3.incr.aof", "4.incr.aof"];
    assert_eq!(names, expected.map(|name| format!("appendonly.aof.{name}")));

    node.call(&["CONFIG", "SET", "auto-aof-rewrite-min-size", "1kb", "auto-aof-rewrite-percentage", "1"]);
    node.call(&["SET", "large", &"x".repeat(3000)]);
    wait_for("the limit is told", LATER, || node.log().contains("triggered the limit, will retry in 1 minutes"));
    assert_eq!(node.info("persistence", "aof_rewrite_in_progress"), "0");
    assert_eq!(manifest(&node).lines().count(), 5);
    node.call(&["CONFIG", "SET", "auto-aof-rewrite-percentage", "0"]);

    fs::remove_dir_all(&place).unwrap();
    assert!(node.ask(&["BGREWRITEAOF"]).contains("started"));
    wait_rewritten(&node);
    assert_eq!(node.info("persistence", "aof_rewrites_consecutive_failures"), "0");
    assert_eq!(
        manifest(&node),
        "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.5.incr.aof seq 5 type i\n"
    );
    node.call(&["INCR", "counter"]);
    node.kill();
    node.start_again();
    wait_loaded(&node);
    assert_eq!(node.ask(&["GET", "counter"]), "5");
}

/// Until the first image is complete nothing counts, and it is tried again.
#[test]
fn a_first_image_that_fails_is_tried_again() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\"", "appendfsync always", "enable-debug-command yes"]);
    node.call(&["SET", "a", "1"]);
    let place = node.folder.join(format!("temp-rewriteaof-bg-{}.aof", node.pid()));
    fs::create_dir(&place).unwrap();
    fs::write(place.join("inside"), "").unwrap();
    assert_eq!(node.ask(&["CONFIG", "SET", "appendonly", "yes"]), "OK");
    wait_for("it fails", LATER, || node.log().contains("Removing the temp incr aof file"));
    assert_eq!(manifest(&node), "");
    assert_eq!(node.ask(&["SET", "b", "2"]), "OK");
    fs::remove_dir_all(&place).unwrap();
    wait_for("it is tried again", Duration::from_secs(100), || manifest(&node).lines().count() == 2);
    node.call(&["SET", "c", "3"]);
    assert_eq!(node.ask(&["DEBUG", "LOADAOF"]), "OK");
    assert_eq!(node.ask(&["MGET", "a", "b", "c"]), "1 2 3");
}

/// Files that cannot be used stop the start: the last line of the log names file, place and reason, and nothing is changed.
#[test]
fn files_that_cannot_be_used_stop_the_start() {
    const MANIFEST: &str = "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
    const PING: &str = "*1\r\n$4\r\nPING\r\n";
    const EMPTY: &[u8] = b"REDIS0011\xff\0\0\0\0\0\0\0\0";
    let root = tempfile::tempdir().unwrap();
    let aof = |base: &[u8], incr: &str| {
        let place = tempfile::tempdir_in(root.path()).unwrap().keep();
        let folder = place.join("appendonlydir");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("appendonly.aof.manifest"), MANIFEST).unwrap();
        fs::write(folder.join("appendonly.aof.1.base.rdb"), base).unwrap();
        fs::write(folder.join("appendonly.aof.1.incr.aof"), incr).unwrap();
        place
    };
    let bare = |name: &str, is_folder: bool| {
        let place = tempfile::tempdir_in(root.path()).unwrap().keep();
        match is_folder {
            true => fs::create_dir_all(place.join(name)).unwrap(),
            false => fs::write(place.join(name), "x").unwrap(),
        }
        place
    };
    let incr = |text: &str| aof(EMPTY, &format!("{PING}{text}"));
    for (place, appendonly, words) in [
        (bare("dump.rdb", true), "no", &["can't open the RDB file", "dump.rdb", "directory"][..]),
        (bare("appendonlydir", false), "yes", &["appendonly.aof.manifest", "Not a directory"]),
        (bare("appendonlydir/appendonly.aof.manifest", true), "yes", &["appendonly.aof.manifest", "directory"]),
        (incr("*1\r\n$4\r\nPXNG\r\n"), "yes", &["Unknown command 'PXNG'", "1.incr.aof", "offset 14"]),
        (incr("*2\r\n$3\r\nGET\r\n$x\r\n"), "yes", &["1.incr.aof at offset 28", "backup", "redis-check-aof --fix"]),
        (incr("+OK\r\n"), "yes", &["Bad file format", "1.incr.aof at offset 14"]),
        (incr(&format!("*99999999999\r\n{PING}")), "yes", &["Bad file format", "1.incr.aof at offset 1"]),
        (aof(&EMPTY[..12], PING), "yes", &["Error reading the RDB preamble of the AOF file appendonly.aof.1.base.rdb"]),
        (aof(b"REDIS0099", PING), "yes", &["Error reading the RDB preamble of the AOF file appendonly.aof.1.base.rdb"]),
    ] {
        let files = || {
            let folder = place.join("appendonlydir");
            let names = ["appendonly.aof.manifest", "appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"];
            names.map(|name| fs::read(folder.join(name)).ok())
        };
        let before = files();
        let port = free_port().to_string();
        let mut server = Command::new(OURS);
        server.args(["--port", &port, "--appendonly", appendonly, "--save", ""]).current_dir(&place);
        let output = server.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = log.trim_end().lines().last().unwrap_or_default();
        assert!(words.iter().all(|word| last.contains(word)), "{words:?}: {log}");
        assert_eq!(files(), before, "{words:?}: nothing was changed");
    }
}

#[test]
fn a_command_of_the_aof_that_fails_ends_the_start_if_the_settings_say_so() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &with(&[]));
    assert_eq!(node.ask(&["SET", "k", "v"]), "OK");
    node.kill();
    let file = last_incr(&node);
    let mut content = fs::read(&file).unwrap();
    let offset = content.len();
    content.extend_from_slice(b"*3\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n$1\r\ne\r\n");
    fs::write(&file, content).unwrap();
    node.start_again();
    wait_loaded(&node);
    assert_eq!(node.ask(&["GET", "k"]), "v");
    assert_eq!(node.info("stats", "unexpected_error_replies"), "1");
    assert_eq!(node.ask(&["CONFIG", "SET", "propagation-error-behavior", "panic"]), "OK");
    assert_eq!(node.ask(&["CONFIG", "REWRITE"]), "OK");
    node.kill();
    node.start_quietly();
    wait_for("the server ends", LATER, || node.exit_code() == Some(1));
    let said = format!("(at offset {offset}), and propagation-error-behavior is panic");
    assert!(node.log().contains("Command 'RPUSH' answered 'WRONGTYPE") && node.log().contains(&said), "{}", node.log());
}

/// As if it had been started anew: libraries are those of the files.
#[test]
fn debug_loadaof_begins_without_functions() {
    let root = tempfile::tempdir().unwrap();
    let settings = with(&["propagation-error-behavior panic"]);
    let node = Node::server(root.path(), &settings);
    let code = "#!lua name=lib\nredis.register_function('f', function() return 'hello' end)";
    assert_eq!(node.ask(&["FUNCTION", "LOAD", code]), "lib");
    assert_eq!(node.ask(&["DEBUG", "LOADAOF"]), "OK");
    assert_eq!(node.ask(&["FCALL", "f", "0"]), "hello");
    assert_eq!(node.ask(&["FUNCTION", "DELETE", "lib"]), "OK");
    assert_eq!(node.ask(&["DEBUG", "LOADAOF"]), "OK");
    assert!(node.ask(&["FCALL", "f", "0"]).contains("Function not found"));
}

/// What a script wants in the file alone is there after a restart, and no replica has it; what it wants nowhere is gone.
#[test]
fn a_script_decides_whether_the_file_or_the_replicas_hear_of_it() {
    let root = tempfile::tempdir().unwrap();
    let mut master = Node::server(root.path(), &with(&["repl-diskless-sync-delay 0"]));
    let link = format!("replicaof 127.0.0.1 {}", master.port);
    let replica = Node::server(root.path(), &["save \"\"", &link]);
    wait_for("the replica follows", LATER, || replica.ask(&["INFO", "replication"]).contains("master_link_status:up"));
    let code = "redis.call('set', 'all', 1)
        redis.set_repl(redis.REPL_AOF) redis.call('set', 'file', 1) redis.call('select', 3) redis.call('set', 'three', 1)
        redis.set_repl(redis.REPL_REPLICA) redis.call('select', 0) redis.call('set', 'replicas', 1)
        redis.set_repl(redis.REPL_NONE) redis.call('set', 'nobody', 1)
        redis.set_repl(redis.REPL_ALL) redis.call('set', 'again', 1)
        return redis.call('dbsize')";
    assert_eq!(master.ask(&["EVAL", code, "0"]), "5");
    assert_eq!(master.ask(&["EVAL", "redis.set_repl(redis.REPL_AOF) return redis.call('incr', 'file')", "0"]), "2");
    assert_eq!(master.ask(&["SET", "last", "1"]), "OK");
    let keys = ["all", "file", "replicas", "nobody", "again", "last"];
    let there = |node: &Node| keys.map(|key| node.ask(&["EXISTS", key])).concat();
    wait_for("the replica has the last", LATER, || replica.ask(&["EXISTS", "last"]) == "1");
    assert_eq!((there(&replica), there(&master)), ("101011".into(), "111111".into()));
    let offset = |node: &Node, field: &str| node.info("replication", field);
    wait_for("both stand at the same place", LATER, || {
        offset(&master, "master_repl_offset") == offset(&replica, "slave_repl_offset")
    });
    master.kill();
    master.start_again();
    wait_loaded(&master);
    assert_eq!(there(&master), "110011");
    assert_eq!(
        (
            master.ask(&["GET", "file"]),
            master.ask(&["EVAL", "redis.call('select', 3) return redis.call('dbsize')", "0"])
        ),
        ("2".into(), "1".into())
    );
}
