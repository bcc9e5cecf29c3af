//! How string commands hand values in and out, so that large ones are never copied.

use bytes::Bytes;

use crate::base::limits::HISTORY_STRING_MAX;
use crate::base::number::{LongDouble, format_i64};
use crate::commands::contract::{CommandError, DataCtx};
use crate::data::string::{NewStr, StrView};
use crate::keyspace::ExpiredKeys;
use crate::resp::args::Args;
use crate::resp::reply::Reply;

/// Answers with a string value: an integer is printed, a small string copied, a large one shared.
#[inline]
pub fn reply_string(reply: &mut Reply<'_>, value: StrView<'_>) {
    match value {
        StrView::Int(number) => reply.bulk_int(number),
        StrView::Bytes(bytes) => reply.bulk(bytes),
        StrView::Shared(bytes) => reply.shared(bytes.clone()),
    }
}

/// Argument `index` as a value to store: the buffer it arrived in when that is its own, else its bytes.
#[inline]
pub fn value_of<'a>(args: &Args<'a>, index: usize) -> NewStr<'a> {
    match args.shared(index) {
        Some(bytes) => NewStr::Shared(bytes.clone()),
        None => NewStr::Text(args.get(index)),
    }
}

/// Refuses a string of `start + added` bytes when that is more than strings may have. What our master or the AOF says has
/// been allowed elsewhere.
pub fn check_length(ctx: &DataCtx<'_>, start: u64, added: usize) -> Result<(), CommandError> {
    let is_history = ctx.db.access().expired == ExpiredKeys::Ignore;
    let allowed = ctx.settings.string_bytes_max;
    let most = if is_history { allowed.max(HISTORY_STRING_MAX) } else { allowed };
    match start.checked_add(added as u64) {
        Some(total) if total <= most => Ok(()),
        _ => Err(CommandError::StringTooLong),
    }
}

/// A string value as the number that INCRBYFLOAT adds to.
pub fn value_as_long_double(value: StrView<'_>) -> Result<LongDouble, CommandError> {
    let parsed = match value {
        StrView::Int(number) => return Ok(LongDouble::from(number)),
        StrView::Bytes(text) => LongDouble::parse(text),
        StrView::Shared(text) => LongDouble::parse(text),
    };
    parsed.ok_or(CommandError::NotFloat)
}

/// A copy of a string value as text that outlives the look at it. Large values are shared, not copied.
pub fn text_of(value: StrView<'_>) -> Bytes {
    match value {
        StrView::Int(number) => Bytes::copy_from_slice(&format_i64(number)),
        StrView::Bytes(bytes) => Bytes::copy_from_slice(bytes),
        StrView::Shared(bytes) => bytes.clone(),
    }
}
