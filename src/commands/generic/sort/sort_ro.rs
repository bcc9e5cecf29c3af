//! SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]: SORT without STORE, so
//! that it may run on replicas.

use super::options::Options;
use super::{ALPHA, BY, CATEGORIES, COMPLEXITY, GET, LIMIT, ORDER, READ_KEYS, run};
use crate::commands::contract::{CommandResult, DataCtx, DataHandler};
use crate::resp::args::Args;
use crate::spec::keys::{KeyAt, KeyList};
use crate::spec::{Access, Arg, Arity, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "sort_ro",
        group: Group::Generic,
        since: "7.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::READONLY,
        categories: CATEGORIES,
        keys: &READ_KEYS,
        keys_by: Some(keys),
        summary: "Returns the elements of a list, set or sorted set in order.",
        complexity: COMPLEXITY,
        args: &[Arg::key("key", 0), BY, LIMIT, GET, ORDER, ALPHA],
        ..Meta::NEW
    },
    handler: sort_ro,
};

fn keys(_: &Args<'_>) -> Option<KeyList> {
    Some(KeyList::from_iter([KeyAt { index: 1, access: Access::RO.and(Access::ACCESS) }]))
}

fn sort_ro(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let options = Options::parse(args, false, ctx.may_read_all_keys)?;
    run(ctx, args.get(1), options)
}
