//! XGROUP CREATE | SETID | DESTROY | CREATECONSUMER | DELCONSUMER | HELP: the consumer groups of a stream.
//!
//! Errors:  of all but HELP: WRONGTYPE; a key that is missing, unless MKSTREAM makes it; where a group is needed, NOGROUP.

use super::args::{bad_id, bad_subcommand, id, integer, no_group_of_key};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::{Group, Id, Stream};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group as Family, KeySpec, Meta, Spec};

/// The container.
pub const META: Meta = Meta {
    name: "xgroup",
    group: Family::Stream,
    since: "5.0.0",
    arity: Arity::AtLeast(2),
    summary: "Manages the consumer groups of a stream.",
    complexity: "Depends on subcommand.",
    ..Meta::NEW
};

const COMMON: Meta = Meta {
    container: "xgroup",
    group: Family::Stream,
    since: "5.0.0",
    flags: Flags::WRITE,
    categories: Category::STREAM,
    ..Meta::NEW
};

const ID_SELECTOR: Arg = Arg::one_of("id-selector", &[Arg::new("id", ArgKind::String), Arg::token("new-id", "$")]);

/// XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD n]: OK; BUSYGROUP when there is such a group already.
pub const CREATE: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "create",
        arity: Arity::AtLeast(5),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[KeySpec::one(2, Access::RW.and(Access::INSERT))],
        summary: "Makes a consumer group.",
        history: &[("7.0.0", "ENTRIESREAD.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("group", ArgKind::String),
            ID_SELECTOR,
            Arg::token("mkstream", "MKSTREAM").optional(),
            Arg::new("entries-read", ArgKind::Integer).after("ENTRIESREAD").optional(),
        ],
        ..COMMON
    },
    handler: create,
};

fn create(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let options = Options::read(args, true)?;
    let (key, name) = (args.get(2), args.get(3));
    let present = ctx.db.peek::<Stream>(key)?;
    if present.is_none() && !options.is_mkstream {
        return Err(missing_key().into());
    }
    if args.len() > 8 {
        return Err(bad_subcommand(args, "XGROUP").into());
    }
    let last_id = match (args.get(4), present) {
        (b"$", present) => present.map_or(Id::MIN, |stream| stream.log().last_id()),
        (text, _) => id(text)?,
    };
    if present.is_some_and(|stream| stream.group(name).is_some()) {
        return Err(CommandError::text("BUSYGROUP Consumer Group name already exists").into());
    }
    ctx.db.edit_or_create::<Stream, _>(key, |stream, notes| {
        stream.groups_mut().insert(name.into(), Group::new(last_id, options.entries_read));
        notes.changed_inside(Event::XGROUP_CREATE, 1);
    })?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// XGROUP SETID key group id|$ [ENTRIESREAD n]: OK.
pub const SETID: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "setid",
        arity: Arity::AtLeast(5),
        keys: &[KeySpec::one(2, Access::RW.and(Access::UPDATE))],
        summary: "Sets how far a consumer group has read.",
        history: &[("7.0.0", "ENTRIESREAD.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("group", ArgKind::String),
            ID_SELECTOR,
            Arg::new("entriesread", ArgKind::Integer).after("ENTRIESREAD").optional(),
        ],
        ..COMMON
    },
    handler: setid,
};

fn setid(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let options = Options::read(args, false)?;
    let (key, name) = (args.get(2), args.get(3));
    let last_id = with_group(ctx, key, name)?.log().last_id();
    if args.len() != 5 && args.len() != 7 {
        return Err(bad_subcommand(args, "XGROUP").into());
    }
    let id = match args.get(4) {
        b"$" => last_id,
        text => Id::parse_bound(text, 0).map_err(|_| bad_id())?,
    };
    ctx.db.edit::<Stream, _>(key, |stream, notes| {
        let group = stream.groups_mut().get_mut(name).expect("it was just found");
        (group.last_id, group.entries_read) = (id, options.entries_read);
        notes.changed_inside(Event::XGROUP_SETID, 1);
    })?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// XGROUP DESTROY key group: integer, whether there was such a group.
pub const DESTROY: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "destroy",
        arity: Arity::Exactly(4),
        keys: &[KeySpec::one(2, Access::RW.and(Access::DELETE))],
        summary: "Removes a consumer group.",
        complexity: "O(N) for the N entries it has pending",
        args: &[Arg::key("key", 0), Arg::new("group", ArgKind::String)],
        ..COMMON
    },
    handler: destroy,
};

fn destroy(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, name) = (args.get(2), args.get(3));
    let is_there = ctx.db.peek::<Stream>(key)?.ok_or_else(missing_key)?.group(name).is_some();
    if is_there {
        ctx.db.edit::<Stream, _>(key, |stream, notes| {
            stream.groups_mut().remove(name);
            notes.changed_inside(Event::XGROUP_DESTROY, 1);
        })?;
    }
    ctx.reply.int(i64::from(is_there));
    Ok(Outcome::Done)
}

/// XGROUP CREATECONSUMER key group consumer: integer, whether the consumer is new.
pub const CREATECONSUMER: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "createconsumer",
        since: "6.2.0",
        arity: Arity::Exactly(5),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[KeySpec::one(2, Access::RW.and(Access::INSERT))],
        summary: "Makes a consumer in a consumer group.",
        args: &[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String)],
        ..COMMON
    },
    handler: createconsumer,
};

fn createconsumer(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, name, consumer) = (args.get(2), args.get(3), args.get(4));
    let now = super::args::now_ms(ctx);
    let group = with_group(ctx, key, name)?.group(name);
    let is_new = group.is_some_and(|group| group.find_consumer(consumer).is_none());
    if is_new {
        ctx.db.edit::<Stream, _>(key, |stream, notes| {
            let group = stream.groups_mut().get_mut(name).expect("it was just found");
            group.add_consumer(consumer, now);
            notes.changed_inside(Event::XGROUP_CREATECONSUMER, 1);
        })?;
    }
    ctx.reply.int(i64::from(is_new));
    Ok(Outcome::Done)
}

/// XGROUP DELCONSUMER key group consumer: integer, how many entries it had pending, which nobody has then.
pub const DELCONSUMER: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "delconsumer",
        arity: Arity::Exactly(5),
        keys: &[KeySpec::one(2, Access::RW.and(Access::DELETE))],
        summary: "Removes a consumer, and what it has pending, from a consumer group.",
        args: &[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String)],
        ..COMMON
    },
    handler: delconsumer,
};

fn delconsumer(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, name, consumer) = (args.get(2), args.get(3), args.get(4));
    let group = with_group(ctx, key, name)?.group(name);
    if group.is_none_or(|group| group.find_consumer(consumer).is_none()) {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    }
    let pending = ctx.db.edit::<Stream, _>(key, |stream, notes| {
        let group = stream.groups_mut().get_mut(name).expect("it was just found");
        notes.changed_inside(Event::XGROUP_DELCONSUMER, 1);
        group.remove_consumer(consumer).unwrap_or(0)
    })?;
    ctx.reply.int(pending.unwrap_or(0) as i64);
    Ok(Outcome::Done)
}

/// XGROUP HELP.
pub const HELP: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "help",
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Describes the subcommands.",
        ..COMMON
    },
    handler: help,
};

fn help(ctx: &mut DataCtx<'_>, _args: &Args<'_>) -> CommandResult {
    const LINES: &[&str] = &[
        "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CREATE <key> <groupname> <id|$> [option]",
        "    Make a group that begins after <id>. Options:",
        "    * MKSTREAM",
        "      Make the stream as well if there is none.",
        "    * ENTRIESREAD entries_read",
        "      How many entries the group has read (internal).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Make a consumer in a group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove a consumer and what it has pending.",
        "DESTROY <key> <groupname>",
        "    Remove a group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Say how far a group has read.",
        "HELP",
        "    Print this help.",
    ];
    ctx.reply.array(LINES.len());
    LINES.iter().for_each(|line| ctx.reply.simple(line));
    Ok(Outcome::Done)
}

/// The words after the id.
#[derive(Default)]
struct Options {
    is_mkstream: bool,
    entries_read: Option<i64>,
}

impl Options {
    fn read(args: &Args<'_>, is_create: bool) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut words = args.from(5);
        while let Some(word) = words.next() {
            if is_create && word.eq_ignore_ascii_case(b"MKSTREAM") {
                options.is_mkstream = true;
                continue;
            }
            let value = words.next().filter(|_| word.eq_ignore_ascii_case(b"ENTRIESREAD"));
            options.entries_read = match integer(value.ok_or_else(|| bad_subcommand(args, "XGROUP"))?)? {
                -1 => None,
                0.. => Some(integer(value.unwrap_or_default())?),
                _ => return Err(CommandError::err("value for ENTRIESREAD must be positive or -1")),
            };
        }
        Ok(options)
    }
}

/// The stream at `key`, which has a group of this name.
fn with_group<'a>(ctx: &'a mut DataCtx<'_>, key: &[u8], name: &[u8]) -> Result<&'a Stream, CommandError> {
    let stream = ctx.db.peek::<Stream>(key)?.ok_or_else(missing_key)?;
    match stream.group(name) {
        Some(_) => Ok(stream),
        None => Err(no_group_of_key(key, name)),
    }
}

fn missing_key() -> CommandError {
    CommandError::err(
        "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option \
         to create an empty stream automatically.",
    )
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn groups_come_and_go() {
        transcript(
            "
            > XGROUP CREATE s g $ MKSTREAM
            +OK
            > TYPE s
            +stream
            > XGROUP CREATE s g 0
            -BUSYGROUP Consumer Group name already exists
            > XGROUP CREATE s h 5-5 entriesread 3
            +OK
            > XADD s 1-0 f v
            $1-0
            > XGROUP CREATE s i $ MKSTREAM ENTRIESREAD -1
            +OK
            > XGROUP SETID s h $
            +OK
            > XGROUP SETID s h + ENTRIESREAD 2
            +OK
            > XGROUP DESTROY s h
            :1
            > XGROUP DESTROY s h
            :0
            > XINFO GROUPS s
            *2
            *12
            $name
            $g
            $consumers
            :0
            $pending
            :0
            $last-delivered-id
            $0-0
            $entries-read
            nil
            $lag
            :1
            *12
            $name
            $i
            $consumers
            :0
            $pending
            :0
            $last-delivered-id
            $1-0
            $entries-read
            nil
            $lag
            :0
            ",
        )
        .propagates(&[
            "XGROUP CREATE s g $ MKSTREAM",
            "XGROUP CREATE s h 5-5 entriesread 3",
            "XADD s 1-0 f v",
            "XGROUP CREATE s i $ MKSTREAM ENTRIESREAD -1",
            "XGROUP SETID s h $",
            "XGROUP SETID s h + ENTRIESREAD 2",
            "XGROUP DESTROY s h",
        ])
        .notifies(&[
            "xgroup-create s",
            "xgroup-create s",
            "xadd s",
            "xgroup-create s",
            "xgroup-setid s",
            "xgroup-setid s",
            "xgroup-destroy s",
        ]);
    }

    #[test]
    fn what_happens_to_groups_is_no_change_to_who_watches_the_stream() {
        transcript(
            "
            > XADD s 1-0 f v
            $1-0
            > WATCH s
            +OK
            > XGROUP CREATE s g 0
            +OK
            > XGROUP SETID s g 0
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
            > XCLAIM s g d 0 1-0 JUSTID
            *1
            $1-0
            > XACK s g 1-0
            :1
            > XSETID s 2-0
            +OK
            > MULTI
            +OK
            > XLEN s
            +QUEUED
            > EXEC
            *1
            :1
            > WATCH s
            +OK
            > XTRIM s MAXLEN 0
            :1
            > MULTI
            +OK
            > EXEC
            nil
            > WATCH t
            +OK
            > XGROUP CREATE t g 0 MKSTREAM
            +OK
            > MULTI
            +OK
            > EXEC
            nil
            ",
        );
    }

    #[test]
    fn consumers_come_and_go() {
        transcript(
            "
            > XADD s 1-0 f v
            $1-0
            > XGROUP CREATE s g 0
            +OK
            > XGROUP CREATECONSUMER s g c
            :1
            > XGROUP CREATECONSUMER s g c
            :0
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
            > XGROUP DELCONSUMER s g d
            :0
            > XGROUP DELCONSUMER s g c
            :1
            > XPENDING s g - + 1
            *0
            ",
        )
        .propagates(&[
            "XADD s 1-0 f v",
            "XGROUP CREATE s g 0",
            "XGROUP CREATECONSUMER s g c",
            "XCLAIM s g c 0 1-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
            "XGROUP DELCONSUMER s g c",
        ])
        .notifies(&["xadd s", "xgroup-create s", "xgroup-createconsumer s", "xgroup-delconsumer s"]);
    }

    #[test]
    fn what_is_missing_and_what_does_not_fit_is_refused() {
        let key = "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
                   MKSTREAM option to create an empty stream automatically.";
        transcript(&format!(
            "
            > XGROUP CREATE s g 0
            {key}
            > XGROUP SETID s g 0
            {key}
            > XGROUP DESTROY s g
            {key}
            > XGROUP CREATECONSUMER s g c
            {key}
            > XGROUP DELCONSUMER s g c
            {key}
            > XGROUP CREATE s g x MKSTREAM
            -ERR Invalid stream ID specified as stream command argument
            > XGROUP CREATE s g - MKSTREAM
            -ERR Invalid stream ID specified as stream command argument
            > XGROUP CREATE s g 0 WHAT
            -ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.
            > XGROUP CREATE s g 0 ENTRIESREAD
            -ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.
            > XGROUP CREATE s g 0 ENTRIESREAD -2
            -ERR value for ENTRIESREAD must be positive or -1
            > XGROUP CREATE s g 0 ENTRIESREAD x
            -ERR value is not an integer or out of range
            > XGROUP CREATE s g 0 ENTRIESREAD 1 ENTRIESREAD 2 MKSTREAM
            -ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.
            > EXISTS s
            :0
            > XADD s 1-0 f v
            $1-0
            > XGROUP SETID s g 0
            -NOGROUP No such consumer group 'g' for key name 's'
            > XGROUP CREATECONSUMER s g c
            -NOGROUP No such consumer group 'g' for key name 's'
            > XGROUP DELCONSUMER s g c
            -NOGROUP No such consumer group 'g' for key name 's'
            > XGROUP SETID s g 0 MKSTREAM
            -ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.
            > SET k v
            +OK
            > XGROUP CREATE k g 0 MKSTREAM
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > XGROUP DESTROY k g
            -WRONGTYPE Operation against a key holding the wrong kind of value
            "
        ));
    }
}
