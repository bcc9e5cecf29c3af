//! HGETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] FIELDS numfields field [field ...]: the values of fields, changing when
//! they are over.
//!
//! Reply:   array, one bulk string or null for each field, in the order asked for.
//! Errors:  WRONGTYPE; not an integer; invalid expire time; FIELDS missing; a number of fields that is not that of the fields.
//!
//! Replicas and the AOF receive what happened to the fields: `HPEXPIREAT key ms FIELDS n …`, `HPERSIST key FIELDS n …`, or `HDEL`
//! for each when the moment has passed. Without an option nothing happened.

use super::expiry::{BAD_COUNT, Condition, FIELDS_ARG, Fates, Form, fields_at, settle_fields, with_fields};
use super::value::reply_text;
use crate::base::number::format_i64;
use crate::base::time::UnixMillis;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hash::Hash;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hgetex",
        group: Group::Hash,
        since: "8.0.0",
        arity: Arity::AtLeast(5),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Returns the values of fields and changes when they are over.",
        complexity: "O(N), N being the number of fields named",
        args: &[
            Arg::key("key", 0),
            Arg::one_of(
                "expiration",
                &[
                    Arg::new("seconds", ArgKind::Integer).after("EX"),
                    Arg::new("milliseconds", ArgKind::Integer).after("PX"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT"),
                    Arg::token("persist", "PERSIST"),
                ],
            )
            .optional(),
            FIELDS_ARG,
        ],
        ..Meta::NEW
    },
    handler: hgetex,
};

/// What is to happen to the fields.
#[derive(Clone, Copy)]
enum Change {
    None,
    Persist,
    At(UnixMillis),
}

/// Reads the option; gives where FIELDS has to be.
fn parse(args: &Args<'_>, now: UnixMillis) -> Result<(Change, usize), CommandError> {
    if let Some(form) = Form::named(args.get(2), "hgetex") {
        return Ok((Change::At(form.moment(args.get(3), now)?), 4));
    }
    Ok(if args.is(2, "PERSIST") { (Change::Persist, 3) } else { (Change::None, 2) })
}

fn hgetex(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, now, judged_at) = (args.get(1), ctx.now.wall(), ctx.db.fields_at());
    ctx.db.peek::<Hash>(key)?;
    let (change, at) = parse(args, now)?;
    let first = fields_at(args, at, BAD_COUNT)?;
    settle_fields(ctx, key, args.from(first))?;
    ctx.reply.array(args.len() - first);
    let is_past_deletion = ctx.settings.is_past_expiry_deletion;
    let (mut fates, mut is_there) = (Fates::default(), false);
    let reply = &mut ctx.reply;
    ctx.db.edit::<Hash, _>(key, |hash, notes| {
        is_there = true;
        for name in args.from(first) {
            let Some(field) = hash.get(name).filter(|field| !field.is_over(judged_at)) else {
                reply.null();
                continue;
            };
            reply_text(reply, field.value);
            match change {
                Change::At(when) => {
                    fates.decide(hash, name, when, Condition::None, now, is_past_deletion);
                }
                Change::Persist if field.expiry.is_some() => {
                    hash.set_expiry(name, None);
                    fates.set.push(name);
                }
                _ => {}
            }
        }
        let event = match change {
            Change::Persist => Event::HPERSIST,
            _ if fates.deleted.is_empty() => Event::HEXPIRE,
            _ => Event::HDEL,
        };
        if fates.changes() > 0 {
            notes.changed(event, fates.changes() as u64);
        }
    })?;
    if !is_there {
        (first..args.len()).for_each(|_| ctx.reply.null());
    }
    if fates.changes() == 0 {
        return Ok(Outcome::Done);
    }
    Ok(fates.propagate(ctx, key, |set| match change {
        Change::At(when) => with_fields(&[b"HPEXPIREAT", key, &format_i64(when.0)], set),
        _ => with_fields(&[b"HPERSIST", key], set),
    }))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn each_option_changes_the_expiry_and_is_propagated_as_what_happened() {
        transcript(
            "
            > HSET k a 1 b 2
            :2
            > HGETEX k FIELDS 3 a missing b
            *3
            $1
            nil
            $2
            > HGETEX k EX 10 FIELDS 1 a
            *1
            $1
            > HGETEX k px 20 FIELDS 2 b missing
            *2
            $2
            nil
            > HGETEX k EXAT 1011 FIELDS 1 a
            *1
            $1
            > HGETEX k PXAT 1012001 FIELDS 1 a
            *1
            $1
            > HPEXPIRETIME k FIELDS 2 a b
            *2
            :1012001
            :1000020
            > HGETEX k PERSIST FIELDS 2 a missing
            *2
            $1
            nil
            > HGETEX k PERSIST FIELDS 1 a
            *1
            $1
            > HGETEX missing EX 10 FIELDS 1 a
            *1
            nil
            ",
        )
        .propagates(&[
            "HSET k a 1 b 2",
            "HPEXPIREAT k 1010000 FIELDS 1 a",
            "HPEXPIREAT k 1000020 FIELDS 1 b",
            "HPEXPIREAT k 1011000 FIELDS 1 a",
            "HPEXPIREAT k 1012001 FIELDS 1 a",
            "HPERSIST k FIELDS 1 a",
        ])
        .notifies(&["hset k", "hexpire k", "hexpire k", "hexpire k", "hexpire k", "hpersist k"]);
    }

    #[test]
    fn a_moment_that_has_passed_removes_the_fields() {
        transcript(
            "
            > HSET k a 1 b 2
            :2
            > HGETEX k PXAT 1 FIELDS 2 a b
            *2
            $1
            $2
            > EXISTS k
            :0
            ",
        )
        .propagates(&["HSET k a 1 b 2", "MULTI", "HDEL k a", "HDEL k b", "EXEC"])
        .notifies(&["hset k", "hdel k", "del k"]);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        transcript(
            "
            > SET s v
            +OK
            > HGETEX s FIELDS 1 f
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > HGETEX k EX x FIELDS 1 f
            -ERR value is not an integer or out of range
            > HGETEX k PX -1 FIELDS 1 f
            -ERR invalid expire time, must be >= 0
            > HGETEX k EX 281474976710656 FIELDS 1 f
            -ERR invalid expire time in 'hgetex' command
            > HGETEX k XFIELDX 1 f
            -ERR Mandatory argument FIELDS is missing or not at the right position
            > HGETEX k PXAT 1 1
            -ERR Mandatory argument FIELDS is missing or not at the right position
            > HGETEX k PERSIST 1 FIELDS 1 f
            -ERR Mandatory argument FIELDS is missing or not at the right position
            > HGETEX k EX 1 FIELDS
            -ERR The `numfields` parameter must match the number of arguments
            > HGETEX k FIELDS 2 f
            -ERR The `numfields` parameter must match the number of arguments
            > HGETEX k FIELDS 0 f
            -ERR Number of fields must be a positive integer
            ",
        );
    }
}
