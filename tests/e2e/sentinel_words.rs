//! A Sentinel of ours and a stock one watch the same masters and are asked the same: replies must have the same shape, the
//! same fields and, but for times and ids, the same values; errors the same words.
//!
//! The stock one is 7.0, so what 7.2 changed is not asked for: several settings at once in SENTINEL CONFIG, its `loglevel` and
//! error for too few words, `sanitize-payload` in ACL LIST. Redis lists masters in the order of a hash table; here one is
//! removed before all are asked for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::node::{LATER, Node, OURS, free_port, stock, wait_for};

/// A reply with its type kept: the byte it begins with, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    One(char, String),
    Many(char, Vec<Shape>),
}

struct Asker(BufReader<TcpStream>);

impl Asker {
    fn new(node: &Node, protocol: &str) -> Asker {
        let stream = TcpStream::connect(("127.0.0.1", node.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut asker = Asker(BufReader::new(stream));
        asker.ask(&format!("HELLO {protocol}"));
        asker
    }

    fn ask(&mut self, line: &str) -> Shape {
        let words: Vec<&str> = line.split(' ').map(|word| if word == "''" { "" } else { word }).collect();
        let mut bytes = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| bytes.push_str(&format!("${}\r\n{word}\r\n", word.len())));
        self.0.get_mut().write_all(bytes.as_bytes()).unwrap();
        self.read()
    }

    fn read(&mut self) -> Shape {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let kind = line.chars().next().expect("a reply");
        let rest = line[1..].trim_end();
        match (kind, rest.parse::<i64>()) {
            ('$' | '=', Ok(length @ 0..)) => {
                let mut bytes = vec![0; length as usize + 2];
                self.0.read_exact(&mut bytes).unwrap();
                bytes.truncate(length as usize);
                Shape::One(kind, String::from_utf8_lossy(&bytes).into_owned())
            }
            ('*' | '~' | '>', Ok(count @ 0..)) => Shape::Many(kind, (0..count).map(|_| self.read()).collect()),
            ('%', Ok(count)) => Shape::Many(kind, (0..2 * count).map(|_| self.read()).collect()),
            _ => Shape::One(kind, rest.to_owned()),
        }
    }
}

/// Fields whose values are times, or belong to the one who is asked.
const VOLATILE: [&str; 10] = [
    "last-ping-sent",
    "last-ok-ping-reply",
    "last-ping-reply",
    "info-refresh",
    "role-reported-time",
    "last-hello-message",
    "link-pending-commands",
    "slave-repl-offset",
    "config-epoch",
    "voted-leader-epoch",
];

/// The reply without what may differ: times everywhere; in what is said of the other Sentinel, its id and port too.
fn settled(shape: Shape, other: &[(String, &'static str)]) -> Shape {
    match shape {
        Shape::One(kind, text) => {
            let text = other.iter().fold(text, |text, (found, name)| text.replace(found.as_str(), name));
            Shape::One(kind, text)
        }
        Shape::Many(kind, mut items) => {
            for index in 1..items.len() {
                let Shape::One('$', name) = &items[index - 1] else { continue };
                if VOLATILE.contains(&name.as_str())
                    && let Shape::One('$', value) = &items[index]
                    && value.parse::<u64>().is_ok()
                {
                    items[index] = Shape::One('$', "a number".into());
                }
            }
            // Of INFO-CACHE: the age and the text.
            if let [Shape::One(':', age), Shape::One('$', text)] = &mut items[..]
                && text.starts_with("# Server")
            {
                *age = "an age".into();
                *text = "INFO".into();
            }
            Shape::Many(kind, items.into_iter().map(|item| settled(item, other)).collect())
        }
    }
}

struct Pair {
    ours: Node,
    stock: Node,
    a: Node,
    b: Node,
    replica: Node,
    root: tempfile::TempDir,
}

impl Pair {
    /// Two masters, `a` with a replica and `b` without, watched by both Sentinels.
    fn start() -> Option<Pair> {
        let (server, program) = (stock("redis-server")?, stock("redis-sentinel")?);
        let root = tempfile::tempdir().unwrap();
        let conf = ["save \"\"", "repl-diskless-sync-delay 0"];
        let start = |lines: &[&str]| Node::start(root.path(), &server, free_port(), "redis.conf", lines, &[]);
        let (a, b) = (start(&conf), start(&conf));
        let replica = start(&[conf[0], conf[1], &format!("replicaof 127.0.0.1 {}", a.port)]);
        let lines = [
            format!("sentinel monitor a 127.0.0.1 {} 2", a.port),
            format!("sentinel monitor b 127.0.0.1 {} 2", b.port),
        ];
        let lines = [&*lines[0], &lines[1]];
        let ours = Node::start(root.path(), Path::new(OURS), free_port(), "sentinel.conf", &lines, &["--sentinel"]);
        let stock = Node::start(root.path(), &program, free_port(), "sentinel.conf", &lines, &[]);
        let pair = Pair { ours, stock, a, b, replica, root };
        pair.wait_settled();
        Some(pair)
    }

    fn wait_settled(&self) {
        wait_for("both know everybody", LATER, || {
            [&self.ours, &self.stock].iter().all(|sentinel| {
                let info = sentinel.ask(&["INFO", "sentinel"]);
                let replicas = sentinel.ask(&["SENTINEL", "REPLICAS", "a"]);
                let everybody = [&*replicas, &sentinel.ask(&["SENTINEL", "MASTERS"])].concat()
                    + &sentinel.ask(&["SENTINEL", "SENTINELS", "a"])
                    + &sentinel.ask(&["SENTINEL", "SENTINELS", "b"]);
                info.contains("slaves=1,sentinels=2")
                    && info.contains("slaves=0,sentinels=2")
                    && replicas.contains("master-link-status ok")
                    && !everybody.contains("disconnected")
            })
        });
    }

    fn compare(&self, protocol: &str, lines: &[String]) -> Vec<String> {
        let sides = [(&self.ours, &self.stock), (&self.stock, &self.ours)].map(|(asked, other)| {
            let other = [
                (other.ask(&["SENTINEL", "MYID"]), "the other"),
                (asked.ask(&["SENTINEL", "MYID"]), "myself"),
                (other.port.to_string(), "its port"),
            ];
            (Asker::new(asked, protocol), other)
        });
        let [(mut ours, of_ours), (mut stock, of_stock)] = sides;
        let mut differences = Vec::new();
        for line in lines {
            let answers = (settled(ours.ask(line), &of_ours), settled(stock.ask(line), &of_stock));
            if answers.0 != answers.1 {
                differences.push(format!("{line}\n    ours:  {:?}\n    stock: {:?}", answers.0, answers.1));
            }
        }
        differences
    }
}

/// Questions that change nothing, and mistakes.
fn questions(a: u16, b: u16) -> Vec<String> {
    let lines = [
        "PING",
        "SENTINEL MASTER a",
        "SENTINEL MASTER b",
        "SENTINEL MASTER nobody",
        "SENTINEL MASTER",
        "SENTINEL MASTER a b",
        "SENTINEL MASTERS x",
        "SENTINEL REPLICAS a",
        "SENTINEL REPLICAS b",
        "SENTINEL REPLICAS nobody",
        "SENTINEL REPLICAS",
        "SENTINEL SLAVES a",
        "SENTINEL SLAVES nobody",
        "SENTINEL SENTINELS a",
        "SENTINEL SENTINELS b",
        "SENTINEL SENTINELS nobody",
        "SENTINEL SENTINELS",
        "SENTINEL GET-MASTER-ADDR-BY-NAME a",
        "SENTINEL GET-MASTER-ADDR-BY-NAME nobody",
        "SENTINEL GET-MASTER-ADDR-BY-NAME",
        "SENTINEL CKQUORUM a",
        "SENTINEL CKQUORUM nobody",
        "SENTINEL CKQUORUM",
        "SENTINEL MYID",
        "SENTINEL MYID x",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 {a} 0 *",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 0 *",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 x 0 *",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 {b} x *",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 {b}",
        "SENTINEL PENDING-SCRIPTS",
        "SENTINEL PENDING-SCRIPTS x",
        "SENTINEL INFO-CACHE a",
        "SENTINEL INFO-CACHE b nobody",
        "SENTINEL INFO-CACHE nobody",
        "SENTINEL INFO-CACHE",
        "SENTINEL SIMULATE-FAILURE help",
        "SENTINEL SIMULATE-FAILURE nonsense",
        "SENTINEL SIMULATE-FAILURE",
        "SENTINEL DEBUG",
        "SENTINEL CONFIG GET announce-ip",
        "SENTINEL CONFIG GET announce-port",
        "SENTINEL CONFIG GET resolve-hostnames",
        "SENTINEL CONFIG GET sentinel-user",
        "SENTINEL CONFIG GET nothing",
        "SENTINEL CONFIG GET *-hostnames",
        "SENTINEL CONFIG",
        "SENTINEL FAILOVER nobody",
        "SENTINEL FAILOVER b",
        "SENTINEL FAILOVER",
        "SENTINEL RESET nobody*",
        "SENTINEL RESET",
        "SENTINEL REMOVE nobody",
        "SENTINEL REMOVE",
        "SENTINEL SET nobody quorum 1",
        "SENTINEL SET a quorum",
        "SENTINEL SET a",
        "SENTINEL FLUSHCONFIG",
        "SENTINEL FLUSHCONFIG x",
        "SENTINEL NONSENSE",
        "SENTINEL",
        "PUBLISH other text",
        "PUBLISH __sentinel__:hello nonsense",
        "PUBLISH",
        "GET key",
        "NONSENSE a b",
        "MULTI",
        "CLIENT GETNAME",
        "CLIENT SETNAME me",
        "ACL WHOAMI",
        "AUTH wrong",
        "AUTH nobody wrong",
    ];
    lines.iter().map(|line| line.replace("{a}", &a.to_string()).replace("{b}", &b.to_string())).collect()
}

#[test]
fn questions_are_answered_in_the_same_words() {
    let Some(pair) = Pair::start() else { return };
    for protocol in ["2", "3"] {
        let differences = pair.compare(protocol, &questions(pair.a.port, pair.b.port));
        assert!(differences.is_empty(), "RESP{protocol}:\n{}", differences.join("\n"));
    }
}

/// Every option of SET and CONFIG SET, and MONITOR and REMOVE of a third master, with the mistakes that can be made.
#[test]
fn changes_are_taken_and_refused_in_the_same_words() {
    let Some(pair) = Pair::start() else { return };
    let port = pair.replica.port;
    let script = pair.root.path().join("script");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    let mut lines: Vec<String> = Vec::new();
    for option in ["down-after-milliseconds", "failover-timeout", "parallel-syncs", "quorum"] {
        for value in ["0", "-1", "x", "''", "60000"] {
            lines.push(format!("SENTINEL SET a {option} {value}"));
        }
    }
    for rest in [
        "quorum 2",
        "master-reboot-down-after-period -1",
        "master-reboot-down-after-period x",
        "master-reboot-down-after-period 0",
        "nonsense 1",
        "auth-pass",
        "auth-user ''",
        "auth-pass ''",
        "rename-command config",
        "rename-command config other",
        "rename-command config config",
        "rename-command '' other",
        "notification-script /nowhere",
        "client-reconfig-script /nowhere",
        "quorum 2 nonsense 1",
        "quorum 2 parallel-syncs 1",
    ] {
        lines.push(format!("SENTINEL SET a {rest}"));
    }
    for words in [
        "c 127.0.0.1 {port} x",
        "c 127.0.0.1 x 1",
        "c 127.0.0.1 {port} 0",
        "c 127.0.0.1 0 1",
        "c 127.0.0.1 70000 1",
        "c nowhere.invalid {port} 1",
        "c 127.0.0.1",
        "a 127.0.0.1 {port} 1",
        "c 127.0.0.1 {port} 1",
        "c 127.0.0.1 {port} 1",
    ] {
        lines.push(format!("SENTINEL MONITOR {}", words.replace("{port}", &port.to_string())));
    }
    for rest in [
        "REMOVE c",
        "REMOVE c",
        "CONFIG SET announce-ip 127.0.0.1",
        "CONFIG GET announce-ip",
        "CONFIG SET announce-ip ''",
        "CONFIG SET announce-port x",
        "CONFIG SET announce-port 70000",
        "CONFIG SET announce-port -1",
        "CONFIG SET announce-port 0",
        "CONFIG SET resolve-hostnames maybe",
        "CONFIG SET resolve-hostnames yes",
        "CONFIG SET resolve-hostnames no",
        "CONFIG SET announce-hostnames yes",
        "CONFIG SET announce-hostnames no",
        "CONFIG SET sentinel-user u",
        "CONFIG SET sentinel-pass p",
        "CONFIG GET sentinel-*",
        "CONFIG SET sentinel-user ''",
        "CONFIG SET sentinel-pass ''",
        "CONFIG SET nonsense 1",
        "DEBUG info-period x",
        "DEBUG info-period 0",
        "DEBUG nonsense 1",
        "DEBUG info-period",
        "DEBUG info-period 9000 ping-period 900",
        "DEBUG info-period 10000 ping-period 1000",
        "SIMULATE-FAILURE crash-after-election crash-after-promotion",
    ] {
        lines.push(format!("SENTINEL {rest}"));
    }
    let mut differences = pair.compare("2", &lines);
    // New passwords and names of commands made both connect anew.
    pair.wait_settled();
    let questions = ["INFO-CACHE a", "MASTER a", "RESET b", "REMOVE b", "MASTERS", "REPLICAS a"];
    let mut lines: Vec<String> = questions.iter().map(|rest| format!("SENTINEL {rest}")).collect();
    lines.push("ROLE".to_owned());
    differences.extend(pair.compare("2", &lines));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    // What was set is in both files, in the same words.
    let state = |node: &Node| {
        let words = ["down-after", "failover-timeout", "parallel-syncs", "monitor", "rename", "auth"];
        let conf = node.conf();
        let lines =
            conf.lines().filter(|line| line.starts_with("sentinel ") && words.iter().any(|word| line.contains(word)));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(state(&pair.ours), state(&pair.stock));
}
