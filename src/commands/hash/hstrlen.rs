//! HSTRLEN key field: the length of a field's value.
//!
//! Reply:   integer, 0 when there is no such field.
//! Errors:  WRONGTYPE when `key` holds another type.

use super::value::read_field;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hstrlen",
        group: Group::Hash,
        since: "3.2.0",
        arity: Arity::Exactly(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RO)],
        summary: "Returns the length of a field's value.",
        args: &[Arg::key("key", 0), Arg::new("field", ArgKind::String)],
        ..Meta::NEW
    },
    handler: hstrlen,
};

fn hstrlen(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    read_field(ctx, args.get(1), args.get(2), |reply, field| {
        reply.int(field.map_or(0, |field| field.value.len() as i64));
    })?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn texts_and_numbers_have_the_length_of_their_text() {
        transcript(
            "
            > HSET k f hello n -12 e \"\"
            :3
            > HSTRLEN k f
            :5
            > HSTRLEN k n
            :3
            > HSTRLEN k e
            :0
            > HSTRLEN k missing
            :0
            > HSTRLEN missing f
            :0
            > SET s v
            +OK
            > HSTRLEN s f
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
