//! A script that is stuck, and what others hear meanwhile.

use super::client::{Client, Reply};
use super::node::{LATER, Node, SOON, wait_for};

#[test]
fn who_asked_together_with_a_stuck_script_is_told_so_and_others_can_end_it() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\"", "busy-reply-threshold 10"]);
    let connect = || Client::with_patience(node.port, SOON).unwrap();
    let mut scripts = [connect(), connect()];
    let mut others = [connect(), connect(), connect()];
    for client in scripts.iter_mut().chain(&mut others) {
        assert_eq!(client.call(&["PING"]).unwrap().text(), "PONG");
    }
    // All of it arrives while the server stands, so that it is read in one turn.
    node.stop();
    others[0].send(&["SET", "k", "v"]).unwrap();
    for client in &mut scripts {
        client.send(&["EVAL", "while true do redis.call('ping') end", "0"]).unwrap();
    }
    others[1].send(&["INCR", "n"]).unwrap();
    others[2].send(&["GET", "k"]).unwrap();
    node.signal("CONT");
    for (client, done) in others.iter_mut().zip(["OK", "1", "v"]) {
        let answer = client.read().unwrap().text();
        assert!(answer == done || answer.starts_with("BUSY ") || (done == "v" && answer.is_empty()), "{answer}");
    }
    let mut free = connect();
    wait_for("the server is busy", LATER, || free.call(&["PING"]).unwrap().text().starts_with("BUSY "));
    // The second script was refused while the first one ran, or runs after it.
    let mut ended = 0;
    wait_for("nothing runs any more", LATER, || {
        if free.call(&["SCRIPT", "KILL"]).unwrap().text() == "OK" {
            ended += 1;
        }
        free.call(&["PING"]).unwrap().text() == "PONG"
    });
    assert!(ended >= 1);
    for client in &mut scripts {
        let answer = client.read().unwrap().text();
        assert!(answer.contains("Script killed by user") || answer.starts_with("BUSY "), "{answer}");
    }
}

#[test]
fn a_long_pipeline_of_slow_commands_does_not_keep_others_waiting_to_its_end() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\"", "enable-debug-command yes"]);
    let (mut slow, mut quick) = (Client::connect(node.port).unwrap(), Client::with_patience(node.port, LATER).unwrap());
    for client in [&mut slow, &mut quick] {
        assert_eq!(client.call(&["PING"]).unwrap().text(), "PONG");
    }
    // All of it arrives while the server stands, so that it is read in one turn.
    node.stop();
    (0..512).for_each(|_| slow.send(&["DEBUG", "SLEEP", "0.005"]).unwrap());
    quick.send(&["PING"]).unwrap();
    node.signal("CONT");
    assert_eq!(quick.read().unwrap().text(), "PONG");
    let stats = quick.call(&["INFO", "commandstats"]).unwrap().text();
    let line = stats.lines().find(|line| line.starts_with("cmdstat_debug")).unwrap_or_else(|| panic!("{stats}"));
    let calls: usize = line.split_once("calls=").unwrap().1.split(',').next().unwrap().parse().unwrap();
    assert!((1..512).contains(&calls), "{calls} of 512 before somebody else was served");
}

#[test]
fn what_the_master_sends_to_a_replica_with_a_stuck_script_is_executed_afterwards() {
    let root = tempfile::tempdir().unwrap();
    let master = Node::server(root.path(), &["save \"\"", "repl-diskless-sync-delay 0"]);
    let link = format!("replicaof 127.0.0.1 {}", master.port);
    let replica = Node::server(root.path(), &["save \"\"", "busy-reply-threshold 10", &link]);
    wait_for("the replica follows", LATER, || replica.ask(&["INFO", "replication"]).contains("master_link_status:up"));
    let connect = |node: &Node| Client::with_patience(node.port, SOON).unwrap();
    let (mut script, mut free, mut writer) = (connect(&replica), connect(&replica), connect(&master));
    script.send(&["EVAL", "while true do end", "0"]).unwrap();
    wait_for("the replica is busy", LATER, || free.call(&["PING"]).unwrap().text().starts_with("BUSY "));
    for n in 0..100 {
        assert_eq!(writer.call(&["SET", &format!("k{n}"), "v"]).unwrap().text(), "OK");
        // Whoever is asked has looked at its other connections too.
        assert!(free.call(&["PING"]).unwrap().text().starts_with("BUSY "));
    }
    assert_eq!(free.call(&["SCRIPT", "KILL"]).unwrap().text(), "OK");
    assert!(script.read().unwrap().text().contains("Script killed by user"));
    wait_for("the replica has all", LATER, || replica.ask(&["DBSIZE"]) == "100");
    assert!(replica.ask(&["INFO", "stats"]).contains("unexpected_error_replies:0"));
}

#[test]
fn a_server_with_a_stuck_script_can_be_ended_although_its_first_aof_is_being_written() {
    let root = tempfile::tempdir().unwrap();
    let lines = ["save \"\"", "busy-reply-threshold 10", "rdb-key-save-delay 10000000"];
    let mut node = Node::server(root.path(), &lines);
    let connect = |node: &Node| Client::with_patience(node.port, SOON).unwrap();
    let (mut script, mut free) = (connect(&node), connect(&node));
    (0..20).for_each(|n| assert_eq!(free.call(&["SET", &format!("k{n}"), "v"]).unwrap().text(), "OK"));
    assert_eq!(free.call(&["CONFIG", "SET", "appendonly", "yes"]).unwrap().text(), "OK");
    assert_eq!(node.info("persistence", "aof_rewrite_in_progress"), "1");
    assert!(free.call(&["SHUTDOWN", "NOSAVE"]).unwrap().text().starts_with("ERR Errors trying to SHUTDOWN"));
    script.send(&["EVAL", "redis.call('set', 'k', 'v') while true do end", "0"]).unwrap();
    wait_for("the server is busy", LATER, || free.call(&["PING"]).unwrap().text().starts_with("BUSY "));
    assert!(free.call(&["SCRIPT", "KILL"]).unwrap().text().starts_with("UNKILLABLE "));
    free.send(&["SHUTDOWN", "NOSAVE"]).unwrap();
    wait_for("the server is gone", LATER, || node.exit_code() == Some(0));
}

#[test]
fn who_asked_together_with_a_long_load_is_told_so() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("appendonlydir");
    std::fs::create_dir(&folder).unwrap();
    let script = "redis.call('set',KEYS[1],'y'); for i=1,300000 do redis.call('ping') end";
    let file = format!("*4\r\n$4\r\neval\r\n${}\r\n{script}\r\n$1\r\n1\r\n$1\r\nx\r\n", script.len());
    std::fs::write(folder.join("appendonly.aof.1.incr.aof"), file).unwrap();
    std::fs::write(folder.join("appendonly.aof.manifest"), "file appendonly.aof.1.incr.aof seq 1 type i\n").unwrap();
    let dir = format!("dir {}", root.path().display());
    let node =
        Node::server(root.path(), &["appendonly yes", "busy-reply-threshold 1", "enable-debug-command yes", &dir]);
    let (mut loader, mut other) = (node.client(), node.client());
    wait_for("the start is over", LATER, || other.call(&["PING"]).unwrap().text() == "PONG");
    assert_eq!(loader.call(&["PING"]).unwrap().text(), "PONG");
    node.stop();
    loader.send(&["DEBUG", "LOADAOF"]).unwrap();
    other.send(&["PING"]).unwrap();
    node.signal("CONT");
    let answer = other.read().unwrap().text();
    assert!(answer.starts_with("LOADING "), "{answer}");
    assert_eq!(loader.read().unwrap().text(), "OK");
    assert_eq!(other.call(&["GET", "x"]).unwrap().text(), "y");
}

/// A client of the debugger, while others are told that the server is busy.
#[test]
fn a_script_is_debugged_step_by_step() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\""]);
    let ask = |client: &mut Client, words: &[&str]| client.call(words).unwrap().text();
    let mut client = node.client();
    assert_eq!(ask(&mut client, &["SCRIPT", "DEBUG", "SYNC"]), "OK");
    let code = "local x = redis.call('SET', KEYS[1], 'v')\nlocal y = 2\nreturn y";
    let stopped = ask(&mut client, &["EVAL", code, "1", "k"]);
    assert_eq!(stopped, "* Stopped at 1, stop reason = step over -> 1   local x = redis.call('SET', KEYS[1], 'v')");
    wait_for("others are told", LATER, || node.ask(&["GET", "k"]).starts_with("BUSY"));
    let stopped = ask(&mut client, &["step"]);
    let parts = ["<redis> SET k v", "<reply> \"+OK\"", "Stopped at 2"];
    assert!(parts.iter().all(|part| stopped.contains(part)), "{stopped}");
    assert_eq!(ask(&mut client, &["print", "x"]), "<value> {[\"ok\"]=\"OK\"}");
    assert_eq!(ask(&mut client, &["continue"]), "<endsession>");
    assert_eq!(client.read().unwrap(), Reply::Int(2));
    assert!(client.read().is_err(), "the end of the connection is the end of the session");
    assert_eq!(node.ask(&["GET", "k"]), "v");
    // A script whose client goes away runs to its end.
    let mut client = node.client();
    assert_eq!(ask(&mut client, &["SCRIPT", "DEBUG", "SYNC"]), "OK");
    ask(&mut client, &["EVAL", code, "1", "other"]);
    drop(client);
    wait_for("the script ends", LATER, || node.ask(&["GET", "other"]) == "v");
    let mut client = node.client();
    assert!(ask(&mut client, &["SCRIPT", "DEBUG", "YES"]).contains("SYNC only"));
    assert_eq!(ask(&mut client, &["SCRIPT", "DEBUG", "SYNC"]), "OK");
    assert_eq!(ask(&mut client, &["SCRIPT", "DEBUG", "NO"]), "OK");
    assert_eq!(ask(&mut client, &["EVAL", "return 1", "0"]), "1");
}
