//! XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]: takes the oldest entries away.
//!
//! Reply:   integer, how many entries went; 0 for a missing key.
//! Errors:  WRONGTYPE; syntax errors; what is wrong about the threshold or LIMIT.
//!
//! With `~` only whole nodes go, which is cheap. Replicas and the AOF then get an exact threshold, see [`TrimOptions::exact`].

use super::args::{Left, TrimOptions};
use super::xadd::TRIM_ARGS;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::Stream;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xtrim",
        group: Group::Stream,
        since: "5.0.0",
        arity: Arity::AtLeast(4),
        flags: Flags::WRITE,
        categories: Category::STREAM,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Takes the oldest entries of a stream away.",
        complexity: "O(N) for the N entries that go, most of them many at a time",
        history: &[("6.2.0", "MINID and LIMIT.")],
        tips: &["nondeterministic_output"],
        args: &[Arg::key("key", 0), Arg::block("trim", TRIM_ARGS)],
        ..Meta::NEW
    },
    handler: xtrim,
};

fn xtrim(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let options = TrimOptions::of_xtrim(ctx, args)?;
    let trim = options.trim.expect("XTRIM is refused without");
    let trimmed = ctx.db.edit::<Stream, _>(args.get(1), |stream, notes| {
        let trimmed = stream.log_mut().trim(trim);
        if trimmed > 0 {
            notes.changed(Event::XTRIM, trimmed);
        }
        (trimmed, Left::of(stream))
    })?;
    let Some((trimmed, left)) = trimmed else {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    };
    ctx.reply.int(trimmed as i64);
    match trim.is_approximate {
        true => Ok(ctx.propagate_with(|| options.exact(args, &left, None))),
        false => Ok(Outcome::Done),
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_oldest_go() {
        transcript(
            "
            > XTRIM s MAXLEN 1
            :0
            > XADD s 1-0 f v
            $1-0
            > XADD s 2-0 f v
            $2-0
            > XADD s 3-0 f v
            $3-0
            > XTRIM s MAXLEN ~ 1
            :0
            > XTRIM s MAXLEN ~ 0 LIMIT 2
            :0
            > XTRIM s MINID = 2
            :1
            > XTRIM s MAXLEN 1
            :1
            > XTRIM s MAXLEN 1
            :0
            > XRANGE s - +
            *1
            *2
            $3-0
            *2
            $f
            $v
            > XTRIM s MAXLEN ~ 0
            :1
            > XADD s 4-0 f v
            $4-0
            > XTRIM s MINID ~ 5
            :1
            > XLEN s
            :0
            ",
        )
        .propagates(&[
            "XADD s 1-0 f v",
            "XADD s 2-0 f v",
            "XADD s 3-0 f v",
            "XTRIM s MINID = 2",
            "XTRIM s MAXLEN 1",
            "XTRIM s MAXLEN = 0",
            "XADD s 4-0 f v",
            "XTRIM s MINID = 18446744073709551615-18446744073709551615",
        ])
        .notifies(&["xadd s", "xadd s", "xadd s", "xtrim s", "xtrim s", "xtrim s", "xadd s", "xtrim s"]);
    }

    #[test]
    fn words_that_do_not_fit_are_refused() {
        transcript(
            "
            > XTRIM s MAXLEN -1
            -ERR The MAXLEN argument must be >= 0.
            > XTRIM s MAXLEN = x
            -ERR value is not an integer or out of range
            > XTRIM s MAXLEN ~
            -ERR value is not an integer or out of range
            > XTRIM s LIMIT 1
            -ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
            > XTRIM s LIMIT 0
            -ERR syntax error, XTRIM must be called with a trimming strategy
            > XTRIM s MAXLEN 1 NOMKSTREAM
            -ERR syntax error
            > XTRIM s MINID 1 MAXLEN 1
            -ERR syntax error, MAXLEN and MINID options at the same time are not compatible
            > XTRIM s MAXLEN 5 LIMIT 1
            -ERR syntax error, LIMIT cannot be used without the special ~ option
            > SET k v
            +OK
            > XTRIM k MAXLEN 1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
