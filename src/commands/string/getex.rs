//! GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]: the string stored at `key`, changing when it expires.
//!
//! Reply:   bulk string, or null when `key` does not exist.
//! Errors:  WRONGTYPE when `key` holds another type; syntax error; invalid expire time.
//!
//! Replicas and the AOF receive what happened to the key: `PEXPIREAT key ms`, `PERSIST key`, `DEL key` (`UNLINK` with
//! lazyfree-lazy-expire) for a moment that has passed, and nothing when no time to live changed.

use super::expiry::Unit;
use super::value::reply_string;
use crate::base::number::format_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::Str;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "getex",
        group: Group::String,
        since: "6.2.0",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE))],
        summary: "Returns the string at a key and changes when the key expires.",
        args: &[
            Arg::key("key", 0),
            Arg::one_of(
                "expiration",
                &[
                    Arg::new("seconds", ArgKind::Integer).after("EX"),
                    Arg::new("milliseconds", ArgKind::Integer).after("PX"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT"),
                    Arg::token("persist", "PERSIST"),
                ],
            )
            .optional(),
        ],
        ..Meta::NEW
    },
    handler: getex,
};

/// What is to happen to the expiry.
enum Change<'a> {
    None,
    Persist,
    At(Unit, &'a [u8]),
}

fn parse<'a>(args: &Args<'a>) -> Result<Change<'a>, CommandError> {
    let mut change = Change::None;
    let mut words = args.from(2);
    while let Some(word) = words.next() {
        change = match (Unit::named(word), &change) {
            // The same word may be repeated; the last one counts.
            (Some(unit), Change::None) => Change::At(unit, words.next().ok_or(CommandError::Syntax)?),
            (Some(unit), Change::At(earlier, _)) if unit == *earlier => {
                Change::At(unit, words.next().ok_or(CommandError::Syntax)?)
            }
            (None, Change::None | Change::Persist) if word.eq_ignore_ascii_case(b"PERSIST") => Change::Persist,
            _ => return Err(CommandError::Syntax),
        };
    }
    Ok(change)
}

fn getex(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let change = parse(args)?;
    let key = args.get(1);
    let Some(value) = ctx.db.read::<Str>(key)? else {
        ctx.reply.null();
        return Ok(Outcome::Done);
    };
    let now = ctx.now.wall();
    let moment = match change {
        Change::At(unit, text) => Some((unit, unit.moment(text, now, "getex")?)),
        Change::None | Change::Persist => None,
    };
    reply_string(&mut ctx.reply, value);
    match (change, moment) {
        (_, Some((unit, at))) if !unit.is_relative() && at <= now && ctx.settings.is_past_expiry_deletion => {
            ctx.db.remove(key, Event::DEL);
            let word: &[u8] = if ctx.settings.is_expire_lazy { b"UNLINK" } else { b"DEL" };
            Ok(ctx.propagate(&[word, key]))
        }
        (_, Some((_, at))) => {
            ctx.db.expire_at(key, Some(at), Event::EXPIRE);
            Ok(ctx.propagate(&[b"PEXPIREAT", key, &format_i64(at.0)]))
        }
        (Change::Persist, None) if matches!(ctx.db.peek_expiry(key), Some(Some(_))) => {
            ctx.db.expire_at(key, None, Event::PERSIST);
            Ok(ctx.propagate(&[b"PERSIST", key]))
        }
        (_, None) => Ok(Outcome::Done),
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn each_option_changes_the_expiry_and_is_propagated_as_what_happened() {
        transcript(
            "
            > SET k v
            +OK
            > GETEX k
            $v
            > GETEX k EX 10
            $v
            > PTTL k
            :10000
            > GETEX k px 20
            $v
            > GETEX k EXAT 1010
            $v
            > GETEX k PXAT 1010001
            $v
            > PEXPIRETIME k
            :1010001
            > GETEX k PERSIST
            $v
            > GETEX k PERSIST
            $v
            > TTL k
            :-1
            > GETEX missing PERSIST
            nil
            ",
        )
        .propagates(&[
            "SET k v",
            "PEXPIREAT k 1010000",
            "PEXPIREAT k 1000020",
            "PEXPIREAT k 1010000",
            "PEXPIREAT k 1010001",
            "PERSIST k",
        ])
        .notifies(&["set k", "expire k", "expire k", "expire k", "expire k", "persist k"]);
    }

    #[test]
    fn a_moment_that_has_passed_deletes_the_key() {
        transcript(
            "
            > SET k v
            +OK
            > GETEX k PXAT 1
            $v
            > EXISTS k
            :0
            ",
        )
        .propagates(&["SET k v", "DEL k"])
        .notifies(&["set k", "del k"]);
    }

    #[test]
    fn wrong_options_are_refused_before_anything_is_done() {
        transcript(
            "
            > SET k v
            +OK
            > GETEX k EX
            -ERR syntax error
            > GETEX k EX 10 PX 10
            -ERR syntax error
            > GETEX k EX 10 PERSIST
            -ERR syntax error
            > GETEX k KEEPTTL
            -ERR syntax error
            > GETEX k EX foo
            -ERR value is not an integer or out of range
            > GETEX k EX 0
            -ERR invalid expire time in 'getex' command
            > GETEX missing EX 0
            nil
            > GETEX k EX 1 EX 5
            $v
            ",
        )
        .propagates(&["SET k v", "PEXPIREAT k 1005000"]);
    }
}
