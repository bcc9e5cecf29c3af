//! XREAD [COUNT n] [BLOCK ms] STREAMS key [key …] id [id …]: what came after an id, of several streams.
//!
//! Reply:   for each stream that has something its key and an array of entries (RESP3: as a map); null when none has.
//! Errors:  WRONGTYPE; syntax error; a key without an id; invalid id; what only XREADGROUP knows; a bad timeout.
//!
//! `$` is the last id at this moment. With BLOCK and nothing there the client waits, and the command runs again with the ids
//! that `$` stood for when it was given.

use super::read::{Request, Streams, after};
use super::reply;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::{Id, Stream};
use crate::resp::args::{Args, OwnedArgs};
use crate::spec::{Access, Arg, ArgKind, Arity, BeginSearch, Category, FindKeys, Flags, Group, KeySpec, Meta, Spec};

/// Keys and ids, half of the rest each.
pub(super) const STREAMS: Arg =
    Arg::block("streams", &[Arg::key("key", 0).multiple(), Arg::new("ID", ArgKind::String).multiple()])
        .after("STREAMS");

/// The keys after STREAMS, looked for from a word on.
pub(super) const fn streams_from(from: isize) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Keyword { word: "STREAMS", from },
        find: FindKeys::Range { last: -1, step: 1, limit: 2 },
        ..KeySpec::one(1, Access::RO.and(Access::ACCESS))
    }
}

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xread",
        group: Group::Stream,
        since: "5.0.0",
        arity: Arity::AtLeast(4),
        flags: Flags::READONLY.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
        categories: Category::STREAM,
        keys: &[streams_from(1)],
        summary: "Returns the entries after an id of one or more streams, or waits for them.",
        complexity: "O(N) for the N entries returned",
        args: &[
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
            Arg::new("milliseconds", ArgKind::Integer).after("BLOCK").optional(),
            STREAMS,
        ],
        ..Meta::NEW
    },
    handler: xread,
};

fn xread(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let request = Request::read(ctx, args, false)?;
    let mut starts = Vec::with_capacity(request.streams);
    for (index, key) in request.keys(args).enumerate() {
        let last_id = ctx.db.read::<Stream>(key)?.map_or(Id::MIN, |stream| stream.log().last_id());
        starts.push(match args.get(request.id_at(index)) {
            b"$" => last_id,
            b">" => {
                return Err(CommandError::err(
                    "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                )
                .into());
            }
            text => after(text)?,
        });
    }

    let mut streams = Streams::default();
    for (key, start) in request.keys(args).zip(&starts) {
        let Some(stream) = ctx.db.read::<Stream>(key)? else { continue };
        let Some(first) = start.next().filter(|first| stream.log().last_entry_id().is_some_and(|last| last >= *first))
        else {
            continue;
        };
        streams.begin(&mut ctx.reply, key);
        reply::entries(&mut ctx.reply, stream.log().range(first, Id::MAX), request.max);
    }
    if streams.finish(&mut ctx.reply) {
        return Ok(Outcome::Done);
    }
    if let Some(mut blocking) = request.blocking(ctx, args) {
        blocking.again = spelled_out(&request, args, &starts);
        return Ok(blocking.into());
    }
    ctx.reply.null_array();
    Ok(Outcome::Done)
}

/// The words with what `$` stands for, if it is among them: later it would be something else.
fn spelled_out(request: &Request<'_>, args: &Args<'_>, starts: &[Id]) -> Option<OwnedArgs> {
    let first_id = request.id_at(0);
    let is_now = |index: usize| index >= first_id && args.get(index) == b"$";
    if !(first_id..args.len()).any(is_now) {
        return None;
    }
    let mut words = OwnedArgs::new();
    for index in 0..args.len() {
        match is_now(index) {
            true => words.push(&starts[index - first_id].text()),
            false => words.push_arg(args, index),
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    const TWO: &str = "
        > XADD a 1-0 f 1
        $1-0
        > XADD a 2-0 f 2
        $2-0
        > XADD b 5-0 f 5
        $5-0
    ";

    #[test]
    fn streams_with_something_new_are_told() {
        let rest = "
            > XREAD STREAMS a b missing 1 5 0
            *1
            *2
            $a
            *1
            *2
            $2-0
            *2
            $f
            $2
            > xread count 1 streams a b 0 0
            *2
            *2
            $a
            *1
            *2
            $1-0
            *2
            $f
            $1
            *2
            $b
            *1
            *2
            $5-0
            *2
            $f
            $5
            > XREAD COUNT -1 STREAMS b $
            nil
            > XREAD STREAMS a 18446744073709551615-18446744073709551615
            nil
            @resp3
            > XREAD STREAMS b 0
            %1
            $b
            *1
            *2
            $5-0
            *2
            $f
            $5
            > XREAD STREAMS b 5
            _
        ";
        transcript(&format!("{TWO}{rest}")).propagates(&["XADD a 1-0 f 1", "XADD a 2-0 f 2", "XADD b 5-0 f 5"]);
    }

    #[test]
    fn a_last_entry_that_was_deleted_is_nothing_new() {
        let rest = "
            > XDEL a 2-0
            :1
            > XREAD STREAMS a 1-0
            nil
        ";
        transcript(&format!("{TWO}{rest}"));
    }

    #[test]
    fn words_that_do_not_fit_are_refused() {
        transcript(
            "
            > XREAD COUNT 1 STREAMS
            -ERR syntax error
            > XREAD STREAMS a b 0
            -ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.
            > XREAD COUNT x STREAMS a 0
            -ERR value is not an integer or out of range
            > XREAD BLOCK x STREAMS a 0
            -ERR timeout is not an integer or out of range
            > XREAD BLOCK -1 STREAMS a 0
            -ERR timeout is negative
            > XREAD BLOCK 9223372036854775807 STREAMS a 0
            -ERR timeout is out of range
            > XREAD STREAMS a >
            -ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.
            > XREAD STREAMS a -
            -ERR Invalid stream ID specified as stream command argument
            > XREAD GROUP g c STREAMS a 0
            -ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.
            > XREAD NOACK STREAMS a 0
            -ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.
            > XREAD WHAT STREAMS a 0
            -ERR syntax error
            > SET k v
            +OK
            > XREAD STREAMS a k 0 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
