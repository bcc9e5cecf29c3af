//! GETBIT key offset: one bit of a string.
//!
//! Reply:   integer, 0 or 1; 0 behind the end and when `key` does not exist.
//! Errors:  bit offset is not an integer or out of range; WRONGTYPE.

use super::args::bit_offset;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::bits::bit_at;
use crate::data::string::{IntText, Str};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "getbit",
        group: Group::Bitmap,
        since: "2.2.0",
        arity: Arity::Exactly(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::BITMAP,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns one bit of a string.",
        args: &[Arg::key("key", 0), Arg::new("offset", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: getbit,
};

fn getbit(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let offset = bit_offset(ctx, args.get(2))?;
    let value = ctx.db.read::<Str>(args.get(1))?;
    let bit = value.is_some_and(|value| bit_at(value.as_bytes(&mut IntText::new()), offset));
    ctx.reply.int(bit.into());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn bits_behind_the_end_are_zero() {
        transcript(
            "
            > SET k `
            +OK
            > GETBIT k 0
            :0
            > GETBIT k 1
            :1
            > GETBIT k 2
            :1
            > GETBIT k 8
            :0
            > GETBIT k 4294967295
            :0
            > GETBIT missing 1
            :0
            > SET n 1
            +OK
            > GETBIT n 7
            :1
            > GETBIT k -1
            -ERR bit offset is not an integer or out of range
            > GETBIT k 4294967296
            -ERR bit offset is not an integer or out of range
            ",
        );
    }
}
