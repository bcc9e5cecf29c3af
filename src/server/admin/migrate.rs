//! MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password] [KEYS key …]: moves keys to another server.
//!
//! Reply:   OK; NOKEY when none of the keys exists.
//! Errors:  `IOERR error or timeout …` when the other server cannot be reached or does not answer within `timeout` milliseconds;
//!          `Target instance replied with error: …`; a syntax error.
//! Source:  redis.io/commands/migrate, since 2.6.0.
//!
//! Nothing else happens while keys are on their way: the server stands still, so that no write to them is lost. Keys that arrived
//! are removed here even when others did not; with COPY they stay. Replicas and the AOF receive `DEL` of those keys.

use std::time::Duration;

use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::keyspace::{AnyValue, Event};
use crate::resp::args::{Args, OwnedArgs};
use crate::resp::reply::Reply;
use crate::server::admin::AdminHandler;
use crate::server::drivers::migrate::{Failure, Handed, Target};
use crate::server::{Server, Turn};
use crate::session::Session;
use crate::spec::keys::{KeyAt, KeyList};
use crate::spec::{Access, Arg, ArgKind, Arity, BeginSearch, Category, FindKeys, Flags, Group, KeySpec, Meta, Spec};

const MOVED: Access = Access::RW.and(Access::ACCESS).and(Access::DELETE);

/// MIGRATE.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "migrate",
        group: Group::Generic,
        since: "2.6.0",
        arity: Arity::AtLeast(6),
        flags: Flags::WRITE,
        categories: Category::KEYSPACE.and(Category::DANGEROUS),
        keys: &[
            KeySpec::one(3, MOVED),
            KeySpec {
                begin: BeginSearch::Keyword { word: "KEYS", from: -2 },
                find: FindKeys::Range { last: -1, step: 1, limit: 0 },
                incomplete: true,
                ..KeySpec::one(1, MOVED)
            },
        ],
        keys_by: Some(moved_keys),
        summary: "Moves keys to another server.",
        complexity: "As DUMP and DEL here, and RESTORE there, for each key.",
        history: &[
            ("3.0.0", "Added the `COPY` and `REPLACE` options."),
            ("3.0.6", "Added the `KEYS` option."),
            ("4.0.7", "Added the `AUTH` option."),
            ("6.0.0", "Added the `AUTH2` option."),
        ],
        tips: &["nondeterministic_output"],
        args: &[
            Arg::new("host", ArgKind::String),
            Arg::new("port", ArgKind::Integer),
            Arg::one_of("key-selector", &[Arg::key("key", 0), Arg::token("empty-string", "\"\"")]),
            Arg::new("destination-db", ArgKind::Integer),
            Arg::new("timeout", ArgKind::Integer),
            Arg::token("copy", "COPY").optional().since("3.0.0"),
            Arg::token("replace", "REPLACE").optional().since("3.0.0"),
            Arg::one_of(
                "authentication",
                &[
                    Arg::new("auth", ArgKind::String).after("AUTH").since("4.0.7"),
                    Arg::block(
                        "auth2",
                        &[Arg::new("username", ArgKind::String), Arg::new("password", ArgKind::String)],
                    )
                    .after("AUTH2")
                    .since("6.0.0"),
                ],
            )
            .optional(),
            Arg::key("keys", 1).after("KEYS").optional().multiple().since("3.0.6"),
        ],
        ..Meta::NEW
    },
    handler: migrate,
};

/// The third word, or, when that is empty, what follows KEYS.
fn moved_keys(args: &Args<'_>) -> Option<KeyList> {
    let mut at = 6;
    while at < args.len() && !args.is(at, "KEYS") {
        // Passwords and names of users may be called like options.
        at += match () {
            () if args.is(at, "AUTH") => 2,
            () if args.is(at, "AUTH2") => 3,
            () => 1,
        };
    }
    let listed = Some(at).filter(|at| *at < args.len());
    let range = match listed.filter(|_| args.get(3).is_empty()) {
        Some(word) => word + 1..args.len(),
        None => 3..4,
    };
    Some(range.map(|index| KeyAt { index, access: MOVED }).collect())
}

/// What was asked.
#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    target: Target,
    is_copy: bool,
    keys: Vec<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(args: &Args<'a>) -> Result<Request<'a>, CommandError> {
        let (mut is_copy, mut is_replacing, mut login, mut keys) = (false, false, None, vec![args.get(3)]);
        let mut at = 6;
        while at < args.len() {
            let left = args.len() - 1 - at;
            if args.is(at, "COPY") {
                is_copy = true;
            } else if args.is(at, "REPLACE") {
                is_replacing = true;
            } else if args.is(at, "AUTH") && left >= 1 {
                login = Some((None, args.get(at + 1).to_vec()));
                at += 1;
            } else if args.is(at, "AUTH2") && left >= 2 {
                login = Some((Some(args.get(at + 1).to_vec()), args.get(at + 2).to_vec()));
                at += 2;
            } else if args.is(at, "KEYS") {
                if !args.get(3).is_empty() {
                    return Err(CommandError::err(
                        "When using MIGRATE KEYS option, the key argument must be set to the empty string",
                    ));
                }
                keys = args.from(at + 1).collect();
                break;
            } else {
                return Err(CommandError::Syntax);
            }
            at += 1;
        }
        let timeout_ms = parse_i64(args.get(5)).ok_or(CommandError::NotInteger)?;
        let db = parse_i64(args.get(4)).ok_or(CommandError::NotInteger)?;
        let timeout_ms = if timeout_ms <= 0 { 1000 } else { timeout_ms as u64 };
        let target = Target {
            host: String::from_utf8_lossy(args.get(1)).into_owned(),
            port: parse_i64(args.get(2)).and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
            login,
            db,
            is_replacing,
            limit: Duration::from_millis(timeout_ms),
        };
        Ok(Request { target, is_copy, keys })
    }
}

fn migrate(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let Request { target, is_copy, mut keys } = Request::parse(args)?;
    let Server { engine, links, .. } = &mut *turn.server;
    let (db, access) = (session.db as u32, engine.access(session));
    keys.retain(|key| engine.keyspace.db(db, access).read::<AnyValue>(key).is_ok_and(|value| value.is_some()));
    if keys.is_empty() {
        reply.simple("NOKEY");
        return Ok(Outcome::Done);
    }
    let Handed { keys, refusal, failure } = links.hand_over(engine, db, access, &keys, &target);
    let gone = if is_copy { Vec::new() } else { keys };
    for key in &gone {
        engine.keyspace.db(db, access).remove(key, Event::DEL);
    }
    let error = match (refusal, failure) {
        (None, None) => None,
        (Some(text), _) => Some(CommandError::err(format!("Target instance replied with error: {text}"))),
        (None, Some(failure)) => Some(CommandError::text(match failure {
            Failure::Connect => "IOERR error or timeout connecting to the client",
            Failure::Write(_) => "IOERR error or timeout writing to target instance",
            Failure::Read(_) => "IOERR error or timeout reading to target instance",
        })),
    };
    match error {
        None => reply.ok(),
        Some(error) if gone.is_empty() => return Err(error.into()),
        Some(error) => {
            // Some keys are gone all the same, which replicas must hear of.
            engine.command_stats.error(&error.to_string());
            reply.error_display(error);
        }
    }
    if gone.is_empty() {
        return Ok(Outcome::Done);
    }
    let words: Vec<&[u8]> = [&b"DEL"[..]].into_iter().chain(gone).collect();
    Ok(Outcome::PropagateAs(Box::new(OwnedArgs::of(&words))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> OwnedArgs {
        let words: Vec<&[u8]> = text.split(' ').map(|word| if word == "''" { b"" } else { word.as_bytes() }).collect();
        OwnedArgs::of(&words)
    }

    fn refusal(text: &str) -> String {
        Request::parse(&words(text).as_args()).expect_err(text).to_string()
    }

    #[test]
    fn options_come_in_any_order_and_keys_last() {
        let owned = words("MIGRATE h 6380 '' 3 0 REPLACE auth p AUTH2 u q copy KEYS a KEYS copy");
        let request = Request::parse(&owned.as_args()).unwrap();
        assert_eq!(request.keys, [&b"a"[..], b"KEYS", b"copy"]);
        assert!(request.is_copy && request.target.is_replacing);
        assert_eq!(request.target.login, Some((Some(b"u".to_vec()), b"q".to_vec())));
        let Target { port, db, limit, .. } = request.target;
        assert_eq!((port, db, limit), (6380, 3, Duration::from_secs(1)));
    }

    #[test]
    fn wrong_words_are_refused_in_order() {
        assert_eq!(refusal("MIGRATE h 1 k x y"), "ERR value is not an integer or out of range");
        assert_eq!(refusal("MIGRATE h 1 k 0 9 WHAT"), "ERR syntax error");
        assert_eq!(refusal("MIGRATE h 1 k 0 9 AUTH"), "ERR syntax error");
        assert_eq!(refusal("MIGRATE h 1 k 0 9 AUTH2 u"), "ERR syntax error");
        assert_eq!(
            refusal("MIGRATE h 1 k x y KEYS a"),
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
        );
    }

    #[test]
    fn keys_are_the_third_word_or_what_follows_keys() {
        let keys = |text: &str| {
            let owned = words(text);
            let found = crate::spec::keys::keys_of(&SPEC.meta, &owned.as_args()).unwrap();
            found.iter().map(|key| key.index).collect::<Vec<_>>()
        };
        assert_eq!(keys("MIGRATE h 1 k 0 9"), [3]);
        assert_eq!(keys("MIGRATE h 1 '' 0 9 COPY KEYS a b"), [8, 9]);
        assert_eq!(keys("MIGRATE h 1 k 0 9 KEYS a b"), [3]);
        assert_eq!(keys("MIGRATE h 1 '' 0 9 AUTH KEYS KEYS a"), [9]);
        assert_eq!(keys("MIGRATE h 1 '' 0 9 AUTH2 KEYS AUTH KEYS a"), [10]);
        assert_eq!(keys("MIGRATE h 1 '' 0 9 COPY"), [3]);
    }
}
