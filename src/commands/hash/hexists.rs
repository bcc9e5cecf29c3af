//! HEXISTS key field: whether a hash has a field.
//!
//! Reply:   integer, 1 or 0.
//! Errors:  WRONGTYPE when `key` holds another type.

use super::value::read_field;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hexists",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RO)],
        summary: "Tells whether a hash has a field.",
        args: &[Arg::key("key", 0), Arg::new("field", ArgKind::String)],
        ..Meta::NEW
    },
    handler: hexists,
};

fn hexists(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    read_field(ctx, args.get(1), args.get(2), |reply, field| reply.int(field.is_some().into()))?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_field_is_there_until_it_is_removed_or_over() {
        transcript(
            "
            > HSET k f v g v
            :2
            > HEXISTS k f
            :1
            > HEXISTS k missing
            :0
            > HEXISTS missing f
            :0
            > HDEL k f
            :1
            > HEXISTS k f
            :0
            > HPEXPIRE k 5 FIELDS 1 g
            *1
            :1
            @advance 6
            > HEXISTS k g
            :0
            > EXISTS k
            :0
            > SET s v
            +OK
            > HEXISTS s f
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
