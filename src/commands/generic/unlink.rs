//! UNLINK key [key …]: removes keys; large values are freed in the background.
//!
//! Reply:   integer, how many of them existed.

use super::del::del;
use crate::commands::contract::DataHandler;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "unlink",
        group: Group::Generic,
        since: "4.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::range(1, -1, 1, Access::RM.and(Access::DELETE))],
        summary: "Removes keys, freeing what they held in the background.",
        complexity: "O(1) for each key; freeing happens elsewhere",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        args: &[Arg::key("key", 0).multiple()],
        ..Meta::NEW
    },
    handler: del,
};

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn keys_are_removed_and_the_word_stays() {
        transcript(
            "
            > MSET a 1 b 2
            +OK
            > UNLINK a missing b
            :2
            > UNLINK a
            :0
            ",
        )
        .propagates(&["MSET a 1 b 2", "UNLINK a missing b"])
        .notifies(&["set a", "set b", "del a", "del b"]);
    }
}
