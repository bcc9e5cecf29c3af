//! Offsets and ranges as bitmap commands write them.

use std::ops::Range;

use crate::base::limits::HISTORY_STRING_MAX;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, DataCtx};
use crate::data::bits::bits_in;
use crate::keyspace::ExpiredKeys;

/// The offset of a bit, which must lie inside the longest string allowed. What our master or the AOF says has been allowed
/// elsewhere.
pub fn bit_offset(ctx: &DataCtx<'_>, text: &[u8]) -> Result<u64, CommandError> {
    checked(ctx, parse_i64(text))
}

/// The same for fields of `width` bits, which may also be counted: `#3` is the fourth field.
pub fn field_offset(ctx: &DataCtx<'_>, text: &[u8], width: u32) -> Result<u64, CommandError> {
    match text.strip_prefix(b"#") {
        Some(number) => checked(ctx, parse_i64(number).and_then(|number| number.checked_mul(width.into()))),
        None => bit_offset(ctx, text),
    }
}

fn checked(ctx: &DataCtx<'_>, offset: Option<i64>) -> Result<u64, CommandError> {
    let is_history = ctx.db.access().expired == ExpiredKeys::Ignore;
    let allowed = ctx.settings.string_bytes_max;
    let most = if is_history { allowed.max(HISTORY_STRING_MAX) } else { allowed };
    offset
        .and_then(|offset| u64::try_from(offset).ok())
        .filter(|offset| offset >> 3 < most)
        .ok_or_else(|| CommandError::err("bit offset is not an integer or out of range"))
}

/// What the ends of a range count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// BIT
    Bit,
    /// BYTE, the default.
    Byte,
}

impl Unit {
    /// The unit with this name.
    pub fn named(word: &[u8]) -> Result<Unit, CommandError> {
        match word {
            _ if word.eq_ignore_ascii_case(b"BIT") => Ok(Unit::Bit),
            _ if word.eq_ignore_ascii_case(b"BYTE") => Ok(Unit::Byte),
            _ => Err(CommandError::Syntax),
        }
    }

    /// The bits from unit `start` to unit `end`, that one included, of a text of `bytes` bytes. Negative numbers count from
    /// the end. What lies outside the text is cut off.
    pub fn range(self, start: i64, end: i64, bytes: usize) -> Range<u64> {
        let (total, bits) = match self {
            Unit::Bit => (bits_in(bytes) as i64, 1),
            Unit::Byte => (bytes as i64, 8),
        };
        let from_end = |at: i64| if at < 0 { (at + total).max(0) } else { at };
        let (start, end) = (from_end(start), from_end(end).min(total - 1));
        if start > end { 0..0 } else { start as u64 * bits..(end as u64 + 1) * bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_text() {
        for (unit, start, end, bytes, bits) in [
            (Unit::Byte, 0, -1, 3, 0..24),
            (Unit::Byte, 1, 1, 3, 8..16),
            (Unit::Byte, -2, i64::MAX, 3, 8..24),
            (Unit::Byte, 2, 1, 3, 0..0),
            (Unit::Byte, 3, 5, 3, 0..0),
            (Unit::Byte, 0, -1, 0, 0..0),
            (Unit::Bit, i64::MIN, i64::MIN, 3, 0..1),
            (Unit::Bit, 5, -3, 3, 5..22),
            (Unit::Bit, i64::MAX, i64::MAX, 3, 0..0),
        ] {
            assert_eq!(unit.range(start, end, bytes), bits, "{unit:?} {start} {end}");
        }
    }
}
