//! SPOP key [count]: takes members out of a set, chosen at random.
//!
//! Reply:   the member, or null; with `count` a set of as many different members, or of all that there are.
//! Errors:  value is out of range, must be positive; syntax error; WRONGTYPE.
//!
//! Replicas cannot draw the same lots: they and the AOF receive `SREM key member …`, in portions of a thousand, or
//! `DEL key` (`UNLINK` with lazyfree-lazy-server-del) when `count` took all.

use super::members::reply_member;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::Collection;
use crate::data::Encoding;
use crate::data::set::{Member, Set};
use crate::data::string::IntText;
use crate::keyspace::{Event, Expiry};
use crate::resp::args::{Args, OwnedArgs};
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "spop",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::SET,
        keys: &[KeySpec::one(1, Access::RW.and(Access::ACCESS).and(Access::DELETE))],
        summary: "Takes members out of a set, chosen at random, and returns them.",
        complexity: "O(1) without a count, else O(N), N being the count",
        history: &[("3.2.0", "The count.")],
        tips: &["nondeterministic_output"],
        args: &[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional().since("3.2.0")],
        ..Meta::NEW
    },
    handler: spop,
};

/// Most members that one SREM names.
const PORTION: usize = 1024;

/// When fewer than one in so many members would remain, these are looked for instead of those to be taken.
const REST_ONE_IN: usize = 5;

fn spop(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    match args.len() {
        2 => pop_one(ctx, args.get(1)),
        3 => {
            let count = parse_i64(args.get(2))
                .and_then(|count| usize::try_from(count).ok())
                .ok_or_else(|| CommandError::err("value is out of range, must be positive"))?;
            pop_many(ctx, args.get(1), count)
        }
        _ => Err(CommandError::Syntax.into()),
    }
}

fn pop_one(ctx: &mut DataCtx<'_>, key: &[u8]) -> CommandResult {
    let (rng, reply, is_propagated) = (&mut *ctx.rng, &mut ctx.reply, ctx.is_propagated);
    let popped = ctx.db.edit(key, |set: &mut Set, notes| {
        notes.changed(Event::SPOP, 1);
        set.pop_random(rng, |member| {
            reply_member(reply, member);
            is_propagated.then(|| OwnedArgs::of(&[b"SREM", key, member.as_bytes(&mut IntText::new())]))
        })
    })?;
    match popped.flatten() {
        None => {
            ctx.reply.null();
            Ok(Outcome::Done)
        }
        Some(None) => Ok(Outcome::Done),
        Some(Some(command)) => Ok(Outcome::PropagateAs(Box::new(command))),
    }
}

fn pop_many(ctx: &mut DataCtx<'_>, key: &[u8], count: usize) -> CommandResult {
    let present = ctx.db.peek::<Set>(key)?.map(|set| (set.len(), set.encoding()));
    let Some((size, encoding)) = present.filter(|_| count > 0) else {
        ctx.reply.set(0);
        return Ok(Outcome::Done);
    };
    if count >= size {
        return pop_all(ctx, key, size);
    }
    ctx.reply.set(count);
    let mut removals = ctx.is_propagated.then(|| Removals::of(key));
    let reply = &mut ctx.reply;
    let mut take = |member: Member<'_>| {
        reply_member(reply, member);
        if let Some(removals) = &mut removals {
            removals.add(member);
        }
    };
    let is_most = (size - count).saturating_mul(REST_ONE_IN) <= count;
    if encoding == Encoding::Hashtable && !is_most {
        let rng = &mut *ctx.rng;
        ctx.db.edit(key, |set: &mut Set, notes| {
            (0..count).for_each(|_| {
                set.pop_random(rng, &mut take);
            });
            notes.changed(Event::SPOP, count as u64);
        })?;
    } else {
        // A new set of those that remain takes the place of the old one.
        let mut rest = if encoding == Encoding::Intset { Set::default() } else { Set::packed() };
        let set = ctx.db.peek::<Set>(key)?.expect("it was there a moment ago");
        set.deal(count, ctx.rng, &mut |member, is_taken| match is_taken {
            true => take(member),
            false => {
                rest.insert_member(member, &ctx.settings.limits);
            }
        });
        ctx.db.put(key, rest, Expiry::Keep, Event::SPOP);
    }
    Ok(removals.map_or(Outcome::Done, |removals| Outcome::propagate_each(removals.commands)))
}

/// Answers with the whole set and removes the key.
fn pop_all(ctx: &mut DataCtx<'_>, key: &[u8], size: usize) -> CommandResult {
    ctx.reply.set(size);
    let set = ctx.db.peek::<Set>(key)?.expect("it was there a moment ago");
    set.iter().for_each(|member| reply_member(&mut ctx.reply, member));
    ctx.db.note(key, Event::SPOP);
    ctx.db.remove(key, Event::DEL);
    let word: &[u8] = if ctx.settings.is_server_del_lazy { b"UNLINK" } else { b"DEL" };
    Ok(ctx.propagate(&[word, key]))
}

/// The SREM commands that say what was taken.
struct Removals<'k> {
    key: &'k [u8],
    commands: Vec<OwnedArgs>,
}

impl<'k> Removals<'k> {
    fn of(key: &'k [u8]) -> Removals<'k> {
        Removals { key, commands: Vec::new() }
    }

    fn add(&mut self, member: Member<'_>) {
        if self.commands.last().is_none_or(|command| command.as_args().len() == 2 + PORTION) {
            self.commands.push(OwnedArgs::of(&[b"SREM", self.key]));
        }
        let command = self.commands.last_mut().expect("there is one now");
        command.push(member.as_bytes(&mut IntText::new()));
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::stage::Stage;
    use crate::testkit::transcript;

    #[test]
    fn one_member_leaves_as_srem() {
        transcript(
            "
            > SADD s a
            :1
            > SPOP s
            $a
            > EXISTS s
            :0
            > SPOP s
            nil
            ",
        )
        .propagates(&["SADD s a", "SREM s a"])
        .notifies(&["sadd s", "spop s", "del s"]);
    }

    #[test]
    fn all_members_leave_as_del() {
        transcript(
            "
            > SADD s 1 2 3
            :3
            > SPOP s 0
            *0
            > SPOP s 3
            *3
            $1
            $2
            $3
            > SPOP s 3
            *0
            @resp3
            > SPOP s 3
            ~0
            > SPOP s
            _
            ",
        )
        .propagates(&["SADD s 1 2 3", "DEL s"])
        .notifies(&["sadd s", "spop s", "del s"]);
    }

    fn words(text: &str) -> Vec<Vec<u8>> {
        text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    /// Takes `count` of `size` members; gives the encoding afterwards and how many members each SREM named.
    fn popped(member: &dyn Fn(usize) -> String, size: usize, count: usize) -> (String, Vec<usize>) {
        let mut stage = Stage::default();
        let all = (0..size).map(|number| format!(" {}", member(number))).collect::<String>();
        stage.call(&words(&format!("SADD s{all}")));
        stage.call(&words("EXPIRE s 100"));
        stage.stream();
        let reply = String::from_utf8(stage.call(&words(&format!("SPOP s {count}")))).unwrap();
        assert!(reply.starts_with(&format!("*{count}\r\n")), "{reply}");
        let stream: Vec<String> = stage.stream().into_iter().filter(|line| line.starts_with("SREM s ")).collect();
        let mut taken: Vec<&str> = stream.iter().flat_map(|line| line.split(' ').skip(2)).collect();
        for member in &taken {
            assert!(reply.contains(&format!("\r\n{member}\r\n")));
            assert_eq!(stage.call(&words(&format!("SISMEMBER s {member}"))), b":0\r\n");
        }
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), count);
        assert_eq!(stage.call(&words("SCARD s")), format!(":{}\r\n", size - count).into_bytes());
        assert_eq!(stage.call(&words("TTL s")), b":100\r\n");
        let encoding = String::from_utf8(stage.call(&words("OBJECT ENCODING s"))).unwrap();
        let encoding = encoding.split("\r\n").nth(1).unwrap().to_owned();
        (encoding, stream.iter().map(|line| line.split(' ').count() - 2).collect())
    }

    #[test]
    fn some_members_leave_as_srem_of_a_thousand_each() {
        let number = |number: usize| number.to_string();
        let text = |number: usize| format!("m{number}");
        assert_eq!(popped(&number, 10, 3), ("intset".to_owned(), vec![3]));
        assert_eq!(popped(&number, 100, 95), ("intset".to_owned(), vec![95]));
        assert_eq!(popped(&text, 10, 3), ("listpack".to_owned(), vec![3]));
        assert_eq!(popped(&text, 100, 95), ("listpack".to_owned(), vec![95]));
        assert_eq!(popped(&text, 3000, 1500), ("hashtable".to_owned(), vec![1024, 476]));
        assert_eq!(popped(&text, 3000, 2990), ("listpack".to_owned(), vec![1024, 1024, 942]));
        assert_eq!(popped(&number, 3000, 2800), ("hashtable".to_owned(), vec![1024, 1024, 752]));
    }

    #[test]
    fn counts_that_are_none_are_refused() {
        transcript(
            "
            > SPOP s -1
            -ERR value is out of range, must be positive
            > SPOP s x
            -ERR value is out of range, must be positive
            > SPOP s 1 2
            -ERR syntax error
            > SET k v
            +OK
            > SPOP k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > SPOP k 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
