//! BLMPOP timeout numkeys key [key …] LEFT|RIGHT [COUNT n]: LMPOP that waits for one of the lists to exist.
//!
//! Reply:   array of the key and an array of elements; a null array when the time (in seconds, 0 for ever) is over.
//! Errors:  as LMPOP; timeout is negative, out of range, not a float.
//!
//! Replicas and the AOF receive `LPOP key n` or `RPOP key n`, with the number of elements that were taken.

use super::args::ENDS;
use super::lmpop::MultiPop;
use crate::commands::contract::{Blocking, CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::timeout;
use crate::data::TypeName;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "blmpop",
        group: Group::List,
        since: "7.0.0",
        arity: Arity::AtLeast(5),
        flags: Flags::WRITE.and(Flags::BLOCKING),
        categories: Category::LIST,
        keys: &[KeySpec::counted(2, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
        summary: "Removes elements from the first of several lists that exists and returns them; waits if none does.",
        complexity: "O(N+M), N being the number of keys, M the number of elements returned",
        args: &[
            Arg::new("timeout", ArgKind::Double),
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::one_of("where", ENDS),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
        ],
        ..Meta::NEW
    },
    handler: blmpop,
};

fn blmpop(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let wish = MultiPop::parse(args, 2)?;
    let timeout_ms = timeout::seconds(args.get(1), ctx.now)?;
    if let Some(outcome) = wish.run(ctx)? {
        return Ok(outcome);
    }
    if ctx.may_block {
        return Ok(Blocking::on(wish.keys.iter().copied(), TypeName::List, timeout_ms).into());
    }
    ctx.reply.null_array();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn elements_are_taken_now_or_later() {
        transcript(
            "
            > RPUSH b 1 2 3
            :3
            > BLMPOP 1 2 a b RIGHT COUNT 2
            *2
            $b
            *2
            $3
            $2
            > BLMPOP 0 2 a c LEFT COUNT 10
            (waits)
            @client 2
            > RPUSH c x y
            :2
            > EXISTS c
            :0
            @client 1
            (hears)
            *2
            $c
            *2
            $x
            $y
            > BLMPOP 0.2 1 a LEFT
            (waits)
            @advance 200
            (hears)
            nil
            ",
        )
        .propagates(&["RPUSH b 1 2 3", "RPOP b 2", "RPUSH c x y", "LPOP c 2"])
        .notifies(&["rpush b", "rpop b", "rpush c", "lpop c", "del c"]);
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > BLMPOP x 0 k LEFT
            -ERR numkeys should be greater than 0
            > BLMPOP x 1 k LEFT
            -ERR timeout is not a float or out of range
            > BLMPOP -1 1 k LEFT
            -ERR timeout is negative
            > BLMPOP 0 2 k LEFT
            -ERR syntax error
            > BLMPOP 0 1 k LEFT COUNT 0
            -ERR count should be greater than 0
            > SET s v
            +OK
            > BLMPOP 0 2 k s LEFT
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > MULTI
            +OK
            > BLMPOP 0 1 k LEFT
            +QUEUED
            > EXEC
            *1
            nil
            ",
        );
    }
}
