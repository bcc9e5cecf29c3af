//! HPERSIST key FIELDS numfields field [field ...]: takes the expiry of fields away.
//!
//! Reply:   array, for each field -2 (no such field), -1 (it had no expiry), 1 (done).
//! Errors:  WRONGTYPE; FIELDS missing; a number of fields that is not that of the fields.

use super::expiry::{BAD_COUNT, FIELDS_ARG, fields_at};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hash::Hash;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hpersist",
        group: Group::Hash,
        since: "7.4.0",
        arity: Arity::AtLeast(5),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Takes the expiry of fields away.",
        complexity: "O(N), N being the number of fields named",
        args: &[Arg::key("key", 0), FIELDS_ARG],
        ..Meta::NEW
    },
    handler: hpersist,
};

fn hpersist(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, now) = (args.get(1), ctx.db.fields_at());
    ctx.db.peek::<Hash>(key)?;
    let first = fields_at(args, 2, BAD_COUNT)?;
    let mut answers = Vec::with_capacity(args.len() - first);
    ctx.db.edit::<Hash, _>(key, |hash, notes| {
        let mut changed = 0;
        for name in args.from(first) {
            answers.push(match hash.get(name).filter(|field| !field.is_over(now)).map(|field| field.expiry) {
                None => -2,
                Some(None) => -1,
                Some(Some(_)) => {
                    hash.set_expiry(name, None);
                    changed += 1;
                    1
                }
            });
        }
        if changed > 0 {
            notes.changed(Event::HPERSIST, 1);
        }
    })?;
    ctx.reply.array(args.len() - first);
    for index in 0..args.len() - first {
        ctx.reply.int(answers.get(index).copied().unwrap_or(-2));
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn fields_live_for_ever_afterwards() {
        transcript(
            "
            > HSET k a 1 b 2
            :2
            > HEXPIRE k 5 FIELDS 1 a
            *1
            :1
            > HPERSIST k FIELDS 3 a b c
            *3
            :1
            :-1
            :-2
            > HPERSIST k FIELDS 1 a
            *1
            :-1
            @advance 6000
            > HGET k a
            $1
            > HPERSIST missing FIELDS 1 a
            *1
            :-2
            ",
        )
        .propagates(&["HSET k a 1 b 2", "HPEXPIREAT k 1005000 FIELDS 1 a", "HPERSIST k FIELDS 3 a b c"])
        .notifies(&["hset k", "hexpire k", "hpersist k"]);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        transcript(
            "
            > SET s v
            +OK
            > HPERSIST s FIELDS 1 f
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > HPERSIST k FELDS 1 f
            -ERR Mandatory argument FIELDS is missing or not at the right position
            > HPERSIST k FIELDS 0 f
            -ERR Number of fields must be a positive integer
            > HPERSIST k FIELDS 2 f
            -ERR The `numfields` parameter must match the number of arguments
            > HPERSIST k FIELDS 1
            -ERR wrong number of arguments for 'hpersist' command
            ",
        );
    }
}
