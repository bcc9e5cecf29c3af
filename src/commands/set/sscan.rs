//! SSCAN key cursor [MATCH pattern] [COUNT n]: walks over the members of a set, a few at a time.
//!
//! Reply:   array of the next cursor (a bulk string; 0 means the walk is over) and an array of members.
//! Errors:  invalid cursor; WRONGTYPE; syntax error; not an integer. Options are not looked at when `key` does not exist.
//!
//! A member that is there from the first call of a walk to the last is returned at least once. A small set is returned whole.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::scanning::{Extra, Page, ScanOptions, parse_cursor};
use crate::data::set::Set;
use crate::data::string::IntText;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "sscan",
        group: Group::Set,
        since: "2.8.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::SET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Walks over the members of a set, a few at a time.",
        complexity: "O(1) for a call, O(N) for a full walk, N being the number of members",
        tips: &["nondeterministic_output"],
        args: &[
            Arg::key("key", 0),
            Arg::new("cursor", ArgKind::Integer),
            Arg::new("pattern", ArgKind::Pattern).after("MATCH").optional(),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
        ],
        ..Meta::NEW
    },
    handler: sscan,
};

fn sscan(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let cursor = parse_cursor(args.get(2))?;
    let mut page = Page::default();
    let Some(set) = ctx.db.read::<Set>(args.get(1))? else {
        page.reply(&mut ctx.reply, 0);
        return Ok(Outcome::Done);
    };
    let options = ScanOptions::parse(args, 3, Extra::Nothing)?;
    let next = set.scan(cursor, options.count, &mut |member| {
        let mut room = IntText::new();
        let text = member.as_bytes(&mut room);
        if options.matches(text) {
            page.push(text);
        }
    });
    page.reply(&mut ctx.reply, next);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_small_set_is_returned_whole() {
        transcript(
            "
            > SADD s 1 2 10
            :3
            > SSCAN s 0 COUNT 1
            *2
            $0
            *3
            $1
            $2
            $10
            > SSCAN s 17 MATCH 1*
            *2
            $0
            *2
            $1
            $10
            > SSCAN missing 0 FOO
            *2
            $0
            *0
            ",
        );
    }

    #[test]
    fn wrong_words_are_refused() {
        transcript(
            "
            > SADD s 1
            :1
            > SSCAN s x
            -ERR invalid cursor
            > SSCAN s 0 TYPE set
            -ERR syntax error
            > SSCAN s 0 COUNT 0
            -ERR syntax error
            > SET k v
            +OK
            > SSCAN k 0 FOO
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
