//! ZINTERCARD numkeys key [key ...] [LIMIT limit]: how many members all inputs have.
//!
//! Reply:   integer. With a limit other than 0, counting stops there.
//! Errors:  at least 1 input key is needed; LIMIT can't be negative; syntax error; WRONGTYPE when an input is neither a sorted set
//!          nor a set.

use super::combine::count_intersection;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zintercard",
        group: Group::SortedSet,
        since: "7.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::counted(1, Access::RO.and(Access::ACCESS))],
        summary: "Counts the members of the intersection of several sorted sets.",
        complexity: "O(N*K), N being the members of the smallest input and K the number of inputs",
        args: &[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::new("limit", ArgKind::Integer).after("LIMIT").optional(),
        ],
        ..Meta::NEW
    },
    handler: zintercard,
};

fn zintercard(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let count = count_intersection(ctx, args, "zintercard")?;
    ctx.reply.int(count as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn counting_stops_at_the_limit() {
        transcript(
            "
            > ZADD a 1 x 2 y 3 z
            :3
            > ZINTERCARD 2 a a
            :3
            > ZINTERCARD 2 a a LIMIT 2
            :2
            > ZINTERCARD 2 a a LIMIT 0
            :3
            > ZINTERCARD 2 a missing
            :0
            > ZINTERCARD 1 a LIMIT -1
            -ERR LIMIT can't be negative
            > ZINTERCARD 1 a LIMIT x
            -ERR LIMIT can't be negative
            > ZINTERCARD 1 a WITHSCORES
            -ERR syntax error
            > ZINTERCARD 0 a
            -ERR at least 1 input key is needed for 'zintercard' command
            ",
        );
    }
}
