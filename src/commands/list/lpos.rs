//! LPOS key element [RANK rank] [COUNT n] [MAXLEN n]: where an element is.
//!
//! RANK says which match to begin with; a negative one counts, and searches, from the tail. COUNT asks for several matches (0:
//! all), MAXLEN bounds how many elements are looked at (0: all).
//!
//! Reply:   integer, or null; with COUNT an array of integers.
//! Errors:  WRONGTYPE when `key` holds another type; syntax error; RANK can't be zero …; COUNT can't be negative; MAXLEN
//!          can't be negative; value is not an integer or out of range.

use std::ops::ControlFlow;

use super::args::{parse_from, parse_index};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::{End, List};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec, options};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lpos",
        group: Group::List,
        since: "6.0.6",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::LIST,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the indexes of elements with a given value.",
        complexity: "O(N), N being the number of elements looked at",
        args: &[
            Arg::key("key", 0),
            Arg::new("element", ArgKind::String),
            Arg::new("rank", ArgKind::Integer).after("RANK").optional(),
            Arg::new("num-matches", ArgKind::Integer).after("COUNT").optional(),
            Arg::new("len", ArgKind::Integer).after("MAXLEN").optional(),
        ],
        ..Meta::NEW
    },
    handler: lpos,
};

/// What is looked for.
struct Search {
    from: End,
    /// Matches to leave out.
    skip: u64,
    /// How many matches are wanted, when it was said.
    count: Option<usize>,
    /// How many elements to look at.
    most: usize,
}

fn parse(args: &Args<'_>) -> Result<Search, CommandError> {
    let unless_zero = |number: usize| if number == 0 { usize::MAX } else { number };
    let mut search = Search { from: End::Left, skip: 0, count: None, most: usize::MAX };
    let mut words = args.from(3);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(CommandError::Syntax)?;
        match () {
            _ if options::is(word, "RANK") => {
                let rank = parse_rank(value)?;
                search.from = if rank < 0 { End::Right } else { End::Left };
                search.skip = rank.unsigned_abs() - 1;
            }
            _ if options::is(word, "COUNT") => {
                search.count = Some(unless_zero(parse_from(value, 0, "COUNT can't be negative")?));
            }
            _ if options::is(word, "MAXLEN") => {
                search.most = unless_zero(parse_from(value, 0, "MAXLEN can't be negative")?);
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    Ok(search)
}

fn parse_rank(value: &[u8]) -> Result<i64, CommandError> {
    match parse_index(value)? {
        i64::MIN => {
            Err(CommandError::err(format!("value is out of range, value must between {} and {}", -i64::MAX, i64::MAX)))
        }
        0 => Err(CommandError::err(
            "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start \
             from the end of the list",
        )),
        rank => Ok(rank),
    }
}

fn lpos(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let mut search = parse(args)?;
    let mut found = Vec::new();
    let wanted = search.count.unwrap_or(1);
    if let Some(list) = ctx.db.read::<List>(args.get(1))? {
        list.find(args.get(2), search.from, search.most, |index| {
            if search.skip > 0 {
                search.skip -= 1;
            } else {
                found.push(index);
            }
            if found.len() == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }
    match (search.count, found.first()) {
        (Some(_), _) => {
            ctx.reply.array(found.len());
            found.iter().for_each(|index| ctx.reply.int(*index as i64));
        }
        (None, Some(index)) => ctx.reply.int(*index as i64),
        (None, None) => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn matches_are_counted_from_either_end() {
        transcript(
            "
            > RPUSH k a b c 1 2 3 c c
            :8
            > LPOS k c
            :2
            > LPOS k 2
            :4
            > LPOS k c RANK 2
            :6
            > LPOS k c RANK -1
            :7
            > LPOS k c RANK 4
            nil
            > LPOS k c COUNT 2
            *2
            :2
            :6
            > LPOS k c COUNT 0 RANK -2
            *2
            :6
            :2
            > LPOS k c COUNT 0 MAXLEN 7
            *2
            :2
            :6
            > LPOS k c MAXLEN 1 RANK -1
            :7
            > LPOS k c MAXLEN 2
            nil
            > LPOS k x COUNT 1
            *0
            > LPOS missing x
            nil
            > LPOS missing x COUNT 5
            *0
            ",
        );
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > LPOS missing x RANK 0
            -ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list
            > LPOS missing x RANK -9223372036854775808
            -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
            > LPOS missing x RANK y
            -ERR value is not an integer or out of range
            > LPOS missing x COUNT -1
            -ERR COUNT can't be negative
            > LPOS missing x COUNT y
            -ERR COUNT can't be negative
            > LPOS missing x MAXLEN -1
            -ERR MAXLEN can't be negative
            > LPOS missing x COUNT
            -ERR syntax error
            > LPOS missing x NOTHING 1
            -ERR syntax error
            > SET s v
            +OK
            > LPOS s v
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
