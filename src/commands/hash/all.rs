//! What HGETALL, HKEYS and HVALS share: they tell of all fields that are not over.

use super::value::reply_text;
use crate::commands::contract::{CommandResult, DataCtx, Outcome};
use crate::data::hash::Hash;
use crate::resp::args::Args;

/// What to tell of each field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Name and value.
    Both,
    /// The name.
    Names,
    /// The value.
    Values,
}

/// Answers with `parts` of every field of the hash at the key that is word 1.
pub fn reply_all(ctx: &mut DataCtx<'_>, args: &Args<'_>, parts: Parts) -> CommandResult {
    let now = ctx.db.fields_at();
    let hash = ctx.db.read::<Hash>(args.get(1))?;
    let len = hash.map_or(0, |hash| hash.len() - hash.count_over(now));
    match parts {
        Parts::Both => ctx.reply.map(len),
        _ => ctx.reply.array(len),
    }
    for field in hash.iter().flat_map(|hash| hash.iter()).filter(|field| !field.is_over(now)) {
        if parts != Parts::Values {
            reply_text(&mut ctx.reply, field.name);
        }
        if parts != Parts::Names {
            reply_text(&mut ctx.reply, field.value);
        }
    }
    Ok(Outcome::Done)
}
