//! PEXPIRE key milliseconds [NX | XX | GT | LT]: sets how long a key lives.
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
        name: "pexpire",
        group: Group::Generic,
        since: "2.6.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Sets a key's time to live in milliseconds.",
        history: &[("7.0.0", "NX, XX, GT and LT.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("milliseconds", ArgKind::Integer),
            Arg::one_of(
                "condition",
                &[Arg::token("nx", "NX"), Arg::token("xx", "XX"), Arg::token("gt", "GT"), Arg::token("lt", "LT")],
            )
            .optional()
            .since("7.0.0"),
        ],
        ..Meta::NEW
    },
    handler: pexpire,
};

fn pexpire(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    set_expiry(ctx, args, Form { command: "pexpire", is_relative: true, unit_ms: 1 })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_key_lives_so_many_milliseconds() {
        transcript(
            "
            > SET k v
            +OK
            > PEXPIRE k 1500
            :1
            > TTL k
            :2
            > PEXPIRE k 9223372036854775807
            -ERR invalid expire time in 'pexpire' command
            > PEXPIRE k 1
            :1
            @advance 1
            > EXISTS k
            :1
            @advance 1
            > EXISTS k
            :0
            ",
        )
        .propagates(&["SET k v", "PEXPIREAT k 1001500", "PEXPIREAT k 1000001", "DEL k"])
        .notifies(&["set k", "expire k", "expire k", "expired k"]);
    }
}
