//! XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value [field value …]: adds an entry to
//! a stream, and may trim it in the same breath.
//!
//! Reply:   the id of the entry; null when the key is missing and NOMKSTREAM forbids to make it.
//! Errors:  WRONGTYPE; wrong number of arguments, when a field has no value; invalid id; an id that is not larger than the
//!          last; what is wrong about trimming; elements too large.
//!
//! The id is the time (`*`), or a time with the next sequence number (`ms-*`), or given; it never goes back. Replicas and the
//! AOF get it spelled out, and approximate trimming as exact, with what it left.

use super::args::{Left, TrimOptions, bad_id, node_limits, now_ms};
use super::reply;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::{AddError, GivenId, Id, Log, Stream, WantedId};
use crate::keyspace::{Event, Notes};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The words of trimming, which XTRIM has too.
pub(super) const TRIM_ARGS: &[Arg] = &[
    Arg::one_of("strategy", &[Arg::token("maxlen", "MAXLEN"), Arg::token("minid", "MINID").since("6.2.0")]),
    Arg::one_of("operator", &[Arg::token("equal", "="), Arg::token("approximately", "~")]).optional(),
    Arg::new("threshold", ArgKind::String),
    Arg::new("count", ArgKind::Integer).after("LIMIT").optional().since("6.2.0"),
];

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xadd",
        group: Group::Stream,
        since: "5.0.0",
        arity: Arity::AtLeast(5),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::STREAM,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Adds an entry to a stream, creating the key when it is missing.",
        complexity: "O(1); when it trims, O(N) for the N entries that go",
        history: &[("6.2.0", "NOMKSTREAM, MINID and LIMIT."), ("7.0.0", "Ids of the form ms-*.")],
        tips: &["nondeterministic_output"],
        args: &[
            Arg::key("key", 0),
            Arg::token("nomkstream", "NOMKSTREAM").optional().since("6.2.0"),
            Arg::block("trim", TRIM_ARGS).optional(),
            Arg::one_of("id-selector", &[Arg::token("auto-id", "*"), Arg::new("id", ArgKind::String)]),
            Arg::block("data", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]).multiple(),
        ],
        ..Meta::NEW
    },
    handler: xadd,
};

fn xadd(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let options = TrimOptions::of_xadd(ctx, args)?;
    let first_pair = options.next + 1;
    if args.len() < first_pair + 2 || !(args.len() - first_pair).is_multiple_of(2) {
        return Err(CommandError::WrongArity { command: "xadd".to_owned() }.into());
    }
    let (wanted, is_spelled_out) = match args.get(options.next) {
        b"*" => (WantedId::Auto { now: now_ms(ctx).max(0) as u64 }, false),
        text => {
            let given = Id::parse_given(text).map_err(|_| bad_id())?;
            if given == GivenId::Whole(Id::MIN) {
                return Err(CommandError::err("The ID specified in XADD must be greater than 0-0").into());
            }
            (WantedId::Given(given), matches!(given, GivenId::Whole(_)))
        }
    };

    let (args, limits, key) = (*args, node_limits(ctx), args.get(1));
    let pairs = (first_pair..args.len()).step_by(2).map(move |index| (args.get(index), args.get(index + 1)));
    let add = |stream: &mut Stream, notes: &mut Notes| -> Result<(Id, Left), AddError> {
        let log = stream.log_mut();
        let id = log.next_id(wanted)?;
        Log::check_size(pairs.clone())?;
        log.add(id, pairs.clone(), limits);
        notes.changed(Event::XADD, 1);
        let Some(trim) = options.trim else { return Ok((id, Left { len: 0, first_kept: Id::MIN })) };
        if log.trim(trim) > 0 {
            notes.event(Event::XTRIM);
        }
        Ok((id, Left::of(stream)))
    };
    let added = if options.is_nomkstream {
        let Some(added) = ctx.db.edit::<Stream, _>(key, add)? else {
            ctx.reply.null();
            return Ok(Outcome::Done);
        };
        added
    } else {
        ctx.db.edit_or_create::<Stream, _>(key, add)?
    };
    let (id, left) = added.map_err(refusal)?;
    reply::id(&mut ctx.reply, id);
    let is_approximate = options.trim.is_some_and(|trim| trim.is_approximate);
    if is_spelled_out && !is_approximate {
        return Ok(Outcome::Done);
    }
    Ok(ctx.propagate_with(|| options.exact(&args, &left, (!is_spelled_out).then_some(id))))
}

fn refusal(error: AddError) -> CommandError {
    CommandError::err(match error {
        AddError::Exhausted => "The stream has exhausted the last possible ID, unable to add more items",
        AddError::NotLarger => "The ID specified in XADD is equal or smaller than the target stream top item",
        AddError::TooLarge => "Elements are too large to be stored",
    })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn ids_follow_the_clock_and_are_spelled_out_to_replicas() {
        transcript(
            "
            > XADD s * f v
            $1000000-0
            > XADD s * f v
            $1000000-1
            @advance 5
            > XADD s * f v
            $1000005-0
            > XADD s 2000000-* f v
            $2000000-0
            > XADD s 2000000-* f v
            $2000000-1
            > XADD s * f v
            $2000000-2
            > XADD s 2000001 f v
            $2000001-0
            > XADD s 2000001-7 f v g w
            $2000001-7
            > XRANGE s 2000001-7 +
            *1
            *2
            $2000001-7
            *4
            $f
            $v
            $g
            $w
            > XADD z 0-* f v
            $0-1
            ",
        )
        .propagates(&[
            "XADD s 1000000-0 f v",
            "XADD s 1000000-1 f v",
            "XADD s 1000005-0 f v",
            "XADD s 2000000-0 f v",
            "XADD s 2000000-1 f v",
            "XADD s 2000000-2 f v",
            "XADD s 2000001 f v",
            "XADD s 2000001-7 f v g w",
            "XADD z 0-1 f v",
        ]);
    }

    #[test]
    fn ids_never_go_back_and_end() {
        transcript(
            "
            > XADD s 0-0 f v
            -ERR The ID specified in XADD must be greater than 0-0
            > XADD s 5-5 f v
            $5-5
            > XADD s 5-5 f v
            -ERR The ID specified in XADD is equal or smaller than the target stream top item
            > XADD s 4-* f v
            -ERR The ID specified in XADD is equal or smaller than the target stream top item
            > XADD s 18446744073709551615-18446744073709551615 f v
            $18446744073709551615-18446744073709551615
            > XADD s * f v
            -ERR The stream has exhausted the last possible ID, unable to add more items
            > XADD s 1-1 f v
            -ERR The stream has exhausted the last possible ID, unable to add more items
            > XLEN s
            :2
            ",
        )
        .notifies(&["xadd s", "xadd s"]);
    }

    #[test]
    fn nomkstream_only_adds_to_what_is_there() {
        transcript(
            "
            > XADD s NOMKSTREAM * f v
            nil
            > EXISTS s
            :0
            > XADD s 1-0 f v
            $1-0
            > XADD s NOMKSTREAM 2-0 f v
            $2-0
            > SET k v
            +OK
            > XADD k NOMKSTREAM * f v
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > XADD k * f v
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        )
        .propagates(&["XADD s 1-0 f v", "XADD s NOMKSTREAM 2-0 f v", "SET k v"]);
    }

    #[test]
    fn trimming_is_exact_to_replicas() {
        transcript(
            "
            > XADD s 1-0 f v
            $1-0
            > XADD s MAXLEN ~ 1 2-0 f v
            $2-0
            > XADD s MAXLEN ~ 1 LIMIT 7 * f v
            $1000000-0
            > XADD s MINID ~ 2 * f v
            $1000000-1
            > XADD s MAXLEN = 2 * f v
            $1000000-2
            > XADD s MAXLEN 1 1000001-0 f v
            $1000001-0
            > XADD s maxlen 0 1000002-0 f v
            $1000002-0
            > XLEN s
            :0
            > XADD s MINID ~ 3 * f v
            $1000002-1
            ",
        )
        .propagates(&[
            "XADD s 1-0 f v",
            "XADD s MAXLEN = 2 2-0 f v",
            "XADD s MAXLEN = 3 LIMIT 7 1000000-0 f v",
            "XADD s MINID = 1-0 1000000-1 f v",
            "XADD s MAXLEN = 2 1000000-2 f v",
            "XADD s MAXLEN 1 1000001-0 f v",
            "XADD s maxlen 0 1000002-0 f v",
            "XADD s MINID = 1000002-1 1000002-1 f v",
        ])
        .notifies(&[
            "xadd s", "xadd s", "xadd s", "xadd s", "xadd s", "xtrim s", "xadd s", "xtrim s", "xadd s", "xtrim s",
            "xadd s",
        ]);
    }

    #[test]
    fn words_that_do_not_fit_are_refused_and_nothing_is_made() {
        transcript(
            "
            > XADD s * f
            -ERR wrong number of arguments for 'xadd' command
            > XADD s * f v g
            -ERR wrong number of arguments for 'xadd' command
            > XADD s MAXLEN 5 * f
            -ERR wrong number of arguments for 'xadd' command
            > XADD s what f v
            -ERR Invalid stream ID specified as stream command argument
            > XADD s 1-x f v
            -ERR Invalid stream ID specified as stream command argument
            > XADD s - f v
            -ERR Invalid stream ID specified as stream command argument
            > XADD s MAXLEN -1 * f v
            -ERR The MAXLEN argument must be >= 0.
            > XADD s MAXLEN x * f v
            -ERR value is not an integer or out of range
            > XADD s MINID x * f v
            -ERR Invalid stream ID specified as stream command argument
            > XADD s MAXLEN 1 MINID 1 * f v
            -ERR syntax error, MAXLEN and MINID options at the same time are not compatible
            > XADD s LIMIT 1 * f v
            -ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
            > XADD s MAXLEN ~ 1 LIMIT -1 * f v
            -ERR The LIMIT argument must be >= 0.
            > XADD s MAXLEN 1 LIMIT 1 * f v
            -ERR syntax error, LIMIT cannot be used without the special ~ option
            > XADD s MAXLEN 1 LIMIT 1 bad f v
            -ERR Invalid stream ID specified as stream command argument
            > XADD s MAXLEN 5 * f v g
            -ERR wrong number of arguments for 'xadd' command
            > EXISTS s
            :0
            ",
        )
        .propagates(&[])
        .notifies(&[]);
    }
}
