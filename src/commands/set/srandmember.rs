//! SRANDMEMBER key [count]: members of a set, chosen at random, which stay where they are.
//!
//! Reply:   the member, or null. With `count` an array: of as many different members or all that there are; if negative, of
//!          exactly so many, where a member may come several times.
//! Errors:  not an integer; value is out of range; syntax error; WRONGTYPE.
//!
//! How far a negative count goes is told in `commands/repeating.rs`.

use super::members::reply_member;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::repeating::repeat;
use crate::data::Collection;
use crate::data::set::Set;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "srandmember",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY,
        categories: Category::SET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns members of a set, chosen at random.",
        complexity: "O(1) without a count, else O(N), N being the count without its sign",
        history: &[("2.6.0", "The count.")],
        tips: &["nondeterministic_output"],
        args: &[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional().since("2.6.0")],
        ..Meta::NEW
    },
    handler: srandmember,
};

fn srandmember(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    match args.len() {
        2 => one(ctx, args.get(1)),
        3 => {
            let count = parse_i64(args.get(2)).ok_or(CommandError::NotInteger)?;
            several(ctx, args.get(1), count)
        }
        _ => Err(CommandError::Syntax.into()),
    }
}

fn one(ctx: &mut DataCtx<'_>, key: &[u8]) -> CommandResult {
    match ctx.db.read::<Set>(key)?.and_then(|set| set.random(ctx.rng)) {
        Some(member) => reply_member(&mut ctx.reply, member),
        None => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

fn several(ctx: &mut DataCtx<'_>, key: &[u8], count: i64) -> CommandResult {
    if count == i64::MIN {
        let most = i64::MAX;
        return Err(CommandError::err(format!("value is out of range, value must between {} and {most}", -most)).into());
    }
    let Some(set) = ctx.db.read::<Set>(key)? else {
        ctx.reply.array(0);
        return Ok(Outcome::Done);
    };
    let number = usize::try_from(count.unsigned_abs()).map_err(|_| CommandError::NotInteger)?;
    if count >= 0 {
        ctx.reply.array(number.min(set.len()));
        set.sample(number, ctx.rng, &mut |member| reply_member(&mut ctx.reply, member));
        return Ok(Outcome::Done);
    }
    let average = set.memory() / set.len();
    repeat(&mut ctx.reply, number, number, average, |reply| {
        set.random(ctx.rng).into_iter().for_each(|member| reply_member(reply, member));
    })?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn different_members_or_the_same_again() {
        transcript(
            "
            > SADD s a
            :1
            > SRANDMEMBER s
            $a
            > SRANDMEMBER s 5
            *1
            $a
            > SRANDMEMBER s -3
            *3
            $a
            $a
            $a
            > SRANDMEMBER s 0
            *0
            > SRANDMEMBER missing
            nil
            > SRANDMEMBER missing 5
            *0
            > SCARD s
            :1
            ",
        )
        .propagates(&["SADD s a"]);
    }

    #[test]
    fn counts_out_of_range_are_refused() {
        transcript(
            "
            > SADD s a
            :1
            > SRANDMEMBER s x
            -ERR value is not an integer or out of range
            > SRANDMEMBER s -9223372036854775808
            -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
            > SRANDMEMBER s -9223372036854775807
            -ERR value is out of range
            > SRANDMEMBER s 9223372036854775807
            *1
            $a
            > SRANDMEMBER s 1 2
            -ERR syntax error
            > SET k v
            +OK
            > SRANDMEMBER k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
