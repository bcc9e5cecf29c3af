//! Scripts as locks and job queues use them, under load: what must be done by one is done by one, nothing is lost, nothing done
//! twice. The scripts are ours, after the published algorithms of Redisson's lock, BullMQ's queue and Sidekiq's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::client::{Client, Reply};
use super::node::{LATER, Node, wait_for};

/// Runs a script by its hash, and by its text when the server does not know it, as every library does.
fn run(client: &mut Client, script: &str, keys: &[&str], argv: &[&str]) -> Reply {
    let count = keys.len().to_string();
    let tail: Vec<&str> = keys.iter().chain(argv).copied().collect();
    let sha = sha1(script);
    let by_hash = [&["EVALSHA", &sha, &count], &tail[..]].concat();
    let reply = client.call(&by_hash).expect("an answer");
    if !reply.text().starts_with("NOSCRIPT") {
        assert!(!reply.is_error(), "{}: {script}", reply.text());
        return reply;
    }
    let reply = client.call(&[&["EVAL", script, &count], &tail[..]].concat()).expect("an answer");
    assert!(!reply.is_error(), "{}: {script}", reply.text());
    reply
}

fn sha1(script: &str) -> String {
    rredis::base::hash::sha1(script.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Somebody else keeps the server busy, forgets its scripts now and then, and looks at what slows it down.
fn with_noise(port: u16, work: impl FnOnce() + Send) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(port).expect("a connection");
            for n in 0u64.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                for part in 0..20 {
                    client.send(&["SET", &format!("noise:{}", n % 100), &format!("{n}:{part}"), "PX", "100"]).unwrap();
                }
                client.send(&["SCRIPT", if n % 50 == 0 { "FLUSH" } else { "HELP" }]).unwrap();
                (0..21).for_each(|_| assert!(!client.read().unwrap().is_error()));
            }
        });
        work();
        is_over.store(true, Ordering::Relaxed);
    });
}

/// Takes the lock (again), or tells how long another still has it.
const LOCK: &str = "
    if redis.call('exists', KEYS[1]) == 0 or redis.call('hexists', KEYS[1], ARGV[2]) == 1 then
        redis.call('hincrby', KEYS[1], ARGV[2], 1)
        redis.call('pexpire', KEYS[1], ARGV[1])
        return nil
    end
    return redis.call('pttl', KEYS[1])";

/// Gives it back once, and tells those who wait when that was the last time.
const UNLOCK: &str = "
    if redis.call('hexists', KEYS[1], ARGV[3]) == 0 then
        return nil
    end
    if redis.call('hincrby', KEYS[1], ARGV[3], -1) > 0 then
        redis.call('pexpire', KEYS[1], ARGV[2])
        return 0
    end
    redis.call('del', KEYS[1])
    redis.call('publish', KEYS[2], ARGV[1])
    return 1";

#[test]
fn a_reentrant_lock_lets_one_owner_in_at_a_time() {
    const OWNERS: u64 = 8;
    const TURNS: u64 = 25;
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\""]);
    let owner = |number: u64| {
        let mut client = Client::connect(node.port).unwrap();
        let mut waiting = Client::connect(node.port).unwrap();
        waiting.call(&["SUBSCRIBE", "lock:channel"]).unwrap();
        let name = format!("owner:{number}");
        let end = Instant::now() + LATER;
        for _ in 0..TURNS {
            while run(&mut client, LOCK, &["lock"], &["30000", &name]) != Reply::Null {
                assert!(Instant::now() < end, "the lock does not come free");
                // A moment later.
                assert_eq!(client.call(&["BLPOP", "nothing", "0.005"]).unwrap(), Reply::Null);
            }
            assert_eq!(
                run(&mut client, LOCK, &["lock"], &["30000", &name]),
                Reply::Null,
                "the owner may take it again"
            );
            // What the lock is there for: reading and writing apart from each other.
            let value: u64 = client.call(&["GET", "counter"]).unwrap().text().parse().unwrap_or_default();
            client.call(&["PING"]).unwrap();
            client.call(&["SET", "counter", &(value + 1).to_string()]).unwrap();
            let unlock = |client: &mut Client| run(client, UNLOCK, &["lock", "lock:channel"], &["0", "30000", &name]);
            assert_eq!((unlock(&mut client), unlock(&mut client)), (Reply::Int(0), Reply::Int(1)));
            assert_eq!(unlock(&mut client), Reply::Null, "nobody gives back what is not theirs");
        }
        // Everybody hears of every lock given back, own ones included.
        (0..TURNS).for_each(|_| assert_eq!(waiting.read().unwrap().items()[1].text(), "lock:channel"));
    };
    with_noise(node.port, || {
        std::thread::scope(|scope| {
            (0..OWNERS).for_each(|number| {
                drop(scope.spawn({
                    let owner = &owner;
                    move || owner(number)
                }))
            })
        });
    });
    assert_eq!(node.ask(&["GET", "counter"]), (OWNERS * TURNS).to_string());
    assert_eq!(node.ask(&["EXISTS", "lock"]), "0");
}

/// Adds a job: at once, or for later when it has a delay.
const ADD: &str = "
    local id = redis.call('incr', KEYS[1])
    redis.call('hset', KEYS[2] .. id, 'name', ARGV[1], 'data', ARGV[2], 'attempts', 0)
    if tonumber(ARGV[3]) > 0 then
        redis.call('zadd', KEYS[4], ARGV[3], id)
        redis.call('xadd', KEYS[5], 'MAXLEN', '~', '10000', '*', 'event', 'delayed', 'jobId', id)
    else
        redis.call('lpush', KEYS[3], id)
        redis.call('xadd', KEYS[5], 'MAXLEN', '~', '10000', '*', 'event', 'waiting', 'jobId', id)
    end
    return id";

/// What is due is put in line; then the first in line is taken, with a lock that runs out.
const TAKE: &str = "
    local due = redis.call('zrangebyscore', KEYS[4], 0, ARGV[1], 'LIMIT', 0, 100)
    if #due > 0 then
        redis.call('zrem', KEYS[4], unpack(due))
        redis.call('lpush', KEYS[3], unpack(due))
    end
    local id = redis.call('lmove', KEYS[3], KEYS[6], 'RIGHT', 'LEFT')
    if not id then return nil end
    redis.call('set', KEYS[2] .. id .. ':lock', ARGV[2], 'PX', ARGV[3])
    redis.call('hincrby', KEYS[2] .. id, 'attempts', 1)
    redis.call('xadd', KEYS[5], '*', 'event', 'active', 'jobId', id)
    return {id, redis.call('hgetall', KEYS[2] .. id)}";

/// A job is done, if its lock is still ours.
const FINISH: &str = "
    local lock = KEYS[2] .. ARGV[1] .. ':lock'
    if redis.call('get', lock) ~= ARGV[2] then return -2 end
    redis.call('del', lock)
    if redis.call('lrem', KEYS[6], -1, ARGV[1]) == 0 then return -3 end
    redis.call('zadd', KEYS[7], ARGV[3], ARGV[1])
    redis.call('hset', KEYS[2] .. ARGV[1], 'returnvalue', ARGV[4], 'finishedOn', ARGV[3])
    redis.call('xadd', KEYS[5], '*', 'event', 'completed', 'jobId', ARGV[1])
    return 0";

/// Jobs whose worker is gone are put in line again.
const UNSTICK: &str = "
    local moved = 0
    for _, id in ipairs(redis.call('lrange', KEYS[6], 0, -1)) do
        if redis.call('exists', KEYS[2] .. id .. ':lock') == 0 then
            redis.call('lrem', KEYS[6], 1, id)
            redis.call('rpush', KEYS[3], id)
            moved = moved + 1
        end
    end
    return moved";

const BULL: [&str; 7] =
    ["bull:id", "bull:", "bull:wait", "bull:delayed", "bull:events", "bull:active", "bull:completed"];

#[test]
fn a_queue_with_locks_finishes_every_job_once_although_workers_die() {
    const JOBS: u64 = 300;
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\"", "appendonly yes"]);
    let port = node.port;
    let finished = AtomicU64::new(0);
    let producer = |number: u64| {
        let mut client = Client::connect(port).unwrap();
        for job in 0..JOBS / 3 {
            let due = if job % 4 == 0 { (job + 1).to_string() } else { "0".to_owned() };
            run(&mut client, ADD, &BULL, &["paint", &format!("{number}:{job}"), &due]);
        }
    };
    let worker = |number: u64| {
        let mut client = Client::connect(port).unwrap();
        let token = format!("token:{number}");
        let end = Instant::now() + LATER;
        let mut taken = 0u64;
        while finished.load(Ordering::Relaxed) < JOBS {
            assert!(Instant::now() < end, "{} of {JOBS} jobs are done", finished.load(Ordering::Relaxed));
            let job = run(&mut client, TAKE, &BULL, &[&JOBS.to_string(), &token, "200"]);
            let Some(id) = job.items().first().map(Reply::text) else {
                // Nobody waits for ever for what is only taken back when its lock has run out.
                assert_eq!(client.call(&["BLPOP", "bull:nothing", "0.01"]).unwrap(), Reply::Null);
                run(&mut client, UNSTICK, &BULL, &[]);
                continue;
            };
            taken += 1;
            if number == 0 && taken.is_multiple_of(5) {
                // This worker dies with a job in its hands, and comes back.
                client = Client::connect(port).unwrap();
                continue;
            }
            match run(&mut client, FINISH, &BULL, &[&id, &token, &taken.to_string(), "fine"]) {
                Reply::Int(0) => drop(finished.fetch_add(1, Ordering::Relaxed)),
                // It took too long on this machine, and somebody else has the job.
                Reply::Int(-2 | -3) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    with_noise(port, || {
        std::thread::scope(|scope| {
            let (producer, worker) = (&producer, &worker);
            (0..3).for_each(|number| drop(scope.spawn(move || producer(number))));
            (0..6).for_each(|number| drop(scope.spawn(move || worker(number))));
        });
    });
    let numbers = |node: &Node| {
        ["ZCARD bull:completed", "LLEN bull:wait", "LLEN bull:active", "ZCARD bull:delayed"]
            .map(|line| node.ask(&line.split(' ').collect::<Vec<_>>()))
    };
    let expected = [&*JOBS.to_string(), "0", "0", "0"];
    assert_eq!(numbers(&node), expected);
    let mut events: BTreeMap<String, u64> = BTreeMap::new();
    for event in node.call(&["XRANGE", "bull:events", "-", "+"]).items() {
        let fields: Vec<String> = event.items()[1].items().iter().map(Reply::text).collect();
        *events.entry(fields[1].clone()).or_default() += 1;
    }
    assert_eq!(events["completed"], JOBS);
    assert_eq!(events["waiting"] + events["delayed"], JOBS);
    // The same from the append only file: what was written are the effects.
    let mut node = node;
    node.kill();
    node.start_again();
    wait_for("the queue is as it was", LATER, || numbers(&node) == expected);
}

/// The first job whose time has come, taken away.
const POP_DUE: &str = "
    local found = redis.call('zrangebyscore', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)
    if found[1] then
        redis.call('zrem', KEYS[1], found[1])
        return found[1]
    end
    return false";

#[test]
fn scheduled_jobs_are_enqueued_by_one_of_many_pollers_and_fetched_by_one_of_many_workers() {
    const JOBS: u64 = 400;
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(root.path(), &["save \"\""]);
    let port = node.port;
    let mut client = Client::connect(port).unwrap();
    for job in 0..JOBS {
        let queue = if job % 5 == 0 { "critical" } else { "default" };
        let payload = format!("{{\"jid\":\"{job}\",\"queue\":\"{queue}\"}}");
        client.call(&["ZADD", "schedule", &(job % 7).to_string(), &payload]).unwrap();
    }
    let enqueued = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let poller = || {
        let mut client = Client::connect(port).unwrap();
        let end = Instant::now() + LATER;
        while enqueued.load(Ordering::Relaxed) < JOBS {
            assert!(Instant::now() < end, "{} of {JOBS} jobs are enqueued", enqueued.load(Ordering::Relaxed));
            let job = run(&mut client, POP_DUE, &["schedule"], &["6"]);
            if job == Reply::Null {
                continue;
            }
            let queue = if job.text().contains("critical") { "critical" } else { "default" };
            client.call(&["MULTI"]).unwrap();
            client.call(&["SADD", "queues", queue]).unwrap();
            client.call(&["LPUSH", &format!("queue:{queue}"), &job.text()]).unwrap();
            assert_eq!(client.call(&["EXEC"]).unwrap().items().len(), 2);
            enqueued.fetch_add(1, Ordering::Relaxed);
        }
    };
    let worker = || {
        let mut client = Client::connect(port).unwrap();
        let end = Instant::now() + LATER;
        while done.load(Ordering::Relaxed) < JOBS {
            assert!(Instant::now() < end, "{} of {JOBS} jobs are done", done.load(Ordering::Relaxed));
            let found = client.call(&["BRPOP", "queue:critical", "queue:default", "0.1"]).unwrap();
            let Some(job) = found.items().get(1).map(Reply::text) else { continue };
            client.call(&["HINCRBY", "runs", &job, "1"]).unwrap();
            client.call(&["INCR", "stat:processed"]).unwrap();
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    with_noise(port, || {
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(poller)));
            (0..6).for_each(|_| drop(scope.spawn(worker)));
        });
    });
    let runs = client.call(&["HVALS", "runs"]).unwrap();
    assert_eq!(runs.items().len() as u64, JOBS);
    assert!(runs.items().iter().all(|count| count.text() == "1"), "a job was run twice");
    assert_eq!(node.ask(&["GET", "stat:processed"]), JOBS.to_string());
    assert_eq!(node.ask(&["ZCARD", "schedule"]), "0");
}
