//! BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout, and BRPOPLPUSH source destination timeout: LMOVE and RPOPLPUSH that wait
//! for `source` to exist.
//!
//! Reply:   bulk string, the element; a null array when the time (in seconds, 0 for ever) is over; null inside MULTI.
//! Errors:  WRONGTYPE when either key holds another type; syntax error; timeout is negative, out of range, not a float.
//!
//! What `destination` holds matters only when there is something to move. Replicas and the AOF receive LMOVE or RPOPLPUSH.

use super::args::{ENDS, parse_end};
use super::lmove::move_element;
use crate::commands::contract::{Blocking, CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::timeout;
use crate::data::TypeName;
use crate::data::list::End;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

const META: Meta = Meta {
    group: Group::List,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::BLOCKING),
    categories: Category::LIST,
    keys: &[
        KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE)),
        KeySpec::one(2, Access::RW.and(Access::INSERT)),
    ],
    ..Meta::NEW
};

/// BLMOVE.
pub const BLMOVE: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "blmove",
        since: "6.2.0",
        arity: Arity::Exactly(6),
        summary: "Takes an element from one list, adds it to another, and returns it; waits for the first list to exist.",
        args: &[
            Arg::key("source", 0),
            Arg::key("destination", 1),
            Arg::one_of("wherefrom", ENDS),
            Arg::one_of("whereto", ENDS),
            Arg::new("timeout", ArgKind::Double),
        ],
        ..META
    },
    handler: blmove,
};

/// BRPOPLPUSH.
pub const BRPOPLPUSH: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "brpoplpush",
        since: "2.2.0",
        arity: Arity::Exactly(4),
        summary: "Takes the last element of a list, adds it at the head of another, and returns it; waits for the first list to exist.",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        deprecated: Some(("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")),
        args: &[Arg::key("source", 0), Arg::key("destination", 1), Arg::new("timeout", ArgKind::Double)],
        ..META
    },
    handler: brpoplpush,
};

fn blmove(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (from, to) = (parse_end(args.get(3))?, parse_end(args.get(4))?);
    let moved = [b"LMOVE", args.get(1), args.get(2), args.get(3), args.get(4)];
    move_or_wait(ctx, args, (from, to), 5, &moved)
}

fn brpoplpush(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    move_or_wait(ctx, args, (End::Right, End::Left), 3, &[b"RPOPLPUSH", args.get(1), args.get(2)])
}

/// The timeout is word `timeout_at`; `moved` is what replicas receive.
fn move_or_wait(
    ctx: &mut DataCtx<'_>,
    args: &Args<'_>,
    (from, to): (End, End),
    timeout_at: usize,
    moved: &[&[u8]],
) -> CommandResult {
    let timeout_ms = timeout::seconds(args.get(timeout_at), ctx.now)?;
    let (source, destination) = (args.get(1), args.get(2));
    if move_element(ctx, source, destination, from, to)? {
        return Ok(ctx.propagate(moved));
    }
    if ctx.may_block {
        return Ok(Blocking::on([source].into_iter(), TypeName::List, timeout_ms).into());
    }
    ctx.reply.null();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn what_is_there_moves_at_once() {
        transcript(
            "
            > RPUSH a 1 2 3
            :3
            > BLMOVE a b LEFT right 0
            $1
            > BRPOPLPUSH a b 1
            $3
            > LRANGE b 0 -1
            *2
            $3
            $1
            ",
        )
        .propagates(&["RPUSH a 1 2 3", "LMOVE a b LEFT right", "RPOPLPUSH a b"])
        .notifies(&["rpush a", "rpush b", "lpop a", "lpush b", "rpop a"]);
    }

    #[test]
    fn what_is_moved_serves_who_waits_for_it_there() {
        transcript(
            "
            > BLMOVE a b LEFT LEFT 0
            (waits)
            @client 2
            > BRPOPLPUSH b c 0
            (waits)
            @client 3
            > BLPOP c 0
            (waits)
            @client 4
            > RPUSH a x y
            :2
            @client 1
            (hears)
            $x
            @client 2
            (hears)
            $x
            @client 3
            (hears)
            *2
            $c
            $x
            > EXISTS a b c
            :1
            ",
        )
        .propagates(&["RPUSH a x y", "LMOVE a b LEFT LEFT", "RPOPLPUSH b c", "LPOP c"]);
    }

    #[test]
    fn an_element_can_go_round() {
        transcript(
            "
            > BLMOVE a a LEFT RIGHT 0
            (waits)
            @client 2
            > BLMOVE b a LEFT RIGHT 0
            (waits)
            @client 3
            > BLMOVE a b LEFT RIGHT 0
            (waits)
            @client 4
            > RPUSH a x
            :1
            > LRANGE a 0 -1
            *1
            $x
            @client 1
            (hears)
            $x
            @client 2
            (hears)
            $x
            @client 3
            (hears)
            $x
            ",
        );
    }

    #[test]
    fn a_destination_of_another_type_is_an_error_for_who_waited() {
        transcript(
            "
            > SET s v
            +OK
            > BLMOVE a s LEFT LEFT 0
            (waits)
            @client 2
            > RPUSH a x
            :1
            > LLEN a
            :1
            @client 1
            (hears)
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&["SET s v", "RPUSH a x"]);
    }

    #[test]
    fn a_failed_move_leaves_the_element_to_who_came_later() {
        transcript(
            "
            > SET s v
            +OK
            > BRPOPLPUSH a s 0
            (waits)
            @client 2
            > BLPOP a 0
            (waits)
            @client 3
            > RPUSH a x
            :1
            @client 1
            (hears)
            -WRONGTYPE Operation against a key holding the wrong kind of value
            @client 2
            (hears)
            *2
            $a
            $x
            ",
        );
    }

    #[test]
    fn nothing_waits_in_a_transaction_and_time_passes_outside() {
        transcript(
            "
            > MULTI
            +OK
            > BLMOVE a b LEFT LEFT 0
            +QUEUED
            > BRPOPLPUSH a b 0
            +QUEUED
            > EXEC
            *2
            nil
            nil
            > BLMOVE a b LEFT LEFT 0.1
            (waits)
            @advance 100
            (hears)
            nil
            ",
        )
        .propagates(&[]);
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > BLMOVE a b UP LEFT 0
            -ERR syntax error
            > BLMOVE a b LEFT UP x
            -ERR syntax error
            > BLMOVE a b LEFT LEFT x
            -ERR timeout is not a float or out of range
            > BRPOPLPUSH a b -5
            -ERR timeout is negative
            > SET s v
            +OK
            > BRPOPLPUSH s b 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > BRPOPLPUSH a b
            -ERR wrong number of arguments for 'brpoplpush' command
            ",
        );
    }
}
