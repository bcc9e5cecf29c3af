//! TOUCH key [key …]: marks keys as used now.
//!
//! Reply:   integer, how many of them exist. Works for clients with NO-TOUCH as well.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::many_keys::each_key;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "touch",
        group: Group::Generic,
        since: "3.2.1",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::range(1, -1, 1, Access::RO)],
        summary: "Counts how many of the named keys exist and marks them as used now.",
        complexity: "O(N), N being the number of keys",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        args: &[Arg::key("key", 0).multiple()],
        ..Meta::NEW
    },
    handler: touch,
};

fn touch(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let mut found = 0;
    each_key(ctx, args, 1, |ctx, at| found += i64::from(ctx.db.touch(args.get(at))));
    ctx.reply.int(found);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_key_is_no_longer_idle_and_nothing_is_propagated() {
        transcript(
            "
            > SET a 1
            +OK
            @advance 5000
            > OBJECT IDLETIME a
            :5
            > TOUCH a b a
            :2
            > OBJECT IDLETIME a
            :0
            ",
        )
        .propagates(&["SET a 1"])
        .notifies(&["set a"]);
    }
}
