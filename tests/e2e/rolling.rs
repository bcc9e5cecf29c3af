//! A stock deployment becomes one of ours, one process at a time, and a stock one again, while a client writes.
//!
//! Nothing but the program changes: each process is started again from the files of its predecessor. What is a master is
//! handed over first (`SENTINEL FAILOVER` at a Sentinel of ours, which pauses the master until its replica has everything).
//! The client follows the Sentinels; at the end every write that was acknowledged is there, on every server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::client::Client;
use super::node::{LATER, Node, OURS, free_port, stock, wait_for};

const SERVERS: usize = 3;

struct Deployment {
    servers: Vec<Node>,
    sentinels: Vec<Node>,
}

impl Deployment {
    fn start(root: &Path, program: &Path) -> Deployment {
        let master = free_port();
        let conf = ["save 900 1", "repl-diskless-sync-delay 0"];
        let replicaof = format!("replicaof 127.0.0.1 {master}");
        let server = |index| {
            let (port, mut lines) = (if index == 0 { master } else { free_port() }, conf.to_vec());
            if index > 0 {
                lines.push(&replicaof);
            }
            Node::start(root, program, port, "redis.conf", &lines, &[])
        };
        let servers = (0..SERVERS).map(server).collect();
        let monitor = format!("sentinel monitor mymaster 127.0.0.1 {master} 2");
        let conf = [
            "# a line of the administrator",
            &monitor,
            "sentinel down-after-milliseconds mymaster 5000",
            "sentinel failover-timeout mymaster 10000",
        ];
        let sentinel = |_| Node::start(root, program, free_port(), "sentinel.conf", &conf, &["--sentinel"]);
        let deployment = Deployment { servers, sentinels: (0..SERVERS).map(sentinel).collect() };
        deployment.wait_whole();
        deployment
    }

    /// Everybody knows everybody, all links are up, and all Sentinels say so.
    fn wait_whole(&self) {
        wait_for("the deployment is whole", LATER, || {
            let up = |node: &&Node| node.info("replication", "master_link_status") == "up";
            self.servers.iter().filter(up).count() == SERVERS - 1
                && self.sentinels.iter().all(|sentinel| {
                    let text = sentinel.ask(&["INFO", "sentinel"]);
                    let others = sentinel.ask(&["SENTINEL", "SENTINELS", "mymaster"]);
                    text.contains("status=ok")
                        && text.contains("slaves=2,sentinels=3")
                        && !others.contains("s_down")
                        && !others.contains("disconnected")
                })
        });
    }

    fn master(&self) -> u16 {
        self.sentinels.iter().find_map(master_of).expect("a Sentinel answers")
    }

    fn replace_sentinels(&mut self, program: &Path) {
        for index in 0..SERVERS {
            let id = self.sentinels[index].ask(&["SENTINEL", "MYID"]);
            self.sentinels[index].replace(program);
            self.wait_whole();
            let sentinel = &self.sentinels[index];
            assert_eq!(sentinel.ask(&["SENTINEL", "MYID"]), id);
            assert!(sentinel.ask(&["SENTINEL", "CKQUORUM", "mymaster"]).starts_with("OK 3 usable"));
            assert!(sentinel.conf().contains("# a line of the administrator"));
        }
    }

    /// Replicas first; the master is handed over before its turn comes.
    fn replace_servers(&mut self, program: &Path) {
        let mut left: BTreeSet<u16> = self.servers.iter().map(|server| server.port).collect();
        while let Some(port) = left.iter().copied().find(|port| *port != self.master() || left.len() == 1) {
            if port == self.master() {
                self.hand_over(port);
            }
            let server = self.servers.iter_mut().find(|server| server.port == port).expect("one of them");
            server.replace(program);
            self.wait_whole();
            left.remove(&port);
        }
    }

    fn hand_over(&self, old: u16) {
        wait_for("the failover begins", LATER, || {
            // A replica that has just started has not been heard for long enough, perhaps.
            self.sentinels[0].ask(&["SENTINEL", "FAILOVER", "mymaster"]) == "OK"
        });
        wait_for("another master", LATER, || self.sentinels.iter().all(|s| master_of(s).is_some_and(|new| new != old)));
        self.wait_whole();
    }
}

fn master_of(sentinel: &Node) -> Option<u16> {
    sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]).split(' ').nth(1)?.parse().ok()
}

/// Adds numbers one after the other at whoever the Sentinels say is the master; gives those that were acknowledged.
fn writer(name: String, sentinels: Vec<u16>, stop: Arc<AtomicBool>) -> JoinHandle<Vec<u64>> {
    let find = move || {
        let ask = |port: &u16| {
            let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"];
            let mut client = Client::with_patience(*port, Duration::from_millis(300)).ok()?;
            client.call(&words).ok()?.items().get(1)?.text().parse::<u16>().ok()
        };
        let port = sentinels.iter().find_map(ask)?;
        let mut client = Client::with_patience(port, Duration::from_millis(2000)).ok()?;
        client.call(&["ROLE"]).ok()?.text().starts_with("master").then_some(client)
    };
    std::thread::spawn(move || {
        let (mut acknowledged, mut client) = (Vec::new(), None);
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if client.is_none() {
                client = find();
            }
            let reply =
                client.as_mut().map(|client: &mut Client| client.call(&["SET", &format!("{name}:{number}"), "x"]));
            match reply {
                Some(Ok(reply)) if !reply.is_error() => acknowledged.push(number),
                _ => {
                    client = None;
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        acknowledged
    })
}

#[test]
fn a_stock_deployment_becomes_ours_and_stock_again_without_losing_a_write() {
    let (Some(server), Some(sentinel)) = (stock("redis-server"), stock("redis-sentinel")) else { return };
    let (root, ours) = (tempfile::tempdir().unwrap(), PathBuf::from(OURS));
    let mut deployment = Deployment::start(root.path(), &server);
    let stop = Arc::new(AtomicBool::new(false));
    let ports: Vec<u16> = deployment.sentinels.iter().map(|sentinel| sentinel.port).collect();
    let writers: Vec<_> = (0..3).map(|n| (n, writer(format!("w{n}"), ports.clone(), Arc::clone(&stop)))).collect();

    deployment.replace_sentinels(&ours);
    deployment.replace_servers(&ours);
    assert!(deployment.servers.iter().all(|server| !server.info("server", "rredis_version").is_empty()));
    // And back. The servers first, so that it is Sentinels of ours that hand over.
    deployment.replace_servers(&server);
    deployment.replace_sentinels(&sentinel);
    assert!(deployment.servers.iter().all(|server| server.info("server", "rredis_version").is_empty()));

    stop.store(true, Ordering::Relaxed);
    for (n, writer) in writers {
        let acknowledged = writer.join().unwrap();
        assert!(acknowledged.len() > 500, "only {} writes", acknowledged.len());
        for server in &deployment.servers {
            let mut client = server.client();
            let has = |client: &mut Client, number: &u64| {
                client.call(&["EXISTS", &format!("w{n}:{number}")]).unwrap().text() == "1"
            };
            wait_for("the last write is everywhere", LATER, || has(&mut client, acknowledged.last().unwrap()));
            let lost: Vec<&u64> = acknowledged.iter().filter(|number| !has(&mut client, number)).collect();
            assert!(lost.is_empty(), "{} of {} writes are missing: {lost:?}", lost.len(), acknowledged.len());
        }
    }
}
