//! ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]: stores members of any input.
//!
//! Reply:   integer, how many members the result has. Without any, `destination` is deleted; what it held before does not matter.
//! Errors:  at least 1 input key is needed; syntax error; weight value is not a float; WRONGTYPE when an input is neither a sorted set nor a set.

use super::combine::{Operation, store_combined};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zunionstore",
        group: Group::SortedSet,
        since: "2.0.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::OW.and(Access::UPDATE)), KeySpec::counted(2, Access::RO.and(Access::ACCESS))],
        summary: "Stores the union of several sorted sets in a key.",
        complexity: "O(N)+O(M*log(M)), N being the members of all inputs and M those of the result",
        args: &[
            Arg::key("destination", 0),
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 1).multiple(),
            Arg::new("weight", ArgKind::Integer).after("WEIGHTS").multiple().optional(),
            Arg::one_of("aggregate", &[Arg::token("sum", "SUM"), Arg::token("min", "MIN"), Arg::token("max", "MAX")])
                .after("AGGREGATE")
                .optional(),
        ],
        ..Meta::NEW
    },
    handler: zunionstore,
};

fn zunionstore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    store_combined(ctx, args, Operation::Union, "zunionstore", Event::ZUNIONSTORE)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_result_replaces_what_was_there() {
        transcript(
            "
            > ZADD a 1 x 2 y
            :2
            > SET d x
            +OK
            > ZUNIONSTORE d 2 a missing WEIGHTS 2 1
            :2
            > ZUNIONSTORE a 2 a d AGGREGATE MIN
            :2
            > ZSCORE d y
            $4
            > ZSCORE a y
            $2
            > ZUNIONSTORE d 1 missing
            :0
            > EXISTS d
            :0
            > ZUNIONSTORE d 1 missing
            :0
            > ZUNIONSTORE d 1 a WITHSCORES
            -ERR syntax error
            > ZUNIONSTORE d 0 a
            -ERR at least 1 input key is needed for 'zunionstore' command
            ",
        )
        .propagates(&[
            "ZADD a 1 x 2 y",
            "SET d x",
            "ZUNIONSTORE d 2 a missing WEIGHTS 2 1",
            "ZUNIONSTORE a 2 a d AGGREGATE MIN",
            "ZUNIONSTORE d 1 missing",
        ])
        .notifies(&["zadd a", "set d", "zunionstore d", "zunionstore a", "del d"]);
    }
}
