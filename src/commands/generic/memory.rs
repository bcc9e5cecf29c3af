//! MEMORY USAGE key [SAMPLES count]: how many bytes a key and its value take; MEMORY PURGE. The subcommands about the whole server are elsewhere.
//!
//! Reply:   integer, null when `key` does not exist.
//! Errors:  syntax error; not an integer.
//!
//! Looking at a key this way does not count as using it, nor as a hit or a miss. The figure is that of the key's entry and of
//! everything its value owns; it is known without a sample, so SAMPLES is read and has no effect.

use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Flags, Group, KeySpec, Meta, Spec};

/// The container, which runs nothing itself.
pub const META: Meta = Meta {
    name: "memory",
    group: Group::Server,
    since: "4.0.0",
    arity: Arity::AtLeast(2),
    summary: "Holds the commands that look at memory.",
    complexity: "Depends on the subcommand",
    ..Meta::NEW
};

/// MEMORY USAGE key [SAMPLES count]
pub const USAGE: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "usage",
        container: "memory",
        group: Group::Server,
        since: "4.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        keys: &[KeySpec::one(2, Access::RO)],
        summary: "Returns how many bytes a key and its value take.",
        args: &[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).after("SAMPLES").optional()],
        ..Meta::NEW
    },
    handler: usage,
};

fn usage(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let mut words = args.from(3);
    while let Some(word) = words.next() {
        let count = if word.eq_ignore_ascii_case(b"SAMPLES") { words.next() } else { None };
        if parse_i64(count.ok_or(CommandError::Syntax)?).ok_or(CommandError::NotInteger)? < 0 {
            return Err(CommandError::Syntax.into());
        }
    }
    match ctx.db.memory_of(args.get(2)) {
        Some(bytes) => ctx.reply.int(bytes as i64),
        None => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

/// MEMORY PURGE: the allocator gives free memory back by itself, so there is nothing to do.
pub const PURGE: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "purge",
        container: "memory",
        group: Group::Server,
        since: "4.0.0",
        arity: Arity::Exactly(2),
        summary: "Asks the allocator to give free memory back.",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Meta::NEW
    },
    handler: purge,
};

fn purge(ctx: &mut DataCtx<'_>, _: &Args<'_>) -> CommandResult {
    ctx.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_entry_and_what_the_value_owns_are_counted() {
        transcript(
            "
            > MEMORY USAGE k
            nil
            > SET k sixteen_bytes...
            +OK
            > MEMORY USAGE k SAMPLES 0
            :32
            > MEMORY PURGE
            +OK
            > MEMORY USAGE k SAMPLES
            -ERR syntax error
            > MEMORY USAGE k SAMPLES -1
            -ERR syntax error
            > MEMORY USAGE k SAMPLES x
            -ERR value is not an integer or out of range
            > MEMORY USAGE k FOO 1
            -ERR syntax error
            ",
        );
    }
}
