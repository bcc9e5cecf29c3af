//! XDEL key id [id …]: deletes entries by id.
//!
//! Reply:   integer, how many of them there were. The key stays, also without entries.
//! Errors:  WRONGTYPE when `key` holds another type; invalid id, and then nothing is deleted.

use super::args::ids;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::Stream;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xdel",
        group: Group::Stream,
        since: "5.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::STREAM,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Deletes entries of a stream; tells how many there were.",
        complexity: "O(1) for each entry",
        args: &[Arg::key("key", 0), Arg::new("ID", ArgKind::String).multiple()],
        ..Meta::NEW
    },
    handler: xdel,
};

fn xdel(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(1);
    if ctx.db.peek::<Stream>(key)?.is_none() {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    }
    let ids = ids(args, 2)?;
    let deleted = ctx.db.edit::<Stream, _>(key, |stream, notes| {
        let deleted = stream.log_mut().delete(&ids);
        if deleted > 0 {
            notes.changed(Event::XDEL, deleted);
        }
        deleted
    })?;
    ctx.reply.int(deleted.unwrap_or(0) as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn what_is_there_is_deleted_and_the_stream_stays() {
        transcript(
            "
            > XDEL s bad
            :0
            > XADD s 1-1 f v
            $1-1
            > XADD s 1-2 f v
            $1-2
            > XDEL s 1-1 1-1 7-0
            :1
            > XDEL s 7
            :0
            > XDEL s 1-2 bad
            -ERR Invalid stream ID specified as stream command argument
            > XDEL s -
            -ERR Invalid stream ID specified as stream command argument
            > XLEN s
            :1
            > XDEL s 1-2
            :1
            > XRANGE s - +
            *0
            > XADD s 1-* f v
            $1-3
            ",
        )
        .propagates(&["XADD s 1-1 f v", "XADD s 1-2 f v", "XDEL s 1-1 1-1 7-0", "XDEL s 1-2", "XADD s 1-3 f v"])
        .notifies(&["xadd s", "xadd s", "xdel s", "xdel s", "xadd s"]);
    }

    #[test]
    fn other_types_are_refused_before_ids_are_looked_at() {
        transcript(
            "
            > SET k v
            +OK
            > XDEL k bad
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
