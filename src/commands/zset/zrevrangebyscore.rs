//! ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]: members by score, the highest first.
//!
//! Reply:   array of members; with WITHSCORES each followed by its score, in RESP3 as pairs.
//! Errors:  min or max is not a float; syntax error; WRONGTYPE when `key` holds another type.

use super::range::{By, Form, reply_range};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zrevrangebyscore",
        group: Group::SortedSet,
        since: "2.2.0",
        arity: Arity::AtLeast(4),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the members of a sorted set whose scores are in a range, the highest first.",
        complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
        history: &[("2.1.6", "An end may be left out.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")),
        args: &[
            Arg::key("key", 0),
            Arg::new("max", ArgKind::Double),
            Arg::new("min", ArgKind::Double),
            Arg::token("withscores", "WITHSCORES").optional(),
            Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)])
                .after("LIMIT")
                .optional(),
        ],
        ..Meta::NEW
    },
    handler: zrevrangebyscore,
};

fn zrevrangebyscore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    reply_range(ctx, args, Form { by: Some(By::Score), is_reversed: Some(true), is_store: false })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn scores_in_a_range_from_above() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c
            :3
            > ZREVRANGEBYSCORE z 3 (1
            *2
            $c
            $b
            > ZREVRANGEBYSCORE z +inf -inf LIMIT 1 1
            *1
            $b
            > ZREVRANGEBYSCORE z 1 3
            *0
            ",
        );
    }
}
