//! ZRANK key member [WITHSCORE]: how many members are before this one.
//!
//! Reply:   integer; with WITHSCORE an array of it and the score. Null (a null array) when there is no such key or member.
//! Errors:  syntax error; WRONGTYPE when `key` holds another type.

use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zrank",
        group: Group::SortedSet,
        since: "2.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the rank of a member of a sorted set, the lowest score being rank 0.",
        complexity: "O(log(N)), N being the members of the sorted set",
        history: &[("7.2.0", "WITHSCORE.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("member", ArgKind::String),
            Arg::token("withscore", "WITHSCORE").optional(),
        ],
        ..Meta::NEW
    },
    handler: zrank,
};

fn zrank(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    rank(ctx, args, "zrank", |rank, _| rank)
}

/// ZRANK and ZREVRANK; `seen` makes the rank to reply of the one from below and the number of members.
pub(super) fn rank(
    ctx: &mut DataCtx<'_>,
    args: &Args<'_>,
    command: &str,
    seen: impl FnOnce(usize, usize) -> usize,
) -> CommandResult {
    if args.len() > 4 {
        return Err(CommandError::WrongArity { command: command.to_owned() }.into());
    }
    let with_score = args.len() == 4;
    if with_score && !args.is(3, "withscore") {
        return Err(CommandError::Syntax.into());
    }
    let zset = ctx.db.read::<Zset>(args.get(1))?;
    match zset.and_then(|zset| Some((zset.rank(args.get(2))?, zset.len()))) {
        Some(((rank, score), length)) => {
            if with_score {
                ctx.reply.array(2);
            }
            ctx.reply.int(seen(rank, length) as i64);
            if with_score {
                ctx.reply.double(score);
            }
        }
        None if with_score => ctx.reply.null_array(),
        None => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn ranks_count_from_zero() {
        transcript(
            "
            > ZADD z 10 a 20 b 20 c
            :3
            > ZRANK z a
            :0
            > ZRANK z c
            :2
            > ZRANK z b WithScore
            *2
            :1
            $20
            > ZRANK z x
            nil
            > ZRANK z x WITHSCORE
            nil
            > ZRANK x a
            nil
            @resp3
            > ZRANK z b WITHSCORE
            *2
            :1
            ,20
            > ZRANK z x WITHSCORE
            _
            ",
        );
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > SET s x
            +OK
            > ZRANK s a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZRANK s a WITHSCORES
            -ERR syntax error
            > ZRANK s a WITHSCORE x
            -ERR wrong number of arguments for 'zrank' command
            ",
        );
    }
}
