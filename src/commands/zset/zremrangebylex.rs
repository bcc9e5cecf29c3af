//! ZREMRANGEBYLEX key min max: removes the members whose names are in a range, all scores being equal.
//!
//! Reply:   integer, how many were removed.
//! Errors:  min or max not valid string range item; WRONGTYPE when `key` holds another type.

use super::args::lex_range;
use super::remrange::remove_range;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zremrangebylex",
        group: Group::SortedSet,
        since: "2.8.9",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Removes the members of a sorted set whose names are in a range, all scores being equal.",
        complexity: "O(log(N)+M), N being the members of the sorted set and M those removed",
        args: &[Arg::key("key", 0), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String)],
        ..Meta::NEW
    },
    handler: zremrangebylex,
};

fn zremrangebylex(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let range = lex_range(args.get(2), args.get(3))?;
    remove_range(ctx, args.get(1), Event::ZREMRANGEBYLEX, |zset| zset.range_by_name(&range))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn names_in_the_range_go() {
        transcript(
            "
            > ZADD z 0 a 0 b 0 c
            :3
            > ZREMRANGEBYLEX z [a (b
            :1
            > ZREMRANGEBYLEX z - +
            :2
            > ZREMRANGEBYLEX z a b
            -ERR min or max not valid string range item
            ",
        )
        .notifies(&["zadd z", "zremrangebylex z", "zremrangebylex z", "del z"]);
    }
}
