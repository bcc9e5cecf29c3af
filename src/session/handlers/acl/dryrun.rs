//! ACL DRYRUN user command arg …: whether the user could run this.
//!
//! Reply:   OK, or what is in the way, as a bulk string.

use super::ADMIN;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "dryrun",
        since: "7.0.0",
        arity: Arity::AtLeast(4),
        summary: "Tells whether a user could run a command.",
        args: &[
            Arg::new("username", ArgKind::String),
            Arg::new("command", ArgKind::String),
            Arg::new("arg", ArgKind::String).optional().multiple(),
        ],
        ..ADMIN
    },
    handler: dryrun,
};

fn dryrun(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let text = |index: usize| String::from_utf8_lossy(args.get(index)).into_owned();
    let unknown_user = || SessionError::text(format!("ERR User '{}' not found", text(2)));
    let user = ctx.acl.id(args.get(2)).ok_or_else(unknown_user)?;
    let words = args.skip(3);
    let unknown_command = |_| SessionError::text(format!("ERR Command '{}' not found", text(3)));
    let command = ctx.catalog.lookup(&words).map_err(unknown_command)?;
    command.check_arity(words.len()).map_err(|error| SessionError::text(error.text()))?;
    match ctx.acl.check(user, command, &words) {
        Ok(()) => ctx.reply.ok(),
        Err(denied) => ctx.reply.bulk(denied.dry_run_text(ctx.acl, user, command, &words).as_bytes()),
    }
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn the_answer_names_what_is_in_the_way() {
        let mut world = World::new();
        world.run("ACL SETUSER u +get +publish ~a* &c");
        let cases = [
            ("ACL DRYRUN u get a1", "+OK"),
            ("ACL DRYRUN u get b", "$User u has no permissions to access the 'b' key"),
            ("ACL DRYRUN u publish d x", "$User u has no permissions to access the 'd' channel"),
            ("ACL DRYRUN u mset a 1", "$User u has no permissions to run the 'mset' command"),
            ("ACL DRYRUN u client list", "$User u has no permissions to run the 'client|list' command"),
            ("ACL DRYRUN nobody get a", "-ERR User 'nobody' not found"),
            ("ACL DRYRUN u nosuch a", "-ERR Command 'nosuch' not found"),
            ("ACL DRYRUN u get", "-ERR wrong number of arguments for 'get' command"),
        ];
        for (command, answer) in cases {
            assert_eq!(world.run(command), answer);
        }
    }
}
