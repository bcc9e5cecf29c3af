//! CLIENT SETINFO LIB-NAME name | LIB-VER version: which client library is at the other end.

use bytes::Bytes;

use super::BASE;
use super::name::is_one_word;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "setinfo",
        since: "7.2.0",
        arity: Arity::Exactly(4),
        summary: "Tells which client library is at the other end.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        args: &[Arg::one_of(
            "attr",
            &[
                Arg::new("libname", ArgKind::String).after("LIB-NAME"),
                Arg::new("libver", ArgKind::String).after("LIB-VER"),
            ],
        )],
        ..BASE
    },
    handler: setinfo,
};

fn setinfo(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let option = String::from_utf8_lossy(args.get(2));
    let slot = match option.to_ascii_lowercase().as_str() {
        "lib-name" => &mut ctx.session.lib_name,
        "lib-ver" => &mut ctx.session.lib_ver,
        _ => return Err(SessionError::text(format!("ERR Unrecognized option '{option}'"))),
    };
    let value = args.get(3);
    if !is_one_word(value) {
        let text = format!("ERR {option} cannot contain spaces, newlines or special characters.");
        return Err(SessionError::text(text));
    }
    *slot = (!value.is_empty()).then(|| Bytes::copy_from_slice(value));
    ctx.reply.ok();
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn library_and_version_are_words() {
        let mut world = World::new();
        assert_eq!(world.run("CLIENT SETINFO lib-name redis-py"), "+OK");
        assert_eq!(world.run("CLIENT SETINFO LIB-VER 1.2"), "+OK");
        assert_eq!(world.session.lib_name.as_deref(), Some(&b"redis-py"[..]));
        assert_eq!(world.session.lib_ver.as_deref(), Some(&b"1.2"[..]));
        assert_eq!(world.run("CLIENT SETINFO foo x"), "-ERR Unrecognized option 'foo'");
        let refusal = "-ERR LIB-VER cannot contain spaces, newlines or special characters.";
        assert_eq!(world.run("CLIENT SETINFO LIB-VER \"1 2\""), refusal);
        assert_eq!(world.run("CLIENT SETINFO lib-name \"\""), "+OK");
        assert_eq!(world.session.lib_name, None);
    }
}
