//! GEODIST key member1 member2 [M | KM | FT | MI]: the distance between two members.
//!
//! Reply:   bulk string with four decimals, metres unless told otherwise; null when there is no such key or member.
//! Errors:  unsupported unit provided; syntax error; WRONGTYPE when `key` holds another type.

use super::args::{UNIT, unit, write_distance};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::geohash::Position;
use crate::data::zset::Zset;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "geodist",
        group: Group::Geo,
        since: "3.2.0",
        arity: Arity::AtLeast(4),
        flags: Flags::READONLY,
        categories: Category::GEO,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the distance between two members of a geo index.",
        args: &[Arg::key("key", 0), Arg::new("member1", ArgKind::String), Arg::new("member2", ArgKind::String), UNIT],
        ..Meta::NEW
    },
    handler: geodist,
};

fn geodist(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let unit = match args.len() {
        4 => 1.0,
        5 => unit(args.get(4))?,
        _ => return Err(CommandError::Syntax.into()),
    };
    let zset = ctx.db.read::<Zset>(args.get(1))?;
    let position = |at: usize| Some(Position::of_score(zset?.score(args.get(at))?));
    match (position(2), position(3)) {
        (Some(from), Some(to)) => write_distance(&mut ctx.reply, from.distance(&to) / unit),
        _ => ctx.reply.null(),
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn distances_in_every_unit() {
        transcript(
            "
            > GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
            :2
            > GEODIST g Palermo Catania
            $166274.1516
            > GEODIST g Palermo Catania KM
            $166.2742
            > GEODIST g Palermo Catania ft
            $545518.8700
            > GEODIST g Palermo Catania mi
            $103.3182
            > GEODIST g Palermo Palermo
            $0.0000
            > GEODIST g Palermo Rome
            nil
            > GEODIST x Palermo Catania
            nil
            ",
        );
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > SET s x
            +OK
            > GEODIST s a b
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > GEODIST s a b parsec
            -ERR unsupported unit provided. please use M, KM, FT, MI
            > GEODIST s a b m m
            -ERR syntax error
            ",
        );
    }
}
