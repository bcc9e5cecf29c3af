//! PERSIST key: makes a key live for ever.
//!
//! Reply:   1 when it had an expiry, 0 when it had none or does not exist.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "persist",
        group: Group::Generic,
        since: "2.2.0",
        arity: Arity::Exactly(2),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Removes a key's time to live.",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: persist,
};

fn persist(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(1);
    let has_expiry = matches!(ctx.db.peek_expiry(key), Some(Some(_)));
    if has_expiry {
        ctx.db.expire_at(key, None, Event::PERSIST);
    }
    ctx.reply.int(has_expiry.into());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn an_expiry_is_removed_once() {
        transcript(
            "
            > PERSIST k
            :0
            > SET k v EX 10
            +OK
            > PERSIST k
            :1
            > PERSIST k
            :0
            > TTL k
            :-1
            ",
        )
        .propagates(&["SET k v PXAT 1010000", "PERSIST k"])
        .notifies(&["set k", "expire k", "persist k"]);
    }
}
