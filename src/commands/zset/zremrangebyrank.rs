//! ZREMRANGEBYRANK key start stop: removes the members of a range of ranks.
//!
//! Reply:   integer, how many were removed.
//! Errors:  not an integer; WRONGTYPE when `key` holds another type.

use super::args::{integer, rank_range};
use super::remrange::remove_range;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zremrangebyrank",
        group: Group::SortedSet,
        since: "2.0.0",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Removes the members of a sorted set in a range of ranks.",
        complexity: "O(log(N)+M), N being the members of the sorted set and M those removed",
        args: &[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: zremrangebyrank,
};

fn zremrangebyrank(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (start, stop) = (integer(args.get(2))?, integer(args.get(3))?);
    remove_range(ctx, args.get(1), Event::ZREMRANGEBYRANK, |zset| rank_range(start, stop, zset.len()))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn ranks_from_either_end_go() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c 4 d
            :4
            > ZREMRANGEBYRANK z 1 -2
            :2
            > ZREMRANGEBYRANK z 5 9
            :0
            > ZRANGE z 0 -1
            *2
            $a
            $d
            > ZREMRANGEBYRANK z 0 -1
            :2
            > ZREMRANGEBYRANK z 0 -1
            :0
            > ZREMRANGEBYRANK z 0 x
            -ERR value is not an integer or out of range
            > SET s x
            +OK
            > ZREMRANGEBYRANK s 0 1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&["ZADD z 1 a 2 b 3 c 4 d", "ZREMRANGEBYRANK z 1 -2", "ZREMRANGEBYRANK z 0 -1", "SET s x"])
        .notifies(&["zadd z", "zremrangebyrank z", "zremrangebyrank z", "del z", "set s"]);
    }
}
