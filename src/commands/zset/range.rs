//! Ranges of a sorted set: one reader of words and one plan for ZRANGE and its older relatives.
//!
//! The relatives have decided in their names what ZRANGE is told by BYSCORE, BYLEX and REV. Whatever the words, a range
//! becomes a range of ranks (`data/zset`), LIMIT shortens it, and then its members are walked over in one of two directions.

use std::ops::Range;

use super::args::{Shape, integer, lex_range, rank_range, score_range, write_elements};
use crate::commands::contract::{CommandError, CommandResult, DataCtx, Outcome};
use crate::data::zset::{Elements, LexRange, ScoreRange, Zset};
use crate::resp::args::Args;
use crate::spec::options::{Words, is};

/// What the two ends of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Ranks.
    Rank,
    /// Scores.
    Score,
    /// Names.
    Name,
}

/// What a command's name has decided.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    /// What the ends are; `None`: BYSCORE and BYLEX may say so.
    pub by: Option<By>,
    /// The highest first; `None`: REV may say so.
    pub is_reversed: Option<bool>,
    /// The result is stored, so that WITHSCORES makes no sense.
    pub is_store: bool,
}

/// The ends.
#[derive(Clone, Copy, Debug)]
enum Ends<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Names(LexRange<'a>),
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    ends: Ends<'a>,
    is_reversed: bool,
    /// How many to leave out first, and how many to take; negative: all.
    limit: Option<(i64, i64)>,
    with_scores: bool,
}

impl<'a> Query<'a> {
    /// Reads the words from the first end on, which is word `at`.
    pub fn parse(args: &Args<'a>, at: usize, form: Form) -> Result<Query<'a>, CommandError> {
        let (mut by, mut is_reversed, mut limit, mut with_scores) = (form.by, form.is_reversed, None, false);
        let mut words = Words::new(args, at + 2);
        while let Some(word) = words.next() {
            match () {
                _ if !form.is_store && is(word, "WITHSCORES") => with_scores = true,
                _ if is(word, "LIMIT") && words.left() >= 2 => {
                    let mut number = || words.next().map_or(Err(CommandError::Syntax), integer);
                    limit = Some((number()?, number()?));
                }
                _ if form.is_reversed.is_none() && is(word, "REV") => is_reversed = Some(true),
                _ if form.by.is_none() && is(word, "BYLEX") => by = Some(By::Name),
                _ if form.by.is_none() && is(word, "BYSCORE") => by = Some(By::Score),
                _ => return Err(CommandError::Syntax),
            }
        }
        let (by, is_reversed) = (by.unwrap_or(By::Rank), is_reversed.unwrap_or(false));
        // A count of -1 is as good as none.
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            return Err(CommandError::err(
                "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if by == By::Name && with_scores {
            return Err(CommandError::err("syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        let (first, second) = (args.get(at), args.get(at + 1));
        let (low, high) = if is_reversed { (second, first) } else { (first, second) };
        let ends = match by {
            By::Rank => Ends::Ranks(integer(first)?, integer(second)?),
            By::Score => Ends::Scores(score_range(low, high)?),
            By::Name => Ends::Names(lex_range(low, high)?),
        };
        Ok(Query { ends, is_reversed, limit: limit.filter(|_| by != By::Rank), with_scores })
    }

    /// The members asked for, in the order asked for.
    pub fn run<'z>(&self, zset: &'z Zset) -> Elements<'z> {
        let range = self.ranks(zset);
        if self.is_reversed { zset.elements_backwards(range) } else { zset.elements(range) }
    }

    fn ranks(&self, zset: &Zset) -> Range<usize> {
        let range = match &self.ends {
            Ends::Ranks(start, stop) => {
                let length = zset.len();
                let range = rank_range(*start, *stop, length);
                match self.is_reversed {
                    true if !range.is_empty() => length - range.end..length - range.start,
                    _ => range,
                }
            }
            Ends::Scores(range) => zset.range_by_score(range),
            Ends::Names(range) => zset.range_by_name(range),
        };
        let Some((offset, count)) = self.limit else { return range };
        let length = range.len();
        // A negative offset leaves out everything.
        let skipped = usize::try_from(offset).unwrap_or(length).min(length);
        let taken = usize::try_from(count).unwrap_or(length).min(length - skipped);
        match self.is_reversed {
            false => range.start + skipped..range.start + skipped + taken,
            true => range.end - skipped - taken..range.end - skipped,
        }
    }
}

/// Replies a range of the sorted set at word 1, whose ends are words 2 and 3.
pub fn reply_range(ctx: &mut DataCtx<'_>, args: &Args<'_>, form: Form) -> CommandResult {
    let query = Query::parse(args, 2, form)?;
    match ctx.db.read::<Zset>(args.get(1))? {
        Some(zset) => {
            let shape = Shape::of(query.with_scores, &ctx.reply);
            write_elements(&mut ctx.reply, query.run(zset), shape);
        }
        None => ctx.reply.array(0),
    }
    Ok(Outcome::Done)
}
