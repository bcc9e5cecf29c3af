//! DECR key: lowers the integer at `key` by one.
//!
//! Reply:   integer, the value afterwards. A missing key counts as 0.
//! Errors:  WRONGTYPE when `key` holds another type; not an integer; would overflow.

use super::incr::add;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "decr",
        group: Group::String,
        since: "1.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Lowers the integer at a key by one; a missing key counts as 0.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: decr,
};

fn decr(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    add(ctx, args.get(1), -1)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn it_counts_down_below_zero_until_the_smallest_number() {
        transcript(
            "
            > DECR n
            :-1
            > DECR n
            :-2
            > SET n -9223372036854775808
            +OK
            > DECR n
            -ERR increment or decrement would overflow
            ",
        )
        .propagates(&["DECR n", "DECR n", "SET n -9223372036854775808"])
        .notifies(&["incrby n", "incrby n", "set n"]);
    }
}
