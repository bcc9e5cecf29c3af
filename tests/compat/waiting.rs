//! Commands that may wait: those that have no time for it, in the midst of others; and clients that do wait while others write.

use rredis::base::rng::Rng;

use crate::client::{Client, Value};
use crate::pair::Pair;
use crate::question::{Question, Source};
use crate::seed::{Draw, Seed};
use crate::streams;

/// Commands and scenes in one run.
const COMMANDS: usize = 400;
const SCENES: usize = 120;

/// Blocking commands that end at once, whether or not there is something for them.
pub struct Impatient(pub Rng);

fn list(rng: &mut Rng) -> &'static str {
    rng.one_of(&["l0", "l1", "l2", "l3", "l0", "l1", "text", "vacant"])
}

fn sorted_set(rng: &mut Rng) -> &'static str {
    rng.one_of(&["z0", "z1", "z2", "z3", "z0", "z1", "text", "vacant"])
}

fn end(rng: &mut Rng) -> &'static str {
    rng.one_of(&["LEFT", "RIGHT", "left"])
}

/// A blocking command with its timeout in seconds.
fn blocking(rng: &mut Rng, timeout: &str) -> Vec<String> {
    let words: Vec<&str> = match rng.below(7) {
        0 => vec![rng.one_of(&["BLPOP", "BRPOP"]), list(rng), list(rng), timeout],
        1 => vec!["BLMOVE", list(rng), list(rng), end(rng), end(rng), timeout],
        2 => vec!["BRPOPLPUSH", list(rng), list(rng), timeout],
        3 => vec!["BLMPOP", timeout, "2", list(rng), list(rng), end(rng), "COUNT", rng.one_of(&["1", "2", "0", "9"])],
        4 | 5 => vec![rng.one_of(&["BZPOPMIN", "BZPOPMAX"]), sorted_set(rng), sorted_set(rng), timeout],
        _ => {
            vec![
                "BZMPOP",
                timeout,
                "2",
                sorted_set(rng),
                sorted_set(rng),
                rng.one_of(&["MIN", "max"]),
                "COUNT",
                rng.one_of(&["1", "2"]),
            ]
        }
    };
    words.into_iter().map(str::to_owned).collect()
}

impl Source for Impatient {
    fn draw(&mut self) -> Vec<Question> {
        let rng = &mut self.0;
        if rng.percent(25) {
            let key = rng.one_of(&["x0", "x1", "x2", "vacant", "text"]);
            let id = rng.one_of(&["$", "0", "5", "18446744073709551615", "x"]);
            return match rng.below(2) {
                0 => vec![Question::exact([
                    "XREAD",
                    "COUNT",
                    "2",
                    "BLOCK",
                    rng.one_of(&["1", "-1", "x"]),
                    "STREAMS",
                    key,
                    id,
                ])],
                _ => {
                    let group = rng.one_of(&["g", "h"]);
                    vec![
                        Question::exact(["XGROUP", "CREATECONSUMER", key, group, "a"]),
                        Question::exact([
                            "XREADGROUP",
                            "GROUP",
                            group,
                            "a",
                            "COUNT",
                            "1",
                            "BLOCK",
                            "1",
                            "STREAMS",
                            key,
                            ">",
                        ]),
                    ]
                }
            };
        }
        let timeout = rng.one_of(&["0.001", "0.001", "0.001", "0.002", "-1", "x", "", "1e400", "nan"]);
        vec![Question::judged(blocking(rng, timeout), same_refusal)]
    }
}

/// 7.0 takes a timeout beyond its range for a negative one.
fn same_refusal(_: &[Vec<u8>], ours: &Value, stock: &Value) -> bool {
    let error = |text: &str| Value::Error(format!("ERR timeout is {text}"));
    *ours == error("out of range") && *stock == error("negative")
}

/// A key of the four with this prefix, or `text`.
fn filled(rng: &mut Rng, prefix: &str) -> &'static str {
    let keys = if prefix == "l" { ["l0", "l1", "l2", "l3", "text"] } else { ["z0", "z1", "z2", "z3", "text"] };
    rng.one_of(&keys)
}

/// A command that gives to who waits, perhaps. It leaves `vacant` alone: since 7.2 a client is refused when one of its keys
/// has got another type.
fn gift(rng: &mut Rng) -> Vec<String> {
    let number = rng.below(100).to_string();
    let words: Vec<&str> = match rng.below(9) {
        0..=2 => vec![rng.one_of(&["LPUSH", "RPUSH"]), filled(rng, "l"), &number, "b"],
        3 | 4 => vec!["ZADD", filled(rng, "z"), &number, "m1", "3", "m2"],
        5 => vec!["LMOVE", filled(rng, "l"), filled(rng, "l"), end(rng), end(rng)],
        6 => vec!["SORT", filled(rng, "l"), "ALPHA", "STORE", "l0"],
        7 => {
            vec![rng.one_of(&["RENAME", "COPY"]), rng.one_of(&["l0", "l1", "vacant"]), rng.one_of(&["l0", "l1", "l2"])]
        }
        _ => vec!["DEL", rng.one_of(&["l0", "l1"]), rng.one_of(&["z0", "z1"])],
    };
    words.into_iter().map(str::to_owned).collect()
}

/// A client that waits, on each side, or has been answered already.
struct Waiter {
    ours: (Client, String),
    stock: (Client, String),
}

fn begin(client: &mut Client, control: &mut Client, words: &[String]) -> String {
    let Value::Int(id) = client.run("CLIENT ID") else { panic!("an id") };
    client.send_all([words]);
    // Until it waits or is answered.
    loop {
        let Value::Bulk(line) = control.run(&format!("CLIENT LIST ID {id}")) else { panic!("a client") };
        let is_blocked = String::from_utf8_lossy(&line)
            .split(' ')
            .any(|field| field.strip_prefix("flags=").is_some_and(|flags| flags.contains('b')));
        if is_blocked || client.has_answer() {
            return id.to_string();
        }
        std::thread::yield_now();
    }
}

/// Some clients wait, one writes, and the rest is released.
pub fn scene(pair: &mut Pair, rng: &mut Rng) {
    pair.ask_line("SELECT 0");
    let (mut ours, mut stock) = pair.connect();
    let mut waiters = Vec::new();
    for _ in 0..rng.between(1, 3) {
        let words = blocking(rng, "0");
        pair.note(&format!("(waiting) {}", words.join(" ")));
        let (mut a, mut b) = pair.connect();
        let (id_a, id_b) = (begin(&mut a, &mut ours, &words), begin(&mut b, &mut stock, &words));
        waiters.push(Waiter { ours: (a, id_a), stock: (b, id_b) });
    }
    let is_transaction = rng.percent(40);
    if is_transaction {
        pair.ask_line("MULTI");
    }
    for _ in 0..rng.between(1, 3) {
        pair.ask_all(&[Question::exact(gift(rng))]);
    }
    if is_transaction {
        pair.ask_line("EXEC");
    }
    for waiter in &mut waiters {
        let how = rng.one_of(&["", " ERROR", " TIMEOUT"]);
        let answers = [
            ours.run(&format!("CLIENT UNBLOCK {}{how}", waiter.ours.1)),
            stock.run(&format!("CLIENT UNBLOCK {}{how}", waiter.stock.1)),
        ];
        pair.expect_same("CLIENT UNBLOCK", &answers[0], &answers[1]);
        let (a, b) = (waiter.ours.0.receive(), waiter.stock.0.receive());
        pair.expect_same("what the one who waited got", &a, &b);
    }
}

#[test]
fn who_waits_is_served_alike() {
    let Some(mut pair) = Pair::start() else { return };
    let seed = Seed::from_env();
    let mut rng = Rng::seeded(seed.0);
    pair.ask_line("SET text v");
    let mut impatient = Impatient(Rng::seeded(seed.0));
    for _ in 0..SCENES {
        scene(&mut pair, &mut rng);
        pair.run(&mut Rng::seeded(seed.0), &mut impatient, COMMANDS / SCENES);
    }
    pair.compare_keys();
    pair.compare_consequences(|_| false);
}

#[test]
fn waiting_for_a_stream_is_answered_alike() {
    let Some(mut pair) = Pair::start() else { return };
    pair.ask_line("XADD x0 1-1 f v");
    pair.ask_line("XGROUP CREATE x0 g $");
    pair.ask_line("XGROUP CREATECONSUMER x0 g a");
    let commands = ["XREAD BLOCK 0 STREAMS x1 x0 0 $", "XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS x0 >"];
    for (number, command) in commands.iter().enumerate() {
        let (mut ours, mut stock) = pair.connect();
        let (mut a, mut b) = pair.connect();
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        begin(&mut a, &mut ours, &words);
        begin(&mut b, &mut stock, &words);
        pair.ask_line(&format!("XADD x0 {}-1 f v", number + 2));
        let answers = (a.receive(), b.receive());
        pair.expect_same(command, &streams::timeless(&answers.0), &streams::timeless(&answers.1));
    }
    pair.compare_keys();
    pair.compare_consequences(|_| false);
}
