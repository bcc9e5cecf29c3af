//! TILT: a Sentinel that was stopped for some seconds does not know what it missed, and judges nobody for a while.

use super::node::{LATER, wait_for};
use super::watched::Watched;

// A replica that was without its master for ten times down-after would not be promoted.
const SENTINEL: [&str; 3] = [
    "sentinel monitor mymaster 127.0.0.1 MASTER 1",
    "sentinel down-after-milliseconds mymaster 3000",
    "sentinel failover-timeout mymaster 10000",
];

#[test]
fn a_sentinel_that_was_stopped_judges_nobody_for_a_while_and_then_does() {
    let root = tempfile::tempdir().unwrap();
    let mut group = Watched::start(root.path(), &[&[], &["replicaof 127.0.0.1 MASTER"]], 1, &SENTINEL);
    group.wait_complete(1);
    let old = group.servers[0].port.to_string();
    let sentinel = &group.sentinels[0];
    assert_eq!(sentinel.ask(&["SENTINEL", "DEBUG", "TILT-PERIOD", "5000"]), "OK");
    sentinel.signal("STOP");
    group.servers[0].kill();
    let replica = &group.servers[1];
    wait_for("more than two seconds without a master", LATER, || {
        replica.info("replication", "master_link_down_since_seconds").parse().unwrap_or(0) >= 3
    });
    let sentinel = &group.sentinels[0];
    sentinel.signal("CONT");
    wait_for("TILT", LATER, || sentinel.info("sentinel", "sentinel_tilt") == "1");
    let id = "0".repeat(40);
    let verdict = sentinel.call(&["SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", &old, "0", &id]);
    assert_eq!(verdict.items()[0].text(), "0");
    let new = group.wait_switched(group.servers[0].port);
    assert_eq!(new, group.servers[1].port);
    let sentinel = &group.sentinels[0];
    assert_eq!(sentinel.info("sentinel", "sentinel_tilt"), "0");
    let log = sentinel.log();
    let at = |what: &str| log.find(what).unwrap_or_else(|| panic!("{what} is missing in:\n{log}"));
    assert!(at("# +tilt #tilt mode entered") < at("# -tilt #tilt mode exited"), "{log}");
    assert!(at("# -tilt #tilt mode exited") < at("# +sdown master mymaster"), "{log}");
}
