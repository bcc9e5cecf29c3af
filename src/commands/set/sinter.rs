//! SINTER key [key ...]: what several sets have in common.
//!
//! Reply:   set. Keys that do not exist count as empty sets.
//! Errors:  WRONGTYPE.
//!
//! The members go to the client as they are found; the result is not built.

use std::ops::ControlFlow;

use super::members::{reply_set_of, sets_at};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::set::{Set, algebra};
use crate::resp::args::Args;
use crate::spec::{Access, Arg, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "sinter",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY,
        categories: Category::SET,
        keys: &[KeySpec::range(1, -1, 1, Access::RO.and(Access::ACCESS))],
        summary: "Returns what several sets have in common.",
        complexity: "O(N*M), N being the size of the smallest set and M the number of sets",
        tips: &["nondeterministic_output_order"],
        args: &[Arg::key("key", 0).multiple()],
        ..Meta::NEW
    },
    handler: sinter,
};

fn sinter(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let sets = sets_at(&mut ctx.db, args.from(1))?;
    // With a set that is not there, nothing is common.
    let sets: Option<Vec<&Set>> = sets.into_iter().collect();
    reply_set_of(&mut ctx.reply, |see| {
        algebra::intersection(&sets.unwrap_or_default(), &mut |member| {
            see(member);
            ControlFlow::Continue(())
        });
    });
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn only_what_all_have() {
        transcript(
            "
            > SADD a 1 2 3
            :3
            > SADD b 3 x 2
            :3
            > SINTER a b
            *2
            $2
            $3
            > SINTER a b a
            *2
            $2
            $3
            > SINTER a missing
            *0
            > SINTER missing
            *0
            > SINTER a
            *3
            $1
            $2
            $3
            > SET k v
            +OK
            > SINTER missing k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            @resp3
            > SINTER a b
            ~2
            $2
            $3
            > SINTER a missing
            ~0
            ",
        );
    }
}
