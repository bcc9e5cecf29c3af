//! XACK key group id [id …]: takes entries off the lists of what a group has pending.
//!
//! Reply:   integer, how many of them were pending; 0 when the key or the group is missing.
//! Errors:  WRONGTYPE when `key` holds another type; invalid id, and then nothing is done.

use super::args::ids;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::Stream;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xack",
        group: Group::Stream,
        since: "5.0.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::STREAM,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Acknowledges entries to a group; tells how many of them were pending.",
        complexity: "O(log N) for each id, N entries being pending",
        args: &[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::new("ID", ArgKind::String).multiple()],
        ..Meta::NEW
    },
    handler: xack,
};

fn xack(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, group) = (args.get(1), args.get(2));
    if ctx.db.read::<Stream>(key)?.and_then(|stream| stream.group(group)).is_none() {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    }
    let ids = ids(args, 3)?;
    let acknowledged = ctx.db.edit::<Stream, _>(key, |stream, notes| {
        let group = stream.groups_mut().get_mut(group).expect("it was just found");
        let acknowledged = ids.iter().filter(|id| group.acknowledge(**id)).count();
        if acknowledged > 0 {
            notes.changed_inside(Event::SILENT, acknowledged as u64);
        }
        acknowledged
    })?;
    ctx.reply.int(acknowledged.unwrap_or(0) as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn what_is_pending_is_acknowledged_once() {
        transcript(
            "
            > XADD s 1-0 f 1
            $1-0
            > XACK s g x
            :0
            > XGROUP CREATE s g 0
            +OK
            > XREADGROUP GROUP g a STREAMS s >
            *1
            *2
            $s
            *1
            *2
            $1-0
            *2
            $f
            $1
            > XACK s g 1-0 x
            -ERR Invalid stream ID specified as stream command argument
            > XACK s g 1 1 2
            :1
            > XACK s g 1
            :0
            > XREADGROUP GROUP g a STREAMS s 0
            *1
            *2
            $s
            *0
            > XACK missing g 1
            :0
            > SET k v
            +OK
            > XACK k g 1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&[
            "XADD s 1-0 f 1",
            "XGROUP CREATE s g 0",
            "XCLAIM s g a 0 1-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
            "XACK s g 1 1 2",
            "SET k v",
        ])
        .notifies(&["xadd s", "xgroup-create s", "xgroup-createconsumer s", "set k"]);
    }
}
