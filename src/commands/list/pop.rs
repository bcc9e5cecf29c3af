//! LPOP and RPOP key [count]: removes elements from one end of a list and returns them.
//!
//! Reply:   without `count` a bulk string, or null; with it an array of at most `count` elements, in the order in which they
//!          were taken, or a null array when `key` does not exist.
//! Errors:  WRONGTYPE when `key` holds another type; value is out of range, must be positive.
//!
//! [`pop`], [`pop_pair`] and [`pop_nested`] are shared with the commands that look at several keys or wait for one.

use super::args::{packing, parse_from, popped, reply_item};
use crate::base::number::format_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::{End, List};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

const META: Meta = Meta {
    group: Group::List,
    arity: Arity::AtLeast(2),
    flags: Flags::WRITE.and(Flags::FAST),
    categories: Category::LIST,
    keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
    complexity: "O(N), N being the number of elements returned",
    history: &[("6.2.0", "Added the `count` argument.")],
    args: &[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional().since("6.2.0")],
    ..Meta::NEW
};

/// LPOP.
pub const LPOP: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "lpop",
        summary: "Removes elements from the head of a list and returns them; an empty list is deleted.",
        ..META
    },
    handler: |ctx, args| pop_command(ctx, args, End::Left, "lpop"),
};

/// RPOP.
pub const RPOP: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "rpop",
        summary: "Removes elements from the tail of a list and returns them; an empty list is deleted.",
        ..META
    },
    handler: |ctx, args| pop_command(ctx, args, End::Right, "rpop"),
};

fn pop_command(ctx: &mut DataCtx<'_>, args: &Args<'_>, end: End, name: &str) -> CommandResult {
    let key = args.get(1);
    match args.len() {
        2 => {
            if !pop(ctx, key, end)? {
                ctx.reply.null();
            }
        }
        3 => {
            let count = parse_from(args.get(2), 0, "value is out of range, must be positive")?;
            match ctx.db.peek::<List>(key)? {
                None => ctx.reply.null_array(),
                Some(_) if count == 0 => ctx.reply.array(0),
                Some(_) => {
                    pop_array(ctx, key, end, count)?;
                }
            }
        }
        _ => return Err(CommandError::WrongArity { command: name.to_owned() }.into()),
    }
    Ok(Outcome::Done)
}

/// Takes the element at one end of a list and replies with it. False, and nothing is replied, when there is no such key.
pub fn pop(ctx: &mut DataCtx<'_>, key: &[u8], end: End) -> Result<bool, CommandError> {
    let packing = packing(ctx);
    let DataCtx { db, reply, .. } = ctx;
    let popped = db.edit::<List, _>(key, |list, notes| {
        reply_item(reply, list.peek(end).expect("a list that is stored is not empty"));
        list.remove_end(end, 1, packing);
        notes.changed(popped(end), 1);
    })?;
    Ok(popped.is_some())
}

/// Takes the element at one end of a list and replies with the key and it, as BLPOP does. `None`, and nothing is replied, when
/// there is no such key. Otherwise what replicas receive: `LPOP key`.
pub fn pop_pair(ctx: &mut DataCtx<'_>, key: &[u8], end: End) -> Result<Option<Outcome>, CommandError> {
    if ctx.db.peek::<List>(key)?.is_none() {
        return Ok(None);
    }
    ctx.reply.array(2);
    ctx.reply.bulk(key);
    pop(ctx, key, end)?;
    Ok(Some(ctx.propagate(&[command(end), key])))
}

/// Takes up to `count` elements from one end of a list and replies with the key and an array of them, as LMPOP does. `None`, and
/// nothing is replied, when there is no such key. Otherwise what replicas receive: `LPOP key count`.
pub fn pop_nested(ctx: &mut DataCtx<'_>, key: &[u8], end: End, count: usize) -> Result<Option<Outcome>, CommandError> {
    if ctx.db.peek::<List>(key)?.is_none() {
        return Ok(None);
    }
    ctx.reply.array(2);
    ctx.reply.bulk(key);
    let taken = pop_array(ctx, key, end, count)?;
    Ok(Some(ctx.propagate(&[command(end), key, &format_i64(taken as i64)])))
}

/// Takes up to `count` elements of an existing list and replies with an array of them; how many there were.
fn pop_array(ctx: &mut DataCtx<'_>, key: &[u8], end: End, count: usize) -> Result<usize, CommandError> {
    let packing = packing(ctx);
    let DataCtx { db, reply, .. } = ctx;
    let taken = db.edit::<List, _>(key, |list, notes| {
        let len = list.len();
        let count = count.min(len);
        let range = if end == End::Left { 0..count } else { len - count..len };
        reply.array(count);
        list.each_in(range.clone(), end, |item| reply_item(reply, item));
        list.remove(range, packing);
        notes.changed(popped(end), count as u64);
        count
    })?;
    Ok(taken.unwrap_or(0))
}

fn command(end: End) -> &'static [u8] {
    if end == End::Left { b"LPOP" } else { b"RPOP" }
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn elements_leave_from_either_end_and_the_last_one_takes_the_key_along() {
        transcript(
            "
            > RPUSH k a b 3
            :3
            > LPOP k
            $a
            > RPOP k
            $3
            > RPOP k
            $b
            > EXISTS k
            :0
            > LPOP k
            nil
            @resp3
            > RPOP k
            _
            > RPOP k 2
            _
            ",
        )
        .propagates(&["RPUSH k a b 3", "LPOP k", "RPOP k", "RPOP k"])
        .notifies(&["rpush k", "lpop k", "rpop k", "rpop k", "del k"]);
    }

    #[test]
    fn a_count_gives_an_array_in_the_order_of_taking() {
        transcript(
            "
            > RPUSH k 1 2 3 4 5
            :5
            > RPOP k 2
            *2
            $5
            $4
            > LPOP k 0
            *0
            > LPOP k 100
            *3
            $1
            $2
            $3
            > LPOP k 1
            nil
            > LPOP k 0
            nil
            ",
        )
        .propagates(&["RPUSH k 1 2 3 4 5", "RPOP k 2", "LPOP k 100"])
        .notifies(&["rpush k", "rpop k", "lpop k", "del k"]);
    }

    #[test]
    fn wrong_calls_change_nothing() {
        transcript(
            "
            > RPUSH k a
            :1
            > LPOP k -1
            -ERR value is out of range, must be positive
            > LPOP k x
            -ERR value is out of range, must be positive
            > RPOP k 1 2
            -ERR wrong number of arguments for 'rpop' command
            > SET s v
            +OK
            > LPOP s
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > LPOP s 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > LLEN k
            :1
            ",
        );
    }
}
