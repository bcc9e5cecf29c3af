//! GEORADIUS key longitude latitude radius M | KM | FT | MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]: members within a distance, the older form of GEOSEARCH.
//!
//! Reply:   as GEOSEARCH. With STORE or STOREDIST integer, how many were stored; without any, that key is deleted.
//! Errors:  those of GEOSEARCH.

use super::args::{COUNT, ORDER, UNIT};
use super::search::{Form, search};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, BeginSearch, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "georadius",
        group: Group::Geo,
        since: "3.2.0",
        arity: Arity::AtLeast(6),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::GEO,
        keys: &[
            KeySpec::one(1, Access::RO.and(Access::ACCESS)),
            KeySpec {
                begin: BeginSearch::Keyword { word: "STORE", from: 6 },
                ..KeySpec::one(1, Access::OW.and(Access::UPDATE))
            },
            KeySpec {
                begin: BeginSearch::Keyword { word: "STOREDIST", from: 6 },
                ..KeySpec::one(1, Access::OW.and(Access::UPDATE))
            },
        ],
        summary: "Returns or stores the members of a geo index within a distance of a position.",
        complexity: "O(N+log(M)), N being the members in the cells around the area and M those of the index",
        history: &[("6.2.0", "ANY behind COUNT."), ("7.0.0", "Units in upper case.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")),
        args: &[
            Arg::key("key", 0),
            Arg::new("longitude", ArgKind::Double),
            Arg::new("latitude", ArgKind::Double),
            Arg::new("radius", ArgKind::Double),
            UNIT,
            Arg::token("withcoord", "WITHCOORD").optional(),
            Arg::token("withdist", "WITHDIST").optional(),
            Arg::token("withhash", "WITHHASH").optional(),
            COUNT,
            ORDER,
            Arg::one_of(
                "store",
                &[Arg::key("storekey", 1).after("STORE"), Arg::key("storedistkey", 2).after("STOREDIST")],
            )
            .optional(),
        ],
        ..Meta::NEW
    },
    handler: georadius,
};

fn georadius(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    search(ctx, args, Form::Around { may_store: true })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn members_around_a_position() {
        transcript(
            "
            > GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
            :2
            > GEORADIUS g 15 37 200 km WITHDIST ASC
            *2
            *2
            $Catania
            $56.4413
            *2
            $Palermo
            $190.4424
            > GEORADIUS g 15 37 200 km COUNT 1 ANY
            *1
            $Palermo
            > GEORADIUS g 15 37 200 km STORE d
            :2
            > ZSCORE d Catania
            $3479447370796909
            > GEORADIUS g 15 37 100 km STOREDIST d
            :1
            > GEORADIUS g 0 0 1 km STORE d
            :0
            > EXISTS d
            :0
            > GEORADIUS x 0 0 1 km
            *0
            ",
        )
        .notifies(&["zadd g", "georadiusstore d", "georadiusstore d", "del d"]);
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > GEORADIUS g 181 0 1 m
            -ERR invalid longitude,latitude pair 181.000000,0.000000
            > GEORADIUS g 0 0 x m
            -ERR need numeric radius
            > GEORADIUS g 0 0 -1 m
            -ERR radius cannot be negative
            > GEORADIUS g 0 0 1 x
            -ERR unsupported unit provided. please use M, KM, FT, MI
            > GEORADIUS g 0 0 1 m STORE d WITHDIST
            -ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options
            > GEORADIUS g 0 0 1 m STORE
            -ERR syntax error
            > GEORADIUS g 0 0 1 m FROMMEMBER a
            -ERR syntax error
            ",
        );
    }
}
