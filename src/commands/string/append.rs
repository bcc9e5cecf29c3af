//! APPEND key value: adds bytes to the end of a string.
//!
//! Reply:   integer, the length afterwards. A missing key is created, also with an empty value.
//! Errors:  WRONGTYPE when `key` holds another type; string exceeds maximum allowed size.

use super::value::{check_length, value_of};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::Str;
use crate::keyspace::{Event, Expiry};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "append",
        group: Group::String,
        since: "2.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::INSERT))],
        summary: "Adds bytes to the end of a string, creating the key when it is missing.",
        complexity: "O(1) amortised, when the added part is small",
        args: &[Arg::key("key", 0), Arg::new("value", ArgKind::String)],
        ..Meta::NEW
    },
    handler: append,
};

fn append(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, tail) = (args.get(1), args.get(2));
    let Some(present) = ctx.db.peek::<Str>(key)?.map(|value| value.len()) else {
        ctx.db.put(key, value_of(args, 2), Expiry::Clear, Event::APPEND);
        ctx.reply.int(tail.len() as i64);
        return Ok(Outcome::Done);
    };
    check_length(ctx, present as u64, tail.len())?;
    let length = ctx.db.append(key, tail, Event::APPEND)?;
    ctx.reply.int(length as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_string_grows_and_keeps_its_time_to_live() {
        transcript(
            r#"
            > APPEND k foo
            :3
            > EXPIRE k 100
            :1
            > APPEND k bar
            :6
            > APPEND k ""
            :6
            > GET k
            $foobar
            > TTL k
            :100
            > OBJECT ENCODING k
            $raw
            "#,
        )
        .propagates(&["APPEND k foo", "PEXPIREAT k 1100000", "APPEND k bar", r#"APPEND k """#])
        .notifies(&["append k", "expire k", "append k", "append k"]);
    }

    #[test]
    fn numbers_are_strings_too() {
        transcript(
            r#"
            > APPEND n 1
            :1
            > OBJECT ENCODING n
            $int
            > APPEND n 2
            :2
            > INCR n
            :13
            > APPEND e ""
            :0
            > EXISTS e
            :1
            "#,
        );
    }
}
