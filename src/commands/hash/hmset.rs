//! HMSET key field value [field value ...]: HSET with another answer.
//!
//! Reply:   OK.
//! Errors:  wrong number of arguments when a value is missing; WRONGTYPE when `key` holds another type.

use super::value::set_fields;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hmset",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Sets fields of a hash.",
        complexity: "O(N), N being the number of fields set",
        deprecated: Some(("4.0.0", "`HSET` with multiple field-value pairs")),
        args: &[
            Arg::key("key", 0),
            Arg::block("data", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]).multiple(),
        ],
        ..Meta::NEW
    },
    handler: hmset,
};

fn hmset(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    if args.len() % 2 == 1 {
        return Err(CommandError::WrongArity { command: "hmset".to_owned() }.into());
    }
    set_fields(ctx, args)?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_answer_is_ok_whatever_is_new() {
        transcript(
            "
            > HMSET k f v g w
            +OK
            > HMSET k f x
            +OK
            > HMGET k f g
            *2
            $x
            $w
            > HMSET k f
            -ERR wrong number of arguments for 'hmset' command
            > HMSET k f v g
            -ERR wrong number of arguments for 'hmset' command
            ",
        )
        .propagates(&["HMSET k f v g w", "HMSET k f x"])
        .notifies(&["hset k", "hset k"]);
    }
}
