//! What several list commands share: ends, numbers, and how an element is told.

use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, DataCtx};
use crate::data::list::{End, Packing};
use crate::data::listpack::Item;
use crate::keyspace::Event;
use crate::resp::reply::Reply;
use crate::spec::{Arg, options};

/// `LEFT` and `RIGHT`, for COMMAND DOCS.
pub const ENDS: &[Arg] = &[Arg::token("left", "LEFT"), Arg::token("right", "RIGHT")];

/// Reads `LEFT` or `RIGHT`.
pub fn parse_end(word: &[u8]) -> Result<End, CommandError> {
    if options::is(word, "LEFT") {
        Ok(End::Left)
    } else if options::is(word, "RIGHT") {
        Ok(End::Right)
    } else {
        Err(CommandError::Syntax)
    }
}

/// Any integer.
pub fn parse_index(word: &[u8]) -> Result<i64, CommandError> {
    parse_i64(word).ok_or(CommandError::NotInteger)
}

/// An integer from `min` on; `refusal` is said about anything else.
pub fn parse_from(word: &[u8], min: i64, refusal: &str) -> Result<usize, CommandError> {
    let number = parse_i64(word).filter(|number| *number >= min);
    // On a machine where this does not fit no list is longer than what it becomes.
    number.map(|number| usize::try_from(number).unwrap_or(usize::MAX)).ok_or_else(|| CommandError::err(refusal))
}

/// How the server packs lists at present.
pub fn packing(ctx: &DataCtx<'_>) -> Packing {
    Packing::from(&ctx.settings.limits)
}

/// The event of adding at an end.
pub fn pushed(end: End) -> Event {
    if end == End::Left { Event::LPUSH } else { Event::RPUSH }
}

/// The event of taking from an end.
pub fn popped(end: End) -> Event {
    if end == End::Left { Event::LPOP } else { Event::RPOP }
}

/// An element as a bulk string.
#[inline]
pub fn reply_item(reply: &mut Reply<'_>, item: Item<'_>) {
    match item {
        Item::Int(value) => reply.bulk_int(value),
        Item::Bytes(text) => reply.bulk(text),
    }
}
