//! GEORADIUSBYMEMBER key member radius M | KM | FT | MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]: members within a distance, the older form of GEOSEARCH.
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
        name: "georadiusbymember",
        group: Group::Geo,
        since: "3.2.0",
        arity: Arity::AtLeast(5),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Category::GEO,
        keys: &[
            KeySpec::one(1, Access::RO.and(Access::ACCESS)),
            KeySpec {
                begin: BeginSearch::Keyword { word: "STORE", from: 5 },
                ..KeySpec::one(1, Access::OW.and(Access::UPDATE))
            },
            KeySpec {
                begin: BeginSearch::Keyword { word: "STOREDIST", from: 5 },
                ..KeySpec::one(1, Access::OW.and(Access::UPDATE))
            },
        ],
        summary: "Returns or stores the members of a geo index within a distance of another member.",
        complexity: "O(N+log(M)), N being the members in the cells around the area and M those of the index",
        history: &[("7.0.0", "Units in upper case.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments")),
        args: &[
            Arg::key("key", 0),
            Arg::new("member", ArgKind::String),
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
    handler: georadiusbymember,
};

fn georadiusbymember(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    search(ctx, args, Form::AroundMember { may_store: true })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn members_around_another() {
        transcript(
            "
            > GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
            :2
            > GEORADIUSBYMEMBER g Palermo 200 km DESC
            *2
            $Catania
            $Palermo
            > GEORADIUSBYMEMBER g Palermo 100 km STORE d
            :1
            > GEORADIUSBYMEMBER g Rome 100 km
            -ERR could not decode requested zset member
            > GEORADIUSBYMEMBER x Rome y z
            *0
            > GEORADIUSBYMEMBER x Rome y z STORE d
            :0
            > EXISTS d
            :0
            ",
        )
        .notifies(&["zadd g", "georadiusstore d", "del d"]);
    }
}
