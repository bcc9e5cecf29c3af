//! PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]: sets the moment from which on a key is gone.
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
        name: "pexpireat",
        group: Group::Generic,
        since: "2.6.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Sets the moment a key expires, as a Unix time in milliseconds.",
        history: &[("7.0.0", "NX, XX, GT and LT.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("unix-time-milliseconds", ArgKind::UnixTime),
            Arg::one_of(
                "condition",
                &[Arg::token("nx", "NX"), Arg::token("xx", "XX"), Arg::token("gt", "GT"), Arg::token("lt", "LT")],
            )
            .optional()
            .since("7.0.0"),
        ],
        ..Meta::NEW
    },
    handler: pexpireat,
};

fn pexpireat(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    set_expiry(ctx, args, Form { command: "pexpireat", is_relative: false, unit_ms: 1 })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_key_lives_until_a_millisecond() {
        transcript(
            "
            > SET k v
            +OK
            > PEXPIREAT k 1100001 NX
            :1
            > PTTL k
            :100001
            > PEXPIREAT k 9223372036854775807
            :1
            > PEXPIRETIME k
            :9223372036854775807
            > PEXPIREAT k 1
            :1
            ",
        )
        .propagates(&["SET k v", "PEXPIREAT k 1100001 NX", "PEXPIREAT k 9223372036854775807", "DEL k"])
        .notifies(&["set k", "expire k", "expire k", "del k"]);
    }
}
