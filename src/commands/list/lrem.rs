//! LREM key count element: removes elements equal to `element`: the first `count`, the last when `count` is negative, all when it
//! is 0.
//!
//! Reply:   integer, how many were removed.
//! Errors:  WRONGTYPE when `key` holds another type; value is not an integer or out of range.

use super::args::{packing, parse_index};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::{End, List};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lrem",
        group: Group::List,
        arity: Arity::Exactly(4),
        flags: Flags::WRITE,
        categories: Category::LIST,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Removes elements with a given value from a list; an empty list is deleted.",
        complexity: "O(N+M), N being the length of the list, M the number of elements removed",
        args: &[Arg::key("key", 0), Arg::new("count", ArgKind::Integer), Arg::new("element", ArgKind::String)],
        ..Meta::NEW
    },
    handler: lrem,
};

fn lrem(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let count = parse_index(args.get(2))?;
    let from = if count < 0 { End::Right } else { End::Left };
    let max = match count.unsigned_abs() {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let packing = packing(ctx);
    let removed = ctx.db.edit::<List, _>(args.get(1), |list, notes| {
        let removed = list.remove_matching(args.get(3), max, from, packing);
        if removed > 0 {
            notes.changed(Event::LREM, removed as u64);
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
    fn the_sign_of_the_count_says_where_to_begin() {
        transcript(
            "
            > RPUSH k a 1 a 1 a 1
            :6
            > LREM k 1 1
            :1
            > LREM k -1 a
            :1
            > LRANGE k 0 -1
            *4
            $a
            $a
            $1
            $1
            > LREM k 0 nothing
            :0
            > LREM k 5 1
            :2
            > LREM k 0 a
            :2
            > EXISTS k
            :0
            > LREM k 0 a
            :0
            ",
        )
        .propagates(&["RPUSH k a 1 a 1 a 1", "LREM k 1 1", "LREM k -1 a", "LREM k 5 1", "LREM k 0 a"])
        .notifies(&["rpush k", "lrem k", "lrem k", "lrem k", "lrem k", "del k"]);
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > LREM missing x a
            -ERR value is not an integer or out of range
            > SET s v
            +OK
            > LREM s 0 v
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > LREM s -9223372036854775808 v
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
