//! TYPE key: the type of the value at a key.
//!
//! Reply:   simple string; `none` when the key does not exist.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "type",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(1, Access::RO)],
        summary: "Names the type of the value at a key.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: type_of,
};

fn type_of(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let name = ctx.db.type_of(args.get(1)).map_or("none", |name| name.as_str());
    ctx.reply.simple(name);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_missing_key_has_type_none() {
        transcript(
            "
            > TYPE k
            +none
            > SET k v
            +OK
            > TYPE k
            +string
            ",
        );
    }
}
