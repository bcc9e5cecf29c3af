//! The scripts of a Sentinel, really run: with which words, how often again, and what becomes of one that hangs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::node::{LATER, Node, OURS, SOON, free_port, wait_for};

/// An executable shell script in `folder`.
fn script(folder: &Path, name: &str, body: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

struct Group {
    root: tempfile::TempDir,
    master: Node,
    replica: Node,
    sentinels: Vec<Node>,
}

/// A master, a replica, and Sentinels (one of them enough) with these scripts.
fn group(sentinels: usize, notification: &str, reconfig: &str) -> Group {
    let root = tempfile::tempdir().unwrap();
    script(root.path(), "notify", notification);
    script(root.path(), "reconfig", reconfig);
    let conf = ["save \"\"", "repl-diskless-sync-delay 0"];
    let master = Node::server(root.path(), &conf);
    let replicaof = format!("replicaof 127.0.0.1 {}", master.port);
    let replica = Node::server(root.path(), &[conf[0], conf[1], &replicaof]);
    let monitor = format!("sentinel monitor mymaster 127.0.0.1 {} 1", master.port);
    // Paths are relative to `dir`, which is the folder of the Sentinel.
    let conf = [
        &*monitor,
        "sentinel down-after-milliseconds mymaster 500",
        "sentinel notification-script mymaster ../notify",
        "sentinel client-reconfig-script mymaster ../reconfig",
    ];
    let start = |_| Node::start(root.path(), Path::new(OURS), free_port(), "sentinel.conf", &conf, &["--sentinel"]);
    let sentinels: Vec<Node> = (0..sentinels).map(start).collect();
    let is_complete = |node: &Node| {
        let text = node.ask(&["INFO", "sentinel"]);
        text.contains(&format!("slaves=1,sentinels={}", sentinels.len()))
            && node.ask(&["SENTINEL", "REPLICAS", "mymaster"]).contains("master-link-status ok")
    };
    wait_for("everybody is known", LATER, || sentinels.iter().all(is_complete));
    Group { root, master, replica, sentinels }
}

#[test]
fn both_scripts_get_the_documented_words() {
    let words = |file: &str| format!("echo \"$(basename \"$PWD\") $#: $*\" >> ../{file}");
    let mut group = group(2, &words("notified"), &words("reconfigured"));
    let (old, new) = (group.master.port, group.replica.port);
    group.master.kill();
    let reconfigured = group.root.path().join("reconfigured");
    wait_for("both have run it", LATER, || lines(&reconfigured).len() >= 2);
    let change = |role: &str| format!("7: mymaster {role} start 127.0.0.1 {old} 127.0.0.1 {new}");
    let all = lines(&reconfigured);
    for role in ["leader", "observer"] {
        assert!(all.iter().any(|line| line.ends_with(&change(role))), "{role} in {all:?}");
    }
    let notified = group.root.path().join("notified");
    let expected = [
        format!("2: +sdown master mymaster 127.0.0.1 {old}"),
        format!("2: +odown master mymaster 127.0.0.1 {old} #quorum 1/1"),
        format!("2: +switch-master mymaster 127.0.0.1 {old} 127.0.0.1 {new}"),
    ];
    let has = |line: &String| lines(&notified).iter().any(|known| known.ends_with(line.as_str()));
    wait_for("the events of level warning", SOON, || expected.iter().all(has));
    // What is not of that level is no reason to wake anybody.
    assert!(!lines(&notified).iter().any(|line| line.contains("+slave ")), "{:?}", lines(&notified));
}

/// A script that ends with 1 is run again, with the same words; one that ends otherwise is not.
#[test]
fn a_failing_script_is_run_again_until_it_succeeds() {
    let body = "echo \"$*\" >> ../attempts; [ \"$(wc -l < ../attempts)\" -ge 3 ] || exit 1";
    let mut group = group(1, "exit 3", body);
    let sentinel = &group.sentinels[0];
    assert_eq!(sentinel.ask(&["SENTINEL", "DEBUG", "script-retry-delay", "300"]), "OK");
    group.master.kill();
    let attempts = group.root.path().join("attempts");
    wait_for("the first attempt", LATER, || !lines(&attempts).is_empty());
    wait_for("it waits", SOON, || sentinel.ask(&["SENTINEL", "PENDING-SCRIPTS"]).contains("scheduled"));
    let pending = sentinel.ask(&["SENTINEL", "PENDING-SCRIPTS"]);
    assert!(pending.contains("../reconfig mymaster leader start") && pending.contains("retry-num"), "{pending}");
    wait_for("the third attempt", LATER, || lines(&attempts).len() == 3);
    assert!(lines(&attempts).windows(2).all(|pair| pair[0] == pair[1]));
    wait_for("nothing is left to run", SOON, || sentinel.ask(&["SENTINEL", "PENDING-SCRIPTS"]).is_empty());
    assert!(sentinel.log().contains("-script-error ../notify 0 3"), "{}", sentinel.log());
    assert!(!sentinel.log().contains("-script-error ../reconfig"));
}

/// The minute that a script may take is shortened here.
#[test]
fn a_script_that_hangs_is_killed_and_run_again() {
    let body = "echo $$ >> ../pids; [ \"$(wc -l < ../pids)\" -ge 2 ] || exec sleep 1000";
    let mut group = group(1, "exit 0", body);
    let sentinel = &group.sentinels[0];
    let periods = ["SENTINEL", "DEBUG", "script-max-runtime", "400", "script-retry-delay", "200"];
    assert_eq!(sentinel.ask(&periods), "OK");
    group.master.kill();
    let pids = group.root.path().join("pids");
    wait_for("it runs", LATER, || lines(&pids).len() == 1);
    let first = lines(&pids)[0].clone();
    wait_for("it was killed", SOON, || sentinel.log().contains(&format!("-script-timeout ../reconfig {first}")));
    wait_for("it runs again", SOON, || lines(&pids).len() == 2);
    wait_for("nothing is left to run", SOON, || sentinel.ask(&["SENTINEL", "PENDING-SCRIPTS"]).is_empty());
    assert!(!Path::new(&format!("/proc/{first}")).exists());
}

/// A file that was taken away, or whose interpreter is missing.
#[test]
fn a_script_that_cannot_be_run_is_reported_once() {
    let mut group = group(1, "exit 0", "exit 0");
    fs::remove_file(group.root.path().join("reconfig")).unwrap();
    group.master.kill();
    let sentinel = &group.sentinels[0];
    wait_for("the report", LATER, || sentinel.log().contains("-script-error ../reconfig 0 2"));
    assert_eq!(sentinel.log().matches("-script-error").count(), 1);
    // And one that comes back from its own file with such a path does not start.
    let denied = sentinel.ask(&["SENTINEL", "SET", "mymaster", "client-reconfig-script", "/x"]);
    assert!(denied.starts_with("ERR Reconfiguration of scripts path is denied for security reasons."), "{denied}");
}
