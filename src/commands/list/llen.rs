//! LLEN key: the number of elements of a list.
//!
//! Reply:   integer, 0 when `key` does not exist.
//! Errors:  WRONGTYPE when `key` holds another type.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::List;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "llen",
        group: Group::List,
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::LIST,
        keys: &[KeySpec::one(1, Access::RO)],
        summary: "Returns the number of elements of a list.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: llen,
};

fn llen(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let len = ctx.db.read::<List>(args.get(1))?.map_or(0, List::len);
    ctx.reply.int(len as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_missing_list_has_no_elements() {
        transcript(
            "
            > LLEN k
            :0
            > RPUSH k a b
            :2
            > LLEN k
            :2
            > SET s v
            +OK
            > LLEN s
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
