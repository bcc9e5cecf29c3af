//! ZREMRANGEBYSCORE key min max: removes the members whose scores are in a range.
//!
//! Reply:   integer, how many were removed.
//! Errors:  min or max is not a float; WRONGTYPE when `key` holds another type.

use super::args::score_range;
use super::remrange::remove_range;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zremrangebyscore",
        group: Group::SortedSet,
        since: "1.2.0",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Removes the members of a sorted set whose scores are in a range.",
        complexity: "O(log(N)+M), N being the members of the sorted set and M those removed",
        args: &[Arg::key("key", 0), Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double)],
        ..Meta::NEW
    },
    handler: zremrangebyscore,
};

fn zremrangebyscore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let range = score_range(args.get(2), args.get(3))?;
    remove_range(ctx, args.get(1), Event::ZREMRANGEBYSCORE, |zset| zset.range_by_score(&range))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn scores_in_the_range_go() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c
            :3
            > ZREMRANGEBYSCORE z (1 2
            :1
            > ZREMRANGEBYSCORE z 3 1
            :0
            > ZREMRANGEBYSCORE z -inf +inf
            :2
            > ZREMRANGEBYSCORE z a b
            -ERR min or max is not a float
            ",
        )
        .notifies(&["zadd z", "zremrangebyscore z", "zremrangebyscore z", "del z"]);
    }
}
