//! GEOHASH key [member [member ...]]: positions as geohashes.
//!
//! Reply:   array of texts of eleven characters, null where there is no such member.
//! Errors:  WRONGTYPE when `key` holds another type.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::geohash::{Position, geohash_text};
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "geohash",
        group: Group::Geo,
        since: "3.2.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY,
        categories: Category::GEO,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the positions of members of a geo index as geohashes.",
        complexity: "O(N), N being the number of members asked for",
        args: &[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple().optional()],
        ..Meta::NEW
    },
    handler: geohash,
};

fn geohash(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let zset = ctx.db.read::<Zset>(args.get(1))?;
    ctx.reply.array(args.len() - 2);
    for member in args.from(2) {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => ctx.reply.bulk(&geohash_text(Position::of_score(score))),
            None => ctx.reply.null(),
        }
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn geohashes_are_those_of_others() {
        transcript(
            "
            > GEOADD g 13.361389 38.115556 Palermo -5.6 42.6 b
            :2
            > GEOHASH g Palermo x b
            *3
            $sqc8b49rny0
            nil
            $ezs42e44yx0
            > GEOHASH g
            *0
            > GEOHASH x a
            *1
            nil
            > SET s x
            +OK
            > GEOHASH s a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
