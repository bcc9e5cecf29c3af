//! Writes through a failover with redis-rs, in several databases at once.
//!
//!     failover 127.0.0.1:26379,127.0.0.1:26380 0,3
//!
//! It prints "ready" when writing works; then somebody kills the master. It ends well when, in each database, writing has
//! gone on at another master and every write acknowledged since the switch is there, at the replicas too. Every wait has a
//! bound.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Client, Commands, Connection, RedisConnectionInfo, RedisError, RedisResult};

/// Writes acknowledged before "ready".
const BEFORE: u64 = 200;
/// Writes acknowledged since the switch, to end well.
const AFTER: usize = 200;
/// For each phase.
const PATIENCE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const MASTER: &str = "mymaster";

#[derive(Default)]
struct State {
    switched: AtomicBool,
    ready: AtomicUsize,
}

fn urls(sentinels: &str) -> Vec<String> {
    sentinels.split(',').map(|address| format!("redis://{address}")).collect()
}

fn sentinel_client(sentinels: &str, db: i64, kind: SentinelServerType) -> RedisResult<SentinelClient> {
    let redis = RedisConnectionInfo { db, ..Default::default() };
    let node = SentinelNodeConnectionInfo { tls_mode: None, redis_connection_info: Some(redis) };
    SentinelClient::build(urls(sentinels), MASTER.to_owned(), Some(node), kind)
}

/// A connection to whoever has the role now; calls on it end within a second.
fn connect(client: &mut SentinelClient) -> RedisResult<Connection> {
    let connection = client.get_connection()?;
    connection.set_read_timeout(Some(SECOND))?;
    connection.set_write_timeout(Some(SECOND))?;
    Ok(connection)
}

fn master_address(sentinels: &str) -> RedisResult<String> {
    let mut last = None;
    for url in urls(sentinels) {
        let asked = Client::open(url).and_then(|client| client.get_connection_with_timeout(SECOND)).and_then(|mut c| {
            redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(MASTER).query::<(String, String)>(&mut c)
        });
        match asked {
            Ok((host, port)) => return Ok(format!("{host}:{port}")),
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("there is a Sentinel"))
}

fn write(sentinels: &str, db: i64, state: &State) -> Result<Vec<u64>, String> {
    let text = |error: RedisError| error.to_string();
    let mut client = sentinel_client(sentinels, db, SentinelServerType::Master).map_err(text)?;
    let mut connection: Option<Connection> = None;
    // Acknowledged, and sent after the switch was known.
    let mut since = Vec::new();
    let (mut acknowledged, mut failed, mut longest, mut last) = (0, 0, Duration::ZERO, Instant::now());
    let mut limit = last + PATIENCE;
    for n in 0u64.. {
        if since.len() >= AFTER {
            break;
        }
        if Instant::now() > limit {
            return Err(format!(
                "{acknowledged} writes acknowledged, {failed} failed, {} since the switch, and then time was over",
                since.len()
            ));
        }
        if connection.is_none() {
            connection = connect(&mut client).ok();
        }
        let sent_after_switch = state.switched.load(Ordering::Relaxed);
        let result = connection.as_mut().map(|c| c.set::<_, _, ()>(format!("rust:{db}:{n}"), n));
        if !matches!(result, Some(Ok(()))) {
            failed += 1;
            connection = None;
            sleep(Duration::from_millis(10));
            continue;
        }
        acknowledged += 1;
        longest = longest.max(last.elapsed());
        last = Instant::now();
        if sent_after_switch {
            since.push(n);
        }
        if acknowledged == BEFORE {
            state.ready.fetch_add(1, Ordering::Relaxed);
            limit = Instant::now() + PATIENCE;
        }
        sleep(Duration::from_millis(2));
    }
    let mut connection = connection.ok_or("no connection at the end")?;
    for n in &since {
        let value: Option<u64> = connection.get(format!("rust:{db}:{n}")).map_err(text)?;
        if value != Some(*n) {
            return Err(format!("write {n} was acknowledged since the switch, and now it is {value:?}"));
        }
    }
    let info: String = redis::cmd("CLIENT").arg("INFO").query(&mut connection).map_err(text)?;
    if !info.contains(&format!(" db={db} ")) {
        return Err(format!("the connection is not in the database: {info}"));
    }
    println!(
        "db {db}: {acknowledged} writes acknowledged, {} of them since the switch and all there, {failed} failed, longest gap {} ms",
        since.len(),
        longest.as_millis()
    );
    Ok(since)
}

/// A connection to a replica; an error while the Sentinels know of none in service.
fn connect_to_replica(client: &mut SentinelClient) -> Result<Connection, String> {
    let text = |error: RedisError| error.to_string();
    let mut connection = connect(client).map_err(text)?;
    let role: redis::Value = redis::cmd("ROLE").query(&mut connection).map_err(text)?;
    if !format!("{role:?}").contains("slave") {
        return Err(format!("reads do not go to a replica: {role:?}"));
    }
    Ok(connection)
}

fn read_from_replicas(sentinels: &str, db: i64, since: &[u64]) -> Result<(), String> {
    let mut client =
        sentinel_client(sentinels, db, SentinelServerType::Replica).map_err(|error| error.to_string())?;
    let limit = Instant::now() + PATIENCE;
    let mut connection = None;
    let mut left = since.iter();
    let mut next = left.next();
    while let Some(n) = next {
        let found = match &mut connection {
            None => connect_to_replica(&mut client).map(|c| {
                connection = Some(c);
                None
            }),
            Some(c) => c.get::<_, Option<u64>>(format!("rust:{db}:{n}")).map_err(|error| {
                connection = None;
                error.to_string()
            }),
        };
        if found == Ok(Some(*n)) {
            next = left.next();
            continue;
        }
        if Instant::now() > limit {
            return Err(format!("write {n} does not come to a replica: {found:?}"));
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (sentinels, databases) = (args.next().expect("Sentinels"), args.next().expect("databases"));
    let databases: Vec<i64> = databases.split(',').map(|word| word.parse().expect("a number")).collect();
    let old = master_address(&sentinels).expect("a Sentinel answers");
    let state = Arc::new(State::default());
    let threads: Vec<_> = databases
        .iter()
        .map(|&db| {
            let (sentinels, state) = (sentinels.clone(), Arc::clone(&state));
            std::thread::spawn(move || {
                write(&sentinels, db, &state)
                    .and_then(|since| read_from_replicas(&sentinels, db, &since))
                    .map_err(|error| println!("FAILED: db {db}: {error}"))
                    .is_ok()
            })
        })
        .collect();
    let (mut announced, limit) = (false, Instant::now() + PATIENCE * 3);
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < limit {
        if !announced && state.ready.load(Ordering::Relaxed) == databases.len() {
            announced = true;
            println!("ready");
        }
        if !state.switched.load(Ordering::Relaxed) {
            if let Ok(now) = master_address(&sentinels) {
                if now != old {
                    println!("the master was {old} and is {now}");
                    state.switched.store(true, Ordering::Relaxed);
                }
            }
        }
        sleep(Duration::from_millis(20));
    }
    let ended_well = threads.into_iter().all(|thread| thread.is_finished() && thread.join().unwrap_or(false));
    if !ended_well {
        std::process::exit(1);
    }
    println!("ok");
}
