//! PEXPIRETIME key: from which Unix time in milliseconds on a key is gone.
//!
//! Reply:   integer; -1 when the key does not expire, -2 when it does not exist.

use super::expiry::{Question, ask_expiry};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "pexpiretime",
        group: Group::Generic,
        since: "7.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the moment a key expires, as a Unix time in milliseconds.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: pexpiretime,
};

fn pexpiretime(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    ask_expiry(ctx, args, Question { is_relative: false, unit_ms: 1 })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_three_answers() {
        transcript(
            "
            > PEXPIRETIME k
            :-2
            > SET k v
            +OK
            > PEXPIRETIME k
            :-1
            > PEXPIREAT k 1002500
            :1
            > PEXPIRETIME k
            :1002500
            @advance 1001
            > PEXPIRETIME k
            :1002500
            ",
        )
        .propagates(&["SET k v", "PEXPIREAT k 1002500"]);
    }
}
