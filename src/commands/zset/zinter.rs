//! ZINTER numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]: members of all inputs.
//!
//! Reply:   array of members; with WITHSCORES each followed by its score, in RESP3 as pairs.
//! Errors:  at least 1 input key is needed; syntax error; weight value is not a float; WRONGTYPE when an input is neither a sorted set nor a set.

use super::combine::{Operation, reply_combined};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zinter",
        group: Group::SortedSet,
        since: "6.2.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::counted(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the intersection of several sorted sets.",
        complexity: "O(N*K)+O(M*log(M)), N being the members of the smallest input, K the number of inputs and M the members of the result",
        args: &[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::new("weight", ArgKind::Integer).after("WEIGHTS").multiple().optional(),
            Arg::one_of("aggregate", &[Arg::token("sum", "SUM"), Arg::token("min", "MIN"), Arg::token("max", "MAX")])
                .after("AGGREGATE")
                .optional(),
            Arg::token("withscores", "WITHSCORES").optional(),
        ],
        ..Meta::NEW
    },
    handler: zinter,
};

fn zinter(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    reply_combined(ctx, args, Operation::Inter, "zinter")
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn only_members_of_all_are_returned() {
        transcript(
            "
            > ZADD a 1 x 2 y 3 z
            :3
            > ZADD b 10 y 20 z
            :2
            > ZINTER 2 a b WITHSCORES
            *4
            $y
            $12
            $z
            $23
            > ZINTER 2 a b WEIGHTS 1 0.5 AGGREGATE MAX WITHSCORES
            *4
            $y
            $5
            $z
            $10
            > ZINTER 2 a missing
            *0
            > ZINTER 2 b b WITHSCORES
            *4
            $y
            $20
            $z
            $40
            > ZINTER 1 a LIMIT 1
            -ERR syntax error
            > ZINTER 0 a
            -ERR at least 1 input key is needed for 'zinter' command
            ",
        );
    }

    #[test]
    fn members_of_plain_sets_have_score_one() {
        transcript(
            "
            > ZADD a 1 x 2 y
            :2
            > SADD s y z
            :2
            > ZINTER 2 a s WITHSCORES
            *2
            $y
            $3
            > ZINTER 2 s a WEIGHTS 10 1 WITHSCORES
            *2
            $y
            $12
            ",
        );
    }
}
