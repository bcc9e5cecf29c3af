//! A master and a replica started from the command line, passwords on both, one Sentinel: the master falls silent and
//! comes back.

use std::path::Path;

use super::node::{LATER, Node, OURS, SOON, free_port, wait_for};

fn data_node(root: &Path, extra: &[&str]) -> Node {
    let port = free_port();
    let folder = root.join(port.to_string());
    let log = folder.join("log").display().to_string();
    let mut args: Vec<String> = ["--port", &port.to_string(), "--requirepass", "secret", "--masterauth", "secret"]
        .iter()
        .map(ToString::to_string)
        .collect();
    args.extend(["--bind", "127.0.0.1", "--logfile", &log, "--dir"].iter().map(ToString::to_string));
    args.push(folder.display().to_string());
    args.extend(["--save", "", "--repl-diskless-sync-delay", "0"].iter().map(ToString::to_string));
    args.extend(extra.iter().map(ToString::to_string));
    Node::launch(Path::new(OURS), port, folder, args)
}

/// The answer; nothing when the connection is closed first, as a server's are when a Sentinel makes it a replica.
fn ask(node: &Node, words: &[&str]) -> String {
    let mut client = node.client();
    client.call(&["AUTH", "secret"]).and_then(|_| client.call(words)).map(|reply| reply.text()).unwrap_or_default()
}

/// Whether the lines of a log contain these words one after the other.
fn in_order(log: &str, words: &[String]) -> Result<(), String> {
    let mut lines = log.lines();
    for word in words {
        if !lines.any(|line| line.contains(word.as_str())) {
            return Err(format!("{word:?} is missing, or comes too early"));
        }
    }
    Ok(())
}

#[test]
fn a_silent_master_is_replaced_and_comes_back_as_a_replica() {
    let root = tempfile::tempdir().unwrap();
    let master = data_node(root.path(), &[]);
    let master_port = master.port.to_string();
    let replica = data_node(root.path(), &["--slaveof", "127.0.0.1", &master_port]);
    let replica_port = replica.port.to_string();
    assert_eq!(replica.ask(&["PING"]), "NOAUTH Authentication required.");
    wait_for("the replica is in sync", LATER, || {
        ask(&replica, &["INFO", "replication"]).contains("master_link_status:up")
    });
    ask(&master, &["SET", "k", "v"]);

    let comment = "# our Sentinel, please keep this line";
    let monitor = format!("sentinel monitor mymaster 127.0.0.1 {master_port} 1");
    let sentinel = Node::sentinel(
        root.path(),
        &[
            comment,
            "daemonize no   # a trailing comment",
            &monitor,
            "sentinel auth-pass mymaster secret",
            "sentinel down-after-milliseconds mymaster 1000",
            "sentinel failover-timeout mymaster 10000",
        ],
    );
    wait_for("the Sentinel knows the replica", LATER, || sentinel.ask(&["INFO", "sentinel"]).contains("slaves=1"));
    wait_for("the Sentinel has heard the replica", LATER, || {
        sentinel.ask(&["SENTINEL", "REPLICAS", "mymaster"]).contains("master-link-status ok")
    });

    let listing = sentinel.call(&["SENTINEL", "REPLICAS", "mymaster"]);
    let fields: Vec<String> = listing.items()[0].items().iter().step_by(2).map(|field| field.text()).collect();
    assert_eq!(
        fields,
        [
            "name",
            "ip",
            "port",
            "runid",
            "flags",
            "link-pending-commands",
            "link-refcount",
            "last-ping-sent",
            "last-ok-ping-reply",
            "last-ping-reply",
            "down-after-milliseconds",
            "info-refresh",
            "role-reported",
            "role-reported-time",
            "master-link-down-time",
            "master-link-status",
            "master-host",
            "master-port",
            "slave-priority",
            "slave-repl-offset",
            "replica-announced",
        ]
    );

    master.signal("STOP");
    wait_for("the replica is promoted", LATER, || {
        sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]) == format!("127.0.0.1 {replica_port}")
    });
    wait_for("the log tells the switch", LATER, || sentinel.log().contains("+switch-master"));
    let of_master = format!("master mymaster 127.0.0.1 {master_port}");
    let of_replica =
        format!("slave 127.0.0.1:{replica_port} 127.0.0.1 {replica_port} @ mymaster 127.0.0.1 {master_port}");
    let id = sentinel.ask(&["SENTINEL", "MYID"]);
    let story = [
        format!("# +sdown {of_master}"),
        format!("# +odown {of_master} #quorum 1/1"),
        "# +new-epoch 1".to_owned(),
        format!("# +try-failover {of_master}"),
        format!("# +vote-for-leader {id} 1"),
        format!("# +elected-leader {of_master}"),
        format!("# +failover-state-select-slave {of_master}"),
        format!("# +selected-slave {of_replica}"),
        format!("* +failover-state-send-slaveof-noone {of_replica}"),
        format!("* +failover-state-wait-promotion {of_replica}"),
        format!("# +promoted-slave {of_replica}"),
        format!("# +failover-state-reconf-slaves {of_master}"),
        format!("# +failover-end {of_master}"),
        format!("# +switch-master mymaster 127.0.0.1 {master_port} 127.0.0.1 {replica_port}"),
        format!("* +slave slave 127.0.0.1:{master_port} 127.0.0.1 {master_port} @ mymaster 127.0.0.1 {replica_port}"),
    ];
    if let Err(what) = in_order(&sentinel.log(), &story) {
        panic!("{what}; the log:\n{}", sentinel.log());
    }
    let line = sentinel.log().lines().find(|line| line.contains("+switch-master")).unwrap().to_owned();
    assert!(line.contains(":X ") && line.split(' ').count() > 8, "{line}");
    assert_eq!(ask(&replica, &["SET", "k", "w"]), "OK");

    wait_for("the silent master is down as a replica", LATER, || {
        sentinel.log().contains(&format!("# +sdown slave 127.0.0.1:{master_port} "))
    });
    master.signal("CONT");
    let end = format!("slave 127.0.0.1:{master_port} 127.0.0.1 {master_port} @ mymaster 127.0.0.1 {replica_port}");
    wait_for("-sdown and +convert-to-slave", LATER, || {
        in_order(&sentinel.log(), &[format!("# -sdown {end}"), format!("+convert-to-slave {end}")]).is_ok()
    });
    wait_for("the old master follows", LATER, || {
        let info = ask(&master, &["INFO", "replication"]);
        info.contains("role:slave") && info.contains("master_link_status:up")
    });
    assert_eq!(ask(&master, &["GET", "k"]), "w");

    let conf = sentinel.conf();
    assert!(conf.contains(comment), "{conf}");
    assert!(conf.contains(&format!("sentinel monitor mymaster 127.0.0.1 {replica_port} 1")), "{conf}");
    let (_, generated) = conf.split_once("# Generated by CONFIG REWRITE").expect("the generated block");
    for line in ["sentinel myid ", "sentinel current-epoch 1", "sentinel known-replica mymaster 127.0.0.1 "] {
        assert!(conf.contains(line), "{line} is missing in:\n{conf}");
    }
    assert!(generated.contains("sentinel current-epoch"), "{conf}");
}

/// The file is the Sentinel's memory: what it was told is there after it was killed, between the lines of its user.
#[test]
fn what_a_sentinel_was_told_outlives_it() {
    let root = tempfile::tempdir().unwrap();
    let lines = ["# mine", "maxclients   500 # enough", "sentinel monitor mymaster 127.0.0.1 1 2", "# the end"];
    let mut sentinel = Node::sentinel(root.path(), &lines);
    let id = sentinel.ask(&["SENTINEL", "MYID"]);
    for words in [
        &["CONFIG", "SET", "loglevel", "verbose"][..],
        &["CONFIG", "SET", "announce-ip", "10.1.2.3"],
        &["CONFIG", "SET", "announce-ip", ""],
        &["SET", "mymaster", "down-after-milliseconds", "12345", "auth-pass", "two words"],
        &["MONITOR", "other", "127.0.0.1", "2", "1"],
    ] {
        assert_eq!(sentinel.ask(&[&["SENTINEL"], words].concat()), "OK");
    }
    assert_eq!(sentinel.ask(&["ACL", "SETUSER", "reader", "on", "nopass", "+ping"]), "OK");
    assert_eq!(sentinel.ask(&["SENTINEL", "FLUSHCONFIG"]), "OK");
    let conf = sentinel.conf();
    assert!(
        conf.contains("# mine\nmaxclients   500 # enough\nsentinel monitor mymaster 127.0.0.1 1 2\n# the end\n"),
        "{conf}"
    );
    sentinel.kill();
    sentinel.start_again();
    assert_eq!(sentinel.ask(&["SENTINEL", "MYID"]), id);
    assert_eq!(sentinel.ask(&["SENTINEL", "CONFIG", "GET", "loglevel"]), "loglevel verbose");
    assert_eq!(sentinel.ask(&["SENTINEL", "CONFIG", "GET", "announce-ip"]), "announce-ip ");
    assert!(sentinel.ask(&["SENTINEL", "MASTER", "mymaster"]).contains("down-after-milliseconds 12345"));
    assert!(sentinel.ask(&["SENTINEL", "MASTER", "other"]).contains("quorum 1"));
    assert!(sentinel.ask(&["ACL", "LIST"]).contains("user reader on nopass"));
    wait_for("the same file is written again", SOON, || sentinel.conf() == conf);
}
