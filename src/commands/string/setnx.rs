//! SETNX key value: stores a string unless the key exists.
//!
//! Reply:   1 when it was stored, 0 when the key existed (with any type).

use super::value::value_of;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::keyspace::{Event, Expiry};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "setnx",
        group: Group::String,
        since: "1.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::OW.and(Access::INSERT))],
        summary: "Stores a string unless the key exists already.",
        deprecated: Some(("2.6.12", "`SET` with the `NX` argument")),
        args: &[Arg::key("key", 0), Arg::new("value", ArgKind::String)],
        ..Meta::NEW
    },
    handler: setnx,
};

fn setnx(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(1);
    if ctx.db.contains(key) {
        ctx.reply.int(0);
    } else {
        ctx.db.put(key, value_of(args, 2), Expiry::Clear, Event::SET);
        ctx.reply.int(1);
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn only_the_first_one_stores() {
        transcript(
            "
            > SETNX k a
            :1
            > SETNX k b
            :0
            > GET k
            $a
            ",
        )
        .propagates(&["SETNX k a"])
        .notifies(&["set k"]);
    }

    #[test]
    fn an_expired_key_does_not_stand_in_the_way() {
        transcript(
            "
            > SET k a PX 10
            +OK
            @advance 11
            > SETNX k b
            :1
            > TTL k
            :-1
            ",
        )
        .propagates(&["SET k a PXAT 1000010", "MULTI", "DEL k", "SETNX k b", "EXEC"])
        .notifies(&["set k", "expire k", "expired k", "set k"]);
    }
}
