//! HDEL key field [field ...]: removes fields of a hash.
//!
//! Reply:   integer, how many were there.
//! Errors:  WRONGTYPE when `key` holds another type.
//!
//! Fields whose time is over count as there, as in Redis. A hash without fields is no more.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hash::Hash;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hdel",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Removes fields of a hash, and the hash with its last field.",
        complexity: "O(N), N being the number of fields named",
        history: &[("2.4.0", "Several fields.")],
        args: &[Arg::key("key", 0), Arg::new("field", ArgKind::String).multiple()],
        ..Meta::NEW
    },
    handler: hdel,
};

fn hdel(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let removed = ctx.db.edit::<Hash, _>(args.get(1), |hash, notes| {
        let removed = args.from(2).filter(|name| hash.remove(name)).count();
        if removed > 0 {
            notes.changed(Event::HDEL, removed as u64);
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
    fn fields_go_and_the_key_with_the_last() {
        transcript(
            "
            > HSET k a 1 b 2 c 3
            :3
            > HDEL k a missing b a
            :2
            > HDEL k missing
            :0
            > HDEL k c
            :1
            > EXISTS k
            :0
            > HDEL k c
            :0
            > SET s v
            +OK
            > HDEL s f
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&["HSET k a 1 b 2 c 3", "HDEL k a missing b a", "HDEL k c", "SET s v"])
        .notifies(&["hset k", "hdel k", "hdel k", "del k", "set s"]);
    }
}
