//! EXISTS key [key …]: how many of the keys exist.
//!
//! Reply:   integer; a key named twice counts twice.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::many_keys::each_key;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "exists",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::range(1, -1, 1, Access::RO)],
        summary: "Counts how many of the named keys exist.",
        complexity: "O(N), N being the number of keys",
        history: &[("3.0.3", "More than one key.")],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        args: &[Arg::key("key", 0).multiple()],
        ..Meta::NEW
    },
    handler: exists,
};

fn exists(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let mut found = 0;
    each_key(ctx, args, 1, |ctx, at| found += i64::from(ctx.db.exists(args.get(at))));
    ctx.reply.int(found);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_key_named_twice_counts_twice() {
        transcript(
            "
            > SET a 1
            +OK
            > EXISTS a b a
            :2
            > EXISTS b
            :0
            ",
        )
        .propagates(&["SET a 1"]);
    }
}
