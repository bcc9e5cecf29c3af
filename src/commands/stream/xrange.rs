//! XRANGE key start end [COUNT n] and XREVRANGE key end start [COUNT n]: entries between two ids, from either end.
//!
//! Reply:   array of entries; empty for a missing key; null when COUNT is not positive.
//! Errors:  WRONGTYPE; invalid id; an open interval that begins behind the last id or ends before the first; syntax error.
//!
//! `-` and `+` are the first and last possible ids, `(id` leaves the id itself out, and an id without sequence number means
//! the first or last of its millisecond.

use super::args::{integer, interval_end, interval_start};
use super::reply;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::Stream;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// XRANGE.
pub const XRANGE: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xrange",
        summary: "Returns the entries of a stream within a range of ids.",
        args: &[
            Arg::key("key", 0),
            Arg::new("start", ArgKind::String),
            Arg::new("end", ArgKind::String),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
        ],
        ..COMMON
    },
    handler: xrange,
};

/// XREVRANGE.
pub const XREVRANGE: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xrevrange",
        summary: "Returns the entries of a stream within a range of ids, the last one first.",
        args: &[
            Arg::key("key", 0),
            Arg::new("end", ArgKind::String),
            Arg::new("start", ArgKind::String),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
        ],
        ..COMMON
    },
    handler: xrevrange,
};

const COMMON: Meta = Meta {
    group: Group::Stream,
    since: "5.0.0",
    arity: Arity::AtLeast(4),
    flags: Flags::READONLY,
    categories: Category::STREAM,
    keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
    complexity: "O(N) for the N entries returned",
    history: &[("6.2.0", "Intervals that leave out an end.")],
    ..Meta::NEW
};

fn xrange(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    range(ctx, args, false)
}

fn xrevrange(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    range(ctx, args, true)
}

fn range(ctx: &mut DataCtx<'_>, args: &Args<'_>, is_reverse: bool) -> CommandResult {
    let (start, end) = if is_reverse { (args.get(3), args.get(2)) } else { (args.get(2), args.get(3)) };
    let (start, end) = (interval_start(start)?, interval_end(end)?);
    let mut max = None;
    let mut words = args.from(4);
    while let Some(word) = words.next() {
        match words.next() {
            Some(value) if word.eq_ignore_ascii_case(b"COUNT") => max = Some(integer(value)?.max(0) as usize),
            _ => return Err(CommandError::Syntax.into()),
        }
    }

    let Some(stream) = ctx.db.read::<Stream>(args.get(1))? else {
        ctx.reply.array(0);
        return Ok(Outcome::Done);
    };
    if max == Some(0) {
        ctx.reply.null_array();
    } else if is_reverse {
        reply::entries(&mut ctx.reply, stream.log().range_rev(start, end), max);
    } else {
        reply::entries(&mut ctx.reply, stream.log().range(start, end), max);
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    const THREE: &str = "
        > XADD s 1-0 f a
        $1-0
        > XADD s 1-1 f b
        $1-1
        > XADD s 2-0 f c
        $2-0
    ";

    #[test]
    fn ranges_include_their_ends_unless_told_otherwise() {
        let rest = "
            > XRANGE s 1 1
            *2
            *2
            $1-0
            *2
            $f
            $a
            *2
            $1-1
            *2
            $f
            $b
            > XRANGE s (1 + COUNT 1
            *1
            *2
            $1-1
            *2
            $f
            $b
            > XREVRANGE s (2 - count 1
            *1
            *2
            $2-0
            *2
            $f
            $c
            > XREVRANGE s (2-0 (1-0
            *1
            *2
            $1-1
            *2
            $f
            $b
            > XRANGE s 2-1 +
            *0
            > XRANGE s + -
            *0
            > XRANGE missing - +
            *0
            > XRANGE missing - + COUNT 0
            *0
            > XRANGE s - + COUNT 0
            nil
            > XRANGE s - + COUNT -7
            nil
            > XRANGE s - + COUNT 0 COUNT 1
            *1
            *2
            $1-0
            *2
            $f
            $a
        ";
        transcript(&format!("{THREE}{rest}")).propagates(&["XADD s 1-0 f a", "XADD s 1-1 f b", "XADD s 2-0 f c"]);
    }

    #[test]
    fn bad_ids_and_options_are_refused() {
        transcript(
            "
            > XRANGE s x +
            -ERR Invalid stream ID specified as stream command argument
            > XRANGE s - 1-x
            -ERR Invalid stream ID specified as stream command argument
            > XRANGE s (- +
            -ERR Invalid stream ID specified as stream command argument
            > XRANGE s ( +
            -ERR Invalid stream ID specified as stream command argument
            > XRANGE s (18446744073709551615-18446744073709551615 +
            -ERR invalid start ID for the interval
            > XRANGE s - (0-0
            -ERR invalid end ID for the interval
            > XRANGE s - + COUNT
            -ERR syntax error
            > XRANGE s - + LIMIT 1
            -ERR syntax error
            > XRANGE s - + COUNT x
            -ERR value is not an integer or out of range
            > SET k v
            +OK
            > XREVRANGE k + - COUNT 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
