//! HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]: says until which millisecond fields live.
//!
//! Reply:   array, for each field -2 (no such field), 0 (the condition did not hold), 1 (done), 2 (removed, as the moment has
//!          passed).
//! Errors:  WRONGTYPE; not an integer; invalid expire time; FIELDS missing; a number of fields that is not that of the fields.

use super::expiry::{CONDITION_ARG, FIELDS_ARG, Form, set_expiries};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hpexpireat",
        group: Group::Hash,
        since: "7.4.0",
        arity: Arity::AtLeast(6),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Says until which millisecond, as a Unix time, fields live.",
        complexity: "O(N), N being the number of fields named",
        args: &[Arg::key("key", 0), Arg::new("unix-time-milliseconds", ArgKind::UnixTime), CONDITION_ARG, FIELDS_ARG],
        ..Meta::NEW
    },
    handler: hpexpireat,
};

fn hpexpireat(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    set_expiries(ctx, args, Form { command: "hpexpireat", is_relative: false, unit_ms: 1 })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_moment_that_has_passed_removes_the_field() {
        transcript(
            "
            > HSET k a 1 b 2 c 3
            :3
            > HPEXPIREAT k 1000500 FIELDS 1 c
            *1
            :1
            > HPEXPIREAT k 999999 NX FIELDS 4 a missing c b
            *4
            :2
            :-2
            :0
            :2
            > HPEXPIREAT k 1 FIELDS 1 c
            *1
            :2
            > EXISTS k
            :0
            ",
        )
        .propagates(&[
            "HSET k a 1 b 2 c 3",
            "HPEXPIREAT k 1000500 FIELDS 1 c",
            "MULTI",
            "HDEL k a",
            "HDEL k b",
            "EXEC",
            "HDEL k c",
        ])
        .notifies(&["hset k", "hexpire k", "hdel k", "hdel k", "del k"]);
    }
}
