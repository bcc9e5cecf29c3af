//! LMOVE source destination LEFT|RIGHT LEFT|RIGHT, and RPOPLPUSH source destination: takes an element from one end of a list and
//! adds it at one end of another, which may be the same.
//!
//! Reply:   bulk string, the element; null when `source` does not exist.
//! Errors:  WRONGTYPE when either key holds another type; syntax error.
//!
//! The event of adding comes before that of taking. [`move_element`] is shared with the commands that wait for an element.

use super::args::{ENDS, packing, parse_end, popped, pushed};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::{End, List};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

const META: Meta = Meta {
    group: Group::List,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Category::LIST,
    keys: &[
        KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE)),
        KeySpec::one(2, Access::RW.and(Access::INSERT)),
    ],
    ..Meta::NEW
};

/// LMOVE.
pub const LMOVE: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lmove",
        since: "6.2.0",
        arity: Arity::Exactly(5),
        summary: "Takes an element from one list, adds it to another, and returns it; an empty list is deleted.",
        args: &[
            Arg::key("source", 0),
            Arg::key("destination", 1),
            Arg::one_of("wherefrom", ENDS),
            Arg::one_of("whereto", ENDS),
        ],
        ..META
    },
    handler: lmove,
};

/// RPOPLPUSH.
pub const RPOPLPUSH: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "rpoplpush",
        since: "1.2.0",
        arity: Arity::Exactly(3),
        summary: "Takes the last element of a list, adds it at the head of another, and returns it; an empty list is deleted.",
        deprecated: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")),
        args: &[Arg::key("source", 0), Arg::key("destination", 1)],
        ..META
    },
    handler: |ctx, args| move_or_null(ctx, args, End::Right, End::Left),
};

fn lmove(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (from, to) = (parse_end(args.get(3))?, parse_end(args.get(4))?);
    move_or_null(ctx, args, from, to)
}

fn move_or_null(ctx: &mut DataCtx<'_>, args: &Args<'_>, from: End, to: End) -> CommandResult {
    if !move_element(ctx, args.get(1), args.get(2), from, to)? {
        ctx.reply.null();
    }
    Ok(Outcome::Done)
}

/// Takes the element at the end `from` of `source`, adds it at the end `to` of `destination`, and replies with it. False, and
/// nothing is replied, when there is no `source`; what `destination` holds does not matter then.
pub fn move_element(
    ctx: &mut DataCtx<'_>,
    source: &[u8],
    destination: &[u8],
    from: End,
    to: End,
) -> Result<bool, CommandError> {
    let Some(list) = ctx.db.peek::<List>(source)? else { return Ok(false) };
    let element = list.peek(from).expect("a list that is stored is not empty").to_vec();
    let packing = packing(ctx);
    if source == destination {
        ctx.db.edit::<List, _>(source, |list, notes| {
            list.rotate(from, to, &element, packing);
            notes.changed(pushed(to), 0);
            notes.changed(popped(from), 1);
        })?;
    } else {
        ctx.db.edit_or_create::<List, _>(destination, |list, notes| {
            list.push_one(to, &element, packing);
            notes.changed(pushed(to), 0);
        })?;
        ctx.db.edit::<List, _>(source, |list, notes| {
            list.remove_end(from, 1, packing);
            notes.changed(popped(from), 1);
        })?;
    }
    ctx.reply.bulk(&element);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn an_element_goes_from_one_end_to_the_other() {
        transcript(
            "
            > RPUSH a 1 2 3
            :3
            > LMOVE a b LEFT RIGHT
            $1
            > LMOVE a b right left
            $3
            > RPOPLPUSH a b
            $2
            > EXISTS a
            :0
            > LRANGE b 0 -1
            *3
            $2
            $3
            $1
            > RPOPLPUSH a b
            nil
            ",
        )
        .propagates(&["RPUSH a 1 2 3", "LMOVE a b LEFT RIGHT", "LMOVE a b right left", "RPOPLPUSH a b"])
        .notifies(&["rpush a", "rpush b", "lpop a", "lpush b", "rpop a", "lpush b", "rpop a", "del a"]);
    }

    #[test]
    fn a_list_can_be_rotated() {
        transcript(
            "
            > RPUSH k a b c
            :3
            > RPOPLPUSH k k
            $c
            > LMOVE k k LEFT RIGHT
            $c
            > LMOVE k k LEFT LEFT
            $a
            > LMOVE k k RIGHT RIGHT
            $c
            > LRANGE k 0 -1
            *3
            $a
            $b
            $c
            > RPUSH single x
            :1
            > RPOPLPUSH single single
            $x
            > LLEN single
            :1
            ",
        );
    }

    #[test]
    fn both_keys_must_be_lists_or_missing() {
        transcript(
            "
            > SET s v
            +OK
            > RPUSH k a
            :1
            > LMOVE k s LEFT LEFT
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > LMOVE s k LEFT LEFT
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > LMOVE missing s LEFT LEFT
            nil
            > LMOVE k k LEFT UP
            -ERR syntax error
            > LMOVE k k UP LEFT
            -ERR syntax error
            > LLEN k
            :1
            ",
        )
        .propagates(&["SET s v", "RPUSH k a"]);
    }
}
