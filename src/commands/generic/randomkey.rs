//! RANDOMKEY: the name of some key.
//!
//! Reply:   bulk string, or null when the database is empty.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "randomkey",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::Exactly(1),
        flags: Flags::READONLY.and(Flags::TOUCHES_ARBITRARY_KEYS),
        categories: Category::KEYSPACE,
        summary: "Returns the name of a key chosen at random.",
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        ..Meta::NEW
    },
    handler: randomkey,
};

fn randomkey(ctx: &mut DataCtx<'_>, _args: &Args<'_>) -> CommandResult {
    match ctx.db.random_key(ctx.rng) {
        Some(key) => ctx.reply.bulk(&key),
        None => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_only_key_is_always_chosen_unless_it_has_expired() {
        transcript(
            "
            > RANDOMKEY
            nil
            > SET k v PX 10
            +OK
            > RANDOMKEY
            $k
            @advance 11
            > RANDOMKEY
            nil
            ",
        )
        .propagates(&["SET k v PXAT 1000010", "DEL k"]);
    }
}
