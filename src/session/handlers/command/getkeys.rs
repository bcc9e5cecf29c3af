//! COMMAND GETKEYS words…, COMMAND GETKEYSANDFLAGS words…: which words of a command are keys, and what is done to them.

use super::BASE;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::docs::{reply_keys, reply_keys_and_flags};
use crate::spec::keys::{KeyList, keys_of};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

const WORDS: &[Arg] = &[Arg::new("command", ArgKind::String), Arg::new("arg", ArgKind::String).optional().multiple()];

/// COMMAND GETKEYS.
pub const GETKEYS: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "getkeys",
        arity: Arity::AtLeast(3),
        summary: "Returns the keys of a command.",
        complexity: "O(N) in the number of words.",
        args: WORDS,
        ..BASE
    },
    handler: |ctx, args| {
        let words = args.skip(2);
        let keys = find(ctx, &words)?;
        reply_keys(&mut ctx.reply, &words, &keys);
        Ok(SessionOutcome::Done)
    },
};

/// COMMAND GETKEYSANDFLAGS.
pub const GETKEYSANDFLAGS: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "getkeysandflags",
        since: "7.0.0",
        summary: "Returns the keys of a command, and what it does to each.",
        ..GETKEYS.meta
    },
    handler: get_keys_and_flags,
};

fn get_keys_and_flags(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let words = args.skip(2);
    let keys = find(ctx, &words)?;
    reply_keys_and_flags(&mut ctx.reply, &words, &keys);
    Ok(SessionOutcome::Done)
}

fn find(ctx: &SessionCtx<'_>, words: &Args<'_>) -> Result<KeyList, SessionError> {
    let refuse = |text| Err(SessionError::fixed(text));
    match ctx.catalog.lookup(words) {
        Err(_) => refuse("ERR Invalid command specified"),
        Ok(command) if !command.has_keys() => refuse("ERR The command has no key arguments"),
        Ok(command) if command.check_arity(words.len()).is_err() => {
            refuse("ERR Invalid number of arguments specified for command")
        }
        Ok(command) => match keys_of(command.meta, words) {
            Ok(keys) => Ok(keys),
            Err(_) => refuse("ERR Invalid arguments specified for command"),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn keys_are_found_with_what_is_done_to_them() {
        let mut world = World::new();
        assert_eq!(world.run("COMMAND GETKEYS mset a 1 b 2"), "*2 $a $b");
        assert_eq!(world.run("COMMAND GETKEYSANDFLAGS get k"), "*1 *2 $k *2 +RO +access");
    }

    #[test]
    fn mistakes_are_told() {
        let mut world = World::new();
        let cases = [
            ("COMMAND GETKEYS nosuch a", "-ERR Invalid command specified"),
            ("COMMAND GETKEYS ping", "-ERR The command has no key arguments"),
            ("COMMAND GETKEYS spublish c m", "-ERR The command has no key arguments"),
            ("COMMAND GETKEYS get", "-ERR Invalid number of arguments specified for command"),
        ];
        for (command, answer) in cases {
            assert_eq!(world.run(command), answer);
        }
    }
}
