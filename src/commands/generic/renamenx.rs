//! RENAMENX key newkey: gives a key another name, unless that name is taken.
//!
//! Reply:   1 when it was renamed, 0 when `newkey` exists (which it does when both names are the same).
//! Errors:  no such key.

use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "renamenx",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[
            KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE)),
            KeySpec::one(2, Access::OW.and(Access::INSERT)),
        ],
        summary: "Gives a key another name, unless that name is taken.",
        history: &[("3.2.0", "Equal names are no error any more.")],
        args: &[Arg::key("key", 0), Arg::key("newkey", 1)],
        ..Meta::NEW
    },
    handler: renamenx,
};

fn renamenx(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (from, to) = (args.get(1), args.get(2));
    if !ctx.db.contains(from) {
        return Err(CommandError::NoSuchKey.into());
    }
    let is_free = from != to && !ctx.db.contains(to);
    if is_free {
        ctx.db.rename(from, to);
    }
    ctx.reply.int(is_free.into());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_name_that_is_taken_is_left_alone() {
        transcript(
            "
            > RENAMENX a b
            -ERR no such key
            > MSET a 1 b 2
            +OK
            > RENAMENX a b
            :0
            > RENAMENX a a
            :0
            > RENAMENX a c
            :1
            > MGET a b c
            *3
            nil
            $2
            $1
            ",
        )
        .propagates(&["MSET a 1 b 2", "RENAMENX a c"])
        .notifies(&["set a", "set b", "rename_from a", "rename_to c"]);
    }
}
