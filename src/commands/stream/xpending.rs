//! XPENDING key group [[IDLE ms] start end count [consumer]]: what a group has delivered and not seen acknowledged.
//!
//! Reply:   without a range: how many entries, the first id, the last id, and how many each consumer has. With a range, for
//!          each entry its id, its consumer, milliseconds since its delivery, and how often it was delivered.
//! Errors:  NOGROUP when the key or the group is missing; WRONGTYPE; syntax error; bad numbers and ids, complained about
//!          before the key is looked at.

use super::args::{integer, interval_end, interval_start, no_group, now_ms};
use super::reply;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::{Consumer, Group, Id, Pending, Stream};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group as Family, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xpending",
        group: Family::Stream,
        since: "5.0.0",
        arity: Arity::AtLeast(3),
        flags: Flags::READONLY,
        categories: Category::STREAM,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns what a group has pending: a summary, or entries of a range.",
        complexity: "O(N) for the N entries returned, or with IDLE looked at; for the summary O(C) for the C consumers",
        history: &[("6.2.0", "IDLE, and intervals that leave out an end.")],
        tips: &["nondeterministic_output"],
        args: &[
            Arg::key("key", 0),
            Arg::new("group", ArgKind::String),
            Arg::block(
                "filters",
                &[
                    Arg::new("min-idle-time", ArgKind::Integer).after("IDLE").optional().since("6.2.0"),
                    Arg::new("start", ArgKind::String),
                    Arg::new("end", ArgKind::String),
                    Arg::new("count", ArgKind::Integer),
                    Arg::new("consumer", ArgKind::String).optional(),
                ],
            )
            .optional(),
        ],
        ..Meta::NEW
    },
    handler: xpending,
};

/// Which entries.
struct Filter<'a> {
    min_idle: i64,
    start: Id,
    end: Id,
    max: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// Nothing without a range.
    fn read(args: &Args<'a>) -> Result<Option<Filter<'a>>, CommandError> {
        if args.len() == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&args.len()) {
            return Err(CommandError::Syntax);
        }
        let (mut min_idle, mut at) = (0, 3);
        if args.is(3, "IDLE") {
            min_idle = integer(args.get(4))?;
            if args.len() < 8 {
                return Err(CommandError::Syntax);
            }
            at += 2;
        }
        let max = integer(args.get(at + 2))?.max(0) as usize;
        let (start, end) = (interval_start(args.get(at))?, interval_end(args.get(at + 1))?);
        let consumer = (at + 3 < args.len()).then(|| args.get(at + 3));
        Ok(Some(Filter { min_idle, start, end, max, consumer }))
    }

    fn reply(&self, reply: &mut Reply<'_>, group: &Group, now: i64) {
        let array = reply.array_deferred();
        let mut len = 0;
        let has_waited = |pending: &Pending| self.min_idle == 0 || idle(pending, now) >= self.min_idle;
        let mut tell = |id: Id, pending: &Pending| {
            reply.array(4);
            reply::id(reply, id);
            reply.bulk(group.consumer(pending.consumer).name());
            reply.int(idle(pending, now).max(0));
            reply.int(pending.deliveries as i64);
            len += 1;
        };
        if let Some(name) = self.consumer {
            let consumer: Option<&Consumer> = group.find_consumer(name).map(|number| group.consumer(number));
            let ids = consumer.into_iter().flat_map(|consumer| consumer.pending().ids(self.start..=self.end));
            let entries = ids.filter_map(|id| Some((id, group.pending(id)?)));
            entries.filter(|(_, p)| has_waited(p)).take(self.max).for_each(|(id, p)| tell(id, p));
        } else {
            let entries = group.pending_in(self.start..=self.end);
            entries.filter(|(_, p)| has_waited(p)).take(self.max).for_each(|(id, p)| tell(id, p));
        }
        reply.finish(array, len);
    }
}

fn idle(pending: &Pending, now: i64) -> i64 {
    now.wrapping_sub(pending.delivered_at)
}

fn xpending(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let filter = Filter::read(args)?;
    let (key, name) = (args.get(1), args.get(2));
    let now = now_ms(ctx);
    let Some(group) = ctx.db.read::<Stream>(key)?.and_then(|stream| stream.group(name)) else {
        return Err(no_group(key, name, "").into());
    };
    match filter {
        Some(filter) => filter.reply(&mut ctx.reply, group, now),
        None => summary(&mut ctx.reply, group),
    }
    Ok(Outcome::Done)
}

fn summary(reply: &mut Reply<'_>, group: &Group) {
    reply.array(4);
    reply.int(group.pending_len() as i64);
    let mut all = group.pending_in(..);
    let Some((first, _)) = all.next() else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    let last = all.next_back().map_or(first, |(last, _)| last);
    reply::id(reply, first);
    reply::id(reply, last);
    let array = reply.array_deferred();
    let mut len = 0;
    for consumer in group.consumers().filter(|consumer| !consumer.pending().is_empty()) {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_int(consumer.pending().len() as i64);
        len += 1;
    }
    reply.finish(array, len);
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    const TWO: &str = "
        > XADD s 1-0 f 1
        $1-0
        > XADD s 1-1 f 2
        $1-1
        > XGROUP CREATE s g 0
        +OK
        > XREADGROUP GROUP g a COUNT 1 STREAMS s >
        *1
        *2
        $s
        *1
        *2
        $1-0
        *2
        $f
        $1
        @advance 7
        > XREADGROUP GROUP g b COUNT 1 STREAMS s >
        *1
        *2
        $s
        *1
        *2
        $1-1
        *2
        $f
        $2
    ";

    #[test]
    fn entries_are_chosen_by_id_consumer_and_idleness() {
        let rest = "
            > XPENDING s g - + 10 a
            *1
            *4
            $1-0
            $a
            :7
            :1
            > XPENDING s g IDLE 7 - + 10
            *1
            *4
            $1-0
            $a
            :7
            :1
            > XPENDING s g idle 8 - + 10 a
            *0
            > XPENDING s g (1-0 1 10
            *1
            *4
            $1-1
            $b
            :0
            :1
            > XPENDING s g + - 10
            *0
            > XPENDING s g - + 0
            *0
            > XPENDING s g - + -1
            *0
            > XPENDING s g - + 10 nobody
            *0
        ";
        transcript(&format!("{TWO}{rest}"));
    }

    #[test]
    fn words_that_do_not_fit_are_refused() {
        transcript(
            "
            > XPENDING s g -
            -ERR syntax error
            > XPENDING s g - +
            -ERR syntax error
            > XPENDING s g IDLE 1 - +
            -ERR syntax error
            > XPENDING s g IDLE x - + 1
            -ERR value is not an integer or out of range
            > XPENDING s g - + x
            -ERR value is not an integer or out of range
            > XPENDING s g x + 1
            -ERR Invalid stream ID specified as stream command argument
            > XPENDING s g - (0-0 1
            -ERR invalid end ID for the interval
            > XPENDING s g - + 1
            -NOGROUP No such key 's' or consumer group 'g'
            > XPENDING s g
            -NOGROUP No such key 's' or consumer group 'g'
            > SET k v
            +OK
            > XPENDING k g
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
