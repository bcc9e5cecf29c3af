//! SCARD key: how many members a set has.
//!
//! Reply:   integer, 0 when `key` does not exist.
//! Errors:  WRONGTYPE.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::set::Set;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "scard",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::SET,
        keys: &[KeySpec::one(1, Access::RO)],
        summary: "Returns how many members a set has.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: scard,
};

fn scard(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let count = ctx.db.read::<Set>(args.get(1))?.map_or(0, Set::len);
    ctx.reply.int(count as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_missing_set_has_none() {
        transcript(
            "
            > SADD s a b
            :2
            > SCARD s
            :2
            > SCARD missing
            :0
            > SET k v
            +OK
            > SCARD k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
