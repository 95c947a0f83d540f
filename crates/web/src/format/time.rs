//! Dates and durations. All in UTC; partial dates stay partial.

use jiff::civil::{Date, date as civil};
use types::Timestamp;

use super::number::count_of;
use super::shown::Shown;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month(number: i8) -> &'static str {
    usize::try_from(number - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or("–")
}

/// A date of the catalog: `16 Mar 2026`, `Mar 2026`, `2026`. What is no date is unknown.
pub(crate) fn date(iso: &str) -> Shown {
    let full = match iso.len() {
        4 => format!("{iso}-01-01"),
        7 => format!("{iso}-01"),
        _ => iso.to_owned(),
    };
    let digits = full.len() == 10 && full.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let Some(parsed) = full.parse::<Date>().ok().filter(|_| digits) else {
        return Shown::unknown();
    };
    match iso.len() {
        4 => Shown::same(iso),
        7 => Shown::both(format!("{} {}", month(parsed.month()), parsed.year()), iso),
        _ => Shown::both(in_words(parsed), iso),
    }
}

/// The day since 1970 of a whole date; `None`: a partial one, or none.
pub(crate) fn day_number(iso: &str) -> Option<i64> {
    let date = iso.parse::<Date>().ok().filter(|_| iso.len() == 10)?;
    Some(i64::from((date - civil(1970, 1, 1)).get_days()))
}

fn in_words(date: Date) -> String {
    format!("{} {} {}", date.day(), month(date.month()), date.year())
}

fn civil_day(day: i64) -> Option<Date> {
    let span = jiff::Span::new().try_days(day).ok()?;
    civil(1970, 1, 1).checked_add(span).ok()
}

/// A day since 1970: `16 Mar 2026`.
pub(crate) fn day(day: i64) -> Shown {
    civil_day(day).map_or_else(Shown::unknown, |date| Shown::both(in_words(date), date.to_string()))
}

/// A day since 1970 as `2026-03-16`; empty beyond the calendar.
pub(crate) fn iso_day(day: i64) -> String {
    civil_day(day).map(|date| date.to_string()).unwrap_or_default()
}

/// An instant to the minute, to the second in its exact form: `16 Mar 2026, 14:05 UTC`.
pub(crate) fn instant(at: Timestamp) -> Shown {
    let Some(date) = civil_day(at.day()) else {
        return Shown::unknown();
    };
    let minute = at.minute_of_day();
    let short = format!("{}, {:02}:{:02} UTC", in_words(date), minute / 60, minute % 60);
    Shown::both(short, rfc3339(at))
}

/// An instant for machines: `2026-03-16T14:05:09Z`; empty beyond the calendar.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let Some(date) = civil_day(at.day()) else {
        return String::new();
    };
    let second = at.seconds().rem_euclid(86_400);
    format!("{date}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// How long ago a day was: `today`, `12 days ago`, `3 months ago`, `2 years ago`; `in 12 days` for what is to come.
pub(crate) fn age(day: i64, today: i64) -> String {
    let passed = today.saturating_sub(day);
    let days = passed.unsigned_abs().min(u64::from(u32::MAX));
    let far = match days {
        0 => return "today".to_owned(),
        1 if passed > 0 => return "yesterday".to_owned(),
        1 => return "tomorrow".to_owned(),
        2..60 => count_of(days, "day"),
        // A month is a twelfth of a Julian year.
        60..730 => count_of(days * 16 / 487, "month"),
        _ => count_of(days * 4 / 1_461, "year"),
    };
    if passed > 0 { format!("{far} ago") } else { format!("in {far}") }
}

/// The two largest units: `2 d 3 h`, `1 h 2 min`, `5 min`, `12 s`.
pub(crate) fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::{age, date, day, day_number, duration, instant, iso_day, rfc3339};

    #[test]
    fn partial_dates_stay_partial() {
        let rows = [
            ("2026-03-16", "16 Mar 2026"),
            ("2026-03", "Mar 2026"),
            ("2026", "2026"),
            ("2024-02-29", "29 Feb 2024"),
            ("", "unknown"),
            ("2026-13", "unknown"),
            ("2025-02-29", "unknown"),
            ("20x6", "unknown"),
            ("soon", "unknown"),
            ("2026-03-16T00:00:00Z", "unknown"),
            ("<script>16", "unknown"),
            ("٢٠٢٦", "unknown"),
        ];
        for (iso, expect) in rows {
            assert_eq!(date(iso).text(), expect, "{iso}");
        }
        assert_eq!(date("2026-03-16").exact, "2026-03-16");
    }

    #[test]
    fn days_and_instants() {
        // 2026-03-16 is day 20,528: `date -u -d 2026-03-16 +%s` is 1773619200.
        assert_eq!((day(20_528).short.as_str(), iso_day(20_528).as_str()), ("16 Mar 2026", "2026-03-16"));
        let at = Timestamp::from_seconds(1_773_619_200 + 14 * 3_600 + 5 * 60 + 9);
        assert_eq!(day_number("2026-03-16"), Some(20_528));
        assert_eq!([day_number("2026-03"), day_number("soon")], [None, None]);
        assert_eq!(instant(at).short, "16 Mar 2026, 14:05 UTC");
        assert_eq!(rfc3339(at), "2026-03-16T14:05:09Z");
        assert_eq!(rfc3339(Timestamp(-1)), "1969-12-31T23:59:59Z");
        for far in [i64::MIN, i64::MAX] {
            assert!(!day(far).is_known && iso_day(far).is_empty());
            let _ = (instant(Timestamp(far)), rfc3339(Timestamp(far)), age(far, 0), age(0, far));
        }
    }

    #[test]
    fn ages_and_durations() {
        let rows = [
            (0, "today"),
            (1, "yesterday"),
            (-1, "tomorrow"),
            (59, "59 days ago"),
            (60, "1 month ago"),
            (92, "3 months ago"),
            (729, "23 months ago"),
            (731, "2 years ago"),
            (-12, "in 12 days"),
        ];
        for (passed, expect) in rows {
            assert_eq!(age(20_000 - passed, 20_000), expect);
        }
        let rows = [(12, "12 s"), (300, "5 min"), (3_725, "1 h 2 min"), (183_600, "2 d 3 h")];
        for (seconds, expect) in rows {
            assert_eq!(duration(seconds), expect);
        }
    }
}
