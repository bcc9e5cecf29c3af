//! ZSCORE key member: the score of a member.
//!
//! Reply:   the score (bulk string, in RESP3 a double), or null when there is no such key or member.
//! Errors:  WRONGTYPE when `key` holds another type.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zscore",
        group: Group::SortedSet,
        since: "1.2.0",
        arity: Arity::Exactly(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the score of a member of a sorted set.",
        args: &[Arg::key("key", 0), Arg::new("member", ArgKind::String)],
        ..Meta::NEW
    },
    handler: zscore,
};

fn zscore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    match ctx.db.read::<Zset>(args.get(1))?.and_then(|zset| zset.score(args.get(2))) {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn scores_print_as_redis_prints_them() {
        transcript(
            "
            > ZADD z 0.1 a 1e20 b -inf c 1.5e300 d 3.0 e
            :5
            > ZSCORE z a
            $0.1
            > ZSCORE z b
            $1e+20
            > ZSCORE z c
            $-inf
            > ZSCORE z d
            $1.5e+300
            > ZSCORE z e
            $3
            > ZSCORE z x
            nil
            > ZSCORE x a
            nil
            @resp3
            > ZSCORE z a
            ,0.1
            > ZSCORE z x
            _
            > SET s x
            +OK
            > ZSCORE s a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
