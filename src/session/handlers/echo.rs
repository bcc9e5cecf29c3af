//! ECHO message: the message comes back.

use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "echo",
        group: Group::Connection,
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
        categories: Category::CONNECTION,
        summary: "Returns its argument.",
        args: &[Arg::new("message", ArgKind::String)],
        ..Meta::NEW
    },
    handler: echo,
};

fn echo(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    match args.shared(1) {
        Some(message) => ctx.reply.shared(message.clone()),
        None => ctx.reply.bulk(args.get(1)),
    }
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn the_argument_comes_back() {
        let mut world = World::new();
        assert_eq!(world.run("ECHO hi"), "$hi");
        assert_eq!(world.run("ECHO"), "-ERR wrong number of arguments for 'echo' command");
    }
}
