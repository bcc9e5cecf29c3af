//! MOVE key db: moves a key to another database.
//!
//! Reply:   1 when it was moved, 0 when it does not exist here or exists there already.
//! Errors:  not an integer; DB index is out of range; the same database.

use super::database::parse_database;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "move",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Moves a key to another database.",
        args: &[Arg::key("key", 0), Arg::new("db", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: move_to,
};

fn move_to(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let target = parse_database(args.get(2), ctx.settings)?;
    if target == ctx.db.index() {
        return Err(CommandError::err("source and destination objects are the same").into());
    }
    let is_moved = ctx.db.move_to(args.get(1), target).is_ok();
    ctx.reply.int(is_moved.into());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn value_and_time_to_live_are_in_the_other_database_afterwards() {
        transcript(
            "
            > SET k v PXAT 2000000
            +OK
            > MOVE k 9
            :1
            > MOVE k 9
            :0
            > SET k w
            +OK
            > MOVE k 9
            :0
            @db 9
            > GET k
            $v
            > PEXPIRETIME k
            :2000000
            ",
        )
        .propagates(&["SET k v PXAT 2000000", "MOVE k 9", "SET k w"])
        .notifies(&["set k", "expire k", "move_from k", "move_to k", "set k"]);
    }

    #[test]
    fn databases_that_do_not_exist_are_refused() {
        transcript(
            "
            > MOVE k 0
            -ERR source and destination objects are the same
            > MOVE k 16
            -ERR DB index is out of range
            > MOVE k -1
            -ERR DB index is out of range
            > MOVE k x
            -ERR value is not an integer or out of range
            > MOVE k 9999999999
            -ERR value is out of range, value must between -2147483648 and 2147483647
            ",
        )
        .propagates(&[]);
    }
}
