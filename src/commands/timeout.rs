//! How long a blocking command may wait: read from its words.

use crate::base::number::{LongDouble, parse_i64};
use crate::base::time::Now;
use crate::commands::contract::CommandError;

/// Seconds, possibly with a fraction, as milliseconds; `None`, said as 0, is for ever. Parts of a millisecond count as one.
pub fn seconds(word: &[u8], now: Now) -> Result<Option<u64>, CommandError> {
    let seconds = LongDouble::parse(word).ok_or_else(|| CommandError::err("timeout is not a float or out of range"))?;
    match seconds.scaled_up(1000) {
        i64::MAX => Err(CommandError::err("timeout is out of range")),
        timeout_ms => checked(timeout_ms, now),
    }
}

/// Milliseconds; `None`, said as 0, is for ever.
pub fn milliseconds(word: &[u8], now: Now) -> Result<Option<u64>, CommandError> {
    let timeout_ms = parse_i64(word).ok_or_else(|| CommandError::err("timeout is not an integer or out of range"))?;
    checked(timeout_ms, now)
}

fn checked(timeout_ms: i64, now: Now) -> Result<Option<u64>, CommandError> {
    let timeout = u64::try_from(timeout_ms).map_err(|_| CommandError::err("timeout is negative"))?;
    // The moment at which it is over must be one that can be told.
    if timeout_ms.checked_add(now.wall().0).is_none() {
        return Err(CommandError::err("timeout is out of range"));
    }
    Ok((timeout > 0).then_some(timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(word: &str) -> [Result<Option<u64>, String>; 2] {
        let now = Now::at_millis(1_700_000_000_000);
        [seconds(word.as_bytes(), now), milliseconds(word.as_bytes(), now)].map(|r| r.map_err(|e| e.to_string()))
    }

    #[test]
    fn seconds_may_have_fractions_and_milliseconds_may_not() {
        let not_whole = || Err("ERR timeout is not an integer or out of range".to_owned());
        assert_eq!(both("0"), [Ok(None), Ok(None)]);
        assert_eq!(both("20"), [Ok(Some(20_000)), Ok(Some(20))]);
        for (word, ms) in
            [("0.1", 100), ("0.001", 1), ("0.0001", 1), ("1.5e1", 15_000), ("0x10", 16_000), ("1.1", 1100)]
        {
            assert_eq!(both(word), [Ok(Some(ms)), not_whole()], "{word}");
        }
        assert_eq!(both("-0.0001"), [Ok(None), not_whole()]);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let said = |text: &str| Err(format!("ERR timeout is {text}"));
        let (no_float, no_integer) = ("not a float or out of range", "not an integer or out of range");
        for word in ["", "abc", "1 ", " 1", "1s", "nan"] {
            assert_eq!(both(word), [said(no_float), said(no_integer)], "{word}");
        }
        assert_eq!(both("-1"), [said("negative"), said("negative")]);
        assert_eq!(both("9223372036854775807"), [said("out of range"), said("out of range")]);
        assert_eq!(both("9223372036854775"), [said("out of range"), Ok(Some(9_223_372_036_854_775))]);
        for word in ["inf", "1e300", "9223372036854775808"] {
            assert_eq!(both(word), [said("out of range"), said(no_integer)], "{word}");
        }
        assert_eq!(both("-inf"), [said("negative"), said(no_integer)]);
    }
}
