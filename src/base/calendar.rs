//! Dates of the Gregorian calendar and moments written down, in UTC.

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Year, month (1 to 12) and day of a number of days since 1970-01-01. Years are counted from March, so that the leap day is
/// the last day of a year and months have fixed places (Howard Hinnant's method).
pub fn civil_date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468; // Days since 0000-03-01.
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The same the other way round; the date must exist.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A moment that a person writes: seconds since 1970, or a date and time of UTC such as `2026-11-26T08:15:00Z` (a blank instead of
/// the `T` and no `Z` will do). Seconds since 1970.
pub fn moment(text: &str) -> Option<i64> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once(['T', ' '])?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
    let days = days_of(year, month, day);
    let is_real = (1..=12).contains(&month) && civil_date(days) == (year, month, day);
    (is_real && hour < 24 && minute < 60 && second < 60).then(|| days * DAY + hour * 3600 + minute * 60 + second)
}

/// Three numbers of so many digits.
fn fields(text: &str, between: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Such a moment, as `2026-11-26T08:15:00Z`.
pub fn utc_text(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // Years that nobody means, from a damaged file, stay readable as a number.
    if !(-719_162..2_932_897).contains(&days) {
        return seconds.to_string();
    }
    let (year, month, day) = civil_date(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for seconds in [0, 1, 951_782_400, 1_709_251_200, 1_793_887_387, 4_107_542_400, 253_402_300_799] {
            assert_eq!(moment(&utc_text(seconds)), Some(seconds));
            assert_eq!(moment(&seconds.to_string()), Some(seconds));
        }
        assert_eq!(utc_text(1_793_887_387), "2026-11-05T14:03:07Z");
        assert_eq!(moment("2026-11-05 14:03:07"), Some(1_793_887_387));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "x",
            "-1",
            "+1",
            "1.5",
            "99999999999999999999",
            "2026-11-05",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-11-05T24:00:00Z",
            "2026-11-05T00:60:00Z",
            "2026-11-5T00:00:00Z",
            "2026-11-05T00:00:00+01:00",
            "2026-11-05T00:00:00.5Z",
            "2026-11-05T00:00",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
        assert_eq!(utc_text(i64::MAX), i64::MAX.to_string());
    }
}
