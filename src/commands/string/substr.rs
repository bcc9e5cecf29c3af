//! SUBSTR key start end: the old name of GETRANGE, with the same reply and errors.

use super::getrange::getrange;
use crate::commands::contract::DataHandler;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "substr",
        group: Group::String,
        since: "1.0.0",
        arity: Arity::Exactly(4),
        flags: Flags::READONLY,
        categories: Category::STRING,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the part of a string between two offsets, both included.",
        complexity: "O(N), N being the length returned",
        deprecated: Some(("2.0.0", "`GETRANGE`")),
        args: &[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("end", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: getrange,
};

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn it_does_what_getrange_does() {
        transcript(
            "
            > SET k hello
            +OK
            > SUBSTR k 1 -2
            $ell
            ",
        );
    }
}
