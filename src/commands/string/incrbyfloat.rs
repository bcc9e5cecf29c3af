//! INCRBYFLOAT key amount: adds a floating point number to the one at `key`.
//!
//! Reply:   bulk string, the value afterwards with up to 17 decimals. A missing key counts as 0.
//! Errors:  WRONGTYPE; not a valid float (the value first, then the amount); would produce NaN or Infinity.
//!
//! Arithmetic is x86's 80-bit format, as on stock servers: 0.1 and 0.2 make 0.3. Replicas and the AOF receive
//! `SET key value KEEPTTL`, so that nobody has to compute the same digits again.

use super::value::value_as_long_double;
use crate::base::number::LongDouble;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler};
use crate::data::string::{NewStr, Str};
use crate::keyspace::{Event, Expiry};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "incrbyfloat",
        group: Group::String,
        since: "2.6.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Adds a floating point number to the one at a key; a missing key counts as 0.",
        args: &[Arg::key("key", 0), Arg::new("increment", ArgKind::Double)],
        ..Meta::NEW
    },
    handler: incrbyfloat,
};

fn incrbyfloat(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(1);
    let present = match ctx.db.peek::<Str>(key)? {
        Some(value) => value_as_long_double(value)?,
        None => LongDouble::from(0),
    };
    let amount = LongDouble::parse(args.get(2)).ok_or(CommandError::NotFloat)?;
    let sum = present + amount;
    if !sum.is_finite() {
        return Err(CommandError::err("increment would produce NaN or Infinity").into());
    }
    let text = sum.to_text();
    ctx.db.put(key, NewStr::Text(text.as_bytes()), Expiry::Keep, Event::INCRBYFLOAT);
    ctx.reply.bulk(text.as_bytes());
    Ok(ctx.propagate(&[b"SET", key, text.as_bytes(), b"KEEPTTL"]))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn sums_print_without_noise_and_are_propagated_as_their_result() {
        transcript(
            "
            > INCRBYFLOAT k 0.1
            $0.1
            > INCRBYFLOAT k 0.2
            $0.3
            > EXPIRE k 100
            :1
            > INCRBYFLOAT k 5.0e3
            $5000.29999999999999982
            > TTL k
            :100
            > SET n 3
            +OK
            > INCRBYFLOAT n 1.1
            $4.1
            > INCRBYFLOAT n -4.1
            $0
            > OBJECT ENCODING n
            $int
            > INCR n
            :1
            ",
        )
        .propagates(&[
            "SET k 0.1 KEEPTTL",
            "SET k 0.3 KEEPTTL",
            "PEXPIREAT k 1100000",
            "SET k 5000.29999999999999982 KEEPTTL",
            "SET n 3",
            "SET n 4.1 KEEPTTL",
            "SET n 0 KEEPTTL",
            "INCR n",
        ])
        .notifies(&[
            "incrbyfloat k",
            "incrbyfloat k",
            "expire k",
            "incrbyfloat k",
            "set n",
            "incrbyfloat n",
            "incrbyfloat n",
            "incrby n",
        ]);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        transcript(
            r#"
            > SET k " 11"
            +OK
            > INCRBYFLOAT k 1.0
            -ERR value is not a valid float
            > SET k 1
            +OK
            > INCRBYFLOAT k nan
            -ERR value is not a valid float
            > INCRBYFLOAT k " 1"
            -ERR value is not a valid float
            > INCRBYFLOAT k +inf
            -ERR increment would produce NaN or Infinity
            > INCRBYFLOAT k -inf
            -ERR increment would produce NaN or Infinity
            > GET k
            $1
            "#,
        )
        .propagates(&[r#"SET k " 11""#, "SET k 1"]);
    }
}
