//! Passwords and dangerous commands.

use crate::config::directive::Effect::NoSubject;
use crate::config::directive::{Apply, Directive, Flags, LONG_MAX, RUNTIME, START, integer, text, word};
use crate::config::table::{Group, special};
use crate::config::values::{Allowed, PubsubDefault};

/// Passwords and dangerous commands.
pub static GROUP: Group = Group {
    title: "Security",
    intro: "",
    directives: &[
        Directive {
            name: "requirepass",
            kind: text!(security.requirepass, ""),
            flags: Flags::SENSITIVE,
            apply: Some(Apply::Password),
            doc: "Password of the user `default`, which is the one clients are before they say otherwise. Empty: no \
                  password. It travels as it is and can be guessed very fast, so make it long.",
            ..RUNTIME
        },
        Directive {
            name: "rename-command",
            kind: special::RENAME_COMMAND,
            doc: "Give a command another name, or none: `rename-command FLUSHALL \"\"`. The new name must be free. \
                  Commands travel to replicas by their new name, so all servers need the same lines.",
            ..START
        },
        Directive {
            name: "enable-debug-command",
            kind: word!(security.enable_debug_command: Allowed::No),
            doc: "Who may use DEBUG, which can stop or crash the server: `no` nobody, `local` clients of this host, \
                  `yes` everybody.",
            ..START
        },
        Directive {
            name: "enable-protected-configs",
            kind: word!(security.enable_protected_configs: Allowed::No),
            doc: "Who may change `dir` and `dbfilename` by CONFIG SET, with which a client could write files anywhere: \
                  `no`, `local` or `yes`.",
            ..START
        },
        Directive {
            name: "enable-module-command",
            kind: word!(security.enable_module_command: Allowed::No),
            doc: "Who may use MODULE LOAD and its relatives. No module can be loaded, so this only changes what they are told.",
            ..START
        },
        Directive {
            name: "user",
            kind: special::USER,
            doc: "A user and its ACL rules, as ACL SETUSER takes them: `user alice on >secret ~cached:* +get`.",
            ..START
        },
        Directive {
            name: "aclfile",
            kind: text!(security.aclfile, ""),
            doc: "File that holds the users, one `user` line each, instead of lines here. Read at the start and by ACL LOAD, \
                  written by ACL SAVE. What it says of the user `default` counts, not `requirepass`.",
            ..START
        },
        Directive {
            name: "acllog-max-len",
            kind: integer!(Int, security.acllog_max_len, 128, 0..=LONG_MAX),
            apply: Some(Apply::Acl),
            doc: "Entries kept in the ACL log.",
            ..RUNTIME
        },
        Directive {
            name: "acl-pubsub-default",
            kind: word!(security.acl_pubsub_default: PubsubDefault::Resetchannels),
            apply: Some(Apply::Acl),
            doc: "Channels a new user may use.",
            ..RUNTIME
        },
        Directive {
            name: "loadmodule",
            kind: special::LOADMODULE,
            effect: NoSubject("modules written in C cannot be loaded"),
            doc: "Load a module. Modules written in C cannot be loaded by this server.",
            ..START
        },
    ],
};
