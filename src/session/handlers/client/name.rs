//! CLIENT SETNAME name, CLIENT GETNAME: what CLIENT LIST and the logs call the connection.
//!
//! A name cannot hold spaces or control characters, because CLIENT LIST is made of words. The empty name is none.

use bytes::Bytes;

use super::BASE;
use crate::session::{Session, SessionError, SessionHandler, SessionOutcome};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

/// CLIENT SETNAME.
pub const SETNAME: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "setname",
        since: "2.6.9",
        arity: Arity::Exactly(3),
        summary: "Gives the connection a name.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        args: &[Arg::new("connection-name", ArgKind::String)],
        ..BASE
    },
    handler: |ctx, args| {
        check_name(args.get(2))?;
        set_name(ctx.session, args.get(2));
        ctx.reply.ok();
        Ok(SessionOutcome::Done)
    },
};

/// CLIENT GETNAME.
pub const GETNAME: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "getname",
        since: "2.6.9",
        arity: Arity::Exactly(2),
        summary: "Returns the connection's name.",
        ..BASE
    },
    handler: |ctx, _| {
        match &ctx.session.name {
            Some(name) => ctx.reply.bulk(name),
            None => ctx.reply.null(),
        }
        Ok(SessionOutcome::Done)
    },
};

/// Whether a text can stand in CLIENT LIST as one word.
pub fn is_one_word(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

/// Refuses a name that is more than one word.
pub fn check_name(name: &[u8]) -> Result<(), SessionError> {
    match is_one_word(name) {
        true => Ok(()),
        false => Err(SessionError::fixed("ERR Client names cannot contain spaces, newlines or special characters.")),
    }
}

/// Sets a name that was checked.
pub fn set_name(session: &mut Session, name: &[u8]) {
    session.name = (!name.is_empty()).then(|| Bytes::copy_from_slice(name));
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn a_name_is_one_word_and_the_empty_one_is_none() {
        let mut world = World::new();
        assert_eq!(world.run("CLIENT GETNAME"), "nil");
        assert_eq!(world.run("CLIENT SETNAME me"), "+OK");
        let refusal = "-ERR Client names cannot contain spaces, newlines or special characters.";
        assert_eq!(world.run("CLIENT SETNAME \"a b\""), refusal);
        assert_eq!(world.run("CLIENT SETNAME \"a\\n\""), refusal);
        assert_eq!(world.run("CLIENT GETNAME"), "$me");
        assert_eq!(world.run("CLIENT SETNAME \"\""), "+OK");
        assert_eq!(world.run("CLIENT GETNAME"), "nil");
    }
}
