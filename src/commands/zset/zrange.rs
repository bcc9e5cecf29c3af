//! ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]: a range of members.
//!
//! Reply:   array of members; with WITHSCORES each followed by its score, in RESP3 as pairs. With REV the highest come first, and
//!          of scores and names the upper end is given first.
//! Errors:  syntax error; not an integer; min or max is not a float; min or max not valid string range item; WRONGTYPE when
//!          `key` holds another type.

use super::range::{Form, reply_range};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zrange",
        group: Group::SortedSet,
        since: "1.2.0",
        arity: Arity::AtLeast(4),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the members of a sorted set in a range of ranks, scores or names.",
        complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
        history: &[("6.2.0", "REV, BYSCORE, BYLEX and LIMIT.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("start", ArgKind::String),
            Arg::new("stop", ArgKind::String),
            Arg::one_of("sortby", &[Arg::token("byscore", "BYSCORE"), Arg::token("bylex", "BYLEX")])
                .optional()
                .since("6.2.0"),
            Arg::token("rev", "REV").optional().since("6.2.0"),
            Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)])
                .after("LIMIT")
                .optional()
                .since("6.2.0"),
            Arg::token("withscores", "WITHSCORES").optional(),
        ],
        ..Meta::NEW
    },
    handler: zrange,
};

fn zrange(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    reply_range(ctx, args, Form::default())
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn ranks_from_either_end() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c
            :3
            > ZRANGE z 0 -1
            *3
            $a
            $b
            $c
            > ZRANGE z -2 5 WITHSCORES
            *4
            $b
            $2
            $c
            $3
            > ZRANGE z 0 1 REV
            *2
            $c
            $b
            > ZRANGE z 2 1
            *0
            > ZRANGE z 0 -1 LIMIT 5 -1
            *3
            $a
            $b
            $c
            > ZRANGE x 0 -1
            *0
            ",
        );
    }

    #[test]
    fn scores_and_names_with_a_limit() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c 4 d
            :4
            > ZRANGE z (1 +inf BYSCORE LIMIT 1 2
            *2
            $c
            $d
            > ZRANGE z +inf (1 BYSCORE REV LIMIT 1 2
            *2
            $c
            $b
            > ZRANGE z 1 4 BYSCORE LIMIT 3 -1
            *1
            $d
            > ZRANGE z 1 4 BYSCORE LIMIT -1 2
            *0
            > ZRANGE z 1 4 BYSCORE LIMIT 0 0
            *0
            > ZADD n 0 a 0 b 0 c
            :3
            > ZRANGE n - (c BYLEX
            *2
            $a
            $b
            > ZRANGE n [c - REV BYLEX LIMIT 0 2
            *2
            $c
            $b
            ",
        );
    }

    #[test]
    fn resp3_pairs_members_and_scores() {
        transcript(
            "
            @resp3
            > ZADD z 1 a 2.5 b
            :2
            > ZRANGE z 0 -1 WITHSCORES
            *2
            *2
            $a
            ,1
            *2
            $b
            ,2.5
            > ZRANGE z 0 -1
            *2
            $a
            $b
            ",
        );
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > SET s x
            +OK
            > ZRANGE s 0 -1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZRANGE s 0 x
            -ERR value is not an integer or out of range
            > ZRANGE s 0 x BYSCORE
            -ERR min or max is not a float
            > ZRANGE s a b BYLEX
            -ERR min or max not valid string range item
            > ZRANGE s 0 1 LIMIT 0 1
            -ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
            > ZRANGE s - + BYLEX WITHSCORES
            -ERR syntax error, WITHSCORES not supported in combination with BYLEX
            > ZRANGE s 0 1 BYSCORE LIMIT 0
            -ERR syntax error
            > ZRANGE s 0 1 BYSCORE LIMIT a 1
            -ERR value is not an integer or out of range
            > ZRANGE s 0 1 FOO
            -ERR syntax error
            ",
        );
    }
}
