//! ZRANGEBYLEX key min max [LIMIT offset count]: members by name, all scores being equal.
//!
//! Reply:   array of members.
//! Errors:  min or max not valid string range item; syntax error; WRONGTYPE when `key` holds another type.

use super::range::{By, Form, reply_range};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zrangebylex",
        group: Group::SortedSet,
        since: "2.8.9",
        arity: Arity::AtLeast(4),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the members of a sorted set whose names are in a range, all scores being equal.",
        complexity: "O(log(N)+M), N being the members of the sorted set and M those returned",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")),
        args: &[
            Arg::key("key", 0),
            Arg::new("min", ArgKind::String),
            Arg::new("max", ArgKind::String),
            Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)])
                .after("LIMIT")
                .optional(),
        ],
        ..Meta::NEW
    },
    handler: zrangebylex,
};

fn zrangebylex(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    reply_range(ctx, args, Form { by: Some(By::Name), is_reversed: Some(false), is_store: false })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn names_in_a_range() {
        transcript(
            "
            > ZADD z 0 a 0 b 0 c
            :3
            > ZRANGEBYLEX z (a +
            *2
            $b
            $c
            > ZRANGEBYLEX z - + LIMIT 1 1
            *1
            $b
            > ZRANGEBYLEX z - + WITHSCORES
            -ERR syntax error, WITHSCORES not supported in combination with BYLEX
            > ZRANGEBYLEX z a b
            -ERR min or max not valid string range item
            ",
        );
    }
}
