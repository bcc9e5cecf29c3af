//! One server alone: starting, refusing to start, limits, leaving.

use std::time::Duration;

use super::client::{Client, Reply};
use super::node::{Node, OURS, SOON, free_port, wait_for};

#[test]
fn data_survive_a_restart_by_save_and_by_sigterm() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &["save 3600 1"]);
    assert_eq!(node.call(&["SET", "k", "v"]).text(), "OK");
    assert_eq!(node.call(&["SET", "ttl", "v", "EX", "1000"]).text(), "OK");
    node.signal("TERM");
    node.wait_gone();
    assert!(node.log().contains("ready to exit, bye bye"), "{}", node.log());
    node.start_again();
    assert_eq!(node.call(&["GET", "k"]).text(), "v");
    assert!((1..=1000).contains(&node.call(&["TTL", "ttl"]).text().parse::<i64>().unwrap()));
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let root = tempfile::tempdir().unwrap();
    let first = Node::server(root.path(), &[]);
    let output = std::process::Command::new(OURS)
        .args(["--port", &first.port.to_string(), "--bind", "127.0.0.1"])
        .current_dir(root.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("Address already in use") && text.contains("Failed listening on port"), "{text}");
}

#[test]
fn a_misspelt_directive_stops_the_start_and_names_the_right_one() {
    let root = tempfile::tempdir().unwrap();
    let conf = root.path().join("redis.conf");
    std::fs::write(&conf, "port 0\nmaxmemori 100\n").unwrap();
    let output = std::process::Command::new(OURS).arg(&conf).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("FATAL CONFIG FILE ERROR") && text.contains("at line 2") && text.contains("maxmemori 100"),
        "{text}"
    );
    assert!(text.contains("maxmemory"), "{text}");
}

#[test]
fn limits_on_clients_and_requests_hold() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["maxclients 5", "proto-max-bulk-len 1mb"]);
    // The connections that found the server ready may be on their way out still.
    let mut held: Vec<Client> = Vec::new();
    wait_for("five clients are in", SOON, || {
        let mut client = node.client();
        if client.call(&["PING"]).is_ok_and(|reply| reply.text() == "PONG") {
            held.push(client);
        }
        held.len() == 5
    });
    let mut sixth = node.client();
    assert_eq!(sixth.read().unwrap(), Reply::Error("ERR max number of clients reached".into()));
    held[0].send_raw(b"*2\r\n$3\r\nGET\r\n$2000000\r\n").unwrap();
    assert!(held[0].read().unwrap().text().contains("Protocol error: invalid bulk length"));
    held[1].send_raw(b"*-7\r\n*0\r\nPING\r\n").unwrap();
    assert_eq!(held[1].read().unwrap().text(), "PONG");
}

#[test]
fn a_paused_client_goes_on_where_it_was() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &[]);
    let mut admin = node.client();
    assert_eq!(admin.call(&["CLIENT", "PAUSE", "60000", "WRITE"]).unwrap().text(), "OK");
    let mut writer = node.client();
    for n in 0..3 {
        writer.send(&["SET", "n", &n.to_string()]).unwrap();
    }
    writer.send(&["GET", "n"]).unwrap();
    assert_eq!(node.call(&["GET", "n"]), Reply::Null);
    assert_eq!(admin.call(&["CLIENT", "UNPAUSE"]).unwrap().text(), "OK");
    let replies: Vec<String> = (0..4).map(|_| writer.read().unwrap().text()).collect();
    assert_eq!(replies, ["OK", "OK", "OK", "2"]);
}

#[test]
fn a_corrupt_dump_file_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let dump = root.path().join("dump.rdb");
    let torn = b"REDIS0010\xfe\x00\x00\x01k\x05v";
    std::fs::write(&dump, torn).unwrap();
    let port = free_port().to_string();
    let output = std::process::Command::new(OURS)
        .args(["--port", &port, "--bind", "127.0.0.1", "--dir", &root.path().display().to_string()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(std::fs::read(&dump).unwrap(), torn);
}

#[test]
fn subscribers_hear_what_is_published_and_notifications() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["notify-keyspace-events KEA"]);
    let mut listener = node.client();
    listener.call(&["PSUBSCRIBE", "*"]).unwrap();
    node.call(&["SET", "k", "v", "PX", "50"]);
    let heard: Vec<String> = (0..4).map(|_| listener.read().unwrap().text()).collect();
    assert_eq!(
        heard,
        [
            "pmessage * __keyspace@0__:k set",
            "pmessage * __keyevent@0__:set k",
            "pmessage * __keyspace@0__:k expire",
            "pmessage * __keyevent@0__:expire k",
        ]
    );
    // The key is removed by the active cycle; nobody asks for it.
    assert_eq!(listener.read().unwrap().text(), "pmessage * __keyspace@0__:k expired");
    wait_for("the key is gone", SOON, || node.call(&["DBSIZE"]).text() == "0");
}

#[test]
fn an_impatient_client_is_answered_while_many_keys_expire() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &[]);
    let mut client = node.client();
    for batch in 0..50 {
        for key in 0..1000 {
            client.send(&["SET", &format!("k:{batch}:{key}"), "v", "PX", "300"]).unwrap();
        }
        for _ in 0..1000 {
            client.read().unwrap();
        }
    }
    wait_for("all keys are gone by themselves", Duration::from_secs(20), || node.call(&["DBSIZE"]).text() == "0");
    assert_eq!(node.info("stats", "expired_keys"), "50000");
}

/// A shutdown asked for by a signal belongs to the recurring work. While DEBUG PAUSE-CRON holds that back it can be aborted.
#[test]
fn a_sigterm_under_pause_cron_waits_and_can_be_aborted() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &["enable-debug-command yes"]);
    let received = |node: &Node| node.log().matches("Received SIGTERM").count();
    assert!(node.ask(&["SHUTDOWN", "ABORT"]).contains("No shutdown in progress"));
    assert_eq!(node.ask(&["DEBUG", "PAUSE-CRON", "1"]), "OK");
    node.signal("TERM");
    wait_for("the signal arrives", SOON, || received(&node) == 1);
    assert_eq!(node.ask(&["SHUTDOWN", "ABORT"]), "OK");
    assert!(node.log().contains("Shutdown manually aborted"), "{}", node.log());
    assert_eq!(node.ask(&["DEBUG", "PAUSE-CRON", "0"]), "OK");
    assert_eq!(node.ask(&["PING"]), "PONG");
    assert_eq!(node.ask(&["DEBUG", "PAUSE-CRON", "1"]), "OK");
    node.signal("TERM");
    wait_for("the signal arrives", SOON, || received(&node) == 2);
    assert_eq!(node.ask(&["DEBUG", "PAUSE-CRON", "0"]), "OK");
    node.wait_gone();
}

/// A crash leaves its reason and a stack trace in the log, and ends the process by the signal.
#[test]
fn a_crash_is_in_the_log_with_a_stack_trace() {
    use std::os::unix::process::ExitStatusExt;
    let root = tempfile::tempdir().unwrap();
    for (how, signal, word) in
        [("SEGFAULT", 11, "SIGSEGV"), ("PANIC", 0, "DEBUG PANIC asked for it"), ("", 6, "SIGABRT")]
    {
        let folder = root.path().join(format!("crash-{signal}"));
        std::fs::create_dir(&folder).unwrap();
        let port = free_port();
        let mut server = std::process::Command::new(OURS);
        server.args(["--port", &port.to_string(), "--logfile", "log", "--enable-debug-command", "yes", "--save", ""]);
        let mut child = server.current_dir(&folder).stderr(std::process::Stdio::null()).spawn().unwrap();
        wait_for("it answers", SOON, || super::client::Client::connect(port).is_ok());
        if how.is_empty() {
            std::process::Command::new("kill").args(["-ABRT", &child.id().to_string()]).status().unwrap();
        } else {
            let _ = super::client::Client::connect(port).unwrap().call(&["DEBUG", how]);
        }
        let status = child.wait().unwrap();
        assert!(signal == 0 || status.signal() == Some(signal), "{how}: {status}");
        let log = std::fs::read_to_string(folder.join("log")).unwrap();
        for part in [word, "------ STACK TRACE ------", "BUG REPORT ENDS"] {
            assert!(log.contains(part), "{how}: {part} is not in the log: {log}");
        }
        assert_eq!(log.matches("BUG REPORT BEGINS").count(), 1, "{how}");
    }
}

#[test]
fn crash_reports_can_be_switched_off() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::server(root.path(), &["crash-log-enabled yes"]);
    assert_eq!(node.ask(&["CONFIG", "SET", "crash-log-enabled", "no"]), "OK");
    node.signal("SEGV");
    node.wait_gone();
    assert!(!node.log().contains("BUG REPORT"), "{}", node.log());
}

/// Requests that wait together are executed in the order in which they came, whoever sent them and whatever they are.
#[test]
fn a_crowd_is_served_in_the_order_in_which_it_spoke() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &[]);
    let (mut clients, mut last): (Vec<_>, _) = ((0..60).map(|_| node.client()).collect(), node.client());
    for number in (2..60).step_by(3) {
        assert_eq!(clients[number].call(&["WATCH", "watched"]).unwrap().text(), "OK");
        assert_eq!(clients[number].call(&["MULTI"]).unwrap().text(), "OK");
        assert_eq!(clients[number].call(&["RPUSH", "order", &number.to_string()]).unwrap().text(), "QUEUED");
    }
    node.stop();
    for (number, client) in clients.iter_mut().enumerate() {
        let text = number.to_string();
        match number % 3 {
            0 => client.send(&["RPUSH", "order", &text]).unwrap(),
            1 => client.send(&["EVAL", "return redis.call('rpush', KEYS[1], ARGV[1])", "1", "order", &text]).unwrap(),
            _ => client.send(&["EXEC"]).unwrap(),
        }
    }
    // Comes last, and so disturbs no transaction.
    last.send(&["SET", "watched", "touched"]).unwrap();
    node.signal("CONT");
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.read().unwrap().text(), (number + 1).to_string(), "client {number}");
    }
    let order: Vec<String> =
        node.call(&["LRANGE", "order", "0", "-1"]).items().iter().map(|item| item.text()).collect();
    assert_eq!(order, (0..60).map(|number| number.to_string()).collect::<Vec<_>>());
}
