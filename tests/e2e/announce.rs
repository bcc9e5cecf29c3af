//! Addresses that are not where a process listens: what servers and Sentinels announce, who does not want to be listed, and
//! host names in the place of addresses.

use std::time::{Duration, Instant};

use super::client::Client;
use super::node::{LATER, Node, SOON, wait_for};
use super::proxy::Proxy;
use super::watched::{BARE, Watched, fields, follows, told};

const MONITOR: &str = "sentinel monitor mymaster 127.0.0.1 MASTER 2";
const QUICK: &str = "sentinel down-after-milliseconds mymaster 1000";
const TIMEOUT: &str = "sentinel failover-timeout mymaster 10000";

/// Behind a translation of addresses: the replica and the Sentinels are reached only at what they announce.
#[test]
fn what_is_announced_is_where_everybody_goes() {
    let root = tempfile::tempdir().unwrap();
    let mut group = Watched::start(root.path(), &[&[], &["replicaof 127.0.0.1 MASTER"]], 0, &[]);
    let port = group.servers[1].port;
    let line = Proxy::start("127.0.0.2", port);
    let shown = format!("127.0.0.2,port={}", line.port);
    let announced = line.port.to_string();
    let set = ["CONFIG", "SET", "replica-announce-ip", "127.0.0.2", "replica-announce-port", &announced];
    assert_eq!(group.servers[1].ask(&set), "OK");
    // The master learns it with the next handshake, so there must have been one.
    wait_for("the replica is online", LATER, || {
        group.servers[0].info("replication", "slave0").contains("state=online")
    });
    group.servers[0].ask(&["CLIENT", "KILL", "TYPE", "replica"]);
    let master = &group.servers[0];
    wait_for("the master shows it", LATER, || {
        master.info("replication", "slave0").starts_with(&format!("ip={shown},state=online"))
    });
    assert!(master.ask(&["ROLE"]).contains(&format!("127.0.0.2 {}", line.port)));

    let monitor = MONITOR.replace("MASTER", &master.port.to_string());
    let (mut lines, mut sentinels) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let sentinel = Node::sentinel(root.path(), &["sentinel announce-ip 127.0.0.2"]);
        let line = Proxy::start("127.0.0.2", sentinel.port);
        let set = ["SENTINEL", "CONFIG", "SET", "announce-port", &line.port.to_string()];
        assert_eq!(sentinel.ask(&set), "OK");
        let words: Vec<&str> = monitor.split(' ').skip(2).collect();
        assert_eq!(sentinel.ask(&[&["SENTINEL", "MONITOR"], &words[..]].concat()), "OK");
        for option in [QUICK, TIMEOUT] {
            let words: Vec<&str> = option.split(' ').collect();
            assert_eq!(sentinel.ask(&["SENTINEL", "SET", "mymaster", words[1], words[3]]), "OK");
        }
        lines.push(line);
        sentinels.push(sentinel);
    }
    group.sentinels = sentinels;
    group.wait_complete(1);
    for (index, sentinel) in group.sentinels.iter().enumerate() {
        let replicas = sentinel.call(&["SENTINEL", "REPLICAS", "mymaster"]);
        assert_eq!(
            (fields(&replicas, "ip"), fields(&replicas, "port")),
            (vec!["127.0.0.2".into()], vec![announced.clone()])
        );
        let others = sentinel.call(&["SENTINEL", "SENTINELS", "mymaster"]);
        let mut ports = fields(&others, "port");
        let of_others =
            lines.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, line)| line.port.to_string());
        let mut expected: Vec<String> = of_others.collect();
        ports.sort();
        expected.sort();
        assert_eq!((fields(&others, "ip"), ports), (vec!["127.0.0.2".to_owned(); 2], expected));
        let conf = sentinel.conf();
        assert!(conf.contains("sentinel announce-ip \"127.0.0.2\"") || conf.contains("sentinel announce-ip 127.0.0.2"));
        assert!(conf.contains(&format!("sentinel announce-port {}", lines[index].port)), "{conf}");
    }
    assert!(lines.iter().all(|line| line.accepted() >= 2), "the Sentinels talk through what they announce");

    // The failover is told in these words, too, and the old master follows them.
    let old = group.servers[0].port;
    group.servers[0].kill();
    assert_eq!(group.wait_switched(old), line.port);
    assert!(group.sentinels.iter().all(|sentinel| told(sentinel, "mymaster").0 == "127.0.0.2"));
    group.servers[0].start_again();
    wait_for("the old master follows", LATER, || {
        follows(&group.servers[0], line.port) && group.servers[0].info("replication", "master_host") == "127.0.0.2"
    });

    // Cleared, the Sentinel is known at its own address again.
    let sentinel = &group.sentinels[0];
    for (name, value) in [("announce-ip", ""), ("announce-port", "0")] {
        assert_eq!(sentinel.ask(&["SENTINEL", "CONFIG", "SET", name, value]), "OK");
    }
    wait_for("another one has heard it", LATER, || {
        let others = group.sentinels[1].call(&["SENTINEL", "SENTINELS", "mymaster"]);
        fields(&others, "port").contains(&sentinel.port.to_string())
            && fields(&others, "ip").contains(&"127.0.0.1".into())
    });
    assert!(!sentinel.conf().contains("sentinel announce-port"), "{}", sentinel.conf());
}

/// `replica-announced no` hides a replica from who asks for replicas. It may be promoted all the same, as in Redis; that is
/// what priority 0 forbids.
#[test]
fn a_replica_that_is_not_announced_is_not_listed_and_priority_0_is_never_promoted() {
    let root = tempfile::tempdir().unwrap();
    let hidden = ["replicaof 127.0.0.1 MASTER", "replica-announced no", "replica-priority 0"];
    let conf = [&MONITOR.replace(" 2", " 1"), QUICK, TIMEOUT];
    let mut group = Watched::start(root.path(), &[&[], &hidden], 1, &conf);
    let (old, port) = (group.servers[0].port, group.servers[1].port);
    let sentinel = &group.sentinels[0];
    wait_for("the Sentinel knows of it", LATER, || {
        let cache = sentinel.ask(&["SENTINEL", "INFO-CACHE", "mymaster"]);
        cache.contains("replica_announced:0") && sentinel.ask(&["INFO", "sentinel"]).contains("slaves=1")
    });
    for listing in ["REPLICAS", "SLAVES"] {
        wait_for("it is not listed", SOON, || sentinel.call(&["SENTINEL", listing, "mymaster"]).items().is_empty());
    }
    assert!(group.servers[0].info("replication", "slave0").contains(&format!("port={port}")));
    let refusal = "NOGOODSLAVE No suitable replica to promote";
    assert_eq!(sentinel.ask(&["SENTINEL", "FAILOVER", "mymaster"]), refusal);

    group.servers[0].kill();
    let reason = "no replica is fit to be promoted";
    let sentinel = &group.sentinels[0];
    wait_for("the Sentinel says why nothing happens", LATER, || {
        sentinel.ask(&["SENTINEL", "MASTER", "mymaster"]).contains(reason)
    });
    assert_eq!(told(sentinel, "mymaster").1, old);
    assert!(group.servers[1].ask(&["ROLE"]).starts_with("slave"));

    assert_eq!(group.servers[1].ask(&["CONFIG", "SET", "replica-priority", "50"]), "OK");
    assert_eq!(group.wait_switched(old), port);
}

/// Everybody by name: the Sentinels answer, log, write and reconfigure with names, through a failover as well.
#[test]
fn names_stay_names_through_a_failover() {
    let root = tempfile::tempdir().unwrap();
    let replica: &[&str] = &["replicaof localhost MASTER", "replica-announce-ip localhost"];
    let names = ["sentinel resolve-hostnames yes", "sentinel announce-hostnames yes"];
    let monitor = MONITOR.replace("127.0.0.1", "localhost");
    let conf = [names[0], names[1], &monitor, QUICK, TIMEOUT, "sentinel announce-ip localhost"];
    let mut group = Watched::start(root.path(), &[&["replica-announce-ip localhost"], replica, replica], 3, &conf);
    group.wait_complete(2);
    let old = group.servers[0].port;
    let is_named = |sentinel: &Node| {
        let replicas = sentinel.call(&["SENTINEL", "REPLICAS", "mymaster"]);
        let others = sentinel.call(&["SENTINEL", "SENTINELS", "mymaster"]);
        let hosts = [&fields(&replicas, "ip")[..], &fields(&others, "ip")].concat();
        told(sentinel, "mymaster").0 == "localhost" && hosts.len() == 4 && hosts.iter().all(|host| host == "localhost")
    };
    assert!(group.sentinels.iter().all(is_named));

    group.servers[0].kill();
    let new = group.wait_switched(old);
    group.servers[0].start_again();
    wait_for("everybody follows", LATER, || {
        let mut others = group.servers.iter().filter(|server| server.port != new);
        others.all(|server| follows(server, new) && server.info("replication", "master_host") == "localhost")
    });
    wait_for("names everywhere", LATER, || group.sentinels.iter().all(is_named));
    let switch = format!("+switch-master mymaster localhost {old} localhost {new}");
    for sentinel in &group.sentinels {
        assert!(sentinel.log().contains(&switch), "{}", sentinel.log());
        let conf = sentinel.conf();
        assert!(conf.contains(&format!("sentinel monitor mymaster localhost {new} 2")), "{conf}");
        assert!(conf.contains(&format!("sentinel known-replica mymaster localhost {old}")), "{conf}");
    }
    // Asked not to announce names, the same Sentinels answer with addresses.
    let sentinel = &group.sentinels[0];
    assert_eq!(sentinel.ask(&["SENTINEL", "CONFIG", "SET", "announce-hostnames", "no"]), "OK");
    assert_eq!(told(sentinel, "mymaster"), ("127.0.0.1".to_owned(), new));
}

/// Names that mean nothing: whoever has one stays listed, the others are not disturbed, and no answer waits for a look-up.
#[test]
fn a_name_that_cannot_be_looked_up_drops_nobody_and_blocks_nothing() {
    const NOBODY: &str = "nobody.invalid";
    let root = tempfile::tempdir().unwrap();
    let lost = format!("sentinel monitor lost {NOBODY} 6379 1");
    let monitor = MONITOR.replace(" 2", " 1");
    let soon = "sentinel down-after-milliseconds lost 1000";
    let conf = ["sentinel resolve-hostnames yes", &lost, soon, &monitor, QUICK, TIMEOUT];
    let replica: &[&str] = &["replicaof 127.0.0.1 MASTER"];
    let nowhere = ["replicaof 127.0.0.1 MASTER", "replica-announce-ip nobody.invalid"];
    let group = Watched::start(root.path(), &[&[], replica, &nowhere], 1, &conf);
    let (sentinel, port) = (&group.sentinels[0], group.servers[2].port);
    let listed = |name: &str| fields(&sentinel.call(&["SENTINEL", "REPLICAS", "mymaster"]), name);
    wait_for("both replicas are listed", LATER, || {
        listed("port").contains(&port.to_string()) && listed("port").len() == 2
    });
    wait_for("look-ups fail", LATER, || {
        sentinel.log().contains(&format!("Failed to resolve hostname '{NOBODY}'"))
            && sentinel.ask(&["INFO", "sentinel"]).contains("name=lost,status=odown")
    });

    // Answers come at once while names are looked up again and again, and one that a command gave is refused in its time.
    let mut waiting = sentinel.client();
    waiting.send(&["SENTINEL", "MONITOR", "other", NOBODY, "6379", "1"]).unwrap();
    let mut client = Client::with_patience(sentinel.port, Duration::from_secs(2)).unwrap();
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        assert_eq!(client.call(&["PING"]).expect("an answer at once").text(), "PONG");
    }
    assert_eq!(waiting.read().unwrap().text(), "ERR Invalid IP address or hostname specified");
    assert_eq!(listed("port").len(), 2);
    assert!(sentinel.ask(&["INFO", "sentinel"]).contains("name=mymaster,status=ok"));
    let names: Vec<String> = fields(&sentinel.call(&["SENTINEL", "MASTERS"]), "name");
    assert!(names.contains(&"lost".to_owned()) && names.len() == 2, "{names:?}");
    assert!(sentinel.conf().contains(&lost), "{}", sentinel.conf());

    // The one that can be reached takes over.
    assert_eq!(sentinel.ask(&["SENTINEL", "FAILOVER", "mymaster"]), "OK");
    assert_eq!(group.wait_switched(group.servers[0].port), group.servers[1].port);
    wait_for("the one without an address is still listed", SOON, || {
        let listing = sentinel.ask(&["SENTINEL", "REPLICAS", "mymaster"]);
        listing.contains(&format!("{NOBODY} port {port}"))
    });
    // A replica whose master has a name that means nothing goes on asking, and answers meanwhile.
    let seeker = Node::server(root.path(), &[BARE[0], &format!("replicaof {NOBODY} 6379")]);
    wait_for("it says so", LATER, || seeker.log().contains("Unable to connect to MASTER: "));
    let mut client = Client::with_patience(seeker.port, Duration::from_secs(2)).unwrap();
    assert_eq!(client.call(&["ROLE"]).unwrap().text(), format!("slave {NOBODY} 6379 connect -1"));
    assert_eq!(seeker.ask(&["REPLICAOF", "localhost", &group.servers[1].port.to_string()]), "OK");
    wait_for("the link", LATER, || follows(&seeker, group.servers[1].port));
}
