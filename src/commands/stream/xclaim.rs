//! XCLAIM key group consumer min-idle id [id …] [IDLE ms | TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]: takes pending
//! entries over.
//!
//! Reply:   array of the entries that the consumer has now, or of their ids with JUSTID.
//! Errors:  NOGROUP when the key or the group is missing, and WRONGTYPE, before anything else; what is wrong about a number
//!          or an id; an unknown option.
//!
//! An entry changes hands if nobody has touched it for `min-idle` milliseconds. FORCE also makes entries pending that are
//! not. An entry that the stream no longer has is dropped from the lists. The words after the ids are mostly for replicas
//! and the AOF, who receive every change of the lists in this form, see `pending.rs`.

use super::args::{bad_id, id, integer_or, no_group, now_ms};
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
        name: "xclaim",
        group: Group::Stream,
        since: "5.0.0",
        arity: Arity::AtLeast(6),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::STREAM,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Gives pending entries to a consumer, as if they had been delivered to it.",
        complexity: "O(log N) for each id, N entries being pending",
        tips: &["nondeterministic_output"],
        args: &[
            Arg::key("key", 0),
            Arg::new("group", ArgKind::String),
            Arg::new("consumer", ArgKind::String),
            Arg::new("min-idle-time", ArgKind::String),
            Arg::new("ID", ArgKind::String).multiple(),
            Arg::new("ms", ArgKind::Integer).after("IDLE").optional(),
            Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("TIME").optional(),
            Arg::new("count", ArgKind::Integer).after("RETRYCOUNT").optional(),
            Arg::token("force", "FORCE").optional(),
            Arg::token("justid", "JUSTID").optional(),
            Arg::new("lastid", ArgKind::String).after("LASTID").optional(),
        ],
        ..Meta::NEW
    },
    handler: xclaim,
};

/// What follows the minimal idle time.
struct Options {
    ids: Vec<Id>,
    /// When the entries count as delivered, if that was said.
    delivered_at: Option<i64>,
    /// RETRYCOUNT
    deliveries: Option<u64>,
    is_force: bool,
    is_justid: bool,
    /// LASTID
    last_id: Id,
}

impl Options {
    fn read(args: &Args<'_>, now: i64) -> Result<Options, CommandError> {
        let mut options = Options {
            ids: Vec::new(),
            delivered_at: None,
            deliveries: None,
            is_force: false,
            is_justid: false,
            last_id: Id::MIN,
        };
        // Ids end where a word is none.
        options.ids.extend(args.from(5).map_while(|word| Id::parse(word, 0).ok()));
        let mut words = args.from(5 + options.ids.len());
        while let Some(word) = words.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let has_value = words.len() > 0;
            let mut value = || words.next().expect("there is another word");
            if is("FORCE") {
                options.is_force = true;
            } else if is("JUSTID") {
                options.is_justid = true;
            } else if is("IDLE") && has_value {
                let idle = integer_or(value(), "Invalid IDLE option argument for XCLAIM")?;
                options.delivered_at = Some(now.wrapping_sub(idle));
            } else if is("TIME") && has_value {
                options.delivered_at = Some(integer_or(value(), "Invalid TIME option argument for XCLAIM")?);
            } else if is("RETRYCOUNT") && has_value {
                let count = integer_or(value(), "Invalid RETRYCOUNT option argument for XCLAIM")?;
                options.deliveries = u64::try_from(count).ok();
            } else if is("LASTID") && has_value {
                options.last_id = id(value()).map_err(|_| bad_id())?;
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(CommandError::err(format!("Unrecognized XCLAIM option '{word}'")));
            }
        }
        Ok(options)
    }

    /// A moment that makes no sense is taken for the present one: clients reckon it from their own clocks.
    fn delivered_at(&self, now: i64) -> i64 {
        self.delivered_at.filter(|at| (0..=now).contains(at)).unwrap_or(now)
    }
}

fn xclaim(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, name, consumer_name) = (args.get(1), args.get(2), args.get(3));
    if ctx.db.read::<Stream>(key)?.and_then(|stream| stream.group(name)).is_none() {
        return Err(no_group(key, name, "").into());
    }
    let now = now_ms(ctx);
    let min_idle = integer_or(args.get(4), "Invalid min-idle-time argument for XCLAIM")?.max(0);
    let options = Options::read(args, now)?;

    let mut told = Told::about(ctx, key, name);
    let reply = &mut ctx.reply;
    ctx.db.edit::<Stream, _>(key, |stream, notes| {
        let Parts { log, groups } = stream.parts_mut();
        let group = groups.get_mut(name).expect("it was just found");
        let mut is_moved = options.last_id > group.last_id;
        if is_moved {
            group.last_id = options.last_id;
        }
        let consumer = group.find_consumer(consumer_name).unwrap_or_else(|| {
            notes.changed_inside(Event::XGROUP_CREATECONSUMER, 1);
            group.add_consumer(consumer_name, now)
        });
        group.consumer_mut(consumer).seen_at = now;

        let array = reply.array_deferred();
        let mut len = 0;
        for (index, &id) in options.ids.iter().enumerate() {
            let (pending, text) = (group.pending(id).copied(), args.get(5 + index));
            let Some(entry) = log.get(id) else {
                if let Some(pending) = pending {
                    told.claim(text, &pending, group);
                    group.acknowledge(id);
                    notes.changed_inside(Event::SILENT, 1);
                    is_moved = false;
                }
                continue;
            };
            let before = match pending {
                Some(pending) if min_idle > 0 && now.wrapping_sub(pending.delivered_at) < min_idle => continue,
                Some(pending) => pending.deliveries,
                None if options.is_force => 1,
                None => continue,
            };
            let deliveries = match options.deliveries {
                Some(deliveries) => deliveries,
                None if options.is_justid => before,
                None => before.wrapping_add(1),
            };
            group.assign(id, consumer, options.delivered_at(now), deliveries);
            group.consumer_mut(consumer).active_at = Some(now);
            match options.is_justid {
                true => reply::id(reply, id),
                false => reply::entry(reply, entry),
            }
            len += 1;
            let pending = *group.pending(id).expect("it was just assigned");
            told.claim(text, &pending, group);
            notes.changed_inside(Event::SILENT, 1);
            is_moved = false;
        }
        reply.finish(array, len);
        if is_moved {
            // Nothing else has told it.
            told.position(group);
            notes.changed_inside(Event::SILENT, 1);
        }
    })?;
    Ok(Outcome::propagate_each(told.commands()))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    const ONE: &str = "
        > XADD s 1-0 f 1
        $1-0
        > XADD s 2-0 f 2
        $2-0
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
    ";
    const TOLD: [&str; 4] = [
        "XADD s 1-0 f 1",
        "XADD s 2-0 f 2",
        "XGROUP CREATE s g 0",
        "XCLAIM s g a 0 1-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
    ];

    #[test]
    fn idle_entries_change_hands() {
        let rest = "
            @advance 10
            > XCLAIM s g b 11 1-0
            *0
            > XCLAIM s g b 10 1 7-7
            *1
            *2
            $1-0
            *2
            $f
            $1
            > XPENDING s g - + 10
            *1
            *4
            $1-0
            $b
            :0
            :2
            > XCLAIM s g c 0 1-0 IDLE 5 RETRYCOUNT 9 JUSTID
            *1
            $1-0
            > XCLAIM s g c -5 1-0 TIME 999999 JUSTID
            *1
            $1-0
            > XCLAIM s g c 0 1-0 TIME 2000000 RETRYCOUNT -3 justid
            *1
            $1-0
            > XPENDING s g - + 10
            *1
            *4
            $1-0
            $c
            :0
            :9
        ";
        transcript(&format!("{ONE}{rest}")).propagates(
            &[
                &TOLD[..],
                &[
                    "XCLAIM s g b 0 1 TIME 1000010 RETRYCOUNT 2 FORCE JUSTID LASTID 1-0",
                    "XCLAIM s g c 0 1-0 TIME 1000005 RETRYCOUNT 9 FORCE JUSTID LASTID 1-0",
                    "XCLAIM s g c 0 1-0 TIME 999999 RETRYCOUNT 9 FORCE JUSTID LASTID 1-0",
                    "XCLAIM s g c 0 1-0 TIME 1000010 RETRYCOUNT 9 FORCE JUSTID LASTID 1-0",
                ],
            ]
            .concat(),
        );
    }

    #[test]
    fn force_makes_entries_pending_and_what_is_gone_is_dropped() {
        let rest = "
            > XCLAIM s g b 0 2-0
            *0
            > XCLAIM s g b 1000 2-0 FORCE
            *1
            *2
            $2-0
            *2
            $f
            $2
            > XCLAIM s g b 0 9-9 FORCE
            *0
            > XDEL s 1-0
            :1
            > XCLAIM s g b 0 1-0
            *0
            > XPENDING s g - + 10
            *1
            *4
            $2-0
            $b
            :0
            :2
            > XCLAIM s g b 0 9-9 LASTID 3-3
            *0
            > XCLAIM s g b 0 2-0 JUSTID LASTID 4-4
            *1
            $2-0
        ";
        transcript(&format!("{ONE}{rest}")).propagates(
            &[
                &TOLD[..],
                &[
                    "XCLAIM s g b 0 2-0 TIME 1000000 RETRYCOUNT 2 FORCE JUSTID LASTID 1-0",
                    "XDEL s 1-0",
                    "XCLAIM s g a 0 1-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
                    "XGROUP SETID s g 3-3 ENTRIESREAD 1",
                    "XCLAIM s g b 0 2-0 TIME 1000000 RETRYCOUNT 2 FORCE JUSTID LASTID 4-4",
                ],
            ]
            .concat(),
        );
    }

    #[test]
    fn words_that_do_not_fit_are_refused_and_make_no_consumer() {
        let rest = "
            > XCLAIM s h b x 1-0
            -NOGROUP No such key 's' or consumer group 'h'
            > XCLAIM missing g b x 1-0
            -NOGROUP No such key 'missing' or consumer group 'g'
            > XCLAIM s g b x 1-0
            -ERR Invalid min-idle-time argument for XCLAIM
            > XCLAIM s g b 0 1-0 WHAT
            -ERR Unrecognized XCLAIM option 'WHAT'
            > XCLAIM s g b 0 1-0 IDLE
            -ERR Unrecognized XCLAIM option 'IDLE'
            > XCLAIM s g b 0 1-0 FORCE 2-0
            -ERR Unrecognized XCLAIM option '2-0'
            > XCLAIM s g b 0 1-0 IDLE x
            -ERR Invalid IDLE option argument for XCLAIM
            > XCLAIM s g b 0 1-0 TIME x
            -ERR Invalid TIME option argument for XCLAIM
            > XCLAIM s g b 0 1-0 RETRYCOUNT x
            -ERR Invalid RETRYCOUNT option argument for XCLAIM
            > XCLAIM s g b 0 1-0 LASTID x
            -ERR Invalid stream ID specified as stream command argument
            > XINFO GROUPS s
            *1
            *12
            $name
            $g
            $consumers
            :1
            $pending
            :1
            $last-delivered-id
            $1-0
            $entries-read
            :1
            $lag
            :1
            > SET k v
            +OK
            > XCLAIM k g b x 1-0
            -WRONGTYPE Operation against a key holding the wrong kind of value
        ";
        transcript(&format!("{ONE}{rest}"));
    }
}
