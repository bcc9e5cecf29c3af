//! Numbers read and written exactly as Redis does, because clients, AOF files and replicas compare the bytes.
//!
//! Three kinds:
//!
//! * **Integers.** The strict form: an optional minus, no plus, no space, no leading zero. Only a text that prints back
//!   to itself is an integer; that is what lets a string value be stored as a number without losing its spelling.
//! * **Doubles** (`f64`). Input follows C's `strtod` without leading space and without `nan`; what overflows to infinity
//!   or vanishes to zero is refused. Output uses the shortest digits that read back to the same value. With `n` digits
//!   `d` so that the value is `d × 10^K`, and `E = |K + n − 1|`:
//!
//!   | case                                   | form                    | example                  |
//!   |----------------------------------------|-------------------------|--------------------------|
//!   | integral and within ±2^62              | as an integer           | `100000000000000000`     |
//!   | `K ≥ 0` and `E < n + 7`                | digits, then K zeros    | `12345678901234567000`   |
//!   | `K < 0` and (`K > −7` or `E < 4`)      | plain decimal point     | `0.00001`                |
//!   | otherwise                              | exponent, not padded    | `1.234e-4`, `1e+19`      |
//!
//! * **Long doubles** ([`LongDouble`], x86's 80-bit format). INCRBYFLOAT and HINCRBYFLOAT add in them and print 17
//!   decimals with the trailing zeros cut: `0.1 + 0.2` is `0.3` there, where `f64` would show `0.30000000000000004`.

use std::fmt;
use std::ops::{Add, Deref};

use rustc_apfloat::Float;
use rustc_apfloat::ieee::{Double, X87DoubleExtended};
use smallvec::SmallVec;

/// Longest text of a long double, in bytes: the largest finite value has 4,933 digits before the point.
const LONG_DOUBLE_TEXT_MAX: usize = 5 * 1024;

/// Reads an integer in Redis's strict form; `None` for anything else, and outside 64 bits.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'] => Some(0),
        [b'-', digits @ ..] => {
            let magnitude = parse_positive(digits)?;
            (magnitude <= i64::MIN.unsigned_abs()).then_some((magnitude as i64).wrapping_neg())
        }
        digits => i64::try_from(parse_positive(digits)?).ok(),
    }
}

/// Reads an unsigned integer in the same strict form.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    if text == b"0" { Some(0) } else { parse_positive(text) }
}

/// Digits that do not begin with a zero.
#[inline]
fn parse_positive(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits[0] == b'0' || digits.len() > 20 {
        return None;
    }
    let mut value = 0u64;
    // Nineteen digits always fit; only the twentieth can overflow.
    let (sure, last) = digits.split_at(digits.len().min(19));
    for &digit in sure {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    match last {
        [] => Some(value),
        &[digit] if digit.is_ascii_digit() => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    }
}

/// A short number as text, without an allocation.
#[derive(Clone, Copy)]
pub struct NumberText {
    bytes: [u8; 32],
    len: u8,
}

impl NumberText {
    fn new() -> NumberText {
        NumberText { bytes: [0; 32], len: 0 }
    }

    fn push(&mut self, more: &[u8]) {
        let start = self.len as usize;
        self.bytes[start..start + more.len()].copy_from_slice(more);
        self.len += more.len() as u8;
    }

    fn zeros(&mut self, count: usize) {
        const ZEROS: &[u8; 32] = &[b'0'; 32];
        self.push(&ZEROS[..count]);
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self).expect("numbers are ASCII")
    }
}

impl Deref for NumberText {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }
}

impl fmt::Display for NumberText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An integer as text.
#[inline]
pub fn format_i64(value: i64) -> NumberText {
    let mut text = NumberText::new();
    text.push(itoa::Buffer::new().format(value).as_bytes());
    text
}

/// A double as Redis prints it; the table in the head of this file.
pub fn format_f64(value: f64) -> NumberText {
    let mut text = NumberText::new();
    if value.is_nan() {
        text.push(b"nan");
    } else if value.is_infinite() {
        text.push(if value < 0.0 { b"-inf" } else { b"inf" });
    } else if value == 0.0 {
        text.push(if value.is_sign_negative() { b"-0" } else { b"0" });
    } else if value.trunc() == value && value.abs() <= (1u64 << 62) as f64 {
        text.push(itoa::Buffer::new().format(value as i64).as_bytes());
    } else {
        push_shortest(&mut text, value);
    }
    text
}

fn push_shortest(text: &mut NumberText, value: f64) {
    // The crate gives the right digits in a layout of its own: take digits and exponent out of it.
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(value.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut k = exponent.parse::<i32>().expect("an exponent is an integer") - fraction.len() as i32;
    let digits: SmallVec<[u8; 40]> = whole.bytes().chain(fraction.bytes()).collect();
    let mut digits = &digits[digits.iter().take_while(|d| **d == b'0').count()..];
    while let [rest @ .., b'0'] = digits {
        digits = rest;
        k += 1;
    }

    let n = digits.len() as i32;
    let exponent = k + n - 1;
    if value < 0.0 {
        text.push(b"-");
    }
    if k >= 0 && exponent.abs() < n + 7 {
        text.push(digits);
        text.zeros(k as usize);
    } else if k < 0 && (k > -7 || exponent.abs() < 4) {
        let before_point = n + k;
        if before_point > 0 {
            text.push(&digits[..before_point as usize]);
            text.push(b".");
            text.push(&digits[before_point as usize..]);
        } else {
            text.push(b"0.");
            text.zeros(-before_point as usize);
            text.push(digits);
        }
    } else {
        text.push(&digits[..1]);
        if n > 1 {
            text.push(b".");
            text.push(&digits[1..]);
        }
        text.push(if exponent < 0 { b"e-" } else { b"e+" });
        text.push(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
    }
}

/// Reads a double as `strtod` would, the whole text being the number; `None` for anything else, for `nan`, for leading
/// space, and for what does not fit (`1e400`, `1e-400`).
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let form = FloatForm::of(text)?;
    let value = match form.kind {
        FloatKind::Infinite => return Some(if form.is_negative { f64::NEG_INFINITY } else { f64::INFINITY }),
        FloatKind::Decimal => std::str::from_utf8(text).ok()?.parse::<f64>().ok()?,
        FloatKind::Hex => f64::from_bits(form.parse::<Double>(text)?.to_bits() as u64),
    };
    (value.is_finite() && (value != 0.0 || form.is_zero)).then_some(value)
}

/// What a text says about the float it spells, before any arithmetic.
struct FloatForm {
    kind: FloatKind,
    is_negative: bool,
    /// All digits of the mantissa are zero, so that a result of zero is exact.
    is_zero: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FloatKind {
    Decimal,
    Hex,
    Infinite,
}

impl FloatForm {
    /// Checks the grammar of `strtod` (without leading space, without `nan`).
    fn of(text: &[u8]) -> Option<FloatForm> {
        let (is_negative, magnitude) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if magnitude.eq_ignore_ascii_case(b"inf") || magnitude.eq_ignore_ascii_case(b"infinity") {
            return Some(FloatForm { kind: FloatKind::Infinite, is_negative, is_zero: false });
        }
        let (kind, mut rest) = match magnitude {
            [b'0', b'x' | b'X', rest @ ..] => (FloatKind::Hex, rest),
            rest => (FloatKind::Decimal, rest),
        };
        let is_digit = |c: &u8| if kind == FloatKind::Hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
        let (mut digits, mut is_zero, mut has_point) = (0usize, true, false);
        while let [c, more @ ..] = rest {
            if is_digit(c) {
                digits += 1;
                is_zero &= *c == b'0';
            } else if *c == b'.' && !has_point {
                has_point = true;
            } else {
                break;
            }
            rest = more;
        }
        if digits == 0 {
            return None;
        }
        let exponent = match (kind, rest) {
            (_, []) => return Some(FloatForm { kind, is_negative, is_zero }),
            (FloatKind::Decimal, [b'e' | b'E', exponent @ ..]) => exponent,
            (FloatKind::Hex, [b'p' | b'P', exponent @ ..]) => exponent,
            _ => return None,
        };
        let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
        let is_exponent = !exponent.is_empty() && exponent.iter().all(u8::is_ascii_digit);
        is_exponent.then_some(FloatForm { kind, is_negative, is_zero })
    }

    /// Reads a text of this (finite) form. Infinite when it overflows.
    fn parse<F: Float>(&self, text: &[u8]) -> Option<F> {
        if self.is_zero {
            return Some(if self.is_negative { -F::ZERO } else { F::ZERO });
        }
        let mut text = std::str::from_utf8(text).ok()?.to_owned();
        if self.kind == FloatKind::Hex && !text.contains(['p', 'P']) {
            text.push_str("p0"); // the crate insists on the exponent that C lets one leave out
        }
        F::from_str_r(&text, rustc_apfloat::Round::NearestTiesToEven).ok().map(|parsed| parsed.value)
    }
}

/// A floating point number of x86's 80-bit extended format, rounded as its processor does.
#[derive(Clone, Copy)]
pub struct LongDouble(X87DoubleExtended);

impl LongDouble {
    /// Reads what C's `strtold` reads, the whole text being the number. `None` for anything else, for `nan`, for leading
    /// space, and for what does not fit.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= LONG_DOUBLE_TEXT_MAX {
            return None;
        }
        let form = FloatForm::of(text)?;
        if form.kind == FloatKind::Infinite {
            let infinity = X87DoubleExtended::INFINITY;
            return Some(LongDouble(if form.is_negative { -infinity } else { infinity }));
        }
        let value = form.parse::<X87DoubleExtended>(text)?;
        (value.is_finite() && (!value.is_zero() || form.is_zero)).then_some(LongDouble(value))
    }

    /// Whether it is an ordinary number: neither infinite nor the result of ∞ − ∞.
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// The least integer that is not below `factor` times the number, or whichever end of the range is nearer.
    pub fn scaled_up(self, factor: i64) -> i64 {
        let product = (self.0 * LongDouble::from(factor).0).value;
        product.to_i128_r(64, rustc_apfloat::Round::TowardPositive, &mut false).value as i64
    }

    /// The number with up to 17 decimals, trailing zeros cut: exact decimal expansion, ties to even. `inf`, `-inf` and
    /// `nan` as words. At most about 5,000 bytes.
    pub fn to_text(self) -> String {
        if self.0.is_nan() {
            return "nan".to_owned();
        }
        let sign = if self.0.is_negative() { "-" } else { "" };
        if self.0.is_infinite() {
            return format!("{sign}inf");
        }
        // Sign, 15 bits of exponent, 64 bits of significand whose top bit is explicit:
        // value = significand × 2^(exponent − 16383 − 63).
        let bits = self.0.to_bits();
        let significand = bits as u64;
        let power = ((bits >> 64) as i32 & 0x7fff).max(1) - 16383 - 63;
        let magnitude =
            if power >= 0 { integer_text(significand, power as u32) } else { fixed_text(significand, -power) };
        if magnitude == "0" { magnitude } else { format!("{sign}{magnitude}") }
    }
}

impl Add for LongDouble {
    type Output = LongDouble;
    fn add(self, other: LongDouble) -> LongDouble {
        LongDouble((self.0 + other.0).value)
    }
}

impl From<i64> for LongDouble {
    /// Exact: the significand has 64 bits.
    fn from(value: i64) -> LongDouble {
        LongDouble(X87DoubleExtended::from_i128(i128::from(value)).value)
    }
}

impl fmt::Debug for LongDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// `significand / 2^shift` with up to 17 decimals.
fn fixed_text(significand: u64, shift: i32) -> String {
    const SCALE: u64 = 100_000_000_000_000_000; // 10^17
    // Below 2^64 × 10^17 < 2^121, so the product fits, and a shift past that leaves less than half a unit.
    let scaled = u128::from(significand) * u128::from(SCALE);
    let mut units = 0u128;
    if shift < 122 {
        units = scaled >> shift;
        let rest = scaled & ((1u128 << shift) - 1);
        let half = 1u128 << (shift - 1);
        if rest > half || (rest == half && units & 1 == 1) {
            units += 1;
        }
    }
    let (whole, fraction) = (units / u128::from(SCALE), units % u128::from(SCALE));
    let text = format!("{whole}.{fraction:017}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `significand × 2^shift`, all digits. The shift is at most 16,320.
fn integer_text(significand: u64, shift: u32) -> String {
    const BASE: u64 = 1_000_000_000;
    let mut limbs = vec![0u32; shift as usize / 32 + 4];
    let shifted = u128::from(significand) << (shift % 32);
    for (index, limb) in limbs[shift as usize / 32..].iter_mut().enumerate() {
        *limb = (shifted >> (32 * index)) as u32;
    }
    // Repeated division by 10^9 yields the digits from the right, nine at a time.
    let mut groups = Vec::new();
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
    while !limbs.is_empty() {
        let mut remainder = 0u64;
        for limb in limbs.iter_mut().rev() {
            let part = remainder << 32 | u64::from(*limb);
            *limb = (part / BASE) as u32;
            remainder = part % BASE;
        }
        groups.push(remainder);
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
    }
    let mut text = groups.pop().unwrap_or(0).to_string();
    for group in groups.iter().rev() {
        text.push_str(&format!("{group:09}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_integers_that_print_back_to_themselves_are_read() {
        for (text, value) in
            [("0", 0), ("-1", -1), ("10", 10), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)]
        {
            assert_eq!(parse_i64(text.as_bytes()), Some(value), "{text}");
            assert_eq!(&*format_i64(value), text.as_bytes());
        }
        for text in [
            "",
            "-",
            "-0",
            "+1",
            "01",
            "-01",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "a",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "99999999999999999999",
            "100000000000000000000",
            "1\0",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn unsigned_integers_use_all_64_bits() {
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"0"), Some(0));
        assert_eq!(parse_u64(b"-1"), None);
        assert_eq!(parse_u64(b"1234567890123456789x"), None);
    }

    #[test]
    fn doubles_print_as_redis_prints_them() {
        for (value, text) in [
            (1e17, "100000000000000000"),
            (1.5e18, "1500000000000000000"),
            (1e19, "1e+19"),
            (1.5e19, "1.5e+19"),
            (1e22, "1e+22"),
            (12345678901234567890.0, "12345678901234567000"),
            (9007199254740993.0, "9007199254740992"),
            (0.00001, "0.00001"),
            (0.000001, "0.000001"),
            (0.0000001, "1e-7"),
            (0.0001234, "1.234e-4"),
            (0.0000012345, "1.2345e-6"),
            (17179869184.5, "17179869184.5"),
            (1234567.00001, "1234567.00001"),
            (-1.5e300, "-1.5e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-3.25, "-3.25"),
            (0.0, "0"),
            (-0.0, "-0"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(format_f64(value).as_str(), text);
        }
    }

    #[test]
    fn every_printed_double_reads_back() {
        let mut rng = crate::base::rng::Rng::seeded(11);
        for _ in 0..20_000 {
            let value = f64::from_bits(rng.next_u64());
            if value.is_finite() {
                assert_eq!(parse_f64(&format_f64(value)), Some(value), "{value:e}");
            }
        }
    }

    #[test]
    fn doubles_are_read_by_the_rules_of_strtod() {
        for (text, value) in [
            (".5", 0.5),
            ("5.", 5.0),
            ("0x10", 16.0),
            ("0x1.8p1", 3.0),
            ("-0X.8", -0.5),
            ("+1e2", 100.0),
            ("inf", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("0e999999999999999999999", 0.0),
            ("5e-324", 5e-324),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
        }
        for text in [
            "",
            ".",
            "-",
            "+",
            "nan",
            "-nan",
            " 1",
            "1 ",
            "1_0",
            "3e",
            "3e+",
            "1e400",
            "1e-400",
            "0x",
            "0x.",
            "0x1p",
            "1.2.3",
            "infinit",
            "--1",
            "1f",
            "0x1e-400p",
            "0x1p99999999999999999999",
            "\u{661}",
        ] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
            assert!(LongDouble::parse(text.as_bytes()).is_none_or(|_| text.contains("400")), "{text:?}");
        }
    }

    fn sum(a: &str, b: &str) -> String {
        (LongDouble::parse(a.as_bytes()).unwrap() + LongDouble::parse(b.as_bytes()).unwrap()).to_text()
    }

    #[test]
    fn long_doubles_add_and_print_as_on_x86() {
        for (a, b, text) in [
            ("0.1", "0.2", "0.3"),
            ("1", "0.25", "1.25"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("1.5", "-1.5", "0"),
            ("-0.0", "-0.0", "0"),
            ("3.0e3", "1", "3001"),
            ("17179869184", "1.5", "17179869185.5"),
            ("1e18", "0", "1000000000000000000"),
            ("18446744073709551615", "0", "18446744073709551615"),
            ("1e22", "1", "10000000000000000000000"),
            ("1e-18", "0", "0"),
            ("-1e-18", "0", "0"),
            ("1e-17", "0", "0.00000000000000001"),
            ("0x1p-20", "0", "0.00000095367431641"),
            ("3", "1.1", "4.1"),
        ] {
            assert_eq!(sum(a, b), text, "{a} + {b}");
        }
    }

    #[test]
    fn the_largest_long_double_prints_all_its_digits() {
        let text = sum("1e4932", "0");
        assert_eq!(text.len(), 4933);
        assert!(text.starts_with("1000000000000000000"));
        assert!(LongDouble::parse(b"1e4933").is_none());
        assert!(LongDouble::parse(&[b'1'; LONG_DOUBLE_TEXT_MAX]).is_none());
    }

    #[test]
    fn infinite_sums_are_told_apart() {
        assert!(!(LongDouble::parse(b"inf").unwrap() + LongDouble::from(1)).is_finite());
        assert_eq!(sum("inf", "-inf"), "nan");
        assert_eq!(sum("-inf", "1"), "-inf");
        assert_eq!(LongDouble::from(i64::MIN).to_text(), i64::MIN.to_string());
        assert_eq!(LongDouble::from(i64::MAX).to_text(), i64::MAX.to_string());
    }
}
