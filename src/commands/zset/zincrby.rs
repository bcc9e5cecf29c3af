//! ZINCRBY key increment member: adds to a member's score.
//!
//! Reply:   the new score (bulk string, in RESP3 a double). A missing member begins at zero, a missing key empty.
//! Errors:  value is not a valid float; resulting score is not a number (NaN); WRONGTYPE when `key` holds another type.

use super::add::add;
use super::args::score;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::zset::Rule;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zincrby",
        group: Group::SortedSet,
        since: "1.2.0",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Adds to the score of a member of a sorted set.",
        complexity: "O(log(N)), N being the members of the sorted set",
        args: &[Arg::key("key", 0), Arg::new("increment", ArgKind::Integer), Arg::new("member", ArgKind::String)],
        ..Meta::NEW
    },
    handler: zincrby,
};

fn zincrby(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let scores = [score(args.get(2))?];
    let rule = Rule { is_increment: true, ..Rule::default() };
    let done = add(ctx, args, rule, &scores, 3)?;
    ctx.reply.double(done.score.expect("no condition was made"));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn scores_grow_from_nothing() {
        transcript(
            "
            > ZINCRBY z 2 a
            $2
            > ZINCRBY z -0.5 a
            $1.5
            > ZINCRBY z 0 a
            $1.5
            > ZINCRBY z +inf a
            $inf
            > ZINCRBY z -inf a
            -ERR resulting score is not a number (NaN)
            > ZINCRBY z nan a
            -ERR value is not a valid float
            > SET s x
            +OK
            > ZINCRBY s 1 a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&["ZINCRBY z 2 a", "ZINCRBY z -0.5 a", "ZINCRBY z +inf a", "SET s x"])
        .notifies(&["zincr z", "zincr z", "zincr z", "set s"]);
    }
}
