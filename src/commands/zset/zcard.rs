//! ZCARD key: how many members a sorted set has.
//!
//! Reply:   integer, 0 when there is no such key.
//! Errors:  WRONGTYPE when `key` holds another type.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zcard",
        group: Group::SortedSet,
        since: "1.2.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RO)],
        summary: "Counts the members of a sorted set.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: zcard,
};

fn zcard(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let length = ctx.db.read::<Zset>(args.get(1))?.map_or(0, Zset::len);
    ctx.reply.int(length as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn members_are_counted() {
        transcript(
            "
            > ZCARD z
            :0
            > ZADD z 1 a 2 b
            :2
            > ZCARD z
            :2
            > SET s x
            +OK
            > ZCARD s
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
