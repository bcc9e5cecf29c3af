//! OBJECT ENCODING | FREQ | IDLETIME | REFCOUNT key, and OBJECT HELP: how a value is kept.
//!
//! Reply:   null when the key does not exist.
//!
//! Looking at a key this way does not count as using it.

use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::{Str, StrView};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The container, which runs nothing itself.
pub const META: Meta = Meta {
    name: "object",
    group: Group::Generic,
    since: "2.2.3",
    arity: Arity::AtLeast(2),
    summary: "Holds the commands that look at how a value is kept.",
    complexity: "Depends on the subcommand",
    ..Meta::NEW
};

/// OBJECT ENCODING key: bulk string.
pub const ENCODING: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "encoding",
        container: "object",
        group: Group::Generic,
        since: "2.2.3",
        arity: Arity::Exactly(3),
        flags: Flags::READONLY,
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(2, Access::RO)],
        summary: "Names the internal encoding of a value.",
        tips: &["nondeterministic_output"],
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: encoding,
};

fn encoding(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    match ctx.db.facts(args.get(2)) {
        Some(facts) => ctx.reply.bulk(facts.encoding.as_str().as_bytes()),
        None => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

/// OBJECT FREQ key: integer. Refused unless an LFU policy is selected.
pub const FREQ: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "freq",
        container: "object",
        group: Group::Generic,
        since: "4.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::READONLY,
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(2, Access::RO)],
        summary: "Returns how often a value is used, on a logarithmic scale.",
        tips: &["nondeterministic_output"],
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: freq,
};

fn freq(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    match ctx.db.facts(args.get(2)) {
        None => ctx.reply.null(),
        Some(_) if !ctx.settings.is_lfu => {
            return Err(CommandError::err(
                "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
                 between policies at runtime LRU and LFU data will take some time to adjust.",
            ).into());
        }
        Some(facts) => ctx.reply.int(i64::from(facts.frequency)),
    }
    Ok(Outcome::Done)
}

/// OBJECT IDLETIME key: integer, in seconds. Refused when an LFU policy is selected.
pub const IDLETIME: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "idletime",
        container: "object",
        group: Group::Generic,
        since: "2.2.3",
        arity: Arity::Exactly(3),
        flags: Flags::READONLY,
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(2, Access::RO)],
        summary: "Returns for how many seconds a value has not been used.",
        tips: &["nondeterministic_output"],
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: idletime,
};

fn idletime(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    match ctx.db.facts(args.get(2)) {
        None => ctx.reply.null(),
        Some(_) if ctx.settings.is_lfu => {
            return Err(CommandError::err(
                "An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
                 policies at runtime LRU and LFU data will take some time to adjust.",
            )
            .into());
        }
        Some(facts) => ctx.reply.int(facts.idle_secs as i64),
    }
    Ok(Outcome::Done)
}

/// OBJECT REFCOUNT key: integer. A value belongs to one key here, so it is 1.
pub const REFCOUNT: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "refcount",
        container: "object",
        group: Group::Generic,
        since: "2.2.3",
        arity: Arity::Exactly(3),
        flags: Flags::READONLY,
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(2, Access::RO)],
        summary: "Returns how many references to a value there are.",
        tips: &["nondeterministic_output"],
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: refcount,
};

/// Redis keeps one object for each of these numbers and says of it that it has very many references. Here a number lies in
/// its entry and belongs to nobody else; the answer is kept for programs that look at it. Where eviction looks at how values are
/// used, Redis keeps a number for each key as well.
const SHARED_INTEGERS: i64 = 10_000;

fn refcount(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let key = args.get(2);
    let small = 0..SHARED_INTEGERS;
    let is_small = matches!(ctx.db.peek::<Str>(key), Ok(Some(StrView::Int(number))) if small.contains(&number));
    let is_small = is_small && ctx.settings.are_integers_shared;
    match ctx.db.facts(key) {
        Some(_) if is_small => ctx.reply.int(i64::from(i32::MAX)),
        Some(_) => ctx.reply.int(1),
        None => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

/// OBJECT HELP.
pub const HELP: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "help",
        container: "object",
        group: Group::Generic,
        since: "6.2.0",
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE),
        categories: Category::KEYSPACE,
        summary: "Describes the subcommands.",
        ..Meta::NEW
    },
    handler: help,
};

fn help(ctx: &mut DataCtx<'_>, _args: &Args<'_>) -> CommandResult {
    const LINES: &[&str] = &[
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Name the encoding in which the value of <key> is kept.",
        "FREQ <key>",
        "    Return how often <key> is used, on a logarithmic scale (LFU policies only).",
        "IDLETIME <key>",
        "    Return for how many seconds <key> has not been used (not with LFU policies).",
        "REFCOUNT <key>",
        "    Return how many references to the value of <key> there are.",
        "HELP",
        "    Print this help.",
    ];
    ctx.reply.array(LINES.len());
    LINES.iter().for_each(|line| ctx.reply.simple(line));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn encodings_follow_the_form_of_the_value() {
        transcript(
            "
            > OBJECT ENCODING k
            nil
            > SET k 123
            +OK
            > OBJECT ENCODING k
            $int
            > SET k 01
            +OK
            > object encoding k
            $embstr
            > SET k 12345678901234567890123456789012345678901234
            +OK
            > OBJECT ENCODING k
            $embstr
            > SET k 123456789012345678901234567890123456789012345
            +OK
            > OBJECT ENCODING k
            $raw
            > OBJECT REFCOUNT k
            :1
            > OBJECT REFCOUNT missing
            nil
            ",
        );
    }

    #[test]
    fn idle_time_grows_until_the_key_is_used() {
        transcript(
            "
            > SET k v
            +OK
            @advance 3000
            > OBJECT IDLETIME k
            :3
            > TTL k
            :-1
            > OBJECT IDLETIME k
            :3
            > GET k
            $v
            > OBJECT IDLETIME k
            :0
            > OBJECT IDLETIME missing
            nil
            > OBJECT FREQ missing
            nil
            > OBJECT FREQ k
            -ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
            ",
        );
    }
}
