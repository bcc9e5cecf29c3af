//! XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key [key …] id [id …]: reads on behalf of a group.
//!
//! Reply:   as XREAD. An entry of the history that the stream no longer has comes with null instead of fields.
//! Errors:  WRONGTYPE; NOGROUP when a key or its group is missing; syntax error; a key without an id; invalid id; a bad timeout.
//!
//! With `>` the group moves on: entries nobody of it has got yet go to the consumer, who has them pending until XACK (not
//! so with NOACK). With any other id the consumer gets its own pending entries behind that id once more; this never waits.
//!
//! Replicas and the AOF get an XCLAIM for each entry, or with NOACK the position of the group.

use super::args::{no_group, now_ms};
use super::pending::Told;
use super::read::{Request, Streams, after};
use super::reply;
use super::xread::{STREAMS, streams_from};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::{ConsumerId, Group, Id, Log, Parts, Pending, Stream};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group as Family, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xreadgroup",
        group: Family::Stream,
        since: "5.0.0",
        arity: Arity::AtLeast(7),
        flags: Flags::WRITE.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
        categories: Category::STREAM,
        keys: &[streams_from(4)],
        summary: "Returns entries of streams to a consumer of a group, new ones or its own pending ones, or waits for them.",
        complexity: "O(N) for the N entries returned",
        args: &[
            Arg::block("group-block", &[Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String)])
                .after("GROUP"),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
            Arg::new("milliseconds", ArgKind::Integer).after("BLOCK").optional(),
            Arg::token("noack", "NOACK").optional(),
            STREAMS,
        ],
        ..Meta::NEW
    },
    handler: xreadgroup,
};

/// What is read of one stream.
#[derive(Clone, Copy)]
enum From {
    /// What the group has not read.
    New,
    /// What the consumer has pending behind an id.
    History(Id),
}

fn xreadgroup(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let request = Request::read(ctx, args, true)?;
    let (group_name, consumer_name) = request.group.expect("XREADGROUP is refused without");
    let mut starts = Vec::with_capacity(request.streams);
    for (index, key) in request.keys(args).enumerate() {
        let group = ctx.db.read::<Stream>(key)?.and_then(|stream| stream.group(group_name));
        if group.is_none() {
            return Err(no_group(key, group_name, " in XREADGROUP with GROUP option").into());
        }
        starts.push(match args.get(request.id_at(index)) {
            b">" => From::New,
            b"$" => {
                return Err(CommandError::err(
                    "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this \
                     consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just \
                     return an empty result set.",
                )
                .into());
            }
            text => match after(text)? {
                // Upstream keeps `>` as this id.
                Id::MAX => From::New,
                id => From::History(id),
            },
        });
    }

    let now = now_ms(ctx);
    let mut streams = Streams::default();
    let mut told = Vec::new();
    for (key, start) in request.keys(args).zip(&starts) {
        let reading = Reading { now, max: request.max.unwrap_or(usize::MAX), is_noack: request.is_noack };
        let mut tell = Told::about(ctx, key, group_name);
        let (reply, streams) = (&mut ctx.reply, &mut streams);
        // The same key may be named twice, but what was checked is still there.
        ctx.db.edit::<Stream, _>(key, |stream, notes| {
            let Parts { log, groups } = stream.parts_mut();
            let group = groups.get_mut(group_name).expect("the group was found above");
            let consumer = match group.find_consumer(consumer_name) {
                Some(consumer) => consumer,
                None => {
                    notes.changed_inside(Event::XGROUP_CREATECONSUMER, 1);
                    let consumer = group.add_consumer(consumer_name, now);
                    if request.is_noack {
                        tell.consumer(consumer_name);
                    }
                    consumer
                }
            };
            group.consumer_mut(consumer).seen_at = now;
            match start {
                From::History(after) => {
                    streams.begin(reply, key);
                    reading.history(log, group, consumer, *after, reply);
                    notes.changed_inside(Event::SILENT, 1);
                }
                From::New if log.last_entry_id().is_some_and(|last| last > group.last_id) => {
                    streams.begin(reply, key);
                    reading.new_entries(log, group, consumer, reply, &mut tell);
                    notes.changed_inside(Event::SILENT, 1);
                }
                From::New => {}
            }
        })?;
        told.extend(tell.commands());
    }
    if !streams.finish(&mut ctx.reply) {
        if let Some(mut blocking) = request.blocking(ctx, args) {
            blocking.told = told;
            return Ok(blocking.into());
        }
        ctx.reply.null_array();
    }
    Ok(Outcome::propagate_each(told))
}

/// How a stream is read.
struct Reading {
    now: i64,
    max: usize,
    is_noack: bool,
}

impl Reading {
    /// Moves the group on, and makes what it gets pending with the consumer.
    fn new_entries(
        &self,
        log: &Log,
        group: &mut Group,
        consumer: ConsumerId,
        reply: &mut Reply<'_>,
        tell: &mut Told<'_>,
    ) {
        let first = group.last_id.next().expect("something comes after it");
        let array = reply.array_deferred();
        let mut len = 0;
        for entry in log.range(first, Id::MAX).take(self.max) {
            let id = entry.id;
            group.entries_read = match group.entries_read {
                Some(read) if !log.has_gap_from(id) => Some(read.wrapping_add(1)),
                _ => log.entries_up_to(id).map(|read| read as i64),
            };
            group.last_id = id;
            reply::entry(reply, entry);
            if !self.is_noack {
                let pending = Pending { delivered_at: self.now, deliveries: 1, consumer };
                group.assign(id, consumer, pending.delivered_at, pending.deliveries);
                group.consumer_mut(consumer).active_at = Some(self.now);
                tell.claim(&id.text(), &pending, group);
            }
            len += 1;
        }
        reply.finish(array, len);
        if self.is_noack {
            tell.position(group);
        }
    }

    /// Gives the consumer what it has pending behind an id once more.
    fn history(&self, log: &Log, group: &mut Group, consumer: ConsumerId, after: Id, reply: &mut Reply<'_>) {
        let pending = group.consumer(consumer).pending();
        let ids: Vec<Id> = match after.next() {
            Some(first) => pending.ids(first..).take(self.max).collect(),
            None => Vec::new(),
        };
        reply.array(ids.len());
        for id in ids {
            match log.get(id) {
                Some(entry) => {
                    reply::entry(reply, entry);
                    group.delivered_again(id, self.now);
                }
                None => reply::gone(reply, id),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    const GROUP: &str = "
        > XADD s 1-0 f 1
        $1-0
        > XADD s 2-0 f 2
        $2-0
        > XGROUP CREATE s g 0
        +OK
    ";

    #[test]
    fn new_entries_go_to_one_consumer_and_are_told_one_by_one() {
        let rest = "
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
            > XREADGROUP GROUP g b STREAMS s >
            *1
            *2
            $s
            *1
            *2
            $2-0
            *2
            $f
            $2
            > XREADGROUP GROUP g a STREAMS s >
            nil
            > XPENDING s g
            *4
            :2
            $1-0
            $2-0
            *2
            *2
            $a
            $1
            *2
            $b
            $1
        ";
        transcript(&format!("{GROUP}{rest}"))
            .propagates(&[
                "XADD s 1-0 f 1",
                "XADD s 2-0 f 2",
                "XGROUP CREATE s g 0",
                "XCLAIM s g a 0 1-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
                "XCLAIM s g b 0 2-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0",
            ])
            .notifies(&["xadd s", "xadd s", "xgroup-create s", "xgroup-createconsumer s", "xgroup-createconsumer s"]);
    }

    #[test]
    fn several_entries_are_one_transaction_to_replicas() {
        let rest = "
            @resp3
            > XREADGROUP GROUP g a STREAMS s >
            %1
            $s
            *2
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
            > XREADGROUP GROUP g a STREAMS s >
            _
        ";
        transcript(&format!("{GROUP}{rest}")).propagates(&[
            "XADD s 1-0 f 1",
            "XADD s 2-0 f 2",
            "XGROUP CREATE s g 0",
            "MULTI",
            "XCLAIM s g a 0 1-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
            "XCLAIM s g a 0 2-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0",
            "EXEC",
        ]);
    }

    #[test]
    fn without_acknowledgements_only_the_position_is_told() {
        let rest = "
            > XREADGROUP GROUP g a COUNT 1 NOACK STREAMS s >
            *1
            *2
            $s
            *1
            *2
            $1-0
            *2
            $f
            $1
            > XPENDING s g
            *4
            :0
            nil
            nil
            nil
        ";
        transcript(&format!("{GROUP}{rest}")).propagates(&[
            "XADD s 1-0 f 1",
            "XADD s 2-0 f 2",
            "XGROUP CREATE s g 0",
            "MULTI",
            "XGROUP CREATECONSUMER s g a",
            "XGROUP SETID s g 1-0 ENTRIESREAD 1",
            "EXEC",
        ]);
    }

    #[test]
    fn history_is_what_the_consumer_has_pending() {
        let rest = "
            > XREADGROUP GROUP g a STREAMS s >
            *1
            *2
            $s
            *2
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
            > XDEL s 1-0
            :1
            @advance 10
            > XREADGROUP GROUP g a STREAMS s 0
            *1
            *2
            $s
            *2
            *2
            $1-0
            nil
            *2
            $2-0
            *2
            $f
            $2
            > XREADGROUP GROUP g a COUNT 5 STREAMS s 2-0
            *1
            *2
            $s
            *0
            > XREADGROUP GROUP g b STREAMS s 0
            *1
            *2
            $s
            *0
            > XPENDING s g - + 10
            *2
            *4
            $1-0
            $a
            :10
            :1
            *4
            $2-0
            $a
            :0
            :2
        ";
        transcript(&format!("{GROUP}{rest}"));
    }

    #[test]
    fn groups_must_be_there() {
        let rest = "
            > XREADGROUP GROUP g c STREAMS s missing > >
            -NOGROUP No such key 'missing' or consumer group 'g' in XREADGROUP with GROUP option
            > XREADGROUP GROUP h c STREAMS s >
            -NOGROUP No such key 's' or consumer group 'h' in XREADGROUP with GROUP option
            > XREADGROUP GROUP g c STREAMS s $
            -ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.
            > XREADGROUP GROUP g c STREAMS s x
            -ERR Invalid stream ID specified as stream command argument
            > XREADGROUP GROUP g c STREAMS s s >
            -ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.
            > XREADGROUP COUNT 1 NOACK NOACK STREAMS s >
            -ERR Missing GROUP option for XREADGROUP
            > XREADGROUP GROUP g c COUNT 1 NOACK
            -ERR syntax error
            > SET k v
            +OK
            > XREADGROUP GROUP g c STREAMS k >
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > XINFO CONSUMERS s g
            *0
        ";
        transcript(&format!("{GROUP}{rest}"));
    }
}
