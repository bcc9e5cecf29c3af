//! ZPOPMAX key [count]: takes the members with the highest scores out.
//!
//! Reply:   array of members and their scores, the highest first; in RESP3 with a count, an array of pairs. Empty when there is no
//!          such key.
//! Errors:  value is out of range, must be positive; WRONGTYPE when `key` holds another type.

use super::pop::Side;
use super::zpopmin::pop_one_key;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zpopmax",
        group: Group::SortedSet,
        since: "5.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
        summary: "Takes the members with the highest scores out of a sorted set and returns them.",
        complexity: "O(log(N)+M), N being the members of the sorted set and M those taken",
        args: &[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional()],
        ..Meta::NEW
    },
    handler: zpopmax,
};

fn zpopmax(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    pop_one_key(ctx, args, Side::Max)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_highest_go_first_and_the_key_with_the_last() {
        transcript(
            "
            > ZADD z 1 a 2 b 2 c
            :3
            > ZPOPMAX z
            *2
            $c
            $2
            > ZPOPMAX z 5
            *4
            $b
            $2
            $a
            $1
            > ZPOPMAX z
            *0
            ",
        )
        .propagates(&["ZADD z 1 a 2 b 2 c", "ZPOPMAX z", "ZPOPMAX z 5"])
        .notifies(&["zadd z", "zpopmax z", "zpopmax z", "del z"]);
    }
}
