//! Declarations of functions.

use crate::exec::flow::Flow;
use crate::exec::flow::script_table::{ARGS, KEYS, NUMKEYS, RUNS, keys};
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

/// The family.
pub const TABLE: &[&Spec<Flow>] =
    &[&FCALL, &FCALL_RO, &DELETE, &DUMP, &FLUSH, &HELP, &KILL, &LIST, &LOAD, &RESTORE, &STATS];

const BASE: Meta = Meta { group: Group::Scripting, categories: Category::SCRIPTING, since: "7.0.0", ..Meta::NEW };

const FCALL: Spec<Flow> = Spec {
    meta: Meta {
        name: "fcall",
        arity: Arity::AtLeast(3),
        flags: RUNS.and(Flags::MAY_REPLICATE),
        keys: &[keys(Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Calls a function of a library.",
        complexity: "That of the function.",
        args: &[Arg::new("function", ArgKind::String), NUMKEYS, KEYS, ARGS],
        ..BASE
    },
    handler: Flow::Fcall { is_read_only: false },
};

const FCALL_RO: Spec<Flow> = Spec {
    meta: Meta {
        name: "fcall_ro",
        arity: Arity::AtLeast(3),
        flags: RUNS.and(Flags::READONLY),
        keys: &[keys(Access::RO.and(Access::ACCESS))],
        summary: "Calls a function that only reads.",
        complexity: "That of the function.",
        args: &[Arg::new("function", ArgKind::String), NUMKEYS, KEYS, ARGS],
        ..BASE
    },
    handler: Flow::Fcall { is_read_only: true },
};

/// FUNCTION.
pub const FUNCTION: Meta = Meta {
    name: "function",
    arity: Arity::AtLeast(2),
    categories: Category::NONE,
    summary: "Holds the commands about libraries of functions.",
    complexity: "Depends on the subcommand.",
    ..BASE
};

const SUB: Meta = Meta { container: "function", flags: Flags::NOSCRIPT, ..BASE };
const ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

const LOAD: Spec<Flow> = Spec {
    meta: Meta {
        name: "load",
        arity: Arity::AtLeast(3),
        flags: Flags::NOSCRIPT.and(Flags::WRITE).and(Flags::DENYOOM),
        summary: "Brings a library in.",
        complexity: "That of the code that runs when the library is loaded.",
        tips: ALL_SHARDS,
        args: &[Arg::token("replace", "REPLACE").optional(), Arg::new("function-code", ArgKind::String)],
        ..SUB
    },
    handler: Flow::FunctionLoad,
};

const DELETE: Spec<Flow> = Spec {
    meta: Meta {
        name: "delete",
        arity: Arity::Exactly(3),
        flags: Flags::NOSCRIPT.and(Flags::WRITE),
        summary: "Removes a library and its functions.",
        tips: ALL_SHARDS,
        args: &[Arg::new("library-name", ArgKind::String)],
        ..SUB
    },
    handler: Flow::FunctionDelete,
};

const FLUSH: Spec<Flow> = Spec {
    meta: Meta {
        name: "flush",
        arity: Arity::AtLeast(2),
        flags: Flags::NOSCRIPT.and(Flags::WRITE),
        summary: "Removes all libraries.",
        complexity: "O(N) in the number of functions.",
        tips: ALL_SHARDS,
        args: &[Arg {
            optional: true,
            parts: &[Arg::token("async", "ASYNC"), Arg::token("sync", "SYNC")],
            ..Arg::new("flush-type", ArgKind::OneOf)
        }],
        ..SUB
    },
    handler: Flow::FunctionFlush,
};

const DUMP: Spec<Flow> = Spec {
    meta: Meta {
        name: "dump",
        arity: Arity::Exactly(2),
        summary: "Returns all libraries in a serialised form.",
        complexity: "O(N) in the number of functions.",
        ..SUB
    },
    handler: Flow::FunctionDump,
};

const RESTORE: Spec<Flow> = Spec {
    meta: Meta {
        name: "restore",
        arity: Arity::AtLeast(3),
        flags: Flags::NOSCRIPT.and(Flags::WRITE).and(Flags::DENYOOM),
        summary: "Brings back the libraries of a payload of FUNCTION DUMP.",
        complexity: "O(N) in the number of functions in the payload.",
        tips: ALL_SHARDS,
        args: &[
            Arg::new("serialized-value", ArgKind::String),
            Arg {
                optional: true,
                parts: &[
                    Arg::token("flush", "FLUSH"),
                    Arg::token("append", "APPEND"),
                    Arg::token("replace", "REPLACE"),
                ],
                ..Arg::new("policy", ArgKind::OneOf)
            },
        ],
        ..SUB
    },
    handler: Flow::FunctionRestore,
};

const LIST: Spec<Flow> = Spec {
    meta: Meta {
        name: "list",
        arity: Arity::AtLeast(2),
        summary: "Lists the libraries and their functions.",
        complexity: "O(N) in the number of functions.",
        tips: &["nondeterministic_output_order"],
        args: &[
            Arg::new("library-name-pattern", ArgKind::String).after("LIBRARYNAME").optional(),
            Arg::token("withcode", "WITHCODE").optional(),
        ],
        ..SUB
    },
    handler: Flow::FunctionList,
};

const STATS: Spec<Flow> = Spec {
    meta: Meta {
        name: "stats",
        arity: Arity::Exactly(2),
        flags: Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
        summary: "Tells which function runs, and how many there are.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..SUB
    },
    handler: Flow::FunctionStats,
};

const KILL: Spec<Flow> = Spec {
    meta: Meta {
        name: "kill",
        arity: Arity::Exactly(2),
        flags: Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
        summary: "Ends the function that runs, if it has not written.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..SUB
    },
    handler: Flow::ScriptKill { is_function: true },
};

const HELP: Spec<Flow> = Spec {
    meta: Meta {
        name: "help",
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Describes the subcommands.",
        ..SUB
    },
    handler: Flow::Help("function"),
};
