//! HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]: gives fields a time to live in seconds.
//!
//! Reply:   array, for each field -2 (no such field), 0 (the condition did not hold), 1 (done), 2 (removed, as the moment has
//!          passed).
//! Errors:  WRONGTYPE; not an integer; invalid expire time; FIELDS missing; a number of fields that is not that of the fields.

use super::expiry::{CONDITION_ARG, FIELDS_ARG, Form, set_expiries};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hexpire",
        group: Group::Hash,
        since: "7.4.0",
        arity: Arity::AtLeast(6),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Gives fields a time to live in seconds.",
        complexity: "O(N), N being the number of fields named",
        args: &[Arg::key("key", 0), Arg::new("seconds", ArgKind::Integer), CONDITION_ARG, FIELDS_ARG],
        ..Meta::NEW
    },
    handler: hexpire,
};

fn hexpire(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    set_expiries(ctx, args, Form { command: "hexpire", is_relative: true, unit_ms: 1000 })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn each_field_has_its_answer_and_only_those_set_are_propagated() {
        transcript(
            "
            > HSET k a 1 b 2 c 3
            :3
            > HEXPIRE k 10 FIELDS 2 a missing
            *2
            :1
            :-2
            > HEXPIRE k 20 NX FIELDS 2 a b
            *2
            :0
            :1
            > HEXPIRE k 5 gt FIELDS 1 b
            *1
            :0
            > HEXPIRE k 5 XX FIELDS 1 c
            *1
            :0
            > HTTL k FIELDS 3 a b c
            *3
            :10
            :20
            :-1
            > OBJECT ENCODING k
            $listpackex
            > HEXPIRE missing 10 FIELDS 2 a b
            *2
            :-2
            :-2
            ",
        )
        .propagates(&["HSET k a 1 b 2 c 3", "HPEXPIREAT k 1010000 FIELDS 1 a", "HPEXPIREAT k 1020000 NX FIELDS 1 b"])
        .notifies(&["hset k", "hexpire k", "hexpire k"]);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        transcript(
            "
            > HSET k f v
            :1
            > SET s v
            +OK
            > HEXPIRE s x FIELDS 1 f
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > HEXPIRE k x FIELDS 1 f
            -ERR value is not an integer or out of range
            > HEXPIRE k -1 FIELDS 1 f
            -ERR invalid expire time, must be >= 0
            > HEXPIRE k 281474976711 FIELDS 1 f
            -ERR invalid expire time in 'hexpire' command
            > HEXPIRE k 10 YY FIELDS 1 f
            -ERR Mandatory argument FIELDS is missing or not at the right position
            > HEXPIRE k 10 NX FELDS 1 f
            -ERR Mandatory argument FIELDS is missing or not at the right position
            > HEXPIRE k 10 FIELDS 0 f
            -ERR Parameter `numFields` should be greater than 0
            > HEXPIRE k 10 FIELDS x f
            -ERR Parameter `numFields` should be greater than 0
            > HEXPIRE k 10 FIELDS 2 f
            -ERR The `numfields` parameter must match the number of arguments
            > HEXPIRE k 10 FIELDS 1 f g
            -ERR The `numfields` parameter must match the number of arguments
            > HEXPIRE k 10 FIELDS 1
            -ERR wrong number of arguments for 'hexpire' command
            > HTTL k FIELDS 1 f
            *1
            :-1
            ",
        )
        .propagates(&["HSET k f v", "SET s v"]);
    }
}
