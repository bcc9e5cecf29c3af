//! GEOPOS key [member [member ...]]: positions of members.
//!
//! Reply:   array of pairs of longitude and latitude, a null array where there is no such member.
//! Errors:  WRONGTYPE when `key` holds another type.

use super::args::write_position;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::geohash::Position;
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "geopos",
        group: Group::Geo,
        since: "3.2.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY,
        categories: Category::GEO,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the positions of members of a geo index.",
        complexity: "O(N), N being the number of members asked for",
        args: &[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple().optional()],
        ..Meta::NEW
    },
    handler: geopos,
};

fn geopos(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let zset = ctx.db.read::<Zset>(args.get(1))?;
    ctx.reply.array(args.len() - 2);
    for member in args.from(2) {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => write_position(&mut ctx.reply, &Position::of_score(score)),
            None => ctx.reply.null_array(),
        }
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn positions_come_back_nearly() {
        transcript(
            "
            > GEOADD g 13.361389 38.115556 Palermo
            :1
            > GEOPOS g Palermo x
            *2
            *2
            $13.36138933897018433
            $38.11555639549629859
            nil
            > GEOPOS x a
            *1
            nil
            @resp3
            > GEOPOS g Palermo
            *1
            *2
            ,13.36138933897018433
            ,38.11555639549629859
            > SET s x
            +OK
            > GEOPOS s a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
