//! Removing a range of members: what ZREMRANGEBYRANK, -BYSCORE and -BYLEX have in common.

use std::ops::Range;

use crate::commands::contract::{CommandResult, DataCtx, Outcome};
use crate::data::zset::Zset;
use crate::keyspace::Event;

/// Removes the members of the ranks that `range` names, and replies how many they were.
pub fn remove_range(
    ctx: &mut DataCtx<'_>,
    key: &[u8],
    event: Event,
    range: impl FnOnce(&Zset) -> Range<usize>,
) -> CommandResult {
    let removed = ctx.db.edit::<Zset, _>(key, |zset, notes| {
        let range = range(zset);
        let count = range.len();
        if count > 0 {
            zset.remove_range(range, |_, _| {});
            notes.changed(event, count as u64);
        }
        count
    })?;
    ctx.reply.int(removed.unwrap_or(0) as i64);
    Ok(Outcome::Done)
}
