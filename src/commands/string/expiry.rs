//! The expiry words that SET and GETEX share: EX, PX, EXAT, PXAT, KEEPTTL, PERSIST.

use crate::base::number::parse_i64;
use crate::base::time::UnixMillis;
use crate::commands::contract::CommandError;

/// How an expiry time was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `EX`: seconds from now.
    Seconds,
    /// `PX`: milliseconds from now.
    Millis,
    /// `EXAT`: a Unix time in seconds.
    AtSeconds,
    /// `PXAT`: a Unix time in milliseconds.
    AtMillis,
}

impl Unit {
    /// The unit that an option word names.
    pub fn named(word: &[u8]) -> Option<Unit> {
        [(&b"EX"[..], Unit::Seconds), (b"PX", Unit::Millis), (b"EXAT", Unit::AtSeconds), (b"PXAT", Unit::AtMillis)]
            .into_iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name))
            .map(|(_, unit)| unit)
    }

    /// Whether it counts from the present moment.
    pub fn is_relative(self) -> bool {
        matches!(self, Unit::Seconds | Unit::Millis)
    }

    /// The moment that `text` in this unit means. It has to be positive and to fit 64 bits of milliseconds; `command`
    /// is named in the error.
    pub fn moment(self, text: &[u8], now: UnixMillis, command: &'static str) -> Result<UnixMillis, CommandError> {
        let amount = parse_i64(text).ok_or(CommandError::NotInteger)?;
        let factor = if matches!(self, Unit::Seconds | Unit::AtSeconds) { 1000 } else { 1 };
        let base = if self.is_relative() { now.0 } else { 0 };
        if amount <= 0 {
            return Err(CommandError::InvalidExpire { command });
        }
        let moment = amount.checked_mul(factor).and_then(|ms| ms.checked_add(base)).filter(|ms| *ms > 0);
        moment.map(UnixMillis).ok_or(CommandError::InvalidExpire { command })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(5_000);

    #[test]
    fn each_unit_gives_its_moment() {
        for (word, text, moment) in
            [("ex", "10", 15_000), ("Px", "10", 5_010), ("EXAT", "10", 10_000), ("pxat", "1", 1)]
        {
            let unit = Unit::named(word.as_bytes()).unwrap();
            assert_eq!(unit.moment(text.as_bytes(), NOW, "set"), Ok(UnixMillis(moment)), "{word}");
        }
        assert_eq!(Unit::named(b"EXA"), None);
    }

    #[test]
    fn times_that_are_not_positive_or_do_not_fit_are_refused() {
        let invalid = Err(CommandError::InvalidExpire { command: "set" });
        for (unit, text) in [
            (Unit::Seconds, "0"),
            (Unit::Seconds, "-1"),
            (Unit::Seconds, "9223372036854776"),
            (Unit::Seconds, "9223372036854775"),
            (Unit::Millis, "9223372036854775807"),
            (Unit::AtSeconds, "9223372036854776"),
        ] {
            assert_eq!(unit.moment(text.as_bytes(), NOW, "set"), invalid, "{unit:?} {text}");
        }
        assert_eq!(Unit::Millis.moment(b"1.5", NOW, "set"), Err(CommandError::NotInteger));
    }
}
