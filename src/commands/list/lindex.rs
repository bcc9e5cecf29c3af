//! LINDEX key index: one element of a list; negative indexes count from the tail.
//!
//! Reply:   bulk string, or null when there is no such element or key.
//! Errors:  WRONGTYPE when `key` holds another type; value is not an integer or out of range (only when the key exists).

use super::args::{parse_index, reply_item};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::List;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lindex",
        group: Group::List,
        arity: Arity::Exactly(3),
        flags: Flags::READONLY,
        categories: Category::LIST,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the element of a list at an index.",
        complexity: "O(N), N being the packs of elements between the index and the nearer end",
        args: &[Arg::key("key", 0), Arg::new("index", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: lindex,
};

fn lindex(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let DataCtx { db, reply, .. } = ctx;
    let Some(list) = db.read::<List>(args.get(1))? else {
        reply.null();
        return Ok(Outcome::Done);
    };
    let index = list.index(parse_index(args.get(2))?);
    if index.and_then(|index| list.at(index, |item| reply_item(reply, item))).is_none() {
        reply.null();
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn indexes_count_from_either_end() {
        transcript(
            "
            > RPUSH k a b 12
            :3
            > LINDEX k 0
            $a
            > LINDEX k -1
            $12
            > LINDEX k 3
            nil
            > LINDEX k -4
            nil
            > LINDEX k x
            -ERR value is not an integer or out of range
            > LINDEX missing x
            nil
            > SET s v
            +OK
            > LINDEX s 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
