//! What a key holds, in a form that can be compared between servers.

use crate::client::{Client, Value};
use crate::question::CLOCK_TOLERANCE_MS;
use crate::streams::timeless;

/// A key as a client sees it: type, encoding, content and time to live.
#[derive(Clone, Debug)]
pub struct Content {
    key: Vec<u8>,
    kind: String,
    encoding: String,
    parts: Vec<Value>,
    ttl_ms: i64,
}

/// All keys of the database that is selected.
pub fn keys(client: &mut Client) -> Vec<Vec<u8>> {
    let Value::Many(_, names) = client.run("KEYS *") else { panic!("KEYS gives a list") };
    names
        .into_iter()
        .map(|name| match name {
            Value::Bulk(name) => name,
            other => panic!("a name, not {other:?}"),
        })
        .collect()
}

pub fn of(client: &mut Client, key: &[u8]) -> Content {
    let kind = text(client.call(&[b"TYPE", key]));
    let encoding = text(client.call(&[b"OBJECT", b"ENCODING", key]));
    let Value::Int(ttl_ms) = client.call(&[b"PTTL", key]) else { panic!("PTTL gives a number") };
    let mut list = |words: &[&[u8]]| match client.call(words) {
        Value::Many(_, parts) => parts,
        other => vec![other],
    };
    let parts = match kind.as_str() {
        "string" => list(&[b"GET", key]),
        "list" => list(&[b"LRANGE", key, b"0", b"-1"]),
        "set" => sorted(list(&[b"SMEMBERS", key]), 1),
        "hash" => sorted(list(&[b"HGETALL", key]), 2),
        "zset" => list(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]),
        "stream" => [
            list(&[b"XRANGE", key, b"-", b"+"]),
            list(&[b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]).iter().map(timeless).collect(),
        ]
        .concat(),
        _ => Vec::new(),
    };
    Content { key: key.to_vec(), kind, encoding, parts, ttl_ms }
}

impl Content {
    pub fn is_same(&self, other: &Content) -> bool {
        let is_timed = |ttl: i64| ttl > 0;
        self.kind == other.kind
            && self.parts == other.parts
            && is_timed(self.ttl_ms) == is_timed(other.ttl_ms)
            && (self.ttl_ms - other.ttl_ms).abs() < CLOCK_TOLERANCE_MS
            && self.is_encoded_like(other)
    }

    /// Whatever its encoding: a value that has shrunk is packed again when it is loaded.
    pub fn into_loaded(mut self) -> Content {
        self.encoding.clear();
        self
    }

    /// Without what Redis does not tell its replicas: how much of a stream a group has read, and that a consumer saw its pending
    /// entries once more.
    pub fn into_replicated(mut self) -> Content {
        self.parts.iter_mut().for_each(forget_untold);
        self
    }

    /// Where two contents begin to differ, for the story of a failure.
    pub fn difference(&self, other: &Content) -> (String, String) {
        fn first(a: &[Value], b: &[Value]) -> (String, String) {
            match a.iter().zip(b).enumerate().find(|(_, (a, b))| a != b) {
                Some((at, (Value::Many(_, a), Value::Many(_, b)))) => {
                    let (a, b) = first(a, b);
                    (format!("[{at}] {a}"), format!("[{at}] {b}"))
                }
                Some((at, (x, y))) => (format!("[{at}] {x:?} in {a:?}"), format!("[{at}] {y:?} in {b:?}")),
                None => (format!("{} parts", a.len()), format!("{} parts", b.len())),
            }
        }
        let (a, b) = first(&self.parts, &other.parts);
        let shown = |content: &Content, part| {
            format!("{} ({}), {} ms, parts from {part}", content.kind, content.encoding, content.ttl_ms)
        };
        (shown(self, a), shown(other, b))
    }

    /// 7.0 knows neither lists nor sets that are one listpack. A whole number from a floating point sum is text in Redis until
    /// it is loaded again. SORT makes a sorted set a skip list in Redis.
    fn is_encoded_like(&self, other: &Content) -> bool {
        let pair = [self.encoding.as_str(), other.encoding.as_str()];
        let are = |a: &str, b: &str| pair == [a, b] || pair == [b, a];
        pair[0] == pair[1]
            || match self.kind.as_str() {
                "list" => are("listpack", "quicklist"),
                "set" => are("listpack", "hashtable"),
                "zset" => are("listpack", "skiplist") && may_have_been_sorted(&self.key),
                "string" => are("int", "embstr") || are("raw", "embstr") || are("raw", "int"),
                _ => false,
            }
    }
}

/// Whether SORT may have seen the value of a key: those keys of sorted sets that are drawn for commands on sorted sets are
/// never sorted.
pub fn may_have_been_sorted(key: &[u8]) -> bool {
    let is_drawn = matches!(key, [b'z' | b'g' | b'n', b'0'..=b'9']) || key == b"target";
    !is_drawn
}

fn forget_untold(value: &mut Value) {
    const UNTOLD: &[&[u8]] = &[b"entries-read", b"lag"];
    let Value::Many(_, parts) = value else { return };
    for at in 1..parts.len() {
        if matches!(&parts[at - 1], Value::Bulk(name) if UNTOLD.contains(&name.as_slice())) {
            parts[at] = Value::Null;
        }
    }
    // A pending entry: id, perhaps its consumer, when, how often.
    if let [Value::Bulk(_), .., Value::Int(_), Value::Int(deliveries)] = &mut parts[..] {
        *deliveries = 0;
    }
    parts.iter_mut().for_each(forget_untold);
}

fn text(value: Value) -> String {
    match value {
        Value::Simple(text) => text,
        Value::Bulk(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

/// In order, `size` parts being one thing.
fn sorted(parts: Vec<Value>, size: usize) -> Vec<Value> {
    let mut things: Vec<Vec<Value>> = parts.chunks(size).map(<[Value]>::to_vec).collect();
    things.sort();
    things.concat()
}
