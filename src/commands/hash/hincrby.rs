//! HINCRBY key field increment: adds to the integer in a field.
//!
//! Reply:   integer, the value afterwards. A missing field counts as 0.
//! Errors:  not an integer (the increment first, then the value); WRONGTYPE; overflow.
//!
//! The field keeps its expiry.

use super::value::settle_field;
use crate::base::number::{format_i64, parse_i64};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hash::{Fresh, Hash, Ttl};
use crate::data::string::StrView;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hincrby",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Adds to the integer in a field; a missing field counts as 0.",
        args: &[Arg::key("key", 0), Arg::new("field", ArgKind::String), Arg::new("increment", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: hincrby,
};

fn hincrby(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, name) = (args.get(1), args.get(2));
    let increment = parse_i64(args.get(3)).ok_or(CommandError::NotInteger)?;
    settle_field(ctx, key, name)?;
    let (now, limits) = (ctx.db.fields_at(), ctx.settings.limits);
    let sum = ctx.db.edit_or_create::<Hash, _>(key, |hash, notes| {
        let field = hash.get(name).filter(|field| !field.is_over(now));
        let ttl = if field.is_some() { Ttl::Keep } else { Ttl::Clear };
        let present = match field.map(|field| field.value) {
            None => 0,
            Some(StrView::Int(value)) => value,
            Some(text) => parse_i64(&text.to_vec()).ok_or_else(|| CommandError::err("hash value is not an integer"))?,
        };
        let sum = present.checked_add(increment).ok_or(CommandError::Overflow)?;
        hash.set(name, Fresh::Copied(&format_i64(sum)), ttl, &limits);
        notes.changed(Event::HINCRBY, 1);
        Ok::<i64, CommandError>(sum)
    })??;
    ctx.reply.int(sum);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_sum_is_stored_and_returned() {
        transcript(
            "
            > HINCRBY k n 5
            :5
            > HINCRBY k n -7
            :-2
            > HGET k n
            $-2
            > HINCRBY k m 9223372036854775807
            :9223372036854775807
            > HINCRBY k m 1
            -ERR increment or decrement would overflow
            > HGET k m
            $9223372036854775807
            ",
        )
        .propagates(&["HINCRBY k n 5", "HINCRBY k n -7", "HINCRBY k m 9223372036854775807"])
        .notifies(&["hincrby k", "hincrby k", "hincrby k"]);
    }

    #[test]
    fn the_expiry_stays_but_a_field_that_is_over_begins_anew() {
        transcript(
            "
            > HSET k n 10 m 1
            :2
            > HPEXPIRE k 20 FIELDS 1 n
            *1
            :1
            > HINCRBY k n 2
            :12
            > HPTTL k FIELDS 1 n
            *1
            :20
            @advance 21
            > HINCRBY k n 2
            :2
            > HPTTL k FIELDS 1 n
            *1
            :-1
            ",
        )
        .propagates(&[
            "HSET k n 10 m 1",
            "HPEXPIREAT k 1000020 FIELDS 1 n",
            "HINCRBY k n 2",
            "MULTI",
            "HDEL k n",
            "HINCRBY k n 2",
            "EXEC",
        ]);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        transcript(
            r#"
            > HSET k f abc g " 1" h 1.5
            :3
            > HINCRBY k f x
            -ERR value is not an integer or out of range
            > HINCRBY k f 1
            -ERR hash value is not an integer
            > HINCRBY k g 1
            -ERR hash value is not an integer
            > HINCRBY k h 1
            -ERR hash value is not an integer
            > SET s 1
            +OK
            > HINCRBY s f 1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > HINCRBY new f x
            -ERR value is not an integer or out of range
            > EXISTS new
            :0
            "#,
        )
        .propagates(&[r#"HSET k f abc g " 1" h 1.5"#, "SET s 1"]);
    }
}
