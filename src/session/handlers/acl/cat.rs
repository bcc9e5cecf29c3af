//! ACL CAT [category]: the categories, or the commands in one.

use super::BASE;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Category, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "cat",
        summary: "Lists the categories, or the commands of one.",
        complexity: "O(N) in the number of commands.",
        args: &[Arg::new("category", ArgKind::String).optional()],
        ..BASE
    },
    handler: cat,
};

fn cat(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    match args.len() {
        2 => {
            ctx.reply.array(Category::ALL.len());
            Category::ALL.iter().for_each(|(_, word)| ctx.reply.bulk(word.as_bytes()));
        }
        3 => {
            let word = String::from_utf8_lossy(args.get(2));
            let unknown = || SessionError::text(format!("ERR Unknown category '{word}'"));
            let category = Category::named(&word).ok_or_else(unknown)?;
            let members: Vec<_> = ctx.catalog.all().filter(|command| command.categories.has(category)).collect();
            ctx.reply.array(members.len());
            members.iter().for_each(|command| ctx.reply.bulk(command.full_name.as_bytes()));
        }
        _ => {
            let word = String::from_utf8_lossy(args.get(1));
            let text = format!("ERR unknown subcommand or wrong number of arguments for '{word}'. Try ACL HELP.");
            return Err(SessionError::text(text));
        }
    }
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn categories_and_their_commands_are_listed() {
        let mut world = World::new();
        assert!(world.run("ACL CAT").starts_with("*21 $keyspace $read $write $set $sortedset $list"));
        assert_eq!(world.run("ACL CAT string"), "*1 $get");
        assert_eq!(world.run("ACL CAT foo"), "-ERR Unknown category 'foo'");
        let refusal = "-ERR unknown subcommand or wrong number of arguments for 'cat'. Try ACL HELP.";
        assert_eq!(world.run("ACL cat a b"), refusal);
    }
}
