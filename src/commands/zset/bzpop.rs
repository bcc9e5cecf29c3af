//! BZPOPMIN and BZPOPMAX key [key …] timeout: takes the member with the lowest or highest score from the first of several sorted sets
//! that exists, and waits for one if none does.
//!
//! Reply:   array of the key, the member and its score; a null array when the time (in seconds, 0 for ever) is over.
//! Errors:  WRONGTYPE when the first key that exists holds another type; timeout is negative, out of range, not a float.
//!
//! Replicas and the AOF receive `ZPOPMIN key` or `ZPOPMAX key`.

use super::pop::{Answer, Side, pop};
use crate::commands::contract::{Blocking, CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::timeout;
use crate::data::TypeName;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

const META: Meta = Meta {
    group: Group::SortedSet,
    since: "5.0.0",
    arity: Arity::AtLeast(3),
    flags: Flags::WRITE.and(Flags::BLOCKING).and(Flags::FAST),
    categories: Category::SORTEDSET,
    keys: &[KeySpec::range(1, -2, 1, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
    complexity: "O(log(N)), N being the number of members",
    history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
    args: &[Arg::key("key", 0).multiple(), Arg::new("timeout", ArgKind::Double)],
    ..Meta::NEW
};

/// BZPOPMIN.
pub const BZPOPMIN: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "bzpopmin",
        summary: "Takes the member with the lowest score out of the first sorted set that exists; waits if none does.",
        ..META
    },
    handler: |ctx, args| pop_or_wait(ctx, args, Side::Min),
};

/// BZPOPMAX.
pub const BZPOPMAX: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "bzpopmax",
        summary: "Takes the member with the highest score out of the first sorted set that exists; waits if none does.",
        ..META
    },
    handler: |ctx, args| pop_or_wait(ctx, args, Side::Max),
};

fn pop_or_wait(ctx: &mut DataCtx<'_>, args: &Args<'_>, side: Side) -> CommandResult {
    let last = args.len() - 1;
    let timeout_ms = timeout::seconds(args.get(last), ctx.now)?;
    let keys = || args.from(1).take(last - 1);
    if let Some(popped) = pop(ctx, keys(), side, 1, Answer::KeyAndFlat)? {
        return Ok(ctx.propagate(&[side.command(), popped.key]));
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
    fn the_first_sorted_set_that_exists_gives_at_once() {
        transcript(
            "
            > ZADD b 1 x 2.5 y 3 z
            :3
            > BZPOPMIN a b 0
            *3
            $b
            $x
            $1
            @resp3
            > BZPOPMAX b a 0.5
            *3
            $b
            $z
            ,3
            > BZPOPMIN b 0
            *3
            $b
            $y
            ,2.5
            ",
        )
        .propagates(&["ZADD b 1 x 2.5 y 3 z", "ZPOPMIN b", "ZPOPMAX b", "ZPOPMIN b"])
        .notifies(&["zadd b", "zpopmin b", "zpopmax b", "zpopmin b", "del b"]);
    }

    #[test]
    fn who_waits_is_served_in_turn() {
        transcript(
            "
            > BZPOPMIN a b 0
            (waits)
            @client 2
            > BZPOPMAX b 10
            (waits)
            @client 3
            > ZADD b 1 x 2 y 3 z
            :3
            > ZCARD b
            :1
            @client 1
            (hears)
            *3
            $b
            $x
            $1
            @client 2
            (hears)
            *3
            $b
            $z
            $3
            > BZPOPMAX a 0.01
            (waits)
            @advance 10
            (hears)
            nil
            ",
        )
        .propagates(&["ZADD b 1 x 2 y 3 z", "ZPOPMIN b", "ZPOPMAX b"])
        .notifies(&["zadd b", "zpopmin b", "zpopmax b"]);
    }

    #[test]
    fn clients_that_wait_for_other_types_of_the_key_are_passed_over() {
        transcript(
            "
            > BLPOP k 0
            (waits)
            @client 2
            > BZPOPMIN k 0
            (waits)
            @client 3
            > ZADD k 1 x
            :1
            > EXISTS k
            :0
            @client 2
            (hears)
            *3
            $k
            $x
            $1
            @client 3
            > RPUSH k a
            :1
            @client 1
            (hears)
            *2
            $k
            $a
            ",
        );
    }

    #[test]
    fn wrong_calls_are_refused_and_nothing_waits_in_a_transaction() {
        transcript(
            "
            > SET s v
            +OK
            > BZPOPMIN missing s 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > BZPOPMIN k -1
            -ERR timeout is negative
            > BZPOPMAX k x
            -ERR timeout is not a float or out of range
            > BZPOPMIN k
            -ERR wrong number of arguments for 'bzpopmin' command
            > MULTI
            +OK
            > BZPOPMIN k 0
            +QUEUED
            > EXEC
            *1
            nil
            ",
        );
    }
}
