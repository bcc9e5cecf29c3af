//! STRLEN key: the length of a string in bytes.
//!
//! Reply:   integer, 0 when `key` does not exist.
//! Errors:  WRONGTYPE when `key` holds another type.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::Str;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "strlen",
        group: Group::String,
        since: "2.2.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RO)],
        summary: "Returns the length of a string.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: strlen,
};

fn strlen(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let length = ctx.db.read::<Str>(args.get(1))?.map_or(0, |value| value.len());
    ctx.reply.int(length as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn text_and_numbers_have_the_length_they_print_with() {
        transcript(
            "
            > STRLEN k
            :0
            > MSET k hello n -12 z 0
            +OK
            > STRLEN k
            :5
            > STRLEN n
            :3
            > STRLEN z
            :1
            ",
        );
    }
}
