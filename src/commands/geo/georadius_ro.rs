//! GEORADIUS_RO key longitude latitude radius M | KM | FT | MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]: members within a distance, the older form of GEOSEARCH.
//!
//! Reply:   as GEOSEARCH.
//! Errors:  those of GEOSEARCH.

use super::args::{COUNT, ORDER, UNIT};
use super::search::{Form, search};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "georadius_ro",
        group: Group::Geo,
        since: "3.2.10",
        arity: Arity::AtLeast(6),
        flags: Flags::READONLY,
        categories: Category::GEO,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the members of a geo index within a distance of a position.",
        complexity: "O(N+log(M)), N being the members in the cells around the area and M those of the index",
        history: &[("6.2.0", "ANY behind COUNT.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")),
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
        ],
        ..Meta::NEW
    },
    handler: georadius_ro,
};

fn georadius_ro(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    search(ctx, args, Form::Around { may_store: false })
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn nothing_is_stored() {
        transcript(
            "
            > GEOADD g 13.361389 38.115556 Palermo
            :1
            > GEORADIUS_RO g 13 38 100 km
            *1
            $Palermo
            > GEORADIUS_RO g 13 38 100 km STORE d
            -ERR syntax error
            ",
        );
    }
}
