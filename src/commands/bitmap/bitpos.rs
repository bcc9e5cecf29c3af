//! BITPOS key bit [start [end [BYTE | BIT]]]: where the first bit that is set, or clear, is in a string or a part of it.
//!
//! Reply:   integer, an offset in bits from the beginning of the string; -1 when there is no such bit.
//! Errors:  not an integer; The bit argument must be 1 or 0; syntax error; WRONGTYPE.
//!
//! A string goes on with zeros behind its end: when a clear bit is asked for and no `end` is given, the first one behind
//! the end counts. A missing key is such a string without any beginning.

use super::args::Unit;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::bits::{bits_in, find_bit};
use crate::data::string::{IntText, Str};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "bitpos",
        group: Group::Bitmap,
        since: "2.8.7",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::BITMAP,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Finds the first bit that is set, or clear, in a string or a part of it.",
        complexity: "O(N), N being the length of the part",
        history: &[("7.0.0", "BYTE and BIT.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("bit", ArgKind::Integer),
            Arg::block(
                "range",
                &[
                    Arg::new("start", ArgKind::Integer),
                    Arg::block(
                        "end-unit-block",
                        &[
                            Arg::new("end", ArgKind::Integer),
                            Arg::one_of("unit", &[Arg::token("byte", "BYTE"), Arg::token("bit", "BIT")])
                                .optional()
                                .since("7.0.0"),
                        ],
                    )
                    .optional(),
                ],
            )
            .optional(),
        ],
        ..Meta::NEW
    },
    handler: bitpos,
};

fn bitpos(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let wanted = match parse_i64(args.get(2)).ok_or(CommandError::NotInteger)? {
        bit @ (0 | 1) => bit == 1,
        _ => return Err(CommandError::err("The bit argument must be 1 or 0.").into()),
    };
    let Some(value) = ctx.db.read::<Str>(args.get(1))? else {
        ctx.reply.int(if wanted { -1 } else { 0 });
        return Ok(Outcome::Done);
    };
    let bytes = value.len();
    let (start, end, unit) = ends_of(args)?;
    let range = unit.range(start, end.unwrap_or(-1), bytes);
    let is_open = end.is_none() && !wanted && !range.is_empty();
    let found = find_bit(value.as_bytes(&mut IntText::new()), wanted, range);
    let behind = is_open.then(|| bits_in(bytes));
    ctx.reply.int(found.or(behind).map_or(-1, |offset| offset as i64));
    Ok(Outcome::Done)
}

/// Where to begin, where to end if that was said, and in which unit.
fn ends_of(args: &Args<'_>) -> Result<(i64, Option<i64>, Unit), CommandError> {
    let integer = |index| parse_i64(args.get(index)).ok_or(CommandError::NotInteger);
    match args.len() {
        3 => Ok((0, None, Unit::Byte)),
        4 => Ok((integer(3)?, None, Unit::Byte)),
        5 => Ok((integer(3)?, Some(integer(4)?), Unit::Byte)),
        6 => {
            let start = integer(3)?;
            let unit = Unit::named(args.get(5))?;
            Ok((start, Some(integer(4)?), unit))
        }
        _ => Err(CommandError::Syntax),
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_first_bit_of_a_kind() {
        transcript(
            r#"
            > SET k "\xff\xf0\x00"
            +OK
            > BITPOS k 0
            :12
            > BITPOS k 1
            :0
            > BITPOS k 1 2
            :-1
            > BITPOS k 1 1 -1
            :8
            > BITPOS k 0 2 2
            :16
            > BITPOS k 0 9 20 BIT
            :12
            > BITPOS k 1 12 23 bit
            :-1
            > BITPOS k 1 -16 -1 BIT
            :8
            > BITPOS k 0 0 0 BYTE
            :-1
            > BITPOS k 1 2 1
            :-1
            "#,
        );
    }

    #[test]
    fn zeros_behind_the_end_count_unless_an_end_was_given() {
        transcript(
            r#"
            > SET k "\xff\xff"
            +OK
            > BITPOS k 0
            :16
            > BITPOS k 0 1
            :16
            > BITPOS k 0 0 -1
            :-1
            > BITPOS k 0 0 15 BIT
            :-1
            > BITPOS k 0 2
            :-1
            > SET e ""
            +OK
            > BITPOS e 0
            :-1
            > BITPOS missing 0
            :0
            > BITPOS missing 1
            :-1
            > BITPOS missing 0 a b c d
            :0
            "#,
        );
    }

    #[test]
    fn words_that_make_no_sense_are_refused() {
        transcript(
            "
            > SET k foo
            +OK
            > BITPOS k 2
            -ERR The bit argument must be 1 or 0.
            > BITPOS missing x
            -ERR value is not an integer or out of range
            > BITPOS k 1 a
            -ERR value is not an integer or out of range
            > BITPOS k 1 1 b WORD
            -ERR syntax error
            > BITPOS k 1 1 b BIT
            -ERR value is not an integer or out of range
            > BITPOS k 1 1 2 BIT 3
            -ERR syntax error
            ",
        );
    }
}
