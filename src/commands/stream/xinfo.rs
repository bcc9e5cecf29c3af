//! XINFO STREAM | GROUPS | CONSUMERS | HELP: what there is to know about a stream.
//!
//! Errors:  of all but HELP: no such key; WRONGTYPE. Of CONSUMERS also NOGROUP, of STREAM words that do not fit.

use super::args::{bad_subcommand, integer, no_group_of_key, now_ms};
use super::reply;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::{Consumer, Group, Id, Stream};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group as Family, KeySpec, Meta, Spec};

/// The container.
pub const META: Meta = Meta {
    name: "xinfo",
    group: Family::Stream,
    since: "5.0.0",
    arity: Arity::AtLeast(2),
    summary: "Tells about a stream, its groups and their consumers.",
    complexity: "Depends on subcommand.",
    ..Meta::NEW
};

const COMMON: Meta = Meta {
    container: "xinfo",
    group: Family::Stream,
    since: "5.0.0",
    flags: Flags::READONLY,
    categories: Category::STREAM,
    keys: &[KeySpec::one(2, Access::RO.and(Access::ACCESS))],
    ..Meta::NEW
};

/// XINFO STREAM key [FULL [COUNT n]]: map. With FULL, up to n entries (10; 0 for all) of the stream and of each list.
pub const STREAM: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "stream",
        arity: Arity::AtLeast(3),
        summary: "Returns what there is to know about a stream.",
        complexity: "O(N) for the N nodes of the stream, which hold a hundred entries each",
        history: &[
            ("6.0.0", "FULL."),
            ("7.0.0", "max-deleted-entry-id, entries-added, recorded-first-entry-id, entries-read and lag."),
            ("7.2.0", "active-time; seen-time is also that of attempts in vain."),
        ],
        args: &[
            Arg::key("key", 0),
            Arg::block(
                "full-block",
                &[Arg::token("full", "FULL"), Arg::new("count", ArgKind::Integer).after("COUNT").optional()],
            )
            .optional(),
        ],
        ..COMMON
    },
    handler: stream,
};

/// How much FULL tells of each list, unless told otherwise.
const FULL_COUNT: usize = 10;

fn stream(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let stream = ctx.db.read::<Stream>(args.get(2))?.ok_or(CommandError::NoSuchKey)?;
    let max = match args.len() {
        3 => None,
        4 if args.is(3, "FULL") => Some(FULL_COUNT),
        6 if args.is(3, "FULL") && args.is(4, "COUNT") => {
            Some(usize::try_from(integer(args.get(5))?).unwrap_or(FULL_COUNT))
        }
        _ => return Err(bad_subcommand(args, "XINFO").into()),
    };
    let reply = &mut ctx.reply;
    let (log, history) = (stream.log(), stream.log().history());
    reply.map(if max.is_some() { 9 } else { 10 });
    number(reply, "length", log.len() as i64);
    number(reply, "radix-tree-keys", log.nodes_len() as i64);
    number(reply, "radix-tree-nodes", stream.radix_tree_nodes() as i64);
    id(reply, "last-generated-id", history.last_id);
    id(reply, "max-deleted-entry-id", history.max_deleted_id);
    number(reply, "entries-added", history.entries_added as i64);
    id(reply, "recorded-first-entry-id", log.first_id());
    match max {
        None => brief(reply, stream),
        // Zero means all.
        Some(max) => full(reply, stream, if max == 0 { usize::MAX } else { max }),
    }
    Ok(Outcome::Done)
}

fn brief(reply: &mut Reply<'_>, stream: &Stream) {
    number(reply, "groups", stream.groups().len() as i64);
    let log = stream.log();
    let first = log.range(Id::MIN, Id::MAX).next();
    let last = log.range_rev(Id::MIN, Id::MAX).next();
    for (name, entry) in [("first-entry", first), ("last-entry", last)] {
        reply.bulk(name.as_bytes());
        match entry {
            Some(entry) => reply::entry(reply, entry),
            None => reply.null(),
        }
    }
}

fn full(reply: &mut Reply<'_>, stream: &Stream, max: usize) {
    reply.bulk(b"entries");
    reply::entries(reply, stream.log().range(Id::MIN, Id::MAX), Some(max));
    reply.bulk(b"groups");
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(7);
        reply.bulk(b"name");
        reply.bulk(name);
        position(reply, stream, group);
        number(reply, "pel-count", group.pending_len() as i64);
        reply.bulk(b"pending");
        reply.array(group.pending_len().min(max));
        for (id, pending) in group.pending_in(..).take(max) {
            reply.array(4);
            reply::id(reply, id);
            reply.bulk(group.consumer(pending.consumer).name());
            reply.int(pending.delivered_at);
            reply.int(pending.deliveries as i64);
        }
        reply.bulk(b"consumers");
        let consumers = group.consumers();
        reply.array(consumers.len());
        consumers.for_each(|consumer| full_consumer(reply, group, consumer, max));
    }
}

fn full_consumer(reply: &mut Reply<'_>, group: &Group, consumer: &Consumer, max: usize) {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    number(reply, "seen-time", consumer.seen_at);
    number(reply, "active-time", consumer.active_at.unwrap_or(-1));
    number(reply, "pel-count", consumer.pending().len() as i64);
    reply.bulk(b"pending");
    reply.array(consumer.pending().len().min(max));
    for id in consumer.pending().ids(..).take(max) {
        let pending = group.pending(id).expect("what a consumer has pending, its group has");
        reply.array(3);
        reply::id(reply, id);
        reply.int(pending.delivered_at);
        reply.int(pending.deliveries as i64);
    }
}

/// XINFO GROUPS key: array of maps.
pub const GROUPS: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "groups",
        arity: Arity::Exactly(3),
        summary: "Returns the consumer groups of a stream.",
        complexity: "O(N) for the N groups",
        history: &[("7.0.0", "entries-read and lag.")],
        args: &[Arg::key("key", 0)],
        ..COMMON
    },
    handler: groups,
};

fn groups(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let stream = ctx.db.read::<Stream>(args.get(2))?.ok_or(CommandError::NoSuchKey)?;
    let reply = &mut ctx.reply;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        number(reply, "consumers", group.consumers().len() as i64);
        number(reply, "pending", group.pending_len() as i64);
        position(reply, stream, group);
    }
    Ok(Outcome::Done)
}

/// How far a group has read, and how much is left.
fn position(reply: &mut Reply<'_>, stream: &Stream, group: &Group) {
    id(reply, "last-delivered-id", group.last_id);
    for (name, value) in [("entries-read", group.entries_read), ("lag", stream.lag(group))] {
        reply.bulk(name.as_bytes());
        match value {
            Some(value) => reply.int(value),
            None => reply.null(),
        }
    }
}

/// XINFO CONSUMERS key group: array of maps.
pub const CONSUMERS: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "consumers",
        arity: Arity::Exactly(4),
        summary: "Returns the consumers of a group.",
        complexity: "O(N) for the N consumers",
        history: &[("7.2.0", "inactive.")],
        tips: &["nondeterministic_output"],
        args: &[Arg::key("key", 0), Arg::new("group", ArgKind::String)],
        ..COMMON
    },
    handler: consumers,
};

fn consumers(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, name) = (args.get(2), args.get(3));
    let now = now_ms(ctx);
    let stream = ctx.db.read::<Stream>(key)?.ok_or(CommandError::NoSuchKey)?;
    let group = stream.group(name).ok_or_else(|| no_group_of_key(key, name))?;
    let reply = &mut ctx.reply;
    let consumers = group.consumers();
    reply.array(consumers.len());
    for consumer in consumers {
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        number(reply, "pending", consumer.pending().len() as i64);
        number(reply, "idle", now.wrapping_sub(consumer.seen_at).max(0));
        number(reply, "inactive", consumer.active_at.map_or(-1, |at| now.wrapping_sub(at)));
    }
    Ok(Outcome::Done)
}

/// XINFO HELP.
pub const HELP: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "help",
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE),
        keys: &[],
        summary: "Describes the subcommands.",
        ..COMMON
    },
    handler: help,
};

fn help(ctx: &mut DataCtx<'_>, _args: &Args<'_>) -> CommandResult {
    const LINES: &[&str] = &[
        "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CONSUMERS <key> <groupname>",
        "    List the consumers of a group.",
        "GROUPS <key>",
        "    List the groups of a stream.",
        "STREAM <key> [FULL [COUNT <count>]]",
        "    Tell about a stream; with FULL also its entries and what is pending.",
        "HELP",
        "    Print this help.",
    ];
    ctx.reply.array(LINES.len());
    LINES.iter().for_each(|line| ctx.reply.simple(line));
    Ok(Outcome::Done)
}

fn number(reply: &mut Reply<'_>, name: &str, value: i64) {
    reply.bulk(name.as_bytes());
    reply.int(value);
}

fn id(reply: &mut Reply<'_>, name: &str, value: Id) {
    reply.bulk(name.as_bytes());
    reply::id(reply, value);
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_stream_in_brief_and_in_full() {
        transcript(
            "
            > XADD s 1-0 f v
            $1-0
            > XGROUP CREATE s g 0
            +OK
            > XREADGROUP GROUP g c STREAMS s >
            *1
            *2
            $s
            *1
            *2
            $1-0
            *2
            $f
            $v
            > XGROUP CREATECONSUMER s g d
            :1
            @advance 5
            > XINFO CONSUMERS s g
            *2
            *8
            $name
            $c
            $pending
            :1
            $idle
            :5
            $inactive
            :5
            *8
            $name
            $d
            $pending
            :0
            $idle
            :5
            $inactive
            :-1
            @resp3
            > XINFO STREAM s
            %10
            $length
            :1
            $radix-tree-keys
            :1
            $radix-tree-nodes
            :2
            $last-generated-id
            $1-0
            $max-deleted-entry-id
            $0-0
            $entries-added
            :1
            $recorded-first-entry-id
            $1-0
            $groups
            :1
            $first-entry
            *2
            $1-0
            *2
            $f
            $v
            $last-entry
            *2
            $1-0
            *2
            $f
            $v
            > XINFO STREAM s FULL
            %9
            $length
            :1
            $radix-tree-keys
            :1
            $radix-tree-nodes
            :2
            $last-generated-id
            $1-0
            $max-deleted-entry-id
            $0-0
            $entries-added
            :1
            $recorded-first-entry-id
            $1-0
            $entries
            *1
            *2
            $1-0
            *2
            $f
            $v
            $groups
            *1
            %7
            $name
            $g
            $last-delivered-id
            $1-0
            $entries-read
            :1
            $lag
            :0
            $pel-count
            :1
            $pending
            *1
            *4
            $1-0
            $c
            :1000000
            :1
            $consumers
            *2
            %5
            $name
            $c
            $seen-time
            :1000000
            $active-time
            :1000000
            $pel-count
            :1
            $pending
            *1
            *3
            $1-0
            :1000000
            :1
            %5
            $name
            $d
            $seen-time
            :1000000
            $active-time
            :-1
            $pel-count
            :0
            $pending
            *0
            ",
        );
    }

    #[test]
    fn an_empty_stream_has_no_first_and_no_last_entry() {
        transcript(
            "
            > XGROUP CREATE s g $ MKSTREAM
            +OK
            > XINFO STREAM s
            *20
            $length
            :0
            $radix-tree-keys
            :0
            $radix-tree-nodes
            :1
            $last-generated-id
            $0-0
            $max-deleted-entry-id
            $0-0
            $entries-added
            :0
            $recorded-first-entry-id
            $0-0
            $groups
            :1
            $first-entry
            nil
            $last-entry
            nil
            ",
        );
    }

    #[test]
    fn what_is_missing_and_what_does_not_fit_is_refused() {
        transcript(
            "
            > XINFO STREAM s WHAT
            -ERR no such key
            > XINFO GROUPS s
            -ERR no such key
            > XINFO CONSUMERS s g
            -ERR no such key
            > XADD s 1-0 f v
            $1-0
            > XINFO CONSUMERS s g
            -NOGROUP No such consumer group 'g' for key name 's'
            > XINFO STREAM s WHAT
            -ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
            > XINFO stream s FULL COUNT
            -ERR unknown subcommand or wrong number of arguments for 'stream'. Try XINFO HELP.
            > XINFO STREAM s FULL WHAT 1
            -ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
            > XINFO STREAM s FULL COUNT x
            -ERR value is not an integer or out of range
            > XINFO GROUPS s
            *0
            > SET k v
            +OK
            > XINFO STREAM k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
