//! LTRIM key start stop: removes all elements but those between two indexes, both included; negative indexes count from the tail.
//!
//! Reply:   OK, also when `key` does not exist.
//! Errors:  WRONGTYPE when `key` holds another type; value is not an integer or out of range.
//!
//! The event `ltrim` comes also when nothing was removed; replicas and the AOF receive nothing then.

use super::args::{packing, parse_index};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::List;
use crate::keyspace::Event;
use crate::resp::args::Args;
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "ltrim",
        group: Group::List,
        arity: Arity::Exactly(4),
        flags: Flags::WRITE,
        categories: Category::LIST,
        keys: &[KeySpec::one(1, Access::RW.and(Access::DELETE))],
        summary: "Removes the elements at both ends of a list that are not between two indexes.",
        complexity: "O(N), N being the number of elements removed",
        args: &[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: ltrim,
};

fn ltrim(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let (start, stop) = (parse_index(args.get(2))?, parse_index(args.get(3))?);
    let packing = packing(ctx);
    ctx.db.edit::<List, _>(args.get(1), |list, notes| {
        let (len, kept) = (list.len(), list.range(start, stop));
        list.remove(kept.end..len, packing);
        list.remove(0..kept.start, packing);
        notes.changed(Event::LTRIM, (len - kept.len()) as u64);
    })?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn what_is_outside_goes() {
        transcript(
            "
            > RPUSH k 1 2 3 4 5
            :5
            > LTRIM k 1 -2
            +OK
            > LRANGE k 0 -1
            *3
            $2
            $3
            $4
            > LTRIM k 0 100
            +OK
            > LTRIM k 5 10
            +OK
            > EXISTS k
            :0
            > LTRIM k 0 1
            +OK
            ",
        )
        .propagates(&["RPUSH k 1 2 3 4 5", "LTRIM k 1 -2", "LTRIM k 5 10"])
        .notifies(&["rpush k", "ltrim k", "ltrim k", "ltrim k", "del k"]);
    }

    #[test]
    fn wrong_calls_are_refused() {
        transcript(
            "
            > LTRIM missing x 1
            -ERR value is not an integer or out of range
            > SET s v
            +OK
            > LTRIM s 0 0
            -WRONGTYPE Operation against a key holding the wrong kind of value
            ",
        );
    }
}
