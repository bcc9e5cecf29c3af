//! SMISMEMBER key member [member ...]: which of these a set has.
//!
//! Reply:   array, 0 or 1 for each; all 0 when `key` does not exist.
//! Errors:  WRONGTYPE.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::set::Set;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "smismember",
        group: Group::Set,
        since: "6.2.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::SET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Tells which of several members a set has.",
        complexity: "O(1) for each member",
        args: &[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple()],
        ..Meta::NEW
    },
    handler: smismember,
};

fn smismember(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let set = ctx.db.read::<Set>(args.get(1))?;
    ctx.reply.array(args.len() - 2);
    for member in args.from(2) {
        ctx.reply.int(set.is_some_and(|set| set.contains(member)).into());
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn each_gets_an_answer() {
        transcript(
            "
            > SADD s a 1
            :2
            > SMISMEMBER s a b 1 a
            *4
            :1
            :0
            :1
            :1
            > SMISMEMBER missing a b
            *2
            :0
            :0
            > SET k v
            +OK
            > SMISMEMBER k v
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
