//! HGET key field: the value of a field.
//!
//! Reply:   bulk string, or null when there is no such field.
//! Errors:  WRONGTYPE when `key` holds another type.
//!
//! A field whose time is over is removed on the way: replicas and the AOF receive `HDEL key field`.

use super::value::{read_field, reply_text};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hget",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the value of a field.",
        args: &[Arg::key("key", 0), Arg::new("field", ArgKind::String)],
        ..Meta::NEW
    },
    handler: hget,
};

fn hget(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    read_field(ctx, args.get(1), args.get(2), |reply, field| match field {
        Some(field) => reply_text(reply, field.value),
        None => reply.null(),
    })?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_value_is_returned_as_it_was_stored() {
        transcript(
            "
            > HSET k f v n 12 e \"\"
            :3
            > HGET k f
            $v
            > HGET k n
            $12
            > HGET k e
            $
            > HGET k missing
            nil
            > HGET missing f
            nil
            ",
        )
        .propagates(&["HSET k f v n 12 e \"\""])
        .notifies(&["hset k"]);
    }

    #[test]
    fn a_field_that_is_over_is_removed_and_the_hash_with_its_last() {
        transcript(
            "
            > HSET k f v g w
            :2
            > HPEXPIRE k 10 FIELDS 2 f g
            *2
            :1
            :1
            @advance 10
            > HGET k f
            $v
            @advance 1
            > HGET k f
            nil
            > HLEN k
            :1
            > HGET k g
            nil
            > EXISTS k
            :0
            ",
        )
        .propagates(&["HSET k f v g w", "HPEXPIREAT k 1000010 FIELDS 2 f g", "HDEL k f", "HDEL k g"])
        .notifies(&["hset k", "hexpire k", "hexpired k", "hexpired k", "del k"]);
    }

    #[test]
    fn other_types_are_refused() {
        transcript(
            "
            > SET k v
            +OK
            > HGET k f
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > HGET k
            -ERR wrong number of arguments for 'hget' command
            ",
        );
    }
}
