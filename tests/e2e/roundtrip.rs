//! Files that hold every type in every encoding go to a stock server and come back, and the other way round: RDB, AOF with an
//! image as its base, AOF with commands as its base.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::client::Client;
use super::node::{LATER, Node, OURS, free_port, stock, wait_for};

/// How the data go from one server to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Rdb,
    AofWithImage,
    AofWithCommands,
}

impl Way {
    fn lines(self) -> Vec<&'static str> {
        let mut lines = vec!["save \"\"", "enable-debug-command yes", "auto-aof-rewrite-percentage 0"];
        match self {
            Way::Rdb => {}
            Way::AofWithImage => {
                lines.extend(["appendonly yes", "aof-use-rdb-preamble yes", "aof-timestamp-enabled yes"])
            }
            Way::AofWithCommands => lines.extend(["appendonly yes", "aof-use-rdb-preamble no"]),
        }
        lines
    }
}

const LIBRARY: &str = "#!lua name=lib\nredis.register_function('answer', function() return 42 end)";

fn fill(node: &Node) {
    let mut client = node.client();
    let mut call = |words: &[&str]| {
        let reply = client.call(words).unwrap();
        assert!(!reply.is_error(), "{words:?}: {}", reply.text());
    };
    let (long, huge) = ("lorem ipsum ".repeat(300), "x".repeat(20_000));
    call(&["SET", "string:int", "-1234567890123"]);
    call(&["SET", "string:short", "hello"]);
    call(&["SET", "string:empty", ""]);
    call(&["SET", "string:long", &long]);
    call(&["SET", "string:expires", "x", "PXAT", "33333333333333"]);
    call(&["SETBIT", "string:bitmap", "100000", "1"]);
    call(&["PFADD", "hll:sparse", "a", "b", "c"]);
    call(&["GEOADD", "geo", "13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania"]);
    call(&["RPUSH", "list:small", "a", "1", "-5000000000", ""]);
    call(&["RPUSH", "list:plain", "a", &huge, "z"]);
    call(&["SADD", "set:int16", "1", "-300"]);
    call(&["SADD", "set:int32", "1", "70000"]);
    call(&["SADD", "set:int64", "1", "5000000000"]);
    call(&["SADD", "set:small", "a", "b", "17"]);
    call(&["HSET", "hash:small", "f", "v", "n", "12", "e", ""]);
    call(&["HSET", "hash:long", "f", &long]);
    call(&["ZADD", "zset:small", "1", "a", "-2.5", "b", "inf", "c", "-inf", "d", "3.0000000000000004", "e"]);
    for number in 0..700 {
        let text = format!("element:{number}");
        call(&["RPUSH", "list:large", &text, &number.to_string()]);
        call(&["SADD", "set:large", &text]);
        call(&["SADD", "set:manyints", &number.to_string()]);
        call(&["HSET", "hash:large", &text, &number.to_string()]);
        call(&["ZADD", "zset:large", &format!("{}", f64::from(number) / 3.0), &text]);
        call(&[
            "XADD",
            "stream",
            &format!("{}-{}", 1000 + number / 7, number % 7 + 1),
            "field",
            &text,
            "other",
            "value",
        ]);
        call(&["PFADD", "hll:dense", &text, &format!("more:{number}"), &format!("yet:{number}")]);
    }
    for number in 0..2000 {
        call(&["PFADD", "hll:dense", &format!("dense:{number}")]);
    }
    call(&["XDEL", "stream", "1000-2", "1050-3"]);
    call(&["XGROUP", "CREATE", "stream", "group", "0"]);
    call(&["XREADGROUP", "GROUP", "group", "alice", "COUNT", "5", "STREAMS", "stream", ">"]);
    call(&["XREADGROUP", "GROUP", "group", "bob", "COUNT", "3", "STREAMS", "stream", ">"]);
    call(&["XACK", "stream", "group", "1000-1"]);
    call(&["XGROUP", "CREATE", "stream:empty", "group", "$", "MKSTREAM"]);
    call(&["XADD", "stream:trimmed", "5-5", "a", "b"]);
    call(&["XTRIM", "stream:trimmed", "MAXLEN", "0"]);
    call(&["FUNCTION", "LOAD", "REPLACE", LIBRARY]);
    call(&["SELECT", "9"]);
    call(&["SET", "elsewhere", "too"]);
    call(&["MULTI"]);
    call(&["INCR", "counter"]);
    call(&["RPUSH", "pushed", "in", "a", "transaction"]);
    call(&["EXEC"]);
}

fn sorted(text: &str, group: usize) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut groups: Vec<String> = words.chunks(group).map(|group| group.join(" ")).collect();
    groups.sort();
    groups.join(" ")
}

/// Members with their scores, each score in the digits that we give it: Redis before 7.2 writes some with more of them.
fn same_digits(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let score = |word: &str| word.parse::<f64>().unwrap_or_else(|_| panic!("{word} is no score"));
    words.chunks(2).map(|pair| format!("{} {:?} ", pair[0], score(pair[1]))).collect()
}

/// What a key holds, in words that do not depend on how it is kept.
fn content(client: &mut Client, key: &str) -> String {
    let kind = client.call(&["TYPE", key]).unwrap().text();
    let mut ask = |words: &[&str]| client.call(words).unwrap().text();
    let value = match kind.as_str() {
        "string" => ask(&["GET", key]),
        "list" => ask(&["LRANGE", key, "0", "-1"]),
        "set" => sorted(&ask(&["SMEMBERS", key]), 1),
        "hash" if key == "hash:long" => ask(&["HGETALL", key]),
        "hash" => sorted(&ask(&["HGETALL", key]), 2),
        "zset" => same_digits(&ask(&["ZRANGE", key, "0", "-1", "WITHSCORES"])),
        "stream" => {
            let facts = ask(&["XINFO", "STREAM", key]);
            let words: Vec<&str> = facts.split(' ').collect();
            let fact = |name: &str| {
                let place = words.iter().position(|word| *word == name).unwrap_or_else(|| panic!("{name}: {facts}"));
                words[place + 1].to_owned()
            };
            let names = ["length", "last-generated-id", "max-deleted-entry-id", "entries-added", "groups"];
            let mut text = names.map(fact).join(" ") + " " + &ask(&["XRANGE", key, "-", "+"]);
            if key != "stream:trimmed" {
                // Without how long ago that was.
                let pending = ask(&["XPENDING", key, "group", "-", "+", "100"]);
                let words: Vec<&str> = pending.split(' ').filter(|word| !word.is_empty()).collect();
                for entry in words.chunks(4).filter(|entry| entry.len() == 4) {
                    text += &format!(" {} {} {}", entry[0], entry[1], entry[3]);
                }
            }
            text
        }
        other => panic!("{key} is of type {other}"),
    };
    format!("{kind} {} {value}", ask(&["PEXPIRETIME", key]))
}

fn contents(node: &Node) -> BTreeMap<String, String> {
    let mut client = node.client();
    let mut all = BTreeMap::new();
    for db in ["0", "9"] {
        client.call(&["SELECT", db]).unwrap();
        let keys = client.call(&["KEYS", "*"]).unwrap().text();
        for key in keys.split(' ') {
            all.insert(format!("{db} {key}"), content(&mut client, key));
        }
    }
    all.insert("function".to_owned(), client.call(&["FCALL", "answer", "0"]).unwrap().text());
    all
}

fn same(found: &BTreeMap<String, String>, expected: &BTreeMap<String, String>, what: &str) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    for (key, value) in expected {
        assert!(&found[key] == value, "{what}, {key}: {:.200} instead of {value:.200}", found[key]);
    }
}

/// Ends this server with its data in files, and starts the other program on a copy of them.
fn hand_on(root: &Path, mut from: Node, to: &Path, way: Way) -> Node {
    if way == Way::Rdb {
        assert_eq!(from.ask(&["SAVE"]), "OK");
    }
    let _ = from.client().call(&["SHUTDOWN", "NOSAVE"]);
    from.wait_gone();
    let port = free_port();
    let place = root.join(format!("redis-{port}"));
    let (source, target) = match way {
        Way::Rdb => (from.folder.clone(), place),
        _ => (from.folder.join("appendonlydir"), place.join("appendonlydir")),
    };
    fs::create_dir_all(&target).unwrap();
    for entry in fs::read_dir(source).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".rdb") || name.contains(".aof") {
            fs::copy(entry.path(), target.join(name)).unwrap();
        }
    }
    let node = Node::start(root, to, port, "redis.conf", &way.lines(), &[]);
    wait_for("the files are loaded", LATER, || node.info("persistence", "loading") == "0");
    node
}

fn rewrite(node: &Node, way: Way) {
    if way != Way::Rdb {
        wait_for("a rewrite begins", LATER, || node.ask(&["BGREWRITEAOF"]).contains("started"));
        wait_for("it is over", LATER, || node.info("persistence", "aof_rewrite_in_progress") == "0");
        assert_eq!(node.info("persistence", "aof_last_bgrewrite_status"), "ok");
    }
}

fn there_and_back(way: Way) {
    let Some(theirs) = stock("redis-server") else { return };
    let ours = Path::new(OURS);
    for [first, second] in [[ours, &*theirs], [&*theirs, ours]] {
        // As commands in the file of changes, and as a base.
        for is_rewritten in [false, true].into_iter().filter(|is_rewritten| way != Way::Rdb || !is_rewritten) {
            let root = tempfile::tempdir().unwrap();
            let what = format!("{way:?} from {}, rewritten: {is_rewritten}", first.display());
            let node = Node::start(root.path(), first, free_port(), "redis.conf", &way.lines(), &[]);
            fill(&node);
            if is_rewritten {
                rewrite(&node, way);
            }
            let expected = contents(&node);
            let digest = node.ask(&["DEBUG", "DIGEST"]);
            let node = hand_on(root.path(), node, second, way);
            same(&contents(&node), &expected, &format!("{what}, there"));
            rewrite(&node, way);
            let node = hand_on(root.path(), node, first, way);
            same(&contents(&node), &expected, &format!("{what}, and back"));
            assert_eq!(node.ask(&["DEBUG", "DIGEST"]), digest, "{what}");
        }
    }
}

#[test]
fn everything_goes_to_stock_and_back_as_rdb() {
    there_and_back(Way::Rdb);
}

#[test]
fn everything_goes_to_stock_and_back_as_an_aof_with_an_image() {
    there_and_back(Way::AofWithImage);
}

#[test]
fn everything_goes_to_stock_and_back_as_an_aof_of_commands() {
    there_and_back(Way::AofWithCommands);
}
