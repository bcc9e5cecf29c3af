//! Declarations of the transaction family.

use crate::exec::flow::Flow;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

const ALWAYS: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::ALLOW_BUSY);

/// The family.
pub const TABLE: &[&Spec<Flow>] = &[&DISCARD, &EXEC, &MULTI, &UNWATCH, &WATCH];

const BASE: Meta = Meta { group: Group::Transactions, categories: Category::TRANSACTION, ..Meta::NEW };

const MULTI: Spec<Flow> = Spec {
    meta: Meta {
        name: "multi",
        since: "1.2.0",
        arity: Arity::Exactly(1),
        flags: ALWAYS,
        summary: "Opens a transaction: what follows is queued until EXEC.",
        ..BASE
    },
    handler: Flow::Multi,
};

const EXEC: Spec<Flow> = Spec {
    meta: Meta {
        name: "exec",
        since: "1.2.0",
        arity: Arity::Exactly(1),
        flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::SKIP_SLOWLOG),
        summary: "Runs everything queued since MULTI, with nothing of other clients in between.",
        complexity: "As the queued commands.",
        ..BASE
    },
    handler: Flow::Exec,
};

const DISCARD: Spec<Flow> = Spec {
    meta: Meta {
        name: "discard",
        since: "2.0.0",
        arity: Arity::Exactly(1),
        flags: ALWAYS,
        summary: "Drops the queued commands and forgets the watched keys.",
        complexity: "O(N) in the number of queued commands.",
        ..BASE
    },
    handler: Flow::Discard,
};

const WATCH: Spec<Flow> = Spec {
    meta: Meta {
        name: "watch",
        since: "2.2.0",
        arity: Arity::AtLeast(2),
        flags: ALWAYS,
        keys: &[KeySpec::range(1, -1, 1, Access::RO)],
        summary: "Makes the next EXEC depend on keys staying as they are.",
        complexity: "O(1) for each key.",
        args: &[Arg { key_spec: Some(0), ..Arg::new("key", ArgKind::Key).multiple() }],
        ..BASE
    },
    handler: Flow::Watch,
};

const UNWATCH: Spec<Flow> = Spec {
    meta: Meta {
        name: "unwatch",
        since: "2.2.0",
        arity: Arity::Exactly(1),
        flags: ALWAYS,
        summary: "Forgets the watched keys.",
        complexity: "O(N) in the number of watched keys.",
        ..BASE
    },
    handler: Flow::Unwatch,
};
