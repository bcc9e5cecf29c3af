//! HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]: says until which second fields live.
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
        name: "hexpireat",
        group: Group::Hash,
        since: "7.4.0",
        arity: Arity::AtLeast(6),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Says until which second, as a Unix time, fields live.",
        complexity: "O(N), N being the number of fields named",
        args: &[Arg::key("key", 0), Arg::new("unix-time-seconds", ArgKind::UnixTime), CONDITION_ARG, FIELDS_ARG],
        ..Meta::NEW
    },
    handler: hexpireat,
};

fn hexpireat(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    set_expiries(ctx, args, Form { command: "hexpireat", is_relative: false, unit_ms: 1000 })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn it_is_propagated_as_a_moment_in_milliseconds() {
        transcript(
            "
            > HSET k f v
            :1
            > HEXPIREAT k 1001 FIELDS 1 f
            *1
            :1
            > HPEXPIRETIME k FIELDS 1 f
            *1
            :1001000
            ",
        )
        .propagates(&["HSET k f v", "HPEXPIREAT k 1001000 FIELDS 1 f"])
        .notifies(&["hset k", "hexpire k"]);
    }
}
