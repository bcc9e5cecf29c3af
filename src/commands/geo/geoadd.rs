//! GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]: adds positions or changes them.
//!
//! Reply:   integer, how many members are new (with CH: new or changed).
//! Errors:  syntax error; value is not a valid float; invalid longitude,latitude pair; WRONGTYPE when `key` holds another type.
//!
//! Replicas and the AOF receive `zadd key [NX | XX] [CH] score member …`, and subscribers hear of `zadd`.

use super::args::position;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler};
use crate::data::zset::{Rule, Updated, Zset};
use crate::keyspace::Event;
use crate::resp::args::{Args, OwnedArgs};
use crate::spec::options::is;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "geoadd",
        group: Group::Geo,
        since: "3.2.0",
        arity: Arity::AtLeast(5),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::GEO,
        keys: &[KeySpec::one(1, Access::RW.and(Access::UPDATE))],
        summary: "Adds positions to a geo index or changes them, creating the key when it is missing.",
        complexity: "O(log(N)) for each member added, N being the members of the index",
        history: &[("6.2.0", "CH, NX and XX.")],
        args: &[
            Arg::key("key", 0),
            Arg::one_of("condition", &[Arg::token("nx", "NX"), Arg::token("xx", "XX")]).optional().since("6.2.0"),
            Arg::token("change", "CH").optional().since("6.2.0"),
            Arg::block(
                "data",
                &[
                    Arg::new("longitude", ArgKind::Double),
                    Arg::new("latitude", ArgKind::Double),
                    Arg::new("member", ArgKind::String),
                ],
            )
            .multiple(),
        ],
        ..Meta::NEW
    },
    handler: geoadd,
};

fn geoadd(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (mut rule, mut counts_changes, mut first) = (Rule::default(), false, 2);
    while first < args.len() {
        match args.get(first) {
            word if is(word, "NX") => rule.only_new = true,
            word if is(word, "XX") => rule.only_present = true,
            word if is(word, "CH") => counts_changes = true,
            _ => break,
        }
        first += 1;
    }
    let words = args.len() - first;
    if words == 0 || !words.is_multiple_of(3) || (rule.only_new && rule.only_present) {
        return Err(CommandError::Syntax.into());
    }
    let scores = (first..args.len()).step_by(3).map(|at| Ok(position(args, at)?.score()));
    let scores: Vec<u64> = scores.collect::<Result<_, CommandError>>()?;
    let members = || args.from(first + 2).step_by(3);

    let limits = &ctx.settings.limits;
    let (added, changed) = ctx.db.edit_or_create::<Zset, _>(args.get(1), |zset, notes| {
        if zset.is_empty() {
            *zset = Zset::for_members(scores.len(), members().map(<[u8]>::len).max().unwrap_or(0), limits);
        }
        let (mut added, mut changed) = (0, 0);
        for (score, member) in scores.iter().zip(members()) {
            match zset.update(member, *score as f64, rule, limits) {
                Updated::Added(_) => added += 1,
                Updated::Changed(_) => changed += 1,
                Updated::Same(_) | Updated::Refused | Updated::NotANumber => {}
            }
        }
        if added + changed > 0 {
            notes.changed(Event::ZADD, added + changed);
        }
        (added, changed)
    })?;
    ctx.reply.int((added + if counts_changes { changed } else { 0 }) as i64);
    Ok(ctx.propagate_with(|| {
        let mut command = OwnedArgs::of(&[b"zadd"]);
        args.from(1).take(first - 1).for_each(|word| command.push(word));
        for (score, member) in scores.iter().zip(members()) {
            command.push(itoa::Buffer::new().format(*score).as_bytes());
            command.push(member);
        }
        command
    }))
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn positions_become_scores() {
        transcript(
            "
            > GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
            :2
            > GEOADD g NX CH 0 0 Palermo
            :0
            > GEOADD g xx ch 13.361389 38 Palermo
            :1
            > ZSCORE g Catania
            $3479447370796909
            > GEOADD g XX 1 1 Nowhere
            :0
            > OBJECT ENCODING g
            $listpack
            ",
        )
        .propagates(&[
            "zadd g 3479099956230698 Palermo 3479447370796909 Catania",
            "zadd g xx ch 3479096650853999 Palermo",
        ])
        .notifies(&["zadd g", "zadd g"]);
    }

    #[test]
    fn wrong_calls_add_nothing() {
        transcript(
            "
            > SET s x
            +OK
            > GEOADD s 1 1 a
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > GEOADD g 1 1 a 2 2
            -ERR syntax error
            > GEOADD g NX XX 1 1 a
            -ERR syntax error
            > GEOADD g NX CH CH
            -ERR syntax error
            > GEOADD g x 1 a
            -ERR value is not a valid float
            > GEOADD g 1 1 a 200 1 b
            -ERR invalid longitude,latitude pair 200.000000,1.000000
            > GEOADD g 1 -86 a
            -ERR invalid longitude,latitude pair 1.000000,-86.000000
            > EXISTS g
            :0
            ",
        )
        .propagates(&["SET s x"]);
    }
}
