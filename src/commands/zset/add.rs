//! Adding members to a key: what ZADD and ZINCRBY have in common.

use smallvec::SmallVec;

use crate::commands::contract::{CommandError, DataCtx};
use crate::data::zset::{Rule, Updated, Zset};
use crate::keyspace::Event;
use crate::resp::args::Args;

/// Scores of one call.
pub type Scores = SmallVec<[f64; 8]>;

/// What became of the members of one call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Added {
    /// New ones.
    pub added: u64,
    /// Ones whose score is another now.
    pub changed: u64,
    /// The score of the last one, unless a condition forbade it.
    pub score: Option<f64>,
}

/// Adds members with these scores to the set at word 1; they are every second word from `first` on.
pub fn add(
    ctx: &mut DataCtx<'_>,
    args: &Args<'_>,
    rule: Rule,
    scores: &[f64],
    first: usize,
) -> Result<Added, CommandError> {
    let limits = &ctx.settings.limits;
    let members = || args.from(first).step_by(2);
    ctx.db.edit_or_create::<Zset, _>(args.get(1), |zset, notes| {
        if zset.is_empty() {
            let longest = members().map(<[u8]>::len).max().unwrap_or(0);
            *zset = Zset::for_members(scores.len(), longest, limits);
        }
        let mut all = Added::default();
        for (score, member) in scores.iter().zip(members()) {
            all.score = match zset.update(member, *score, rule, limits) {
                Updated::Added(score) => {
                    all.added += 1;
                    Some(score)
                }
                Updated::Changed(score) => {
                    all.changed += 1;
                    Some(score)
                }
                Updated::Same(score) => Some(score),
                Updated::Refused => None,
                // Only with INCR, which is for a single member, so that nothing was changed before.
                Updated::NotANumber => return Err(CommandError::err("resulting score is not a number (NaN)")),
            };
        }
        if all.added + all.changed > 0 {
            notes.changed(if rule.is_increment { Event::ZINCR } else { Event::ZADD }, all.added + all.changed);
        }
        Ok(all)
    })?
}
