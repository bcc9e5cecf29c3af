//! COPY source destination [DB n] [REPLACE]: copies a value and its time to live.
//!
//! Reply:   1 when it was copied, 0 when `source` does not exist or `destination` does (without REPLACE).
//! Errors:  syntax error; DB index is out of range; source and destination are the same key.

use super::database::parse_database;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "copy",
        group: Group::Generic,
        since: "6.2.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS)), KeySpec::one(2, Access::OW.and(Access::UPDATE))],
        summary: "Copies the value of a key, with its time to live, to another key.",
        complexity: "O(N), N being the number of elements; O(1) for strings",
        args: &[
            Arg::key("source", 0),
            Arg::key("destination", 1),
            Arg::new("destination-db", ArgKind::Integer).after("DB").optional(),
            Arg::token("replace", "REPLACE").optional(),
        ],
        ..Meta::NEW
    },
    handler: copy,
};

fn copy(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (from, to) = (args.get(1), args.get(2));
    let (mut target, mut is_replace) = (ctx.db.index(), false);
    let mut words = args.from(3);
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"REPLACE") {
            is_replace = true;
        } else if word.eq_ignore_ascii_case(b"DB") {
            target = parse_database(words.next().ok_or(CommandError::Syntax)?, ctx.settings)?;
        } else {
            return Err(CommandError::Syntax.into());
        }
    }
    if from == to && target == ctx.db.index() {
        return Err(CommandError::err("source and destination objects are the same").into());
    }
    let is_copied = ctx.db.copy_to(from, target, to, is_replace).is_ok();
    ctx.reply.int(is_copied.into());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_copy_has_the_value_and_the_time_to_live() {
        transcript(
            "
            > COPY a b
            :0
            > SET a 1 PXAT 2000000
            +OK
            > COPY a b
            :1
            > PEXPIRETIME b
            :2000000
            > SET a 2
            +OK
            > COPY a b
            :0
            > COPY a b REPLACE
            :1
            > MGET a b
            *2
            $2
            $2
            > TTL b
            :-1
            > COPY a a DB 3
            :1
            @db 3
            > GET a
            $2
            ",
        )
        .propagates(&["SET a 1 PXAT 2000000", "COPY a b", "SET a 2", "COPY a b REPLACE", "COPY a a DB 3"])
        .notifies(&["set a", "expire a", "copy_to b", "set a", "copy_to b", "copy_to a"]);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        transcript(
            "
            > COPY a a
            -ERR source and destination objects are the same
            > COPY a b DB
            -ERR syntax error
            > COPY a b DB x
            -ERR value is not an integer or out of range
            > COPY a b DB 16
            -ERR DB index is out of range
            > COPY a b FOO
            -ERR syntax error
            ",
        )
        .propagates(&[]);
    }
}
