//! BITFIELD_RO key [GET type offset ...]: BITFIELD without the operations that write.
//!
//! Reply:   array of integers.
//! Errors:  BITFIELD_RO only supports the GET subcommand; otherwise as BITFIELD.

use super::bitfield::{Program, TYPE_AND_OFFSET, read_only};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "bitfield_ro",
        group: Group::Bitmap,
        since: "6.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::BITMAP,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Reads integers of any width at any bit of a string.",
        complexity: "O(1) for each operation",
        args: &[
            Arg::key("key", 0),
            Arg::block("get-block", &TYPE_AND_OFFSET).after("GET").optional().multiple().repeats_token(),
        ],
        ..Meta::NEW
    },
    handler: bitfield_ro,
};

fn bitfield_ro(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let program = Program::parse(ctx, args)?;
    if program.writes() {
        return Err(CommandError::err("BITFIELD_RO only supports the GET subcommand").into());
    }
    read_only(ctx, args.get(1), &program)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn fields_are_read_and_never_written() {
        transcript(
            r#"
            > SET k "\x80\x01"
            +OK
            > BITFIELD_RO k GET i8 0 GET u16 0
            *2
            :-128
            :32769
            > BITFIELD_RO k GET u8 0 SET u8 0 1
            -ERR BITFIELD_RO only supports the GET subcommand
            > BITFIELD_RO missing GET u8 0
            *1
            :0
            > BITFIELD_RO k
            *0
            > BITFIELD_RO k GET u8
            -ERR syntax error
            "#,
        );
    }
}
