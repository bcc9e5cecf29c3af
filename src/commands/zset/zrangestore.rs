//! ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]: stores a range of members as a sorted set.
//!
//! Reply:   integer, how many members were stored. Without any, `dst` is deleted.
//! Errors:  those of ZRANGE; WITHSCORES is a syntax error. What `dst` held before does not matter.

use super::range::{Form, Query};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::string::IntText;
use crate::data::zset::{Draft, Zset};
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "zrangestore",
        group: Group::SortedSet,
        since: "6.2.0",
        arity: Arity::AtLeast(5),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::SORTEDSET,
        keys: &[KeySpec::one(1, Access::OW.and(Access::UPDATE)), KeySpec::one(2, Access::RO.and(Access::ACCESS))],
        summary: "Stores the members of a sorted set in a range of ranks, scores or names in another one.",
        complexity: "O(log(N)+M*log(M)), N being the members of the sorted set and M those stored",
        args: &[
            Arg::key("dst", 0),
            Arg::key("src", 1),
            Arg::new("min", ArgKind::String),
            Arg::new("max", ArgKind::String),
            Arg::one_of("sortby", &[Arg::token("byscore", "BYSCORE"), Arg::token("bylex", "BYLEX")]).optional(),
            Arg::token("rev", "REV").optional(),
            Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)])
                .after("LIMIT")
                .optional(),
        ],
        ..Meta::NEW
    },
    handler: zrangestore,
};

fn zrangestore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let target = args.get(1);
    let query = Query::parse(args, 3, Form { is_store: true, ..Form::default() })?;
    let result = ctx.db.read::<Zset>(args.get(2))?.map(|zset| {
        let (mut draft, mut room) = (Draft::new(), IntText::new());
        for (member, score) in query.run(zset) {
            draft.add(member.as_bytes(&mut room), score, |old| old);
        }
        draft.into_zset(&ctx.settings.limits)
    });
    super::store(ctx, target, result.unwrap_or_default(), Event::ZRANGESTORE);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_range_replaces_what_was_there() {
        transcript(
            "
            > ZADD z 1 a 2 b 3 c
            :3
            > SET d x
            +OK
            > ZRANGESTORE d z 1 -1
            :2
            > ZRANGE d 0 -1 WITHSCORES
            *4
            $b
            $2
            $c
            $3
            > ZRANGESTORE d z +inf (1 BYSCORE REV LIMIT 0 1
            :1
            > ZRANGESTORE d z 5 9
            :0
            > EXISTS d
            :0
            > ZRANGESTORE d x 0 -1
            :0
            > ZRANGESTORE z z 0 0
            :1
            ",
        )
        .propagates(&[
            "ZADD z 1 a 2 b 3 c",
            "SET d x",
            "ZRANGESTORE d z 1 -1",
            "ZRANGESTORE d z +inf (1 BYSCORE REV LIMIT 0 1",
            "ZRANGESTORE d z 5 9",
            "ZRANGESTORE z z 0 0",
        ])
        .notifies(&["zadd z", "set d", "zrangestore d", "zrangestore d", "del d", "zrangestore z"]);
    }

    #[test]
    fn wrong_calls_store_nothing() {
        transcript(
            "
            > SET s x
            +OK
            > ZRANGESTORE d s 0 -1
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > ZRANGESTORE s s 0 -1 WITHSCORES
            -ERR syntax error
            > ZRANGESTORE s s 0 x
            -ERR value is not an integer or out of range
            > GET s
            $x
            ",
        );
    }
}
