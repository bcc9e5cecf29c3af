//! A server whose reads and writes are shared out among threads, under a crowd: everybody gets what a server without them gives,
//! in the same order.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use super::client::{Client, Reply};
use super::node::{LATER, Node, SOON, wait_for};

const THREADED: [&str; 4] = ["io-threads 4", "io-threads-do-reads yes", "save \"\"", "enable-debug-command yes"];
/// Enough to have the helpers woken in most turns.
const CROWD: usize = 40;

fn threaded(root: &std::path::Path, more: &[&str]) -> Node {
    Node::server(root, &[&THREADED[..], more].concat())
}

fn crowd(node: &Node) -> Vec<Client> {
    (0..CROWD).map(|_| node.client()).collect()
}

/// Has everybody send a pipeline while the server is stopped, so that it finds all of them ready in one turn, however quick it is and
/// slow the others; `check` sees each reply.
fn round(
    node: &Node,
    clients: &mut [Client],
    pipeline: impl Fn(usize) -> Vec<Vec<String>>,
    check: impl Fn(usize, usize, Reply),
) {
    node.stop();
    for (number, client) in clients.iter_mut().enumerate() {
        let mut bytes = Vec::new();
        for words in pipeline(number) {
            bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            words.iter().for_each(|word| bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes()));
        }
        client.send_raw(&bytes).unwrap();
    }
    node.signal("CONT");
    for (number, client) in clients.iter_mut().enumerate() {
        (0..pipeline(number).len()).for_each(|at| check(number, at, client.read().unwrap()));
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn threaded_rounds(node: &Node) -> (u64, u64) {
    let figure = |name| node.info("stats", name).parse::<u64>().unwrap();
    (figure("io_threaded_reads_processed"), figure("io_threaded_writes_processed"))
}

#[test]
fn a_crowd_with_pipelines_gets_its_replies_in_order() {
    let root = tempfile::tempdir().unwrap();
    let node = threaded(root.path(), &[]);
    assert_eq!(node.call(&["CONFIG", "GET", "io-threads*"]).items().len(), 4);
    assert!(!node.log().contains("has no effect"), "{}", node.log());
    let mut clients = crowd(&node);
    for turn in 0..20 {
        round(
            &node,
            &mut clients,
            |number| {
                (0..30)
                    .flat_map(|n| {
                        [
                            words(&format!("SET key:{number} value:{turn}:{n}")),
                            words(&format!("INCR count:{number}")),
                            words(&format!("GET key:{number}")),
                            words(&format!("ECHO {number}:{turn}:{n}")),
                        ]
                    })
                    .collect()
            },
            |number, at, reply| {
                let n = at / 4;
                let expected = match at % 4 {
                    0 => "OK".to_owned(),
                    1 => (turn * 30 + n + 1).to_string(),
                    2 => format!("value:{turn}:{n}"),
                    _ => format!("{number}:{turn}:{n}"),
                };
                assert_eq!(reply.text(), expected, "client {number}, reply {at}");
            },
        );
    }
    assert!(threaded_rounds(&node).0 > 0, "reads are shared out whatever the commands take");
    // Writes are when a turn answers many, which it does not when a few commands took longer than a turn shall: so commands without work
    // decide, again and again, as the processor may be lost at any time. Who asks right after such a crowd sees that the threads were at
    // work, unless a turn of the server's own came between; who asks later does not.
    let (mut written, mut seen_active) = (false, false);
    wait_for("the threads write, and are seen at work", SOON, || {
        round(&node, &mut clients, |_| vec![words("PING")], |_, _, reply| assert_eq!(reply.text(), "PONG"));
        seen_active |= clients[0].call(&["INFO", "server"]).unwrap().text().contains("io_threads_active:1");
        written |= threaded_rounds(&node).1 > 0;
        written && seen_active
    });
    wait_for("the threads are at rest", SOON, || node.info("server", "io_threads_active") == "0");
    assert_eq!(node.call(&["CONFIG", "RESETSTAT"]).text(), "OK");
    assert_eq!(threaded_rounds(&node), (0, 0));
    assert!(node.call(&["CONFIG", "SET", "io-threads", "2"]).text().contains("can't set immutable config"));
}

#[test]
fn transactions_blocking_commands_and_channels_work_in_a_crowd() {
    let root = tempfile::tempdir().unwrap();
    let node = threaded(root.path(), &[]);
    let mut clients = crowd(&node);
    let mut monitor = node.client();
    assert_eq!(monitor.call(&["MONITOR"]).unwrap().text(), "OK");
    let mut listeners = crowd(&node);
    listeners.iter_mut().for_each(|client| assert_eq!(client.call(&["SUBSCRIBE", "news"]).unwrap().items().len(), 3));
    let mut waiting = crowd(&node);
    for turn in 0..5 {
        // Behind what blocks stands what must wait with it.
        for (number, client) in waiting.iter_mut().enumerate() {
            client.send(&["BLPOP", &format!("queue:{number}"), "0"]).unwrap();
            client.send(&["ECHO", &format!("after {turn}")]).unwrap();
        }
        wait_for("all wait", SOON, || node.info("clients", "blocked_clients") == CROWD.to_string());
        round(
            &node,
            &mut clients,
            |number| {
                vec![
                    words("MULTI"),
                    words(&format!("RPUSH queue:{number} item:{turn}")),
                    words(&format!("SET in:{number} {turn}")),
                    words("EXEC"),
                    words(&format!("PUBLISH news {number}:{turn}")),
                ]
            },
            |number, at, reply| match at {
                0 => assert_eq!(reply.text(), "OK"),
                1 | 2 => assert_eq!(reply.text(), "QUEUED"),
                3 => assert_eq!(reply.text(), "1 OK", "client {number}"),
                _ => assert_eq!(reply.text(), CROWD.to_string()),
            },
        );
        for (number, client) in waiting.iter_mut().enumerate() {
            assert_eq!(client.read().unwrap().text(), format!("queue:{number} item:{turn}"));
            assert_eq!(client.read().unwrap().text(), format!("after {turn}"));
        }
        // Everybody hears every message once, in one and the same order.
        let mut first = None;
        for listener in &mut listeners {
            let heard: Vec<String> = (0..CROWD).map(|_| listener.read().unwrap().text()).collect();
            let mut sorted = heard.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), CROWD);
            assert_eq!(first.get_or_insert_with(|| heard.clone()), &heard);
        }
    }
    // What the monitor tells of one client is in the order in which that sent it.
    let mut last: HashMap<String, usize> = HashMap::new();
    let mut seen = 0;
    while seen < 5 * CROWD {
        let line = monitor.read().unwrap().text();
        let quoted: Vec<&str> = line.split('"').collect();
        if quoted.get(1) == Some(&"SET") {
            let (key, turn) = (quoted[3].to_owned(), quoted[5].parse::<usize>().unwrap());
            assert_eq!(last.insert(key, turn), turn.checked_sub(1), "{line}");
            seen += 1;
        }
    }
    let (reads, writes) = threaded_rounds(&node);
    assert!(reads > 0 && writes > 0, "{reads} reads and {writes} writes");
}

/// What was parsed ahead by the threads is put back when its client may not go on, and read once more later.
#[test]
fn a_pause_in_the_middle_of_a_crowd_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let node = threaded(root.path(), &[]);
    let mut clients = crowd(&node);
    let mut admin = node.client();
    for turn in 0..3 {
        assert_eq!(admin.call(&["CLIENT", "PAUSE", "100000", "WRITE"]).unwrap().text(), "OK");
        node.stop();
        for client in &mut clients {
            let text =
                format!("GET none\r\nRPUSH list \"{turn}\\x41 \"\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\nECHO 'a b'\r\n");
            client.send_raw(text.as_bytes()).unwrap();
        }
        node.signal("CONT");
        clients.iter_mut().for_each(|client| assert_eq!(client.read().unwrap().text(), "(null)"));
        wait_for("all are held back", SOON, || {
            node.ask(&["CLIENT", "LIST"]).lines().filter(|line| line.contains("cmd=rpush")).count() == CROWD
        });
        // More arrives for those that are held back.
        clients.iter_mut().for_each(|client| client.send_raw(b"ECHO \"x\\x41\"\r\n").unwrap());
        assert_eq!(node.call(&["LLEN", "list"]).text(), (turn * CROWD).to_string());
        assert_eq!(admin.call(&["CLIENT", "UNPAUSE"]).unwrap().text(), "OK");
        for client in &mut clients {
            assert!(client.read().unwrap().text().parse::<usize>().unwrap() > turn * CROWD);
            for word in ["hi", "a b", "xA"] {
                assert_eq!(client.read().unwrap().text(), word);
            }
        }
        assert_eq!(node.call(&["LINDEX", "list", "-1"]).text(), format!("{turn}A "));
    }
}

#[test]
fn clients_that_leave_or_are_closed_under_way_disturb_nobody() {
    let root = tempfile::tempdir().unwrap();
    let node = threaded(root.path(), &[]);
    let mut stayers = crowd(&node);
    for turn in 0..10 {
        let mut leavers = crowd(&node);
        for (number, client) in leavers.iter_mut().enumerate() {
            let mut text = format!("SET left:{number} {turn}\r\nCLIENT SETNAME leaver\r\n");
            match number % 4 {
                // Leaves with replies unread.
                0 => text.push_str(&"PING\r\n".repeat(200)),
                // Half a request stays behind.
                1 => text.push_str("*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1000000\r\nhalf"),
                // Breaks the protocol in the middle.
                2 => text.push_str("PING\r\n*1\r\n!4\r\nPING\r\nPING\r\n"),
                // Is closed by itself.
                _ => text.push_str("QUIT\r\nSET never here\r\n"),
            }
            let _ = client.send_raw(text.as_bytes());
        }
        round(
            &node,
            &mut stayers,
            |number| vec![words(&format!("SET stay:{number} {turn}")), words(&format!("GET stay:{number}"))],
            |_, at, reply| assert_eq!(reply.text(), if at == 0 { "OK".to_owned() } else { turn.to_string() }),
        );
        drop(leavers);
    }
    wait_for("the leavers are gone", SOON, || !node.ask(&["CLIENT", "LIST"]).contains("name=leaver"));
    assert_eq!(node.call(&["EXISTS", "never", "x"]).text(), "0");
    assert_eq!(node.call(&["GET", "left:0"]).text(), "9");

    // Half of them are killed by the other half, in the middle of their pipelines.
    let ids: Vec<String> = stayers.iter_mut().map(|client| client.call(&["CLIENT", "ID"]).unwrap().text()).collect();
    for (number, client) in stayers.iter_mut().enumerate() {
        let text = match number % 2 {
            0 => format!("SET killer:{number} done\r\nCLIENT KILL ID {}\r\nPING\r\n", ids[number + 1]),
            _ => format!("{}SET victim:{number} done\r\n", "PING\r\n".repeat(100)),
        };
        client.send_raw(text.as_bytes()).unwrap();
    }
    for (number, client) in stayers.iter_mut().enumerate() {
        if number % 2 == 0 {
            let replies: Vec<String> = (0..3).map(|_| client.read().unwrap().text()).collect();
            assert_eq!(replies, ["OK", "1", "PONG"]);
        } else {
            // What it still reads are whole replies in order, then the end.
            let is_end = |error: &io::Error| {
                matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
            };
            let mut heard = 0;
            let error = loop {
                match client.read() {
                    Ok(reply) => {
                        assert_eq!(reply.text(), if heard == 100 { "OK" } else { "PONG" });
                        heard += 1;
                    }
                    Err(error) => break error,
                }
            };
            assert!(is_end(&error) && heard <= 101, "{error} after {heard}");
        }
    }
    assert_eq!(node.call(&["PING"]).text(), "PONG");
}

#[test]
fn big_values_slow_readers_and_limits_on_output() {
    let root = tempfile::tempdir().unwrap();
    let node = threaded(root.path(), &["client-output-buffer-limit pubsub 2mb 0 0"]);
    let mut clients = crowd(&node);
    let value = |number: usize| ((b'a' + (number % 26) as u8) as char).to_string().repeat(300_000 + number);
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.call(&["SET", &format!("big:{number}"), &value(number)]).unwrap().text(), "OK");
    }
    // Three megabytes for each wait in the server until they are read, by one after the other.
    round(
        &node,
        &mut clients,
        |number| vec![words(&format!("GET big:{number}")); 10],
        |number, at, reply| assert!(reply.text() == value(number), "client {number}, reply {at}"),
    );
    // Listeners that do not read are closed, those that read are not.
    let mut deaf: Vec<Client> = (0..20).map(|_| node.client()).collect();
    let mut eager: Vec<Client> = (0..10).map(|_| node.client()).collect();
    for client in deaf.iter_mut().chain(&mut eager) {
        client.call(&["SUBSCRIBE", "news"]).unwrap();
    }
    let message = "m".repeat(200_000);
    let mut published = 0;
    wait_for("those that do not read are closed", LATER, || {
        let heard = clients[0].call(&["PUBLISH", "news", &message]).unwrap().text();
        published += 1;
        eager.iter_mut().for_each(|client| assert_eq!(client.read().unwrap().items()[2].text(), message));
        heard == "10"
    });
    assert!(published > 2, "{published}");
    assert_eq!(node.info("stats", "client_output_buffer_limit_disconnections"), "20");
    let (reads, writes) = threaded_rounds(&node);
    assert!(reads > 0 && writes > 0, "{reads} reads and {writes} writes");
}

#[test]
fn replicas_get_the_same_stream_and_every_reply_waits_for_the_log() {
    let root = tempfile::tempdir().unwrap();
    let master = threaded(root.path(), &["appendonly yes", "appendfsync always", "repl-diskless-sync-delay 0"]);
    let port = master.port.to_string();
    let replicas: Vec<Node> =
        (0..3).map(|_| threaded(root.path(), &[&format!("replicaof 127.0.0.1 {port}")])).collect();
    let mut clients = crowd(&master);
    for turn in 0..10 {
        round(
            &master,
            &mut clients,
            |number| {
                let key = format!("list:{number}");
                (0..20).map(|n| words(&format!("RPUSH {key} {turn}:{n}"))).chain([words("WAIT 1 0")]).collect()
            },
            |_, at, reply| {
                let expected = if at < 20 { turn * 20 + at + 1 } else { 1 };
                let got: usize = reply.text().parse().unwrap();
                assert!(if at < 20 { got == expected } else { (1..=3).contains(&got) }, "{got} for reply {at}");
            },
        );
    }
    let offset = |node: &Node| node.info("replication", "master_repl_offset");
    let digest = |node: &Node| node.ask(&["DEBUG", "DIGEST"]);
    wait_for("the replicas are as far as the master", LATER, || replicas.iter().all(|r| offset(r) == offset(&master)));
    let whole = digest(&master);
    assert!(whole.len() == 40 && whole.contains(|c| c != '0'), "{whole}");
    replicas.iter().for_each(|replica| assert_eq!(digest(replica), whole));
    // What was acknowledged is in the log, whoever sent the acknowledgement.
    let mut master = master;
    master.kill();
    master.start_again();
    assert_eq!(master.ask(&["DEBUG", "DIGEST"]), whole);
    drop(clients);
}

#[test]
fn a_stuck_script_is_found_out_by_the_crowd() {
    let root = tempfile::tempdir().unwrap();
    let node = threaded(root.path(), &["busy-reply-threshold 100"]);
    let mut clients = crowd(&node);
    for (number, client) in clients.iter_mut().enumerate() {
        let text = if number == 20 { "EVAL \"while true do end\" 0\r\n" } else { "PING\r\n" };
        client.send_raw(text.as_bytes()).unwrap();
    }
    let mut admin = node.client();
    wait_for("the server is busy", SOON, || admin.call(&["PING"]).unwrap().text().starts_with("BUSY"));
    for (number, client) in clients.iter_mut().enumerate() {
        if number != 20 {
            let text = client.read().unwrap().text();
            assert!(text == "PONG" || text.starts_with("BUSY"), "{text}");
        }
    }
    assert_eq!(admin.call(&["SCRIPT", "KILL"]).unwrap().text(), "OK");
    assert!(clients[20].read().unwrap().text().contains("Script killed by user"));
    round(&node, &mut clients, |_| vec![words("PING")], |_, _, reply| assert_eq!(reply.text(), "PONG"));
}

#[test]
fn a_failed_assertion_ends_the_process_as_asked() {
    let root = tempfile::tempdir().unwrap();
    let mut node = threaded(root.path(), &[]);
    let mut client = node.client();
    assert_eq!(client.call(&["CONFIG", "SET", "use-exit-on-panic", "yes"]).unwrap().text(), "OK");
    assert!(client.call(&["DEBUG", "PANIC"]).is_err());
    let mut code = None;
    wait_for("the process ends", Duration::from_secs(30), || {
        code = node.exit_code();
        code.is_some()
    });
    assert_eq!(code, Some(1));
    assert!(node.log().contains("DEBUG PANIC asked for it"), "{}", node.log());
}
