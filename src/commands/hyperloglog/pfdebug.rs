//! PFDEBUG subcommand key: looks inside a HyperLogLog. For tests.
//!
//! | subcommand | reply |
//! |---|---|
//! | GETREG | the 16384 registers, as integers; a sparse value becomes dense |
//! | DECODE | bulk string, the runs of a sparse value: `z:N` and `Z:N` zeros, `v:R,N` registers of R |
//! | ENCODING | `sparse` or `dense`, as simple string |
//! | TODENSE | 1 when a sparse value became dense, else 0 |
//!
//! Errors:  the specified key does not exist; WRONGTYPE; INVALIDOBJ; HLL encoding is not sparse; unknown subcommand.
//!
//! Becoming dense goes to the replicas, but is no event.

use super::value::peek;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hll::{self, Form, REGISTERS};
use crate::data::string::NewStr;
use crate::keyspace::{Event, Expiry};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "pfdebug",
        group: Group::Hyperloglog,
        since: "2.8.9",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::ADMIN),
        categories: Category::HYPERLOGLOG,
        keys: &[KeySpec::one(2, Access::RW.and(Access::ACCESS))],
        summary: "Looks inside a HyperLogLog.",
        complexity: "N/A",
        args: &[Arg::new("subcommand", ArgKind::String), Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: pfdebug,
};

fn pfdebug(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(2);
    let form = peek(ctx, key, |_, form| Ok(form))?;
    let form = form.ok_or_else(|| CommandError::err("The specified key does not exist"))?;
    if args.is(1, "getreg") {
        make_dense(ctx, key, form)?;
        let mut registers = [0; REGISTERS];
        peek(ctx, key, |value, _| Ok(hll::unite(&mut registers, value)?))?;
        ctx.reply.array(REGISTERS);
        registers.iter().for_each(|&rank| ctx.reply.int(rank.into()));
    } else if args.is(1, "decode") {
        let text = peek(ctx, key, |value, form| match form {
            Form::Sparse => Ok(runs(&value[hll::HEADER..])),
            Form::Dense => Err(CommandError::err("HLL encoding is not sparse")),
        })?;
        ctx.reply.bulk(text.unwrap_or_default().as_bytes());
    } else if args.is(1, "encoding") {
        ctx.reply.simple(if form == Form::Dense { "dense" } else { "sparse" });
    } else if args.is(1, "todense") {
        let is_converted = make_dense(ctx, key, form)?;
        ctx.reply.int(is_converted.into());
    } else {
        let word = String::from_utf8_lossy(args.get(1));
        return Err(CommandError::err(format!("Unknown PFDEBUG subcommand '{word}'")).into());
    }
    Ok(Outcome::Done)
}

/// Whether the value was sparse.
fn make_dense(ctx: &mut DataCtx<'_>, key: &[u8], form: Form) -> Result<bool, CommandError> {
    if form == Form::Dense {
        return Ok(false);
    }
    let dense = peek(ctx, key, |value, _| Ok(hll::to_dense(value)?))?;
    if let Some(dense) = dense {
        ctx.db.put(key, NewStr::Raw(&dense), Expiry::Keep, Event::SILENT);
    }
    Ok(true)
}

/// The runs of a sparse body, as far as they can be read.
fn runs(body: &[u8]) -> String {
    let words: Vec<String> = hll::sparse::runs(body)
        .map(|run| match (run.rank, run.size) {
            (0, 1) => format!("z:{}", run.len),
            (0, _) => format!("Z:{}", run.len),
            (rank, _) => format!("v:{rank},{}", run.len),
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use crate::testkit::stage::Stage;
    use crate::testkit::transcript;

    #[test]
    fn a_sparse_value_is_shown_and_becomes_dense() {
        transcript(
            "
            > PFADD h a b c
            :1
            > PFDEBUG ENCODING h
            +sparse
            > PFDEBUG DECODE h
            $Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603
            > PFDEBUG TODENSE h
            :1
            > PFDEBUG todense h
            :0
            > PFDEBUG ENCODING h
            +dense
            > PFDEBUG DECODE h
            -ERR HLL encoding is not sparse
            > PFCOUNT h
            :3
            ",
        )
        .propagates(&["PFADD h a b c", "PFDEBUG TODENSE h", "PFCOUNT h"])
        .notifies(&["pfadd h"]);
    }

    #[test]
    fn registers_are_listed_and_the_value_is_dense_afterwards() {
        let mut stage = Stage::default();
        let words = |text: &str| text.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        stage.call(&words("PFADD h a b c"));
        let reply = String::from_utf8(stage.call(&words("PFDEBUG GETREG h"))).unwrap();
        let lines: Vec<&str> = reply.split_terminator("\r\n").collect();
        assert_eq!((lines.len(), lines[0], lines[1 + 8436], lines[1 + 12711]), (16385, "*16384", ":1", ":2"));
        assert_eq!(stage.stream(), ["PFADD h a b c", "PFDEBUG GETREG h"]);
    }

    #[test]
    fn what_cannot_be_looked_into_is_refused() {
        transcript(
            r#"
            > PFDEBUG ENCODING missing
            -ERR The specified key does not exist
            > SET s text
            +OK
            > PFDEBUG ENCODING s
            -WRONGTYPE Key is not a valid HyperLogLog string value.
            > PFADD h a
            :1
            > PFDEBUG what h
            -ERR Unknown PFDEBUG subcommand 'what'
            > APPEND h hello
            :26
            > PFDEBUG TODENSE h
            -INVALIDOBJ Corrupted HLL object detected
            > PFDEBUG GETREG h
            -INVALIDOBJ Corrupted HLL object detected
            > PFDEBUG GETREG
            -ERR wrong number of arguments for 'pfdebug' command
            "#,
        );
    }
}
