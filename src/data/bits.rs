//! Bits and bit fields in the text of a string, numbered as Redis numbers them: bit 0 is the highest of the first byte.
//!
//! ```text
//!  bit      0 1 2 3 4 5 6 7   8 ...
//!  text     0 1 1 0 0 0 0 1 | 0 1 1 0 0 0 1 0        "ab"
//!                 \_____________/
//!                 a field of 8 bits at offset 3: 00001011
//! ```
//!
//! Behind its end a text goes on with zeros. Counting and searching go by words of eight bytes.

use std::ops::Range;

/// Bits in `bytes` bytes.
pub const fn bits_in(bytes: usize) -> u64 {
    bytes as u64 * 8
}

/// The bit at `offset`.
#[inline]
pub fn bit_at(text: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset >> 3).ok().and_then(|index| text.get(index)).copied().unwrap_or(0);
    byte >> (7 - (offset & 7)) & 1 == 1
}

/// Gives the bit at `offset`, which is inside the text, another value.
#[inline]
pub fn set_bit(text: &mut [u8], offset: u64, value: bool) {
    let byte = &mut text[(offset >> 3) as usize];
    let mask = 0x80 >> (offset & 7);
    *byte = if value { *byte | mask } else { *byte & !mask };
}

/// A range of bits as its whole bytes, and the bits before and behind them.
struct Parts<'a> {
    /// The byte in which the range begins, its earlier bits cleared; `None` when it begins with a byte.
    head: Option<u8>,
    whole: &'a [u8],
    /// The byte in which the range ends, its later bits cleared.
    tail: Option<u8>,
}

/// Cuts a range that is not empty and lies inside the text. A range within one byte has a head only.
fn parts_of(text: &[u8], range: Range<u64>) -> Parts<'_> {
    let (first, last) = ((range.start >> 3) as usize, (range.end >> 3) as usize);
    let head_mask = 0xffu8 >> (range.start & 7);
    let tail_mask = !(0xffu16 >> (range.end & 7)) as u8;
    if first == last {
        return Parts { head: Some(text[first] & head_mask & tail_mask), whole: &[], tail: None };
    }
    let has_head = range.start & 7 != 0;
    Parts {
        head: has_head.then(|| text[first] & head_mask),
        whole: &text[first + usize::from(has_head)..last],
        tail: (range.end & 7 != 0).then(|| text[last] & tail_mask),
    }
}

/// How many bits of `range` are set. The range lies inside the text.
pub fn count_ones(text: &[u8], range: Range<u64>) -> u64 {
    if range.is_empty() {
        return 0;
    }
    let parts = parts_of(text, range);
    let edges = parts.head.unwrap_or(0).count_ones() + parts.tail.unwrap_or(0).count_ones();
    count_bytes(parts.whole) + u64::from(edges)
}

fn count_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    // The sum of one block stays below 2^32, which lets the compiler count several words at a time.
    let words: u64 = words
        .chunks(1 << 16)
        .map(|block| u64::from(block.iter().map(|word| u64::from_ne_bytes(*word).count_ones()).sum::<u32>()))
        .sum();
    words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// Offset of the first bit in `range` that is `wanted`. The range lies inside the text.
pub fn find_bit(text: &[u8], wanted: bool, range: Range<u64>) -> Option<u64> {
    let mut at = range.start;
    // Bits before the first whole byte, then whole bytes, then the bits behind them.
    while at < range.end && at & 7 != 0 {
        if bit_at(text, at) == wanted {
            return Some(at);
        }
        at += 1;
    }
    if at < range.end {
        let whole = &text[(at >> 3) as usize..(range.end >> 3) as usize];
        if let Some(index) = find_byte_with(whole, wanted) {
            let byte = if wanted { whole[index] } else { !whole[index] };
            return Some(at + bits_in(index) + u64::from(byte.leading_zeros()));
        }
        at += bits_in(whole.len());
    }
    (at..range.end).find(|at| bit_at(text, *at) == wanted)
}

/// The first byte that has a bit of this value.
fn find_byte_with(bytes: &[u8], wanted: bool) -> Option<usize> {
    let dull = if wanted { 0u8 } else { 0xff };
    let dull_word = u64::from_ne_bytes([dull; 8]);
    // Eight words at a time: nothing is decided within a block, so a block is a few vector operations.
    let (blocks, _) = bytes.as_chunks::<64>();
    let has_any = |block: &[u8; 64]| {
        let (words, _) = block.as_chunks::<8>();
        words.iter().fold(0, |seen, word| seen | (u64::from_ne_bytes(*word) ^ dull_word)) != 0
    };
    let skipped = blocks.iter().position(has_any).unwrap_or(blocks.len()) * 64;
    bytes[skipped..].iter().position(|byte| *byte != dull).map(|index| skipped + index)
}

/// What BITOP does to texts, bit by bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOp {
    /// Set where all are.
    And,
    /// Set where any is.
    Or,
    /// Set where an odd number is.
    Xor,
}

impl BitOp {
    /// Combines `more` into `text`, which grows to the longer of both.
    pub fn apply(self, text: &mut Vec<u8>, more: &[u8]) {
        if text.len() < more.len() {
            text.resize(more.len(), 0);
        }
        let (common, rest) = text.split_at_mut(more.len());
        let pairs = common.iter_mut().zip(more);
        match self {
            BitOp::And => {
                pairs.for_each(|(a, b)| *a &= b);
                rest.fill(0);
            }
            BitOp::Or => pairs.for_each(|(a, b)| *a |= b),
            BitOp::Xor => pairs.for_each(|(a, b)| *a ^= b),
        }
    }
}

/// What a bit field is read as: a signed integer of 1 to 64 bits, or an unsigned one of 1 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    is_signed: bool,
    bits: u32,
}

/// What happens to a value that does not fit its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The lower bits remain.
    Wrap,
    /// The nearest value that fits.
    Saturate,
    /// Nothing is stored.
    Fail,
}

/// Bytes that a field may touch: 64 bits that begin within a byte.
pub const FIELD_SPAN: usize = 9;

impl FieldType {
    /// A type; `None` when there is none of this width.
    pub fn new(is_signed: bool, bits: i64) -> Option<FieldType> {
        let most = if is_signed { 64 } else { 63 };
        (1..=most).contains(&bits).then_some(FieldType { is_signed, bits: bits as u32 })
    }

    /// Width in bits.
    pub fn bits(self) -> u32 {
        self.bits
    }

    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// The value of this type in the lower bits of `raw`.
    fn interpreted(self, raw: u64) -> i64 {
        let unused = 64 - self.bits;
        if self.is_signed { (raw << unused) as i64 >> unused } else { (raw & self.mask()) as i64 }
    }

    /// Reads the field that begins at bit `shift` (below 8) of `window`.
    pub fn read(self, window: [u8; FIELD_SPAN], shift: u32) -> i64 {
        let wide = widened(window);
        self.interpreted((wide >> (128 - shift - self.bits)) as u64)
    }

    /// Writes the field that begins at bit `shift` (below 8) of `window`.
    pub fn write(self, window: &mut [u8; FIELD_SPAN], shift: u32, value: i64) {
        let down = 128 - shift - self.bits;
        let mask = u128::from(self.mask()) << down;
        let wide = widened(*window) & !mask | (u128::from(value as u64) << down) & mask;
        window.copy_from_slice(&wide.to_be_bytes()[..FIELD_SPAN]);
    }

    /// `value`, made to fit; `None` when it does not fit and may not be changed. An unsigned field takes a negative number
    /// for one above all others, as Redis does.
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        let value = if self.is_signed { i128::from(value) } else { i128::from(value as u64) };
        self.fit_sum(value, overflow)
    }

    /// `value + increment`, made to fit.
    pub fn add(self, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.fit_sum(i128::from(value) + i128::from(increment), overflow)
    }

    fn fit_sum(self, value: i128, overflow: Overflow) -> Option<i64> {
        let top = if self.is_signed { i128::from(self.mask() >> 1) } else { i128::from(self.mask()) };
        let bottom = if self.is_signed { -top - 1 } else { 0 };
        match overflow {
            _ if (bottom..=top).contains(&value) => Some(value as i64),
            Overflow::Wrap => Some(self.interpreted(value as u64)),
            Overflow::Saturate => Some(value.clamp(bottom, top) as i64),
            Overflow::Fail => None,
        }
    }
}

/// The window as the upper bits of a number.
fn widened(window: [u8; FIELD_SPAN]) -> u128 {
    let mut bytes = [0; 16];
    bytes[..FIELD_SPAN].copy_from_slice(&window);
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(text: &[u8]) -> Vec<bool> {
        (0..bits_in(text.len())).map(|offset| bit_at(text, offset)).collect()
    }

    /// Runs of equal bytes, so that searches have something to skip.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let run = (prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0..90usize);
        prop::collection::vec(run, 0..5)
            .prop_map(|runs| runs.into_iter().flat_map(|(byte, count)| std::iter::repeat_n(byte, count)).collect())
    }

    fn range_in(text: &[u8], a: u64, b: u64) -> Range<u64> {
        let size = bits_in(text.len()) + 1;
        (a % size).min(b % size)..(a % size).max(b % size)
    }

    #[test]
    fn bit_zero_is_the_highest_of_the_first_byte() {
        let mut text = b"ab".to_vec();
        assert_eq!(bits(&text)[..8], [false, true, true, false, false, false, false, true]);
        set_bit(&mut text, 6, true);
        set_bit(&mut text, 15, true);
        set_bit(&mut text, 1, false);
        assert_eq!((&text[..], bit_at(&text, 16), bit_at(&text, u64::MAX)), (&b"#c"[..], false, false));
    }

    #[test]
    fn shorter_texts_count_as_padded_with_zeros() {
        for (op, expected) in [(BitOp::And, b"\x00\x20\0"), (BitOp::Or, b"\x61\x62\xff"), (BitOp::Xor, b"\x61\x42\xff")]
        {
            let mut text = b"\x61\x22".to_vec();
            op.apply(&mut text, b"\0\x60\xff");
            let mut swapped = b"\0\x60\xff".to_vec();
            op.apply(&mut swapped, b"\x61\x22");
            assert_eq!((&text, &text[..]), (&swapped, &expected[..]), "{op:?}");
        }
    }

    #[test]
    fn values_that_do_not_fit() {
        let (i8, u8, i64) = (FieldType::new(true, 8), FieldType::new(false, 8), FieldType::new(true, 64));
        let (i8, u8, i64) = (i8.unwrap(), u8.unwrap(), i64.unwrap());
        for (field, value, increment, wrapped, saturated) in [
            (i8, 127, 1, -128, 127),
            (i8, -128, -1, 127, -128),
            (i8, -5, i64::MIN, -5, -128),
            (u8, 255, 257, 0, 255),
            (u8, 0, -1, 255, 0),
            (i64, i64::MAX, 1, i64::MIN, i64::MAX),
            (i64, i64::MIN, -1, i64::MAX, i64::MIN),
        ] {
            assert_eq!(field.add(value, increment, Overflow::Wrap), Some(wrapped));
            assert_eq!(field.add(value, increment, Overflow::Saturate), Some(saturated));
            assert_eq!(field.add(value, increment, Overflow::Fail), None);
        }
        assert_eq!(i8.add(-3, 5, Overflow::Fail), Some(2));
        assert_eq!((u8.fit(-1, Overflow::Saturate), u8.fit(-1, Overflow::Wrap)), (Some(255), Some(255)));
        assert_eq!((i8.fit(i64::MIN, Overflow::Saturate), i8.fit(200, Overflow::Wrap)), (Some(-128), Some(-56)));
        assert_eq!((FieldType::new(false, 64), FieldType::new(true, 65), FieldType::new(true, 0)), (None, None, None));
    }

    proptest! {
        #[test]
        fn counting_and_finding_go_bit_by_bit(text in text(), a: u64, b: u64, wanted: bool) {
            let range = range_in(&text, a, b);
            let bits = bits(&text);
            let inside = &bits[range.start as usize..range.end as usize];
            prop_assert_eq!(count_ones(&text, range.clone()), inside.iter().filter(|bit| **bit).count() as u64);
            let found = inside.iter().position(|bit| *bit == wanted).map(|at| at as u64 + range.start);
            prop_assert_eq!(find_bit(&text, wanted, range), found);
        }

        #[test]
        fn a_field_reads_back_and_leaves_its_neighbours(
            window: [u8; FIELD_SPAN], shift in 0..8u32, bits in 1..=64i64, is_signed: bool, value: i64,
        ) {
            let Some(field) = FieldType::new(is_signed, bits) else { return Ok(()) };
            let mut written = window;
            let value = field.fit(value, Overflow::Wrap).unwrap();
            field.write(&mut written, shift, value);
            prop_assert_eq!(field.read(written, shift), value);
            field.write(&mut written, shift, field.read(window, shift));
            prop_assert_eq!(written, window);
        }
    }
}
