//! EXPIRE key seconds [NX | XX | GT | LT]: sets how long a key lives.
//!
//! Reply:   1 when the expiry was set (or the key deleted, the moment having passed), 0 when the key does not exist or the
//!          condition does not hold.
//! Errors:  options that contradict each other; not an integer; invalid expire time when it does not fit.
//!
//! The rules are in `expiry.rs`.

use super::expiry::{Form, set_expiry};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "expire",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Sets a key's time to live in seconds.",
        history: &[("7.0.0", "NX, XX, GT and LT.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("seconds", ArgKind::Integer),
            Arg::one_of(
                "condition",
                &[Arg::token("nx", "NX"), Arg::token("xx", "XX"), Arg::token("gt", "GT"), Arg::token("lt", "LT")],
            )
            .optional()
            .since("7.0.0"),
        ],
        ..Meta::NEW
    },
    handler: expire,
};

fn expire(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    set_expiry(ctx, args, Form { command: "expire", is_relative: true, unit_ms: 1000 })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_key_lives_so_many_seconds() {
        transcript(
            "
            > EXPIRE k 10
            :0
            > SET k v
            +OK
            > EXPIRE k 10
            :1
            > PTTL k
            :10000
            @advance 10001
            > GET k
            nil
            ",
        )
        .propagates(&["SET k v", "PEXPIREAT k 1010000", "DEL k"])
        .notifies(&["set k", "expire k", "expired k"]);
    }

    #[test]
    fn conditions_compare_with_the_present_expiry() {
        transcript(
            "
            > SET k v
            +OK
            > EXPIRE k 100 XX
            :0
            > EXPIRE k 100 gt
            :0
            > EXPIRE k 100 nx
            :1
            > EXPIRE k 200 NX
            :0
            > EXPIRE k 200 LT
            :0
            > EXPIRE k 200 GT XX
            :1
            > EXPIRE k 50 XX LT
            :1
            > TTL k
            :50
            ",
        )
        .propagates(&[
            "SET k v",
            "PEXPIREAT k 1100000 nx",
            "PEXPIREAT k 1200000 GT XX",
            "PEXPIREAT k 1050000 XX LT",
        ]);
    }

    #[test]
    fn a_time_that_has_passed_deletes_the_key() {
        transcript(
            "
            > SET k v
            +OK
            > EXPIRE k 0
            :1
            > EXISTS k
            :0
            > SET k v
            +OK
            > EXPIRE k -1
            :1
            ",
        )
        .propagates(&["SET k v", "DEL k", "SET k v", "DEL k"])
        .notifies(&["set k", "del k", "set k", "del k"]);
    }

    #[test]
    fn wrong_arguments_are_refused_in_order() {
        transcript(
            "
            > SET k v
            +OK
            > EXPIRE k x FOO
            -ERR Unsupported option FOO
            > EXPIRE k x NX XX
            -ERR NX and XX, GT or LT options at the same time are not compatible
            > EXPIRE k x GT LT
            -ERR GT and LT options at the same time are not compatible
            > EXPIRE k x GT
            -ERR value is not an integer or out of range
            > EXPIRE k 9223372036854775807
            -ERR invalid expire time in 'expire' command
            > EXPIRE k -9223372036854775808
            -ERR invalid expire time in 'expire' command
            > EXPIRE k 9223372036854775
            -ERR invalid expire time in 'expire' command
            > TTL k
            :-1
            ",
        )
        .propagates(&["SET k v"]);
    }
}
