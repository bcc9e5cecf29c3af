//! GEOSEARCHSTORE destination source FROMMEMBER … | FROMLONLAT … BYRADIUS … | BYBOX … [ASC | DESC] [COUNT count [ANY]] [STOREDIST]: stores
//! the members in an area as a geo index, with STOREDIST as a sorted set of distances.
//!
//! Reply:   integer, how many were stored. Without any, `destination` is deleted.
//! Errors:  those of GEOSEARCH; WITHCOORD, WITHDIST and WITHHASH make no sense.

use super::args::{BY, COUNT, FROM, ORDER};
use super::search::{Form, search};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "geosearchstore",
        group: Group::Geo,
        since: "6.2.0",
        arity: Arity::AtLeast(8),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::GEO,
        keys: &[KeySpec::one(1, Access::OW.and(Access::UPDATE)), KeySpec::one(2, Access::RO.and(Access::ACCESS))],
        summary: "Stores the members of a geo index that lie in a circle or a box in a key.",
        complexity: "O(N+log(M)), N being the members in the cells around the area and M those of the index",
        history: &[("7.0.0", "Units in upper case.")],
        args: &[
            Arg::key("destination", 0),
            Arg::key("source", 1),
            FROM,
            BY,
            ORDER,
            COUNT,
            Arg::token("storedist", "STOREDIST").optional(),
        ],
        ..Meta::NEW
    },
    handler: geosearchstore,
};

fn geosearchstore(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    search(ctx, args, Form::SearchStore)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn results_are_stored_with_their_position_or_distance() {
        transcript(
            "
            > GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
            :2
            > GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km COUNT 1
            :1
            > ZRANGE d 0 -1 WITHSCORES
            *2
            $Catania
            $3479447370796909
            > GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST
            :2
            > ZRANGE d 0 0
            *1
            $Catania
            > GEOSEARCHSTORE d g FROMLONLAT 0 0 BYRADIUS 1 km
            :0
            > EXISTS d
            :0
            > GEOSEARCHSTORE d x FROMMEMBER a BYRADIUS 1 km
            :0
            > GEOSEARCHSTORE d g FROMLONLAT 0 0 BYRADIUS 1 km WITHDIST
            -ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options
            ",
        )
        .propagates(&[
            "zadd g 3479099956230698 Palermo 3479447370796909 Catania",
            "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km COUNT 1",
            "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST",
            "GEOSEARCHSTORE d g FROMLONLAT 0 0 BYRADIUS 1 km",
        ])
        .notifies(&["zadd g", "geosearchstore d", "geosearchstore d", "del d"]);
    }
}
