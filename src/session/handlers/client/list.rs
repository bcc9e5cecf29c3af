//! CLIENT LIST [TYPE type | ID id …], CLIENT INFO: connections, one line each, in the order they came.

use super::{ADMIN, BASE};
use crate::base::id::ClientId;
use crate::base::number::parse_i64;
use crate::resp::args::Args;
use crate::session::describe::client_line;
use crate::session::{Figures, Session, SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

/// The words after TYPE, here and in CLIENT KILL.
pub const TYPES: &[Arg] = &[
    Arg::token("normal", "NORMAL"),
    Arg::token("master", "MASTER"),
    Arg::token("replica", "REPLICA"),
    Arg::token("pubsub", "PUBSUB"),
];

/// CLIENT LIST.
pub const LIST: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "list",
        since: "2.4.0",
        arity: Arity::AtLeast(2),
        summary: "Lists the connections.",
        complexity: "O(N) in the number of connections.",
        tips: &["nondeterministic_output"],
        args: &[
            Arg::one_of("client-type", TYPES).after("TYPE").optional().since("5.0.0"),
            Arg::new("client-id", ArgKind::Integer).after("ID").optional().multiple().since("6.2.0"),
        ],
        ..ADMIN
    },
    handler: list,
};

/// CLIENT INFO.
pub const INFO: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "info",
        since: "6.2.0",
        arity: Arity::Exactly(2),
        summary: "Shows this connection as CLIENT LIST does.",
        tips: &["nondeterministic_output"],
        ..BASE
    },
    handler: |ctx, _| {
        let figures = ctx.peers.figures(ctx.session.id);
        let line = client_line(ctx.session, &figures, ctx.acl, ctx.catalog, &ctx.now) + "\n";
        ctx.reply.verbatim("txt", line.as_bytes());
        Ok(SessionOutcome::Done)
    },
};

fn list(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let text = match args.len() {
        2 => lines(ctx, &|_| true),
        4 if args.is(2, "type") => {
            let wanted = type_word(args.get(3))?;
            lines(ctx, &|session| session.type_word() == wanted)
        }
        4.. if args.is(2, "id") => {
            let read = |word: &[u8]| parse_i64(word).ok_or(SessionError::fixed("ERR Invalid client ID"));
            let ids: Vec<ClientId> =
                args.from(3).map(|word| Ok(ClientId(read(word)? as u64))).collect::<Result<_, _>>()?;
            lines(ctx, &|session| ids.contains(&session.id))
        }
        _ => return Err(SessionError::SYNTAX),
    };
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(SessionOutcome::Done)
}

fn lines(ctx: &SessionCtx<'_>, is_wanted: &dyn Fn(&Session) -> bool) -> String {
    let mut found: Vec<(ClientId, String)> = Vec::new();
    let mut visit = |session: &Session, figures: &Figures| {
        if is_wanted(session) {
            found.push((session.id, client_line(session, figures, ctx.acl, ctx.catalog, &ctx.now) + "\n"));
        }
    };
    ctx.peers.each(&mut visit);
    visit(ctx.session, &ctx.peers.figures(ctx.session.id));
    // Numbers are given in the order of connecting.
    found.sort_unstable_by_key(|(id, _)| *id);
    found.into_iter().map(|(_, line)| line).collect()
}

/// The word that [`Session::type_word`] uses for a type as clients name it.
pub fn type_word(word: &[u8]) -> Result<&'static str, SessionError> {
    match word.to_ascii_lowercase().as_slice() {
        b"normal" => Ok("normal"),
        b"master" => Ok("master"),
        b"slave" | b"replica" => Ok("slave"),
        b"pubsub" => Ok("pubsub"),
        _ => Err(SessionError::text(format!("ERR Unknown client type '{}'", String::from_utf8_lossy(word)))),
    }
}

#[cfg(test)]
mod tests {
    use crate::session::Kind;
    use crate::session::handlers::testing::World;

    fn ids(answer: &str) -> Vec<&str> {
        answer[1..].lines().map(|line| line.split(' ').next().unwrap().strip_prefix("id=").unwrap()).collect()
    }

    #[test]
    fn everybody_is_listed_in_the_order_they_came_the_caller_too() {
        let mut world = World::new();
        world.peer();
        world.peer().kind = Kind::Replica;
        assert_eq!(ids(&world.run("CLIENT LIST")), ["3", "10", "11"]);
        assert_eq!(ids(&world.run("CLIENT LIST TYPE replica")), ["11"]);
        assert_eq!(ids(&world.run("CLIENT LIST TYPE Slave")), ["11"]);
        assert_eq!(ids(&world.run("CLIENT LIST TYPE normal")), ["3", "10"]);
        assert_eq!(ids(&world.run("CLIENT LIST ID 10 3 99")), ["3", "10"]);
        assert_eq!(world.run("CLIENT LIST TYPE master"), "$");
        assert!(
            world.run("CLIENT INFO").starts_with("$id=3 addr=127.0.0.1:5003 laddr=127.0.0.1:6379 fd=8 name= age=10")
        );
        assert!(world.run("CLIENT INFO").contains(" cmd=client|info user=default "));
    }

    #[test]
    fn mistakes_are_told() {
        let mut world = World::new();
        let cases = [
            ("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'"),
            ("CLIENT LIST TYPE", "-ERR syntax error"),
            ("CLIENT LIST ID", "-ERR syntax error"),
            ("CLIENT LIST ID 3 x", "-ERR Invalid client ID"),
            ("CLIENT LIST TYPE normal ID 3", "-ERR syntax error"),
            ("CLIENT LIST foo", "-ERR syntax error"),
        ];
        for (command, answer) in cases {
            assert_eq!(world.run(command), answer, "{command}");
        }
    }
}
