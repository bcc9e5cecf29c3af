//! Two servers that are asked the same.

use std::collections::HashSet;

use rredis::base::rng::Rng;

use crate::client::{Client, Value, shown};
use crate::content;
use crate::question::{CLOCK_TOLERANCE_MS, Question, Source};
use crate::server::{Server, ours, stock};

/// Commands that are on their way at a time, at most.
const PIPELINE: u64 = 24;

/// One server with the connections of the test.
struct Side {
    client: Client,
    /// Reads the stream as a replica would, and the database it stands in.
    replica: Client,
    database: Vec<u8>,
    events: Client,
    /// A replica of the other program.
    copy: Option<Server>,
    server: Server,
}

impl Side {
    fn new(program: &std::path::Path, copy: Option<&std::path::Path>) -> Side {
        let server = Server::start(program);
        let mut client = server.client();
        // What expires does so when it is looked at, so that both sides do it at the same command.
        assert_eq!(client.run("DEBUG SET-ACTIVE-EXPIRE 0"), Value::Simple("OK".to_owned()));
        let copy = copy.map(Server::start);
        if let Some(copy) = &copy {
            copy.follow(&server);
        }
        let mut replica = server.client();
        replica.follow();
        let mut events = server.client();
        events.run("PSUBSCRIBE __keyevent@*__:*");
        Side { client, replica, database: Vec::new(), events, copy, server }
    }

    /// The stream and the events since the last call.
    fn consequences(&mut self) -> (Vec<Vec<Vec<u8>>>, Vec<String>) {
        let consequences = (stream(&mut self.replica, &mut self.database), events(&mut self.events));
        // Else the master takes its replica for dead after a minute.
        self.replica.send(&[b"REPLCONF", b"ACK", b"0"]);
        consequences
    }
}

/// Ours and the other.
pub struct Pair {
    ours: Side,
    stock: Side,
    history: Vec<String>,
    /// Commands given in an open transaction, once there is one.
    queued: Option<Vec<Question>>,
    /// What was asked, for whoever wants to know what was covered.
    asked: HashSet<String>,
}

/// The last command of a test: where stream and events are read up to.
const LAST: &str = "the-end-of-the-test";

impl Pair {
    /// Both servers, started. `None` when there is no other.
    pub fn start() -> Option<Pair> {
        let stock = stock()?;
        Some(Pair::of(Side::new(&ours(), None), Side::new(&stock, None)))
    }

    /// Both servers, each with a replica that is the other program.
    pub fn with_replicas() -> Option<Pair> {
        let stock = stock()?;
        Some(Pair::of(Side::new(&ours(), Some(&stock)), Side::new(&stock, Some(&ours()))))
    }

    fn of(ours: Side, stock: Side) -> Pair {
        Pair { ours, stock, history: Vec::new(), queued: None, asked: HashSet::new() }
    }

    /// Asks both, several commands at a time.
    pub fn ask_all(&mut self, questions: &[Question]) {
        for side in [&mut self.ours, &mut self.stock] {
            side.client.send_all(questions.iter().map(|question| &question.words[..]));
        }
        for question in questions {
            let line = question
                .words
                .iter()
                .map(|word| if word.len() > 200 { format!("<{} bytes>", word.len()) } else { shown(word) });
            self.history.push(line.collect::<Vec<_>>().join(" "));
            self.asked.insert(String::from_utf8_lossy(&question.words[0]).to_ascii_lowercase());
            let (ours, stock) = (self.ours.client.receive(), self.stock.client.receive());
            if !self.is_alike(question, &ours, &stock) {
                self.differ("replies", &format!("{ours:?}"), &format!("{stock:?}"));
            }
            self.follow_transaction(question, &stock);
        }
    }

    /// The parts of what EXEC answers are judged like the commands they answer.
    fn is_alike(&self, question: &Question, ours: &Value, stock: &Value) -> bool {
        match (&self.queued, ours, stock) {
            (Some(queued), Value::Many(_, ours), Value::Many(_, stock))
                if question.words[0].eq_ignore_ascii_case(b"EXEC") =>
            {
                ours.len() == queued.len()
                    && stock.len() == queued.len()
                    && queued.iter().zip(ours.iter().zip(stock)).all(|(question, (a, b))| question.is_alike(a, b))
            }
            _ => question.is_alike(ours, stock),
        }
    }

    fn follow_transaction(&mut self, question: &Question, answer: &Value) {
        let Value::Simple(text) = answer else {
            if question.words[0].eq_ignore_ascii_case(b"EXEC") {
                // Also when it was aborted.
                self.queued = None;
            }
            return;
        };
        match (text.as_str(), &mut self.queued) {
            ("QUEUED", Some(queued)) => queued.push(question.clone()),
            ("OK", _) if question.words[0].eq_ignore_ascii_case(b"MULTI") => self.queued = Some(Vec::new()),
            ("OK", _) if question.words[0].eq_ignore_ascii_case(b"DISCARD") => self.queued = None,
            _ => {}
        }
    }

    /// Asks both for words that are text; the replies must be equal.
    pub fn ask_line(&mut self, line: &str) {
        self.ask_all(&[Question::exact(line.split(' '))]);
    }

    /// Changes a setting of both and of their replicas.
    pub fn configure(&mut self, name: &str, value: &str) {
        let line = format!("CONFIG SET {name} {value}");
        for copy in [&self.ours, &self.stock].into_iter().filter_map(|side| side.copy.as_ref()) {
            assert_eq!(copy.client().run(&line), Value::Simple("OK".to_owned()), "{line}");
        }
        self.ask_line(&line);
    }

    /// Asks both for so many commands of a source, in pipelines of random length.
    pub fn run(&mut self, rng: &mut Rng, source: &mut dyn Source, commands: usize) {
        let mut asked = 0;
        while asked < commands {
            let length = 1 + rng.below(PIPELINE) as usize;
            let mut questions = Vec::new();
            while questions.len() < length {
                questions.append(&mut source.draw());
            }
            asked += questions.len();
            self.ask_all(&questions);
        }
    }

    /// Whether a transaction is open.
    pub fn is_in_transaction(&self) -> bool {
        self.queued.is_some()
    }

    /// Names of the commands that were asked.
    pub fn asked(&self) -> &HashSet<String> {
        &self.asked
    }

    /// Names of the data commands of both.
    pub fn data_commands(&mut self) -> Vec<String> {
        let categories =
            ["string", "bitmap", "list", "set", "sortedset", "hash", "stream", "geo", "hyperloglog", "keyspace"];
        let mut names = Vec::new();
        for category in categories {
            let question = format!("COMMAND LIST FILTERBY ACLCAT {category}");
            let Value::Many(_, listed) = self.stock.client.run(&question) else { panic!("a list of names") };
            names.extend(listed.iter().filter_map(|name| match name {
                Value::Bulk(name) => Some(String::from_utf8_lossy(name).split('|').next()?.to_owned()),
                _ => None,
            }));
        }
        names.sort();
        names.dedup();
        names
    }

    /// A second connection of each server.
    pub fn connect(&self) -> (Client, Client) {
        (self.ours.server.client(), self.stock.server.client())
    }

    /// Remembers something for the story of a failure.
    pub fn note(&mut self, what: &str) {
        self.history.push(what.to_owned());
    }

    /// Fails when two answers, had outside of the usual way, are not equal.
    pub fn expect_same(&mut self, what: &str, ours: &Value, stock: &Value) {
        self.history.push(what.to_owned());
        if ours != stock {
            self.differ("replies", &format!("{ours:?}"), &format!("{stock:?}"));
        }
    }

    /// The payloads of a key, if both have it and no transaction is open.
    pub fn dump(&mut self, key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        if self.is_in_transaction() {
            return None;
        }
        self.history.push(format!("DUMP {}", shown(key)));
        match (self.ours.client.call(&[b"DUMP", key]), self.stock.client.call(&[b"DUMP", key])) {
            (Value::Bulk(ours), Value::Bulk(stock)) => Some((ours, stock)),
            (ours, stock) => {
                if ours != stock {
                    self.differ("replies", &format!("{ours:?}"), &format!("{stock:?}"));
                }
                None
            }
        }
    }

    /// Compares one key in the database that is selected.
    pub fn compare_key(&mut self, key: &[u8]) {
        let (ours, stock) = (content::of(&mut self.ours.client, key), content::of(&mut self.stock.client, key));
        self.history.push(format!("(content of {})", shown(key)));
        if !ours.is_same(&stock) {
            let (ours, stock) = ours.difference(&stock);
            self.differ(&format!("contents of {}", shown(key)), &ours, &stock);
        }
    }

    /// Compares both servers key by key, and each with its replica.
    pub fn compare_keys(&mut self) {
        self.compare_keys_of_all(false);
    }

    /// Gives each server a replica that is the other program, and compares all four key by key.
    pub fn compare_with_new_replicas(&mut self) {
        let stock = stock().expect("it was there before");
        for (side, program) in [(&mut self.ours, stock), (&mut self.stock, ours())] {
            let copy = Server::start(&program);
            copy.follow(&side.server);
            side.copy = Some(copy);
        }
        self.compare_keys_of_all(true);
    }

    /// `is_told_everything`: the replicas had their data from a snapshot, where also that is which the stream does not tell.
    fn compare_keys_of_all(&mut self, is_told_everything: bool) {
        for side in [&mut self.ours, &mut self.stock] {
            if let Some(copy) = &side.copy {
                copy.wait_for(&side.server);
            }
        }
        let mut copies: Vec<Client> =
            [&self.ours, &self.stock].into_iter().filter_map(|side| Some(side.copy.as_ref()?.client())).collect();
        for database in ["0", "9"] {
            self.ask_line(&format!("SELECT {database}"));
            for copy in &mut copies {
                copy.run(&format!("SELECT {database}"));
            }
            let keys = content::keys(&mut self.ours.client);
            // What is over on one side and not looked at there must be missing on the other as well.
            for key in &keys {
                self.compare_key(key);
            }
            let mut left = content::keys(&mut self.ours.client);
            let mut right = content::keys(&mut self.stock.client);
            left.sort();
            right.sort();
            let shown_keys = |keys: &[Vec<u8>]| keys.iter().map(|key| shown(key)).collect::<Vec<_>>().join(" ");
            if left != right {
                self.differ("keys", &shown_keys(&left), &shown_keys(&right));
            }
            let Some([theirs, our]) = copies.get_disjoint_mut([0, 1]).ok() else { continue };
            for key in &left {
                let whole = content::of(&mut self.ours.client, key);
                let (theirs, our) = (content::of(theirs, key), content::of(our, key));
                for (name, a, b) in [
                    ("the stock replica of ours and our replica of stock", &theirs, &our),
                    ("ours and its stock replica", &whole, &theirs),
                ] {
                    let is_same = match is_told_everything {
                        true => a.clone().into_loaded().is_same(&b.clone().into_loaded()),
                        false => a.clone().into_replicated().is_same(&b.clone().into_replicated()),
                    };
                    if !is_same {
                        let (a, b) = a.difference(b);
                        self.differ(&format!("{} on {name}", shown(key)), &a, &b);
                    }
                }
            }
        }
        self.ask_line("SELECT 0");
    }

    /// Compares what the replicas received and which events were told since the last call. A command of which
    /// `is_idle_allowed` says so may reach the stock replica although ours saw that it changes nothing.
    pub fn compare_consequences(&mut self, is_idle_allowed: fn(&[Vec<u8>]) -> bool) {
        self.ask_line("SELECT 0");
        self.ask_line(&format!("SET {LAST} 1"));
        let (ours, stock) = (self.ours.consequences(), self.stock.consequences());
        let (mut at, mut skipped) = (0, Vec::new());
        for (number, expected) in stock.0.iter().enumerate() {
            if ours.0.get(at).is_some_and(|entry| is_same_command(entry, expected)) {
                at += 1;
            } else if is_idle_allowed(expected) {
                skipped.push(expected);
            } else {
                let after = |stream: &[Vec<Vec<u8>>]| {
                    stream.iter().take(4).map(|words| shown_words(words)).collect::<Vec<_>>().join(" | ")
                };
                self.history = stock.0[..number].iter().map(|words| shown_words(words)).collect();
                self.differ("entries of the stream", &after(&ours.0[at..]), &after(&stock.0[number..]));
            }
        }
        if at < ours.0.len() {
            self.differ("ends of the stream", &shown_words(&ours.0[at]), "nothing");
        }
        // Each command that was passed over told one event.
        let mut at = 0;
        for (number, expected) in stock.1.iter().enumerate() {
            let key = expected.split_once(' ').map(|(_, key)| key.as_bytes());
            if ours.1.get(at) == Some(expected) {
                at += 1;
            } else if let Some(position) = skipped.iter().position(|words| words.get(2).map(Vec::as_slice) == key) {
                skipped.remove(position);
            } else {
                self.history = stock.1[..number].to_vec();
                self.differ("events", ours.1.get(at).map_or("nothing", String::as_str), expected);
            }
        }
        if at < ours.1.len() {
            self.differ("ends of the events", &ours.1[at], "nothing");
        }
    }

    fn differ(&self, what: &str, ours: &str, stock: &str) -> ! {
        let kept = std::env::var("HISTORY").ok().and_then(|kept| kept.parse().ok()).unwrap_or(40);
        let recent = self.history[self.history.len().saturating_sub(kept)..].join("\n  ");
        panic!("{what} differ\n ours:  {ours}\n stock: {stock}\nafter the commands\n  {recent}");
    }
}

/// What a replica received: commands, each with the number of its database before it. Where a SELECT stands, before
/// MULTI or after it, differs between versions and means the same.
fn stream(replica: &mut Client, database: &mut Vec<u8>) -> Vec<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
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
            b"PING" | b"REPLCONF" => {}
            b"SELECT" => *database = words[1].clone(),
            b"MULTI" | b"EXEC" => entries.push(words),
            _ => entries.push([std::slice::from_ref(database), &words[..]].concat()),
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

/// Redis 7.0 rewrites `SET … PXAT ms` to its shortest form, 7.2 and we leave it as it was written. So with the ends in what a
/// BLMOVE that waited has become.
fn canonical(words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut words = words.to_vec();
    let Some(name) = words.get_mut(1) else { return words };
    name.make_ascii_uppercase();
    if name == b"LMOVE" {
        words.iter_mut().skip(4).for_each(|end| end.make_ascii_uppercase());
        return words;
    }
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
