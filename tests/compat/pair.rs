//! Two servers that are asked the same.

use crate::client::{Client, Value, shown};
use crate::server::{Server, ours, stock};

/// How far apart two moments may be, in milliseconds, that the two servers derived from their own clocks.
const CLOCK_TOLERANCE_MS: i64 = 10_000;

/// One server with the connections of the test.
struct Side {
    client: Client,
    replica: Client,
    events: Client,
    _server: Server,
}

impl Side {
    fn new(program: &std::path::Path) -> Side {
        let server = Server::start(program);
        let mut client = server.client();
        // What expires does so when it is looked at, so that both sides do it at the same command.
        assert_eq!(client.run("DEBUG SET-ACTIVE-EXPIRE 0"), Value::Simple("OK".to_owned()));
        let mut replica = server.client();
        replica.follow();
        let mut events = server.client();
        events.run("PSUBSCRIBE __keyevent@*__:*");
        Side { client, replica, events, _server: server }
    }
}

/// Ours and the other.
pub struct Pair {
    ours: Side,
    stock: Side,
    history: Vec<String>,
}

/// The last command of a test: where stream and events are read up to.
const LAST: &str = "the-end-of-the-test";

impl Pair {
    /// Both servers, started. `None` when there is no other.
    pub fn start() -> Option<Pair> {
        let stock = stock()?;
        Some(Pair { ours: Side::new(&ours()), stock: Side::new(&stock), history: Vec::new() })
    }

    /// Asks both. `is_same` may forgive a difference.
    pub fn ask(&mut self, words: &[Vec<u8>], is_same: impl Fn(&Value, &Value) -> bool) {
        let line =
            words.iter().map(|word| if word.len() > 200 { format!("<{} bytes>", word.len()) } else { shown(word) });
        self.history.push(line.collect::<Vec<_>>().join(" "));
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let (ours, stock) = (self.ours.client.call(&words), self.stock.client.call(&words));
        if ours != stock && !is_same(&ours, &stock) {
            self.differ("replies", &format!("{ours:?}"), &format!("{stock:?}"));
        }
    }

    /// Asks both for words that are text; the replies must be equal.
    pub fn ask_line(&mut self, line: &str) {
        let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        self.ask(&words, |_, _| false);
    }

    /// Compares what the replicas received and which events were told since the start.
    pub fn compare_consequences(&mut self) {
        self.ask_line("SELECT 0");
        self.ask_line(&format!("SET {LAST} 1"));
        let streams = (stream(&mut self.ours.replica), stream(&mut self.stock.replica));
        for (at, (ours, stock)) in streams.0.iter().zip(&streams.1).enumerate() {
            if !is_same_command(ours, stock) {
                let after = |stream: &[Vec<Vec<u8>>]| {
                    stream[at..].iter().take(4).map(|words| shown_words(words)).collect::<Vec<_>>().join(" | ")
                };
                self.history = streams.1[..at].iter().map(|words| shown_words(words)).collect();
                self.differ("entries of the stream", &after(&streams.0), &after(&streams.1));
            }
        }
        if streams.0.len() != streams.1.len() {
            self.differ("lengths of the stream", &streams.0.len().to_string(), &streams.1.len().to_string());
        }
        let events = (events(&mut self.ours.events), events(&mut self.stock.events));
        for (ours, stock) in events.0.iter().zip(&events.1) {
            if ours != stock {
                self.differ("events", ours, stock);
            }
        }
        if events.0.len() != events.1.len() {
            self.differ("numbers of events", &events.0.len().to_string(), &events.1.len().to_string());
        }
    }

    fn differ(&self, what: &str, ours: &str, stock: &str) -> ! {
        let recent = self.history[self.history.len().saturating_sub(40)..].join("\n  ");
        panic!("{what} differ\n ours:  {ours}\n stock: {stock}\nafter the commands\n  {recent}");
    }
}

/// What a replica received: commands, each with the number of its database before it. Where a SELECT stands, before
/// MULTI or after it, differs between versions and means the same.
fn stream(replica: &mut Client) -> Vec<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    let mut database = Vec::new();
    loop {
        let Value::Many('*', words) = replica.receive() else { panic!("a stream is made of commands") };
        let words: Vec<Vec<u8>> = words
            .into_iter()
            .map(|word| match word {
                Value::Bulk(bytes) => bytes,
                other => panic!("a command is made of bulk strings, not {other:?}"),
            })
            .collect();
        if words.get(1).is_some_and(|key| key == LAST.as_bytes()) {
            return entries;
        }
        match words[0].to_ascii_uppercase().as_slice() {
            b"PING" => {}
            b"SELECT" => database = words[1].clone(),
            b"MULTI" | b"EXEC" => entries.push(words),
            _ => entries.push([&[database.clone()], &words[..]].concat()),
        }
    }
}

fn events(subscriber: &mut Client) -> Vec<String> {
    let mut events = Vec::new();
    loop {
        let Value::Many(_, message) = subscriber.receive() else { panic!("a subscriber hears messages") };
        let [_, _, Value::Bulk(channel), Value::Bulk(key)] = &message[..] else { panic!("an odd message {message:?}") };
        if key == LAST.as_bytes() {
            return events;
        }
        events.push(format!("{} {}", shown(channel), shown(key)));
    }
}

/// Redis 7.0 rewrites `SET … PXAT ms` to its shortest form, 7.2 and we leave it as it was written.
fn canonical(words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut words = words.to_vec();
    let Some(name) = words.get_mut(1) else { return words };
    name.make_ascii_uppercase();
    if name == b"SET"
        && let Some(at) = words.iter().rposition(|word| word.eq_ignore_ascii_case(b"PXAT"))
        && (4..words.len() - 1).contains(&at)
    {
        let moment = words.swap_remove(at + 1);
        words.truncate(4);
        words.extend([b"PXAT".to_vec(), moment]);
    }
    words
}

fn is_same_command(ours: &[Vec<u8>], stock: &[Vec<u8>]) -> bool {
    let (ours, stock) = (canonical(ours), canonical(stock));
    ours.len() == stock.len() && ours.iter().zip(&stock).all(|(a, b)| a == b || is_near(number(a), number(b)))
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether two numbers can be the same moment, read from two clocks.
fn is_near(a: Option<i64>, b: Option<i64>) -> bool {
    let is_moment = |n: i64| n > 1_000_000_000_000;
    matches!((a, b), (Some(a), Some(b)) if is_moment(a) && is_moment(b) && (a - b).abs() < CLOCK_TOLERANCE_MS)
}

fn shown_words(words: &[Vec<u8>]) -> String {
    words.iter().map(|word| shown(&word[..word.len().min(100)])).collect::<Vec<_>>().join(" ")
}

/// Forgives what two clocks explain: moments and times to live.
pub fn roughly(ours: &Value, stock: &Value) -> bool {
    match (ours, stock) {
        (Value::Int(a), Value::Int(b)) => *a > 0 && *b > 0 && a.abs_diff(*b) < CLOCK_TOLERANCE_MS as u64,
        _ => false,
    }
}

/// Forgives version and checksum at the end of what DUMP returns, and how well a long string was compressed.
pub fn same_content(ours: &Value, stock: &Value) -> bool {
    const FOOTER: usize = 10;
    const COMPRESSED: &[u8] = b"\x00\xc3";
    match (ours, stock) {
        (Value::Bulk(a), Value::Bulk(b)) if a.starts_with(COMPRESSED) => b.starts_with(COMPRESSED),
        (Value::Bulk(a), Value::Bulk(b)) => {
            a.len() == b.len() && a.len() > FOOTER && a[..a.len() - FOOTER] == b[..b.len() - FOOTER]
        }
        _ => false,
    }
}

/// Forgives the order of names, which is nobody's promise.
pub fn in_any_order(ours: &Value, stock: &Value) -> bool {
    match (ours, stock) {
        (Value::Many(_, a), Value::Many(_, b)) => {
            let (mut a, mut b) = (a.clone(), b.clone());
            a.sort();
            b.sort();
            a == b
        }
        _ => false,
    }
}
