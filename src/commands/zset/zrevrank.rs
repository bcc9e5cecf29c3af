//! ZREVRANK key member [WITHSCORE]: how many members are behind this one.
//!
//! Reply:   integer; with WITHSCORE an array of it and the score. Null (a null array) when there is no such key or member.
//! Errors:  syntax error; WRONGTYPE when `key` holds another type.

use super::zrank::rank;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zrevrank",
        group: Group::SortedSet,
        since: "2.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the rank of a member of a sorted set, the highest score being rank 0.",
        complexity: "O(log(N)), N being the members of the sorted set",
        history: &[("7.2.0", "WITHSCORE.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("member", ArgKind::String),
            Arg::token("withscore", "WITHSCORE").optional(),
        ],
        ..Meta::NEW
    },
    handler: zrevrank,
};

fn zrevrank(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    rank(ctx, args, "zrevrank", |rank, length| length - 1 - rank)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn ranks_count_from_the_highest() {
        transcript(
            "
            > ZADD z 10 a 20 b 20 c
            :3
            > ZREVRANK z a
            :2
            > ZREVRANK z c WITHSCORE
            *2
            :0
            $20
            > ZREVRANK z x
            nil
            > ZREVRANK z a WITHSCORE x
            -ERR wrong number of arguments for 'zrevrank' command
            ",
        );
    }
}
