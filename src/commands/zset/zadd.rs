//! ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]: adds members or changes their scores.
//!
//! Reply:   integer, how many members are new (with CH: new or changed). With INCR: the new score, null when a condition forbade
//!          it.
//! Errors:  syntax error; options that exclude each other; value is not a valid float; resulting score is not a number (NaN);
//!          WRONGTYPE when `key` holds another type. All scores are read before anything is added.

use super::add::{Scores, add};
use super::args::score;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::zset::Rule;
use crate::resp::args::Args;
use crate::spec::options::is;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zadd",
        group: Group::SortedSet,
        since: "1.2.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Adds members to a sorted set or changes their scores, creating the key when it is missing.",
        complexity: "O(log(N)) for each member added, N being the members of the sorted set",
        history: &[("2.4.0", "Several members at once."), ("3.0.2", "XX, NX, CH and INCR."), ("6.2.0", "GT and LT.")],
        args: &[
            Arg::key("key", 0),
            Arg::one_of("condition", &[Arg::token("nx", "NX"), Arg::token("xx", "XX")]).optional().since("3.0.2"),
            Arg::one_of("comparison", &[Arg::token("gt", "GT"), Arg::token("lt", "LT")]).optional().since("6.2.0"),
            Arg::token("change", "CH").optional().since("3.0.2"),
            Arg::token("increment", "INCR").optional().since("3.0.2"),
            Arg::block("data", &[Arg::new("score", ArgKind::Double), Arg::new("member", ArgKind::String)]).multiple(),
        ],
        ..Meta::NEW
    },
    handler: zadd,
};

fn zadd(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (mut rule, mut counts_changes, mut at) = (Rule::default(), false, 2);
    while at < args.len() {
        match args.get(at) {
            word if is(word, "NX") => rule.only_new = true,
            word if is(word, "XX") => rule.only_present = true,
            word if is(word, "GT") => rule.only_up = true,
            word if is(word, "LT") => rule.only_down = true,
            word if is(word, "CH") => counts_changes = true,
            word if is(word, "INCR") => rule.is_increment = true,
            _ => break,
        }
        at += 1;
    }
    let words = args.len() - at;
    if words == 0 || words % 2 == 1 {
        return Err(CommandError::Syntax.into());
    }
    if rule.only_new && rule.only_present {
        return Err(CommandError::err("XX and NX options at the same time are not compatible").into());
    }
    if (rule.only_new && (rule.only_up || rule.only_down)) || (rule.only_up && rule.only_down) {
        return Err(CommandError::err("GT, LT, and/or NX options at the same time are not compatible").into());
    }
    if rule.is_increment && words > 2 {
        return Err(CommandError::err("INCR option supports a single increment-element pair").into());
    }
    let scores: Scores = args.from(at).step_by(2).map(score).collect::<Result<_, _>>()?;
    let done = add(ctx, args, rule, &scores, at + 1)?;
    match (rule.is_increment, done.score) {
        (false, _) => ctx.reply.int((done.added + if counts_changes { done.changed } else { 0 }) as i64),
        (true, Some(score)) => ctx.reply.double(score),
        (true, None) => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn new_members_are_counted_and_known_ones_get_their_score() {
        transcript(
            "
            > ZADD z 1 a 2 b
            :2
            > ZADD z 1 a 3 b 4 c
            :1
            > ZADD z CH 1 a 5 b 6 d
            :2
            > ZADD z 1 a
            :0
            > ZRANGE z 0 -1 WITHSCORES
            *8
            $a
            $1
            $c
            $4
            $b
            $5
            $d
            $6
            > TYPE z
            +zset
            > OBJECT ENCODING z
            $listpack
            ",
        )
        .propagates(&["ZADD z 1 a 2 b", "ZADD z 1 a 3 b 4 c", "ZADD z CH 1 a 5 b 6 d"])
        .notifies(&["zadd z", "zadd z", "zadd z"]);
    }

    #[test]
    fn conditions_decide_for_each_member() {
        transcript(
            "
            > ZADD z XX 1 a
            :0
            > EXISTS z
            :0
            > ZADD z NX 1 a
            :1
            > zadd z nx ch 9 a 2 b
            :1
            > ZADD z XX CH 3 a 4 c
            :1
            > ZADD z GT CH 2 a 5 b 1 d
            :2
            > ZADD z LT CH 2 a 6 b
            :1
            > ZMSCORE z a b c d
            *4
            $2
            $5
            nil
            $1
            ",
        )
        .notifies(&["zadd z", "zadd z", "zadd z", "zadd z", "zadd z"]);
    }

    #[test]
    fn incr_returns_the_score_or_nothing() {
        transcript(
            "
            > ZADD z INCR 1.5 a
            $1.5
            > ZADD z INCR 1 a
            $2.5
            > ZADD z XX INCR 1 b
            nil
            > ZADD z NX INCR 1 a
            nil
            > ZADD z GT INCR -1 a
            nil
            > ZADD z INCR 0 a
            $2.5
            > ZADD z INCR inf a
            $inf
            > ZADD z INCR -inf a
            -ERR resulting score is not a number (NaN)
            ",
        )
        .propagates(&["ZADD z INCR 1.5 a", "ZADD z INCR 1 a", "ZADD z INCR inf a"])
        .notifies(&["zincr z", "zincr z", "zincr z"]);
    }

    #[test]
    fn resp3_scores_are_doubles() {
        transcript(
            "
            @resp3
            > ZADD z INCR 1.5 a
            ,1.5
            > ZADD z XX INCR 1 b
            _
            ",
        );
    }

    #[test]
    fn wrong_calls_add_nothing() {
        transcript(
            "
            > SET s x
            +OK
            > ZADD s 1 a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZADD s x a
            -ERR value is not a valid float
            > ZADD z 1 a x b
            -ERR value is not a valid float
            > ZADD z nan a
            -ERR value is not a valid float
            > ZADD z 1 a 2
            -ERR syntax error
            > ZADD z NX XX CH
            -ERR syntax error
            > ZADD z NX XX 1 a
            -ERR XX and NX options at the same time are not compatible
            > ZADD z NX GT 1 a
            -ERR GT, LT, and/or NX options at the same time are not compatible
            > ZADD z LT GT 1 a
            -ERR GT, LT, and/or NX options at the same time are not compatible
            > ZADD z INCR 1 a 2 b
            -ERR INCR option supports a single increment-element pair
            > EXISTS z
            :0
            ",
        )
        .propagates(&["SET s x"]);
    }

    #[test]
    fn long_members_make_a_large_set() {
        let long = "x".repeat(65);
        transcript(&format!(
            "
            > ZADD z 1 {long}
            :1
            > OBJECT ENCODING z
            $skiplist
            "
        ));
    }
}
