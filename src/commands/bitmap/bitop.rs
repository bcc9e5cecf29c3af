//! BITOP AND | OR | XOR | NOT destkey key [key ...]: combines strings bit by bit and stores the result.
//!
//! Reply:   integer, the length of the result, which is that of the longest source.
//! Errors:  syntax error; BITOP NOT must be called with a single source key; WRONGTYPE.
//!
//! Shorter sources count as padded with zeros, missing ones as zeros altogether. A result without any byte is not stored:
//! `destkey` is removed then. A time to live of `destkey` goes either way.

use bytes::Bytes;

use crate::base::limits::INLINE_VALUE_MAX;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::bits::BitOp;
use crate::data::string::{IntText, NewStr, Str};
use crate::keyspace::{Event, Expiry};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "bitop",
        group: Group::Bitmap,
        since: "2.6.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::BITMAP,
        keys: &[
            KeySpec::one(2, Access::OW.and(Access::UPDATE)),
            KeySpec::range(3, -1, 1, Access::RO.and(Access::ACCESS)),
        ],
        summary: "Combines strings bit by bit and stores the result.",
        complexity: "O(N), N being the length of all sources together",
        args: &[
            Arg::one_of(
                "operation",
                &[Arg::token("and", "AND"), Arg::token("or", "OR"), Arg::token("xor", "XOR"), Arg::token("not", "NOT")],
            ),
            Arg::key("destkey", 0),
            Arg::key("key", 1).multiple(),
        ],
        ..Meta::NEW
    },
    handler: bitop,
};

/// The operation; `None` for NOT, which takes one text only.
fn operation(word: &[u8]) -> Result<Option<BitOp>, CommandError> {
    match word {
        _ if word.eq_ignore_ascii_case(b"AND") => Ok(Some(BitOp::And)),
        _ if word.eq_ignore_ascii_case(b"OR") => Ok(Some(BitOp::Or)),
        _ if word.eq_ignore_ascii_case(b"XOR") => Ok(Some(BitOp::Xor)),
        _ if word.eq_ignore_ascii_case(b"NOT") => Ok(None),
        _ => Err(CommandError::Syntax),
    }
}

fn bitop(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let operation = operation(args.get(1))?;
    if operation.is_none() && args.len() != 4 {
        return Err(CommandError::err("BITOP NOT must be called with a single source key.").into());
    }
    let result = combined(ctx, operation, args)?;
    let (target, length) = (args.get(2), result.len());
    if length == 0 {
        ctx.db.remove(target, Event::DEL);
    } else {
        let value = match length {
            0..=INLINE_VALUE_MAX => NewStr::Raw(&result),
            _ => NewStr::Shared(Bytes::from(result)),
        };
        ctx.db.put(target, value, Expiry::Clear, Event::SET);
    }
    ctx.reply.int(length as i64);
    Ok(Outcome::Done)
}

/// The sources one after the other, combined into one text that is as long as the longest so far.
fn combined(ctx: &mut DataCtx<'_>, operation: Option<BitOp>, args: &Args<'_>) -> Result<Vec<u8>, CommandError> {
    let mut result = Vec::new();
    for (index, key) in args.from(3).enumerate() {
        let mut room = IntText::new();
        let value = ctx.db.read::<Str>(key)?;
        let text = value.as_ref().map_or(&b""[..], |value| value.as_bytes(&mut room));
        match operation {
            Some(operation) if index > 0 => operation.apply(&mut result, text),
            Some(_) => result = text.to_vec(),
            None => result = text.iter().map(|byte| !byte).collect(),
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn texts_of_different_lengths_are_combined() {
        transcript(
            r#"
            > SET a "\x0f\xff"
            +OK
            > SET b "\x3c"
            +OK
            > BITOP AND d a b
            :2
            > GET d
            $\x0c\x00
            > BITOP or d a b missing
            :2
            > GET d
            $?\xff
            > BITOP XOR d a b a
            :2
            > GET d
            $<\x00
            > BITOP AND d a missing
            :2
            > GET d
            $\x00\x00
            > BITOP NOT a a
            :2
            > GET a
            $\xf0\x00
            > OBJECT ENCODING a
            $raw
            "#,
        )
        .notifies(&["set a", "set b", "set d", "set d", "set d", "set d", "set a"]);
    }

    #[test]
    fn an_empty_result_removes_the_target() {
        transcript(
            "
            > SET d x EX 100
            +OK
            > BITOP OR d missing other
            :0
            > EXISTS d
            :0
            > BITOP NOT d missing
            :0
            ",
        )
        .propagates(&["SET d x PXAT 1100000", "BITOP OR d missing other"])
        .notifies(&["set d", "expire d", "del d"]);
    }

    #[test]
    fn the_target_loses_its_time_to_live() {
        transcript(
            "
            > SET d x EX 100
            +OK
            > BITOP AND d d
            :1
            > TTL d
            :-1
            ",
        );
    }

    #[test]
    fn unknown_operations_and_not_of_several_are_refused() {
        transcript(
            "
            > BITOP NAND d a b
            -ERR syntax error
            > BITOP NOT d a b
            -ERR BITOP NOT must be called with a single source key.
            ",
        );
    }
}
