//! PFADD key [element …]: shows elements to a HyperLogLog.
//!
//! Reply:   1 when a register was raised or the key was created, else 0.
//! Errors:  WRONGTYPE when `key` is no HyperLogLog; INVALIDOBJ when its registers cannot be told from its bytes.
//!
//! After an error no element was added. (Redis keeps those before the register that it could not find.)

use super::value::{peek, sparse_max};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hll::{self, Corrupt, Form, Sighting};
use crate::data::string::NewStr;
use crate::keyspace::{Event, Expiry};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "pfadd",
        group: Group::Hyperloglog,
        since: "2.8.9",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::HYPERLOGLOG,
        keys: &[KeySpec::one(1, Access::RW.and(Access::INSERT))],
        summary: "Shows elements to a HyperLogLog, creating it when it is missing.",
        complexity: "O(1) to add every element.",
        args: &[Arg::key("key", 0), Arg::new("element", ArgKind::String).optional().multiple()],
        ..Meta::NEW
    },
    handler: pfadd,
};

/// What is to happen to the key.
enum Plan {
    Nothing,
    /// Dense: these registers are raised where they are.
    InPlace {
        len: usize,
    },
    Replace(Vec<u8>),
}

fn pfadd(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(1);
    let seen = || args.from(2).map(Sighting::of);
    let max = sparse_max(ctx);
    let plan = peek(ctx, key, |value, form| Ok(plan(value, form, seen(), max)?))?;
    match plan {
        None => {
            let mut value = hll::empty();
            raise_all(&mut value, seen(), max)?;
            // Also without elements, so that the bytes are those of Redis.
            hll::forget_count(&mut value);
            ctx.db.put(key, NewStr::Raw(&value), Expiry::Clear, Event::PFADD);
        }
        Some(Plan::Nothing) => {
            ctx.reply.int(0);
            return Ok(Outcome::Done);
        }
        Some(Plan::InPlace { len }) => ctx.db.edit_bytes(key, len, Event::PFADD, |value| {
            seen().for_each(|seen| {
                hll::dense::raise(&mut value[hll::HEADER..], seen);
            });
            hll::forget_count(value);
        })?,
        Some(Plan::Replace(value)) => {
            ctx.db.put(key, NewStr::Raw(&value), Expiry::Keep, Event::PFADD);
        }
    }
    ctx.reply.int(1);
    Ok(Outcome::Done)
}

/// Most elements have been seen before: only when one has not, the value is touched.
fn plan(value: &[u8], form: Form, mut seen: impl Iterator<Item = Sighting>, max: usize) -> Result<Plan, Corrupt> {
    let news = loop {
        match seen.next() {
            None => return Ok(Plan::Nothing),
            Some(seen) if hll::would_raise(value, seen)? => break seen,
            Some(_) => {}
        }
    };
    if form == Form::Dense {
        return Ok(Plan::InPlace { len: value.len() });
    }
    let mut value = value.to_vec();
    raise_all(&mut value, std::iter::once(news).chain(seen), max)?;
    Ok(Plan::Replace(value))
}

fn raise_all(value: &mut Vec<u8>, mut seen: impl Iterator<Item = Sighting>, max: usize) -> Result<(), Corrupt> {
    seen.try_for_each(|seen| hll::raise(value, seen, max).map(|_| ()))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn elements_count_once() {
        transcript(
            r#"
            > PFADD h a b c
            :1
            > PFADD h c b a
            :0
            > PFADD h
            :0
            > PFADD h ""
            :1
            > PFCOUNT h
            :4
            > STRLEN h
            :30
            > OBJECT ENCODING h
            $raw
            "#,
        )
        .propagates(&["PFADD h a b c", r#"PFADD h """#, "PFCOUNT h"])
        .notifies(&["pfadd h", "pfadd h"]);
    }

    #[test]
    fn without_elements_an_empty_one_is_created() {
        transcript(
            r"
            > PFADD h
            :1
            > GETRANGE h 0 -1
            $HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff
            > PFADD h
            :0
            ",
        )
        .propagates(&["PFADD h"]);
    }

    #[test]
    fn the_time_to_live_stays() {
        transcript(
            "
            > PFADD h a
            :1
            > PEXPIRE h 1000
            :1
            > PFADD h b
            :1
            > PTTL h
            :1000
            > PFDEBUG TODENSE h
            :1
            > PFADD h c
            :1
            > PTTL h
            :1000
            > PFCOUNT h
            :3
            ",
        );
    }

    #[test]
    fn what_is_no_hyperloglog_is_refused() {
        transcript(
            r#"
            > SET s text
            +OK
            > PFADD s a
            -WRONGTYPE Key is not a valid HyperLogLog string value.
            > SET n 123456
            +OK
            > PFADD n a
            -WRONGTYPE Key is not a valid HyperLogLog string value.
            > PFADD h a
            :1
            > SETRANGE h 16 "\x00"
            :21
            > SETRANGE h 4 "\x00"
            :21
            > PFADD h b
            -WRONGTYPE Key is not a valid HyperLogLog string value.
            > SETRANGE h 4 "\x01"
            :21
            > PFADD h b
            -INVALIDOBJ Corrupted HLL object detected
            > PFADD
            -ERR wrong number of arguments for 'pfadd' command
            "#,
        );
    }
}
