//! KEYS pattern: the name of every key that matches.
//!
//! Reply:   array of bulk strings, in no particular order.
//!
//! It looks at every key of the database in one go. SCAN does the same in small steps.

use crate::base::glob;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "keys",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY,
        categories: Category::KEYSPACE.and(Category::DANGEROUS),
        summary: "Returns every key name that matches a pattern.",
        complexity: "O(N), N being the number of keys in the database",
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        args: &[Arg::new("pattern", ArgKind::Pattern)],
        ..Meta::NEW
    },
    handler: keys,
};

fn keys(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let pattern = args.get(1);
    let is_all = pattern == b"*";
    let (reply, mut found) = (&mut ctx.reply, 0);
    let array = reply.array_deferred();
    ctx.db.for_each_key(|key, _| {
        if is_all || glob::matches(pattern, key) {
            reply.bulk(key);
            found += 1;
        }
    });
    reply.finish(array, found);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn only_keys_that_match_and_live_are_named() {
        transcript(
            "
            > MSET foo:1 a bar b
            +OK
            > SET foo:2 c PX 10
            +OK
            @advance 11
            > KEYS foo*
            *1
            $foo:1
            > KEYS ba[rz]
            *1
            $bar
            > KEYS nothing
            *0
            ",
        )
        .notifies(&["set foo:1", "set bar", "set foo:2", "expire foo:2"]);
    }
}
