//! PSETEX key milliseconds value: stores a string that expires after so many milliseconds.
//!
//! Reply:   OK.
//! Errors:  not an integer; invalid expire time.
//!
//! Replicas and the AOF receive `SET key value PXAT ms`.

use super::expiry::Unit;
use super::set::{put, set_pxat};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "psetex",
        group: Group::String,
        since: "2.6.0",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::OW.and(Access::UPDATE))],
        summary: "Stores a string with a time to live in milliseconds.",
        deprecated: Some(("2.6.12", "`SET` with the `PX` argument")),
        args: &[Arg::key("key", 0), Arg::new("milliseconds", ArgKind::Integer), Arg::new("value", ArgKind::String)],
        ..Meta::NEW
    },
    handler: psetex,
};

fn psetex(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let at = Unit::Millis.moment(args.get(2), ctx.now.wall(), "psetex")?;
    put(ctx, args.get(1), args, 3, Some(at), false);
    ctx.reply.ok();
    Ok(ctx.propagate_with(|| set_pxat(args, 3, at)))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_string_is_stored_with_its_time_to_live() {
        transcript(
            "
            > PSETEX k 10 v
            +OK
            > PEXPIRETIME k
            :1000010
            > GET k
            $v
            ",
        )
        .propagates(&["SET k v PXAT 1000010"])
        .notifies(&["set k", "expire k"]);
    }

    #[test]
    fn impossible_times_are_refused() {
        transcript(
            "
            > PSETEX k 0 v
            -ERR invalid expire time in 'psetex' command
            > PSETEX k -1 v
            -ERR invalid expire time in 'psetex' command
            > PSETEX k 9223372036854775807 v
            -ERR invalid expire time in 'psetex' command
            > PSETEX k x v
            -ERR value is not an integer or out of range
            > EXISTS k
            :0
            ",
        )
        .propagates(&[]);
    }
}
