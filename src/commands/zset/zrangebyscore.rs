//! ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]: members by score.
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
        name: "zrangebyscore",
        group: Group::SortedSet,
        since: "1.0.5",
        arity: Arity::AtLeast(4),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the members of a sorted set whose scores are in a range.",
        complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
        history: &[("2.0.0", "WITHSCORES.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYSCORE` argument")),
        args: &[
            Arg::key("key", 0),
            Arg::new("min", ArgKind::Double),
            Arg::new("max", ArgKind::Double),
            Arg::token("withscores", "WITHSCORES").optional().since("2.0.0"),
            Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)])
                .after("LIMIT")
                .optional(),
        ],
        ..Meta::NEW
    },
    handler: zrangebyscore,
};

fn zrangebyscore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    reply_range(ctx, args, Form { by: Some(By::Score), is_reversed: Some(false), is_store: false })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn scores_in_a_range() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c
            :3
            > ZRANGEBYSCORE z (1 3 WITHSCORES
            *4
            $b
            $2
            $c
            $3
            > ZRANGEBYSCORE z -inf +inf LIMIT 1 1 WITHSCORES
            *2
            $b
            $2
            > ZRANGEBYSCORE x 0 1
            *0
            > ZRANGEBYSCORE z a b
            -ERR min or max is not a float
            > ZRANGEBYSCORE z 0 1 REV
            -ERR syntax error
            > ZRANGEBYSCORE z 0 1 LIMIT 1
            -ERR syntax error
            ",
        );
    }
}
