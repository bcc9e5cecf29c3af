//! HSETNX key field value: sets a field that does not exist.
//!
//! Reply:   integer, 1 when it was set, 0 when it was there already.
//! Errors:  WRONGTYPE when `key` holds another type.

use super::value::{settle_field, value_of};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hash::{Hash, Ttl};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hsetnx",
        group: Group::Hash,
        since: "2.0.0",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::INSERT))],
        summary: "Sets a field of a hash unless it exists.",
        args: &[Arg::key("key", 0), Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)],
        ..Meta::NEW
    },
    handler: hsetnx,
};

fn hsetnx(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, name) = (args.get(1), args.get(2));
    settle_field(ctx, key, name)?;
    let (now, limits) = (ctx.db.fields_at(), ctx.settings.limits);
    let is_set = ctx.db.edit_or_create::<Hash, _>(key, |hash, notes| {
        if hash.get(name).is_some_and(|field| !field.is_over(now)) {
            return false;
        }
        hash.set(name, value_of(args, 3), Ttl::Clear, &limits);
        notes.changed(Event::HSET, 1);
        true
    })?;
    ctx.reply.int(is_set.into());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn only_a_field_that_is_missing_is_set() {
        transcript(
            "
            > HSETNX k f v
            :1
            > HSETNX k f w
            :0
            > HGET k f
            $v
            > SET s v
            +OK
            > HSETNX s f v
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&["HSETNX k f v", "SET s v"])
        .notifies(&["hset k", "set s"]);
    }

    #[test]
    fn a_field_that_is_over_counts_as_missing() {
        transcript(
            "
            > HSET k f v
            :1
            > HPEXPIRE k 5 FIELDS 1 f
            *1
            :1
            @advance 6
            > HSETNX k f w
            :1
            > HTTL k FIELDS 1 f
            *1
            :-1
            ",
        )
        .propagates(&["HSET k f v", "HPEXPIREAT k 1000005 FIELDS 1 f", "MULTI", "HDEL k f", "HSETNX k f w", "EXEC"])
        .notifies(&["hset k", "hexpire k", "hexpired k", "del k", "hset k"]);
    }
}
