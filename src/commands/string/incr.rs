//! INCR key: raises the integer at `key` by one. DECR, INCRBY and DECRBY use what is here.
//!
//! Reply:   integer, the value afterwards. A missing key counts as 0.
//! Errors:  WRONGTYPE when `key` holds another type; not an integer; would overflow.
//!
//! A time to live is kept. Replicas and the AOF receive the command as it was written.

use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::StrView;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "incr",
        group: Group::String,
        since: "1.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Raises the integer at a key by one; a missing key counts as 0.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: incr,
};

fn incr(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    add(ctx, args.get(1), 1)
}

/// Adds `amount` to the integer at `key`.
pub(super) fn add(ctx: &mut DataCtx<'_>, key: &[u8], amount: i64) -> CommandResult {
    let sum = |present: Option<StrView<'_>>| {
        let present = match present {
            None => 0,
            Some(StrView::Int(number)) => number,
            Some(StrView::Bytes(text)) => parse_i64(text).ok_or(CommandError::NotInteger)?,
            Some(StrView::Shared(_)) => return Err(CommandError::NotInteger),
        };
        present.checked_add(amount).ok_or(CommandError::Overflow)
    };
    let sum = ctx.db.update_int(key, Event::INCRBY, sum)?;
    ctx.reply.int(sum);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_missing_key_counts_from_zero_and_the_time_to_live_stays() {
        transcript(
            "
            > INCR n
            :1
            > EXPIRE n 100
            :1
            > INCR n
            :2
            > TTL n
            :100
            > GET n
            $2
            > OBJECT ENCODING n
            $int
            ",
        )
        .propagates(&["INCR n", "PEXPIREAT n 1100000", "INCR n"])
        .notifies(&["incrby n", "expire n", "incrby n"]);
    }

    #[test]
    fn what_is_no_integer_is_refused_and_kept() {
        transcript(
            r#"
            > SET k abc
            +OK
            > INCR k
            -ERR value is not an integer or out of range
            > SET k " 11"
            +OK
            > INCR k
            -ERR value is not an integer or out of range
            > SET k 01
            +OK
            > INCR k
            -ERR value is not an integer or out of range
            > SET k 9223372036854775807
            +OK
            > INCR k
            -ERR increment or decrement would overflow
            > GET k
            $9223372036854775807
            "#,
        )
        .propagates(&["SET k abc", r#"SET k " 11""#, "SET k 01", "SET k 9223372036854775807"]);
    }
}
