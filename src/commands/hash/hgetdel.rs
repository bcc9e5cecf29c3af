//! HGETDEL key FIELDS numfields field [field ...]: the values of fields, which are removed.
//!
//! Reply:   array, one bulk string or null for each field, in the order asked for.
//! Errors:  WRONGTYPE; FIELDS missing; a number of fields that is not that of the fields.
//!
//! Replicas and the AOF receive `HDEL key field …` with the fields that were there.

use super::expiry::{BAD_COUNT, FIELDS_ARG, fields_at, settle_fields};
use super::value::reply_text;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hash::Hash;
use crate::keyspace::Event;
use crate::resp::args::{Args, OwnedArgs};
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hgetdel",
        group: Group::Hash,
        since: "8.0.0",
        arity: Arity::AtLeast(5),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
        summary: "Returns the values of fields and removes them.",
        complexity: "O(N), N being the number of fields named",
        args: &[Arg::key("key", 0), FIELDS_ARG],
        ..Meta::NEW
    },
    handler: hgetdel,
};

fn hgetdel(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, now) = (args.get(1), ctx.db.fields_at());
    ctx.db.peek::<Hash>(key)?;
    let first = fields_at(args, 2, BAD_COUNT)?;
    settle_fields(ctx, key, args.from(first))?;
    ctx.reply.array(args.len() - first);
    let reply = &mut ctx.reply;
    let removed = ctx.db.edit::<Hash, _>(key, |hash, notes| {
        let mut removed = Vec::new();
        for name in args.from(first) {
            match hash.get(name).filter(|field| !field.is_over(now)) {
                Some(field) => reply_text(reply, field.value),
                None => {
                    reply.null();
                    continue;
                }
            }
            hash.remove(name);
            removed.push(name);
        }
        if !removed.is_empty() {
            notes.changed(Event::HDEL, removed.len() as u64);
        }
        removed
    })?;
    let Some(removed) = removed else {
        (first..args.len()).for_each(|_| ctx.reply.null());
        return Ok(Outcome::Done);
    };
    Ok(ctx.propagate_with(|| {
        let mut command = OwnedArgs::of(&[b"HDEL", key]);
        removed.into_iter().for_each(|name| command.push(name));
        command
    }))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_fields_are_gone_and_the_key_with_the_last() {
        transcript(
            "
            > HSET k a 1 b 2 c 3
            :3
            > HGETDEL k FIELDS 3 a missing a
            *3
            $1
            nil
            nil
            > HGETDEL k fields 1 missing
            *1
            nil
            > HGETDEL k FIELDS 2 b c
            *2
            $2
            $3
            > EXISTS k
            :0
            > HGETDEL k FIELDS 2 b c
            *2
            nil
            nil
            ",
        )
        .propagates(&["HSET k a 1 b 2 c 3", "HDEL k a", "HDEL k b c"])
        .notifies(&["hset k", "hdel k", "hdel k", "del k"]);
    }

    #[test]
    fn a_field_that_is_over_is_not_returned() {
        transcript(
            "
            > HSET k a 1 b 2
            :2
            > HPEXPIRE k 5 FIELDS 1 a
            *1
            :1
            @advance 6
            > HGETDEL k FIELDS 2 a b
            *2
            nil
            $2
            ",
        )
        .propagates(&["HSET k a 1 b 2", "HPEXPIREAT k 1000005 FIELDS 1 a", "MULTI", "HDEL k a", "HDEL k b", "EXEC"])
        .notifies(&["hset k", "hexpire k", "hexpired k", "hdel k", "del k"]);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        transcript(
            "
            > SET s v
            +OK
            > HGETDEL s FIELDS 1 f
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > HGETDEL k FELDS 1 f
            -ERR Mandatory argument FIELDS is missing or not at the right position
            > HGETDEL k FIELDS 0 f
            -ERR Number of fields must be a positive integer
            > HGETDEL k FIELDS 2 f
            -ERR The `numfields` parameter must match the number of arguments
            ",
        );
    }
}
