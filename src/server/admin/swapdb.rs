//! SWAPDB a b: exchange two databases at once, for every client.
//!
//! Reply:   OK.
//! Errors:  `invalid first DB index`, `invalid second DB index`; out of range.
//! Source:  redis.io/commands/swapdb, since 4.0.0.

use crate::base::number;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::exec::tracking;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::Session;
use crate::spec::{Arg, ArgKind, Arity, Category, Flags, Group, Meta, Spec};

/// SWAPDB.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "swapdb",
        group: Group::Server,
        since: "4.0.0",
        arity: Arity::Exactly(3),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Category::KEYSPACE.and(Category::DANGEROUS),
        summary: "Exchanges two databases.",
        complexity: "O(N) in the number of clients that watch keys of either.",
        args: &[Arg::new("index1", ArgKind::Integer), Arg::new("index2", ArgKind::Integer)],
        ..Meta::NEW
    },
    handler: swapdb,
};

fn swapdb(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let read = |index: usize, which: &str| {
        number::parse_i64(args.get(index))
            .filter(|n| i32::try_from(*n).is_ok())
            .ok_or_else(|| CommandError::err(format!("invalid {which} DB index")))
    };
    let (a, b) = (read(1, "first")?, read(2, "second")?);
    let databases = i64::from(turn.server.engine.keyspace.databases());
    if !(0..databases).contains(&a) || !(0..databases).contains(&b) {
        return Err(CommandError::DbIndexOutOfRange.into());
    }
    turn.touch_watched_before_swap(session, a as usize, b as usize);
    let keyspace = &mut turn.server.engine.keyspace;
    keyspace.swap(a as u32, b as u32);
    keyspace.changes_mut().add_dirty(1);
    turn.server.engine.blocked.note_database(a as u32);
    turn.server.engine.blocked.note_database(b as u32);
    // A key of that name is another one now, in either database.
    tracking::all_changed(turn, Some(session));
    reply.ok();
    Ok(Outcome::Done)
}
