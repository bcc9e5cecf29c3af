//! COMMAND COUNT: how many commands there are, subcommands not counted. COMMAND LIST [FILTERBY …]: their names,
//! subcommands included.

use super::BASE;
use crate::base::glob;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Category, Command, Meta, Spec};

/// COMMAND COUNT.
pub const COUNT: Spec<SessionHandler> = Spec {
    meta: Meta { name: "count", arity: Arity::Exactly(2), summary: "Counts the commands.", ..BASE },
    handler: |ctx, _| {
        ctx.reply.int(ctx.catalog.callable().count() as i64);
        Ok(SessionOutcome::Done)
    },
};

/// COMMAND LIST.
pub const LIST: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "list",
        since: "7.0.0",
        arity: Arity::AtLeast(2),
        summary: "Lists the names of commands.",
        complexity: "O(N) in the number of commands.",
        tips: &["nondeterministic_output_order"],
        args: &[Arg::one_of(
            "filterby",
            &[
                Arg::new("module-name", ArgKind::String).after("MODULE"),
                Arg::new("category", ArgKind::String).after("ACLCAT"),
                Arg::new("pattern", ArgKind::Pattern).after("PATTERN"),
            ],
        )
        .after("FILTERBY")
        .optional()],
        ..BASE
    },
    handler: list,
};

fn list(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    match args.len() {
        2 => reply_names(ctx, &|_| true),
        5 if args.is(2, "filterby") => {
            let value = args.get(4);
            match () {
                // There are no modules, so nothing belongs to one.
                _ if args.is(3, "module") => reply_names(ctx, &|_| false),
                _ if args.is(3, "aclcat") => {
                    let category = std::str::from_utf8(value).ok().and_then(Category::named).unwrap_or(Category::NONE);
                    reply_names(ctx, &|command| command.categories.has(category));
                }
                _ if args.is(3, "pattern") => {
                    reply_names(ctx, &|command| glob::matches_ignoring_case(value, command.full_name.as_bytes()));
                }
                _ => return Err(SessionError::SYNTAX),
            }
        }
        _ => return Err(SessionError::SYNTAX),
    }
    Ok(SessionOutcome::Done)
}

fn reply_names(ctx: &mut SessionCtx<'_>, is_wanted: &dyn Fn(&Command) -> bool) {
    let catalog = ctx.catalog;
    let subcommands = |command: &'_ Command| command.subcommands.iter().map(|id| catalog.get(*id)).collect::<Vec<_>>();
    let all = catalog.callable().flat_map(|command| [command].into_iter().chain(subcommands(command)));
    let names: Vec<&Command> = all.filter(|command| is_wanted(command)).collect();
    ctx.reply.array(names.len());
    names.into_iter().for_each(|command| ctx.reply.bulk(command.full_name.as_bytes()));
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn names_are_filtered_by_category_and_pattern() {
        let mut world = World::new();
        assert_eq!(world.run("COMMAND LIST FILTERBY ACLCAT string"), "*1 $get");
        assert_eq!(world.run("COMMAND LIST FILTERBY ACLCAT nosuch"), "*0");
        assert_eq!(world.run("COMMAND LIST FILTERBY PATTERN GE?"), "*1 $get");
        assert_eq!(world.run("COMMAND LIST FILTERBY MODULE x"), "*0");
        assert!(world.run("COMMAND LIST").contains("$client $client|"));
    }

    #[test]
    fn mistakes_are_syntax_errors() {
        let mut world = World::new();
        for command in ["COMMAND LIST FILTERBY", "COMMAND LIST x", "COMMAND LIST FILTERBY x y"] {
            assert_eq!(world.run(command), "-ERR syntax error");
        }
    }
}
