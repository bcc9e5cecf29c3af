//! COMMAND INFO and COMMAND GETKEYS: what both say about every command that both have.

use crate::client::{Client, Value};
use crate::server::{Server, ours, stock};

/// Differences between Redis 7.0 and 7.2 that are not ours: command, and the field of COMMAND INFO.
const CHANGED_SINCE_7_0: &[(&str, &str)] = &[
    ("blmove", "flags"),
    ("blpop", "flags"),
    ("brpop", "flags"),
    ("brpoplpush", "flags"),
    ("bzpopmax", "flags"),
    ("bzpopmin", "flags"),
    ("cluster|shards", "flags"),
    ("cluster|slots", "flags"),
    ("command|getkeys", "arity"),
    ("command|getkeysandflags", "arity"),
    ("wait", "flags"),
    ("zrank", "arity"),
    ("zrevrank", "arity"),
];

/// The fields of COMMAND INFO that are compared. Tips grew between versions, and subcommands come by themselves.
const FIELDS: [&str; 9] =
    ["name", "arity", "flags", "first key", "last key", "step", "categories", "tips", "key specs"];

/// Calls that name keys in every way there is.
const CALLS: &[&str] = &[
    "GET k",
    "MSET a 1 b 2",
    "MGET a b c",
    "SET k v EX 10 GET",
    "DEL a b c",
    "COPY a b DB 3",
    "RENAME a b",
    "OBJECT ENCODING k",
    "LCS a b LEN",
    "SETRANGE k 0 x",
    "MSET a",
    "KEYS x",
    "RANDOMKEY x",
    "XREAD COUNT 2 STREAMS a b 0 0",
    "XREAD STREAMS a",
    "XREADGROUP GROUP g c STREAMS a >",
    "XGROUP CREATE k g 0",
    "XINFO STREAM k",
    "XADD k * f v",
    "NOSUCH k",
];

fn command_info(client: &mut Client, name: &str) -> Option<Vec<Value>> {
    match client.call(&[b"COMMAND", b"INFO", name.as_bytes()]) {
        Value::Many(_, mut list) if list.len() == 1 => match list.remove(0) {
            Value::Many(_, fields) => Some(fields),
            _ => None,
        },
        other => panic!("COMMAND INFO {name}: {other:?}"),
    }
}

/// Sorts lists of words inside, whose order says nothing, and leaves out notes for the reader of a key spec.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Many(_, parts) => {
            let has_notes = parts.first() == Some(&Value::Bulk(b"notes".to_vec()));
            let mut parts: Vec<Value> = parts.iter().skip(if has_notes { 2 } else { 0 }).map(in_order).collect();
            if parts.iter().all(|part| matches!(part, Value::Simple(_) | Value::Bulk(_) | Value::Many(..))) {
                parts.sort();
            }
            Value::Many('*', parts)
        }
        other => other.clone(),
    }
}

#[test]
fn commands_are_described_alike() {
    let Some(stock) = stock() else { return };
    let (ours, stock) = (Server::start(&ours()), Server::start(&stock));
    let (mut ours, mut stock) = (ours.client(), stock.client());
    let Value::Many(_, names) = ours.run("COMMAND LIST") else { panic!("COMMAND LIST gives names") };
    assert!(names.len() > 40, "only {} commands", names.len());
    let mut differences = Vec::new();
    for name in names {
        let Value::Bulk(name) = name else { panic!("a name, not {name:?}") };
        let name = String::from_utf8(name).expect("names are ASCII");
        let (Some(a), Some(b)) = (command_info(&mut ours, &name), command_info(&mut stock, &name)) else { continue };
        for ((field, a), b) in FIELDS.iter().zip(&a).zip(&b) {
            let is_known = *field == "tips" || CHANGED_SINCE_7_0.contains(&(&name, field));
            if in_order(a) != in_order(b) && !is_known {
                differences.push(format!("{name}, {field}:\n  ours  {a:?}\n  stock {b:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn keys_are_found_alike() {
    let Some(stock) = stock() else { return };
    let (ours, stock) = (Server::start(&ours()), Server::start(&stock));
    let (mut ours, mut stock) = (ours.client(), stock.client());
    for call in CALLS {
        for question in ["GETKEYS", "GETKEYSANDFLAGS"] {
            let line = format!("COMMAND {question} {call}");
            assert_eq!(ours.run(&line), stock.run(&line), "{line}");
        }
    }
}
