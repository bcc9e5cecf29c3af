//! GETSET key value: stores `value`, answers with what was there before.
//!
//! Reply:   bulk string, or null when `key` did not exist.
//! Errors:  WRONGTYPE when `key` holds another type; it is then left as it was.
//!
//! A time to live is dropped, as SET does. Replicas and the AOF receive `SET key value`.

use super::value::{reply_string, value_of};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::data::string::Str;
use crate::keyspace::{Event, Expiry};
use crate::resp::args::{Args, OwnedArgs};
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "getset",
        group: Group::String,
        since: "1.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Stores a string at a key and returns what was there before.",
        deprecated: Some(("6.2.0", "`SET` with the `!GET` argument")),
        args: &[Arg::key("key", 0), Arg::new("value", ArgKind::String)],
        ..Meta::NEW
    },
    handler: getset,
};

fn getset(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(1);
    match ctx.db.read::<Str>(key)? {
        Some(value) => reply_string(&mut ctx.reply, value),
        None => ctx.reply.null(),
    }
    ctx.db.put(key, value_of(args, 2), Expiry::Clear, Event::SET);
    Ok(ctx.propagate_with(|| {
        let mut command = OwnedArgs::of(&[b"SET", key]);
        command.push_arg(args, 2);
        command
    }))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_old_value_is_returned_and_the_new_one_kept_without_a_time_to_live() {
        transcript(
            "
            > GETSET k a
            nil
            > EXPIRE k 100
            :1
            > GETSET k b
            $a
            > TTL k
            :-1
            > GET k
            $b
            ",
        )
        .propagates(&["SET k a", "PEXPIREAT k 1100000", "SET k b"])
        .notifies(&["set k", "expire k", "set k"]);
    }
}
