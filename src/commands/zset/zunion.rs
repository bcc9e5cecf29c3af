//! ZUNION numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]: members of any input.
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
        name: "zunion",
        group: Group::SortedSet,
        since: "6.2.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::counted(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the union of several sorted sets.",
        complexity: "O(N)+O(M*log(M)), N being the members of all inputs and M those of the result",
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
    handler: zunion,
};

fn zunion(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    reply_combined(ctx, args, Operation::Union, "zunion")
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn scores_are_added_or_the_least_or_greatest_is_taken() {
        transcript(
            "
            > ZADD a 1 x 2 y
            :2
            > ZADD b 10 y 20 z
            :2
            > ZUNION 2 a b WITHSCORES
            *6
            $x
            $1
            $y
            $12
            $z
            $20
            > ZUNION 3 a b missing
            *3
            $x
            $y
            $z
            > ZUNION 2 a b WEIGHTS 2 -1 AGGREGATE MIN WITHSCORES
            *6
            $z
            $-20
            $y
            $-10
            $x
            $2
            > ZUNION 2 a b AGGREGATE max WITHSCORES
            *6
            $x
            $1
            $y
            $10
            $z
            $20
            > ZUNION 2 a a WITHSCORES
            *4
            $x
            $2
            $y
            $4
            @resp3
            > ZUNION 1 a WITHSCORES
            *2
            *2
            $x
            ,1
            *2
            $y
            ,2
            ",
        );
    }

    #[test]
    fn infinities_that_cancel_out_are_zero() {
        transcript(
            "
            > ZADD a inf x
            :1
            > ZADD b -inf x
            :1
            > ZUNION 2 a b WITHSCORES
            *2
            $x
            $0
            > ZUNION 1 a WEIGHTS 0 WITHSCORES
            *2
            $x
            $0
            ",
        );
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > SET s x
            +OK
            > ZADD a 1 x
            :1
            > ZUNION 2 a s FOO
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZUNION 0 a
            -ERR at least 1 input key is needed for 'zunion' command
            > ZUNION x a
            -ERR value is not an integer or out of range
            > ZUNION 2 a
            -ERR syntax error
            > ZUNION 9223372036854775807 a
            -ERR syntax error
            > ZUNION 1 a FOO
            -ERR syntax error
            > ZUNION 1 a WEIGHTS
            -ERR syntax error
            > ZUNION 1 a WEIGHTS x
            -ERR weight value is not a float
            > ZUNION 1 a AGGREGATE
            -ERR syntax error
            > ZUNION 1 a AGGREGATE avg
            -ERR syntax error
            ",
        );
    }
}
