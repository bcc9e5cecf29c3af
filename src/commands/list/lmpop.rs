//! LMPOP numkeys key [key …] LEFT|RIGHT [COUNT n]: takes elements from the first of several lists that exists.
//!
//! Reply:   array of the key and an array of elements; a null array when none of the keys exists.
//! Errors:  WRONGTYPE when the first key that exists holds another type; numkeys should be greater than 0; count should be
//!          greater than 0; syntax error.
//!
//! Replicas and the AOF receive `LPOP key n` or `RPOP key n`, with the number of elements that were taken.

use super::args::{ENDS, parse_end, parse_from};
use super::pop::pop_nested;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::End;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec, options};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lmpop",
        group: Group::List,
        since: "7.0.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE,
        categories: Category::LIST,
        keys: &[KeySpec::counted(1, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
        summary: "Removes elements from the first of several lists that exists and returns them.",
        complexity: "O(N+M), N being the number of keys, M the number of elements returned",
        args: &[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::one_of("where", ENDS),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
        ],
        ..Meta::NEW
    },
    handler: lmpop,
};

/// What LMPOP and BLMPOP ask for.
pub struct MultiPop<'a> {
    /// The keys, in order.
    pub keys: Vec<&'a [u8]>,
    /// From which end.
    pub end: End,
    /// How many elements at most.
    pub count: usize,
}

impl<'a> MultiPop<'a> {
    /// Reads `numkeys key [key …] LEFT|RIGHT [COUNT n]` from word `first` on.
    pub fn parse(args: &Args<'a>, first: usize) -> Result<MultiPop<'a>, CommandError> {
        let keys = parse_from(args.get(first), 1, "numkeys should be greater than 0")?;
        let place = first.saturating_add(keys).saturating_add(1);
        if place >= args.len() {
            return Err(CommandError::Syntax);
        }
        let end = parse_end(args.get(place))?;
        let mut count = None;
        let mut words = args.from(place + 1);
        while let Some(word) = words.next() {
            match words.next() {
                Some(value) if count.is_none() && options::is(word, "COUNT") => {
                    count = Some(parse_from(value, 1, "count should be greater than 0")?);
                }
                _ => return Err(CommandError::Syntax),
            }
        }
        Ok(MultiPop { keys: args.from(first + 1).take(keys).collect(), end, count: count.unwrap_or(1) })
    }

    /// Takes from the first key that exists and replies; `None`, and nothing is replied, when there is none.
    pub fn run(&self, ctx: &mut DataCtx<'_>) -> Result<Option<Outcome>, CommandError> {
        for key in &self.keys {
            if let Some(outcome) = pop_nested(ctx, key, self.end, self.count)? {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }
}

fn lmpop(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    if let Some(outcome) = MultiPop::parse(args, 1)?.run(ctx)? {
        return Ok(outcome);
    }
    ctx.reply.null_array();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_first_list_that_exists_gives() {
        transcript(
            "
            > RPUSH b 1 2 3
            :3
            > RPUSH c x
            :1
            > LMPOP 3 a b c LEFT
            *2
            $b
            *1
            $1
            > LMPOP 3 a b c RIGHT COUNT 10
            *2
            $b
            *2
            $3
            $2
            > LMPOP 2 a b LEFT
            nil
            @resp3
            > LMPOP 2 a b LEFT
            _
            ",
        )
        .propagates(&["RPUSH b 1 2 3", "RPUSH c x", "LPOP b 1", "RPOP b 2"])
        .notifies(&["rpush b", "rpush c", "lpop b", "rpop b", "del b"]);
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > LMPOP 0 k LEFT
            -ERR numkeys should be greater than 0
            > LMPOP x k LEFT
            -ERR numkeys should be greater than 0
            > LMPOP 2 k LEFT
            -ERR syntax error
            > LMPOP 9223372036854775807 k LEFT
            -ERR syntax error
            > LMPOP 1 k UP
            -ERR syntax error
            > LMPOP 1 k LEFT COUNT
            -ERR syntax error
            > LMPOP 1 k LEFT COUNT 0
            -ERR count should be greater than 0
            > LMPOP 1 k LEFT COUNT 1 COUNT 1
            -ERR syntax error
            > LMPOP 1 k LEFT WHAT 1
            -ERR syntax error
            > SET s v
            +OK
            > RPUSH l a
            :1
            > LMPOP 2 s l LEFT
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > LLEN l
            :1
            ",
        );
    }
}
