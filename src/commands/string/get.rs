//! GET key: the string stored at `key`.
//!
//! Reply:   bulk string, or null when `key` does not exist.
//! Errors:  WRONGTYPE when `key` holds another type.

use super::value::reply_string;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::Str;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "get",
        group: Group::String,
        since: "1.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the string at a key.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: get,
};

fn get(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    match ctx.db.read::<Str>(args.get(1))? {
        Some(value) => reply_string(&mut ctx.reply, value),
        None => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_value_is_returned_whatever_its_form() {
        transcript(
            r#"
            > GET k
            nil
            > SET k text
            +OK
            > GET k
            $text
            > SET k 12345
            +OK
            > GET k
            $12345
            > SET k ""
            +OK
            > GET k
            $
            "#,
        )
        .notifies(&["set k", "set k", "set k"]);
    }

    #[test]
    fn resp3_has_its_own_null() {
        transcript(
            "
            @resp3
            > GET k
            _
            ",
        );
    }

    #[test]
    fn an_expired_key_reads_as_missing_and_its_deletion_is_propagated() {
        transcript(
            "
            > SET k v PX 100
            +OK
            @advance 100
            > GET k
            $v
            @advance 1
            > GET k
            nil
            ",
        )
        .propagates(&["SET k v PXAT 1000100", "DEL k"])
        .notifies(&["set k", "expire k", "expired k"]);
    }
}
