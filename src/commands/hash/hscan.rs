//! HSCAN key cursor [MATCH pattern] [COUNT n] [NOVALUES]: walks over the fields of a hash, a few at a time.
//!
//! Reply:   array of the next cursor (a bulk string; 0 means the walk is over) and an array of names and values, or of names.
//! Errors:  invalid cursor; WRONGTYPE; syntax error; not an integer. A missing key answers before options are looked at.
//!
//! A field that exists from the first call of a walk to the last is returned at least once, however the hash grows or shrinks
//! meanwhile. A small hash comes in one answer. Fields whose time is over are left out.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::scanning::{Extra, Page, ScanOptions, parse_cursor};
use crate::data::hash::Hash;
use crate::data::string::IntText;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hscan",
        group: Group::Hash,
        since: "2.8.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Walks over the fields of a hash, a few at a time.",
        complexity: "O(1) for a call, O(N) for a full walk, N being the number of fields",
        tips: &["nondeterministic_output"],
        args: &[
            Arg::key("key", 0),
            Arg::new("cursor", ArgKind::Integer),
            Arg::new("pattern", ArgKind::Pattern).after("MATCH").optional(),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
            Arg::token("novalues", "NOVALUES").optional().since("7.4.0"),
        ],
        ..Meta::NEW
    },
    handler: hscan,
};

fn hscan(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let cursor = parse_cursor(args.get(2))?;
    let now = ctx.db.fields_at();
    let mut page = Page::default();
    let Some(hash) = ctx.db.read::<Hash>(args.get(1))? else {
        page.reply(&mut ctx.reply, 0);
        return Ok(Outcome::Done);
    };
    let options = ScanOptions::parse(args, 3, Extra::NoValues)?;
    let next = hash.scan(cursor, options.count, &mut |field| {
        let (mut name, mut value) = (IntText::new(), IntText::new());
        let name = field.name.as_bytes(&mut name);
        if field.is_over(now) || !options.matches(name) {
            return;
        }
        page.push(name);
        if !options.is_novalues {
            page.push(field.value.as_bytes(&mut value));
        }
    });
    page.reply(&mut ctx.reply, next);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_small_hash_comes_in_one_answer() {
        transcript(
            "
            > HSET k foo 1 bar 2
            :2
            > HSCAN k 0
            *2
            $0
            *4
            $foo
            $1
            $bar
            $2
            > HSCAN k 0 MATCH f* COUNT 1
            *2
            $0
            *2
            $foo
            $1
            > HSCAN k 77 NOVALUES match b*
            *2
            $0
            *1
            $bar
            > HSCAN missing 0 nonsense
            *2
            $0
            *0
            ",
        );
    }

    #[test]
    fn fields_that_are_over_are_left_out() {
        transcript(
            "
            > HSET k a 1 b 2
            :2
            > HPEXPIRE k 5 FIELDS 1 a
            *1
            :1
            @advance 6
            > HSCAN k 0
            *2
            $0
            *2
            $b
            $2
            ",
        );
    }

    #[test]
    fn wrong_arguments_are_refused() {
        transcript(
            "
            > HSET k f v
            :1
            > SET s v
            +OK
            > HSCAN k x
            -ERR invalid cursor
            > HSCAN k 0 COUNT 0
            -ERR syntax error
            > HSCAN k 0 COUNT x
            -ERR value is not an integer or out of range
            > HSCAN k 0 TYPE hash
            -ERR syntax error
            > HSCAN s 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
