//! A group under Sentinels, all of them ours, with whatever lines a test wants in each configuration.

use std::path::Path;

use super::client::{Client, Reply};
use super::node::OURS;
use super::node::{LATER, Node, free_port, wait_for};

pub struct Watched {
    /// The first one began as the master.
    pub servers: Vec<Node>,
    pub sentinels: Vec<Node>,
}

/// Lines for everybody: no files, no waiting for more replicas.
pub const BARE: [&str; 2] = ["save \"\"", "repl-diskless-sync-delay 0"];

impl Watched {
    /// Starts a server for each of `servers`, the others as replicas of the first, and `count` Sentinels. In the lines of
    /// the Sentinels and replicas `MASTER` stands for the first one's port; the replicas need a line `replicaof`.
    pub fn start(root: &Path, servers: &[&[&str]], count: usize, sentinel: &[&str]) -> Watched {
        let master = free_port().to_string();
        let filled = |lines: &[&str]| lines.iter().map(|line| line.replace("MASTER", &master)).collect::<Vec<_>>();
        let start = |port: u16, file: &str, lines: &[&str], extra: &[&str]| {
            let lines = filled(lines);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            Node::start(root, Path::new(OURS), port, file, &lines, extra)
        };
        let servers = servers.iter().enumerate().map(|(index, lines)| {
            let port = if index == 0 { master.parse().expect("a port") } else { free_port() };
            start(port, "redis.conf", &[&BARE[..], lines].concat(), &[])
        });
        let servers = servers.collect();
        let sentinels = (0..count).map(|_| start(free_port(), "sentinel.conf", sentinel, &["--sentinel"])).collect();
        Watched { servers, sentinels }
    }

    /// Waits until every Sentinel knows so many replicas, all with their links up, and all other Sentinels.
    pub fn wait_complete(&self, replicas: usize) {
        let known = format!("slaves={replicas},sentinels={}", self.sentinels.len());
        wait_for("every Sentinel knows everybody", LATER, || {
            self.sentinels.iter().all(|sentinel| {
                let info = sentinel.ask(&["INFO", "sentinel"]);
                let listed = sentinel.ask(&["SENTINEL", "REPLICAS", "mymaster"]);
                info.contains("status=ok") && info.contains(&known) && {
                    listed.matches("master-link-status ok").count() == replicas && !listed.contains("disconnected")
                }
            })
        });
    }

    /// Waits until all Sentinels name the same master, another than `old`; its port.
    pub fn wait_switched(&self, old: u16) -> u16 {
        let mut port = old;
        wait_for("all Sentinels name another master", LATER, || {
            port = told(&self.sentinels[0], "mymaster").1;
            port != old && port != 0 && self.sentinels.iter().all(|s| told(s, "mymaster").1 == port)
        });
        port
    }

    pub fn server(&self, port: u16) -> &Node {
        self.servers.iter().find(|server| server.port == port).expect("a server of the group")
    }
}

/// Host and port of a master as a Sentinel tells them; none and 0 when it does not.
pub fn told(sentinel: &Node, master: &str) -> (String, u16) {
    let reply = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", master]);
    match reply.split_once(' ').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host.to_owned(), port),
        _ => (String::new(), 0),
    }
}

/// A field of each entry in a listing such as SENTINEL REPLICAS.
pub fn fields(listing: &Reply, name: &str) -> Vec<String> {
    let of = |entry: &Reply| {
        let items = entry.items();
        let at = items.chunks(2).find(|pair| pair[0].text() == name);
        at.map_or_else(|| "(none)".to_owned(), |pair| pair[1].text())
    };
    listing.items().iter().map(of).collect()
}

/// Whether this replica follows that master.
pub fn follows(replica: &Node, master: u16) -> bool {
    let info = replica.ask(&["INFO", "replication"]);
    info.contains("role:slave") && info.contains(&format!("master_port:{master}")) && info.contains("link_status:up")
}

/// A connection that has logged in.
pub fn logged_in(node: &Node, user: &str, password: &str) -> Client {
    let mut client = node.client();
    assert_eq!(client.call(&["AUTH", user, password]).expect("an answer").text(), "OK");
    client
}
