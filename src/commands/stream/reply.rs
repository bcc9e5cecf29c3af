//! Entries as clients see them: the id, and an array of fields and values.

use crate::data::stream::{Entry, Id};
use crate::data::string::IntText;
use crate::resp::reply::Reply;

/// An entry.
pub(super) fn entry(reply: &mut Reply<'_>, entry: Entry<'_>) {
    reply.array(2);
    id(reply, entry.id);
    reply.array(2 * entry.len);
    let mut room = IntText::new();
    for (field, value) in entry.pairs() {
        reply.bulk(field.as_bytes(&mut room));
        reply.bulk(value.as_bytes(&mut room));
    }
}

/// Entries, at most `max` of them; gives how many that were.
pub(super) fn entries<'a>(
    reply: &mut Reply<'_>,
    entries: impl Iterator<Item = Entry<'a>>,
    max: Option<usize>,
) -> usize {
    let array = reply.array_deferred();
    let mut len = 0;
    for found in entries.take(max.unwrap_or(usize::MAX)) {
        entry(reply, found);
        len += 1;
    }
    reply.finish(array, len);
    len
}

/// An entry that was delivered and is no longer there.
pub(super) fn gone(reply: &mut Reply<'_>, gone: Id) {
    reply.array(2);
    id(reply, gone);
    reply.null_array();
}

/// An id.
pub(super) fn id(reply: &mut Reply<'_>, id: Id) {
    reply.bulk(&id.text());
}
