//! BLPOP and BRPOP key [key …] timeout: takes an element from the first of several lists that exists, and waits for one if none does.
//!
//! Reply:   array of the key and the element; a null array when the time (in seconds, 0 for ever) is over.
//! Errors:  WRONGTYPE when the first key that exists holds another type; timeout is negative, out of range, not a float.
//!
//! Replicas and the AOF receive `LPOP key` or `RPOP key`.

use super::pop::pop_pair;
use crate::commands::contract::{Blocking, CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::timeout;
use crate::data::TypeName;
use crate::data::list::End;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

const META: Meta = Meta {
    group: Group::List,
    since: "2.0.0",
    arity: Arity::AtLeast(3),
    flags: Flags::WRITE.and(Flags::BLOCKING),
    categories: Category::LIST,
    keys: &[KeySpec::range(1, -2, 1, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
    complexity: "O(N), N being the number of keys",
    history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
    args: &[Arg::key("key", 0).multiple(), Arg::new("timeout", ArgKind::Double)],
    ..Meta::NEW
};

/// BLPOP.
pub const BLPOP: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "blpop",
        summary: "Removes the first element of the first of several lists that exists and returns it; waits if none does.",
        ..META
    },
    handler: |ctx, args| pop_or_wait(ctx, args, End::Left),
};

/// BRPOP.
pub const BRPOP: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "brpop",
        summary: "Removes the last element of the first of several lists that exists and returns it; waits if none does.",
        ..META
    },
    handler: |ctx, args| pop_or_wait(ctx, args, End::Right),
};

fn pop_or_wait(ctx: &mut DataCtx<'_>, args: &Args<'_>, end: End) -> CommandResult {
    let last = args.len() - 1;
    let timeout_ms = timeout::seconds(args.get(last), ctx.now)?;
    let keys = || args.from(1).take(last - 1);
    for key in keys() {
        if let Some(outcome) = pop_pair(ctx, key, end)? {
            return Ok(outcome);
        }
    }
    if ctx.may_block {
        return Ok(Blocking::on(keys(), TypeName::List, timeout_ms).into());
    }
    ctx.reply.null_array();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_first_list_that_exists_gives_at_once() {
        transcript(
            "
            > RPUSH b 1 2 3
            :3
            > BLPOP a b c 0
            *2
            $b
            $1
            > BRPOP b a 0.5
            *2
            $b
            $3
            > BLPOP b 1
            *2
            $b
            $2
            > EXISTS b
            :0
            ",
        )
        .propagates(&["RPUSH b 1 2 3", "LPOP b", "RPOP b", "LPOP b"])
        .notifies(&["rpush b", "lpop b", "rpop b", "lpop b", "del b"]);
    }

    #[test]
    fn who_waits_is_served_when_another_client_pushes() {
        transcript(
            "
            > BLPOP a b 0
            (waits)
            @client 2
            > RPUSH b 1 2 3
            :3
            > LRANGE b 0 -1
            *2
            $2
            $3
            @client 1
            (hears)
            *2
            $b
            $1
            > GET nothing
            nil
            ",
        )
        .propagates(&["RPUSH b 1 2 3", "LPOP b"])
        .notifies(&["rpush b", "lpop b"]);
    }

    #[test]
    fn who_came_first_is_served_first() {
        transcript(
            "
            > BLPOP k 0
            (waits)
            @client 3
            > BRPOP other k 0
            (waits)
            @client 2
            > BLPOP k k 0
            (waits)
            @client 4
            > RPUSH k a b
            :2
            > EXISTS k
            :0
            @client 1
            (hears)
            *2
            $k
            $a
            @client 3
            (hears)
            *2
            $k
            $b
            @client 2
            (hears)
            @client 4
            > LPUSH k c
            :1
            @client 2
            (hears)
            *2
            $k
            $c
            ",
        )
        .propagates(&["RPUSH k a b", "LPOP k", "RPOP k", "LPUSH k c", "LPOP k"]);
    }

    #[test]
    fn the_time_can_be_over() {
        transcript(
            "
            > BLPOP k 1.5
            (waits)
            @advance 1499
            (hears)
            @advance 1
            (hears)
            nil
            > BLPOP k 0.0001
            (waits)
            @advance 1
            (hears)
            nil
            @resp3
            > BLPOP k 1
            (waits)
            @advance 2000
            (hears)
            _
            > RPUSH k a
            :1
            > LLEN k
            :1
            ",
        )
        .propagates(&["RPUSH k a"]);
    }

    #[test]
    fn a_transaction_serves_when_it_is_over_and_waits_for_nothing_itself() {
        transcript(
            "
            > BLPOP k 0
            (waits)
            @client 2
            > MULTI
            +OK
            > LPUSH k a
            +QUEUED
            > DEL k
            +QUEUED
            > BLPOP k 0
            +QUEUED
            > EXEC
            *3
            :1
            :1
            nil
            > MULTI
            +OK
            > LPUSH k a
            +QUEUED
            > LPUSH k b
            +QUEUED
            > EXEC
            *2
            :1
            :2
            > LRANGE k 0 -1
            *1
            $a
            @client 1
            (hears)
            *2
            $k
            $b
            ",
        )
        .propagates(&[
            "MULTI",
            "LPUSH k a",
            "DEL k",
            "EXEC",
            "MULTI",
            "LPUSH k a",
            "LPUSH k b",
            "EXEC",
            "LPOP k",
        ]);
    }

    #[test]
    fn any_way_in_which_a_list_comes_about_serves() {
        transcript(
            r#"
            > RPUSH source a b
            :2
            > BLPOP k 0
            (waits)
            @client 2
            > RENAME source k
            +OK
            > COPY k k2
            :1
            > DEL k
            :1
            @client 1
            (hears)
            *2
            $k
            $a
            > BLPOP k 0
            (waits)
            @client 2
            > SET k v
            +OK
            > COPY k2 k REPLACE
            :1
            @client 1
            (hears)
            *2
            $k
            $b
            > SELECT 1
            +OK
            > BLPOP k2 0
            (waits)
            @client 2
            > MOVE k2 1
            :1
            @client 1
            (hears)
            *2
            $k2
            $b
            "#,
        );
    }

    #[test]
    fn a_key_of_another_type_serves_nobody() {
        transcript(
            "
            > BLPOP k 0
            (waits)
            @client 2
            > SET k v
            +OK
            > DEL k
            :1
            > MULTI
            +OK
            > LPUSH k a
            +QUEUED
            > SET k v
            +QUEUED
            > EXEC
            *2
            :1
            +OK
            > BLPOP k 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > DEL k
            :1
            > LPUSH k b
            :1
            @client 1
            (hears)
            *2
            $k
            $b
            ",
        );
    }

    #[test]
    fn a_served_client_can_be_the_one_that_watches_another_key() {
        transcript(
            "
            > BLPOP k 0
            (waits)
            @client 2
            > WATCH k
            +OK
            > LPUSH k a
            :1
            > MULTI
            +OK
            > EXEC
            nil
            @client 1
            (hears)
            *2
            $k
            $a
            ",
        );
    }

    #[test]
    fn waiting_can_be_ended_from_outside() {
        transcript(
            "
            > BLPOP k 0
            (waits)
            @client 2
            > CLIENT UNBLOCK 1
            :1
            > CLIENT UNBLOCK 1
            :0
            > LPUSH k a
            :1
            > LLEN k
            :1
            @client 1
            (hears)
            nil
            > BLPOP other 0
            (waits)
            @client 2
            > CLIENT UNBLOCK 1 ERROR
            :1
            @client 1
            (hears)
            -UNBLOCKED client unblocked via CLIENT UNBLOCK
            ",
        )
        .propagates(&["LPUSH k a"]);
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > SET s v
            +OK
            > BLPOP missing s 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > BLPOP k -1
            -ERR timeout is negative
            > BLPOP k x
            -ERR timeout is not a float or out of range
            > BLPOP k 0x7FFFFFFFFFFFFF
            -ERR timeout is out of range
            > BLPOP k
            -ERR wrong number of arguments for 'blpop' command
            ",
        );
    }
}
