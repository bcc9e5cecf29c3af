//! HRANDFIELD key [count [WITHVALUES]]: fields chosen at random.
//!
//! Reply:   without `count` a bulk string, null when `key` does not exist. With it an array: at most `count` different fields, or
//!          for a negative count exactly that many, perhaps some more than once. WITHVALUES adds the values: RESP2 has them
//!          between the names, RESP3 an array of pairs.
//! Errors:  WRONGTYPE; syntax error; not an integer; out of range.
//!
//! Fields whose time is over are removed first: replicas and the AOF receive an `HDEL` for each. Should there be very many
//! of them, only some are removed here and the others passed over.
//!
//! How far a negative count goes is told in `commands/repeating.rs`.

use std::collections::HashSet;

use super::value::reply_text;
use crate::base::number::parse_i64;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::repeating::repeat;
use crate::data::hash::{Field, Hash};
use crate::data::{Collection, Encoding};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "hrandfield",
        group: Group::Hash,
        since: "6.2.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY,
        categories: Category::HASH,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns fields of a hash chosen at random.",
        complexity: "O(N), N being the number of fields returned",
        tips: &["nondeterministic_output"],
        args: &[
            Arg::key("key", 0),
            Arg::block(
                "options",
                &[Arg::new("count", ArgKind::Integer), Arg::token("withvalues", "WITHVALUES").optional()],
            )
            .optional(),
        ],
        ..Meta::NEW
    },
    handler: hrandfield,
};

/// Fields that are over removed at a time: some milliseconds of work.
const REMOVED_MAX: usize = 10_000;

/// Draws for one field that is not over, before they are gone through in order.
const DRAWS: usize = 100;

/// From this share of the fields on (one part in so many), a walk over all of them is quicker than drawing.
const WALK_FROM: usize = 3;

struct Question {
    count: i64,
    with_values: bool,
}

fn parse(args: &Args<'_>) -> Result<Option<Question>, CommandError> {
    if args.len() < 3 {
        return Ok(None);
    }
    let count = parse_i64(args.get(2)).ok_or(CommandError::NotInteger)?;
    if count == i64::MIN {
        let most = i64::MAX;
        return Err(CommandError::err(format!("value is out of range, value must between {} and {most}", -most)));
    }
    let with_values = args.len() == 4 && args.is(3, "WITHVALUES");
    if args.len() > 4 || args.len() == 4 && !with_values {
        return Err(CommandError::Syntax);
    }
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::err("value is out of range"));
    }
    Ok(Some(Question { count, with_values }))
}

fn hrandfield(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let question = parse(args)?;
    let (key, now) = (args.get(1), ctx.db.fields_at());
    let is_due = |hash: &Hash| hash.due().is_some_and(|due| now > due);
    if ctx.db.peek::<Hash>(key)?.is_some_and(is_due) {
        ctx.db.expire_all_fields(key, REMOVED_MAX);
    }
    let pool = ctx.db.read::<Hash>(key)?.map(|hash| Pool { hash, now });
    let first = pool.as_ref().and_then(|pool| pool.draw(ctx.rng));
    let reply = &mut ctx.reply;
    let (pool, first, question) = match (pool, first, question) {
        (Some(pool), Some(first), Some(question)) => (pool, first, question),
        (_, Some(first), None) => {
            reply_text(reply, first.name);
            return Ok(Outcome::Done);
        }
        (_, None, None) => {
            reply.null();
            return Ok(Outcome::Done);
        }
        (_, _, Some(_)) => {
            reply.array(0);
            return Ok(Outcome::Done);
        }
    };
    let Question { count, with_values } = question;
    if count < 0 {
        let count = count.unsigned_abs() as usize;
        let average = pool.hash.memory() / pool.hash.len();
        repeat(reply, heads(reply, count, with_values), count, average, |reply| {
            reply_field(reply, pool.draw(ctx.rng).unwrap_or(first), with_values);
        })?;
    } else {
        let count = (count as usize).min(pool.live());
        reply.array(heads(reply, count, with_values));
        pool.choose(count, ctx.rng, &mut |field| reply_field(reply, field, with_values));
    }
    Ok(Outcome::Done)
}

/// How many elements the array has.
fn heads(reply: &Reply<'_>, fields: usize, with_values: bool) -> usize {
    if with_values && !reply.is_resp3() { fields * 2 } else { fields }
}

fn reply_field(reply: &mut Reply<'_>, field: Field<'_>, with_values: bool) {
    if with_values && reply.is_resp3() {
        reply.array(2);
    }
    reply_text(reply, field.name);
    if with_values {
        reply_text(reply, field.value);
    }
}

/// The fields that may be chosen: those that are not over.
struct Pool<'a> {
    hash: &'a Hash,
    now: UnixMillis,
}

impl<'a> Pool<'a> {
    fn fields(&self) -> impl Iterator<Item = Field<'a>> {
        let now = self.now;
        self.hash.iter().filter(move |field| !field.is_over(now))
    }

    /// How many there are. Looks at all fields if any may be over.
    fn live(&self) -> usize {
        self.hash.len() - self.hash.count_over(self.now)
    }

    fn draw(&self, rng: &mut Rng) -> Option<Field<'a>> {
        let mut draws = (0..DRAWS).filter_map(|_| self.hash.random(rng)).filter(|field| !field.is_over(self.now));
        draws.next().or_else(|| self.fields().nth(rng.below(self.live() as u64) as usize))
    }

    /// Gives `take` so many different fields (there must be as many), each with the same chance.
    fn choose(&self, count: usize, rng: &mut Rng, take: &mut dyn FnMut(Field<'a>)) {
        let live = self.live();
        if self.hash.encoding() == Encoding::Hashtable && count * WALK_FROM < live {
            let mut chosen = HashSet::with_capacity(count);
            while chosen.len() < count {
                let Some(field) = self.draw(rng) else { return };
                if chosen.insert(field.name.to_vec()) {
                    take(field);
                }
            }
            return;
        }
        // Each field is taken with the chance that as many of those left as are still needed give it.
        let (mut left, mut needed) = (live, count);
        for field in self.fields() {
            if needed == 0 {
                break;
            }
            if rng.below(left as u64) < needed as u64 {
                needed -= 1;
                take(field);
            }
            left -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::data::hash::{Fresh, Ttl};
    use crate::data::limits::Limits;
    use crate::testkit::transcript;

    #[test]
    fn a_hash_of_one_field_leaves_no_choice() {
        transcript(
            "
            > HRANDFIELD k
            nil
            > HRANDFIELD k 3
            *0
            > HSET k f v
            :1
            > HRANDFIELD k
            $f
            > HRANDFIELD k 5
            *1
            $f
            > HRANDFIELD k 0
            *0
            > HRANDFIELD k -2
            *2
            $f
            $f
            > HRANDFIELD k 1 WITHVALUES
            *2
            $f
            $v
            @resp3
            > HRANDFIELD k -2 withvalues
            *2
            *2
            $f
            $v
            *2
            $f
            $v
            ",
        )
        .propagates(&["HSET k f v"]);
    }

    #[test]
    fn fields_that_are_over_are_removed_first() {
        transcript(
            "
            > HSET k a 1 b 2 c 3
            :3
            > HPEXPIRE k 5 FIELDS 2 a b
            *2
            :1
            :1
            @advance 6
            > HRANDFIELD k 5
            *1
            $c
            > HPEXPIRE k 5 FIELDS 1 c
            *1
            :1
            @advance 6
            > HRANDFIELD k
            nil
            > EXISTS k
            :0
            ",
        )
        .propagates(&[
            "HSET k a 1 b 2 c 3",
            "HPEXPIREAT k 1000005 FIELDS 2 a b",
            "MULTI",
            "HDEL k a",
            "HDEL k b",
            "EXEC",
            "HPEXPIREAT k 1000011 FIELDS 1 c",
            "HDEL k c",
        ]);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        transcript(
            "
            > HSET k f v
            :1
            > SET s v
            +OK
            > HRANDFIELD k x
            -ERR value is not an integer or out of range
            > HRANDFIELD k -9223372036854775808
            -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
            > HRANDFIELD k -9223372036854775807
            -ERR value is out of range
            > HRANDFIELD k -9223372036854775807 WITHVALUES
            -ERR value is out of range
            > HRANDFIELD k 1 foo
            -ERR syntax error
            > HRANDFIELD k 1 WITHVALUES foo
            -ERR syntax error
            > HRANDFIELD s
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }

    #[test]
    fn every_choice_has_the_same_chance_whichever_way_it_is_made() {
        let mut rng = Rng::seeded(5);
        for fields in [10u32, 600] {
            let mut hash = Hash::default();
            for i in 0..fields {
                hash.set(&i.to_le_bytes(), Fresh::Copied(b"v"), Ttl::Clear, &Limits::DEFAULT);
            }
            let pool = Pool { hash: &hash, now: UnixMillis(0) };
            for count in [1, 3, fields as usize / 2, fields as usize] {
                let mut times = vec![0; fields as usize];
                let rounds = 200 * fields as usize / count;
                for _ in 0..rounds {
                    let mut chosen = BTreeSet::new();
                    pool.choose(count, &mut rng, &mut |field| {
                        let id = u32::from_le_bytes(field.name.to_vec().try_into().unwrap());
                        times[id as usize] += 1;
                        assert!(chosen.insert(id));
                    });
                    assert_eq!(chosen.len(), count);
                }
                // 200 expected, with a deviation of at most 14.
                assert!(times.iter().all(|times| (115..=285).contains(times)), "{fields} {count}: {times:?}");
            }
        }
    }
}
