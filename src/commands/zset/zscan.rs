//! ZSCAN key cursor [MATCH pattern] [COUNT n]: walks over the members, a few at a time.
//!
//! Reply:   array of the next cursor (0 means the walk is over) and an array of members, each followed by its score, all of them bulk
//!          strings. A small set is shown in one call.
//! Errors:  invalid cursor; syntax error; not an integer; WRONGTYPE when `key` holds another type.
//!
//! A member that is there from the first call of a walk to the last is returned at least once. Options are not looked at when there is no such key.

use crate::base::number::format_f64;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::scanning::{Extra, Page, ScanOptions, parse_cursor};
use crate::data::string::IntText;
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zscan",
        group: Group::SortedSet,
        since: "2.8.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Walks over the members of a sorted set and their scores, a few at a time.",
        complexity: "O(1) for a call, O(N) for a full walk, N being the members of the sorted set",
        tips: &["nondeterministic_output"],
        args: &[
            Arg::key("key", 0),
            Arg::new("cursor", ArgKind::Integer),
            Arg::new("pattern", ArgKind::Pattern).after("MATCH").optional(),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
        ],
        ..Meta::NEW
    },
    handler: zscan,
};

fn zscan(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let cursor = parse_cursor(args.get(2))?;
    let Some(zset) = ctx.db.read::<Zset>(args.get(1))? else {
        Page::default().reply(&mut ctx.reply, 0);
        return Ok(Outcome::Done);
    };
    let options = ScanOptions::parse(args, 3, Extra::Nothing)?;
    let (mut page, mut room) = (Page::default(), IntText::new());
    let next = zset.scan(cursor, options.count, |member, score| {
        let member = member.as_bytes(&mut room);
        if options.matches(member) {
            page.push(member);
            page.push(&format_f64(score));
        }
    });
    page.reply(&mut ctx.reply, next);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_small_set_is_walked_in_one_call() {
        transcript(
            "
            > ZSCAN z 0 FOO
            *2
            $0
            *0
            > ZADD z 1 aa 2.5 ab 3 b
            :3
            > ZSCAN z 0 MATCH a* COUNT 1
            *2
            $0
            *4
            $aa
            $1
            $ab
            $2.5
            @resp3
            > ZSCAN z 0 match b
            *2
            $0
            *2
            $b
            $3
            ",
        );
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > SET s x
            +OK
            > ZADD z 1 a
            :1
            > ZSCAN s 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZSCAN z x
            -ERR invalid cursor
            > ZSCAN z 0 COUNT 0
            -ERR syntax error
            > ZSCAN z 0 COUNT x
            -ERR value is not an integer or out of range
            > ZSCAN z 0 MATCH
            -ERR syntax error
            > ZSCAN z 0 FOO bar
            -ERR syntax error
            ",
        );
    }
}
