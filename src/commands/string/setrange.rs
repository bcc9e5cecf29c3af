//! SETRANGE key offset value: overwrites part of a string, which grows with zero bytes where it is too short.
//!
//! Reply:   integer, the length afterwards. An empty `value` changes nothing and creates no key.
//! Errors:  not an integer; offset is out of range; WRONGTYPE; string exceeds maximum allowed size.

use super::value::check_length;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::Str;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "setrange",
        group: Group::String,
        since: "2.2.0",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Overwrites part of a string from an offset on, padding with zero bytes where it is too short.",
        complexity: "O(M), M being the length of the new part; more when the string has to grow",
        args: &[Arg::key("key", 0), Arg::new("offset", ArgKind::Integer), Arg::new("value", ArgKind::String)],
        ..Meta::NEW
    },
    handler: setrange,
};

fn setrange(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, patch) = (args.get(1), args.get(3));
    let offset = parse_i64(args.get(2)).ok_or(CommandError::NotInteger)?;
    let offset = u64::try_from(offset).map_err(|_| CommandError::err("offset is out of range"))?;
    let present = ctx.db.peek::<Str>(key)?.map_or(0, |value| value.len());
    if patch.is_empty() {
        ctx.reply.int(present as i64);
        return Ok(Outcome::Done);
    }
    check_length(ctx, offset, patch.len())?;
    let start = offset as usize;
    let end = start + patch.len();
    ctx.db.edit_bytes(key, end, Event::SETRANGE, |text| text[start..end].copy_from_slice(patch))?;
    ctx.reply.int(present.max(end) as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_missing_key_is_padded_with_zero_bytes() {
        transcript(
            r#"
            > SETRANGE k 0 foo
            :3
            > SETRANGE k2 1 foo
            :4
            > GET k2
            $\x00foo
            > SETRANGE k3 5 ""
            :0
            > EXISTS k3
            :0
            "#,
        )
        .propagates(&["SETRANGE k 0 foo", "SETRANGE k2 1 foo"])
        .notifies(&["setrange k", "setrange k2"]);
    }

    #[test]
    fn an_existing_string_is_overwritten_and_keeps_its_time_to_live() {
        transcript(
            r#"
            > SET k foo EX 100
            +OK
            > SETRANGE k 1 ar
            :3
            > SETRANGE k 2 "xyz"
            :5
            > GET k
            $faxyz
            > TTL k
            :100
            > SETRANGE k 7 !
            :8
            > GET k
            $faxyz\x00\x00!
            > OBJECT ENCODING k
            $raw
            > SET n 1234
            +OK
            > SETRANGE n 0 2
            :4
            > GET n
            $2234
            > OBJECT ENCODING n
            $raw
            "#,
        );
    }

    #[test]
    fn offsets_out_of_range_are_refused() {
        transcript(
            "
            > SETRANGE k -1 x
            -ERR offset is out of range
            > SETRANGE k x y
            -ERR value is not an integer or out of range
            > SETRANGE k 536870912 x
            -ERR string exceeds maximum allowed size (proto-max-bulk-len)
            > SETRANGE k 9223372036854775807 x
            -ERR string exceeds maximum allowed size (proto-max-bulk-len)
            > EXISTS k
            :0
            ",
        )
        .propagates(&[]);
    }
}
