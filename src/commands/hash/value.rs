//! How hash commands hand fields and values in and out, so that large values are never copied.

use crate::commands::contract::{CommandError, DataCtx};
use crate::data::hash::{Field, Fresh, Hash};
use crate::data::string::StrView;
use crate::keyspace::{Event, Notes};
use crate::resp::args::Args;
use crate::resp::reply::Reply;

/// Answers with a text: an integer is printed, a small text copied, a large one shared.
#[inline]
pub fn reply_text(reply: &mut Reply<'_>, text: StrView<'_>) {
    match text {
        StrView::Int(number) => reply.bulk_int(number),
        StrView::Bytes(bytes) => reply.bulk(bytes),
        StrView::Shared(bytes) => reply.shared(bytes.clone()),
    }
}

/// Argument `index` as a value to store: the buffer it arrived in when that is its own, else its bytes.
#[inline]
pub fn value_of<'a>(args: &Args<'a>, index: usize) -> Fresh<'a> {
    args.shared(index).map_or(Fresh::Copied(args.get(index)), Fresh::Shared)
}

/// Reads one field of the hash at `key` and gives it to `answer`; `None` if there is none. A field that is over is none,
/// and is removed if that is ours to do.
pub fn read_field(
    ctx: &mut DataCtx<'_>,
    key: &[u8],
    name: &[u8],
    answer: impl FnOnce(&mut Reply<'_>, Option<Field<'_>>),
) -> Result<(), CommandError> {
    let now = ctx.db.fields_at();
    let field = ctx.db.read::<Hash>(key)?.and_then(|hash| hash.get(name));
    let is_over = field.is_some_and(|field| field.is_over(now));
    answer(&mut ctx.reply, field.filter(|_| !is_over));
    if is_over {
        ctx.db.expire_fields(key, [name].into_iter());
    }
    Ok(())
}

/// Removes the field `name` of the hash at `key` if it is over and that is ours to do, before a command that writes.
pub fn settle_field(ctx: &mut DataCtx<'_>, key: &[u8], name: &[u8]) -> Result<(), CommandError> {
    let now = ctx.db.fields_at();
    let field = ctx.db.peek::<Hash>(key)?.filter(|hash| hash.has_expiries()).and_then(|hash| hash.get(name));
    if field.is_some_and(|field| field.is_over(now)) {
        ctx.db.expire_fields(key, [name].into_iter());
    }
    Ok(())
}

/// Sets field after value, as HSET and HMSET do: `command key field value …`. Gives how many fields are new.
pub fn set_fields(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> Result<usize, CommandError> {
    let limits = ctx.settings.limits;
    let set = |hash: &mut Hash, notes: &mut Notes| {
        hash.expect(args.from(2), &limits);
        let mut created = 0;
        for at in (2..args.len()).step_by(2) {
            let is_new = hash.set(args.get(at), value_of(args, at + 1), crate::data::hash::Ttl::Clear, &limits);
            created += usize::from(is_new);
        }
        notes.changed(Event::HSET, (args.len() as u64 - 2) / 2);
        created
    };
    Ok(ctx.db.edit_or_create::<Hash, _>(args.get(1), set)?)
}
