//! Scripts.

use crate::config::directive::Effect::NoSubject;
use crate::config::directive::{Directive, Kind, LONG_MAX, RUNTIME, START, integer};
use crate::config::table::Group;

/// Scripts.
pub static GROUP: Group = Group {
    title: "Scripts",
    intro: "",
    directives: &[
        Directive {
            name: "busy-reply-threshold",
            alias: Some("lua-time-limit"),
            kind: integer!(Int, scripting.busy_reply_threshold, 5000, 0..=LONG_MAX),
            doc: "Milliseconds a script may run before other clients are answered BUSY. 0: never.",
            ..RUNTIME
        },
        Directive {
            name: "lua-replicate-commands",
            kind: Kind::Ignored,
            effect: NoSubject("Redis gave it up"),
            doc: "Given up by Redis.",
            ..START
        },
    ],
};
