//! SETBIT key offset value: sets or clears one bit of a string, which grows with zero bytes where it is too short.
//!
//! Reply:   integer, the bit as it was.
//! Errors:  bit offset is not an integer or out of range; bit is not an integer or out of range; WRONGTYPE.
//!
//! A bit that already has the value, in a string that is long enough, changes nothing: no event, nothing for replicas.

use super::args::bit_offset;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::bits::{bit_at, set_bit};
use crate::data::string::{IntText, Str};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "setbit",
        group: Group::Bitmap,
        since: "2.2.0",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::BITMAP,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Sets or clears one bit of a string, creating the key when it is missing.",
        complexity: "O(1); more when the string has to grow",
        args: &[Arg::key("key", 0), Arg::new("offset", ArgKind::Integer), Arg::new("value", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: setbit,
};

fn setbit(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(1);
    let offset = bit_offset(ctx, args.get(2))?;
    let bit = match parse_i64(args.get(3)) {
        Some(bit @ (0 | 1)) => bit == 1,
        _ => return Err(CommandError::err("bit is not an integer or out of range").into()),
    };
    let length = (offset >> 3) as usize + 1;
    let (old, is_long_enough) = match ctx.db.peek::<Str>(key)? {
        Some(value) => (bit_at(value.as_bytes(&mut IntText::new()), offset), value.len() >= length),
        None => (false, false),
    };
    if old != bit || !is_long_enough {
        ctx.db.edit_bytes(key, length, Event::SETBIT, |text| set_bit(text, offset, bit))?;
    }
    ctx.reply.int(old.into());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_string_grows_to_the_bit_and_the_old_bit_is_the_answer() {
        transcript(
            r#"
            > SETBIT k 1 1
            :0
            > GET k
            $@
            > SETBIT k 1 0
            :1
            > SETBIT k 20 1
            :0
            > GET k
            $\x00\x00\x08
            > SETBIT new 0 0
            :0
            > GET new
            $\x00
            > OBJECT ENCODING new
            $raw
            "#,
        )
        .propagates(&["SETBIT k 1 1", "SETBIT k 1 0", "SETBIT k 20 1", "SETBIT new 0 0"])
        .notifies(&["setbit k", "setbit k", "setbit k", "setbit new"]);
    }

    #[test]
    fn a_bit_that_has_the_value_already_changes_nothing() {
        transcript(
            "
            > SET k 1 EX 100
            +OK
            > SETBIT k 7 1
            :1
            > SETBIT k 0 0
            :0
            > SETBIT k 6 1
            :0
            > GET k
            $3
            > TTL k
            :100
            ",
        )
        .propagates(&["SET k 1 PXAT 1100000", "SETBIT k 6 1"])
        .notifies(&["set k", "expire k", "setbit k"]);
    }

    #[test]
    fn offsets_and_bits_out_of_range_are_refused() {
        transcript(
            "
            > SETBIT k -1 1
            -ERR bit offset is not an integer or out of range
            > SETBIT k x 7
            -ERR bit offset is not an integer or out of range
            > SETBIT k 4294967296 1
            -ERR bit offset is not an integer or out of range
            > SETBIT k 9223372036854775807 1
            -ERR bit offset is not an integer or out of range
            > SETBIT k #1 1
            -ERR bit offset is not an integer or out of range
            > SETBIT k 1 2
            -ERR bit is not an integer or out of range
            > SETBIT k 1 -1
            -ERR bit is not an integer or out of range
            > SETBIT k 1 x
            -ERR bit is not an integer or out of range
            > EXISTS k
            :0
            ",
        )
        .propagates(&[]);
    }
}
