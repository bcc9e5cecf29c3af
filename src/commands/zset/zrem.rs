//! ZREM key member [member ...]: takes members out.
//!
//! Reply:   integer, how many there were.
//! Errors:  WRONGTYPE when `key` holds another type.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::zset::Zset;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zrem",
        group: Group::SortedSet,
        since: "1.2.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Takes members out of a sorted set.",
        complexity: "O(M*log(N)), N being the members of the sorted set and M those taken",
        history: &[("2.4.0", "Several members at once.")],
        args: &[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple()],
        ..Meta::NEW
    },
    handler: zrem,
};

fn zrem(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let removed = ctx.db.edit::<Zset, _>(args.get(1), |zset, notes| {
        let removed = args.from(2).filter(|member| zset.remove(member).is_some()).count();
        if removed > 0 {
            notes.changed(Event::ZREM, removed as u64);
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
    fn members_go_and_the_key_with_the_last() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c
            :3
            > ZREM z a x a
            :1
            > ZREM z x
            :0
            > ZREM z b c
            :2
            > EXISTS z
            :0
            > ZREM z a
            :0
            > SET s x
            +OK
            > ZREM s a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&["ZADD z 1 a 2 b 3 c", "ZREM z a x a", "ZREM z b c", "SET s x"])
        .notifies(&["zadd z", "zrem z", "zrem z", "del z", "set s"]);
    }
}
