//! Databases, expiry, notifications.

use crate::config::directive::Effect::NoSubject;
use crate::config::directive::{Apply, Directive, INT_MAX, RUNTIME, START, flag, integer};
use crate::config::table::{Group, special};

/// Databases, expiry, notifications.
pub static GROUP: Group = Group {
    title: "Databases and expiry",
    intro: "",
    directives: &[
        Directive {
            name: "databases",
            kind: integer!(Int, keyspace.databases, 16, 1..=INT_MAX),
            doc: "How many numbered databases there are. SELECT chooses one of 0 to databases - 1.",
            ..START
        },
        Directive {
            name: "active-expire-effort",
            kind: integer!(Int, keyspace.active_expire_effort, 1, 1..=10),
            apply: Some(Apply::Expiry),
            effect: NoSubject("expired keys are found without sampling, so that there is no effort to choose"),
            doc: "How hard to look for keys that have expired but are never asked for: 1 uses little time and leaves a \
                  few per cent of dead keys, 10 uses more time and leaves fewer.",
            ..RUNTIME
        },
        Directive {
            name: "notify-keyspace-events",
            kind: special::NOTIFY_KEYSPACE_EVENTS,
            apply: Some(Apply::Notifications),
            doc: "Which changes of keys are published. `K` publishes to __keyspace@<db>__:<key>, `E` to \
                  __keyevent@<db>__:<event>; at least one of them is needed. The classes: `g` commands for any type \
                  (DEL, EXPIRE, RENAME …), `$` strings, `l` lists, `s` sets, `h` hashes, `z` sorted sets, `t` streams, \
                  `d` module types, `x` expired, `e` evicted, `m` a key was asked for and missing, `n` a key was \
                  created. `A` stands for `g$lshztdxe`. Empty: nothing, which costs nothing.",
            ..RUNTIME
        },
        Directive {
            name: "activerehashing",
            kind: flag!(keyspace.activerehashing, true),
            effect: NoSubject("tables grow by pieces and are never rehashed"),
            doc: "Use idle time to finish growing the main table. Ours grows in small steps and has nothing to finish.",
            ..RUNTIME
        },
    ],
};
