//! The limit on memory, `maxmemory`: what happens before a command when more is in use.
//!
//! Before each command of a client the memory in use is compared with the limit, which costs one reading. Above it, keys are
//! removed as `maxmemory-policy` says ([`Keyspace::evict`](crate::keyspace::Keyspace::evict) chooses them). One that is removed
//! has the consequences of any other change: events, watchers, and a DEL or UNLINK in the journal, before the command.
//!
//! Removing goes on for as long as `maxmemory-eviction-tenacity` allows, by default half a millisecond. What is left to be
//! removed then is left to later: the command runs all the same, and the program goes on removing, slice by slice, between
//! what clients ask for. So memory may be above the limit for a while, and nobody waits for long.
//!
//! Only when nothing can be removed a command that may take memory (flag `denyoom`) is refused, and so is whatever would be
//! queued in a transaction, which takes memory as well. What frees memory, and what only reads, always runs.
//!
//! A script or transaction is judged by how matters stood when it began: between its commands nothing is refused that could
//! have been refused before, and it is not stopped half-way because of what it needs itself.
//!
//! What has happened already is not refused: the stream of our master and the append only file are not looked at here.

use crate::config::values::EvictionPolicy;
use crate::exec::gates::{Caller, Refusal};
use crate::exec::{Engine, Host, after};
use crate::keyspace::{EvictBy, EvictionRule};
use crate::session::Session;
use crate::spec::Flags;

/// A command that may take memory, when there is none.
pub const OOM: Refusal = "OOM command not allowed when used memory > 'maxmemory'.";
/// A script whose first line does not say `allow-oom`.
pub const OOM_SCRIPT: Refusal =
    "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";

/// For how long more memory was in use than allowed.
#[derive(Debug, Default)]
pub struct Shortage {
    /// Since when, by the clock of [`Host::clock_us`].
    since_us: Option<u64>,
    /// Microseconds of those that are over.
    past_us: u64,
    /// Removing keys has stopped because its time was over, and is to go on.
    pub is_unfinished: bool,
}

/// How matters stand after looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// Within the limit.
    Enough,
    /// Above it, and more keys can be removed.
    BeingMade,
    /// Above it, and there is nothing to remove.
    None,
}

/// Keys removed between two times that their consequences happen and the clock is read.
const PORTION: usize = 16;

impl Shortage {
    fn observe(&mut self, is_short: bool, now_us: u64) {
        if is_short {
            self.since_us.get_or_insert(now_us);
        } else if let Some(since) = self.since_us.take() {
            self.past_us += now_us.saturating_sub(since);
        }
    }

    /// How long the present one has lasted, in microseconds.
    pub fn current_us(&self, now_us: u64) -> u64 {
        self.since_us.map_or(0, |since| now_us.saturating_sub(since))
    }

    /// How long all of them lasted, in microseconds.
    pub fn total_us(&self, now_us: u64) -> u64 {
        self.past_us + self.current_us(now_us)
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&mut self) {
        *self = Shortage { is_unfinished: self.is_unfinished, ..Shortage::default() };
    }
}

/// Compares what is in use with the limit, and makes room, on behalf of a client or of nobody. The outcome is left in the
/// facts.
pub fn look<H: Host>(host: &mut H, caller: Option<&mut Session>) {
    let room = if is_enforced(host.engine()) { make_room(host, caller) } else { Room::Enough };
    let is_short = room != Room::Enough;
    if is_short || host.engine().shortage.since_us.is_some() {
        let now = host.clock_us();
        host.engine().shortage.observe(is_short, now);
    }
    host.engine().shortage.is_unfinished = room == Room::BeingMade;
    host.engine().facts.is_out_of_memory = room == Room::None;
}

/// Removes keys until memory is within the limit, there is none to remove, or the time is over.
fn make_room<H: Host>(host: &mut H, mut caller: Option<&mut Session>) -> Room {
    let memory = &host.engine().config.memory;
    let (limit, tenacity) = (memory.maxmemory, memory.maxmemory_eviction_tenacity);
    let rule = rule_of(memory.maxmemory_policy, memory.maxmemory_samples as usize);
    let excess = host.memory_in_use().saturating_sub(limit);
    if excess == 0 {
        return Room::Enough;
    }
    let Some(rule) = rule else { return Room::None };
    let (started, budget) = (host.clock_us(), slice_us(tenacity));
    let mut freed = 0;
    let room = loop {
        let (mut has_more, mut is_enough) = (true, false);
        for _ in 0..PORTION {
            let engine = host.engine();
            let bytes = engine.keyspace.evict(rule, engine.now.wall());
            has_more = bytes.is_some();
            freed += bytes.unwrap_or_default() as u64;
            // What clients are told of removed keys takes memory as well. To remove keys for that would never end, so what was
            // missing at first is enough.
            is_enough = freed >= excess || host.memory_in_use() <= limit;
            if is_enough || !has_more {
                break;
            }
        }
        after::background_changes(host, caller.as_deref_mut());
        if is_enough {
            break Room::Enough;
        }
        if !has_more {
            break Room::None;
        }
        if host.clock_us().saturating_sub(started) >= budget {
            break Room::BeingMade;
        }
    };
    let elapsed = host.clock_us().saturating_sub(started);
    let engine = host.engine();
    engine.latency.note("eviction-cycle", elapsed, &engine.now);
    room
}

/// How keys are chosen under a policy; `None` when none is.
fn rule_of(policy: EvictionPolicy, samples: usize) -> Option<EvictionRule> {
    use EvictionPolicy::*;
    let (by, is_volatile_only) = match policy {
        Noeviction => return None,
        AllkeysLru => (EvictBy::LastUse, false),
        VolatileLru => (EvictBy::LastUse, true),
        AllkeysLfu => (EvictBy::Uses, false),
        VolatileLfu => (EvictBy::Uses, true),
        AllkeysRandom => (EvictBy::Chance, false),
        VolatileRandom => (EvictBy::Chance, true),
        VolatileTtl => (EvictBy::Expiry, true),
    };
    Some(EvictionRule { by, is_volatile_only, samples })
}

/// How long a slice may last for a `maxmemory-eviction-tenacity`, in microseconds: Redis's figures. Up to 10 it is linear, to
/// half a millisecond; then each step is 15 % more, two minutes at 99; and 100 is without limit.
fn slice_us(tenacity: u32) -> u64 {
    match tenacity {
        0..=10 => 50 * u64::from(tenacity),
        11..=99 => (500.0 * 1.15f64.powi(tenacity as i32 - 10)) as u64,
        _ => u64::MAX,
    }
}

/// Whether the limit is ours to keep. A replica is a copy of its master and leaves that to it; what is being loaded has been
/// there before; and while writes are paused nothing may change.
fn is_enforced(engine: &Engine) -> bool {
    let facts = &engine.facts;
    let is_copy = facts.is_replica && engine.config.replication.replica_ignore_maxmemory;
    !is_copy && !facts.is_loading && !facts.is_write_paused
}

/// Whether a command with these flags is refused while there is no memory.
pub fn is_refused(flags: Flags, name: &str, caller: &Caller) -> bool {
    let would_be_queued = caller.is_in_multi && !matches!(name, "discard" | "quit" | "reset");
    flags.has(Flags::DENYOOM) || caller.has_queued_denyoom || would_be_queued
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::transcript;

    #[test]
    fn a_shortage_is_timed_from_its_first_moment_to_its_end() {
        let mut shortage = Shortage::default();
        shortage.observe(false, 5);
        shortage.observe(true, 10);
        shortage.observe(true, 15);
        assert_eq!((shortage.current_us(30), shortage.total_us(30)), (20, 20));
        shortage.observe(false, 40);
        assert_eq!((shortage.current_us(50), shortage.total_us(50)), (0, 30));
        shortage.observe(true, 60);
        assert_eq!((shortage.current_us(61), shortage.total_us(61)), (1, 31));
    }

    #[test]
    fn slices_last_as_long_as_the_tenacity_says() {
        assert_eq!([0, 1, 10, 11, 20].map(slice_us), [0, 50, 500, 575, 2022]);
        assert!((100_000_000..160_000_000).contains(&slice_us(99)));
        assert_eq!(slice_us(100), u64::MAX);
    }

    #[test]
    fn keys_are_removed_before_the_command_and_with_all_consequences() {
        let heard = transcript(
            "
            > SET a 1 EX 100
            +OK
            > SET b 2
            +OK
            @policy volatile-ttl
            @memory 100/key 150
            > SET c 3
            +OK
            > EXISTS a b c
            :2
            > SET d 4
            -OOM command not allowed when used memory > 'maxmemory'.
            @advance 5000
            > SET c 4
            -OOM command not allowed when used memory > 'maxmemory'.
            > GET c
            $3
            @policy allkeys-lru
            @advance 5000
            > SET d 4
            +OK
            > EXISTS b
            :0
            > EXISTS c d
            :1
            ",
        );
        heard
            .notifies(&["set a", "expire a", "set b", "evicted a", "set c", "evicted b", "set d", "evicted c"])
            .propagates(&["SET a 1 PXAT 1100000", "SET b 2", "DEL a", "SET c 3", "DEL b", "SET d 4", "DEL c"]);
    }

    #[test]
    fn a_watched_key_that_is_removed_has_changed() {
        transcript(
            "
            > SET a 1
            +OK
            > WATCH a
            +OK
            @policy allkeys-random
            @memory 100/key 50
            > MULTI
            +OK
            > EXEC
            nil
            ",
        );
    }

    #[test]
    fn what_takes_memory_is_refused_and_what_frees_it_is_not() {
        transcript(
            "
            > SET k v
            +OK
            @memory 101 100
            > SET k w
            -OOM command not allowed when used memory > 'maxmemory'.
            > GET k
            $v
            > EXPIRE k 100
            :1
            > DEL k
            :1
            @memory 100 100
            > SET k w
            +OK
            ",
        );
    }

    #[test]
    fn nothing_is_queued_and_a_transaction_that_takes_memory_does_not_run() {
        transcript(
            "
            > MULTI
            +OK
            > SET k v
            +QUEUED
            @memory 101 100
            > EXEC
            -EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.
            > MULTI
            +OK
            > GET k
            -OOM command not allowed when used memory > 'maxmemory'.
            > DISCARD
            +OK
            @memory 0 100
            > MULTI
            +OK
            > GET k
            +QUEUED
            @memory 101 100
            > EXEC
            *1
            nil
            ",
        );
    }

    #[test]
    fn scripts_are_judged_by_how_matters_stood_when_they_began() {
        transcript(
            "
            @memory 101 100
            > EVAL \"return redis.call('set', KEYS[1], 'v')\" 1 k
            -OOM command not allowed when used memory > 'maxmemory'. script: b0e7bbc2efc136be74cdebcb73a106ad46ea881b, on @user_script:1.
            > EVAL \"return redis.call('get', KEYS[1])\" 1 k
            nil
            > EVAL \"#!lua\\nreturn 1\" 0
            -OOM command not allowed when used memory > 'maxmemory'.
            > EVAL \"#!lua flags=no-writes\\nreturn 1\" 0
            :1
            > EVAL \"#!lua flags=allow-oom\\nreturn redis.call('set', KEYS[1], 'v')\" 1 k
            +OK
            > EVAL \"redis.call('del', KEYS[1]) return redis.call('set', KEYS[1], 'v')\" 1 k
            +OK
            ",
        );
    }
}
