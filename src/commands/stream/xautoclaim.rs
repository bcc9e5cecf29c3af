//! XAUTOCLAIM key group consumer min-idle start [COUNT n] [JUSTID]: takes over whatever has been pending for too long.
//!
//! Reply:   the id to begin with next time (0-0 at the end); an array of the entries the consumer has now, or of their ids
//!          with JUSTID; the ids of entries that the stream no longer has and which were dropped from the lists.
//! Errors:  what is wrong about a number, an id or an option, before NOGROUP and WRONGTYPE.
//!
//! At most `COUNT` entries (100) are claimed or dropped, and ten times as many looked at. Replicas and the AOF get an XCLAIM
//! for each.

use super::args::{integer_or, interval_start, no_group, now_ms};
use super::pending::Told;
use super::reply;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::{Id, Parts, Stream};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xautoclaim",
        group: Group::Stream,
        since: "6.2.0",
        arity: Arity::AtLeast(6),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::STREAM,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Gives entries that have been pending for long to a consumer.",
        complexity: "O(COUNT)",
        history: &[("7.0.0", "A third part of the reply: ids that were dropped.")],
        tips: &["nondeterministic_output"],
        args: &[
            Arg::key("key", 0),
            Arg::new("group", ArgKind::String),
            Arg::new("consumer", ArgKind::String),
            Arg::new("min-idle-time", ArgKind::String),
            Arg::new("start", ArgKind::String),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
            Arg::token("justid", "JUSTID").optional(),
        ],
        ..Meta::NEW
    },
    handler: xautoclaim,
};

/// Entries claimed or dropped in one call, without COUNT.
const COUNT: i64 = 100;
/// The most that COUNT may say.
const COUNT_MAX: i64 = i64::MAX / 16;
/// Entries looked at for each that may be claimed.
const ATTEMPTS: u64 = 10;

fn xautoclaim(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, name, consumer_name) = (args.get(1), args.get(2), args.get(3));
    let min_idle = integer_or(args.get(4), "Invalid min-idle-time argument for XAUTOCLAIM")?.max(0);
    let start = interval_start(args.get(5))?;
    let (mut count, mut is_justid) = (COUNT, false);
    let mut words = args.from(6);
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"COUNT") && words.len() > 0 {
            const REFUSAL: &str = "COUNT must be > 0";
            count = integer_or(words.next().expect("there is another word"), REFUSAL)?;
            if !(1..=COUNT_MAX).contains(&count) {
                return Err(CommandError::err(REFUSAL).into());
            }
        } else if word.eq_ignore_ascii_case(b"JUSTID") {
            is_justid = true;
        } else {
            return Err(CommandError::Syntax.into());
        }
    }
    if ctx.db.read::<Stream>(key)?.and_then(|stream| stream.group(name)).is_none() {
        return Err(no_group(key, name, "").into());
    }

    let now = now_ms(ctx);
    let mut told = Told::about(ctx, key, name);
    let reply = &mut ctx.reply;
    ctx.db.edit::<Stream, _>(key, |stream, notes| {
        let Parts { log, groups } = stream.parts_mut();
        let group = groups.get_mut(name).expect("it was just found");
        let consumer = group.find_consumer(consumer_name).unwrap_or_else(|| {
            notes.changed_inside(Event::XGROUP_CREATECONSUMER, 1);
            group.add_consumer(consumer_name, now)
        });
        group.consumer_mut(consumer).seen_at = now;

        // The cursor comes first in the reply, so what is claimed is found before anything is said.
        let (mut claimed, mut gone) = (Vec::new(), Vec::new());
        let (mut count, mut attempts) = (count as u64, count as u64 * ATTEMPTS);
        let mut cursor = Some(start);
        while count > 0 && attempts > 0 {
            let Some(first) = cursor else { break };
            let Some((id, pending)) = group.pending_in(first..).next() else {
                cursor = None;
                break;
            };
            let pending = *pending;
            attempts -= 1;
            cursor = id.next();
            if log.get(id).is_none() {
                told.claim(&id.text(), &pending, group);
                group.acknowledge(id);
                gone.push(id);
            } else if min_idle > 0 && now.wrapping_sub(pending.delivered_at) < min_idle {
                continue;
            } else {
                let deliveries = pending.deliveries.wrapping_add(u64::from(!is_justid));
                group.assign(id, consumer, now, deliveries);
                group.consumer_mut(consumer).active_at = Some(now);
                let pending = *group.pending(id).expect("it was just assigned");
                told.claim(&id.text(), &pending, group);
                claimed.push(id);
            }
            notes.changed_inside(Event::SILENT, 1);
            count -= 1;
        }
        let next = cursor.and_then(|first| group.pending_in(first..).next().map(|(id, _)| id));

        reply.array(3);
        reply::id(reply, next.unwrap_or(Id::MIN));
        reply.array(claimed.len());
        for id in claimed {
            match log.get(id).filter(|_| !is_justid) {
                Some(entry) => reply::entry(reply, entry),
                None => reply::id(reply, id),
            }
        }
        reply.array(gone.len());
        gone.into_iter().for_each(|id| reply::id(reply, id));
    })?;
    Ok(Outcome::propagate_each(told.commands()))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    const THREE: &str = "
        > XADD s 1-0 f 1
        $1-0
        > XADD s 2-0 f 2
        $2-0
        > XADD s 3-0 f 3
        $3-0
        > XGROUP CREATE s g 0
        +OK
        > XREADGROUP GROUP g a STREAMS s >
        *1
        *2
        $s
        *3
        *2
        $1-0
        *2
        $f
        $1
        *2
        $2-0
        *2
        $f
        $2
        *2
        $3-0
        *2
        $f
        $3
        @advance 10
    ";

    #[test]
    fn a_cursor_leads_through_what_is_pending() {
        let rest = "
            > XDEL s 2-0
            :1
            > XAUTOCLAIM s g b 10 - COUNT 1
            *3
            $2-0
            *1
            *2
            $1-0
            *2
            $f
            $1
            *0
            > XAUTOCLAIM s g b 10 2-0 COUNT 1 JUSTID
            *3
            $3-0
            *0
            *1
            $2-0
            > XAUTOCLAIM s g b 10 (2-0 JUSTID
            *3
            $0-0
            *1
            $3-0
            *0
            > XPENDING s g - + 10
            *2
            *4
            $1-0
            $b
            :0
            :2
            *4
            $3-0
            $b
            :0
            :1
            > XAUTOCLAIM s g c 1 -
            *3
            $0-0
            *0
            *0
        ";
        let stream = transcript(&format!("{THREE}{rest}"));
        stream.propagates(&[
            "XADD s 1-0 f 1",
            "XADD s 2-0 f 2",
            "XADD s 3-0 f 3",
            "XGROUP CREATE s g 0",
            "MULTI",
            "XCLAIM s g a 0 1-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
            "XCLAIM s g a 0 2-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0",
            "XCLAIM s g a 0 3-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 3-0",
            "EXEC",
            "XDEL s 2-0",
            "XCLAIM s g b 0 1-0 TIME 1000010 RETRYCOUNT 2 FORCE JUSTID LASTID 3-0",
            "XCLAIM s g a 0 2-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 3-0",
            "XCLAIM s g b 0 3-0 TIME 1000010 RETRYCOUNT 1 FORCE JUSTID LASTID 3-0",
        ]);
    }

    #[test]
    fn words_that_do_not_fit_are_refused() {
        transcript(
            "
            > XAUTOCLAIM s g c x -
            -ERR Invalid min-idle-time argument for XAUTOCLAIM
            > XAUTOCLAIM s g c 0 x
            -ERR Invalid stream ID specified as stream command argument
            > XAUTOCLAIM s g c 0 - COUNT 0
            -ERR COUNT must be > 0
            > XAUTOCLAIM s g c 0 - COUNT 1000000000000000000
            -ERR COUNT must be > 0
            > XAUTOCLAIM s g c 0 - COUNT x
            -ERR COUNT must be > 0
            > XAUTOCLAIM s g c 0 - COUNT
            -ERR syntax error
            > XAUTOCLAIM s g c 0 - FORCE
            -ERR syntax error
            > XAUTOCLAIM s g c 0 -
            -NOGROUP No such key 's' or consumer group 'g'
            > SET k v
            +OK
            > XAUTOCLAIM k g c 0 - COUNT 0
            -ERR COUNT must be > 0
            > XAUTOCLAIM k g c 0 -
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
