//! What a server says about itself and its process: title, OOM score, latency, memory, INFO, and what it refuses because it is
//! no cluster.

use std::fs;

use super::client::Reply;
use super::node::{Node, SOON, wait_for};

fn title(node: &Node) -> String {
    let words = fs::read(format!("/proc/{}/cmdline", node.pid())).unwrap();
    String::from_utf8_lossy(&words).trim_end_matches('\0').to_owned()
}

#[test]
fn the_process_has_the_title_that_the_template_describes_however_long() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\""]);
    assert!(title(&node).ends_with(&format!("rredis-server 127.0.0.1:{}", node.port)), "{}", title(&node));
    let long = "x".repeat(300);
    let template = format!("T {{port}} {long} {{config-file}}");
    assert_eq!(node.ask(&["CONFIG", "SET", "proc-title-template", &template]), "OK");
    let conf = node.folder.join("redis.conf");
    assert_eq!(title(&node), format!("T {} {long} {}", node.port, conf.display()));
    assert_eq!(node.ask(&["CONFIG", "SET", "proc-title-template", "short"]), "OK");
    assert_eq!(title(&node), "short");
    let refused = node.ask(&["CONFIG", "SET", "proc-title-template", "{nosuch}"]);
    assert!(refused.contains("template format is invalid"), "{refused}");
    // The environment, whose memory it is, is still there for whoever is started from here.
    let plain = Node::server(root.path(), &["save \"\"", "set-proc-title no"]);
    assert!(title(&plain).contains("redis.conf"), "{}", title(&plain));
}

#[test]
fn the_oom_score_follows_the_role() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\""]);
    let score =
        || fs::read_to_string(format!("/proc/{}/oom_score_adj", node.pid())).unwrap().trim().parse::<i32>().unwrap();
    let before = score();
    assert_eq!(node.ask(&["CONFIG", "SET", "oom-score-adj-values", "10 20 30", "oom-score-adj", "relative"]), "OK");
    assert_eq!(score(), before + 10);
    node.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    wait_for("the score of a replica", SOON, || score() == before + 20);
    node.ask(&["REPLICAOF", "NO", "ONE"]);
    wait_for("the score of a master", SOON, || score() == before + 10);
    assert_eq!(node.ask(&["CONFIG", "SET", "oom-score-adj", "no"]), "OK");
    assert_eq!(score(), before);
    assert!(node.ask(&["CONFIG", "SET", "oom-score-adj-values", "0 0 2001"]).contains("between -2000 and 2000"));
}

#[test]
fn what_took_too_long_is_remembered() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\"", "enable-debug-command yes", "latency-monitor-threshold 50"]);
    assert_eq!(node.call(&["LATENCY", "LATEST"]).items(), []);
    node.ask(&["DEBUG", "SLEEP", "0.1"]);
    let latest = node.call(&["LATENCY", "LATEST"]);
    let event = latest.items()[0].items();
    let Reply::Int(ms) = event[2] else { panic!("{latest:?}") };
    assert!(event[0].text() == "command" && ms >= 100 && event[3] == event[2], "{latest:?}");
    assert_eq!(node.call(&["LATENCY", "HISTORY", "command"]).items()[0].items(), [event[1].clone(), event[2].clone()]);
    assert!(node.ask(&["LATENCY", "GRAPH", "Command"]).starts_with(&format!("command - high {ms} ms, low {ms} ms")));
    assert_eq!(node.ask(&["LATENCY", "GRAPH", "nosuch"]), "ERR No samples available for event 'nosuch'");
    assert!(node.ask(&["LATENCY", "DOCTOR"]).contains("1. command: 1 latency spikes"));
    assert_eq!(node.call(&["LATENCY", "RESET", "nosuch", "command"]), Reply::Int(1));
    assert_eq!(node.call(&["LATENCY", "HISTORY", "command"]).items(), []);
    node.ask(&["CONFIG", "RESETSTAT"]);
    node.ask(&["CLIENT", "ID"]);
    node.ask(&["SET", "k", "v"]);
    let histogram = node.call(&["LATENCY", "HISTOGRAM", "client", "nosuch", "get", "set"]);
    let names: Vec<String> = histogram.items().iter().step_by(2).map(Reply::text).collect();
    assert_eq!(names, ["client|id", "set"]);
    let set = histogram.items()[3].items();
    assert_eq!((set[0].text(), &set[1], set[2].text()), ("calls".into(), &Reply::Int(1), "histogram_usec".into()));
    assert_eq!(set[3].items()[1], Reply::Int(1), "one row, with the one call");
}

#[test]
fn memory_and_info_tell_where_things_go() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\""]);
    let little = "There is next to nothing in memory";
    assert!(node.ask(&["MEMORY", "DOCTOR"]).starts_with(little));
    node.ask(&["SET", "k", &"x".repeat(10_000_000)]);
    assert!(!node.ask(&["MEMORY", "DOCTOR"]).starts_with(little));
    let stats = node.call(&["MEMORY", "STATS"]);
    let figure = |name: &str| {
        let at = stats.items().iter().position(|item| item.text() == name).unwrap_or_else(|| panic!("{name}"));
        stats.items()[at + 1].clone()
    };
    let Reply::Int(dataset) = figure("dataset.bytes") else { panic!("{stats:?}") };
    assert!(dataset >= 10_000_000 && figure("keys.count") == Reply::Int(1), "{stats:?}");
    assert_eq!(figure("db.0").items()[0].text(), "overhead.hashtable.main");
    assert!(node.ask(&["MEMORY", "MALLOC-STATS"]).starts_with("Stats not supported"));
    assert_eq!(node.ask(&["LOLWUT"]), "Redis ver. 7.2.6\n");
    for (section, field) in [
        ("stats", "eventloop_duration_sum"),
        ("stats", "eventloop_duration_cmd_sum"),
        ("debug", "eventloop_duration_max"),
        ("debug", "eventloop_cmd_per_cycle_max"),
    ] {
        assert!(node.info(section, field).parse::<u64>().unwrap() > 0, "{field}");
    }
    for section in ["default", "all", "everything"] {
        let text = node.ask(&["INFO", section]);
        assert!(text.contains("# Modules") && !text.contains("# Debug"), "{section}");
    }
}

#[test]
fn there_is_no_cluster_and_no_module() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\"", "disable-thp no", "cluster-node-timeout 5"]);
    for command in [&["CLUSTER", "INFO"][..], &["CLUSTER", "KEYSLOT", "k"], &["READONLY"], &["READWRITE"], &["ASKING"]]
    {
        assert_eq!(node.ask(command), "ERR This instance has cluster support disabled", "{command:?}");
    }
    assert_eq!(node.ask(&["CLUSTER", "NOSUCH"]), "ERR unknown subcommand 'NOSUCH'. Try CLUSTER HELP.");
    assert_eq!(node.call(&["MODULE", "LIST"]).items(), []);
    assert!(node.ask(&["MODULE", "LOAD", "/x.so"]).starts_with("ERR MODULE command not allowed."));
    let log = node.log();
    for words in
        ["'disable-thp' has no effect: nothing forks", "'cluster-node-timeout' has no effect: there is no cluster mode"]
    {
        assert!(log.contains(words), "{log}");
    }
    node.ask(&["CONFIG", "SET", "activerehashing", "no"]);
    wait_for("the log says so", SOON, || {
        node.log().contains("CONFIG SET activerehashing: without effect, tables grow")
    });
}

#[test]
fn monitor_shows_a_script_and_then_what_it_calls() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\""]);
    let mut monitor = node.client();
    monitor.call(&["MONITOR"]).unwrap();
    node.ask(&["EVAL", "return redis.call('SET', KEYS[1], 'v')", "1", "k"]);
    let (first, second) = (monitor.read().unwrap().text(), monitor.read().unwrap().text());
    assert!(first.contains("\"EVAL\"") && second.ends_with("[0 lua] \"SET\" \"k\" \"v\""), "{first}\n{second}");
}
