//! XLEN key: how many entries a stream has.
//!
//! Reply:   integer, 0 for a missing key.
//! Errors:  WRONGTYPE when `key` holds another type.

use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::stream::Stream;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "xlen",
        group: Group::Stream,
        since: "5.0.0",
        arity: Arity::Exactly(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::STREAM,
        keys: &[KeySpec::one(1, Access::RO)],
        summary: "Returns the number of entries of a stream.",
        complexity: "O(1)",
        args: &[Arg::key("key", 0)],
        ..Meta::NEW
    },
    handler: xlen,
};

fn xlen(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let len = ctx.db.read::<Stream>(args.get(1))?.map_or(0, |stream| stream.log().len());
    ctx.reply.int(len as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn entries_are_counted() {
        transcript(
            "
            > XLEN s
            :0
            > XADD s 1-0 f v
            $1-0
            > XADD s 2-0 f v
            $2-0
            > XLEN s
            :2
            > XDEL s 1-0 2-0
            :2
            > XLEN s
            :0
            > EXISTS s
            :1
            > SET k v
            +OK
            > XLEN k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
