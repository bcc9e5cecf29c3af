//! DUMP key: the value in a serialised form, which RESTORE reads.
//!
//! Reply:   bulk string, or null when the key does not exist.
//!
//! The form is that of RDB files with a version and a checksum after it; the time to live is not part of it.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::keyspace::AnyValue;
use crate::rdb::dump as payload;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "dump",
        group: Group::Generic,
        since: "2.6.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY,
        categories: Category::KEYSPACE,
        keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the value of a key in a serialised form that RESTORE reads.",
        complexity: "O(N), N being the size of the value",
        tips: &["nondeterministic_output"],
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: dump,
};

fn dump(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let Some(value) = ctx.db.read::<AnyValue>(args.get(1))? else {
        ctx.reply.null();
        return Ok(Outcome::Done);
    };
    ctx.reply.shared(payload::dump(value).into());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_missing_key_has_no_form() {
        transcript(
            "
            > DUMP k
            nil
            ",
        );
    }
}
