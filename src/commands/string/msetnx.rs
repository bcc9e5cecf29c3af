//! MSETNX key value [key value …]: stores several strings, but only if none of the keys exists.
//!
//! Reply:   1 when all were stored, 0 when nothing was.
//! Errors:  wrong number of arguments when a key has no value.

use super::mset::{check_pairs, put_pairs};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "msetnx",
        group: Group::String,
        since: "1.0.1",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::STRING,
        keys: &[KeySpec::range(1, -1, 2, Access::OW.and(Access::INSERT))],
        summary: "Stores several strings at once, but only if none of the keys exists.",
        complexity: "O(N), N being the number of keys",
        args: &[Arg::block("data", &[Arg::key("key", 0), Arg::new("value", ArgKind::String)]).multiple()],
        ..Meta::NEW
    },
    handler: msetnx,
};

fn msetnx(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    check_pairs(args, "msetnx")?;
    if args.from(1).step_by(2).any(|key| ctx.db.contains(key)) {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    }
    put_pairs(ctx, args);
    ctx.reply.int(1);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn one_key_that_exists_forbids_all() {
        transcript(
            "
            > MSETNX a 1 b 2 a 3
            :1
            > MSETNX c 1 b 9
            :0
            > MGET a b c
            *3
            $3
            $2
            nil
            > MSETNX a
            -ERR wrong number of arguments for 'msetnx' command
            > MSETNX a 1 b
            -ERR wrong number of arguments for 'msetnx' command
            ",
        )
        .propagates(&["MSETNX a 1 b 2 a 3"])
        .notifies(&["set a", "set b", "set a"]);
    }
}
