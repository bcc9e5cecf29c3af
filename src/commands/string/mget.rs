//! MGET key [key …]: the strings at several keys.
//!
//! Reply:   array of bulk strings, null for a key that is missing or holds another type.

use super::value::reply_string;
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::commands::many_keys::each_key;
use crate::data::string::Str;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "mget",
        group: Group::String,
        since: "1.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Category::STRING,
        keys: &[KeySpec::range(1, -1, 1, Access::RO.and(Access::ACCESS))],
        summary: "Returns the strings at several keys, null for each that has none.",
        complexity: "O(N), N being the number of keys",
        tips: &["request_policy:multi_shard"],
        args: &[Arg::key("key", 0).multiple()],
        ..Meta::NEW
    },
    handler: mget,
};

fn mget(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    ctx.reply.array(args.len() - 1);
    each_key(ctx, args, 1, |ctx, at| match ctx.db.read::<Str>(args.get(at)) {
        Ok(Some(value)) => reply_string(&mut ctx.reply, value),
        Ok(None) | Err(_) => ctx.reply.null(),
    });
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn each_key_has_its_place_in_the_answer() {
        transcript(
            "
            > MSET a 1 b two
            +OK
            > MGET a missing b a
            *4
            $1
            nil
            $two
            $1
            ",
        )
        .propagates(&["MSET a 1 b two"]);
    }

    #[test]
    fn several_keys_found_expired_are_one_unit() {
        transcript(
            "
            > SET a v PX 10
            +OK
            > SET b v PX 10
            +OK
            @advance 11
            > MGET a b
            *2
            nil
            nil
            ",
        )
        .propagates(&["SET a v PXAT 1000010", "SET b v PXAT 1000010", "MULTI", "DEL a", "DEL b", "EXEC"]);
    }
}
