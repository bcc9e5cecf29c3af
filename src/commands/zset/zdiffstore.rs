//! ZDIFFSTORE destination numkeys key [key ...]: stores the members of the first input that are in no other.
//!
//! Reply:   integer, how many members the result has. Without any, `destination` is deleted; what it held before does not matter.
//! Errors:  at least 1 input key is needed; syntax error; WRONGTYPE when an input is neither a sorted set nor a set.

use super::combine::{Operation, store_combined};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zdiffstore",
        group: Group::SortedSet,
        since: "6.2.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::OW.and(Access::UPDATE)), KeySpec::counted(2, Access::RO.and(Access::ACCESS))],
        summary: "Stores the members of a sorted set that are in no other of several sorted sets in a key.",
        complexity: "O(L*K)+O(M*log(M)), L being the members of the first input, K the number of inputs and M the members of the result",
        args: &[Arg::key("destination", 0), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 1).multiple()],
        ..Meta::NEW
    },
    handler: zdiffstore,
};

fn zdiffstore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    store_combined(ctx, args, Operation::Diff, "zdiffstore", Event::ZDIFFSTORE)
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
            > ZADD b 3 y
            :1
            > ZDIFFSTORE a 2 a b
            :1
            > ZRANGE a 0 -1
            *1
            $x
            > ZDIFFSTORE a 2 b b
            :0
            > EXISTS a
            :0
            ",
        )
        .notifies(&["zadd a", "zadd b", "zdiffstore a", "del a"]);
    }
}
