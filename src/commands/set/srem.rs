//! SREM key member [member ...]: takes members out of a set. The last one takes the key with it.
//!
//! Reply:   integer, how many members were there.
//! Errors:  WRONGTYPE.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::set::Set;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "srem",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::SET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Takes members out of a set.",
        complexity: "O(1) for each member",
        history: &[("2.4.0", "Several members.")],
        args: &[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple()],
        ..Meta::NEW
    },
    handler: srem,
};

fn srem(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let removed = ctx.db.edit(args.get(1), |set: &mut Set, notes| {
        let removed = args.from(2).filter(|member| set.remove(member)).count();
        if removed > 0 {
            notes.changed(Event::SREM, removed as u64);
        }
        removed
    })?;
    ctx.reply.int(removed.unwrap_or(0) as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_last_member_takes_the_key_with_it() {
        transcript(
            "
            > SADD s 1 2 a
            :3
            > SREM s 2 3
            :1
            > SREM s 3
            :0
            > SREM s 1 a 4
            :2
            > EXISTS s
            :0
            > SREM s 1
            :0
            > SET k v
            +OK
            > SREM k v
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&["SADD s 1 2 a", "SREM s 2 3", "SREM s 1 a 4", "SET k v"])
        .notifies(&["sadd s", "srem s", "srem s", "del s", "set k"]);
    }
}
