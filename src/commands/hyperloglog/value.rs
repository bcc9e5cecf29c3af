//! Strings as HyperLogLogs, and the two ways in which one is refused.

use crate::commands::contract::{CommandError, DataCtx};
use crate::data::hll::{self, Corrupt, Form, NotHll};
use crate::data::string::{IntText, Str};

impl From<NotHll> for CommandError {
    fn from(_: NotHll) -> CommandError {
        CommandError::text("WRONGTYPE Key is not a valid HyperLogLog string value.")
    }
}

impl From<Corrupt> for CommandError {
    fn from(_: Corrupt) -> CommandError {
        CommandError::text("INVALIDOBJ Corrupted HLL object detected")
    }
}

impl From<Corrupt> for Box<CommandError> {
    fn from(corrupt: Corrupt) -> Box<CommandError> {
        Box::new(corrupt.into())
    }
}

/// How large a sparse value may grow, in bytes.
pub fn sparse_max(ctx: &DataCtx<'_>) -> usize {
    ctx.settings.limits.hll_sparse_max_bytes as usize
}

/// Gives `f` the HyperLogLog at `key`; `None` when there is no such key. Counts a hit or a miss.
pub fn read<R>(
    ctx: &mut DataCtx<'_>,
    key: &[u8],
    f: impl FnOnce(&[u8], Form) -> Result<R, CommandError>,
) -> Result<Option<R>, CommandError> {
    let Some(value) = ctx.db.read::<Str>(key)? else { return Ok(None) };
    let mut room = IntText::new();
    let bytes = value.as_bytes(&mut room);
    f(bytes, hll::form_of(bytes)?).map(Some)
}

/// The same, without counting.
pub fn peek<R>(
    ctx: &mut DataCtx<'_>,
    key: &[u8],
    f: impl FnOnce(&[u8], Form) -> Result<R, CommandError>,
) -> Result<Option<R>, CommandError> {
    let Some(value) = ctx.db.peek::<Str>(key)? else { return Ok(None) };
    let mut room = IntText::new();
    let bytes = value.as_bytes(&mut room);
    f(bytes, hll::form_of(bytes)?).map(Some)
}
