//! `make run`: the cluster that a newcomer meets first.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::client::Client;
use super::node::{LATER, OURS, free_port, wait_for};

fn call(port: u16, words: &[&str]) -> String {
    match Client::connect(port).and_then(|mut client| client.call(words)) {
        Ok(reply) => reply.text(),
        Err(error) => error.to_string(),
    }
}

/// Three ports in a row that nobody listens on.
fn three_ports() -> u16 {
    loop {
        let first = free_port();
        if (first + 1..first + 3).all(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            free_port();
            free_port();
            return first;
        }
    }
}

#[test]
fn a_newcomer_sees_a_topology_a_failover_and_nothing_left_behind() {
    let root = tempfile::tempdir().unwrap();
    let (port, sentinel) = (three_ports(), three_ports());
    let script = format!("{}/scripts/run-cluster.sh", env!("CARGO_MANIFEST_DIR"));
    let mut make = Command::new("bash")
        .args([&script, OURS])
        .env("PORT", port.to_string())
        .env("SENTINEL_PORT", sentinel.to_string())
        .env("RUN_DIR", root.path().join("run"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(make.stdout.take().unwrap()).lines();
    let mut seen = String::new();
    while !seen.contains("The logs follow") {
        let line = lines.next().expect("the topology is printed").unwrap();
        seen.push_str(&line);
        seen.push('\n');
    }
    assert!(seen.contains(&format!("master    127.0.0.1:{port}")), "{seen}");
    assert!(seen.contains("sentinel get-master-addr-by-name mymaster"), "{seen}");
    // Somebody must read the logs, or the pipe fills.
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).count());

    let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"];
    assert_eq!(call(sentinel, &ask), format!("127.0.0.1 {port}"));
    let pid = std::fs::read_to_string(root.path().join(format!("run/{port}/pid"))).unwrap();
    Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap();
    wait_for("another master is chosen", LATER, || {
        let answer = call(sentinel, &ask);
        answer.starts_with("127.0.0.1 ") && answer != format!("127.0.0.1 {port}")
    });
    let new: u16 = call(sentinel, &ask).split(' ').nth(1).unwrap().parse().unwrap();
    wait_for("it takes writes", LATER, || call(new, &["SET", "k", "v"]) == "OK");
    let conf = root.path().join(format!("run/{port}/redis.conf"));
    let mut again = Command::new(OURS).arg(&conf).stdout(Stdio::null()).spawn().unwrap();
    wait_for("the old master is a replica", LATER, || call(port, &["ROLE"]).starts_with("slave 127.0.0.1 "));

    Command::new("kill").args(["-INT", &make.id().to_string()]).status().unwrap();
    assert!(make.wait().unwrap().success());
    assert!(again.wait().is_ok());
    reader.join().unwrap();
    for port in [port, port + 1, port + 2, sentinel, sentinel + 1, sentinel + 2] {
        assert!(Client::connect(port).is_err(), "something still listens on {port}");
    }
}

#[test]
fn a_taken_port_is_named_before_anything_starts() {
    let port = three_ports();
    let taken = std::net::TcpListener::bind(("127.0.0.1", port + 1)).unwrap();
    let script = format!("{}/scripts/run-cluster.sh", env!("CARGO_MANIFEST_DIR"));
    let root = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .args([&script, OURS])
        .env("PORT", port.to_string())
        .env("SENTINEL_PORT", three_ports().to_string())
        .env("RUN_DIR", root.path().join("run"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains(&format!("port {} is taken", port + 1)), "{text}");
    drop(taken);
}
