//! The whole server on a disk in memory that fails: every operation of the disk meets every fault once, and after a restart the
//! data are a state that existed and holds everything that was acknowledged.
//!
//! A run writes, rewrites twice, switches the AOF off and on and leaves; command number n is `INCR counter` and `SET key:n n`, so the
//! data say by themselves which state they are. Threads of the server run as they do in real life; only the loop is turned by
//! the test. `CRASH_RUNS=n make crash` takes n fault points instead of a few per operation.
//!
//! The run has a replication stream, too: whatever place in it the files claim after the restart is one at which the data were
//! exactly these, and the bytes they give for its end are its bytes.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use crate::base::files::memory::{Fault, MemoryFiles};
use crate::base::files::{Files, read_whole};
use crate::base::id::HexId;
use crate::base::rng::Rng;
use crate::base::time::Now;
use crate::config::model::Config;
use crate::config::values::AppendFsync;
use crate::exec::execute;
use crate::net::{ListenOptions, Loop};
use crate::repl::node::Position;
use crate::resp::args::OwnedArgs;
use crate::resp::out::Out;
use crate::server::drivers::aof::Aof;
use crate::server::{Identity, Server, Turn};
use crate::session::Session;

/// A server and its loop.
struct World {
    server: Server,
    event_loop: Loop,
    session: Session,
    now: Now,
}

impl World {
    fn start(files: &MemoryFiles, policy: AppendFsync, preamble: bool) -> Option<World> {
        World::start_at(files, policy, preamble, None)
    }

    fn start_at(files: &MemoryFiles, policy: AppendFsync, preamble: bool, restore_to: Option<i64>) -> Option<World> {
        let mut config = Config::default();
        config.persistence.appendonly = true;
        config.persistence.appendfsync = policy;
        config.persistence.aof_use_rdb_preamble = preamble;
        config.persistence.auto_aof_rewrite_percentage = 0;
        config.persistence.aof_timestamp_enabled = true;
        World::start_with(files, config, restore_to)
    }

    /// A server that saves when it is told so, and has no AOF.
    fn start_without_aof(files: &MemoryFiles) -> Option<World> {
        World::start_with(files, Config::default(), None)
    }

    fn start_with(files: &MemoryFiles, mut config: Config, restore_to: Option<i64>) -> Option<World> {
        config.process.dir = "/s".into();
        config.persistence.save.clear();
        let has_aof = config.persistence.appendonly;
        let mut event_loop = Loop::new().unwrap();
        let mut now = event_loop.net().now();
        // The tests' time runs ahead of the real one; who goes back does so afterwards.
        now.wall_us = restore_to.map_or(now.wall_us, |moment| (moment + 10) * 1_000_000);
        let mut rng = Rng::seeded(7);
        let identity = Identity::of_this_process(String::new(), &mut rng, now);
        let mut server = Server::new(config, identity, rng, now, Arc::new(files.clone()), Arc::new(|| {}));
        let session = Session::new(crate::base::id::ClientId(1), "a:1", "b:2", false, &server.engine.acl, now.mono);
        server.aof.restore_to = restore_to;
        match has_aof {
            true => server.begin_loading_aof().ok()?,
            false => server.begin_loading().ok()?,
        };
        let mut world = World { server, event_loop, session, now };
        for _ in 0..100_000 {
            if !world.server.engine.facts.is_loading || world.server.is_leaving {
                break;
            }
            world.turn();
            std::thread::yield_now();
        }
        (!world.server.is_leaving && !world.server.engine.facts.is_loading).then_some(world)
    }

    /// Begins a replication stream, as a first replica would.
    fn begin_stream(&mut self) {
        let id = HexId::random(&mut Rng::seeded(9));
        self.server.repl.node.restore(self.now.mono, Position { id, end: 0, db: 0 });
        self.server.refresh_replication_facts();
    }

    /// The bytes of the stream that are kept, from the first.
    fn stream(&self) -> (u64, Vec<u8>) {
        let history = self.server.repl.node.history();
        let Some(backlog) = history.backlog() else { return (history.next(), Vec::new()) };
        let (first, mut bytes) = (backlog.first(), Vec::new());
        while let Some(chunk) = history.read(first + bytes.len() as u64) {
            bytes.extend_from_slice(chunk.as_bytes());
        }
        (first, bytes)
    }

    fn turn(&mut self) {
        self.server.engine.now = self.now;
        Turn { server: &mut self.server, net: self.event_loop.net() }.end_turn();
    }

    /// A connection that follows the stream from its beginning.
    fn follower(&mut self) -> TcpStream {
        self.begin_stream();
        let options = ListenOptions { backlog: 1, keepalive: 0, mark: 0, is_tls: false };
        let report = self.event_loop.net().listen_tcp(&["127.0.0.1"], 0, &options);
        let address = self.event_loop.net().listener_address(report.listeners[0]).unwrap();
        let mut follower = TcpStream::connect(address).unwrap();
        follower.set_nonblocking(true).unwrap();
        let id = self.server.repl.node.history().identity().id().to_string();
        write!(follower, "PSYNC {id} 1\r\n").unwrap();
        follower
    }

    /// Whole turns of the loop, until the follower was sent this or the server leaves. What it was sent.
    fn sent_until(&mut self, follower: &mut TcpStream, text: &str) -> String {
        let mut sent = Vec::new();
        for _ in 0..100_000 {
            self.event_loop.turn(&mut self.server).unwrap();
            let _ = follower.read_to_end(&mut sent);
            if self.server.is_leaving || String::from_utf8_lossy(&sent).contains(text) {
                return String::from_utf8(sent).unwrap();
            }
        }
        panic!("{text:?} never came, only {sent:?}");
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono = self.now.mono + ms;
        self.now.mono_us += ms * 1000;
        self.now.wall_us += ms as i64 * 1000;
    }

    fn call(&mut self, words: &[&str]) -> String {
        self.server.engine.now = self.now;
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let args = OwnedArgs::of(&words);
        let (table, mut out) = (std::rc::Rc::clone(&self.server.table), Out::new());
        let mut turn = Turn { server: &mut self.server, net: self.event_loop.net() };
        execute(&mut turn, &table, &mut self.session, &args.as_args(), &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn aof(&self) -> &Aof {
        &self.server.aof
    }

    /// Turns until nothing is under way. False when the server leaves.
    fn settle(&mut self) -> bool {
        for _ in 0..100_000 {
            self.turn();
            if self.server.is_leaving {
                return false;
            }
            let aof = self.aof();
            let is_busy = self.server.snapshots.target().is_some()
                || aof.appender.syncs_under_way() > 0
                || aof.is_rewriting()
                || aof.appender.holds_replies() && aof.appender.safe() < aof.appender.taken();
            if !is_busy {
                return true;
            }
            std::thread::yield_now();
        }
        panic!("it never comes to rest");
    }
}

/// What is known at the end of a run.
#[derive(Debug, Default)]
struct Run {
    /// Commands executed.
    executed: u64,
    /// Commands whose reply may have left.
    acknowledged: u64,
    /// Commands that were on disk by the server's own account.
    on_disk: u64,
    /// The server said that it is in trouble, or ended.
    was_in_trouble: bool,
    /// How many changes there had been at which places in the stream.
    places: BTreeSet<(u64, u64)>,
    /// The whole stream.
    stream: Vec<u8>,
}

impl Run {
    fn note_place(&mut self, world: &World, changes: u64) {
        self.places.insert((changes, world.server.stream_end()));
    }

    /// Whether the data were the result of so many changes when the stream was at this place. Between a SELECT and the change for
    /// which it was written they were, too.
    fn had(&self, changes: u64, place: u64) -> bool {
        const SELECT: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
        let is_noted = |place| self.places.contains(&(changes, place));
        let before = &self.stream[..place as usize];
        is_noted(place) || before.ends_with(SELECT) && is_noted(place - SELECT.len() as u64)
    }
}

fn write(world: &mut World, run: &mut Run, commands: u64) -> bool {
    for _ in 0..commands {
        let next = run.executed + 1;
        run.note_place(world, 2 * run.executed);
        if world.call(&["INCR", "counter"]).starts_with('-') {
            // MISCONF: nothing was executed. Time heals, or not.
            run.was_in_trouble = true;
            world.pass(1000);
            if !world.settle() {
                return false;
            }
            continue;
        }
        run.note_place(world, 2 * next - 1);
        // Only replicas get this.
        world.call(&["PUBLISH", "channel", "message"]);
        run.note_place(world, 2 * next - 1);
        world.call(&["SET", &format!("key:{next}"), &next.to_string()]);
        run.executed = next;
        run.note_place(world, 2 * next);
        world.pass(1000);
        if !world.settle() {
            run.was_in_trouble = true;
            return false;
        }
        let appender = &world.aof().appender;
        // Without an AOF, and before its first image, nothing is promised.
        if world.aof().mode == super::Mode::On {
            if appender.safe() == appender.taken() {
                run.acknowledged = next;
            }
            if appender.on_disk() == appender.taken() {
                run.on_disk = next;
            }
        }
        run.was_in_trouble |= appender.trouble().is_some();
    }
    true
}

/// Writes, rewrites, switches off and on, writes, leaves.
fn story(world: &mut World, run: &mut Run) -> bool {
    if !write(world, run, 3) {
        return false;
    }
    world.call(&["BGREWRITEAOF"]);
    if !(write(world, run, 3) && world.settle()) {
        return false;
    }
    world.call(&["BGREWRITEAOF"]);
    if !(world.settle() && write(world, run, 2)) {
        return false;
    }
    world.call(&["CONFIG", "SET", "appendonly", "no"]);
    if !(world.settle() && write(world, run, 1)) {
        return false;
    }
    world.call(&["CONFIG", "SET", "appendonly", "yes"]);
    if !(write(world, run, 1) && world.settle() && write(world, run, 1)) {
        return false;
    }
    world.call(&["PUBLISH", "channel", "the end"]);
    run.note_place(world, 2 * run.executed);
    world.call(&["SHUTDOWN"]);
    // Left, or stayed because the files are in trouble.
    true
}

/// What a server finds on a disk.
#[derive(Debug, PartialEq, Eq)]
struct State {
    /// The number of commands that the data are the result of.
    commands: u64,
    /// The number of changes.
    changes: u64,
    /// The place in the stream that the data are said to be those of.
    place: Option<u64>,
}

/// What a server finds on this disk. `stream` is what was written to the stream.
fn state(files: &MemoryFiles, policy: AppendFsync, stream: &[u8]) -> Option<State> {
    let mut world = World::start(files, policy, true)?;
    let place = world.server.repl.node.history().backlog().map(|backlog| backlog.end());
    if let Some(end) = place {
        let (first, bytes) = world.stream();
        assert_eq!(bytes, &stream[first as usize - 1..end as usize], "the end of the stream");
    }
    let counter: u64 = world.call(&["GET", "counter"]).lines().nth(1).map_or(0, |text| text.parse().unwrap());
    let mut keys = 0;
    while !world.call(&["GET", &format!("key:{}", keys + 1)]).starts_with("$-1") {
        keys += 1;
    }
    // The two commands of one number are two units: the second may be missing.
    assert!(counter == keys || counter == keys + 1, "counter {counter}, keys {keys}: no such state existed");
    let beyond = world.call(&["GET", &format!("key:{}", keys + 2)]);
    assert!(beyond.starts_with("$-1"), "a later command without an earlier one");
    Some(State { commands: keys, changes: counter + keys, place })
}

fn disk() -> MemoryFiles {
    let files = MemoryFiles::new();
    files.create_folder(Path::new("/s")).unwrap();
    files
}

/// One run with one fault; false when the fault was never met.
fn crash(at: u64, fault: Fault, policy: AppendFsync, preamble: bool, rng: &mut Rng) -> bool {
    let name = format!("operation {at}, {fault:?}, {policy:?}, preamble {preamble}");
    let (files, mut run) = (disk(), Run::default());
    files.fail_at(at, fault);
    let world = World::start(&files, policy, preamble);
    let is_started = world.is_some();
    let was_left = world.is_none_or(|mut world| {
        world.begin_stream();
        let was_left = !story(&mut world, &mut run);
        run.stream = world.stream().1;
        was_left
    });
    let is_met = files.operations() > at;
    if !is_met {
        return false;
    }
    if fault == Fault::PowerCut || was_left || run.was_in_trouble {
        run.was_in_trouble = true;
    }
    // With `always` everything acknowledged; otherwise what the server said was on disk.
    let safe = match policy {
        AppendFsync::Always => run.acknowledged.max(run.on_disk),
        _ => run.on_disk,
    };
    let check = |files: &MemoryFiles, least: u64, how: &str| match state(files, policy, &run.stream) {
        Some(state) => {
            assert!(
                least <= state.commands && state.commands <= run.executed + 1,
                "{name}, {how}: {least} are safe, {} were executed, {state:?} is there ({run:?})",
                run.executed
            );
            let is_true = state.place.is_none_or(|place| run.had(state.changes, place));
            assert!(is_true, "{name}, {how}: there was no {state:?} ({:?})", run.places);
        }
        None => assert!(!is_started || least == 0, "{name}, {how}: it does not start ({run:?})"),
    };
    check(&files.after_power_cut(), safe, "power cut");
    check(&files.after_torn_power_cut(&mut |n| rng.below(n as u64) as usize), safe, "torn power cut");
    if fault != Fault::PowerCut {
        let written = if run.was_in_trouble { safe } else { run.acknowledged };
        check(&files.after_kill(), written, "kill");
    }
    true
}

const FAULTS: [Fault; 5] =
    [Fault::PowerCut, Fault::Error(libc::EIO), Fault::Error(libc::ENOSPC), Fault::ShortWrite, Fault::LostPages];

#[test]
fn no_fault_of_the_disk_loses_what_was_acknowledged() {
    let runs: Option<u64> = std::env::var("CRASH_RUNS").ok().and_then(|text| text.parse().ok());
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut rng = Rng::seeded(seed);
    let mut points = 0;
    loop {
        for policy in [AppendFsync::Always, AppendFsync::Everysec] {
            for preamble in [true, false] {
                for fault in FAULTS {
                    // A few of all operations; which ones is a matter of chance, and the seed.
                    let step = if runs.is_some() { 1 } else { 8 + rng.below(9) };
                    let mut at = rng.below(step);
                    while crash(at, fault, policy, preamble, &mut rng) {
                        points += 1;
                        at += step;
                    }
                }
            }
        }
        if runs.is_none_or(|runs| points >= runs) {
            break;
        }
    }
    println!("{points} fault points, none lost anything (SEED={seed})");
}

/// Writes and saves, in the foreground, in the background and at the end; `acknowledged` is what a save that worked has saved.
fn saving_story(world: &mut World, run: &mut Run) -> bool {
    for round in 0..4 {
        if !write(world, run, 2) {
            return false;
        }
        let is_saved = match round % 2 {
            0 => world.call(&["SAVE"]).starts_with("+OK"),
            _ => {
                world.call(&["BGSAVE"]);
                world.settle() && world.server.snapshots.record.is_last_ok
            }
        };
        match is_saved {
            true => run.acknowledged = run.executed,
            false => run.was_in_trouble = true,
        }
    }
    if !write(world, run, 1) {
        return false;
    }
    world.call(&["SHUTDOWN", "SAVE"]);
    if world.server.is_leaving {
        run.acknowledged = run.executed;
    }
    true
}

/// Saving on a disk that fails: after a restart the data are those of a save, and of none older than the last that was reported.
#[test]
fn no_fault_of_the_disk_loses_what_was_saved() {
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut rng = Rng::seeded(seed);
    let mut points = 0;
    for fault in FAULTS {
        for at in 0.. {
            let (files, mut run) = (disk(), Run::default());
            files.fail_at(at, fault);
            if let Some(mut world) = World::start_without_aof(&files) {
                saving_story(&mut world, &mut run);
            }
            let torn = files.after_torn_power_cut(&mut |n| rng.below(n as u64) as usize);
            for after in [files.after_power_cut(), torn, files.after_kill()] {
                let mut world = World::start_without_aof(&after).expect("a server starts with what is there");
                let counter: u64 =
                    world.call(&["GET", "counter"]).lines().nth(1).map_or(0, |text| text.parse().unwrap());
                let is_there = |world: &mut World, n| !world.call(&["GET", &format!("key:{n}")]).starts_with("$-1");
                assert!((1..=counter).all(|n| is_there(&mut world, n)) && !is_there(&mut world, counter + 1));
                assert!(
                    run.acknowledged <= counter && counter <= run.executed,
                    "operation {at}, {fault:?} (SEED={seed}): {} were saved, {counter} are there ({run:?})",
                    run.acknowledged
                );
            }
            if files.operations() <= at {
                assert_eq!((run.executed, run.acknowledged, run.was_in_trouble), (9, 9, false));
                break;
            }
            points += 1;
        }
    }
    assert!(points > 100, "{points}");
}

#[test]
fn without_a_fault_nothing_is_missing() {
    for policy in [AppendFsync::Always, AppendFsync::Everysec, AppendFsync::No] {
        let (files, mut run) = (disk(), Run::default());
        let mut world = World::start(&files, policy, true).unwrap();
        world.begin_stream();
        assert!(story(&mut world, &mut run));
        assert_eq!((run.executed, run.acknowledged, run.was_in_trouble), (11, 11, false));
        let end = world.server.repl.node.history().end();
        run.stream = world.stream().1;
        drop(world);
        let expected = State { commands: 11, changes: 22, place: Some(end) };
        let found = state(&files.after_power_cut(), policy, &run.stream);
        assert_eq!(found, Some(expected), "a clean end syncs whatever the policy");
        let names = files.list(Path::new("/s/appendonlydir")).unwrap();
        assert_eq!(names, ["appendonly.aof.4.base.rdb", "appendonly.aof.4.incr.aof", "appendonly.aof.manifest"]);
        assert!(files.list(Path::new("/s")).unwrap().is_empty());
    }
}

/// Going back to a moment: wherever it is stopped, the next start finds the old data or those of the moment, whole; and the old list of
/// files brings the old data back.
#[test]
fn going_back_to_a_moment_happens_or_does_not() {
    let (full, mut run) = (disk(), Run::default());
    let mut world = World::start(&full, AppendFsync::Always, true).unwrap();
    assert!(write(&mut world, &mut run, 3));
    let moment = world.now.wall().as_secs();
    assert!(write(&mut world, &mut run, 4));
    drop(world);
    let commands = |files: &MemoryFiles| state(files, AppendFsync::Always, &[]).map(|state| state.commands);
    let mut was_stopped = 0;
    for at in 0.. {
        let files = full.after_power_cut();
        files.fail_at(at, Fault::PowerCut);
        let restored = World::start_at(&files, AppendFsync::Always, true, Some(moment));
        let is_met = files.operations() > at;
        let is_done = restored.is_some();
        drop(restored);
        let found = commands(&files.after_power_cut()).expect("a server starts with what is there");
        // The command of the second in which the moment lies may or may not count.
        assert!(found == 7 || (3..=4).contains(&found), "{at}: {found}");
        assert!(!is_done || is_met || found != 7, "{at}: it was done");
        if !is_met {
            break;
        }
        was_stopped += 1;
    }
    assert!(was_stopped > 8, "{was_stopped}");

    let files = full.after_power_cut();
    let mut world = World::start_at(&files, AppendFsync::Always, true, Some(moment)).unwrap();
    world.call(&["SET", "since", "then"]);
    assert!(world.settle());
    drop(world);
    assert!(World::start_at(&files, AppendFsync::Always, true, Some(moment)).is_none(), "not a second time");
    let mut world = World::start(&files, AppendFsync::Always, true).unwrap();
    assert!(world.call(&["GET", "since"]).contains("then"));
    drop(world);
    let folder = Path::new("/s/appendonlydir");
    let kept = files.list(folder).unwrap().into_iter().find(|name| name.to_string_lossy().contains("before-restore"));
    files.rename(&folder.join(kept.unwrap()), &folder.join("appendonly.aof.manifest")).unwrap();
    assert_eq!(commands(&files), Some(7));
}

/// With `always` a replica hears of a change when that is on disk: after a crash it has nothing that its master has lost.
#[test]
fn a_replica_hears_of_a_change_when_it_is_on_disk() {
    // The write fails, the sync fails, or nothing does.
    for failing in [Some(0), Some(1), None] {
        let files = disk();
        let mut world = World::start(&files, AppendFsync::Always, true).unwrap();
        let mut follower = world.follower();
        world.sent_until(&mut follower, "+CONTINUE");
        world.call(&["SET", "first", "1"]);
        world.sent_until(&mut follower, "first");
        if let Some(later) = failing {
            files.fail_at(files.operations() + later, Fault::Error(libc::EIO));
        }
        world.call(&["SET", "second", "2"]);
        let mut sent = world.sent_until(&mut follower, "second");
        let on_disk = files.after_power_cut();
        let names = files.list(Path::new("/s/appendonlydir")).unwrap();
        let incr = names.into_iter().find(|name| name.to_string_lossy().ends_with("incr.aof")).unwrap();
        let kept = read_whole(&on_disk, &Path::new("/s/appendonlydir").join(incr), 1 << 20).unwrap();
        let is_kept = String::from_utf8_lossy(&kept).contains("second");
        assert_eq!((world.server.is_leaving, is_kept), (failing.is_some(), failing.is_none()), "{failing:?}");
        // Whatever is still on its way arrives before the end of the connection.
        drop(world);
        follower.set_nonblocking(false).unwrap();
        let _ = follower.read_to_string(&mut sent);
        assert_eq!(sent.contains("second"), failing.is_none(), "{failing:?}: {sent}");
    }
}
