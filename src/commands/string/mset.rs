//! MSET key value [key value …]: stores several strings.
//!
//! Reply:   OK.
//! Errors:  wrong number of arguments when a key has no value; nothing is stored then.

use super::value::value_of;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::many_keys::each_key;
use crate::keyspace::{Event, Expiry};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "mset",
        group: Group::String,
        since: "1.0.1",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::STRING,
        keys: &[KeySpec::range(1, -1, 2, Access::OW.and(Access::UPDATE))],
        summary: "Stores several strings at once.",
        complexity: "O(N), N being the number of keys",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        args: &[Arg::block("data", &[Arg::key("key", 0), Arg::new("value", ArgKind::String)]).multiple()],
        ..Meta::NEW
    },
    handler: mset,
};

fn mset(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    check_pairs(args, "mset")?;
    put_pairs(ctx, args);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// Refuses a key without a value.
pub(super) fn check_pairs(args: &Args<'_>, command: &str) -> Result<(), CommandError> {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::WrongArity { command: command.to_owned() });
    }
    Ok(())
}

/// Stores all pairs, in order.
pub(super) fn put_pairs(ctx: &mut DataCtx<'_>, args: &Args<'_>) {
    each_key(ctx, args, 2, |ctx, at| {
        ctx.db.put(args.get(at), value_of(args, at + 1), Expiry::Clear, Event::SET);
    });
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn all_pairs_are_stored_the_last_of_equal_keys_counts() {
        transcript(
            "
            > SET a 0 EX 10
            +OK
            > MSET a 1 b 2 a 3
            +OK
            > MGET a b
            *2
            $3
            $2
            > TTL a
            :-1
            ",
        )
        .propagates(&["SET a 0 PXAT 1010000", "MSET a 1 b 2 a 3"])
        .notifies(&["set a", "expire a", "set a", "set b", "set a"]);
    }

    #[test]
    fn a_key_without_value_is_refused() {
        transcript(
            "
            > MSET a 1 b
            -ERR wrong number of arguments for 'mset' command
            > EXISTS a
            :0
            ",
        )
        .propagates(&[]);
    }
}
