//! HSET key field value [field value ...]: sets fields of a hash.
//!
//! Reply:   integer, how many fields are new.
//! Errors:  wrong number of arguments when a value is missing; WRONGTYPE when `key` holds another type.
//!
//! A field that had an expiry of its own has none afterwards.

use super::value::set_fields;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hset",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Sets fields of a hash, creating it when it is missing.",
        complexity: "O(N), N being the number of fields set",
        history: &[("4.0.0", "Several fields and values.")],
        args: &[
            Arg::key("key", 0),
            Arg::block("data", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]).multiple(),
        ],
        ..Meta::NEW
    },
    handler: hset,
};

fn hset(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    if args.len() % 2 == 1 {
        return Err(CommandError::WrongArity { command: "hset".to_owned() }.into());
    }
    let created = set_fields(ctx, args)?;
    ctx.reply.int(created as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn fields_are_added_and_overwritten() {
        transcript(
            "
            > HSET k f v
            :1
            > HSET k f w g x
            :1
            > HGETALL k
            *4
            $f
            $w
            $g
            $x
            > HSET k f 1 f 2
            :0
            > HGET k f
            $2
            > OBJECT ENCODING k
            $listpack
            ",
        )
        .propagates(&["HSET k f v", "HSET k f w g x", "HSET k f 1 f 2"])
        .notifies(&["hset k", "hset k", "hset k"]);
    }

    #[test]
    fn long_values_make_a_table() {
        let long = "x".repeat(65);
        transcript(&format!(
            "
            > HSET k f {long}
            :1
            > OBJECT ENCODING k
            $hashtable
            > HGET k f
            ${long}
            "
        ));
    }

    #[test]
    fn setting_a_field_takes_its_expiry_away() {
        transcript(
            "
            > HSET k f v
            :1
            > HEXPIRE k 10 FIELDS 1 f
            *1
            :1
            > HSET k f w
            :0
            > HTTL k FIELDS 1 f
            *1
            :-1
            > OBJECT ENCODING k
            $listpackex
            ",
        );
    }

    #[test]
    fn a_value_must_follow_each_field() {
        transcript(
            "
            > HSET k f
            -ERR wrong number of arguments for 'hset' command
            > HSET k f v g
            -ERR wrong number of arguments for 'hset' command
            > SET s v
            +OK
            > HSET s f v
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > EXISTS k
            :0
            ",
        )
        .propagates(&["SET s v"]);
    }
}
