//! SUNION key [key ...]: what is in any of several sets.
//!
//! Reply:   set. Keys that do not exist count as empty sets.
//! Errors:  WRONGTYPE.
//!
//! The members go to the client as they are found; the result is not built.

use super::members::{reply_set_of, sets_at};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::set::{Set, algebra};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "sunion",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY,
        categories: Category::SET,
        keys: &[KeySpec::range(1, -1, 1, Access::RO.and(Access::ACCESS))],
        summary: "Returns what is in any of several sets.",
        complexity: "O(N), N being the size of all sets together",
        tips: &["nondeterministic_output_order"],
        args: &[Arg::key("key", 0).multiple()],
        ..Meta::NEW
    },
    handler: sunion,
};

fn sunion(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let sets = sets_at(&mut ctx.db, args.from(1))?;
    let sets: Vec<&Set> = sets.into_iter().flatten().collect();
    reply_set_of(&mut ctx.reply, |see| algebra::union(&sets, see));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn each_member_once() {
        transcript(
            "
            > SADD a 1 2
            :2
            > SADD b 3 2
            :2
            > SADD c x 1
            :2
            > SUNION a b
            *3
            $1
            $2
            $3
            > SUNION c missing
            *2
            $x
            $1
            > SUNION c a
            *3
            $x
            $1
            $2
            > SUNION missing
            *0
            > SET k v
            +OK
            > SUNION a k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            @resp3
            > SUNION a b
            ~3
            $1
            $2
            $3
            ",
        );
    }
}
