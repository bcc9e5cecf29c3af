//! BITCOUNT key [start end [BYTE | BIT]]: how many bits of a string, or of a part of it, are set.
//!
//! Reply:   integer; 0 when `key` does not exist, whatever the other words are.
//! Errors:  not an integer; syntax error; WRONGTYPE.

use super::args::Unit;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::bits::{bits_in, count_ones};
use crate::data::string::{IntText, Str};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};
use std::ops::Range;

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "bitcount",
        group: Group::Bitmap,
        since: "2.6.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY,
        categories: Category::BITMAP,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Counts the bits that are set in a string or a part of it.",
        complexity: "O(N), N being the length of the part",
        history: &[("7.0.0", "BYTE and BIT.")],
        args: &[
            Arg::key("key", 0),
            Arg::block(
                "range",
                &[
                    Arg::new("start", ArgKind::Integer),
                    Arg::new("end", ArgKind::Integer),
                    Arg::one_of("unit", &[Arg::token("byte", "BYTE"), Arg::token("bit", "BIT")])
                        .optional()
                        .since("7.0.0"),
                ],
            )
            .optional(),
        ],
        ..Meta::NEW
    },
    handler: bitcount,
};

fn bitcount(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let Some(value) = ctx.db.read::<Str>(args.get(1))? else {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    };
    let range = range_of(args, value.len())?;
    ctx.reply.int(count_ones(value.as_bytes(&mut IntText::new()), range) as i64);
    Ok(Outcome::Done)
}

/// The bits that the words speak of in a string of `bytes` bytes.
fn range_of(args: &Args<'_>, bytes: usize) -> Result<Range<u64>, CommandError> {
    match args.len() {
        2 => return Ok(0..bits_in(bytes)),
        4 | 5 => {}
        _ => return Err(CommandError::Syntax),
    }
    let start = parse_i64(args.get(2)).ok_or(CommandError::NotInteger)?;
    let end = parse_i64(args.get(3)).ok_or(CommandError::NotInteger)?;
    // Two ends before the string would both become its first bit; written the wrong way round they mean nothing.
    if start < 0 && end < 0 && start > end {
        return Ok(0..0);
    }
    let unit = if args.len() == 5 { Unit::named(args.get(4))? } else { Unit::Byte };
    Ok(unit.range(start, end, bytes))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn all_of_a_string_or_a_part_in_bytes_or_bits() {
        transcript(
            "
            > SET k foobar
            +OK
            > BITCOUNT k
            :26
            > BITCOUNT k 0 0
            :4
            > BITCOUNT k 1 1 BYTE
            :6
            > BITCOUNT k 5 30 bit
            :17
            > BITCOUNT k -100 -1
            :26
            > BITCOUNT k 3 1
            :0
            > BITCOUNT k -1 -2
            :0
            > BITCOUNT k -900 -1000 FOO
            :0
            > BITCOUNT k 100 200
            :0
            > SET n 12345
            +OK
            > BITCOUNT n
            :17
            > SET e \"\"
            +OK
            > BITCOUNT e 0 -1
            :0
            ",
        );
    }

    #[test]
    fn a_missing_key_has_no_bits_whatever_else_is_said() {
        transcript(
            "
            > BITCOUNT missing
            :0
            > BITCOUNT missing a b c d
            :0
            ",
        );
    }

    #[test]
    fn words_that_are_no_range_are_refused() {
        transcript(
            "
            > SET k foobar
            +OK
            > BITCOUNT k 1
            -ERR syntax error
            > BITCOUNT k 1 2 BIT BIT
            -ERR syntax error
            > BITCOUNT k 1 2 WORD
            -ERR syntax error
            > BITCOUNT k a 2
            -ERR value is not an integer or out of range
            > BITCOUNT k 1 b HEY
            -ERR value is not an integer or out of range
            ",
        );
    }
}
