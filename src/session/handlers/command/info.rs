//! COMMAND, COMMAND INFO [name …], COMMAND DOCS [name …]: the declarations of commands.
//!
//! Names may be those of subcommands (`config|get`). INFO answers null for an unknown name; DOCS leaves it out.

use super::BASE;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::docs::{reply_docs, reply_info};
use crate::spec::{Arg, ArgKind, Arity, Command, Meta, Spec};

const NAMES: &[Arg] = &[Arg::new("command-name", ArgKind::String).optional().multiple()];

/// COMMAND.
pub const COMMAND: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "command",
        container: "",
        arity: Arity::AtLeast(1),
        summary: "Describes all commands.",
        complexity: "O(N) in the number of commands.",
        tips: &["nondeterministic_output_order"],
        ..BASE
    },
    handler: |ctx, _| Ok(info_of_all(ctx)),
};

/// COMMAND INFO.
pub const INFO: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "info",
        arity: Arity::AtLeast(2),
        summary: "Describes the named commands, or all.",
        complexity: "O(N) in the number of names.",
        history: &[("7.0.0", "Without names it describes all commands.")],
        tips: &["nondeterministic_output_order"],
        args: NAMES,
        ..BASE
    },
    handler: info,
};

/// COMMAND DOCS.
pub const DOCS: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "docs",
        since: "7.0.0",
        arity: Arity::AtLeast(2),
        summary: "Documents the named commands, or all.",
        complexity: "O(N) in the number of names.",
        tips: &["nondeterministic_output_order"],
        args: NAMES,
        ..BASE
    },
    handler: docs,
};

fn info_of_all(ctx: &mut SessionCtx<'_>) -> SessionOutcome {
    ctx.reply.array(ctx.catalog.callable().count());
    ctx.catalog.callable().for_each(|command| reply_info(&mut ctx.reply, ctx.catalog, command));
    SessionOutcome::Done
}

fn info(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    if args.len() == 2 {
        return Ok(info_of_all(ctx));
    }
    ctx.reply.array(args.len() - 2);
    for name in args.from(2) {
        match ctx.catalog.by_full_name(name) {
            Some(command) => reply_info(&mut ctx.reply, ctx.catalog, command),
            None => ctx.reply.null(),
        }
    }
    Ok(SessionOutcome::Done)
}

fn docs(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let found: Vec<&Command> = match args.len() {
        2 => ctx.catalog.callable().collect(),
        _ => args.from(2).filter_map(|name| ctx.catalog.by_full_name(name)).collect(),
    };
    ctx.reply.map(found.len());
    found.into_iter().for_each(|command| reply_docs(&mut ctx.reply, ctx.catalog, command));
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn unknown_names_are_null_in_info_and_missing_in_docs() {
        let mut world = World::new();
        let answer = world.run("COMMAND INFO get nosuch CLIENT|id");
        assert!(answer.starts_with("*3 *10 $get :2 *2 +readonly +fast :1 :1 :1"), "{answer}");
        assert!(answer.contains(" nil *10 $client|id :2 "), "{answer}");
        assert!(world.run("COMMAND DOCS nosuch ping").starts_with("*2 $ping *10 $summary "));
        assert_eq!(world.run("COMMAND DOCS nosuch"), "*0");
    }

    #[test]
    fn without_names_all_are_described() {
        let mut world = World::new();
        let count: usize = world.run("COMMAND COUNT")[1..].parse().unwrap();
        for command in ["COMMAND", "COMMAND INFO"] {
            assert!(world.run(command).starts_with(&format!("*{count} *10 ")));
        }
        assert!(world.run("COMMAND DOCS").starts_with(&format!("*{} $", count * 2)));
        world.run("HELLO 3");
        assert!(world.run("COMMAND DOCS").starts_with(&format!("%{count} $")));
    }

    #[test]
    fn help_is_made_from_the_declarations() {
        let answer = World::new().run("COMMAND HELP");
        assert!(
            answer.starts_with("*15 +COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are: +COUNT +    ")
        );
        assert!(answer.ends_with("+HELP +    Lists the subcommands."));
    }
}
