//! LINSERT key BEFORE|AFTER pivot element: puts an element before or after the first one equal to `pivot`.
//!
//! Reply:   integer, the length afterwards; -1 when there is no such pivot, 0 when `key` does not exist.
//! Errors:  WRONGTYPE when `key` holds another type; syntax error.

use std::ops::ControlFlow;

use super::args::packing;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::{End, List};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "linsert",
        group: Group::List,
        since: "2.2.0",
        arity: Arity::Exactly(5),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::LIST,
        keys: &[KeySpec::one(1, Access::RW.and(Access::INSERT))],
        summary: "Puts an element before or after another element of a list.",
        complexity: "O(N), N being the number of elements before the pivot",
        args: &[
            Arg::key("key", 0),
            Arg::one_of("where", &[Arg::token("before", "BEFORE"), Arg::token("after", "AFTER")]),
            Arg::new("pivot", ArgKind::String),
            Arg::new("element", ArgKind::String),
        ],
        ..Meta::NEW
    },
    handler: linsert,
};

fn linsert(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let after = match () {
        _ if args.is(2, "AFTER") => true,
        _ if args.is(2, "BEFORE") => false,
        _ => return Err(CommandError::Syntax.into()),
    };
    let packing = packing(ctx);
    let len = ctx.db.edit::<List, _>(args.get(1), |list, notes| {
        let mut place = None;
        list.find(args.get(3), End::Left, usize::MAX, |index| {
            place = Some(index);
            ControlFlow::Break(())
        });
        let Some(index) = place else { return -1 };
        list.insert(index, after, args.get(4), packing);
        notes.changed(Event::LINSERT, 1);
        list.len() as i64
    })?;
    ctx.reply.int(len.unwrap_or(0));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_first_equal_element_is_the_pivot() {
        transcript(
            "
            > RPUSH k a 5 a
            :3
            > LINSERT k before a x
            :4
            > LINSERT k AFTER 5 y
            :5
            > LRANGE k 0 -1
            *5
            $x
            $a
            $5
            $y
            $a
            > LINSERT k AFTER nothing z
            :-1
            > LINSERT missing AFTER a z
            :0
            ",
        )
        .propagates(&["RPUSH k a 5 a", "LINSERT k before a x", "LINSERT k AFTER 5 y"])
        .notifies(&["rpush k", "linsert k", "linsert k"]);
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > LINSERT missing BETWEEN a b
            -ERR syntax error
            > SET s v
            +OK
            > LINSERT s AFTER a b
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
