//! Reading what sorted-set commands have in common (scores, ranges), and writing members with their scores.

use std::ops::Range;

use crate::base::number::{parse_f64, parse_i64};
use crate::commands::contract::CommandError;
use crate::data::string::IntText;
use crate::data::zset::{Elements, End, LexEnd, LexRange, ScoreRange};
use crate::resp::reply::Reply;

/// A score.
pub fn score(text: &[u8]) -> Result<f64, CommandError> {
    parse_f64(text).ok_or(CommandError::NotFloat)
}

/// An integer.
pub fn integer(text: &[u8]) -> Result<i64, CommandError> {
    parse_i64(text).ok_or(CommandError::NotInteger)
}

/// An integer that is at least `min`; any other word gets this error.
pub fn at_least(min: i64, text: &[u8], error: &str) -> Result<i64, CommandError> {
    parse_i64(text).filter(|number| *number >= min).ok_or_else(|| CommandError::err(error))
}

/// A range of scores.
pub fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange, CommandError> {
    match (score_end(min), score_end(max)) {
        (Some(min), Some(max)) => Ok(ScoreRange { min, max }),
        _ => Err(CommandError::err("min or max is not a float")),
    }
}

fn score_end(text: &[u8]) -> Option<End<f64>> {
    match text {
        [b'(', text @ ..] => bound(text).map(End::Without),
        text => bound(text).map(End::With),
    }
}

/// A number as C's `strtod` reads one, because ranges have always been read so: leading space and an empty text (zero)
/// are accepted, and what is too large is infinite.
fn bound(text: &[u8]) -> Option<f64> {
    if text.is_empty() {
        return Some(0.0);
    }
    let text = &text[text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b).count()..];
    parse_f64(text).or_else(|| {
        // The grammar fits but the value does not: `1e400`, `1e-400`.
        let is_decimal = text.iter().all(|byte| byte.is_ascii_digit() || b".+-eE".contains(byte));
        std::str::from_utf8(text).ok().filter(|_| is_decimal)?.parse().ok()
    })
}

/// A range of names.
pub fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, CommandError> {
    match (lex_end(min), lex_end(max)) {
        (Some(min), Some(max)) => Ok(LexRange { min, max }),
        _ => Err(CommandError::err("min or max not valid string range item")),
    }
}

fn lex_end(text: &[u8]) -> Option<LexEnd<'_>> {
    match text {
        b"-" => Some(LexEnd::Lowest),
        b"+" => Some(LexEnd::Highest),
        [b'(', name @ ..] => Some(LexEnd::At(End::Without(name))),
        [b'[', name @ ..] => Some(LexEnd::At(End::With(name))),
        _ => None,
    }
}

/// The ranks from `start` to `stop`, both included, of `length`; negative numbers count from the end.
pub fn rank_range(start: i64, stop: i64, length: usize) -> Range<usize> {
    let length = length as i64;
    let from_start = |rank: i64| if rank < 0 { rank.saturating_add(length) } else { rank };
    let start = from_start(start).max(0);
    let stop = from_start(stop).min(length - 1);
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

/// How members are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Members alone.
    Bare,
    /// A member, its score, the next member …
    Flat,
    /// A pair of member and score for each.
    Pairs,
}

impl Shape {
    /// With scores or without, as this client's protocol has it.
    pub fn of(with_scores: bool, reply: &Reply<'_>) -> Shape {
        match (with_scores, reply.is_resp3()) {
            (false, _) => Shape::Bare,
            (true, false) => Shape::Flat,
            (true, true) => Shape::Pairs,
        }
    }

    /// How many replies `count` members are, pairs counted as one.
    pub fn replies(self, count: usize) -> usize {
        if self == Shape::Flat { count * 2 } else { count }
    }
}

/// Writes an array of members.
pub fn write_elements(reply: &mut Reply<'_>, elements: Elements<'_>, shape: Shape) {
    reply.array(shape.replies(elements.len()));
    write_each(reply, elements, shape);
}

/// Writes members without the head of an array.
pub fn write_each(reply: &mut Reply<'_>, elements: Elements<'_>, shape: Shape) {
    let mut room = IntText::new();
    for (member, score) in elements {
        write_element(reply, member.as_bytes(&mut room), score, shape);
    }
}

/// Writes one member.
#[inline]
pub fn write_element(reply: &mut Reply<'_>, member: &[u8], score: f64, shape: Shape) {
    if shape == Shape::Pairs {
        reply.array(2);
    }
    reply.bulk(member);
    if shape != Shape::Bare {
        reply.double(score);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_score_ranges_are_read_as_c_reads_numbers() {
        for (text, end) in [
            ("1", End::With(1.0)),
            ("(1.5", End::Without(1.5)),
            ("-inf", End::With(f64::NEG_INFINITY)),
            ("(+inf", End::Without(f64::INFINITY)),
            ("", End::With(0.0)),
            ("(", End::Without(0.0)),
            (" 3", End::With(3.0)),
            ("1e400", End::With(f64::INFINITY)),
            ("-1e400", End::With(f64::NEG_INFINITY)),
            ("1e-400", End::With(0.0)),
            ("0x10", End::With(16.0)),
        ] {
            assert_eq!(score_end(text.as_bytes()), Some(end), "{text:?}");
        }
        for text in ["nan", "(nan", "x", "1x", "1 ", "((1", "[1", "e", "."] {
            assert_eq!(score_end(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn ranks_from_either_end() {
        for (start, stop, expected) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-2, -1, 3..5),
            (-100, 1, 0..2),
            (3, 100, 3..5),
            (5, 9, 0..0),
            (3, 2, 0..0),
            (0, -6, 0..0),
            (i64::MIN, i64::MAX, 0..5),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            assert_eq!(rank_range(start, stop, 5), expected, "{start} {stop}");
        }
        assert_eq!(rank_range(0, -1, 0), 0..0);
    }
}
