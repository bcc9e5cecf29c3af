//! ACL LOG [count | RESET]: what was refused lately, newest first; ten entries unless said otherwise.

use super::ADMIN;
use crate::acl::LogEntry;
use crate::base::number::parse_i64;
use crate::base::time::UnixMillis;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "log",
        summary: "Lists what was refused lately.",
        complexity: "O(N) in the number of entries.",
        history: &[("7.2.0", "Entries have a number, and the times of the first and the last refusal.")],
        args: &[
            Arg::one_of("operation", &[Arg::new("count", ArgKind::Integer), Arg::token("reset", "RESET")]).optional()
        ],
        ..ADMIN
    },
    handler: log,
};

fn log(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let count = match args.len() {
        2 => 10,
        3 if args.is(2, "reset") => {
            ctx.acl.log.clear();
            ctx.reply.ok();
            return Ok(SessionOutcome::Done);
        }
        3 => parse_i64(args.get(2)).ok_or(SessionError::NOT_INTEGER)?.max(0) as usize,
        _ => {
            let word = String::from_utf8_lossy(args.get(1));
            let text = format!("ERR unknown subcommand or wrong number of arguments for '{word}'. Try ACL HELP.");
            return Err(SessionError::text(text));
        }
    };
    let entries = ctx.acl.log.entries();
    ctx.reply.array(entries.len().min(count));
    entries.take(count).for_each(|entry| reply_entry(&mut ctx.reply, entry, ctx.now.wall()));
    Ok(SessionOutcome::Done)
}

fn reply_entry(reply: &mut Reply<'_>, entry: &LogEntry, now: UnixMillis) {
    reply.map(10);
    reply.bulk(b"count");
    reply.int(entry.count as i64);
    let texts: [(&str, &[u8]); 4] = [
        ("reason", entry.reason.as_bytes()),
        ("context", entry.context.as_str().as_bytes()),
        ("object", &entry.object),
        ("username", &entry.user),
    ];
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text);
    }
    reply.bulk(b"age-seconds");
    reply.double((now.0 - entry.updated.0) as f64 / 1000.0);
    reply.bulk(b"client-info");
    reply.bulk(entry.client.as_bytes());
    reply.bulk(b"entry-id");
    reply.int(entry.id as i64);
    reply.bulk(b"timestamp-created");
    reply.int(entry.created.0);
    reply.bulk(b"timestamp-last-updated");
    reply.int(entry.updated.0);
}

#[cfg(test)]
mod tests {
    use crate::base::time::Now;
    use crate::session::handlers::testing::World;

    #[test]
    fn a_failed_login_is_logged_with_everything_known_of_it() {
        let mut world = World::new();
        world.run("AUTH bob wrong");
        world.run("AUTH bob wrong");
        world.now = Now::at_millis(10_500);
        let answer = world.run("ACL LOG");
        assert!(
            answer.starts_with(
                "*1 *20 $count :2 $reason $auth $context $toplevel $object $AUTH $username $bob $age-seconds $0.5 \
                 $client-info $id=3 addr=127.0.0.1:5003 "
            ),
            "{answer}"
        );
        assert!(answer.ends_with("$entry-id :0 $timestamp-created :10000 $timestamp-last-updated :10000"), "{answer}");
        assert_eq!(world.run("ACL LOG 0"), "*0");
        assert_eq!(world.run("ACL LOG -1"), "*0");
        assert_eq!(world.run("ACL LOG x"), "-ERR value is not an integer or out of range");
        assert_eq!((world.run("ACL LOG RESET"), world.run("ACL LOG")), ("+OK".into(), "*0".into()));
    }
}
