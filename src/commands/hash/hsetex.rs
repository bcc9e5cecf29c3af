//! HSETEX key [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] FIELDS numfields field value [field value ...]: sets fields
//! and when they are over.
//!
//! Reply:   integer, 1 when all were set; 0 when none was, because with FNX one of them existed or with FXX one did not.
//! Errors:  WRONGTYPE; unknown argument; two options of a kind; not an integer; invalid expire time; invalid number of fields;
//!          wrong number of arguments.
//!
//! Without an option about time, fields have no expiry afterwards. Replicas and the AOF receive `HSET` and, for fields that
//! have an expiry then, `HPEXPIREAT`, which 7.4 understands as well; for a moment that has passed, `HDEL` for each field.

use std::collections::BTreeMap;

use super::expiry::{Form, settle_fields, with_fields};
use super::value::value_of;
use crate::base::number::{format_i64, parse_i64};
use crate::base::time::UnixMillis;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hash::{Hash, Ttl};
use crate::keyspace::Event;
use crate::resp::args::{Args, OwnedArgs};
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hsetex",
        group: Group::Hash,
        since: "8.0.0",
        arity: Arity::AtLeast(6),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Sets fields of a hash and when they are over.",
        complexity: "O(N), N being the number of fields set",
        args: &[
            Arg::key("key", 0),
            Arg::one_of("condition", &[Arg::token("fnx", "FNX"), Arg::token("fxx", "FXX")]).optional(),
            Arg::one_of(
                "expiration",
                &[
                    Arg::new("seconds", ArgKind::Integer).after("EX"),
                    Arg::new("milliseconds", ArgKind::Integer).after("PX"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT"),
                    Arg::token("keepttl", "KEEPTTL"),
                ],
            )
            .optional(),
            Arg::block(
                "fields",
                &[
                    Arg::new("numfields", ArgKind::Integer),
                    Arg::block("data", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)])
                        .multiple(),
                ],
            )
            .after("FIELDS"),
        ],
        ..Meta::NEW
    },
    handler: hsetex,
};

/// What must be true of the fields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    NoneExists,
    AllExist,
}

struct Options {
    condition: Option<Condition>,
    ttl: Option<Ttl>,
    /// The word of the first field.
    first: usize,
}

fn parse(args: &Args<'_>, now: UnixMillis) -> Result<Options, CommandError> {
    let mut options = Options { condition: None, ttl: None, first: 0 };
    let wrong_arity = || CommandError::WrongArity { command: "hsetex".to_owned() };
    let mut at = 2;
    while at < args.len() {
        let word = args.get(at);
        if args.is(at, "FIELDS") {
            if at + 3 >= args.len() {
                return Err(wrong_arity());
            }
            let count = parse_i64(args.get(at + 1)).filter(|count| (1..=i64::from(i32::MAX)).contains(count));
            let count = count.ok_or_else(|| CommandError::err("invalid number of fields"))?;
            options.first = at + 2;
            let left = args.len() - options.first;
            return if left as i64 == count * 2 { Ok(options) } else { Err(wrong_arity()) };
        }
        let form = Form::named(word, "hsetex");
        let condition = [("FNX", Condition::NoneExists), ("FXX", Condition::AllExist)]
            .into_iter()
            .find_map(|(name, condition)| args.is(at, name).then_some(condition));
        if form.is_some() || args.is(at, "KEEPTTL") {
            if options.ttl.is_some() {
                let text = "Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
                return Err(CommandError::err(text));
            }
            options.ttl = Some(match form {
                None => Ttl::Keep,
                Some(_) if at + 1 >= args.len() => return Err(CommandError::err("missing expire time")),
                Some(form) => {
                    at += 1;
                    Ttl::At(form.moment(args.get(at), now)?)
                }
            });
        } else if let Some(condition) = condition {
            if options.condition.replace(condition).is_some() {
                return Err(CommandError::err("Only one of FXX or FNX arguments can be specified"));
            }
        } else {
            return Err(CommandError::err(format!("unknown argument: {}", String::from_utf8_lossy(word))));
        }
        at += 1;
    }
    // Redis has no answer to this.
    Err(wrong_arity())
}

fn hsetex(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (key, now, judged_at) = (args.get(1), ctx.now.wall(), ctx.db.fields_at());
    let Options { condition, ttl, first } = parse(args, now)?;
    let pairs = || (first..args.len()).step_by(2);
    settle_fields(ctx, key, pairs().map(|at| args.get(at)))?;
    let hash = ctx.db.peek::<Hash>(key)?;
    let exists =
        |at: usize| hash.and_then(|hash| hash.get(args.get(at))).is_some_and(|field| !field.is_over(judged_at));
    let is_allowed = match condition {
        None => true,
        Some(Condition::NoneExists) => !pairs().any(exists),
        Some(Condition::AllExist) => pairs().all(exists),
    };
    ctx.reply.int(is_allowed.into());
    if !is_allowed {
        return Ok(Outcome::Done);
    }
    let is_past = matches!(ttl, Some(Ttl::At(when)) if when <= now) && ctx.settings.is_past_expiry_deletion;
    let limits = ctx.settings.limits;
    // Fields by the moment they have afterwards.
    let mut moments: BTreeMap<UnixMillis, Vec<&[u8]>> = BTreeMap::new();
    ctx.db.edit_or_create::<Hash, _>(key, |hash, notes| {
        let count = pairs().len() as u64;
        if is_past {
            let removed = pairs().filter(|at| hash.remove(args.get(*at))).count();
            if removed > 0 {
                notes.changed(Event::HSET, count);
                notes.event(Event::HDEL);
            }
            return;
        }
        hash.expect(args.from(first), &limits);
        for at in pairs() {
            let name = args.get(at);
            hash.set(name, value_of(args, at + 1), ttl.unwrap_or(Ttl::Clear), &limits);
            if let Some(when) = hash.get(name).and_then(|field| field.expiry) {
                moments.entry(when).or_default().push(name);
            }
        }
        notes.changed(Event::HSET, count);
        if let Some(Ttl::At(_)) = ttl {
            notes.event(Event::HEXPIRE);
        }
    })?;
    if !ctx.is_propagated {
        return Ok(Outcome::Done);
    }
    if is_past {
        return Ok(Outcome::propagate_each(pairs().map(|at| OwnedArgs::of(&[b"HDEL", key, args.get(at)])).collect()));
    }
    let mut set = OwnedArgs::of(&[b"HSET", key]);
    (first..args.len()).for_each(|at| set.push_arg(args, at));
    let expiries = moments.iter().map(|(when, fields)| with_fields(&[b"HPEXPIREAT", key, &format_i64(when.0)], fields));
    Ok(Outcome::propagate_each(std::iter::once(set).chain(expiries).collect()))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn fields_and_their_expiry_are_set_together() {
        transcript(
            "
            > HSETEX k FIELDS 2 a 1 b 2
            :1
            > HSETEX k EX 10 FIELDS 1 a 3
            :1
            > HTTL k FIELDS 2 a b
            *2
            :10
            :-1
            > HSETEX k KEEPTTL FIELDS 2 a 4 b 5
            :1
            > HTTL k FIELDS 2 a b
            *2
            :10
            :-1
            > HSETEX k FIELDS 1 a 6
            :1
            > HTTL k FIELDS 1 a
            *1
            :-1
            > HGETALL k
            *4
            $b
            $5
            $a
            $6
            ",
        )
        .propagates(&[
            "HSET k a 1 b 2",
            "MULTI",
            "HSET k a 3",
            "HPEXPIREAT k 1010000 FIELDS 1 a",
            "EXEC",
            "MULTI",
            "HSET k a 4 b 5",
            "HPEXPIREAT k 1010000 FIELDS 1 a",
            "EXEC",
            "HSET k a 6",
        ])
        .notifies(&["hset k", "hset k", "hexpire k", "hset k", "hset k"]);
    }

    #[test]
    fn conditions_hold_for_all_fields_or_nothing_is_set() {
        transcript(
            "
            > HSETEX k FXX FIELDS 1 a 1
            :0
            > EXISTS k
            :0
            > HSETEX k FNX FIELDS 1 a 1
            :1
            > HSETEX k FNX FIELDS 2 b 1 a 1
            :0
            > HSETEX k fxx PX 100 FIELDS 2 a 2 b 2
            :0
            > HSETEX k PX 100 FXX FIELDS 1 a 2
            :1
            @advance 101
            > HSETEX k FXX FIELDS 1 a 3
            :0
            > EXISTS k
            :0
            ",
        )
        .propagates(&[
            "HSET k a 1",
            "MULTI",
            "HSET k a 2",
            "HPEXPIREAT k 1000100 FIELDS 1 a",
            "EXEC",
            "HDEL k a",
        ]);
    }

    #[test]
    fn a_moment_that_has_passed_removes_the_fields() {
        transcript(
            "
            > HSETEX k PXAT 1 FIELDS 1 a 1
            :1
            > EXISTS k
            :0
            > HSET k a 1
            :1
            > HSETEX k EXAT 1 FIELDS 2 a 2 b 2
            :1
            > EXISTS k
            :0
            ",
        )
        .propagates(&["HSET k a 1", "MULTI", "HDEL k a", "HDEL k b", "EXEC"])
        .notifies(&["hset k", "hset k", "hdel k", "del k"]);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        transcript(
            "
            > SET s v
            +OK
            > HSETEX s FIELDS 1 a 1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > HSETEX k FIELDS 2 a b c
            -ERR wrong number of arguments for 'hsetex' command
            > HSETEX k FIELDS 1 a b unknown
            -ERR wrong number of arguments for 'hsetex' command
            > HSETEX k FIELDS x a b
            -ERR invalid number of fields
            > HSETEX k FIELDS 0 a b
            -ERR invalid number of fields
            > HSETEX k nx FIELDS 1 a b
            -ERR unknown argument: nx
            > HSETEX k FXX FNX FIELDS 1 a b
            -ERR Only one of FXX or FNX arguments can be specified
            > HSETEX k EX 100 KEEPTTL FIELDS 1 a b
            -ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified
            > HSETEX k EX FIELDS 1 a b
            -ERR value is not an integer or out of range
            > HSETEX k EXAT 281474976710656 1 a b
            -ERR invalid expire time in 'hsetex' command
            > HSETEX k FNX FXX
            -ERR wrong number of arguments for 'hsetex' command
            ",
        )
        .propagates(&["SET s v"]);
    }
}
