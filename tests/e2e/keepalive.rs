//! `tcp-keepalive`: the system itself looks after peers that say nothing. Its timers stand in /proc/net/tcp, one line a socket:
//!
//! ```text
//!   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//!  545: 0100007F:8940 0100007F:E67F 01 00000000:00000000 02:00001E14 00000000     0        0 2400399 …
//!       address:port               | established         | keepalive, in 0x1E14 hundredths of a second
//! ```

use std::fs;

use super::node::{LATER, Node, OURS, wait_for};
use super::watched::{BARE, Watched};

/// The keepalive timers, in seconds, of the established connections of a process; `None` where there is none.
fn timers(node: &Node) -> Vec<Option<u64>> {
    let open = fs::read_dir(format!("/proc/{}/fd", node.pid())).expect("the process runs");
    let inodes: Vec<String> = open
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|path| Some(path.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").expect("a Linux system");
    let sockets = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let own = sockets.filter(|words| words.len() > 9 && words[3] == "01" && inodes.iter().any(|own| own == words[9]));
    own.map(|words| {
        let hundredths = words[5].strip_prefix("02:")?;
        Some(u64::from_str_radix(hundredths, 16).expect("a number") / 100)
    })
    .collect()
}

/// So many connections, all of them watched, and none asked later than in `seconds`. While a segment has not been confirmed,
/// its timer stands in the place of the other; so this is waited for.
fn wait_watched(node: &Node, at_least: usize, seconds: u64) {
    let mut last = Vec::new();
    wait_for(&format!("{at_least} connections with a keepalive of {seconds} seconds"), LATER, || {
        last = timers(node);
        let is_right = |timer: &Option<u64>| timer.is_some_and(|left| (seconds / 2..=seconds).contains(&left));
        last.len() >= at_least && last.iter().all(is_right)
    });
}

#[test]
fn every_connection_is_watched_and_none_when_that_is_not_wanted() {
    let root = tempfile::tempdir().unwrap();
    let monitor = "sentinel monitor mymaster 127.0.0.1 MASTER 1";
    let servers: [&[&str]; 2] = [&["tcp-keepalive 777"], &["tcp-keepalive 555", "replicaof 127.0.0.1 MASTER"]];
    let group = Watched::start(root.path(), &servers, 0, &[]);
    let (master, replica) = (&group.servers[0], &group.servers[1]);
    wait_for("the link", LATER, || replica.info("replication", "master_link_status") == "up");
    let mut client = master.client();
    client.call(&["PING"]).unwrap();
    // A client and a replica; and the other end of that link.
    wait_watched(master, 2, 777);
    wait_watched(replica, 1, 555);

    let line = monitor.replace("MASTER", &master.port.to_string());
    let sentinel = Node::sentinel(root.path(), &[&line, "tcp-keepalive 333"]);
    let mut asker = sentinel.client();
    asker.call(&["PING"]).unwrap();
    // It sends to its servers all the time, as in Redis; who asks it may be silent for hours.
    wait_for("the asker is watched", LATER, || {
        timers(&sentinel).iter().flatten().any(|left| *left <= 333 && *left > 150)
    });
    wait_for("two connections from the Sentinel", LATER, || {
        master.info("clients", "connected_clients").as_str() >= "3"
    });
    wait_watched(master, 4, 777);

    assert_eq!(client.call(&["CONFIG", "SET", "tcp-keepalive", "0"]).unwrap().text(), "OK");
    let mut unwatched = master.client();
    unwatched.call(&["PING"]).unwrap();
    wait_for("a new client is not watched", LATER, || timers(master).contains(&None));
    let bare = Node::start(root.path(), std::path::Path::new(OURS), super::node::free_port(), "redis.conf", &BARE, &[]);
    let mut client = bare.client();
    client.call(&["PING"]).unwrap();
    wait_watched(&bare, 1, 300);
}
