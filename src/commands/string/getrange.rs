//! GETRANGE key start end: the part of a string between two offsets, both included.
//!
//! Reply:   bulk string, empty when `key` does not exist or nothing lies between the offsets.
//! Errors:  not an integer; WRONGTYPE when `key` holds another type.
//!
//! Negative offsets count from the end. A large part of a large value is handed out as a slice of the shared buffer.

use crate::base::limits::INLINE_VALUE_MAX;
use crate::base::number::{format_i64, parse_i64};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::{Str, StrView};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};
use std::ops::Range;

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "getrange",
        group: Group::String,
        since: "2.4.0",
        arity: Arity::Exactly(4),
        flags: Flags::READONLY,
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the part of a string between two offsets, both included.",
        complexity: "O(N), N being the length returned",
        args: &[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("end", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: getrange,
};

pub(super) fn getrange(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let start = parse_i64(args.get(2)).ok_or(CommandError::NotInteger)?;
    let end = parse_i64(args.get(3)).ok_or(CommandError::NotInteger)?;
    let Some(value) = ctx.db.read::<Str>(args.get(1))? else {
        ctx.reply.bulk(b"");
        return Ok(Outcome::Done);
    };
    let range = range_of(start, end, value.len());
    match value {
        StrView::Int(number) => ctx.reply.bulk(&format_i64(number)[range]),
        StrView::Bytes(bytes) => ctx.reply.bulk(&bytes[range]),
        StrView::Shared(bytes) if range.len() > INLINE_VALUE_MAX => ctx.reply.shared(bytes.slice(range)),
        StrView::Shared(bytes) => ctx.reply.bulk(&bytes[range]),
    }
    Ok(Outcome::Done)
}

/// The bytes that two offsets mean in a string of `length`.
fn range_of(start: i64, end: i64, length: usize) -> Range<usize> {
    let from_end = |offset: i64| if offset < 0 { offset.saturating_add(length as i64).max(0) } else { offset };
    // Two offsets before the string would both become its first byte; written the wrong way round they mean nothing.
    if length == 0 || (start < 0 && end < 0 && start > end) {
        return 0..0;
    }
    let (start, end) = (from_end(start), from_end(end).min(length as i64 - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::transcript;

    #[test]
    fn offsets_count_from_either_end() {
        transcript(
            r#"
            > SET k "Hello World"
            +OK
            > GETRANGE k 0 3
            $Hell
            > GETRANGE k 0 -1
            $Hello World
            > GETRANGE k -4 -1
            $orld
            > GETRANGE k 5 3
            $
            > GETRANGE k 5 5000
            $ World
            > GETRANGE k -5000 10000
            $Hello World
            > GETRANGE missing 0 -1
            $
            > SET n 1234
            +OK
            > GETRANGE n 1 2
            $23
            > GETRANGE k a 1
            -ERR value is not an integer or out of range
            > GETRANGE k 1 9999999999999999999
            -ERR value is not an integer or out of range
            "#,
        );
    }

    #[test]
    fn extreme_offsets_do_not_overflow() {
        assert_eq!(range_of(i64::MIN, i64::MAX, 5), 0..5);
        assert_eq!(range_of(i64::MAX, i64::MAX, 5), 0..0);
        assert_eq!(range_of(i64::MIN, i64::MIN, 5), 0..1);
        assert_eq!(range_of(-100, -101, 5), 0..0);
        assert_eq!(range_of(-101, -100, 5), 0..1);
        assert_eq!(range_of(0, -1, 0), 0..0);
    }
}
