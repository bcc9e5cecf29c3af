//! A group that fails over under a client that follows the Sentinels, alone and next to stock servers and Sentinels.

use std::path::Path;
use std::time::{Duration, Instant};

use super::client::Client;
use super::node::{LATER, Node, OURS, free_port, stock, wait_for};

/// One master, two replicas, three Sentinels; each may be another program.
struct Group {
    data: Vec<Node>,
    sentinels: Vec<Node>,
}

impl Group {
    fn start(root: &Path, data: [&Path; 3], sentinels: [&Path; 3]) -> Group {
        let master_port = free_port();
        let conf = [
            "save \"\"",
            "requirepass \"\"",
            "protected-mode yes",
            "repl-diskless-sync-delay 0",
            "daemonize yes",
            "pidfile pid",
        ];
        let replicaof = format!("replicaof 127.0.0.1 {master_port}");
        let data = data
            .iter()
            .enumerate()
            .map(|(index, program)| {
                let mut lines = conf.to_vec();
                let port = if index == 0 { master_port } else { free_port() };
                if index > 0 {
                    lines.push(&replicaof);
                }
                Node::start(root, program, port, "redis.conf", &lines, &[])
            })
            .collect();
        let monitor = format!("sentinel monitor mymaster 127.0.0.1 {master_port} 2");
        // A stock Sentinel may leave a new master undialled for a second and then call it down; with a second of
        // down-after two of them sometimes replace a healthy master.
        let has_stock = sentinels.iter().any(|program| *program != Path::new(OURS));
        let down_after = match has_stock {
            true => "sentinel down-after-milliseconds mymaster 3000",
            false => "sentinel down-after-milliseconds mymaster 1000",
        };
        let conf = [
            &*monitor,
            down_after,
            "sentinel failover-timeout mymaster 10000",
            "protected-mode yes",
            "daemonize yes",
            "pidfile pid",
        ];
        let sentinels = sentinels
            .iter()
            .map(|program| Node::start(root, program, free_port(), "sentinel.conf", &conf, &["--sentinel"]))
            .collect();
        let group = Group { data, sentinels };
        group.wait_complete();
        group
    }

    fn wait_complete(&self) {
        wait_for("every Sentinel knows two replicas and two others", LATER, || {
            self.sentinels.iter().all(|s| {
                s.ask(&["INFO", "sentinel"]).contains("status=ok") && {
                    s.ask(&["INFO", "sentinel"]).contains("slaves=2,sentinels=3")
                }
            })
        });
        wait_for("both replicas are in sync", LATER, || {
            self.data.iter().filter(|node| node.info("replication", "master_link_status") == "up").count() == 2
        });
        wait_for("the Sentinels have heard both replicas", LATER, || {
            self.sentinels
                .iter()
                .all(|s| s.ask(&["SENTINEL", "REPLICAS", "mymaster"]).matches("master-link-status ok").count() == 2)
        });
    }

    /// The master's port as Sentinel `index` tells it.
    fn master(&self, index: usize) -> u16 {
        let reply = self.sentinels[index].ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]);
        reply.split(' ').nth(1).and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    fn node(&mut self, port: u16) -> &mut Node {
        self.data.iter_mut().find(|node| node.port == port).expect("a node of the group")
    }

    /// Kills the master and writes until a new one takes it; then brings the old one back.
    fn fail_over(&mut self) {
        let old = self.master(0);
        let mut client = Client::connect(old).unwrap();
        for db in ["0", "3"] {
            client.call(&["SELECT", db]).unwrap();
            assert_eq!(client.call(&["SET", "written", db]).unwrap().text(), "OK");
            assert_eq!(client.call(&["WAIT", "2", "5000"]).unwrap().text(), "2");
        }
        self.node(old).kill();
        let started = Instant::now();
        let mut acknowledged = 0;
        while acknowledged < 20 {
            assert!(started.elapsed() < LATER, "no master takes writes");
            let port = self.master(1);
            let write = Client::with_patience(port, Duration::from_millis(500)).and_then(|mut client| {
                client.call(&["SELECT", "3"])?;
                client.call(&["INCR", "counter"])
            });
            match write {
                Ok(reply) if !reply.is_error() => acknowledged += 1,
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        wait_for("all Sentinels agree", LATER, || {
            let ports = [self.master(0), self.master(1), self.master(2)];
            ports.iter().all(|port| *port == ports[0] && *port != old)
        });
        let new = self.master(0);
        let mut client = Client::connect(new).unwrap();
        for db in ["0", "3"] {
            client.call(&["SELECT", db]).unwrap();
            assert_eq!(client.call(&["GET", "written"]).unwrap().text(), db);
        }
        assert_eq!(client.call(&["GET", "counter"]).unwrap().text(), "20");

        self.node(old).start_again();
        wait_for("the old master follows the new one", LATER, || {
            let node = self.data.iter().find(|node| node.port == old).unwrap();
            node.info("replication", "role") == "slave"
                && node.info("replication", "master_port") == new.to_string()
                && node.info("replication", "master_link_status") == "up"
        });
        for node in &self.data {
            let mut client = node.client();
            client.call(&["SELECT", "3"]).unwrap();
            wait_for("every node has every write", LATER, || client.call(&["GET", "counter"]).unwrap().text() == "20");
        }
        client.call(&["DEL", "counter"]).unwrap();
    }
}

#[test]
fn three_of_ours_fail_over_with_daemons_and_two_databases() {
    let root = tempfile::tempdir().unwrap();
    let ours = Path::new(OURS);
    let mut group = Group::start(root.path(), [ours; 3], [ours; 3]);
    group.fail_over();
    group.wait_complete();
    group.fail_over();
}

#[test]
fn our_sentinels_fail_over_stock_servers() {
    let (Some(server), ours) = (stock("redis-server"), Path::new(OURS)) else { return };
    let root = tempfile::tempdir().unwrap();
    Group::start(root.path(), [&server; 3], [ours; 3]).fail_over();
}

#[test]
fn stock_sentinels_and_one_of_ours_fail_over_a_mixed_group() {
    let (Some(server), ours) = (stock("redis-server"), Path::new(OURS)) else { return };
    let root = tempfile::tempdir().unwrap();
    Group::start(root.path(), [ours, &server, ours], [&server, ours, &server]).fail_over();
}

#[test]
fn two_of_our_sentinels_and_a_stock_one_agree() {
    let (Some(server), ours) = (stock("redis-server"), Path::new(OURS)) else { return };
    let root = tempfile::tempdir().unwrap();
    Group::start(root.path(), [&server, ours, ours], [ours, &server, ours]).fail_over();
}

/// Over servers of ours, then over stock ones.
fn over_either(sentinels: [&Path; 3]) {
    let Some(server) = stock("redis-server") else { return };
    for program in [Path::new(OURS), &server] {
        let root = tempfile::tempdir().unwrap();
        Group::start(root.path(), [program; 3], sentinels).fail_over();
    }
}

#[test]
fn two_stock_sentinels_and_one_of_ours_fail_over_either_kind_of_server() {
    let (Some(server), ours) = (stock("redis-server"), Path::new(OURS)) else { return };
    over_either([&server, ours, &server]);
}

#[test]
fn one_stock_sentinel_and_two_of_ours_fail_over_either_kind_of_server() {
    let (Some(server), ours) = (stock("redis-server"), Path::new(OURS)) else { return };
    over_either([ours, &server, ours]);
}
