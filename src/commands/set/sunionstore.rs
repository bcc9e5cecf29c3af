//! SUNIONSTORE destination key [key ...]: stores what is in any of several sets.
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
        name: "sunionstore",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::SET,
        keys: &[
            KeySpec::one(1, Access::OW.and(Access::UPDATE)),
            KeySpec::range(2, -1, 1, Access::RO.and(Access::ACCESS)),
        ],
        summary: "Stores what is in any of several sets.",
        complexity: "O(N), N being the size of all sets together",
        args: &[Arg::key("destination", 0), Arg::key("key", 1).multiple()],
        ..Meta::NEW
    },
    handler: sunionstore,
};

fn sunionstore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let sets = sets_at(&mut ctx.db, args.from(2))?;
    let sets: Vec<&Set> = sets.into_iter().flatten().collect();
    let result = algebra::stored_union(&sets, &ctx.settings.limits);
    Ok(store(ctx, args.get(1), result, Event::SUNIONSTORE))
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
            > SUNIONSTORE d a b
            :4
            > OBJECT ENCODING d
            $listpack
            > TTL d
            :-1
            > SCARD d
            :4
            > SUNIONSTORE a a
            :3
            ",
        )
        .propagates(&["SADD a 1 2 3", "SADD b 3 x 2", "SET d old PXAT 1100000", "SUNIONSTORE d a b", "SUNIONSTORE a a"])
        .notifies(&["sadd a", "sadd b", "set d", "expire d", "sunionstore d", "sunionstore a"]);
    }

    #[test]
    fn an_empty_result_removes_the_destination() {
        transcript(
            "
            > SADD a 1
            :1
            > SADD d 1
            :1
            > SUNIONSTORE d missing other
            :0
            > EXISTS d
            :0
            > SUNIONSTORE d missing other
            :0
            > SET k v
            +OK
            > SUNIONSTORE a a k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&["SADD a 1", "SADD d 1", "SUNIONSTORE d missing other", "SET k v"])
        .notifies(&["sadd a", "sadd d", "del d", "set k"]);
    }
}
