//! Unions, intersections and differences of sorted sets and sets: what ZUNION, ZINTER, ZDIFF, their storing forms and ZINTERCARD
//! have in common.
//!
//! A member of a plain set counts as having score 1. Inputs are taken from the smallest to the largest: for an intersection that
//! is the cheapest way, and since adding doubles is not associative, sums only equal Redis's in its order. A sum of ∞ and
//! −∞, and a product of 0 and ∞, is 0.

use super::args::{Shape, integer, write_elements};
use crate::base::number::parse_f64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, Outcome};
use crate::data::ValueRef;
use crate::data::set::Set;
use crate::data::string::IntText;
use crate::data::zset::{Draft, Zset};
use crate::keyspace::{AnyValue, Event};
use crate::resp::args::Args;
use crate::spec::options::{Words, is};

/// What is made of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Members of any.
    Union,
    /// Members of all.
    Inter,
    /// Members of the first that are in no other.
    Diff,
}

/// What becomes of the scores of a member that several inputs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => or_zero(one + other),
            Aggregate::Min => {
                if other < one {
                    other
                } else {
                    one
                }
            }
            Aggregate::Max => {
                if other > one {
                    other
                } else {
                    one
                }
            }
        }
    }
}

fn or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// One input as it is stored.
#[derive(Clone, Copy)]
enum Source<'a> {
    Missing,
    Zset(&'a Zset),
    Set(&'a Set),
}

impl<'a> Source<'a> {
    fn of(value: Option<ValueRef<'a>>) -> Result<Source<'a>, CommandError> {
        match value {
            None => Ok(Source::Missing),
            Some(ValueRef::Zset(zset)) => Ok(Source::Zset(zset)),
            Some(ValueRef::Set(set)) => Ok(Source::Set(set)),
            Some(_) => Err(CommandError::WrongType),
        }
    }

    fn len(&self) -> usize {
        match self {
            Source::Missing => 0,
            Source::Zset(zset) => zset.len(),
            Source::Set(set) => set.len(),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Missing => None,
            Source::Zset(zset) => zset.score(member),
            Source::Set(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Shows members with their scores until `show` has seen enough.
    fn each(&self, mut show: impl FnMut(&[u8], f64) -> bool) {
        let mut room = IntText::new();
        match self {
            Source::Missing => {}
            Source::Zset(zset) => {
                zset.iter().all(|(member, score)| show(member.as_bytes(&mut room), score));
            }
            Source::Set(set) => {
                set.iter().all(|member| show(member.as_bytes(&mut room), 1.0));
            }
        }
    }
}

/// One input with its weight.
struct Input<'a> {
    source: Source<'a>,
    weight: f64,
}

/// The words behind the keys.
struct Options {
    weights: Option<Vec<f64>>,
    aggregate: Aggregate,
    with_scores: bool,
    /// 0: none.
    limit: usize,
}

/// What a command wants of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Reply,
    Store,
    Count,
}

/// The number of keys at word `at`, checked against the words there are.
fn count_keys(args: &Args<'_>, at: usize, command: &str) -> Result<usize, CommandError> {
    let keys = integer(args.get(at))?;
    if keys < 1 {
        return Err(CommandError::err(format!("at least 1 input key is needed for '{command}' command")));
    }
    usize::try_from(keys).ok().filter(|keys| *keys < args.len() - at).ok_or(CommandError::Syntax)
}

fn options(
    args: &Args<'_>,
    at: usize,
    keys: usize,
    operation: Operation,
    purpose: Purpose,
) -> Result<Options, CommandError> {
    let mut options = Options { weights: None, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
    let is_weighted = operation != Operation::Diff && purpose != Purpose::Count;
    let mut words = Words::new(args, at);
    while let Some(word) = words.next() {
        match () {
            _ if is_weighted && words.left() >= keys && is(word, "WEIGHTS") => {
                let weight = |word| parse_f64(word).ok_or_else(|| CommandError::err("weight value is not a float"));
                options.weights = Some(words.by_ref().take(keys).map(weight).collect::<Result<_, _>>()?);
            }
            _ if is_weighted && words.left() >= 1 && is(word, "AGGREGATE") => {
                options.aggregate = match words.next() {
                    Some(word) if is(word, "SUM") => Aggregate::Sum,
                    Some(word) if is(word, "MIN") => Aggregate::Min,
                    Some(word) if is(word, "MAX") => Aggregate::Max,
                    _ => return Err(CommandError::Syntax),
                };
            }
            _ if purpose == Purpose::Reply && is(word, "WITHSCORES") => options.with_scores = true,
            _ if purpose == Purpose::Count && words.left() >= 1 && is(word, "LIMIT") => {
                let limit = words.next().map_or(Err(CommandError::Syntax), |word| {
                    super::args::at_least(0, word, "LIMIT can't be negative")
                })?;
                options.limit = limit as usize;
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    Ok(options)
}

/// The inputs named from word `at` on. Their types are checked before the options are.
fn sources<'c>(
    ctx: &'c mut DataCtx<'_>,
    args: &Args<'_>,
    at: usize,
    keys: usize,
) -> Result<Vec<Source<'c>>, CommandError> {
    let values = ctx.db.read_all::<AnyValue>(args.from(at).take(keys))?;
    values.into_iter().map(Source::of).collect()
}

fn weighted<'a>(sources: Vec<Source<'a>>, options: &Options, operation: Operation) -> Vec<Input<'a>> {
    let weight = |number: usize| options.weights.as_ref().map_or(1.0, |weights| weights[number]);
    let mut inputs: Vec<Input<'a>> =
        sources.into_iter().enumerate().map(|(number, source)| Input { source, weight: weight(number) }).collect();
    if operation != Operation::Diff {
        inputs.sort_by_key(|input| input.source.len());
    }
    inputs
}

fn union(inputs: &[Input<'_>], aggregate: Aggregate) -> Draft {
    let mut draft = Draft::new();
    for input in inputs {
        input.source.each(|member, score| {
            let score = or_zero(input.weight * score);
            draft.add(member, score, |present| aggregate.of(present, score));
            true
        });
    }
    draft
}

/// Shows each member that all inputs have with its score, until `show` has seen enough.
fn intersect(inputs: &[Input<'_>], aggregate: Aggregate, mut show: impl FnMut(&[u8], f64) -> bool) {
    let Some((smallest, others)) = inputs.split_first() else { return };
    smallest.source.each(|member, score| {
        let mut result = or_zero(smallest.weight * score);
        for other in others {
            match other.source.score(member) {
                Some(score) => result = aggregate.of(result, other.weight * score),
                None => return true,
            }
        }
        show(member, result)
    });
}

fn difference(inputs: &[Input<'_>]) -> Draft {
    let mut draft = Draft::new();
    let Some((first, others)) = inputs.split_first() else { return draft };
    first.source.each(|member, score| {
        if others.iter().all(|other| other.source.score(member).is_none()) {
            draft.add(member, score, |present| present);
        }
        true
    });
    draft
}

fn combined(
    ctx: &mut DataCtx<'_>,
    args: &Args<'_>,
    at: usize,
    operation: Operation,
    purpose: Purpose,
    command: &str,
) -> Result<(Zset, Options), CommandError> {
    let keys = count_keys(args, at, command)?;
    let limits = ctx.settings.limits;
    let sources = sources(ctx, args, at + 1, keys)?;
    let options = options(args, at + 1 + keys, keys, operation, purpose)?;
    let inputs = weighted(sources, &options, operation);
    let draft = match operation {
        Operation::Union => union(&inputs, options.aggregate),
        Operation::Diff => difference(&inputs),
        Operation::Inter => {
            let mut draft = Draft::new();
            intersect(&inputs, options.aggregate, |member, score| {
                draft.add(member, score, |present| present);
                true
            });
            draft
        }
    };
    let result = match purpose {
        Purpose::Store => draft.into_zset(&limits),
        Purpose::Reply | Purpose::Count => draft.into_large(),
    };
    Ok((result, options))
}

/// Replies what is made of the inputs; word 1 says how many keys follow.
pub fn reply_combined(ctx: &mut DataCtx<'_>, args: &Args<'_>, operation: Operation, command: &str) -> CommandResult {
    let (zset, options) = combined(ctx, args, 1, operation, Purpose::Reply, command)?;
    let shape = Shape::of(options.with_scores, &ctx.reply);
    write_elements(&mut ctx.reply, zset.iter(), shape);
    Ok(Outcome::Done)
}

/// Stores what is made of the inputs at word 1; word 2 says how many keys follow.
pub fn store_combined(
    ctx: &mut DataCtx<'_>,
    args: &Args<'_>,
    operation: Operation,
    command: &str,
    event: Event,
) -> CommandResult {
    let (zset, _) = combined(ctx, args, 2, operation, Purpose::Store, command)?;
    super::store(ctx, args.get(1), zset, event);
    Ok(Outcome::Done)
}

/// How many members all inputs have, counted up to LIMIT; word 1 says how many keys follow.
pub fn count_intersection(ctx: &mut DataCtx<'_>, args: &Args<'_>, command: &str) -> Result<usize, CommandError> {
    let keys = count_keys(args, 1, command)?;
    let sources = sources(ctx, args, 2, keys)?;
    let options = options(args, 2 + keys, keys, Operation::Inter, Purpose::Count)?;
    let mut count = 0;
    intersect(&weighted(sources, &options, Operation::Inter), Aggregate::Sum, |_, _| {
        count += 1;
        count != options.limit
    });
    Ok(count)
}
