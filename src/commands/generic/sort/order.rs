//! Weights, and the order of elements that follows from them.

use std::cmp::Ordering;
use std::ops::Range;

use super::elements::Texts;
use super::options::Options;
use crate::base::number::parse_f64;
use crate::commands::contract::{CommandError, DataCtx};
use crate::data::string::{IntText, StrView};

/// What elements are compared by.
enum Weights {
    /// Numbers; where BY stood for nothing, zero.
    Numbers(Vec<f64>),
    /// Texts; `None` where BY stood for nothing, which comes first.
    Texts(Vec<Option<usize>>, Texts),
    /// The elements' own bytes.
    Own,
}

/// The numbers of the elements in order. Only those of `wanted` are sure to be in their places.
pub fn of(
    ctx: &mut DataCtx<'_>,
    texts: &Texts,
    options: &Options<'_>,
    wanted: Range<usize>,
) -> Result<Vec<usize>, CommandError> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    if options.is_unsorted {
        return Ok(order);
    }
    let weights = weights(ctx, texts, options)?;
    let compare = |a: &usize, b: &usize| {
        let by_weight = weights.compare(texts, *a, *b);
        // Of elements that are the same in everything, the earlier one comes first.
        (if options.is_descending { by_weight.reverse() } else { by_weight }).then(a.cmp(b))
    };
    if !wanted.is_empty() {
        if wanted.end < order.len() {
            order.select_nth_unstable_by(wanted.end - 1, compare);
        }
        order[..wanted.end].sort_unstable_by(compare);
    }
    Ok(order)
}

fn weights(ctx: &mut DataCtx<'_>, texts: &Texts, options: &Options<'_>) -> Result<Weights, CommandError> {
    let mut scratch = Vec::new();
    let elements = (0..texts.len()).map(|index| texts.get(index));
    match (options.by, options.is_alpha) {
        (None, true) => Ok(Weights::Own),
        (Some(by), true) => {
            let (mut found, mut known) = (Vec::with_capacity(texts.len()), Texts::default());
            for element in elements {
                found.push(by.look_up(&mut ctx.db, element, &mut scratch, |text| {
                    text.map(|text| {
                        known.push(text.as_bytes(&mut IntText::new()));
                        known.len() - 1
                    })
                }));
            }
            Ok(Weights::Texts(found, known))
        }
        (by, false) => {
            let mut numbers = Vec::with_capacity(texts.len());
            let mut has_failed = false;
            for element in elements {
                let number = match by {
                    None => number_of(StrView::Bytes(element)),
                    // All are looked up, also behind one that is no number.
                    Some(by) => {
                        by.look_up(&mut ctx.db, element, &mut scratch, |text| text.map_or(Some(0.0), number_of))
                    }
                };
                has_failed = has_failed || number.is_none();
                numbers.push(number.unwrap_or(0.0));
            }
            match has_failed {
                true => Err(CommandError::err("One or more scores can't be converted into double")),
                false => Ok(Weights::Numbers(numbers)),
            }
        }
    }
}

impl Weights {
    fn compare(&self, texts: &Texts, a: usize, b: usize) -> Ordering {
        match self {
            Weights::Numbers(numbers) => {
                let by_number = numbers[a].partial_cmp(&numbers[b]).expect("no weight is NaN");
                by_number.then_with(|| texts.get(a).cmp(texts.get(b)))
            }
            Weights::Texts(found, known) => {
                let text = |index: usize| found[index].map(|known_index| known.get(known_index));
                text(a).cmp(&text(b))
            }
            Weights::Own => texts.get(a).cmp(texts.get(b)),
        }
    }
}

/// The number that C's `strtod` makes of the whole text: white space before it is allowed, an empty text is zero, and a zero
/// byte ends it.
fn number_of(text: StrView<'_>) -> Option<f64> {
    let mut room = IntText::new();
    if let StrView::Int(number) = text {
        return Some(number as f64);
    }
    let text = text.as_bytes(&mut room);
    let text = text.split(|byte| *byte == 0).next().unwrap_or(b"");
    if text.is_empty() {
        return Some(0.0);
    }
    let start = text.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'))?;
    parse_f64(&text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_as_c_reads_them() {
        for (text, number) in [
            ("", Some(0.0)),
            ("10", Some(10.0)),
            (" \t-1.5e2", Some(-150.0)),
            ("0x10", Some(16.0)),
            ("inf", Some(f64::INFINITY)),
            ("1\0x", Some(1.0)),
            ("\0", Some(0.0)),
            ("1 ", None),
            (" ", None),
            ("nan", None),
            ("1e400", None),
            ("ten", None),
        ] {
            assert_eq!(number_of(StrView::Bytes(text.as_bytes())), number, "{text:?}");
        }
        assert_eq!(number_of(StrView::Int(7)), Some(7.0));
    }
}
