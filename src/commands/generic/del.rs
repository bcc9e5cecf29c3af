//! DEL key [key …]: removes keys.
//!
//! Reply:   integer, how many of them existed.
//!
//! Replicas and the AOF receive the command as it was written when at least one key was removed.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::many_keys::each_key;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "del",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE,
        categories: Category::KEYSPACE,
        keys: &[KeySpec::range(1, -1, 1, Access::RM.and(Access::DELETE))],
        summary: "Removes keys.",
        complexity: "O(N), N being the number of keys, plus the number of elements of each collection removed",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        args: &[Arg::key("key", 0).multiple()],
        ..Meta::NEW
    },
    handler: del,
};

/// Also UNLINK: whether a large value is freed in the background is decided by its size, not by the command.
pub(super) fn del(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let mut removed = 0;
    each_key(ctx, args, 1, |ctx, at| removed += i64::from(ctx.db.remove(args.get(at), Event::DEL)));
    ctx.reply.int(removed);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn every_key_that_exists_is_removed_and_counted_once() {
        transcript(
            "
            > MSET a 1 b 2
            +OK
            > DEL a missing b a
            :2
            > DEL a
            :0
            > EXISTS a b
            :0
            ",
        )
        .propagates(&["MSET a 1 b 2", "DEL a missing b a"])
        .notifies(&["set a", "set b", "del a", "del b"]);
    }

    #[test]
    fn a_key_that_had_expired_does_not_count() {
        transcript(
            "
            > SET k v PX 10
            +OK
            @advance 20
            > DEL k
            :0
            ",
        )
        .propagates(&["SET k v PXAT 1000010", "DEL k"])
        .notifies(&["set k", "expire k", "expired k"]);
    }
}
