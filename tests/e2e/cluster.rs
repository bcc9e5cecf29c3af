//! `make run`: the cluster that a newcomer meets first.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

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

/// A cluster that has said how to reach it.
struct Cluster {
    script: Child,
    reader: JoinHandle<usize>,
    /// What it said.
    said: String,
    port: u16,
    sentinel: u16,
}

impl Cluster {
    /// `shell` is what comes before the script in a shell.
    fn start(root: &Path, shell: &str) -> Cluster {
        let (port, sentinel) = (three_ports(), three_ports());
        let path = format!("{}/scripts/run-cluster.sh", env!("CARGO_MANIFEST_DIR"));
        let mut script = Command::new("bash")
            .args(["-c", &format!("{shell} exec bash \"$0\" \"$1\""), &path, OURS])
            .env("PORT", port.to_string())
            .env("SENTINEL_PORT", sentinel.to_string())
            .env("RUN_DIR", root.join("run"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains("The logs follow") {
            let line = lines.next().expect("the topology is printed").unwrap();
            said.push_str(&line);
            said.push('\n');
        }
        // Somebody must read the logs, or the pipe fills.
        let reader = std::thread::spawn(move || lines.map_while(Result::ok).count());
        Cluster { script, reader, said, port, sentinel }
    }

    /// The signal ends the script and everything it started.
    fn stop(mut self, signal: &str) {
        Command::new("kill").args([&format!("-{signal}"), &self.script.id().to_string()]).status().unwrap();
        let mut status = None;
        wait_for(&format!("the script ends by {signal}"), LATER, || {
            status = self.script.try_wait().unwrap();
            status.is_some()
        });
        assert!(status.unwrap().success());
        self.reader.join().unwrap();
        for port in [self.port, self.sentinel].into_iter().flat_map(|first| first..first + 3) {
            assert!(Client::connect(port).is_err(), "something still listens on {port}");
        }
    }
}

#[test]
fn a_newcomer_sees_a_topology_a_failover_and_nothing_left_behind() {
    let root = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(root.path(), "");
    let Cluster { said, port, sentinel, .. } = &cluster;
    let (port, sentinel) = (*port, *sentinel);
    assert!(said.contains(&format!("master    127.0.0.1:{port}")), "{said}");
    assert!(said.contains("sentinel get-master-addr-by-name mymaster"), "{said}");

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

    cluster.stop("INT");
    assert!(again.wait().is_ok());
}

/// A shell without job control starts background jobs with SIGINT ignored, and nobody presses Ctrl-C there.
#[test]
fn a_cluster_in_the_background_ends_by_either_signal() {
    for signal in ["TERM", "INT"] {
        let root = tempfile::tempdir().unwrap();
        Cluster::start(root.path(), "trap '' INT;").stop(signal);
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
