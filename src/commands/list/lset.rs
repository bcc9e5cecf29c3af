//! LSET key index element: puts an element in the place of another; negative indexes count from the tail.
//!
//! Reply:   OK.
//! Errors:  no such key; WRONGTYPE when `key` holds another type; value is not an integer or out of range; index out of range.

use super::args::{packing, parse_index};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::List;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lset",
        group: Group::List,
        arity: Arity::Exactly(4),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::LIST,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Replaces the element of a list at an index.",
        complexity: "O(N), N being the packs of elements between the index and the nearer end",
        args: &[Arg::key("key", 0), Arg::new("index", ArgKind::Integer), Arg::new("element", ArgKind::String)],
        ..Meta::NEW
    },
    handler: lset,
};

fn lset(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let packing = packing(ctx);
    let done = ctx.db.edit(args.get(1), |list: &mut List, notes| -> Result<(), CommandError> {
        let index = parse_index(args.get(2))?;
        let index = list.index(index).ok_or_else(|| CommandError::err("index out of range"))?;
        list.set(index, args.get(3), packing);
        notes.changed(Event::LSET, 1);
        Ok(())
    })?;
    done.ok_or(CommandError::NoSuchKey)??;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn one_element_is_replaced() {
        transcript(
            "
            > RPUSH k a b c
            :3
            > LSET k 0 x
            +OK
            > LSET k -1 77
            +OK
            > LRANGE k 0 -1
            *3
            $x
            $b
            $77
            ",
        )
        .propagates(&["RPUSH k a b c", "LSET k 0 x", "LSET k -1 77"])
        .notifies(&["rpush k", "lset k", "lset k"]);
    }

    #[test]
    fn wrong_calls_change_nothing() {
        transcript(
            "
            > LSET missing x a
            -ERR no such key
            > RPUSH k a
            :1
            > LSET k x b
            -ERR value is not an integer or out of range
            > LSET k 1 b
            -ERR index out of range
            > LSET k -2 b
            -ERR index out of range
            > SET s v
            +OK
            > LSET s 0 b
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > LINDEX k 0
            $a
            ",
        )
        .propagates(&["RPUSH k a", "SET s v"]);
    }
}
