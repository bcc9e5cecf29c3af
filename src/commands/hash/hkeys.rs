//! HKEYS key: the names of all fields.
//!
//! Reply:   array, empty when `key` does not exist.
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
        name: "hkeys",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY,
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the names of all fields of a hash.",
        complexity: "O(N), N being the number of fields",
        tips: &["nondeterministic_output_order"],
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: hkeys,
};

fn hkeys(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    reply_all(ctx, args, Parts::Names)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_small_hash_keeps_the_order_of_its_fields() {
        transcript(
            "
            > HKEYS k
            *0
            > HSET k b 1 a x
            :2
            > HKEYS k
            *2
            $b
            $a
            @resp3
            > HKEYS missing
            *0
            > SET s v
            +OK
            > HKEYS s
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
