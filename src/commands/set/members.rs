//! What several set commands do with members and sets.

use crate::commands::contract::{CommandError, DataCtx, Outcome};
use crate::data::set::{Member, Set};
use crate::keyspace::{DbHandle, Event, Expiry};
use crate::resp::reply::Reply;

/// Answers with one member.
#[inline]
pub fn reply_member(reply: &mut Reply<'_>, member: Member<'_>) {
    match member {
        Member::Int(value) => reply.bulk_int(value),
        Member::Bytes(text) => reply.bulk(text),
    }
}

/// Answers with a set of all members that `show` shows.
pub fn reply_set_of(reply: &mut Reply<'_>, show: impl FnOnce(&mut dyn FnMut(Member<'_>))) {
    let head = reply.set_deferred();
    let mut count = 0;
    show(&mut |member| {
        reply_member(reply, member);
        count += 1;
    });
    reply.finish(head, count);
}

/// The sets at several keys.
pub fn sets_at<'d, 'k>(
    db: &'d mut DbHandle<'_>,
    keys: impl Iterator<Item = &'k [u8]>,
) -> Result<Vec<Option<&'d Set>>, CommandError> {
    Ok(db.read_all::<Set>(keys)?)
}

/// Stores the result of an operation, or removes the key when it is empty; answers with its size.
pub fn store(ctx: &mut DataCtx<'_>, key: &[u8], result: Set, event: Event) -> Outcome {
    let count = result.len();
    if count == 0 {
        ctx.db.remove(key, Event::DEL);
    } else {
        ctx.db.put(key, result, Expiry::Clear, event);
    }
    ctx.reply.int(count as i64);
    Outcome::Done
}
