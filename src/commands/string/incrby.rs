//! INCRBY key amount: raises the integer at `key`.
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
        name: "incrby",
        group: Group::String,
        since: "1.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Raises the integer at a key by the given amount; a missing key counts as 0.",
        args: &[Arg::key("key", 0), Arg::new("increment", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: incrby,
};

fn incrby(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let amount = parse_i64(args.get(2)).ok_or(CommandError::NotInteger)?;
    add(ctx, args.get(1), amount)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn amounts_have_a_sign_and_zero_counts_as_a_change() {
        transcript(
            "
            > INCRBY n 17179869184
            :17179869184
            > INCRBY n -4
            :17179869180
            > INCRBY n 0
            :17179869180
            > INCRBY n 9223372036854775807
            -ERR increment or decrement would overflow
            > INCRBY n 1.5
            -ERR value is not an integer or out of range
            > INCRBY n +1
            -ERR value is not an integer or out of range
            ",
        )
        .propagates(&["INCRBY n 17179869184", "INCRBY n -4", "INCRBY n 0"])
        .notifies(&["incrby n", "incrby n", "incrby n"]);
    }
}
