//! SMEMBERS key: all members of a set.
//!
//! Reply:   set, empty when `key` does not exist.
//! Errors:  WRONGTYPE.

use super::members::reply_member;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::set::Set;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "smembers",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY,
        categories: Category::SET,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns all members of a set.",
        complexity: "O(N), N being the number of members",
        tips: &["nondeterministic_output_order"],
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: smembers,
};

fn smembers(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let set = ctx.db.read::<Set>(args.get(1))?;
    ctx.reply.set(set.map_or(0, Set::len));
    for member in set.into_iter().flat_map(Set::iter) {
        reply_member(&mut ctx.reply, member);
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn all_members_as_a_set() {
        transcript(
            "
            > SADD s 3 1 2
            :3
            > SMEMBERS s
            *3
            $1
            $2
            $3
            > SMEMBERS missing
            *0
            > SET k v
            +OK
            > SMEMBERS k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            @resp3
            > SMEMBERS s
            ~3
            $1
            $2
            $3
            > SMEMBERS missing
            ~0
            ",
        );
    }
}
