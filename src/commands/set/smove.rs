//! SMOVE source destination member: moves a member from one set to another.
//!
//! Reply:   integer, 1 when `source` had the member, else 0.
//! Errors:  WRONGTYPE for either key; not for `destination` when `source` does not exist.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::set::Set;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "smove",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::Exactly(4),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::SET,
        keys: &[
            KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE)),
            KeySpec::one(2, Access::RW.and(Access::INSERT)),
        ],
        summary: "Moves a member from one set to another.",
        args: &[Arg::key("source", 0), Arg::key("destination", 1), Arg::new("member", ArgKind::String)],
        ..Meta::NEW
    },
    handler: smove,
};

fn smove(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (source, destination, member) = (args.get(1), args.get(2), args.get(3));
    let is_member = match ctx.db.peek::<Set>(source)? {
        Some(set) => set.contains(member),
        None => {
            ctx.reply.int(0);
            return Ok(Outcome::Done);
        }
    };
    ctx.db.peek::<Set>(destination)?;
    if is_member && source != destination {
        ctx.db.edit(source, |set: &mut Set, notes| {
            set.remove(member);
            notes.changed(Event::SREM, 1);
        })?;
        let limits = &ctx.settings.limits;
        ctx.db.edit_or_create(destination, |set: &mut Set, notes| {
            if set.is_empty() {
                *set = Set::beginning_with(member, 1, limits);
            }
            if set.insert(member, limits) {
                notes.changed(Event::SADD, 1);
            }
        })?;
    }
    ctx.reply.int(is_member.into());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_member_changes_places() {
        transcript(
            "
            > SADD a 1 x
            :2
            > SADD b x
            :1
            > SMOVE a b 1
            :1
            > SMOVE a b 1
            :0
            > SMOVE a b x
            :1
            > EXISTS a
            :0
            > SMOVE b new x
            :1
            > SMOVE b b 1
            :1
            > SMOVE b b 2
            :0
            > OBJECT ENCODING new
            $listpack
            ",
        )
        .propagates(&["SADD a 1 x", "SADD b x", "SMOVE a b 1", "SMOVE a b x", "SMOVE b new x"])
        .notifies(&["sadd a", "sadd b", "srem a", "sadd b", "srem a", "del a", "srem b", "sadd new"]);
    }

    #[test]
    fn both_keys_must_be_sets() {
        transcript(
            "
            > SET k v
            +OK
            > SADD s 1
            :1
            > SMOVE missing k 1
            :0
            > SMOVE s k 1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > SMOVE s k 2
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > SMOVE k s 1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > SCARD s
            :1
            ",
        )
        .propagates(&["SET k v", "SADD s 1"]);
    }
}
