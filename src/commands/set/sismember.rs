//! SISMEMBER key member: whether a set has a member.
//!
//! Reply:   integer, 0 or 1.
//! Errors:  WRONGTYPE.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::set::Set;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "sismember",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::SET,
        keys: &[KeySpec::one(1, Access::RO)],
        summary: "Tells whether a set has a member.",
        args: &[Arg::key("key", 0), Arg::new("member", ArgKind::String)],
        ..Meta::NEW
    },
    handler: sismember,
};

fn sismember(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let is_member = ctx.db.read::<Set>(args.get(1))?.is_some_and(|set| set.contains(args.get(2)));
    ctx.reply.int(is_member.into());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn members_are_found_in_every_encoding() {
        transcript(
            "
            > SADD ints 1 2
            :2
            > SADD packed 1 a
            :2
            > SISMEMBER ints 1
            :1
            > SISMEMBER ints 01
            :0
            > SISMEMBER packed a
            :1
            > SISMEMBER packed 1
            :1
            > SISMEMBER packed b
            :0
            > SISMEMBER missing a
            :0
            > SET k v
            +OK
            > SISMEMBER k v
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
