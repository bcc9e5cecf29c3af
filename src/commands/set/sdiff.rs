//! SDIFF key [key ...]: what is in the first set and in none of the others.
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
        name: "sdiff",
        group: Group::Set,
        since: "1.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY,
        categories: Category::SET,
        keys: &[KeySpec::range(1, -1, 1, Access::RO.and(Access::ACCESS))],
        summary: "Returns what is in the first set and in none of the others.",
        complexity: "O(N), N being the size of all sets together",
        tips: &["nondeterministic_output_order"],
        args: &[Arg::key("key", 0).multiple()],
        ..Meta::NEW
    },
    handler: sdiff,
};

fn sdiff(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let sets = sets_at(&mut ctx.db, args.from(1))?;
    let others: Vec<&Set> = sets[1..].iter().flatten().copied().collect();
    reply_set_of(&mut ctx.reply, |see| {
        if let Some(first) = sets[0] {
            algebra::difference(first, &others, see);
        }
    });
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn the_first_without_the_others() {
        transcript(
            "
            > SADD a 1 2 3 x
            :4
            > SADD b 3 9
            :2
            > SADD c x 1
            :2
            > SDIFF a b c
            *1
            $2
            > SDIFF a missing b
            *3
            $1
            $2
            $x
            > SDIFF a a
            *0
            > SDIFF missing a
            *0
            > SET k v
            +OK
            > SDIFF missing k
            -WRONGTYPE Operation against a key holding the wrong kind of value
            @resp3
            > SDIFF a b c
            ~1
            $2
            ",
        );
    }
}
