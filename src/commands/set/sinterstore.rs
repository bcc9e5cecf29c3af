//! SINTERSTORE destination key [key ...]: stores what several sets have in common.
//!
//! Reply:   integer, how many members that is.
//! Errors:  WRONGTYPE for a source. What `destination` holds does not matter: it is replaced, or removed when the result is
//!          empty.

use super::members::{sets_at, store};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::data::set::{Set, algebra};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "sinterstore",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::SET,
        keys: &[
            KeySpec::one(1, Access::RW.and(Access::UPDATE)),
            KeySpec::range(2, -1, 1, Access::RO.and(Access::ACCESS)),
        ],
        summary: "Stores what several sets have in common.",
        complexity: "O(N*M), N being the size of the smallest set and M the number of sets",
        args: &[Arg::key("destination", 0), Arg::key("key", 1).multiple()],
        ..Meta::NEW
    },
    handler: sinterstore,
};

fn sinterstore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let sets = sets_at(&mut ctx.db, args.from(2))?;
    // With a set that is not there, nothing is common.
    let sets: Option<Vec<&Set>> = sets.into_iter().collect();
    let result = algebra::stored_intersection(&sets.unwrap_or_default(), &ctx.settings.limits);
    Ok(store(ctx, args.get(1), result, Event::SINTERSTORE))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_result_replaces_what_was_there() {
        transcript(
            "
            > SADD a 1 2 3
            :3
            > SADD b 3 x 2
            :3
            > SET d old EX 100
            +OK
            > SINTERSTORE d a b
            :2
            > OBJECT ENCODING d
            $intset
            > TTL d
            :-1
            > SCARD d
            :2
            > SINTERSTORE a a
            :3
            ",
        )
        .propagates(&["SADD a 1 2 3", "SADD b 3 x 2", "SET d old PXAT 1100000", "SINTERSTORE d a b", "SINTERSTORE a a"])
        .notifies(&["sadd a", "sadd b", "set d", "expire d", "sinterstore d", "sinterstore a"]);
    }

    #[test]
    fn an_empty_result_removes_the_destination() {
        transcript(
            "
            > SADD a 1
            :1
            > SADD d 1
            :1
            > SINTERSTORE d a missing
            :0
            > EXISTS d
            :0
            > SINTERSTORE d a missing
            :0
            > SET k v
            +OK
            > SINTERSTORE a a k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&["SADD a 1", "SADD d 1", "SINTERSTORE d a missing", "SET k v"])
        .notifies(&["sadd a", "sadd d", "del d", "set k"]);
    }
}
