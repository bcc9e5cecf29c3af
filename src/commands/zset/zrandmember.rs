//! ZRANDMEMBER key [count [WITHSCORES]]: members drawn by chance.
//!
//! Reply:   without a count a member, or null when there is no such key. With one an array of that many different members, or of all;
//!          with a negative one members that may repeat. With WITHSCORES each followed by its score, in RESP3 as pairs.
//! Errors:  not an integer; value is out of range; syntax error; WRONGTYPE when `key` holds another type.
//!
//! How far a negative count goes is told in `commands/repeating.rs`.

use std::collections::HashSet;

use super::args::{Shape, integer, write_each, write_elements};
use crate::base::rng::Rng;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::repeating::repeat;
use crate::data::Collection;
use crate::data::string::IntText;
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zrandmember",
        group: Group::SortedSet,
        since: "6.2.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns members of a sorted set drawn by chance.",
        complexity: "O(M*log(N)), N being the members of the sorted set and M those returned",
        tips: &["nondeterministic_output"],
        args: &[
            Arg::key("key", 0),
            Arg::block(
                "options",
                &[Arg::new("count", ArgKind::Integer), Arg::token("withscores", "WITHSCORES").optional()],
            )
            .optional(),
        ],
        ..Meta::NEW
    },
    handler: zrandmember,
};

/// From how many members on it is worth to find out how long they are: that takes a while if the set is large.
const MEASURED_FROM: usize = 1000;

fn zrandmember(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    if args.len() == 2 {
        match ctx.db.read::<Zset>(args.get(1))? {
            Some(zset) => {
                let rank = ctx.rng.below(zset.len() as u64) as usize;
                let (member, _) = zset.elements(rank..rank + 1).next().expect("a set is not empty");
                ctx.reply.bulk(member.as_bytes(&mut IntText::new()));
            }
            None => ctx.reply.null(),
        }
        return Ok(Outcome::Done);
    }
    let count = integer(args.get(2))?;
    if count == i64::MIN {
        return Err(CommandError::err(format!(
            "value is out of range, value must between {} and {}",
            -i64::MAX,
            i64::MAX
        ))
        .into());
    }
    let with_scores = args.len() == 4 && args.is(3, "withscores");
    if args.len() > 3 && !with_scores {
        return Err(CommandError::Syntax.into());
    }
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::err("value is out of range").into());
    }
    let Some(zset) = ctx.db.read::<Zset>(args.get(1))? else {
        ctx.reply.array(0);
        return Ok(Outcome::Done);
    };
    let shape = Shape::of(with_scores, &ctx.reply);
    let wanted = count.unsigned_abs() as usize;
    match count {
        ..0 => {
            let average = if wanted > MEASURED_FROM { zset.memory() / zset.len() } else { 0 };
            repeat(&mut ctx.reply, shape.replies(wanted), wanted, average, |reply| {
                let rank = ctx.rng.below(zset.len() as u64) as usize;
                write_each(reply, zset.elements(rank..rank + 1), shape);
            })?;
        }
        _ if wanted >= zset.len() => write_elements(&mut ctx.reply, zset.iter(), shape),
        _ => different(&mut ctx.reply, zset, ctx.rng, wanted, shape),
    }
    Ok(Outcome::Done)
}

/// Fewer members than there are, each at most once, every choice as likely as any other.
fn different(reply: &mut Reply<'_>, zset: &Zset, rng: &mut Rng, wanted: usize, shape: Shape) {
    reply.array(shape.replies(wanted));
    let length = zset.len();
    if wanted > length / 4 {
        // Many of them: one walk over all, each being taken with the chance that is still needed.
        let mut needed = wanted;
        for rank in 0..length {
            if (rng.below((length - rank) as u64) as usize) < needed {
                needed -= 1;
                write_each(reply, zset.elements(rank..rank + 1), shape);
            }
        }
        return;
    }
    // Few of them: Floyd's way to draw without a list of all. One that is taken already makes room for the new upper end.
    let mut taken = HashSet::with_capacity(wanted);
    for end in length - wanted..length {
        let drawn = rng.below(end as u64 + 1) as usize;
        let rank = if taken.insert(drawn) { drawn } else { end };
        taken.insert(rank);
        write_each(reply, zset.elements(rank..rank + 1), shape);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Limits;
    use crate::resp::out::Out;
    use crate::resp::reply::Proto;
    use crate::testkit::transcript;

    #[test]
    fn one_or_several_or_all_are_returned() {
        transcript(
            "
            > ZRANDMEMBER z
            nil
            > ZRANDMEMBER z 3
            *0
            > ZADD z 1 a
            :1
            > ZRANDMEMBER z
            $a
            > ZRANDMEMBER z 3
            *1
            $a
            > ZRANDMEMBER z -2 WITHSCORES
            *4
            $a
            $1
            $a
            $1
            > ZRANDMEMBER z 0
            *0
            @resp3
            > ZRANDMEMBER z 1 withscores
            *1
            *2
            $a
            ,1
            ",
        );
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > SET s x
            +OK
            > ZRANDMEMBER s
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZRANDMEMBER s 1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZRANDMEMBER s x
            -ERR value is not an integer or out of range
            > ZRANDMEMBER s 1 FOO
            -ERR syntax error
            > ZRANDMEMBER s 1 WITHSCORES x
            -ERR syntax error
            > ZRANDMEMBER s -9223372036854775808
            -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
            > ZRANDMEMBER s -9223372036854775807 WITHSCORES
            -ERR value is out of range
            > ZADD z 1 a
            :1
            > ZRANDMEMBER z -9223372036854775807
            -ERR value is out of range
            ",
        );
    }

    #[test]
    fn every_member_is_drawn_about_as_often() {
        let mut zset = Zset::new();
        for n in 0..40 {
            zset.put(&[b'A' + n], f64::from(n), &Limits::default());
        }
        let mut rng = Rng::seeded(5);
        for wanted in [5, 30] {
            let mut counts = [0usize; 40];
            for _ in 0..4_000 {
                let mut out = Out::default();
                different(&mut Reply::new(&mut out, Proto::Resp2), &zset, &mut rng, wanted, Shape::Bare);
                let bytes = out.to_vec();
                let drawn: Vec<u8> = bytes
                    .split(|byte| *byte == b'\n')
                    .filter(|line| line.len() == 2)
                    .map(|line| line[0])
                    .filter(|byte| *byte >= b'A')
                    .collect();
                let different: HashSet<_> = drawn.iter().collect();
                assert_eq!((drawn.len(), different.len()), (wanted, wanted));
                drawn.iter().for_each(|byte| counts[(byte - b'A') as usize] += 1);
            }
            let expected = 4_000 * wanted / 40;
            assert!(counts.iter().all(|count| count.abs_diff(expected) < expected / 4), "{counts:?}");
        }
    }
}
