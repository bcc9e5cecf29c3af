//! ZREVRANGE key start stop [WITHSCORES]: members by rank, the highest first.
//!
//! Reply:   array of members; with WITHSCORES each followed by its score, in RESP3 as pairs.
//! Errors:  not an integer; syntax error; WRONGTYPE when `key` holds another type.

use super::range::{By, Form, reply_range};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zrevrange",
        group: Group::SortedSet,
        since: "1.2.0",
        arity: Arity::AtLeast(4),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the members of a sorted set in a range of ranks, the highest first.",
        complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` argument")),
        args: &[
            Arg::key("key", 0),
            Arg::new("start", ArgKind::Integer),
            Arg::new("stop", ArgKind::Integer),
            Arg::token("withscores", "WITHSCORES").optional(),
        ],
        ..Meta::NEW
    },
    handler: zrevrange,
};

fn zrevrange(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    reply_range(ctx, args, Form { by: Some(By::Rank), is_reversed: Some(true), is_store: false })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn ranks_count_from_the_highest() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c
            :3
            > ZREVRANGE z 0 1 WITHSCORES
            *4
            $c
            $3
            $b
            $2
            > ZREVRANGE z -1 -1
            *1
            $a
            > ZREVRANGE z 5 9
            *0
            > ZREVRANGE z 0 -1 REV
            -ERR syntax error
            > ZREVRANGE z 0 -1 BYSCORE
            -ERR syntax error
            ",
        );
    }
}
