//! SCAN cursor [MATCH pattern] [COUNT n] [TYPE name]: walks over the key names, a few at a time.
//!
//! Reply:   array of the next cursor (a bulk string; 0 means the walk is over) and an array of names.
//! Errors:  invalid cursor; syntax error; not an integer.
//!
//! A key that exists from the first call of a walk to the last is returned at least once, however the database grows or
//! shrinks meanwhile; others may be returned, some more than once. COUNT is how many keys a call looks at, so MATCH and
//! TYPE may leave an answer empty in the middle of a walk. Of keys whose time is over those that MATCH wants are removed.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::scanning::{Extra, Page, ScanOptions, parse_cursor};
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

fn scan(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let cursor = parse_cursor(args.get(1))?;
    let options = ScanOptions::parse(args, 2, Extra::Type)?;
    let mut page = Page::default();
    let is_wanted = |key: &[u8]| options.matches(key);
    let next = ctx.db.scan(cursor, options.count, is_wanted, |key, type_name| {
        if options.type_name.is_none_or(|name| name.eq_ignore_ascii_case(type_name.as_str().as_bytes())) {
            page.push(key);
        }
    });
    page.reply(&mut ctx.reply, next);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
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
}
