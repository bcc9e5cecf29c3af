//! HEXPIRETIME key FIELDS numfields field [field ...]: until which second, as a Unix time, fields live, rounded up.
//!
//! Reply:   array, for each field the answer, -2 when there is no such field, -1 when it lives for ever.
//! Errors:  WRONGTYPE; FIELDS missing; a number of fields that is not that of the fields.

use super::expiry::{FIELDS_ARG, Question, ask_expiries};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hexpiretime",
        group: Group::Hash,
        since: "7.4.0",
        arity: Arity::AtLeast(5),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns until which second, as a Unix time, fields live.",
        complexity: "O(N), N being the number of fields named",
        args: &[Arg::key("key", 0), FIELDS_ARG],
        ..Meta::NEW
    },
    handler: hexpiretime,
};

fn hexpiretime(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    ask_expiries(ctx, args, Question { is_relative: false, unit_ms: 1000 })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn each_field_has_its_answer() {
        transcript(
            "
            > HSET k a 1 b 2
            :2
            > HPEXPIRE k 2500 FIELDS 1 a
            *1
            :1
            > HEXPIRETIME k FIELDS 3 a b c
            *3
            :1003
            :-1
            :-2
            > HEXPIRETIME missing FIELDS 1 a
            *1
            :-2
            @advance 2501
            > HEXPIRETIME k FIELDS 1 a
            *1
            :-2
            > HLEN k
            :2
            ",
        );
    }
}
