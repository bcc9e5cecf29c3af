//! SELECT index: the database that later commands work on.
//!
//! Reply:   OK.
//! Errors:  ERR when the index is no number or beyond `databases`.

use crate::base::number::parse_i64;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "select",
        group: Group::Connection,
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
        categories: Category::CONNECTION,
        summary: "Chooses the database that later commands work on.",
        args: &[Arg::new("index", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: select,
};

fn select(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    // The number is a C int in Redis: one that is larger is "no integer", one that is only too large is out of range.
    let index = parse_i64(args.get(1)).and_then(|index| i32::try_from(index).ok()).ok_or(SessionError::NOT_INTEGER)?;
    let index = usize::try_from(index).ok().filter(|index| *index < ctx.program.databases);
    ctx.session.db = index.ok_or(SessionError::fixed("ERR DB index is out of range"))?;
    ctx.reply.ok();
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn only_existing_databases_can_be_chosen() {
        let mut world = World::new();
        assert_eq!(world.run("SELECT 15"), "+OK");
        assert_eq!(world.session.db, 15);
        assert_eq!(world.run("SELECT 16"), "-ERR DB index is out of range");
        assert_eq!(world.run("SELECT -1"), "-ERR DB index is out of range");
        assert_eq!(world.run("SELECT x"), "-ERR value is not an integer or out of range");
        assert_eq!(world.run("SELECT 3000000000"), "-ERR value is not an integer or out of range");
        assert_eq!(world.session.db, 15);
    }
}
