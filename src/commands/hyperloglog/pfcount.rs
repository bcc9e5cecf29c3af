//! PFCOUNT key [key …]: about how many different elements were shown to these HyperLogLogs.
//!
//! Reply:   integer; a missing key counts as one that has seen nothing. Several keys are united first.
//! Errors:  WRONGTYPE when a key is no HyperLogLog; INVALIDOBJ when its registers cannot be told from its bytes.
//!
//! The estimate for a single key is kept in the value. So this command, which only reads, changes the data set now and
//! then: the key counts as changed for WATCH, and replicas receive the command, but there is no keyspace event.

use super::value::read;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hll::{self, REGISTERS};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "pfcount",
        group: Group::Hyperloglog,
        since: "2.8.9",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY.and(Flags::MAY_REPLICATE),
        categories: Category::HYPERLOGLOG,
        keys: &[KeySpec::range(1, -1, 1, Access::RW.and(Access::ACCESS))],
        summary: "Returns about how many different elements HyperLogLogs have seen, together.",
        complexity: "O(1) for one key, mostly from a kept estimate; O(N) in the number of several keys, with a large constant.",
        args: &[Arg::key("key", 0).multiple()],
        ..Meta::NEW
    },
    handler: pfcount,
};

fn pfcount(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let count = if args.len() == 2 { count_one(ctx, args.get(1)) } else { count_union(ctx, args) }?;
    ctx.reply.int(count as i64);
    Ok(Outcome::Done)
}

fn count_one(ctx: &mut DataCtx<'_>, key: &[u8]) -> Result<u64, CommandError> {
    let counted = read(ctx, key, |value, _| match hll::kept_count(value) {
        Some(count) => Ok((count, None)),
        None => Ok((hll::count(value)?, Some(value.len()))),
    })?;
    let Some((count, to_keep)) = counted else { return Ok(0) };
    if let Some(len) = to_keep {
        ctx.db.edit_bytes(key, len, Event::SILENT, |value| hll::keep_count(value, count))?;
    }
    Ok(count)
}

fn count_union(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> Result<u64, CommandError> {
    let mut registers = [0; REGISTERS];
    for key in args.from(1) {
        read(ctx, key, |value, _| Ok(hll::unite(&mut registers, value)?))?;
    }
    Ok(hll::count_registers(&registers))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn one_key_keeps_its_estimate_and_tells_replicas() {
        transcript(
            r"
            > PFCOUNT h
            :0
            > PFADD h a b c
            :1
            > GETRANGE h 8 15
            $\x00\x00\x00\x00\x00\x00\x00\x80
            > PFCOUNT h
            :3
            > GETRANGE h 8 15
            $\x03\x00\x00\x00\x00\x00\x00\x00
            > PFCOUNT h
            :3
            > PFADD h a
            :0
            > PFCOUNT h
            :3
            ",
        )
        .propagates(&["PFADD h a b c", "PFCOUNT h"])
        .notifies(&["pfadd h"]);
    }

    #[test]
    fn keeping_the_estimate_is_a_change_to_who_watches() {
        transcript(
            "
            > PFADD h a b c
            :1
            > WATCH h
            +OK
            > PFCOUNT h
            :3
            > MULTI
            +OK
            > EXEC
            nil
            ",
        );
    }

    #[test]
    fn several_keys_are_united_and_stay_as_they_are() {
        transcript(
            "
            > PFADD x a b c
            :1
            > PFADD y c d
            :1
            > PFDEBUG TODENSE y
            :1
            > PFCOUNT x y missing
            :4
            > PFCOUNT x x
            :3
            ",
        )
        .propagates(&["PFADD x a b c", "PFADD y c d", "PFDEBUG TODENSE y"]);
    }

    #[test]
    fn what_is_no_hyperloglog_is_refused() {
        transcript(
            r"
            > SET s text
            +OK
            > PFADD h a
            :1
            > PFCOUNT s
            -WRONGTYPE Key is not a valid HyperLogLog string value.
            > PFCOUNT h s
            -WRONGTYPE Key is not a valid HyperLogLog string value.
            > APPEND h hello
            :26
            > PFCOUNT h
            -INVALIDOBJ Corrupted HLL object detected
            > PFCOUNT x h
            -INVALIDOBJ Corrupted HLL object detected
            > PFCOUNT
            -ERR wrong number of arguments for 'pfcount' command
            ",
        );
    }
}
