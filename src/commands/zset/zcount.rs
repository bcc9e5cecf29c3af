//! ZCOUNT key min max: how many members have scores in a range.
//!
//! Reply:   integer. `(` before an end leaves it out; `-inf` and `+inf` are ends.
//! Errors:  min or max is not a float; WRONGTYPE when `key` holds another type.

use super::args::score_range;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zcount",
        group: Group::SortedSet,
        since: "2.0.0",
        arity: Arity::Exactly(4),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Counts the members of a sorted set whose scores are in a range.",
        complexity: "O(log(N)), N being the members of the sorted set",
        args: &[Arg::key("key", 0), Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double)],
        ..Meta::NEW
    },
    handler: zcount,
};

fn zcount(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let range = score_range(args.get(2), args.get(3))?;
    let count = ctx.db.read::<Zset>(args.get(1))?.map_or(0, |zset| zset.range_by_score(&range).len());
    ctx.reply.int(count as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn ends_belong_to_the_range_unless_left_out() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c inf d
            :4
            > ZCOUNT z 1 3
            :3
            > ZCOUNT z (1 3
            :2
            > ZCOUNT z (1 (3
            :1
            > ZCOUNT z -inf +inf
            :4
            > ZCOUNT z 3 1
            :0
            > ZCOUNT x 1 3
            :0
            > ZCOUNT z x 3
            -ERR min or max is not a float
            > ZCOUNT z 1 nan
            -ERR min or max is not a float
            > SET s x
            +OK
            > ZCOUNT s 1 3
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
