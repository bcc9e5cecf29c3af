//! Files: ours in a stock server and its own in ours, restarts, damaged files, a disk that refuses.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::node::{LATER, Node, OURS, free_port, stock, wait_for};

const QUIET: &[&str] = &["save \"\"", "enable-debug-command yes"];

/// Every form that a string has in a file, in two databases, with and without expiry.
fn fill(node: &Node) {
    let mut client = node.client();
    let long = "a".repeat(3000);
    let noise: String =
        (0..2000u32).map(|i| char::from(33 + (i.wrapping_mul(2_654_435_761) >> 24) as u8 % 90)).collect();
    for (key, value) in [
        ("small", "7"),
        ("int16", "-1234"),
        ("int32", "2147483647"),
        ("int64", "1234567890123"),
        ("almost", "0123"),
        ("12345", "a key that is a number"),
        ("empty", ""),
        ("text", "hello"),
        ("long", &long),
        ("noise", &noise),
    ] {
        client.call(&["SET", key, value]).unwrap();
    }
    client.call(&["SET", "expires", "soon", "EX", "10000"]).unwrap();
    for i in 0..2000 {
        client.call(&["SET", &format!("key:{i}"), &format!("value:{i}")]).unwrap();
    }
    client.call(&["SELECT", "9"]).unwrap();
    client.call(&["SET", "elsewhere", "too"]).unwrap();
}

/// What [`fill`] put there, as one text.
fn contents(node: &Node) -> String {
    let mut client = node.client();
    let mut text = client.call(&["DBSIZE"]).unwrap().text();
    for key in
        ["small", "int16", "int32", "int64", "almost", "12345", "empty", "text", "long", "noise", "expires", "key:1999"]
    {
        text += &format!(" {key}={}", client.call(&["GET", key]).unwrap().text());
    }
    text += &format!(" {}", client.call(&["EXPIRETIME", "expires"]).unwrap().text());
    client.call(&["SELECT", "9"]).unwrap();
    text + &client.call(&["GET", "elsewhere"]).unwrap().text()
}

#[test]
fn files_go_to_a_stock_server_and_come_back() {
    let (Some(server), Some(check)) = (stock("redis-server"), stock("redis-check-rdb")) else { return };
    let root = tempfile::tempdir().unwrap();
    let mut ours = Node::server(root.path(), QUIET);
    fill(&ours);
    let expected = contents(&ours);
    assert_eq!(ours.ask(&["SAVE"]), "OK");
    let ours_file = ours.folder.join("dump.rdb");
    let report = Command::new(&check).arg(&ours_file).output().unwrap();
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stdout));

    let port = free_port();
    let folder = root.path().join(format!("redis-{port}"));
    fs::create_dir_all(&folder).unwrap();
    fs::copy(&ours_file, folder.join("dump.rdb")).unwrap();
    let theirs = Node::start(root.path(), &server, port, "redis.conf", QUIET, &[]);
    assert_eq!(contents(&theirs), expected);

    theirs.call(&["SET", "added", "by stock"]);
    assert_eq!(theirs.ask(&["SAVE"]), "OK");
    let _ = ours.client().call(&["SHUTDOWN", "NOSAVE"]);
    ours.wait_gone();
    fs::copy(theirs.folder.join("dump.rdb"), &ours_file).unwrap();
    ours.start_again();
    wait_for("the file is loaded", LATER, || ours.info("persistence", "loading") == "0");
    assert_eq!(ours.ask(&["GET", "added"]), "by stock");
    ours.call(&["DEL", "added"]);
    assert_eq!(contents(&ours), expected);
    assert!(ours.log().contains("Loading RDB produced by version 7."), "{}", ours.log());
    assert!(ours.log().contains("Done loading RDB, keys loaded: 2013, keys expired: 0."), "{}", ours.log());
}

#[test]
fn payloads_of_dump_are_understood_on_both_sides() {
    let Some(server) = stock("redis-server") else { return };
    let root = tempfile::tempdir().unwrap();
    let ours = Node::server(root.path(), QUIET);
    let theirs = Node::start(root.path(), &server, free_port(), "redis.conf", QUIET, &[]);
    for node in [&ours, &theirs] {
        fill(node);
    }
    for key in ["small", "int16", "int32", "int64", "almost", "empty", "text", "long"] {
        let (mut here, mut there) = (ours.client(), theirs.client());
        let (a, b) = (here.call_bytes(&[b"DUMP", key.as_bytes()]), there.call_bytes(&[b"DUMP", key.as_bytes()]));
        assert_eq!(a, b, "DUMP {key}");
        assert_eq!(there.call_bytes(&[b"RESTORE", b"copy", b"0", &a, b"REPLACE"]), b"OK");
        assert_eq!(here.call_bytes(&[b"RESTORE", b"copy", b"0", &b, b"REPLACE"]), b"OK");
        assert_eq!(ours.ask(&["GET", "copy"]), theirs.ask(&["GET", key]));
        assert_eq!(theirs.ask(&["GET", "copy"]), ours.ask(&["GET", key]));
    }
}

#[test]
fn a_restart_finds_what_shutdown_and_save_points_wrote() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &["save 1 10", "enable-debug-command yes"]);
    // On a busy machine filling takes longer than a second, and would be saved in several parts.
    node.call(&["CONFIG", "SET", "save", ""]);
    fill(&node);
    let expected = contents(&node);
    node.call(&["CONFIG", "SET", "save", "1 10"]);
    wait_for("the save point has saved", LATER, || {
        node.info("persistence", "rdb_saves") == "1" && node.info("persistence", "rdb_bgsave_in_progress") == "0"
    });
    assert_eq!(node.info("persistence", "rdb_last_bgsave_status"), "ok");
    assert_eq!(node.info("persistence", "rdb_changes_since_last_save"), "0");
    assert!(node.log().contains("10 changes in 1 seconds. Saving..."), "{}", node.log());
    node.kill();
    node.start_again();
    wait_for("the file is loaded", LATER, || node.info("persistence", "loading") == "0");
    assert_eq!(contents(&node), expected);

    node.call(&["SET", "one", "more"]);
    let _ = node.client().call(&["SHUTDOWN"]);
    node.wait_gone();
    node.start_again();
    wait_for("the file is loaded", LATER, || node.info("persistence", "loading") == "0");
    assert_eq!(node.ask(&["GET", "one"]), "more");
    assert_eq!(names_in(&node.folder, "temp-"), 0, "no temporary file is left");
}

/// A change that arrives together with SHUTDOWN is either in the last save or was never confirmed.
#[test]
fn nothing_is_confirmed_behind_the_last_save() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &["save 3600 1", "enable-debug-command yes"]);
    node.call(&["SET", "before", "it"]);
    let port = node.port;
    let send = move |words: &'static [&'static str]| {
        let thread = std::thread::spawn(move || {
            let mut client = super::client::Client::connect(port).unwrap();
            client.call(words).map(|reply| reply.text())
        });
        // In this order, and all of them while the first keeps the server busy.
        std::thread::sleep(std::time::Duration::from_millis(100));
        thread
    };
    let busy = send(&["DEBUG", "SLEEP", "1"]);
    let leaving = send(&["SHUTDOWN"]);
    let writers: Vec<_> = (0..3).map(|_| send(&["INCR", "behind"])).collect();
    let confirmed = writers.into_iter().filter_map(|writer| writer.join().unwrap().ok()).count();
    let _ = (busy.join(), leaving.join());
    node.wait_gone();
    node.start_again();
    wait_for("the file is loaded", LATER, || node.info("persistence", "loading") == "0");
    assert_eq!(node.ask(&["GET", "before"]), "it");
    let saved: usize = node.ask(&["GET", "behind"]).parse().unwrap_or(0);
    assert!(saved >= confirmed, "{confirmed} were confirmed, {saved} are there");
}

#[test]
fn commands_wait_for_nobody_while_the_file_is_loaded() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &["save \"\"", "enable-debug-command yes", "key-load-delay 500"]);
    node.call(&["DEBUG", "POPULATE", "20000"]);
    assert_eq!(node.ask(&["SAVE"]), "OK");
    node.kill();
    node.start_quietly();
    wait_for("it answers", LATER, || node.ask(&["PING"]).starts_with("LOADING"));
    assert_eq!(node.ask(&["GET", "key:1"]), "LOADING Redis is loading the dataset in memory");
    assert_eq!(node.ask(&["PING"]), "LOADING Redis is loading the dataset in memory");
    assert_eq!(node.info("persistence", "loading"), "1");
    let total: u64 = node.info("persistence", "loading_total_bytes").parse().unwrap();
    assert_eq!(total, fs::metadata(node.folder.join("dump.rdb")).unwrap().len());
    let loaded = || node.info("persistence", "loading_loaded_bytes").parse::<u64>().unwrap();
    let first = loaded();
    wait_for("loading goes on", LATER, || loaded() > first);
    // A server that is loading has less than its file: it must not save when it leaves.
    let _ = node.client().call(&["SHUTDOWN", "SAVE"]);
    node.wait_gone();
    assert_eq!(fs::metadata(node.folder.join("dump.rdb")).unwrap().len(), total);
}

#[test]
fn a_damaged_or_strange_file_stops_the_start_and_stays_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), QUIET);
    fill(&node);
    assert_eq!(node.ask(&["SAVE"]), "OK");
    let file = node.folder.join("dump.rdb");
    let good = fs::read(&file).unwrap();
    let _ = node.client().call(&["SHUTDOWN", "NOSAVE"]);
    node.wait_gone();

    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 0x20;
    let mut newer = good.clone();
    newer[5..9].copy_from_slice(b"0099");
    let cases: [(&[u8], &str); 5] = [
        (&good[..good.len() / 3], "unexpected end: what begins at offset"),
        (&flipped, "dump.rdb"),
        (&newer, "Can't handle RDB format version 99"),
        (b"this is no database", "Wrong signature trying to load DB from file"),
        (b"REDIS0011\xfe\x00\x07\x04guest\x01\x02", "key 'gues' at offset 11 holds a module value (type 7)"),
    ];
    for (bytes, reason) in cases {
        fs::write(&file, bytes).unwrap();
        fs::write(node.folder.join("log"), "").unwrap();
        node.start_quietly();
        wait_for("the server gives up", LATER, || node.exit_code() == Some(1));
        let log = node.log();
        assert!(log.contains(reason), "{reason}: {log}");
        assert!(log.contains("Fatal error loading the DB, check server logs. Exiting."), "{log}");
        assert_eq!(fs::read(&file).unwrap(), bytes, "the file is as it was");
    }
    fs::write(&file, &good).unwrap();
    node.start_again();
    wait_for("the good file is loaded", LATER, || node.ask(&["GET", "text"]) == "hello");
}

#[test]
fn a_disk_that_refuses_stops_writes_until_a_save_succeeds() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save 1000 1000"]);
    assert_eq!(node.ask(&["SET", "a", "1"]), "OK");
    // A folder in the place of the file: also root cannot rename over that.
    let place = node.folder.join("dump.rdb");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("inside"), "").unwrap();
    assert_eq!(node.ask(&["BGSAVE"]), "Background saving started");
    wait_for("the save fails", LATER, || node.info("persistence", "rdb_last_bgsave_status") == "err");
    assert!(node.ask(&["SET", "a", "2"]).starts_with("MISCONF Redis is configured to save RDB snapshots"));
    assert_eq!(node.ask(&["GET", "a"]), "1");
    assert_eq!(node.ask(&["SAVE"]), "ERR");
    assert!(node.log().contains("Error moving temp DB file"), "{}", node.log());
    assert_eq!(names_in(&node.folder, "temp-"), 0, "no temporary file is left");

    fs::remove_dir_all(&place).unwrap();
    assert_eq!(node.ask(&["BGSAVE"]), "Background saving started");
    wait_for("the save succeeds", LATER, || node.info("persistence", "rdb_last_bgsave_status") == "ok");
    assert_eq!(node.ask(&["SET", "a", "2"]), "OK");
    assert!(place.is_file());
}

fn names_in(folder: &Path, prefix: &str) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(prefix)).count()
}

#[test]
fn two_servers_do_not_save_to_one_file() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &["save 3600 1"]);
    node.call(&["SET", "a", "1"]);
    assert_eq!(node.ask(&["SAVE"]), "OK");
    let before = fs::read(node.folder.join("dump.rdb")).unwrap();
    let mut second = Command::new(OURS);
    second.args(["--port", &free_port().to_string(), "--save", "3600 1"]).current_dir(&node.folder);
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = log.lines().last().unwrap();
    assert!(last.contains("dump.rdb: it is in use by another server") && last.contains("dbfilename"), "{log}");

    // Its own file, or nothing to save: they may share the folder.
    let folder = node.folder.clone();
    let launch = |words: &[&str]| {
        let port = free_port();
        let common = ["--port", &port.to_string(), "--bind", "127.0.0.1"].map(str::to_owned);
        let words = common.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect();
        Node::launch(Path::new(OURS), port, folder.clone(), words)
    };
    let other = launch(&["--dbfilename", "other.rdb", "--save", "3600 1"]);
    assert_eq!(other.ask(&["SAVE"]), "OK");
    let silent = launch(&["--save", ""]);
    assert!(silent.ask(&["SAVE"]).contains("ERR"), "a save by hand is refused");
    assert_eq!(fs::read(node.folder.join("dump.rdb")).unwrap(), before);
    drop(silent);

    node.kill();
    let node = launch(&["--save", "3600 1"]);
    assert_eq!(node.ask(&["GET", "a"]), "1");
}

#[test]
fn a_second_sigint_ends_a_save_that_takes_long() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &["save 3600 1", "rdb-key-save-delay 10000000"]);
    for number in 0..20 {
        node.call(&["SET", &number.to_string(), "x"]);
    }
    let temporary = node.folder.join(format!("temp-{}.rdb", node.pid()));
    node.signal("INT");
    wait_for("it saves", LATER, || temporary.exists());
    node.signal("INT");
    node.wait_gone();
    let left: Vec<_> = fs::read_dir(&node.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".rdb")), "{left:?}");
}
