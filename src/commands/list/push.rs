//! LPUSH, RPUSH, LPUSHX and RPUSHX key element [element …]: adds elements at one end of a list, one after the other. The
//! forms with X do nothing when `key` does not exist.
//!
//! Reply:   integer, the length afterwards; 0 when nothing was done.
//! Errors:  WRONGTYPE when `key` holds another type.

use super::args::{packing, pushed};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::{End, List};
use crate::keyspace::Notes;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

const META: Meta = Meta {
    group: Group::List,
    arity: Arity::AtLeast(3),
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: Category::LIST,
    keys: &[KeySpec::one(1, Access::RW.and(Access::INSERT))],
    complexity: "O(N), N being the number of elements added",
    args: &[Arg::key("key", 0), Arg::new("element", ArgKind::String).multiple()],
    ..Meta::NEW
};

/// LPUSH.
pub const LPUSH: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lpush",
        summary: "Adds elements at the head of a list, creating the key when it is missing.",
        history: &[("2.4.0", "Accepts multiple `element` arguments.")],
        ..META
    },
    handler: |ctx, args| push(ctx, args, End::Left),
};

/// RPUSH.
pub const RPUSH: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "rpush",
        summary: "Adds elements at the tail of a list, creating the key when it is missing.",
        history: &[("2.4.0", "Accepts multiple `element` arguments.")],
        ..META
    },
    handler: |ctx, args| push(ctx, args, End::Right),
};

/// LPUSHX.
pub const LPUSHX: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lpushx",
        since: "2.2.0",
        summary: "Adds elements at the head of a list that exists.",
        history: &[("4.0.0", "Accepts multiple `element` arguments.")],
        ..META
    },
    handler: |ctx, args| push_existing(ctx, args, End::Left),
};

/// RPUSHX.
pub const RPUSHX: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "rpushx",
        since: "2.2.0",
        summary: "Adds elements at the tail of a list that exists.",
        history: &[("4.0.0", "Accepts multiple `element` arguments.")],
        ..META
    },
    handler: |ctx, args| push_existing(ctx, args, End::Right),
};

fn push(ctx: &mut DataCtx<'_>, args: &Args<'_>, end: End) -> CommandResult {
    let len = ctx.db.edit_or_create(args.get(1), adding(ctx, args, end))?;
    ctx.reply.int(len as i64);
    Ok(Outcome::Done)
}

fn push_existing(ctx: &mut DataCtx<'_>, args: &Args<'_>, end: End) -> CommandResult {
    let len = ctx.db.edit(args.get(1), adding(ctx, args, end))?;
    ctx.reply.int(len.unwrap_or(0) as i64);
    Ok(Outcome::Done)
}

/// Adds the elements of the call and gives the length afterwards.
fn adding<'a>(ctx: &DataCtx<'_>, args: &Args<'a>, end: End) -> impl FnOnce(&mut List, &mut Notes) -> usize + use<'a> {
    let (packing, args) = (packing(ctx), *args);
    move |list, notes| {
        list.push(end, || args.from(2), packing);
        notes.changed(pushed(end), args.len() as u64 - 2);
        list.len()
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn elements_are_added_one_after_the_other() {
        transcript(
            "
            > LPUSH k a b
            :2
            > RPUSH k c 1000
            :4
            > LRANGE k 0 -1
            *4
            $b
            $a
            $c
            $1000
            > TYPE k
            +list
            > OBJECT ENCODING k
            $listpack
            ",
        )
        .propagates(&["LPUSH k a b", "RPUSH k c 1000"])
        .notifies(&["lpush k", "rpush k"]);
    }

    #[test]
    fn the_forms_with_x_need_a_list() {
        transcript(
            "
            > LPUSHX k a
            :0
            > RPUSHX k a
            :0
            > EXISTS k
            :0
            > RPUSH k m
            :1
            > LPUSHX k a b
            :3
            > RPUSHX k z
            :4
            > LRANGE k 0 -1
            *4
            $b
            $a
            $m
            $z
            ",
        )
        .propagates(&["RPUSH k m", "LPUSHX k a b", "RPUSHX k z"])
        .notifies(&["rpush k", "lpush k", "rpush k"]);
    }

    #[test]
    fn a_key_of_another_type_stays_as_it_is() {
        transcript(
            "
            > SET k v
            +OK
            > LPUSH k a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > RPUSHX k a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > GET k
            $v
            > LPUSH k
            -ERR wrong number of arguments for 'lpush' command
            ",
        )
        .propagates(&["SET k v"]);
    }

    #[test]
    fn the_time_to_live_stays() {
        transcript(
            "
            > RPUSH k a
            :1
            > EXPIRE k 100
            :1
            > RPUSH k b
            :2
            > TTL k
            :100
            > RENAME k l
            +OK
            > COPY l m
            :1
            > LPUSH m x
            :3
            > LLEN l
            :2
            ",
        );
    }
}
