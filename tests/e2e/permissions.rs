//! Groups in which nobody may do more than he needs: a user for replicas, one for the Sentinels on the servers, one for the
//! Sentinels among themselves, with the rights that Redis documents; and commands that have other names.

use std::path::Path;

use super::node::{LATER, Node, OURS, free_port, wait_for};
use super::watched::{BARE, Watched, fields, follows, logged_in, told};

const SERVER: [&str; 6] = [
    "user default off",
    "user admin on >open ~* &* +@all",
    "user replica on >follow +psync +replconf +ping",
    "user watcher on >watch allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info \
     +client|setname +client|kill +script|kill",
    "masteruser replica",
    "masterauth follow",
];

const SENTINEL: [&str; 10] = [
    "user default off",
    "user admin on >open ~* &* +@all",
    "user peer on >secret &__sentinel__:hello +ping +publish +client|setname +sentinel|is-master-down-by-addr",
    "sentinel monitor mymaster 127.0.0.1 MASTER 2",
    "sentinel down-after-milliseconds mymaster 1000",
    "sentinel failover-timeout mymaster 10000",
    "sentinel auth-user mymaster watcher",
    "sentinel auth-pass mymaster watch",
    "sentinel sentinel-user peer",
    "sentinel sentinel-pass secret",
];

/// The answer; nothing when the connection is closed first, as those of clients are when a Sentinel gives a server its role.
fn ask(node: &Node, words: &[&str]) -> String {
    let mut client = node.client();
    client
        .call(&["AUTH", "admin", "open"])
        .and_then(|_| client.call(words))
        .map(|reply| reply.text())
        .unwrap_or_default()
}

fn master_of(sentinel: &Node) -> u16 {
    let answer = ask(sentinel, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]);
    answer.split(' ').nth(1).and_then(|port| port.parse().ok()).unwrap_or_default()
}

fn wait_complete(group: &Watched) {
    wait_for("every Sentinel knows everybody", LATER, || {
        group.sentinels.iter().all(|sentinel| {
            let listed = ask(sentinel, &["SENTINEL", "REPLICAS", "mymaster"]);
            ask(sentinel, &["INFO", "sentinel"]).contains("status=ok") && {
                ask(sentinel, &["INFO", "sentinel"]).contains("slaves=2,sentinels=3")
                    && listed.matches("master-link-status ok").count() == 2
            }
        })
    });
}

fn wait_switched(group: &Watched, old: u16) -> u16 {
    let mut new = old;
    wait_for("all Sentinels name another master", LATER, || {
        new = master_of(&group.sentinels[0]);
        new != old && group.sentinels.iter().all(|sentinel| master_of(sentinel) == new)
    });
    wait_for("the others follow", LATER, || {
        let mut others = group.servers.iter().filter(|server| server.port != new);
        others.all(|server| {
            let info = ask(server, &["INFO", "replication"]);
            info.contains(&format!("master_port:{new}")) && info.contains("master_link_status:up")
        })
    });
    new
}

#[test]
fn users_with_the_documented_rights_are_enough_for_failovers() {
    let root = tempfile::tempdir().unwrap();
    let replica = [&SERVER[..], &["replicaof 127.0.0.1 MASTER"]].concat();
    let mut group = Watched::start(root.path(), &[&SERVER, &replica, &replica], 3, &SENTINEL);
    wait_complete(&group);
    // Nobody gets in by the back door.
    for node in group.servers.iter().chain(&group.sentinels) {
        assert_eq!(node.ask(&["INFO"]), "NOAUTH Authentication required.");
    }
    let mut peer = logged_in(&group.sentinels[0], "peer", "secret");
    let refusal = peer.call(&["SENTINEL", "MASTERS"]).unwrap().text();
    assert_eq!(refusal, "NOPERM User peer has no permissions to run the 'sentinel|masters' command");

    let first = group.servers[0].port;
    assert_eq!(ask(&group.servers[0], &["SET", "k", "1"]), "OK");
    assert_eq!(ask(&group.sentinels[1], &["SENTINEL", "FAILOVER", "mymaster"]), "OK");
    let second = wait_switched(&group, first);
    wait_complete(&group);
    group.servers.iter_mut().find(|server| server.port == second).expect("one of them").kill();
    wait_for("another master", LATER, || {
        group.sentinels.iter().all(|sentinel| ![0, second].contains(&master_of(sentinel)))
    });
    group.servers.iter_mut().find(|server| server.port == second).expect("one of them").start_again();
    let third = wait_switched(&group, second);
    assert_eq!(ask(group.server(third), &["GET", "k"]), "1");
    // What the Sentinels did is on the disks of the servers: SLAVEOF and CONFIG REWRITE were allowed.
    assert!(group.server(second).conf().contains(&format!("replicaof 127.0.0.1 {third}")));
}

/// A wrong password shows as a master that is down, and a right one ends it.
#[test]
fn a_sentinel_with_a_wrong_password_sees_the_master_down_until_it_has_the_right_one() {
    let root = tempfile::tempdir().unwrap();
    let conf = [
        "sentinel monitor mymaster 127.0.0.1 MASTER 2",
        "sentinel down-after-milliseconds mymaster 500",
        "sentinel auth-user mymaster watcher",
        "sentinel auth-pass mymaster no",
    ];
    let group = Watched::start(root.path(), &[&SERVER], 1, &conf);
    let sentinel = &group.sentinels[0];
    let status = |status: &str| sentinel.ask(&["INFO", "sentinel"]).contains(&format!("status={status}"));
    wait_for("the master is down", LATER, || status("sdown"));
    assert_eq!(sentinel.ask(&["SENTINEL", "SET", "mymaster", "auth-pass", "watch"]), "OK");
    wait_for("the master is up", LATER, || status("ok"));
    assert!(sentinel.log().contains(" +set master mymaster 127.0.0.1 ") && sentinel.log().contains("auth-pass ******"));
    assert!(sentinel.conf().contains("sentinel auth-pass mymaster watch"));
}

/// CONFIG and SLAVEOF have other names on the servers, REPLICAOF none at all; the Sentinels were told.
#[test]
fn commands_with_other_names_are_called_by_them() {
    let root = tempfile::tempdir().unwrap();
    let renamed = ["rename-command CONFIG adjust", "rename-command SLAVEOF obey", "rename-command REPLICAOF \"\""];
    let replica = [&renamed[..], &["replicaof 127.0.0.1 MASTER"]].concat();
    let conf = [
        "sentinel monitor mymaster 127.0.0.1 MASTER 2",
        "sentinel down-after-milliseconds mymaster 1000",
        "sentinel failover-timeout mymaster 10000",
        "sentinel rename-command mymaster CONFIG adjust",
    ];
    let mut group = Watched::start(root.path(), &[&renamed, &replica, &replica], 3, &conf);
    for sentinel in &group.sentinels {
        assert_eq!(sentinel.ask(&["SENTINEL", "SET", "mymaster", "rename-command", "SLAVEOF", "obey"]), "OK");
    }
    group.wait_complete(2);
    assert!(group.servers[0].ask(&["SLAVEOF", "NO", "ONE"]).starts_with("ERR unknown command"));

    let first = group.servers[0].port;
    assert_eq!(group.sentinels[0].ask(&["SENTINEL", "FAILOVER", "mymaster"]), "OK");
    let second = group.wait_switched(first);
    let follow = |group: &Watched, new: u16| {
        wait_for("everybody follows", LATER, || {
            group.servers.iter().filter(|server| server.port != new).all(|server| follows(server, new))
        });
    };
    follow(&group, second);
    group.wait_complete(2);
    group.servers.iter_mut().find(|server| server.port == second).expect("one of them").kill();
    let third = group.wait_switched(second);
    group.servers.iter_mut().find(|server| server.port == second).expect("one of them").start_again();
    follow(&group, third);
    // CONFIG REWRITE was called by its name: the files know the new roles, and the names.
    let conf = group.server(third).conf();
    assert!(!conf.contains("replicaof 127.0.0.1") && conf.contains("rename-command SLAVEOF obey"), "{conf}");
    let replicaof = format!("replicaof 127.0.0.1 {third}");
    wait_for("the file of the old master says so", LATER, || group.server(second).conf().contains(&replicaof));
    for sentinel in &group.sentinels {
        assert!(sentinel.conf().contains("sentinel rename-command mymaster SLAVEOF obey"), "{}", sentinel.conf());
    }
}

/// A password that the whole group shares, Sentinels included: `requirepass` of a Sentinel is also what it gives to others.
#[test]
fn one_password_for_everybody_is_enough() {
    let root = tempfile::tempdir().unwrap();
    let monitor = |master: u16| format!("sentinel monitor mymaster 127.0.0.1 {master} 2");
    let master = Node::server(root.path(), &[&BARE[..], &["requirepass shared", "masterauth shared"]].concat());
    let line = monitor(master.port);
    let conf = [&*line, "sentinel auth-pass mymaster shared", "requirepass shared"];
    let start = |_| Node::start(root.path(), Path::new(OURS), free_port(), "sentinel.conf", &conf, &["--sentinel"]);
    let sentinels: Vec<Node> = (0..2).map(start).collect();
    for sentinel in &sentinels {
        assert_eq!(sentinel.ask(&["SENTINEL", "MYID"]), "NOAUTH Authentication required.");
        let mut client = logged_in(sentinel, "default", "shared");
        wait_for("the other is connected", LATER, || {
            let others = client.call(&["SENTINEL", "SENTINELS", "mymaster"]).unwrap();
            fields(&others, "flags") == ["sentinel"]
                && client.call(&["SENTINEL", "CKQUORUM", "mymaster"]).unwrap().text().starts_with("OK 2 usable")
        });
    }
    assert_eq!(told(&sentinels[0], "mymaster").1, 0, "not without the password");
}
