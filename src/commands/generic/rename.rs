//! RENAME key newkey: gives a key another name, replacing what had that name.
//!
//! Reply:   OK, also when both names are the same.
//! Errors:  no such key.
//!
//! The time to live travels with the value.

use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "rename",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE,
        categories: Category::KEYSPACE,
        keys: &[
            KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE)),
            KeySpec::one(2, Access::OW.and(Access::UPDATE)),
        ],
        summary: "Gives a key another name, replacing what had that name.",
        complexity: "O(1), plus the cost of removing what is replaced",
        args: &[Arg::key("key", 0), Arg::key("newkey", 1)],
        ..Meta::NEW
    },
    handler: rename,
};

fn rename(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (from, to) = (args.get(1), args.get(2));
    let is_done = if from == to { ctx.db.contains(from) } else { ctx.db.rename(from, to) };
    if !is_done {
        return Err(CommandError::NoSuchKey.into());
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn value_and_time_to_live_get_the_other_name() {
        transcript(
            "
            > SET a 1 PXAT 2000000
            +OK
            > SET b 2
            +OK
            > RENAME a b
            +OK
            > EXISTS a
            :0
            > GET b
            $1
            > PEXPIRETIME b
            :2000000
            > SET c 3
            +OK
            > RENAME c b
            +OK
            > TTL b
            :-1
            ",
        )
        .propagates(&["SET a 1 PXAT 2000000", "SET b 2", "RENAME a b", "SET c 3", "RENAME c b"])
        .notifies(&[
            "set a",
            "expire a",
            "set b",
            "rename_from a",
            "rename_to b",
            "set c",
            "rename_from c",
            "rename_to b",
        ]);
    }

    #[test]
    fn the_same_name_is_fine_if_the_key_exists() {
        transcript(
            "
            > RENAME k k
            -ERR no such key
            > RENAME k other
            -ERR no such key
            > SET k v
            +OK
            > RENAME k k
            +OK
            ",
        )
        .propagates(&["SET k v"])
        .notifies(&["set k"]);
    }
}
