//! PFMERGE destkey [sourcekey …]: unites HyperLogLogs, the destination included, into the destination.
//!
//! Reply:   OK. Missing keys count as having seen nothing; the destination is created.
//! Errors:  WRONGTYPE when a key is no HyperLogLog; INVALIDOBJ when its registers cannot be told from its bytes.
//!
//! The destination becomes dense when any of the keys is, else when it would grow too large.

use super::value::{peek, read, sparse_max};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hll::{self, Form, REGISTERS, Sighting};
use crate::data::string::NewStr;
use crate::keyspace::{Event, Expiry};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "pfmerge",
        group: Group::Hyperloglog,
        since: "2.8.9",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::HYPERLOGLOG,
        keys: &[
            KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::INSERT)),
            KeySpec::range(2, -1, 1, Access::RO.and(Access::ACCESS)),
        ],
        summary: "Unites HyperLogLogs into one of them, or into a new one.",
        complexity: "O(N) in the number of keys, with a large constant.",
        args: &[Arg::key("destkey", 0), Arg::key("sourcekey", 1).optional().multiple()],
        ..Meta::NEW
    },
    handler: pfmerge,
};

fn pfmerge(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(1);
    let mut registers = [0; REGISTERS];
    let mut form = Form::Sparse;
    for key in args.from(1) {
        let found = read(ctx, key, |value, form| {
            hll::unite(&mut registers, value)?;
            Ok(form)
        })?;
        if found == Some(Form::Dense) {
            form = Form::Dense;
        }
    }
    let present = peek(ctx, key, |value, present| match (form, present) {
        (Form::Dense, Form::Sparse) => Ok(hll::to_dense(value)?),
        _ => Ok(value.to_vec()),
    })?;
    let mut value = match (present, form) {
        (Some(value), _) => value,
        (None, Form::Sparse) => hll::empty(),
        (None, Form::Dense) => hll::to_dense(&hll::empty())?,
    };
    let max = sparse_max(ctx);
    for (register, &rank) in registers.iter().enumerate().filter(|(_, rank)| **rank > 0) {
        hll::raise(&mut value, Sighting { register, rank }, max)?;
    }
    hll::forget_count(&mut value);
    ctx.db.put(key, NewStr::Raw(&value), Expiry::Keep, Event::PFADD);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_destination_has_seen_what_all_have_seen() {
        transcript(
            "
            > PFADD a 1 2 3
            :1
            > PFADD b 3 4
            :1
            > PFMERGE c a b missing
            +OK
            > PFCOUNT c
            :4
            > PFDEBUG ENCODING c
            +sparse
            > PFADD c 5
            :1
            > EXPIRE c 100
            :1
            > PFMERGE c a
            +OK
            > TTL c
            :100
            > PFCOUNT c
            :5
            ",
        )
        .propagates(&[
            "PFADD a 1 2 3",
            "PFADD b 3 4",
            "PFMERGE c a b missing",
            "PFCOUNT c",
            "PFADD c 5",
            "PEXPIREAT c 1100000",
            "PFMERGE c a",
            "PFCOUNT c",
        ])
        .notifies(&["pfadd a", "pfadd b", "pfadd c", "pfadd c", "expire c", "pfadd c"]);
    }

    #[test]
    fn one_dense_key_makes_the_destination_dense() {
        transcript(
            "
            > PFADD a 1 2 3
            :1
            > PFADD b 3 4
            :1
            > PFDEBUG TODENSE b
            :1
            > PFMERGE a b
            +OK
            > PFDEBUG ENCODING a
            +dense
            > PFMERGE new b
            +OK
            > PFDEBUG ENCODING new
            +dense
            > PFCOUNT a
            :4
            ",
        );
    }

    #[test]
    fn an_empty_destination_is_created() {
        transcript(
            "
            > PFMERGE d
            +OK
            > PFMERGE e missing
            +OK
            > EXISTS d e
            :2
            > PFCOUNT d
            :0
            ",
        );
    }

    #[test]
    fn one_wrong_key_and_nothing_happens() {
        transcript(
            "
            > PFADD a 1
            :1
            > SET s text
            +OK
            > PFMERGE d a s
            -WRONGTYPE Key is not a valid HyperLogLog string value.
            > PFMERGE s a
            -WRONGTYPE Key is not a valid HyperLogLog string value.
            > EXISTS d
            :0
            > APPEND a hello
            :26
            > PFMERGE d a
            -INVALIDOBJ Corrupted HLL object detected
            > EXISTS d
            :0
            ",
        );
    }
}
