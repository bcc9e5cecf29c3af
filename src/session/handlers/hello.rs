//! HELLO [protover [AUTH user password] [SETNAME name]]: choose the protocol, log in, and learn about the program.
//!
//! Reply:   a map, already in the chosen protocol.
//! Errors:  NOPROTO, WRONGPASS, NOAUTH; ERR for anything else. After an error nothing has changed.
//! Source:  redis.io/commands/hello.

use super::auth::log_in;
use super::client::name::{check_name, set_name};
use crate::base::number::parse_i64;
use crate::resp::args::Args;
use crate::resp::reply::{Proto, Reply};
use crate::session::{Role, SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::options::{Words, is};
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

const USER: Arg = Arg::new("username", ArgKind::String);
const PASSWORD: Arg = Arg::new("password", ArgKind::String);

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "hello",
        group: Group::Connection,
        since: "6.0.0",
        arity: Arity::AtLeast(1),
        flags: Flags::NOSCRIPT
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::FAST)
            .and(Flags::NO_AUTH)
            .and(Flags::SENTINEL)
            .and(Flags::ALLOW_BUSY),
        categories: Category::CONNECTION,
        summary: "Chooses the protocol version, and tells what the program is.",
        history: &[("6.2.0", "The version can be left out.")],
        args: &[Arg::block(
            "arguments",
            &[
                Arg::new("protover", ArgKind::Integer),
                Arg::block("auth", &[USER, PASSWORD]).after("AUTH").optional(),
                Arg::new("clientname", ArgKind::String).after("SETNAME").optional(),
            ],
        )
        .optional()],
        ..Meta::NEW
    },
    handler: hello,
};

fn hello(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let mut words = Words::new(args, 1);
    let proto = words.next().map(read_version).transpose()?;
    let (mut login, mut name) = (None, None);
    while let Some(word) = words.next() {
        match words.left() {
            2.. if is(word, "AUTH") => login = words.next().zip(words.next()),
            1.. if is(word, "SETNAME") => {
                name = words.next();
                name.map_or(Ok(()), check_name)?;
            }
            _ => {
                let word = String::from_utf8_lossy(word);
                return Err(SessionError::text(format!("ERR Syntax error in HELLO option '{word}'")));
            }
        }
    }
    if let Some((user, password)) = login {
        log_in(ctx, user, password, args.get(0))?;
    }
    if ctx.session.must_authenticate(ctx.acl) {
        return Err(SessionError::fixed(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> \
             <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        set_name(ctx.session, name);
    }
    if let Some(proto) = proto {
        ctx.session.proto = proto;
    }
    introduce(ctx);
    Ok(SessionOutcome::Done)
}

fn read_version(word: &[u8]) -> Result<Proto, SessionError> {
    match parse_i64(word) {
        Some(2) => Ok(Proto::Resp2),
        Some(3) => Ok(Proto::Resp3),
        Some(_) => Err(SessionError::fixed("NOPROTO unsupported protocol version")),
        None => Err(SessionError::fixed("ERR Protocol version is not an integer or out of range")),
    }
}

fn introduce(ctx: &mut SessionCtx<'_>) {
    let (session, program) = (&*ctx.session, ctx.program);
    let mut reply = Reply::new(ctx.reply.out(), session.proto);
    let is_sentinel = program.role == Role::Sentinel;
    reply.map(if is_sentinel { 6 } else { 7 });
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(program.version.as_bytes());
    reply.bulk(b"proto");
    reply.int(i64::from(session.proto.version()));
    reply.bulk(b"id");
    reply.int(session.id.0 as i64);
    reply.bulk(b"mode");
    reply.bulk(if is_sentinel { b"sentinel" } else { b"standalone" });
    if !is_sentinel {
        reply.bulk(b"role");
        reply.bulk(if program.role == Role::Master { b"master" } else { b"replica" });
    }
    reply.bulk(b"modules");
    reply.array(0);
}

#[cfg(test)]
mod tests {
    use crate::resp::reply::Proto;
    use crate::session::handlers::testing::World;

    #[test]
    fn the_answer_is_already_in_the_chosen_protocol() {
        let mut world = World::new();
        let answer = world.run("HELLO 3 SETNAME me");
        assert!(
            answer.starts_with("%7 $server $redis $version $7.2.6 $proto :3 $id :3 $mode $standalone $role $master")
        );
        assert_eq!((world.session.proto, world.session.name.as_deref()), (Proto::Resp3, Some(&b"me"[..])));
        assert!(world.run("HELLO").starts_with("%7"));
        assert!(world.run("HELLO 2").starts_with("*14"));
    }

    #[test]
    fn mistakes_are_told_as_redis_does_and_change_nothing() {
        let mut world = World::new();
        let cases = [
            ("HELLO 4", "-NOPROTO unsupported protocol version"),
            ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
            ("HELLO 3 foo", "-ERR Syntax error in HELLO option 'foo'"),
            ("HELLO 3 auth a", "-ERR Syntax error in HELLO option 'auth'"),
            ("HELLO 3 AUTH a b", "-WRONGPASS invalid username-password pair or user is disabled."),
            ("HELLO 3 SETNAME \"a b\"", "-ERR Client names cannot contain spaces, newlines or special characters."),
        ];
        for (command, answer) in cases {
            assert_eq!(world.run(command), answer);
            assert_eq!(world.session.proto, Proto::Resp2);
        }
    }

    #[test]
    fn who_has_not_logged_in_must_do_it_here() {
        let mut world = World::new();
        world.acl.set_requirepass(b"secret");
        world.reconnect();
        assert!(world.run("HELLO 3").starts_with("-NOAUTH HELLO must be called with the client already authenticated"));
        assert!(world.run("HELLO 3 AUTH default secret").starts_with("%7"));
    }
}
