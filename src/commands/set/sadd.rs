//! SADD key member [member ...]: adds members to a set, creating the key when it is missing.
//!
//! Reply:   integer, how many members are new.
//! Errors:  WRONGTYPE.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::set::Set;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "sadd",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::SET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::INSERT))],
        summary: "Adds members to a set, creating the key when it is missing.",
        complexity: "O(1) for each member",
        history: &[("2.4.0", "Several members.")],
        args: &[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple()],
        ..Meta::NEW
    },
    handler: sadd,
};

fn sadd(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let limits = &ctx.settings.limits;
    let members = args.len() - 2;
    let added = ctx.db.edit_or_create(args.get(1), |set: &mut Set, notes| {
        if set.is_empty() {
            *set = Set::beginning_with(args.get(2), members, limits);
        } else {
            set.prepare(members, limits);
        }
        let added = args.from(2).filter(|member| set.insert(member, limits)).count();
        if added > 0 {
            notes.changed(Event::SADD, added as u64);
        }
        added
    })?;
    ctx.reply.int(added as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn members_are_there_once() {
        transcript(
            "
            > SADD s 1 2 2
            :2
            > SADD s 2
            :0
            > SADD s a 1
            :1
            > SCARD s
            :3
            > TYPE s
            +set
            ",
        )
        .propagates(&["SADD s 1 2 2", "SADD s a 1"])
        .notifies(&["sadd s", "sadd s"]);
    }

    #[test]
    fn the_encoding_follows_the_members() {
        transcript(
            "
            > SADD ints 1 2 3
            :3
            > OBJECT ENCODING ints
            $intset
            > SADD ints a
            :1
            > OBJECT ENCODING ints
            $listpack
            > SADD ints aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345
            :1
            > OBJECT ENCODING ints
            $hashtable
            > SADD texts 01 1
            :2
            > OBJECT ENCODING texts
            $listpack
            ",
        );
    }

    #[test]
    fn another_type_is_refused() {
        transcript(
            "
            > SET k v
            +OK
            > SADD k a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > SADD k
            -ERR wrong number of arguments for 'sadd' command
            ",
        )
        .propagates(&["SET k v"]);
    }
}
