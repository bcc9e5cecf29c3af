//! ZDIFF numkeys key [key ...] [WITHSCORES]: members of the first input that are in no other.
//!
//! Reply:   array of members; with WITHSCORES each followed by its score, in RESP3 as pairs.
//! Errors:  at least 1 input key is needed; syntax error; WRONGTYPE when an input is neither a sorted set nor a set.

use super::combine::{Operation, reply_combined};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zdiff",
        group: Group::SortedSet,
        since: "6.2.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::counted(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the members of a sorted set that are in no other of several sorted sets.",
        complexity: "O(L*K)+O(M*log(M)), L being the members of the first input, K the number of inputs and M the members of the result",
        args: &[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::token("withscores", "WITHSCORES").optional(),
        ],
        ..Meta::NEW
    },
    handler: zdiff,
};

fn zdiff(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    reply_combined(ctx, args, Operation::Diff, "zdiff")
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn members_of_the_others_are_left_out() {
        transcript(
            "
            > ZADD a 1 x 2 y 3 z
            :3
            > ZADD b 10 y
            :1
            > ZDIFF 2 a b WITHSCORES
            *4
            $x
            $1
            $z
            $3
            > ZDIFF 2 missing a
            *0
            > ZDIFF 2 a a
            *0
            > ZDIFF 1 a WEIGHTS 1
            -ERR syntax error
            > ZDIFF 0 a
            -ERR at least 1 input key is needed for 'zdiff' command
            ",
        );
    }
}
