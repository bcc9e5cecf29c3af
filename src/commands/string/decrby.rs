//! DECRBY key amount: lowers the integer at `key`.
//!
//! Reply:   integer, the value afterwards. A missing key counts as 0.
//! Errors:  not an integer (the amount first, then the value); WRONGTYPE; would overflow.

use super::incr::add;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "decrby",
        group: Group::String,
        since: "1.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Lowers the integer at a key by the given amount; a missing key counts as 0.",
        args: &[Arg::key("key", 0), Arg::new("decrement", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: decrby,
};

fn decrby(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let amount = parse_i64(args.get(2)).ok_or(CommandError::NotInteger)?;
    // The smallest number has no opposite.
    let amount = amount.checked_neg().ok_or_else(|| CommandError::err("decrement would overflow"))?;
    add(ctx, args.get(1), amount)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn amounts_are_taken_away() {
        transcript(
            "
            > DECRBY n 5
            :-5
            > DECRBY n -10
            :5
            > DECRBY n -9223372036854775808
            -ERR decrement would overflow
            > DECRBY n x
            -ERR value is not an integer or out of range
            ",
        )
        .propagates(&["DECRBY n 5", "DECRBY n -10"])
        .notifies(&["incrby n", "incrby n"]);
    }
}
