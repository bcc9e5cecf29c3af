//! ZLEXCOUNT key min max: how many members have names in a range, all scores being equal.
//!
//! Reply:   integer. An end is `[name`, `(name` (which leaves it out), `-` or `+`.
//! Errors:  min or max not valid string range item; WRONGTYPE when `key` holds another type.

use super::args::lex_range;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zlexcount",
        group: Group::SortedSet,
        since: "2.8.9",
        arity: Arity::Exactly(4),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Counts the members of a sorted set whose names are in a range, all scores being equal.",
        complexity: "O(log(N)), N being the members of the sorted set",
        args: &[Arg::key("key", 0), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String)],
        ..Meta::NEW
    },
    handler: zlexcount,
};

fn zlexcount(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let range = lex_range(args.get(2), args.get(3))?;
    let count = ctx.db.read::<Zset>(args.get(1))?.map_or(0, |zset| zset.range_by_name(&range).len());
    ctx.reply.int(count as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn names_are_compared_byte_by_byte() {
        transcript(
            r#"
            > ZADD z 0 a 0 b 0 c 0 10 0 ""
            :5
            > ZLEXCOUNT z - +
            :5
            > ZLEXCOUNT z [a [b
            :2
            > ZLEXCOUNT z (a (c
            :1
            > ZLEXCOUNT z [ (a
            :2
            > ZLEXCOUNT z + -
            :0
            > ZLEXCOUNT x - +
            :0
            > ZLEXCOUNT z a b
            -ERR min or max not valid string range item
            > ZLEXCOUNT z -x +
            -ERR min or max not valid string range item
            > SET s x
            +OK
            > ZLEXCOUNT s - +
            -WRONGTYPE Operation against a key holding the wrong kind of value
            "#,
        );
    }
}
