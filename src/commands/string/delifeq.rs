//! DELIFEQ key value: removes a key if the string stored there is `value`. What a lock needs when it is given back.
//!
//! Reply:   integer, 1 when the key was removed, else 0.
//! Errors:  WRONGTYPE when `key` holds another type.
//! Source:  Valkey, since 9.0.
//!
//! Replicas and the AOF receive `DEL key`: whether to do it has been decided here.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::{IntText, Str};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "delifeq",
        group: Group::String,
        since: "9.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE,
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RM.and(Access::ACCESS).and(Access::DELETE))],
        summary: "Removes a key if the string stored there is this one.",
        args: &[Arg::key("key", 0), Arg::new("value", ArgKind::String)],
        ..Meta::NEW
    },
    handler: delifeq,
};

fn delifeq(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(1);
    let value = ctx.db.peek::<Str>(key)?;
    let is_equal = value.is_some_and(|value| value.as_bytes(&mut IntText::new()) == args.get(2));
    ctx.reply.int(is_equal.into());
    if !is_equal {
        return Ok(Outcome::Done);
    }
    ctx.db.remove(key, Event::DEL);
    Ok(ctx.propagate(&[b"DEL", key]))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn only_the_owner_gives_the_lock_back() {
        transcript(
            "
            > SET lock me
            +OK
            > DELIFEQ lock you
            :0
            > DELIFEQ lock me
            :1
            > DELIFEQ lock me
            :0
            > SET n 7
            +OK
            > DELIFEQ n 07
            :0
            > DELIFEQ n 7
            :1
            > SADD s a
            :1
            > DELIFEQ s a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > DELIFEQ s
            -ERR wrong number of arguments for 'delifeq' command
            ",
        )
        .propagates(&["SET lock me", "DEL lock", "SET n 7", "DEL n", "SADD s a"])
        .notifies(&["set lock", "del lock", "set n", "del n", "sadd s"]);
    }
}
