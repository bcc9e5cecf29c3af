//! GETDEL key: the string stored at `key`; the key is deleted.
//!
//! Reply:   bulk string, or null when `key` does not exist.
//! Errors:  WRONGTYPE when `key` holds another type; the key is then left as it was.
//!
//! Replicas and the AOF receive `DEL key`. The value mattered only to the caller; what changed in the data set is that
//! the key is gone.

use super::value::reply_string;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::Str;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "getdel",
        group: Group::String,
        since: "6.2.0",
        arity: Arity::Exactly(2),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
        summary: "Returns the string at a key and removes the key.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: getdel,
};

fn getdel(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(1);
    let Some(value) = ctx.db.read::<Str>(key)? else {
        ctx.reply.null();
        return Ok(Outcome::Done);
    };
    reply_string(&mut ctx.reply, value);
    ctx.db.remove(key, Event::DEL);
    Ok(ctx.propagate(&[b"DEL", key]))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_value_is_returned_once_and_the_key_is_gone() {
        transcript(
            "
            > SET k v
            +OK
            > GETDEL k
            $v
            > GETDEL k
            nil
            > EXISTS k
            :0
            ",
        )
        .propagates(&["SET k v", "DEL k"])
        .notifies(&["set k", "del k"]);
    }
}
