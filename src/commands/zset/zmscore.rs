//! ZMSCORE key member [member ...]: the scores of several members.
//!
//! Reply:   array of scores, null where there is no such member; all null when there is no such key.
//! Errors:  WRONGTYPE when `key` holds another type.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zmscore",
        group: Group::SortedSet,
        since: "6.2.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the scores of several members of a sorted set.",
        complexity: "O(N), N being the number of members asked for",
        args: &[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple()],
        ..Meta::NEW
    },
    handler: zmscore,
};

fn zmscore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let zset = ctx.db.read::<Zset>(args.get(1))?;
    ctx.reply.array(args.len() - 2);
    for member in args.from(2) {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => ctx.reply.double(score),
            None => ctx.reply.null(),
        }
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn each_member_gets_an_answer() {
        transcript(
            "
            > ZADD z 1 a 2 b
            :2
            > ZMSCORE z b x a
            *3
            $2
            nil
            $1
            > ZMSCORE x a b
            *2
            nil
            nil
            @resp3
            > ZMSCORE z a x
            *2
            ,1
            _
            > SET s x
            +OK
            > ZMSCORE s a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
