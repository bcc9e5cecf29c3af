//! RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME s] [FREQ n]: creates a key from what DUMP returned.
//!
//! Reply:   OK.
//! Errors:  syntax error; BUSYKEY when `key` exists (without REPLACE); invalid TTL; wrong version or checksum; bad data.
//!
//! `ttl` is in milliseconds, 0 for none; with ABSTTL it is a Unix time. Replicas and the AOF receive an absolute time:
//! `RESTORE key ms payload … ABSTTL`. A moment that has passed creates nothing; if a key was replaced, it is deleted, and
//! `DEL key` goes out (`UNLINK` with lazyfree-lazy-server-del).

use crate::base::number::{format_i64, parse_i64};
use crate::base::time::UnixMillis;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::keyspace::{Event, Expiry, Recency};
use crate::rdb::dump::{RestoreError, restore_checked as read_payload};
use crate::resp::args::{Args, OwnedArgs};
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "restore",
        group: Group::Generic,
        since: "2.6.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::KEYSPACE.and(Category::DANGEROUS),
        keys: &[KeySpec::one(1, Access::OW.and(Access::UPDATE))],
        summary: "Creates a key from the serialised form that DUMP returned.",
        complexity: "O(N), N being the size of the value",
        history: &[("3.0.0", "REPLACE."), ("5.0.0", "ABSTTL."), ("5.0.0", "IDLETIME and FREQ.")],
        args: &[
            Arg::key("key", 0),
            Arg::new("ttl", ArgKind::Integer),
            Arg::new("serialized-value", ArgKind::String),
            Arg::token("replace", "REPLACE").optional().since("3.0.0"),
            Arg::token("absttl", "ABSTTL").optional().since("5.0.0"),
            Arg::new("seconds", ArgKind::Integer).after("IDLETIME").optional().since("5.0.0"),
            Arg::new("frequency", ArgKind::Integer).after("FREQ").optional().since("5.0.0"),
        ],
        ..Meta::NEW
    },
    handler: restore,
};

/// RESTORE-ASKING: what MIGRATE sends between the nodes of a cluster. The same here.
pub const RESTORE_ASKING: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "restore-asking",
        group: Group::Server,
        since: "3.0.0",
        flags: SPEC.meta.flags.and(Flags::ASKING),
        summary: "Does what RESTORE does; nodes of a cluster send it to each other.",
        ..SPEC.meta
    },
    handler: restore,
};

#[derive(Default)]
struct Options {
    is_replace: bool,
    is_absolute: bool,
    idle_secs: Option<u64>,
    frequency: Option<u8>,
}

fn parse(args: &Args<'_>) -> Result<Options, CommandError> {
    let mut options = Options::default();
    let mut words = args.from(4);
    while let Some(word) = words.next() {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("REPLACE") {
            options.is_replace = true;
        } else if is("ABSTTL") {
            options.is_absolute = true;
        } else if is("IDLETIME") && options.frequency.is_none() {
            let secs = parse_i64(words.next().ok_or(CommandError::Syntax)?).ok_or(CommandError::NotInteger)?;
            let secs = u64::try_from(secs).map_err(|_| CommandError::err("Invalid IDLETIME value, must be >= 0"))?;
            options.idle_secs = Some(secs);
        } else if is("FREQ") && options.idle_secs.is_none() {
            let freq = parse_i64(words.next().ok_or(CommandError::Syntax)?).ok_or(CommandError::NotInteger)?;
            let refused = |_| CommandError::err("Invalid FREQ value, must be >= 0 and <= 255");
            options.frequency = Some(u8::try_from(freq).map_err(refused)?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(options)
}

fn restore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let options = parse(args)?;
    let (key, now) = (args.get(1), ctx.now.wall());
    if !options.is_replace && ctx.db.contains(key) {
        return Err(CommandError::text("BUSYKEY Target key name already exists.").into());
    }
    let ttl = parse_i64(args.get(2)).ok_or(CommandError::NotInteger)?;
    if ttl < 0 {
        return Err(CommandError::err("Invalid TTL value, must be >= 0").into());
    }
    let settings = ctx.settings;
    let value =
        read_payload(args.get(3), &settings.limits, !settings.is_checksum_skipped).map_err(|error| match error {
            RestoreError::VersionOrChecksum => CommandError::err("DUMP payload version or checksum are wrong"),
            RestoreError::BadData | RestoreError::UnsupportedType(_) => CommandError::err("Bad data format"),
        })?;
    let moment = match ttl {
        0 => None,
        ms if options.is_absolute => Some(UnixMillis(ms)),
        ms => Some(UnixMillis(ms.saturating_add(now.0))),
    };

    ctx.reply.ok();
    if moment.is_some_and(|at| at <= now) && ctx.settings.is_past_expiry_deletion {
        ctx.db.remove(key, Event::DEL);
        let word: &[u8] = if ctx.settings.is_server_del_lazy { b"UNLINK" } else { b"DEL" };
        return Ok(ctx.propagate(&[word, key]));
    }
    ctx.db.put(key, value, moment.map_or(Expiry::Clear, Expiry::At), Event::RESTORE);
    match (options.idle_secs, options.frequency) {
        (Some(secs), _) if !ctx.settings.is_lfu => ctx.db.set_recency(key, Recency::from_idle(secs, now)),
        (_, Some(freq)) if ctx.settings.is_lfu => ctx.db.set_recency(key, Recency::from_frequency(freq, now)),
        _ => {}
    }
    Ok(match moment {
        Some(at) if !options.is_absolute => ctx.propagate_with(|| absolute(args, at)),
        _ => Outcome::Done,
    })
}

/// The command with an absolute time.
fn absolute(args: &Args<'_>, at: UnixMillis) -> OwnedArgs {
    let mut command = OwnedArgs::new();
    for index in 0..args.len() {
        if index == 2 {
            command.push(&format_i64(at.0));
        } else {
            command.push_arg(args, index);
        }
    }
    command.push(b"ABSTTL");
    command
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    /// The string "x" as Redis 7.2 dumps it.
    const X: &str = r#""\x00\x01x\x0b\x00K_;,@w\xa1Y""#;

    #[test]
    fn a_payload_becomes_a_key() {
        transcript(&format!(
            "
            > RESTORE k 0 {X}
            +OK
            > GET k
            $x
            > TTL k
            :-1
            > RESTORE k 0 {X}
            -BUSYKEY Target key name already exists.
            > RESTORE k 5000 {X} replace
            +OK
            > PTTL k
            :5000
            > RESTORE k 2000000 {X} REPLACE ABSTTL IDLETIME 7
            +OK
            > PEXPIRETIME k
            :2000000
            > OBJECT IDLETIME k
            :7
            "
        ))
        .propagates(&[
            &format!("RESTORE k 0 {X}"),
            &format!("RESTORE k 1005000 {X} replace ABSTTL"),
            &format!("RESTORE k 2000000 {X} REPLACE ABSTTL IDLETIME 7"),
        ])
        .notifies(&["restore k", "restore k", "restore k"]);
    }

    #[test]
    fn a_moment_that_has_passed_creates_nothing_and_removes_what_it_replaces() {
        transcript(&format!(
            "
            > RESTORE k 1 {X} ABSTTL
            +OK
            > EXISTS k
            :0
            > SET k v
            +OK
            > RESTORE k 1 {X} ABSTTL REPLACE
            +OK
            > EXISTS k
            :0
            "
        ))
        .propagates(&["SET k v", "DEL k"])
        .notifies(&["set k", "del k"]);
    }

    #[test]
    fn wrong_arguments_are_refused_in_order() {
        transcript(
            r#"
            > SET k v
            +OK
            > RESTORE k x y FOO
            -ERR syntax error
            > RESTORE k x y IDLETIME -1
            -ERR Invalid IDLETIME value, must be >= 0
            > RESTORE k x y FREQ 256
            -ERR Invalid FREQ value, must be >= 0 and <= 255
            > RESTORE k x y IDLETIME 1 FREQ 1
            -ERR syntax error
            > RESTORE k x y
            -BUSYKEY Target key name already exists.
            > RESTORE n x y
            -ERR value is not an integer or out of range
            > RESTORE n -1 y
            -ERR Invalid TTL value, must be >= 0
            > RESTORE n 0 y
            -ERR DUMP payload version or checksum are wrong
            > RESTORE n 0 "\x00\x01x\x0b\x00K_;,@w\xa1Z"
            -ERR DUMP payload version or checksum are wrong
            > EXISTS n
            :0
            "#,
        )
        .propagates(&["SET k v"]);
    }
}
