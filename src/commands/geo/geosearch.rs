//! GEOSEARCH key FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius unit | BYBOX width height unit [ASC | DESC] [COUNT count [ANY]]
//! [WITHCOORD] [WITHDIST] [WITHHASH]: members in an area.
//!
//! Reply:   array of members; with any of the last three, arrays of the member, its distance from the centre, its score, and its
//!          position.
//! Errors:  syntax error; what is missing or makes no sense; could not decode requested zset member; WRONGTYPE when `key`
//!          holds another type.

use super::args::{BY, COUNT, FROM, ORDER};
use super::search::{Form, search};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "geosearch",
        group: Group::Geo,
        since: "6.2.0",
        arity: Arity::AtLeast(7),
        flags: Flags::READONLY,
        categories: Category::GEO,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the members of a geo index that lie in a circle or a box.",
        complexity: "O(N+log(M)), N being the members in the cells around the area and M those of the index",
        history: &[("7.0.0", "Units in upper case.")],
        args: &[
            Arg::key("key", 0),
            FROM,
            BY,
            ORDER,
            COUNT,
            Arg::token("withcoord", "WITHCOORD").optional(),
            Arg::token("withdist", "WITHDIST").optional(),
            Arg::token("withhash", "WITHHASH").optional(),
        ],
        ..Meta::NEW
    },
    handler: geosearch,
};

fn geosearch(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    search(ctx, args, Form::Search)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn circles_and_boxes() {
        transcript(
            "
            > GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1 17.241510 38.788135 edge2
            :4
            > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC
            *2
            $Catania
            $Palermo
            > GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST WITHHASH COUNT 1
            *1
            *4
            $Catania
            $56.4413
            :3479447370796909
            *2
            $15.08726745843887329
            $37.50266842333162032
            > GEOSEARCH g FROMMEMBER Palermo BYRADIUS 100 KM WITHDIST
            *2
            *2
            $Palermo
            $0.0000
            *2
            $edge1
            $91.4007
            > GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km COUNT 2 DESC
            *2
            $edge1
            $edge2
            > GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 1 m
            *0
            > GEOSEARCH x FROMMEMBER a BYRADIUS 1 m
            *0
            ",
        );
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > SET s x
            +OK
            > GEOSEARCH s FOO 1 2 BAR 1 m
            -WRONGTYPE Operation against a key holding the wrong kind of value
            > GEOADD g 1 1 a
            :1
            > GEOSEARCH g FROMMEMBER b BYRADIUS 1 m
            -ERR could not decode requested zset member
            > GEOSEARCH g FROMMEMBER a FROMLONLAT 1 1 BYRADIUS 1 m
            -ERR syntax error
            > GEOSEARCH g BYRADIUS 1 m ASC COUNT 1
            -ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH
            > geosearch g FROMMEMBER a ASC COUNT 1
            -ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch
            > GEOSEARCH g FROMMEMBER a BYRADIUS 1 m BYBOX 1 1 m
            -ERR syntax error
            > GEOSEARCH g FROMMEMBER a BYRADIUS x m
            -ERR need numeric radius
            > GEOSEARCH g FROMMEMBER a BYRADIUS -1 m
            -ERR radius cannot be negative
            > GEOSEARCH g FROMMEMBER a BYBOX x 1 m
            -ERR need numeric width
            > GEOSEARCH g FROMMEMBER a BYBOX 1 x m
            -ERR need numeric height
            > GEOSEARCH g FROMMEMBER a BYBOX 1 -1 m
            -ERR height or width cannot be negative
            > GEOSEARCH g FROMMEMBER a BYRADIUS 1 parsec
            -ERR unsupported unit provided. please use M, KM, FT, MI
            > GEOSEARCH g FROMMEMBER a BYRADIUS 1 m COUNT 0
            -ERR COUNT must be > 0
            > GEOSEARCH g FROMMEMBER a BYRADIUS 1 m COUNT x
            -ERR value is not an integer or out of range
            > GEOSEARCH g FROMMEMBER a BYRADIUS 1 m ANY
            -ERR the ANY argument requires COUNT argument
            > GEOSEARCH g FROMMEMBER a BYRADIUS 1 m STORE k
            -ERR syntax error
            > GEOSEARCH g FROMMEMBER a BYRADIUS 1 m STOREDIST
            -ERR syntax error
            > GEOSEARCH g FROMLONLAT 181 0 BYRADIUS 1 m
            -ERR invalid longitude,latitude pair 181.000000,0.000000
            ",
        );
    }
}
