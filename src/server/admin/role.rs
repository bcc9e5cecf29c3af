//! ROLE: master or replica, how far, and with whom.
//!
//! Reply:   a master: `master`, its offset, and for each online replica address, port and acknowledged offset as
//!          strings. A replica: `slave`, the master's host and port, the state of the link, the offset (-1 without a link).
//! Source:  redis.io/commands/role, since 2.8.12.

use crate::commands::contract::{CommandResult, Outcome};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::Session;
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// ROLE.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "role",
        group: Group::Server,
        since: "2.8.12",
        arity: Arity::Exactly(1),
        flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::SENTINEL),
        categories: Category::ADMIN.and(Category::DANGEROUS),
        summary: "Returns the replication role.",
        complexity: "O(1)",
        ..Meta::NEW
    },
    handler: role,
};

fn role(turn: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let node = &turn.server.repl.node;
    match node.link() {
        Some(link) => {
            reply.array(5);
            reply.bulk(b"slave");
            reply.bulk(link.master().host.as_bytes());
            reply.int(i64::from(link.master().port));
            reply.bulk(link.state().as_str().as_bytes());
            reply.int(if link.is_up() { node.history().end() as i64 } else { -1 });
        }
        None => {
            reply.array(3);
            reply.bulk(b"master");
            reply.int(turn.server.stream_end() as i64);
            let online: Vec<_> = node.master().replicas().iter().filter(|replica| replica.is_online()).collect();
            reply.array(online.len());
            for replica in online {
                reply.array(3);
                reply.bulk(replica.ip().as_bytes());
                reply.bulk_int(i64::from(replica.port()));
                reply.bulk_int(replica.acked() as i64);
            }
        }
    }
    Ok(Outcome::Done)
}
