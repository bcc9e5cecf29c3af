//! Declarations of the scripting family.

use crate::exec::flow::Flow;
use crate::exec::flow::eval::Form;
use crate::spec::{Access, Arg, ArgKind, Arity, BeginSearch, Category, FindKeys, Flags, Group, KeySpec, Meta, Spec};

/// The family.
pub const TABLE: &[&Spec<Flow>] = &[
    &EVAL,
    &EVALSHA,
    &EVALSHA_RO,
    &EVAL_RO,
    &SCRIPT_DEBUG,
    &SCRIPT_EXISTS,
    &SCRIPT_FLUSH,
    &SCRIPT_HELP,
    &SCRIPT_KILL,
    &SCRIPT_LOAD,
];

const BASE: Meta = Meta { group: Group::Scripting, categories: Category::SCRIPTING, ..Meta::NEW };

/// The keys follow their number.
pub(super) const fn keys(access: Access) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Index(2),
        find: FindKeys::KeyNum { index: 0, first: 1, step: 1 },
        access,
        not_key: false,
        incomplete: false,
        variable_flags: false,
    }
}

/// Flags that every way to run a script has.
pub(super) const RUNS: Flags =
    Flags::NOSCRIPT.and(Flags::STALE).and(Flags::SKIP_MONITOR).and(Flags::NO_MANDATORY_KEYS).and(Flags::MOVABLEKEYS);

/// The arguments behind the script.
pub(super) const NUMKEYS: Arg = Arg::new("numkeys", ArgKind::Integer);
pub(super) const KEYS: Arg = Arg { optional: true, multiple: true, ..Arg::key("key", 0) };
pub(super) const ARGS: Arg = Arg { optional: true, multiple: true, ..Arg::new("arg", ArgKind::String) };

const EVAL: Spec<Flow> = Spec {
    meta: Meta {
        name: "eval",
        since: "2.6.0",
        arity: Arity::AtLeast(3),
        flags: RUNS.and(Flags::MAY_REPLICATE),
        keys: &[keys(Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Runs a Lua script on the server.",
        complexity: "That of the script.",
        args: &[Arg::new("script", ArgKind::String), NUMKEYS, KEYS, ARGS],
        ..BASE
    },
    handler: Flow::Eval(Form { by_sha: false, is_read_only: false }),
};

const EVALSHA: Spec<Flow> = Spec {
    meta: Meta {
        name: "evalsha",
        since: "2.6.0",
        arity: Arity::AtLeast(3),
        flags: RUNS.and(Flags::MAY_REPLICATE),
        keys: &[keys(Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Runs a script that the server has in its cache.",
        complexity: "That of the script.",
        args: &[Arg::new("sha1", ArgKind::String), NUMKEYS, KEYS, ARGS],
        ..BASE
    },
    handler: Flow::Eval(Form { by_sha: true, is_read_only: false }),
};

const EVAL_RO: Spec<Flow> = Spec {
    meta: Meta {
        name: "eval_ro",
        since: "7.0.0",
        arity: Arity::AtLeast(3),
        flags: RUNS.and(Flags::READONLY),
        keys: &[keys(Access::RO.and(Access::ACCESS))],
        summary: "Runs a Lua script that only reads.",
        complexity: "That of the script.",
        args: &[Arg::new("script", ArgKind::String), NUMKEYS, KEYS, ARGS],
        ..BASE
    },
    handler: Flow::Eval(Form { by_sha: false, is_read_only: true }),
};

const EVALSHA_RO: Spec<Flow> = Spec {
    meta: Meta {
        name: "evalsha_ro",
        since: "7.0.0",
        arity: Arity::AtLeast(3),
        flags: RUNS.and(Flags::READONLY),
        keys: &[keys(Access::RO.and(Access::ACCESS))],
        summary: "Runs a script from the cache that only reads.",
        complexity: "That of the script.",
        args: &[Arg::new("sha1", ArgKind::String), NUMKEYS, KEYS, ARGS],
        ..BASE
    },
    handler: Flow::Eval(Form { by_sha: true, is_read_only: true }),
};

/// SCRIPT.
pub const SCRIPT: Meta = Meta {
    name: "script",
    since: "2.6.0",
    arity: Arity::AtLeast(2),
    categories: Category::NONE,
    summary: "Holds the commands about the cache of scripts.",
    complexity: "Depends on the subcommand.",
    ..BASE
};

const SUB: Meta = Meta { container: "script", flags: Flags::NOSCRIPT, ..BASE };

const SCRIPT_LOAD: Spec<Flow> = Spec {
    meta: Meta {
        name: "load",
        since: "2.6.0",
        arity: Arity::Exactly(3),
        flags: Flags::NOSCRIPT.and(Flags::STALE),
        summary: "Compiles a script and keeps it in the cache, without running it.",
        complexity: "O(N) in the length of the script.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        args: &[Arg::new("script", ArgKind::String)],
        ..SUB
    },
    handler: Flow::ScriptLoad,
};

const SCRIPT_EXISTS: Spec<Flow> = Spec {
    meta: Meta {
        name: "exists",
        since: "2.6.0",
        arity: Arity::AtLeast(3),
        summary: "Tells which scripts are in the cache.",
        complexity: "O(N) in the number of scripts asked for.",
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        args: &[Arg::new("sha1", ArgKind::String).multiple()],
        ..SUB
    },
    handler: Flow::ScriptExists,
};

const SCRIPT_FLUSH: Spec<Flow> = Spec {
    meta: Meta {
        name: "flush",
        since: "2.6.0",
        arity: Arity::AtLeast(2),
        summary: "Empties the cache of scripts.",
        complexity: "O(N) in the number of scripts.",
        history: &[("6.2.0", "ASYNC and SYNC.")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        args: &[Arg {
            optional: true,
            since: Some("6.2.0"),
            parts: &[Arg::token("async", "ASYNC"), Arg::token("sync", "SYNC")],
            ..Arg::new("flush-type", ArgKind::OneOf)
        }],
        ..SUB
    },
    handler: Flow::ScriptFlush,
};

const SCRIPT_KILL: Spec<Flow> = Spec {
    meta: Meta {
        name: "kill",
        since: "2.6.0",
        arity: Arity::Exactly(2),
        flags: Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
        summary: "Ends the script that runs, if it has not written.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..SUB
    },
    handler: Flow::ScriptKill { is_function: false },
};

const SCRIPT_DEBUG: Spec<Flow> = Spec {
    meta: Meta {
        name: "debug",
        since: "3.2.0",
        arity: Arity::Exactly(3),
        summary: "Sets whether scripts of this connection are debugged; YES is not supported.",
        args: &[Arg {
            parts: &[Arg::token("yes", "YES"), Arg::token("sync", "SYNC"), Arg::token("no", "NO")],
            ..Arg::new("mode", ArgKind::OneOf)
        }],
        ..SUB
    },
    handler: Flow::ScriptDebug,
};

const SCRIPT_HELP: Spec<Flow> = Spec {
    meta: Meta {
        name: "help",
        since: "5.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Describes the subcommands.",
        ..SUB
    },
    handler: Flow::Help("script"),
};
