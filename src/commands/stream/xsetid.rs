//! XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]: says what a stream's last id is, and what else it knows about its
//! past. For the AOF, and for repairing.
//!
//! Reply:   OK.
//! Errors:  invalid id or number; an id below what is there or was deleted; fewer entries added than there are; no such key;
//!          WRONGTYPE.

use super::args::{id, integer};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::{History, Id, Stream};
use crate::keyspace::{Event, ExpiredKeys};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xsetid",
        group: Group::Stream,
        since: "5.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::STREAM,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Sets the last id of a stream. For internal use.",
        complexity: "O(1)",
        history: &[("7.0.0", "ENTRIESADDED and MAXDELETEDID.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("last-id", ArgKind::String),
            Arg::new("entries-added", ArgKind::Integer).after("ENTRIESADDED").optional().since("7.0.0"),
            Arg::new("max-deleted-id", ArgKind::String).after("MAXDELETEDID").optional().since("7.0.0"),
        ],
        ..Meta::NEW
    },
    handler: xsetid,
};

fn xsetid(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let last_id = id(args.get(2))?;
    let (mut entries_added, mut max_deleted_id) = (None, Id::MIN);
    let mut words = args.from(3);
    while let Some(word) = words.next() {
        let Some(value) = words.next() else { return Err(CommandError::Syntax.into()) };
        if word.eq_ignore_ascii_case(b"ENTRIESADDED") {
            let added = integer(value)?;
            entries_added = Some(u64::try_from(added).map_err(|_| err("entries_added must be positive"))?);
        } else if word.eq_ignore_ascii_case(b"MAXDELETEDID") {
            max_deleted_id = id(value)?;
            if last_id < max_deleted_id {
                return Err(err("The ID specified in XSETID is smaller than the provided max_deleted_entry_id").into());
            }
        } else {
            return Err(CommandError::Syntax.into());
        }
    }

    let (key, access) = (args.get(1), ctx.db.access());
    let log = ctx.db.peek::<Stream>(key)?.ok_or(CommandError::NoSuchKey)?.log();
    let present = log.history();
    // A master of version 7.0 does not ask for this.
    if last_id < present.max_deleted_id && access.expired != ExpiredKeys::Ignore {
        return Err(err("The ID specified in XSETID is smaller than current max_deleted_entry_id").into());
    }
    if log.last_entry_id().is_some_and(|top| last_id < top) {
        return Err(err("The ID specified in XSETID is smaller than the target stream top item").into());
    }
    if entries_added.is_some_and(|added| added < log.len()) {
        return Err(err("The entries_added specified in XSETID is smaller than the target stream length").into());
    }
    let history = History {
        last_id,
        entries_added: entries_added.unwrap_or(present.entries_added),
        max_deleted_id: if max_deleted_id.is_zero() { present.max_deleted_id } else { max_deleted_id },
    };
    ctx.db.edit::<Stream, _>(key, |stream, notes| {
        stream.log_mut().set_history(history);
        notes.changed_inside(Event::XSETID, 1);
    })?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn err(text: &str) -> CommandError {
    CommandError::err(text)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_past_is_what_it_is_said_to_be() {
        transcript(
            "
            > XADD s 5-0 f v
            $5-0
            > XSETID s 7-7
            +OK
            > XADD s 7-* f v
            $7-8
            > XSETID s 200-0 entriesadded 100 MAXDELETEDID 199-0
            +OK
            > XDEL s 7-8
            :1
            > XSETID s 199-0
            +OK
            > XSETID s 198-0
            -ERR The ID specified in XSETID is smaller than current max_deleted_entry_id
            > XADD s 199-* f v
            $199-1
            ",
        )
        .propagates(&[
            "XADD s 5-0 f v",
            "XSETID s 7-7",
            "XADD s 7-8 f v",
            "XSETID s 200-0 entriesadded 100 MAXDELETEDID 199-0",
            "XDEL s 7-8",
            "XSETID s 199-0",
            "XADD s 199-1 f v",
        ])
        .notifies(&["xadd s", "xsetid s", "xadd s", "xsetid s", "xdel s", "xsetid s", "xadd s"]);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        transcript(
            "
            > XSETID s x
            -ERR Invalid stream ID specified as stream command argument
            > XSETID s 1-0 ENTRIESADDED
            -ERR syntax error
            > XSETID s 1-0 WHAT 1
            -ERR syntax error
            > XSETID s 1-0 ENTRIESADDED -1
            -ERR entries_added must be positive
            > XSETID s 1-0 ENTRIESADDED x
            -ERR value is not an integer or out of range
            > XSETID s 1-0 MAXDELETEDID 2-0
            -ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id
            > XSETID s 1-0
            -ERR no such key
            > XADD s 2-0 f v
            $2-0
            > XSETID s 1-0
            -ERR The ID specified in XSETID is smaller than the target stream top item
            > XSETID s 2-0 ENTRIESADDED 0
            -ERR The entries_added specified in XSETID is smaller than the target stream length
            > SET k v
            +OK
            > XSETID k 1-0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
