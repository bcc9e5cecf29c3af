//! Taking members from either end: what ZPOPMIN, ZPOPMAX, ZMPOP and the blocking commands have in common.

use super::args::{Shape, write_elements};
use crate::commands::contract::{CommandError, DataCtx, Outcome};
use crate::data::zset::Zset;
use crate::keyspace::Event;

/// From which end members are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The lowest scores.
    Min,
    /// The highest scores.
    Max,
}

impl Side {
    /// The end that a word (`MIN`, `MAX`) names.
    pub fn named(word: &[u8]) -> Option<Side> {
        match () {
            _ if word.eq_ignore_ascii_case(b"min") => Some(Side::Min),
            _ if word.eq_ignore_ascii_case(b"max") => Some(Side::Max),
            _ => None,
        }
    }

    /// The plain command that takes from this end.
    pub fn command(self) -> &'static [u8] {
        match self {
            Side::Min => b"ZPOPMIN",
            Side::Max => b"ZPOPMAX",
        }
    }

    fn event(self) -> Event {
        match self {
            Side::Min => Event::ZPOPMIN,
            Side::Max => Event::ZPOPMAX,
        }
    }
}

/// How the members taken are replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Member, score, member, score … (ZPOPMIN).
    Flat,
    /// A pair for each (ZPOPMIN with a count in RESP3).
    Pairs,
    /// The key, the member, its score (BZPOPMIN); for a single one.
    KeyAndFlat,
    /// The key and an array of pairs (ZMPOP).
    KeyAndPairs,
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Popped<'k> {
    /// From where.
    pub key: &'k [u8],
    /// How many members; none only if none were asked for.
    pub count: usize,
}

impl Popped<'_> {
    /// `ZPOPMIN key count` or `ZPOPMAX key count`: how it reads to replicas when the command is not the same everywhere.
    pub fn with_count(&self, ctx: &DataCtx<'_>, side: Side) -> Outcome {
        ctx.propagate(&[side.command(), self.key, itoa::Buffer::new().format(self.count).as_bytes()])
    }
}

/// Takes up to `count` members from the first of the keys that exists, and replies them. `None`, and nothing was replied, if
/// there is none. A key before it that holds another type is an error.
pub fn pop<'k>(
    ctx: &mut DataCtx<'_>,
    keys: impl Iterator<Item = &'k [u8]>,
    side: Side,
    count: usize,
    answer: Answer,
) -> Result<Option<Popped<'k>>, CommandError> {
    for key in keys {
        if ctx.db.peek::<Zset>(key)?.is_none() {
            continue;
        }
        if count == 0 {
            ctx.reply.array(0);
            return Ok(Some(Popped { key, count: 0 }));
        }
        let reply = &mut ctx.reply;
        let popped = ctx.db.edit::<Zset, _>(key, |zset, notes| {
            let length = zset.len();
            let count = count.min(length);
            let (range, elements) = match side {
                Side::Min => (0..count, zset.elements(0..count)),
                Side::Max => (length - count..length, zset.elements_backwards(length - count..length)),
            };
            match answer {
                Answer::Flat => write_elements(reply, elements, Shape::Flat),
                Answer::Pairs => write_elements(reply, elements, Shape::Pairs),
                Answer::KeyAndFlat => {
                    reply.array(1 + count * 2);
                    reply.bulk(key);
                    super::args::write_each(reply, elements, Shape::Flat);
                }
                Answer::KeyAndPairs => {
                    reply.array(2);
                    reply.bulk(key);
                    write_elements(reply, elements, Shape::Pairs);
                }
            }
            zset.remove_range(range, |_, _| {});
            notes.changed(side.event(), count as u64);
            count
        })?;
        return Ok(popped.map(|count| Popped { key, count }));
    }
    Ok(None)
}
