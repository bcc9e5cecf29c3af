//! HGETALL key: all fields and values.
//!
//! Reply:   map of fields and values, empty when `key` does not exist.
//! Errors:  WRONGTYPE when `key` holds another type.
//!
//! Fields whose time is over are left out, and stay for now.

use super::all::{Parts, reply_all};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hgetall",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY,
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns all fields and values of a hash.",
        complexity: "O(N), N being the number of fields",
        tips: &["nondeterministic_output_order"],
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: hgetall,
};

fn hgetall(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    reply_all(ctx, args, Parts::Both)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn fields_come_with_their_values_and_a_small_hash_keeps_their_order() {
        transcript(
            "
            > HGETALL k
            *0
            > HSET k b 1 a x
            :2
            > HGETALL k
            *4
            $b
            $1
            $a
            $x
            @resp3
            > HGETALL k
            %2
            $b
            $1
            $a
            $x
            > HGETALL missing
            %0
            ",
        );
    }

    #[test]
    fn fields_that_are_over_are_left_out_but_not_removed() {
        transcript(
            "
            > HSET k a 1 b 2
            :2
            > HPEXPIRE k 5 FIELDS 1 a
            *1
            :1
            @advance 6
            > HGETALL k
            *2
            $b
            $2
            > HKEYS k
            *1
            $b
            > HVALS k
            *1
            $2
            > HLEN k
            :2
            ",
        )
        .propagates(&["HSET k a 1 b 2", "HPEXPIREAT k 1000005 FIELDS 1 a"]);
    }
}
