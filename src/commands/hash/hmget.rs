//! HMGET key field [field ...]: the values of several fields.
//!
//! Reply:   array, one bulk string or null for each field, in the order asked for.
//! Errors:  WRONGTYPE when `key` holds another type.
//!
//! Fields whose time is over are removed on the way: replicas and the AOF receive an `HDEL` for each.

use super::value::reply_text;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hash::Hash;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hmget",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the values of several fields.",
        complexity: "O(N), N being the number of fields asked for",
        args: &[Arg::key("key", 0), Arg::new("field", ArgKind::String).multiple()],
        ..Meta::NEW
    },
    handler: hmget,
};

fn hmget(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, now) = (args.get(1), ctx.db.fields_at());
    let hash = ctx.db.read::<Hash>(key)?;
    let mut over = Vec::new();
    ctx.reply.array(args.len() - 2);
    for name in args.from(2) {
        match hash.and_then(|hash| hash.get(name)) {
            Some(field) if field.is_over(now) => {
                over.push(name);
                ctx.reply.null();
            }
            Some(field) => reply_text(&mut ctx.reply, field.value),
            None => ctx.reply.null(),
        }
    }
    if !over.is_empty() {
        ctx.db.expire_fields(key, over.into_iter());
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn each_field_gets_its_place_in_the_answer() {
        transcript(
            "
            > HSET k f v n 5
            :2
            > HMGET k n missing f n
            *4
            $5
            nil
            $v
            $5
            > HMGET missing f
            *1
            nil
            @resp3
            > HMGET missing f g
            *2
            _
            _
            ",
        );
    }

    #[test]
    fn fields_that_are_over_are_removed_and_told_of_once() {
        transcript(
            "
            > HSET k f 1 g 2 h 3
            :3
            > HPEXPIRE k 5 FIELDS 2 f g
            *2
            :1
            :1
            @advance 6
            > HMGET k f g h f
            *4
            nil
            nil
            $3
            nil
            ",
        )
        .propagates(&[
            "HSET k f 1 g 2 h 3",
            "HPEXPIREAT k 1000005 FIELDS 2 f g",
            "MULTI",
            "HDEL k f",
            "HDEL k g",
            "EXEC",
        ])
        .notifies(&["hset k", "hexpire k", "hexpired k"]);
    }

    #[test]
    fn other_types_are_refused() {
        transcript(
            "
            > SET s v
            +OK
            > HMGET s f
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > HMGET s
            -ERR wrong number of arguments for 'hmget' command
            ",
        );
    }
}
