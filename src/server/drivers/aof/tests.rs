//! The whole server on a disk in memory that fails: every operation of the disk meets every fault once, and after a restart the
//! data are a state that existed and holds everything that was acknowledged.
//!
//! A run writes, rewrites twice, switches the AOF off and on and leaves; command number n is `INCR counter` and `SET key:n n`, so the
//! data say by themselves which state they are. Threads of the server run as they do in real life; only the loop is turned by
//! the test. `CRASH_RUNS=n make crash` takes n fault points instead of a few per operation.

use std::path::Path;
use std::sync::Arc;

use crate::base::files::Files;
use crate::base::files::memory::{Fault, MemoryFiles};
use crate::base::rng::Rng;
use crate::base::time::Now;
use crate::config::model::Config;
use crate::config::values::AppendFsync;
use crate::exec::execute;
use crate::net::Loop;
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
        let mut config = Config::default();
        config.process.dir = "/s".into();
        config.persistence.save.clear();
        config.persistence.appendonly = true;
        config.persistence.appendfsync = policy;
        config.persistence.aof_use_rdb_preamble = preamble;
        config.persistence.auto_aof_rewrite_percentage = 0;
        let mut event_loop = Loop::new().unwrap();
        let now = event_loop.net().now();
        let mut rng = Rng::seeded(7);
        let identity = Identity::of_this_process(String::new(), &mut rng, now);
        let mut server = Server::new(config, identity, rng, now, Arc::new(files.clone()), Arc::new(|| {}));
        let session = Session::new(crate::base::id::ClientId(1), "a:1", "b:2", false, &server.engine.acl, now.mono);
        server.begin_loading_aof().ok()?;
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

    fn turn(&mut self) {
        self.server.engine.now = self.now;
        Turn { server: &mut self.server, net: self.event_loop.net() }.end_turn();
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
            let is_busy = aof.appender.syncs_under_way() > 0
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
}

fn write(world: &mut World, run: &mut Run, commands: u64) -> bool {
    for _ in 0..commands {
        let next = run.executed + 1;
        if world.call(&["INCR", "counter"]).starts_with('-') {
            // MISCONF: nothing was executed. Time heals, or not.
            run.was_in_trouble = true;
            world.pass(1000);
            if !world.settle() {
                return false;
            }
            continue;
        }
        world.call(&["SET", &format!("key:{next}"), &next.to_string()]);
        run.executed = next;
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
    world.call(&["SHUTDOWN"]);
    // Left, or stayed because the files are in trouble.
    true
}

/// The number of commands that the data on this disk are the result of.
fn state(files: &MemoryFiles, policy: AppendFsync) -> Option<u64> {
    let mut world = World::start(files, policy, true)?;
    let counter: u64 = world.call(&["GET", "counter"]).lines().nth(1).map_or(0, |text| text.parse().unwrap());
    let mut keys = 0;
    while !world.call(&["GET", &format!("key:{}", keys + 1)]).starts_with("$-1") {
        keys += 1;
    }
    // The two commands of one number are two units: the second may be missing.
    assert!(counter == keys || counter == keys + 1, "counter {counter}, keys {keys}: no such state existed");
    let beyond = world.call(&["GET", &format!("key:{}", keys + 2)]);
    assert!(beyond.starts_with("$-1"), "a later command without an earlier one");
    Some(keys)
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
    let was_left = world.is_none_or(|mut world| !story(&mut world, &mut run));
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
    let check = |files: &MemoryFiles, least: u64, how: &str| match state(files, policy) {
        Some(state) => assert!(
            least <= state && state <= run.executed + 1,
            "{name}, {how}: {least} are safe, {} were executed, {state} are there ({run:?})",
            run.executed
        ),
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

#[test]
fn without_a_fault_nothing_is_missing() {
    for policy in [AppendFsync::Always, AppendFsync::Everysec, AppendFsync::No] {
        let (files, mut run) = (disk(), Run::default());
        let mut world = World::start(&files, policy, true).unwrap();
        assert!(story(&mut world, &mut run));
        assert_eq!((run.executed, run.acknowledged, run.was_in_trouble), (11, 11, false));
        drop(world);
        assert_eq!(state(&files.after_power_cut(), policy), Some(11), "a clean end syncs whatever the policy");
        let names = files.list(Path::new("/s/appendonlydir")).unwrap();
        assert_eq!(names, ["appendonly.aof.4.base.rdb", "appendonly.aof.4.incr.aof", "appendonly.aof.manifest"]);
        assert!(files.list(Path::new("/s")).unwrap().is_empty());
    }
}
