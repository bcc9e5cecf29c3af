//! SINTERCARD numkeys key [key ...] [LIMIT limit]: how many members several sets have in common.
//!
//! Reply:   integer, at most `limit`; a limit of 0 is none.
//! Errors:  numkeys should be greater than 0; Number of keys can't be greater than number of args; LIMIT can't be negative;
//!          syntax error; WRONGTYPE.

use std::ops::ControlFlow;

use super::members::sets_at;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::set::{Set, algebra};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "sintercard",
        group: Group::Set,
        since: "7.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::SET,
        keys: &[KeySpec::counted(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns how many members several sets have in common.",
        complexity: "O(N*M), N being the size of the smallest set and M the number of sets",
        args: &[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::new("limit", ArgKind::Integer).after("LIMIT").optional(),
        ],
        ..Meta::NEW
    },
    handler: sintercard,
};

fn sintercard(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let keys = parse_i64(args.get(1))
        .and_then(|keys| usize::try_from(keys).ok())
        .filter(|keys| *keys > 0)
        .ok_or_else(|| CommandError::err("numkeys should be greater than 0"))?;
    if keys > args.len() - 2 {
        return Err(CommandError::err("Number of keys can't be greater than number of args").into());
    }
    let limit = limit_of(args, 2 + keys)?;
    let sets: Option<Vec<&Set>> = sets_at(&mut ctx.db, args.from(2).take(keys))?.into_iter().collect();
    let mut count = 0;
    algebra::intersection(&sets.unwrap_or_default(), &mut |_| {
        count += 1;
        if count == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    ctx.reply.int(count);
    Ok(Outcome::Done)
}

/// What LIMIT says, the last one of several; 0 when it is not there.
fn limit_of(args: &Args<'_>, start: usize) -> Result<i64, CommandError> {
    let mut limit = 0;
    let mut words = args.from(start);
    while let Some(word) = words.next() {
        let Some(value) = words.next().filter(|_| word.eq_ignore_ascii_case(b"LIMIT")) else {
            return Err(CommandError::Syntax);
        };
        limit =
            parse_i64(value).filter(|limit| *limit >= 0).ok_or_else(|| CommandError::err("LIMIT can't be negative"))?;
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn counting_ends_at_the_limit() {
        transcript(
            "
            > SADD a 1 2 3
            :3
            > SADD b 2 3 4
            :3
            > SINTERCARD 2 a b
            :2
            > SINTERCARD 2 a b LIMIT 1
            :1
            > SINTERCARD 2 a b LIMIT 0
            :2
            > SINTERCARD 2 a b limit 1 LIMIT 10
            :2
            > SINTERCARD 2 a missing
            :0
            > SINTERCARD 1 a
            :3
            ",
        );
    }

    #[test]
    fn wrong_numbers_are_refused() {
        transcript(
            "
            > SINTERCARD 0 a
            -ERR numkeys should be greater than 0
            > SINTERCARD x a
            -ERR numkeys should be greater than 0
            > SINTERCARD 2 a
            -ERR Number of keys can't be greater than number of args
            > SINTERCARD 1 a b
            -ERR syntax error
            > SINTERCARD 1 a LIMIT
            -ERR syntax error
            > SINTERCARD 1 a LIMIT -1
            -ERR LIMIT can't be negative
            > SINTERCARD 1 a LIMIT x
            -ERR LIMIT can't be negative
            > SINTERCARD 1
            -ERR wrong number of arguments for 'sintercard' command
            > SET k v
            +OK
            > SINTERCARD 1 k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
