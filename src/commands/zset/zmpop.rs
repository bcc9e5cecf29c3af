//! ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]: takes members out of the first sorted set that exists.
//!
//! Reply:   array of the key and an array of pairs of member and score; a null array when no key exists.
//! Errors:  numkeys should be greater than 0; count should be greater than 0; syntax error; WRONGTYPE when the first key that exists holds another
//!          type.
//!
//! Replicas and the AOF receive `ZPOPMIN key n` or `ZPOPMAX key n`, n being how many were taken.

use super::args::at_least;
use super::pop::{Answer, Side, pop};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::options::{Words, is};
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zmpop",
        group: Group::SortedSet,
        since: "7.0.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::counted(1, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
        summary: "Takes the members with the lowest or highest scores out of the first of several sorted sets that exists.",
        complexity: "O(K)+O(M*log(N)), K being the number of keys, N the members of the sorted set and M those taken",
        args: &[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::one_of("where", &[Arg::token("min", "MIN"), Arg::token("max", "MAX")]),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
        ],
        ..Meta::NEW
    },
    handler: zmpop,
};

/// What ZMPOP asks for. BZMPOP has a timeout before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// How many keys follow the word that says so.
    pub keys: usize,
    /// The end.
    pub side: Side,
    /// How many members at most.
    pub count: usize,
}

/// Reads the words from the number of keys on, which is word `at`.
pub fn parse(args: &Args<'_>, at: usize) -> Result<Request, CommandError> {
    let keys = at_least(1, args.get(at), "numkeys should be greater than 0")?;
    let side_at = usize::try_from(keys).ok().and_then(|keys| keys.checked_add(at + 1));
    let side_at = side_at.filter(|side_at| *side_at < args.len()).ok_or(CommandError::Syntax)?;
    let side = Side::named(args.get(side_at)).ok_or(CommandError::Syntax)?;
    let (mut count, mut words) = (None, Words::new(args, side_at + 1));
    while let Some(word) = words.next() {
        if count.is_some() || !is(word, "COUNT") || words.left() == 0 {
            return Err(CommandError::Syntax);
        }
        let number = words.next().ok_or(CommandError::Syntax)?;
        count = Some(at_least(1, number, "count should be greater than 0")? as usize);
    }
    Ok(Request { keys: keys as usize, side, count: count.unwrap_or(1) })
}

fn zmpop(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let Request { keys, side, count } = parse(args, 1)?;
    match pop(ctx, args.from(2).take(keys), side, count, Answer::KeyAndPairs)? {
        Some(popped) => Ok(popped.with_count(ctx, side)),
        None => {
            ctx.reply.null_array();
            Ok(Outcome::Done)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_first_key_that_exists_gives_its_members() {
        transcript(
            "
            > ZADD b 1 x 2 y 3 z
            :3
            > ZMPOP 2 a b MIN
            *2
            $b
            *1
            *2
            $x
            $1
            > ZMPOP 2 a b max COUNT 10
            *2
            $b
            *2
            *2
            $z
            $3
            *2
            $y
            $2
            > ZMPOP 2 a b MIN
            nil
            ",
        )
        .propagates(&["ZADD b 1 x 2 y 3 z", "ZPOPMIN b 1", "ZPOPMAX b 2"])
        .notifies(&["zadd b", "zpopmin b", "zpopmax b", "del b"]);
    }

    #[test]
    fn wrong_calls_take_nothing() {
        transcript(
            "
            > SET s x
            +OK
            > ZADD z 1 a
            :1
            > ZMPOP 2 s z MIN
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZMPOP 2 z s MIN
            *2
            $z
            *1
            *2
            $a
            $1
            > ZMPOP 0 z MIN
            -ERR numkeys should be greater than 0
            > ZMPOP x z MIN
            -ERR numkeys should be greater than 0
            > ZMPOP 9223372036854775807 z MIN
            -ERR syntax error
            > ZMPOP 1 z MID
            -ERR syntax error
            > ZMPOP 2 z MIN
            -ERR syntax error
            > ZMPOP 1 z MIN COUNT
            -ERR syntax error
            > ZMPOP 1 z MIN COUNT 0
            -ERR count should be greater than 0
            > ZMPOP 1 z MIN COUNT 1 COUNT 2
            -ERR syntax error
            ",
        );
    }
}
