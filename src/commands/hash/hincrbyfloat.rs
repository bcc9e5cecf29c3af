//! HINCRBYFLOAT key field increment: adds to the floating point number in a field.
//!
//! Reply:   bulk string, the value afterwards with up to 17 decimals. A missing field counts as 0.
//! Errors:  not a valid float, or not a finite one (the increment first, then the value); WRONGTYPE; would produce NaN or
//!          Infinity.
//!
//! Arithmetic is x86's 80-bit format, as on stock servers. Replicas and the AOF receive `HSET key field value`, so that nobody
//! has to compute the same digits again, and `HPEXPIREAT` after it if the field has an expiry, which it keeps.

use super::value::settle_field;
use crate::base::number::{LongDouble, format_i64};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hash::{Fresh, Hash, Ttl};
use crate::data::string::StrView;
use crate::keyspace::Event;
use crate::resp::args::{Args, OwnedArgs};
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hincrbyfloat",
        group: Group::Hash,
        since: "2.6.0",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Adds to the floating point number in a field; a missing field counts as 0.",
        args: &[Arg::key("key", 0), Arg::new("field", ArgKind::String), Arg::new("increment", ArgKind::Double)],
        ..Meta::NEW
    },
    handler: hincrbyfloat,
};

fn hincrbyfloat(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, name) = (args.get(1), args.get(2));
    let increment = LongDouble::parse(args.get(3)).ok_or(CommandError::NotFloat)?;
    if !increment.is_finite() {
        return Err(CommandError::err("value is NaN or Infinity").into());
    }
    settle_field(ctx, key, name)?;
    let (now, limits) = (ctx.db.fields_at(), ctx.settings.limits);
    let (text, expiry) = ctx.db.edit_or_create::<Hash, _>(key, |hash, notes| {
        let field = hash.get(name).filter(|field| !field.is_over(now));
        let present = match field.map(|field| field.value) {
            None => LongDouble::from(0),
            Some(StrView::Int(value)) => LongDouble::from(value),
            Some(text) => {
                LongDouble::parse(&text.to_vec()).ok_or_else(|| CommandError::err("hash value is not a float"))?
            }
        };
        let sum = present + increment;
        if !sum.is_finite() {
            return Err(CommandError::err("increment would produce NaN or Infinity"));
        }
        let (text, expiry) = (sum.to_text(), field.and_then(|field| field.expiry));
        hash.set(name, Fresh::Copied(text.as_bytes()), expiry.map_or(Ttl::Clear, Ttl::At), &limits);
        notes.changed(Event::HINCRBYFLOAT, 1);
        Ok((text, expiry))
    })??;
    ctx.reply.bulk(text.as_bytes());
    let set = || OwnedArgs::of(&[b"HSET", key, name, text.as_bytes()]);
    match expiry {
        Some(when) if ctx.is_propagated => {
            let when = OwnedArgs::of(&[b"HPEXPIREAT", key, &format_i64(when.0), b"FIELDS", b"1", name]);
            Ok(Outcome::propagate_each(vec![set(), when]))
        }
        _ => Ok(ctx.propagate_with(set)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn sums_print_without_noise_and_are_propagated_as_their_result() {
        transcript(
            "
            > HINCRBYFLOAT k f 0.1
            $0.1
            > HINCRBYFLOAT k f 0.2
            $0.3
            > HINCRBYFLOAT k f 5.0e3
            $5000.29999999999999982
            > HSET k n 3
            :1
            > HINCRBYFLOAT k n 1.5
            $4.5
            ",
        )
        .propagates(&["HSET k f 0.1", "HSET k f 0.3", "HSET k f 5000.29999999999999982", "HSET k n 3", "HSET k n 4.5"])
        .notifies(&["hincrbyfloat k", "hincrbyfloat k", "hincrbyfloat k", "hset k", "hincrbyfloat k"]);
    }

    #[test]
    fn the_expiry_stays_here_and_on_replicas() {
        transcript(
            "
            > HSET k n 10
            :1
            > HPEXPIRE k 20 FIELDS 1 n
            *1
            :1
            > HINCRBYFLOAT k n 2.5
            $12.5
            > HPTTL k FIELDS 1 n
            *1
            :20
            ",
        )
        .propagates(&[
            "HSET k n 10",
            "HPEXPIREAT k 1000020 FIELDS 1 n",
            "MULTI",
            "HSET k n 12.5",
            "HPEXPIREAT k 1000020 FIELDS 1 n",
            "EXEC",
        ]);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        transcript(
            r#"
            > HSET k f abc g " 1"
            :2
            > HINCRBYFLOAT k f x
            -ERR value is not a valid float
            > HINCRBYFLOAT k f nan
            -ERR value is not a valid float
            > HINCRBYFLOAT k f inf
            -ERR value is NaN or Infinity
            > HINCRBYFLOAT k f 1
            -ERR hash value is not a float
            > HINCRBYFLOAT k g 1
            -ERR hash value is not a float
            > SET s 1
            +OK
            > HINCRBYFLOAT s f 1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            "#,
        )
        .propagates(&[r#"HSET k f abc g " 1""#, "SET s 1"]);
    }
}
