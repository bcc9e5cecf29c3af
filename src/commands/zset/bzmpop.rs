//! BZMPOP timeout numkeys key [key …] MIN|MAX [COUNT n]: ZMPOP that waits for one of the sorted sets to exist.
//!
//! Reply:   array of the key and an array of pairs of member and score; a null array when the time (in seconds, 0 for ever) is over.
//! Errors:  as ZMPOP; timeout is negative, out of range, not a float.
//!
//! Replicas and the AOF receive `ZPOPMIN key n` or `ZPOPMAX key n`, with the number of members that were taken.

use super::pop::{Answer, pop};
use super::zmpop::{Request, parse};
use crate::commands::contract::{Blocking, CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::timeout;
use crate::data::TypeName;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "bzmpop",
        group: Group::SortedSet,
        since: "7.0.0",
        arity: Arity::AtLeast(5),
        flags: Flags::WRITE.and(Flags::BLOCKING),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::counted(2, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
        summary: "Takes members with the lowest or highest scores out of the first sorted set that exists; waits if none does.",
        complexity: "O(K)+O(M*log(N)), K being the number of keys, N the members of the sorted set and M those taken",
        args: &[
            Arg::new("timeout", ArgKind::Double),
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::one_of("where", &[Arg::token("min", "MIN"), Arg::token("max", "MAX")]),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
        ],
        ..Meta::NEW
    },
    handler: bzmpop,
};

fn bzmpop(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let Request { keys, side, count } = parse(args, 2)?;
    let timeout_ms = timeout::seconds(args.get(1), ctx.now)?;
    let keys = || args.from(3).take(keys);
    if let Some(popped) = pop(ctx, keys(), side, count, Answer::KeyAndPairs)? {
        return Ok(popped.with_count(ctx, side));
    }
    if ctx.may_block {
        return Ok(Blocking::on(keys(), TypeName::Zset, timeout_ms).into());
    }
    ctx.reply.null_array();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn members_are_taken_now_or_later() {
        transcript(
            "
            > ZADD b 1 x 2 y 3 z
            :3
            > BZMPOP 1 2 a b MAX COUNT 2
            *2
            $b
            *2
            *2
            $z
            $3
            *2
            $y
            $2
            > BZMPOP 0 2 a c MIN COUNT 10
            (waits)
            @client 2
            > ZADD c 5 p 6 q
            :2
            @client 1
            (hears)
            *2
            $c
            *2
            *2
            $p
            $5
            *2
            $q
            $6
            > BZMPOP 0.2 1 a MIN
            (waits)
            @advance 200
            (hears)
            nil
            ",
        )
        .propagates(&["ZADD b 1 x 2 y 3 z", "ZPOPMAX b 2", "ZADD c 5 p 6 q", "ZPOPMIN c 2"])
        .notifies(&["zadd b", "zpopmax b", "zadd c", "zpopmin c", "del c"]);
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > BZMPOP x 0 k MIN
            -ERR numkeys should be greater than 0
            > BZMPOP x 1 k MIN
            -ERR timeout is not a float or out of range
            > BZMPOP -1 1 k MIN
            -ERR timeout is negative
            > BZMPOP 0 2 k MIN
            -ERR syntax error
            > BZMPOP 0 1 k MIN COUNT 0
            -ERR count should be greater than 0
            > SET s v
            +OK
            > BZMPOP 0 2 k s MIN
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > MULTI
            +OK
            > BZMPOP 0 1 k MIN
            +QUEUED
            > EXEC
            *1
            nil
            ",
        );
    }
}
