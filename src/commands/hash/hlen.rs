//! HLEN key: the number of fields.
//!
//! Reply:   integer, 0 when `key` does not exist.
//! Errors:  WRONGTYPE when `key` holds another type.
//!
//! Fields whose time is over count until they are removed, as in Redis: else this would have to look at all of them.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hash::Hash;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hlen",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RO)],
        summary: "Returns the number of fields in a hash.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: hlen,
};

fn hlen(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let len = ctx.db.read::<Hash>(args.get(1))?.map_or(0, Hash::len);
    ctx.reply.int(len as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn fields_are_counted_until_they_are_removed() {
        transcript(
            "
            > HLEN k
            :0
            > HSET k f v g v
            :2
            > HLEN k
            :2
            > HPEXPIRE k 5 FIELDS 1 g
            *1
            :1
            @advance 6
            > HLEN k
            :2
            > HGET k g
            nil
            > HLEN k
            :1
            > SET s v
            +OK
            > HLEN s
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
