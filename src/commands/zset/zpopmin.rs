//! ZPOPMIN key [count]: takes the members with the lowest scores out.
//!
//! Reply:   array of members and their scores, the lowest first; in RESP3 with a count, an array of pairs. Empty when there is no
//!          such key.
//! Errors:  value is out of range, must be positive; WRONGTYPE when `key` holds another type.

use super::pop::{Answer, Side, pop};
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zpopmin",
        group: Group::SortedSet,
        since: "5.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
        summary: "Takes the members with the lowest scores out of a sorted set and returns them.",
        complexity: "O(log(N)+M), N being the members of the sorted set and M those taken",
        args: &[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional()],
        ..Meta::NEW
    },
    handler: zpopmin,
};

fn zpopmin(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    pop_one_key(ctx, args, Side::Min)
}

/// ZPOPMIN and ZPOPMAX.
pub(super) fn pop_one_key(ctx: &mut DataCtx<'_>, args: &Args<'_>, side: Side) -> CommandResult {
    if args.len() > 3 {
        return Err(CommandError::Syntax.into());
    }
    let (mut count, mut answer) = (1, Answer::Flat);
    if args.len() == 3 {
        let number = parse_i64(args.get(2)).filter(|number| *number >= 0);
        count = number.ok_or_else(|| CommandError::err("value is out of range, must be positive"))? as usize;
        answer = if ctx.reply.is_resp3() { Answer::Pairs } else { Answer::Flat };
    }
    if pop(ctx, std::iter::once(args.get(1)), side, count, answer)?.is_none() {
        ctx.reply.array(0);
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_lowest_go_first_and_the_key_with_the_last() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c 4 d
            :4
            > ZPOPMIN z
            *2
            $a
            $1
            > ZPOPMIN z 2
            *4
            $b
            $2
            $c
            $3
            > ZPOPMIN z 0
            *0
            > ZPOPMIN z 9
            *2
            $d
            $4
            > EXISTS z
            :0
            > ZPOPMIN z
            *0
            ",
        )
        .propagates(&["ZADD z 1 a 2 b 3 c 4 d", "ZPOPMIN z", "ZPOPMIN z 2", "ZPOPMIN z 9"])
        .notifies(&["zadd z", "zpopmin z", "zpopmin z", "zpopmin z", "del z"]);
    }

    #[test]
    fn resp3_pairs_come_with_a_count_only() {
        transcript(
            "
            @resp3
            > ZADD z 1 a 2 b
            :2
            > ZPOPMIN z
            *2
            $a
            ,1
            > ZPOPMIN z 1
            *1
            *2
            $b
            ,2
            ",
        );
    }

    #[test]
    fn wrong_calls_take_nothing() {
        transcript(
            "
            > SET s x
            +OK
            > ZPOPMIN s
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZPOPMIN s 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZPOPMIN z -1
            -ERR value is out of range, must be positive
            > ZPOPMIN z x
            -ERR value is out of range, must be positive
            > ZPOPMIN z 1 2
            -ERR syntax error
            ",
        );
    }
}
