//! CLIENT KILL addr, CLIENT KILL filter value …: close connections.
//!
//! Reply:   with filters how many were closed; the old form answers OK, or an error when there is no such client.
//!
//! The caller is spared by the filters unless SKIPME no is given; the old form spares nobody. A caller that closes itself
//! still gets its answer.

use super::ADMIN;
use super::list::{TYPES, type_word};
use crate::acl::UserId;
use crate::base::id::ClientId;
use crate::base::number::parse_i64;
use crate::resp::args::Args;
use crate::session::{Session, SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::options::{Words, is};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "kill",
        since: "2.4.0",
        arity: Arity::AtLeast(3),
        summary: "Closes connections.",
        complexity: "O(N) in the number of connections.",
        history: &[
            ("2.8.12", "Filters."),
            ("2.8.12", "The filter ID."),
            ("3.2.0", "TYPE knows master."),
            ("5.0.0", "TYPE knows replica for slave."),
            ("6.2.0", "The filter LADDR."),
        ],
        args: &[Arg::one_of(
            "filter",
            &[
                Arg::new("ip:port", ArgKind::String),
                Arg::one_of(
                    "new-format",
                    &[
                        Arg::new("client-id", ArgKind::Integer).after("ID").optional(),
                        Arg::one_of("client-type", TYPES).after("TYPE").optional(),
                        Arg::new("username", ArgKind::String).after("USER").optional(),
                        Arg::new("addr", ArgKind::String).after("ADDR").optional(),
                        Arg::new("laddr", ArgKind::String).after("LADDR").optional(),
                        Arg::one_of("skipme", &[Arg::token("yes", "YES"), Arg::token("no", "NO")])
                            .after("SKIPME")
                            .optional(),
                    ],
                )
                .multiple(),
            ],
        )],
        ..ADMIN
    },
    handler: kill,
};

/// Whom to close: everybody who fits all that is given.
#[derive(Default)]
struct Filter<'a> {
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    kind: Option<&'static str>,
    id: Option<ClientId>,
    user: Option<UserId>,
    spares_caller: bool,
}

impl Filter<'_> {
    fn fits(&self, session: &Session) -> bool {
        self.addr.is_none_or(|addr| addr == session.addr.as_bytes())
            && self.laddr.is_none_or(|laddr| laddr == session.laddr.as_bytes())
            && self.kind.is_none_or(|kind| kind == session.type_word())
            && self.id.is_none_or(|id| id == session.id)
            && self.user.is_none_or(|user| session.user == Some(user))
    }
}

fn kill(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let is_old_form = args.len() == 3;
    let filter = match is_old_form {
        true => Filter { addr: Some(args.get(2)), ..Filter::default() },
        false => read_filter(ctx, args)?,
    };
    let mut found = Vec::new();
    ctx.peers.each(&mut |session, _| {
        if filter.fits(session) {
            found.push(session.id);
        }
    });
    found.iter().for_each(|id| ctx.peers.kill(*id));
    let is_own = !filter.spares_caller && filter.fits(ctx.session);
    let killed = found.len() + usize::from(is_own);
    match is_old_form {
        true if killed == 0 => return Err(SessionError::fixed("ERR No such client")),
        true => ctx.reply.ok(),
        false => ctx.reply.int(killed as i64),
    }
    ctx.session.marks.is_closing_after_reply |= is_own;
    Ok(SessionOutcome::Done)
}

fn read_filter<'a>(ctx: &SessionCtx<'_>, args: &Args<'a>) -> Result<Filter<'a>, SessionError> {
    let mut filter = Filter { spares_caller: true, ..Filter::default() };
    let mut words = Words::new(args, 2);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(SessionError::SYNTAX)?;
        match () {
            _ if is(word, "id") => {
                let id = parse_i64(value).filter(|id| *id > 0);
                let id = id.ok_or(SessionError::fixed("ERR client-id should be greater than 0"))?;
                filter.id = Some(ClientId(id as u64));
            }
            _ if is(word, "type") => filter.kind = Some(type_word(value)?),
            _ if is(word, "addr") => filter.addr = Some(value),
            _ if is(word, "laddr") => filter.laddr = Some(value),
            _ if is(word, "user") => {
                let unknown = || format!("ERR No such user '{}'", String::from_utf8_lossy(value));
                filter.user = Some(ctx.acl.id(value).ok_or_else(|| SessionError::text(unknown()))?);
            }
            _ if is(word, "skipme") && is(value, "yes") => filter.spares_caller = true,
            _ if is(word, "skipme") && is(value, "no") => filter.spares_caller = false,
            _ => return Err(SessionError::SYNTAX),
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use crate::base::id::ClientId;
    use crate::session::Kind;
    use crate::session::handlers::testing::World;

    fn world() -> World {
        let mut world = World::new();
        world.peer();
        world.peer().kind = Kind::Replica;
        world
    }

    #[test]
    fn the_old_form_closes_one_address() {
        let mut world = world();
        assert_eq!(world.run("CLIENT KILL 1.2.3.4:5"), "-ERR No such client");
        assert_eq!(world.run("CLIENT KILL 127.0.0.1:5010"), "+OK");
        assert_eq!(world.peers.killed, [ClientId(10)]);
        assert_eq!(world.run("CLIENT KILL 127.0.0.1:5003"), "+OK");
        assert!(world.session.marks.is_closing_after_reply);
    }

    #[test]
    fn filters_are_joined_and_spare_the_caller_unless_told() {
        let mut world = world();
        assert_eq!(world.run("CLIENT KILL TYPE normal LADDR 127.0.0.1:6379"), ":1");
        assert_eq!(world.peers.killed, [ClientId(10)]);
        assert!(!world.session.marks.is_closing_after_reply);
        assert_eq!(world.run("CLIENT KILL USER default SKIPME no TYPE normal"), ":2");
        assert!(world.session.marks.is_closing_after_reply);
        assert_eq!(world.run("CLIENT KILL ID 11 TYPE normal"), ":0");
        assert_eq!(world.run("CLIENT KILL ID 11 TYPE slave"), ":1");
    }

    #[test]
    fn mistakes_are_told_and_close_nobody() {
        let mut world = world();
        let cases = [
            ("CLIENT KILL ID x", "-ERR client-id should be greater than 0"),
            ("CLIENT KILL ID 0", "-ERR client-id should be greater than 0"),
            ("CLIENT KILL TYPE foo", "-ERR Unknown client type 'foo'"),
            ("CLIENT KILL USER nosuch", "-ERR No such user 'nosuch'"),
            ("CLIENT KILL SKIPME maybe", "-ERR syntax error"),
            ("CLIENT KILL ID 10 ADDR", "-ERR syntax error"),
            ("CLIENT KILL MAXAGE 1", "-ERR syntax error"),
            ("CLIENT KILL", "-ERR wrong number of arguments for 'client|kill' command"),
        ];
        for (command, answer) in cases {
            assert_eq!(world.run(command), answer, "{command}");
        }
        assert!(world.peers.killed.is_empty());
    }
}
