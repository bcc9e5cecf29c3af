//! From when to when a certificate holds: the two dates inside it, found by walking over what stands before them.
//!
//! ```text
//!  Certificate ::= SEQUENCE { tbsCertificate SEQUENCE {
//!      [0] version (may be missing), serialNumber INTEGER, signature SEQUENCE, issuer SEQUENCE,
//!      validity SEQUENCE { notBefore Time, notAfter Time }, … } … }
//!  Time        ::= UTCTime "YYMMDDhhmmssZ" | GeneralizedTime "YYYYMMDDhhmmssZ"
//! ```

use crate::base::calendar::{civil_date, moment};

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Both ends in seconds since 1970. `None` for what is no certificate.
pub fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    let (body, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(body, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest, VERSION)?.1;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = element(rest, tag)?.1;
    }
    let (dates, _) = element(rest, SEQUENCE)?;
    let (from, rest) = time(dates)?;
    let (to, _) = time(rest)?;
    Some((from, to))
}

/// The content of the element at the start of `bytes`, which must have this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        // Longer than four gigabytes would be nonsense.
        long => {
            let (digits, rest) =
                rest.split_at_checked(usize::from(long & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
            (digits.iter().fold(0usize, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    rest.split_at_checked(length)
}

fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let is_short = *bytes.first()? == UTC_TIME;
    let (text, rest) = element(bytes, if is_short { UTC_TIME } else { GENERALIZED_TIME })?;
    let digits = std::str::from_utf8(text.strip_suffix(b"Z")?)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let century = match (is_short, digits) {
        (false, _) => "",
        (true, early) if early < "50" => "20",
        (true, _) => "19",
    };
    let digits = format!("{century}{digits}");
    if digits.len() != 14 {
        return None;
    }
    let [year, month, day] = [&digits[..4], &digits[4..6], &digits[6..8]];
    let [hour, minute, second] = [&digits[8..10], &digits[10..12], &digits[12..]];
    Some((moment(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))?, rest))
}

/// A moment as `2026-11-26 08:57:00 UTC`.
pub fn date_text(seconds: i64) -> String {
    let (year, month, day) = civil_date(seconds.div_euclid(86_400));
    let rest = seconds.rem_euclid(86_400);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(from: &[u8], to: &[u8], with_version: bool) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| [&[tag, content.len() as u8][..], content].concat();
        let dates = [
            wrap(if from.len() == 13 { UTC_TIME } else { GENERALIZED_TIME }, from),
            wrap(if to.len() == 13 { UTC_TIME } else { GENERALIZED_TIME }, to),
        ]
        .concat();
        let version = if with_version { wrap(VERSION, &wrap(INTEGER, &[2])) } else { Vec::new() };
        let tbs =
            [version, wrap(INTEGER, &[1]), wrap(SEQUENCE, &[]), wrap(SEQUENCE, &[]), wrap(SEQUENCE, &dates)].concat();
        wrap(SEQUENCE, &wrap(SEQUENCE, &tbs))
    }

    #[test]
    fn both_kinds_of_dates_are_read() {
        let der = certificate(b"700101000001Z", b"20500101000000Z", true);
        assert_eq!(validity(&der), Some((1, 2_524_608_000)));
        let der = certificate(b"261126085700Z", b"491231235959Z", false);
        assert_eq!(validity(&der), Some((1_795_683_420, 2_524_607_999)));
        assert_eq!(date_text(1_795_683_420), "2026-11-26 08:57:00 UTC");
    }

    #[test]
    fn what_is_cut_or_wrong_is_no_certificate() {
        let der = certificate(b"700101000001Z", b"500101000000Z", true);
        (0..der.len()).for_each(|length| assert_eq!(validity(&der[..length]), None, "{length}"));
        for wrong in [&b"7001010000x1Z"[..], b"701301000001Z", b"7001010000010"] {
            assert_eq!(validity(&certificate(wrong, b"500101000000Z", true)), None);
        }
        assert_eq!(validity(&[SEQUENCE, 0xff, 0, 0]), None);
    }
}
