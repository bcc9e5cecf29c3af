//! LRANGE key start stop: the elements between two indexes, both included; negative indexes count from the tail.
//!
//! Reply:   array, empty when there are no such elements or no such key.
//! Errors:  WRONGTYPE when `key` holds another type; value is not an integer or out of range.

use super::args::{parse_index, reply_item};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::{End, List};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lrange",
        group: Group::List,
        arity: Arity::Exactly(4),
        flags: Flags::READONLY,
        categories: Category::LIST,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the elements of a list between two indexes.",
        complexity: "O(S+N), S being the packs between `start` and the nearer end, N the number of elements returned",
        args: &[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: lrange,
};

fn lrange(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (start, stop) = (parse_index(args.get(2))?, parse_index(args.get(3))?);
    let DataCtx { db, reply, .. } = ctx;
    let Some(list) = db.read::<List>(args.get(1))? else {
        reply.array(0);
        return Ok(Outcome::Done);
    };
    let range = list.range(start, stop);
    reply.array(range.len());
    list.each_in(range, End::Left, |item| reply_item(reply, item));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn ranges_are_cut_to_what_there_is() {
        transcript(
            "
            > RPUSH k a b 3
            :3
            > LRANGE k 0 -1
            *3
            $a
            $b
            $3
            > LRANGE k -100 100
            *3
            $a
            $b
            $3
            > LRANGE k -2 1
            *1
            $b
            > LRANGE k 2 1
            *0
            > LRANGE k 5 10
            *0
            > LRANGE missing 0 -1
            *0
            ",
        );
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > LRANGE missing x 1
            -ERR value is not an integer or out of range
            > LRANGE missing 0 1.5
            -ERR value is not an integer or out of range
            > SET s v
            +OK
            > LRANGE s 0 -1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
