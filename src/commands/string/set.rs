//! SET key value [NX | XX | IFEQ comparison] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]: stores a string.
//!
//! Reply:   OK; null when the condition forbade it. With GET: the string that was there before, or null.
//! Errors:  syntax error; invalid expire time; with GET or IFEQ, WRONGTYPE when `key` holds another type.
//! Source:  IFEQ is Valkey's: the string that is there must be `comparison`.
//!
//! Without options, which is nearly always, nothing is parsed. An earlier time to live is dropped unless KEEPTTL asks to
//! keep it.
//!
//! A relative time means another moment to a replica that reads it later, so replicas and the AOF receive
//! `SET key value PXAT ms`, and then NX, XX and GET are left out, having been decided here. GET alone is left out too, and
//! so is IFEQ, which Redis does not know.

use super::expiry::Unit;
use super::value::{reply_string, value_of};
use crate::base::number::format_i64;
use crate::base::time::UnixMillis;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::{IntText, Str};
use crate::keyspace::{Event, Expiry};
use crate::resp::args::{Args, OwnedArgs};
use crate::spec::keys::{KeyAt, KeyList};
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "set",
        group: Group::String,
        since: "1.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::UPDATE)).variable()],
        keys_by: Some(keys),
        summary: "Stores a string at a key, whatever was there before.",
        history: &[
            ("2.6.12", "EX, PX, NX and XX."),
            ("6.0.0", "KEEPTTL."),
            ("6.2.0", "GET, EXAT and PXAT."),
            ("7.0.0", "NX and GET may be combined."),
            ("8.1.0", "IFEQ, as in Valkey 8.1."),
        ],
        args: &[
            Arg::key("key", 0),
            Arg::new("value", ArgKind::String),
            Arg::one_of(
                "condition",
                &[
                    Arg::token("nx", "NX"),
                    Arg::token("xx", "XX"),
                    Arg::new("comparison-value", ArgKind::String).after("IFEQ").since("8.1.0"),
                ],
            )
            .optional()
            .since("2.6.12"),
            Arg::token("get", "GET").optional().since("6.2.0"),
            Arg::one_of(
                "expiration",
                &[
                    Arg::new("seconds", ArgKind::Integer).after("EX").since("2.6.12"),
                    Arg::new("milliseconds", ArgKind::Integer).after("PX").since("2.6.12"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT").since("6.2.0"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT").since("6.2.0"),
                    Arg::token("keepttl", "KEEPTTL").since("6.0.0"),
                ],
            )
            .optional(),
        ],
        ..Meta::NEW
    },
    handler: set,
};

/// The key is also read when GET or IFEQ is among the options.
fn keys(args: &Args<'_>) -> Option<KeyList> {
    let is_read = (3..args.len()).any(|index| args.is(index, "get") || args.is(index, "ifeq"));
    let access = if is_read { Access::RW.and(Access::ACCESS) } else { Access::OW };
    Some(KeyList::from_iter([KeyAt { index: 1, access: access.and(Access::UPDATE) }]))
}

fn set(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    if args.len() > 3 {
        return set_with_options(ctx, args);
    }
    ctx.db.put(args.get(1), value_of(args, 2), Expiry::Clear, Event::SET);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// When SET is allowed to act.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition<'a> {
    Always,
    /// NX
    Missing,
    /// XX
    Present,
    /// IFEQ
    Equal(&'a [u8]),
}

struct Options<'a> {
    condition: Condition<'a>,
    /// GET
    is_get: bool,
    /// KEEPTTL
    is_keepttl: bool,
    expiry: Option<(Unit, &'a [u8])>,
}

fn parse<'a>(args: &Args<'a>) -> Result<Options<'a>, CommandError> {
    let mut options = Options { condition: Condition::Always, is_get: false, is_keepttl: false, expiry: None };
    let mut words = args.from(3);
    while let Some(word) = words.next() {
        let allows = |condition| options.condition == Condition::Always || options.condition == condition;
        if word.eq_ignore_ascii_case(b"NX") && allows(Condition::Missing) {
            options.condition = Condition::Missing;
        } else if word.eq_ignore_ascii_case(b"XX") && allows(Condition::Present) {
            options.condition = Condition::Present;
        } else if word.eq_ignore_ascii_case(b"IFEQ") && options.condition == Condition::Always {
            options.condition = Condition::Equal(words.next().ok_or(CommandError::Syntax)?);
        } else if word.eq_ignore_ascii_case(b"GET") {
            options.is_get = true;
        } else if word.eq_ignore_ascii_case(b"KEEPTTL") && options.expiry.is_none() {
            options.is_keepttl = true;
        } else if let Some(unit) = Unit::named(word)
            && !options.is_keepttl
            && options.expiry.is_none_or(|(earlier, _)| earlier == unit)
        {
            // The same word may be repeated; the last one counts.
            options.expiry = Some((unit, words.next().ok_or(CommandError::Syntax)?));
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(options)
}

fn set_with_options(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let options = parse(args)?;
    let key = args.get(1);
    let expiry = match options.expiry {
        Some((unit, text)) => Some((unit, unit.moment(text, ctx.now.wall(), "set")?)),
        None => None,
    };
    if options.is_get {
        match ctx.db.read::<Str>(key)? {
            Some(value) => reply_string(&mut ctx.reply, value),
            None => ctx.reply.null(),
        }
    }
    let is_forbidden = match options.condition {
        Condition::Always => false,
        Condition::Missing => ctx.db.contains(key),
        Condition::Present => !ctx.db.contains(key),
        Condition::Equal(text) => {
            let value = ctx.db.peek::<Str>(key)?;
            value.is_none_or(|value| value.as_bytes(&mut IntText::new()) != text)
        }
    };
    if is_forbidden {
        if !options.is_get {
            ctx.reply.null();
        }
        return Ok(Outcome::Done);
    }

    put(ctx, key, args, 2, expiry.map(|(_, at)| at), options.is_keepttl);
    if !options.is_get {
        ctx.reply.ok();
    }
    let is_ifeq = matches!(options.condition, Condition::Equal(_));
    Ok(match expiry {
        // An absolute time in milliseconds says it all already.
        Some((Unit::AtMillis, _)) if !is_ifeq => Outcome::Done,
        Some((_, at)) => ctx.propagate_with(|| set_pxat(args, 2, at)),
        None if options.is_get || is_ifeq => ctx.propagate_with(|| without_get_and_ifeq(args)),
        None => Outcome::Done,
    })
}

/// Stores argument `value`, and when it expires, with both events.
pub(super) fn put(
    ctx: &mut DataCtx<'_>,
    key: &[u8],
    args: &Args<'_>,
    value: usize,
    at: Option<UnixMillis>,
    is_keepttl: bool,
) {
    let expiry = match at {
        Some(at) => Expiry::At(at),
        None if is_keepttl => Expiry::Keep,
        None => Expiry::Clear,
    };
    ctx.db.put(key, value_of(args, value), expiry, Event::SET);
    if at.is_some() {
        ctx.db.note(key, Event::EXPIRE);
    }
}

/// `SET key value PXAT ms`, the value being argument `value`.
pub(super) fn set_pxat(args: &Args<'_>, value: usize, at: UnixMillis) -> OwnedArgs {
    let mut command = OwnedArgs::of(&[b"SET", args.get(1)]);
    command.push_arg(args, value);
    command.push(b"PXAT");
    command.push(&format_i64(at.0));
    command
}

fn without_get_and_ifeq(args: &Args<'_>) -> OwnedArgs {
    let mut command = OwnedArgs::new();
    let mut index = 0;
    while index < args.len() {
        match index {
            3.. if args.is(index, "GET") => {}
            3.. if args.is(index, "IFEQ") => index += 1,
            _ => command.push_arg(args, index),
        }
        index += 1;
    }
    command
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_plain_set_replaces_whatever_was_there_and_drops_the_time_to_live() {
        transcript(
            "
            > SET k a EX 10
            +OK
            > SET k b
            +OK
            > TTL k
            :-1
            > SET k c KEEPTTL
            +OK
            ",
        )
        .propagates(&["SET k a PXAT 1010000", "SET k b", "SET k c KEEPTTL"])
        .notifies(&["set k", "expire k", "set k", "set k"]);
    }

    #[test]
    fn nx_and_xx_decide_by_existence() {
        transcript(
            "
            > SET k a XX
            nil
            > SET k a NX
            +OK
            > SET k b NX
            nil
            > SET k b XX
            +OK
            > SET k c xx XX
            +OK
            > GET k
            $c
            ",
        )
        .propagates(&["SET k a NX", "SET k b XX", "SET k c xx XX"])
        .notifies(&["set k", "set k", "set k"]);
    }

    #[test]
    fn get_answers_with_the_old_value_whether_or_not_it_is_replaced() {
        transcript(
            "
            > SET k a GET
            nil
            > SET k b get Get
            $a
            > SET k c NX GET
            $b
            > SET k c GET XX
            $b
            > SET new x GET XX
            nil
            > GET k
            $c
            > SET k d GET KEEPTTL
            $c
            > SET k e GET EX 5
            $d
            ",
        )
        .propagates(&["SET k a", "SET k b", "SET k c XX", "SET k d KEEPTTL", "SET k e PXAT 1005000"]);
    }

    #[test]
    fn every_expiry_becomes_one_moment_in_milliseconds() {
        transcript(
            "
            > SET k v EX 10 NX
            +OK
            > SET k v px 10
            +OK
            > SET k v EXAT 2000 XX
            +OK
            > SET k v PXAT 2000000
            +OK
            > PEXPIRETIME k
            :2000000
            > SET k v EX 1 EX 2
            +OK
            ",
        )
        .propagates(&[
            "SET k v PXAT 1010000",
            "SET k v PXAT 1000010",
            "SET k v PXAT 2000000",
            "SET k v PXAT 2000000",
            "SET k v PXAT 1002000",
        ]);
    }

    #[test]
    fn ifeq_decides_by_the_present_value() {
        transcript(
            "
            > SET k a IFEQ a
            nil
            > SET k a
            +OK
            > SET k b IFEQ x
            nil
            > SET k 7 ifeq a
            +OK
            > SET k 8 KEEPTTL IFEQ 7
            +OK
            > SET k 9 IFEQ 07 GET
            $8
            > SET k 9 GET IFEQ 8 EX 10
            $8
            > SET k 10 PXAT 2000000 IFEQ 9
            +OK
            > SET new x GET IFEQ x
            nil
            > GET k
            $10
            > SET k b NX IFEQ 10
            -ERR syntax error
            > SET k b IFEQ 10 XX
            -ERR syntax error
            > SET k b IFEQ 10 IFEQ 10
            -ERR syntax error
            > SET k b IFEQ
            -ERR syntax error
            > SADD s a
            :1
            > SET s b IFEQ a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&[
            "SET k a",
            "SET k 7",
            "SET k 8 KEEPTTL",
            "SET k 9 PXAT 1010000",
            "SET k 10 PXAT 2000000",
            "SADD s a",
        ]);
    }

    #[test]
    fn keepttl_keeps_it() {
        transcript(
            "
            > SET k v PXAT 2000000
            +OK
            > SET k w KEEPTTL
            +OK
            > PEXPIRETIME k
            :2000000
            ",
        );
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        transcript(
            "
            > SET k v NX XX
            -ERR syntax error
            > SET k v EX
            -ERR syntax error
            > SET k v EX 1 PX 1
            -ERR syntax error
            > SET k v EX 1 KEEPTTL
            -ERR syntax error
            > SET k v KEEPTTL EX 1
            -ERR syntax error
            > SET k v PERSIST
            -ERR syntax error
            > SET k v NX EX ten
            -ERR value is not an integer or out of range
            > SET k v EX 0
            -ERR invalid expire time in 'set' command
            > SET k v PX -5
            -ERR invalid expire time in 'set' command
            > SET k v EX 9223372036854775
            -ERR invalid expire time in 'set' command
            > SET k v PX 9223372036854775807
            -ERR invalid expire time in 'set' command
            > EXISTS k
            :0
            ",
        )
        .propagates(&[])
        .notifies(&[]);
    }

    #[test]
    fn only_get_and_ifeq_make_the_old_value_an_access() {
        use crate::resp::args::OwnedArgs;
        use crate::spec::keys::keys_of;
        let words = |words: &[&[u8]]| {
            let keys = keys_of(&super::SPEC.meta, &OwnedArgs::of(words).as_args()).unwrap();
            keys[0].access.words().collect::<Vec<_>>()
        };
        assert_eq!(words(&[b"set", b"k", b"get"]), ["OW", "update"]);
        assert_eq!(words(&[b"set", b"k", b"v", b"NX", b"GET"]), ["RW", "access", "update"]);
        assert_eq!(words(&[b"set", b"k", b"v", b"IFEQ", b"x"]), ["RW", "access", "update"]);
    }
}
