//! Memory limit, eviction, freeing in the background.

use crate::config::directive::Effect::NoSubject;
use crate::config::directive::{Apply, Directive, Flags, INT_MAX, LONG_MAX, MIB, RUNTIME, flag, integer, word};
use crate::config::table::Group;
use crate::config::values::EvictionPolicy;

/// Memory limit, eviction, freeing in the background.
pub static GROUP: Group = Group {
    title: "Memory",
    intro: "",
    directives: &[
        Directive {
            name: "maxmemory",
            kind: integer!(Bytes, memory.maxmemory, 0, 0..=u64::MAX as i128),
            apply: Some(Apply::MaxMemory),
            doc: "How much memory may be in use before keys are evicted or, where none can be, commands that take memory are \
                  refused. What waits for replicas and for the append only file does not count. 0: no limit.",
            ..RUNTIME
        },
        Directive {
            name: "maxmemory-policy",
            kind: word!(memory.maxmemory_policy: EvictionPolicy::Noeviction),
            apply: Some(Apply::Eviction),
            doc: "Which keys are evicted: of all keys (allkeys-) or only of those with an expiry (volatile-) the one not used \
                  for longest (lru), used least often (lfu), over soonest (ttl), or any (random); noeviction: none.",
            ..RUNTIME
        },
        Directive {
            name: "maxmemory-samples",
            kind: integer!(Int, memory.maxmemory_samples, 5, 1..=INT_MAX),
            apply: Some(Apply::Eviction),
            doc: "How many keys at least are looked at for each that is evicted; the best candidates so far are remembered. More: \
                  closer to the true order, and slower.",
            ..RUNTIME
        },
        Directive {
            name: "maxmemory-eviction-tenacity",
            kind: integer!(Int, memory.maxmemory_eviction_tenacity, 10, 0..=100),
            apply: Some(Apply::Eviction),
            doc: "For how long at a time keys are evicted before a command runs: at 10 for half a millisecond, 15 % longer with \
                  each step, at 100 until there is room. What is left then is evicted between commands.",
            ..RUNTIME
        },
        Directive {
            name: "lfu-log-factor",
            kind: integer!(Int, memory.lfu_log_factor, 10, 0..=INT_MAX),
            apply: Some(Apply::Eviction),
            doc: "How slowly the frequency counter of a key grows.",
            ..RUNTIME
        },
        Directive {
            name: "lfu-decay-time",
            kind: integer!(Int, memory.lfu_decay_time, 1, 0..=INT_MAX),
            apply: Some(Apply::Eviction),
            doc: "Minutes after which an idle key's frequency counter falls by one. 0: never.",
            ..RUNTIME
        },
        Directive {
            name: "lazyfree-lazy-eviction",
            kind: flag!(memory.lazyfree_lazy_eviction, false),
            flags: Flags::DEBUG,
            apply: Some(Apply::LazyFree),
            doc: "Tell replicas and the append only file UNLINK instead of DEL for evicted keys. Here large values are \
                  freed in the background either way.",
            ..RUNTIME
        },
        Directive {
            name: "lazyfree-lazy-expire",
            kind: flag!(memory.lazyfree_lazy_expire, false),
            flags: Flags::DEBUG,
            apply: Some(Apply::LazyFree),
            doc: "Free large values of expired keys in the background, so that nobody waits for it.",
            ..RUNTIME
        },
        Directive {
            name: "lazyfree-lazy-server-del",
            kind: flag!(memory.lazyfree_lazy_server_del, false),
            flags: Flags::DEBUG,
            apply: Some(Apply::LazyFree),
            doc: "Free in the background what a command removes on the way, such as the old value under RENAME.",
            ..RUNTIME
        },
        Directive {
            name: "lazyfree-lazy-user-del",
            kind: flag!(memory.lazyfree_lazy_user_del, false),
            flags: Flags::DEBUG,
            apply: Some(Apply::LazyFree),
            doc: "Let DEL free in the background as UNLINK does.",
            ..RUNTIME
        },
        Directive {
            name: "lazyfree-lazy-user-flush",
            kind: flag!(memory.lazyfree_lazy_user_flush, false),
            flags: Flags::DEBUG,
            apply: Some(Apply::LazyFree),
            doc: "Let FLUSHALL, FLUSHDB and SCRIPT FLUSH without ASYNC or SYNC free in the background.",
            ..RUNTIME
        },
        Directive {
            name: "jemalloc-bg-thread",
            kind: flag!(memory.jemalloc_bg_thread, true),
            apply: Some(Apply::Allocator),
            effect: NoSubject("the allocator is mimalloc"),
            doc: "Let the allocator give memory back in a thread of its own.",
            ..RUNTIME
        },
        Directive {
            name: "activedefrag",
            kind: flag!(memory.activedefrag, false),
            flags: Flags::DEBUG,
            doc: "Move keys together where their memory is mostly gaps, so that the system gets it back. What large values own outside of \
                  their key stays where it is.",
            ..RUNTIME
        },
        Directive {
            name: "active-defrag-cycle-min",
            kind: integer!(Int, memory.active_defrag_cycle_min, 1, 1..=99),
            doc: "Least share of time for it, per cent.",
            ..RUNTIME
        },
        Directive {
            name: "active-defrag-cycle-max",
            kind: integer!(Int, memory.active_defrag_cycle_max, 25, 1..=99),
            doc: "Largest share of time for it, per cent.",
            ..RUNTIME
        },
        Directive {
            name: "active-defrag-threshold-lower",
            kind: integer!(Int, memory.active_defrag_threshold_lower, 10, 0..=1000),
            doc: "Per cent of fragmentation at which it begins.",
            ..RUNTIME
        },
        Directive {
            name: "active-defrag-threshold-upper",
            kind: integer!(Int, memory.active_defrag_threshold_upper, 100, 0..=1000),
            doc: "Per cent of fragmentation at which it works hardest.",
            ..RUNTIME
        },
        Directive {
            name: "active-defrag-max-scan-fields",
            kind: integer!(Int, memory.active_defrag_max_scan_fields, 1000, 1..=LONG_MAX),
            effect: NoSubject("collections are moved whole or not at all"),
            doc: "Largest collection that is processed in one go.",
            ..RUNTIME
        },
        Directive {
            name: "active-defrag-ignore-bytes",
            kind: integer!(Bytes, memory.active_defrag_ignore_bytes, 100 * MIB, 1..=LONG_MAX),
            doc: "Waste below which it does not begin, in bytes.",
            ..RUNTIME
        },
    ],
};
