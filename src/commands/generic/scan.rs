//! SCAN cursor [MATCH pattern] [COUNT n] [TYPE name]: walks over the key names, a few at a time.
//!
//! Reply:   array of the next cursor (a bulk string; 0 means the walk is over) and an array of names.
//! Errors:  invalid cursor; syntax error; not an integer.
//!
//! A key that exists from the first call of a walk to the last is returned at least once, however the database grows or
//! shrinks meanwhile; others may be returned, some more than once. COUNT is how many keys a call looks at, so MATCH and
//! TYPE may leave an answer empty in the middle of a walk.

use crate::base::glob;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::resp::args::Args;
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "scan",
        group: Group::Generic,
        since: "2.8.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY.and(Flags::TOUCHES_ARBITRARY_KEYS),
        categories: Category::KEYSPACE,
        summary: "Walks over the key names, a few at a time.",
        complexity: "O(1) for a call, O(N) for a full walk, N being the number of keys in the database",
        history: &[("6.0.0", "TYPE.")],
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
        args: &[
            Arg::new("cursor", ArgKind::Integer),
            Arg::new("pattern", ArgKind::Pattern).after("MATCH").optional(),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
            Arg::new("type", ArgKind::String).after("TYPE").optional().since("6.0.0"),
        ],
        ..Meta::NEW
    },
    handler: scan,
};

struct Options<'a> {
    count: i64,
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
}

fn parse<'a>(args: &Args<'a>) -> Result<Options<'a>, CommandError> {
    let mut options = Options { count: 10, pattern: None, type_name: None };
    let mut words = args.from(2);
    while let Some(word) = words.next() {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if !is("COUNT") && !is("MATCH") && !is("TYPE") {
            return Err(CommandError::Syntax);
        }
        let value = words.next().ok_or(CommandError::Syntax)?;
        if is("COUNT") {
            options.count = parse_i64(value).ok_or(CommandError::NotInteger)?;
            if options.count < 1 {
                return Err(CommandError::Syntax);
            }
        } else if is("MATCH") {
            options.pattern = (value != b"*").then_some(value);
        } else {
            options.type_name = Some(value);
        }
    }
    Ok(options)
}

fn scan(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let cursor = parse_cursor(args.get(1)).ok_or_else(|| CommandError::err("invalid cursor"))?;
    let options = parse(args)?;
    // The cursor comes first in the answer but is known last, so the names wait here.
    let (mut names, mut lengths) = (Vec::new(), Vec::new());
    let next = ctx.db.scan(cursor, options.count as usize, |key, type_name| {
        let is_wanted = options.pattern.is_none_or(|pattern| glob::matches(pattern, key))
            && options.type_name.is_none_or(|name| name.eq_ignore_ascii_case(type_name.as_str().as_bytes()));
        if is_wanted {
            names.extend_from_slice(key);
            lengths.push(key.len());
        }
    });
    ctx.reply.array(2);
    ctx.reply.bulk_display(next);
    ctx.reply.array(lengths.len());
    let mut rest = &names[..];
    for length in lengths {
        let (name, more) = rest.split_at(length);
        ctx.reply.bulk(name);
        rest = more;
    }
    Ok(Outcome::Done)
}

/// Reads a cursor as C's `strtoul` does, since that is what clients have always been able to send: an empty text is 0, a
/// sign is allowed, a minus wraps around.
fn parse_cursor(text: &[u8]) -> Option<u64> {
    let (is_negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if is_negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::transcript;

    #[test]
    fn a_small_database_is_walked_in_one_call() {
        transcript(
            "
            > SCAN 0
            *2
            $0
            *0
            > MSET foo 1 bar 2
            +OK
            > SCAN 0 MATCH f* COUNT 100
            *2
            $0
            *1
            $foo
            > SCAN 0 TYPE STRING match bar count 100
            *2
            $0
            *1
            $bar
            > SCAN 0 TYPE list COUNT 100
            *2
            $0
            *0
            > SCAN 0 TYPE nonsense COUNT 100
            *2
            $0
            *0
            ",
        );
    }

    #[test]
    fn keys_met_after_their_time_are_removed_and_not_returned() {
        transcript(
            "
            > SET k v PX 10
            +OK
            @advance 11
            > SCAN 0
            *2
            $0
            *0
            ",
        )
        .propagates(&["SET k v PXAT 1000010", "DEL k"])
        .notifies(&["set k", "expire k", "expired k"]);
    }

    #[test]
    fn several_such_keys_are_propagated_each_by_itself() {
        transcript(
            "
            > SET a v PX 10
            +OK
            > SET b v PX 10
            +OK
            @advance 11
            > SCAN 0 COUNT 100
            *2
            $0
            *0
            ",
        )
        .propagates_in_any_order(&["SET a v PXAT 1000010", "SET b v PXAT 1000010", "DEL a", "DEL b"]);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        transcript(
            "
            > SCAN x
            -ERR invalid cursor
            > SCAN 18446744073709551616
            -ERR invalid cursor
            > SCAN 0 COUNT
            -ERR syntax error
            > SCAN 0 COUNT 0
            -ERR syntax error
            > SCAN 0 COUNT x
            -ERR value is not an integer or out of range
            > SCAN 0 FOO bar
            -ERR syntax error
            ",
        );
    }

    #[test]
    fn cursors_are_read_as_c_reads_them() {
        for (text, cursor) in [
            ("", Some(0)),
            ("0", Some(0)),
            ("007", Some(7)),
            ("+5", Some(5)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            (" 1", None),
            ("1 ", None),
            ("-", None),
            ("1a", None),
        ] {
            assert_eq!(parse_cursor(text.as_bytes()), cursor, "{text:?}");
        }
    }
}
