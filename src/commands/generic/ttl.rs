//! TTL key: how many seconds a key has left, rounded to the nearest.
//!
//! Reply:   integer; -1 when the key does not expire, -2 when it does not exist.

use super::expiry::{Question, ask_expiry};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "ttl",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns a key's remaining time to live in seconds.",
        history: &[("2.8.0", "-2 for a missing key.")],
        tips: &["nondeterministic_output"],
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: ttl,
};

fn ttl(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    ask_expiry(ctx, args, Question { is_relative: true, unit_ms: 1000 })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_three_answers() {
        transcript(
            "
            > TTL k
            :-2
            > SET k v
            +OK
            > TTL k
            :-1
            > PEXPIREAT k 1002500
            :1
            > TTL k
            :3
            @advance 1001
            > TTL k
            :1
            ",
        )
        .propagates(&["SET k v", "PEXPIREAT k 1002500"]);
    }
}
