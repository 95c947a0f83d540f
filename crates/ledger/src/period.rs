//! Spans of the UTC calendar over which a limit counts: from midnight to midnight, weeks from Monday, months from the first.

use jiff::civil::{Date, date};
use jiff::{ToSpan, Unit};
use serde::{Deserialize, Serialize};

/// Over what span a limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// For ever.
    #[default]
    Total,
    /// A day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

/// Days since 1970-01-01: the first that counts, and the first that doesn't any more.
pub type Days = (i64, i64);

impl Period {
    /// All of them.
    pub const ALL: [Period; 4] = [Period::Total, Period::Day, Period::Week, Period::Month];

    /// The name in the books and in answers: `week`.
    pub const fn name(self) -> &'static str {
        match self {
            Period::Total => "total",
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
        }
    }

    /// How OpenRouter's clients call it: `weekly`; `None` for a total.
    pub const fn reset(self) -> Option<&'static str> {
        match self {
            Period::Total => None,
            Period::Day => Some("daily"),
            Period::Week => Some("weekly"),
            Period::Month => Some("monthly"),
        }
    }

    /// By any name that clients use for it.
    pub fn from_name(name: &str) -> Option<Period> {
        Some(match name {
            "total" | "lifetime" => Period::Total,
            "day" | "daily" => Period::Day,
            "week" | "weekly" => Period::Week,
            "month" | "monthly" => Period::Month,
            _ => return None,
        })
    }

    /// The span that a day lies in. A day that no calendar has lies in a span that never ends.
    pub fn days(self, day: i64) -> Days {
        let whole = (i64::MIN, i64::MAX);
        if self == Period::Total {
            return whole;
        }
        if self == Period::Day {
            return (day, day.saturating_add(1));
        }
        self.calendar(day).unwrap_or(whole)
    }

    fn calendar(self, day: i64) -> Option<Days> {
        const EPOCH: Date = date(1970, 1, 1);
        let day = Some(day).filter(|day| (-3_000_000..3_000_000).contains(day))?;
        let on = EPOCH.checked_add(day.days()).ok()?;
        let first = match self {
            Period::Week => on.checked_sub(i64::from(on.weekday().to_monday_zero_offset()).days()).ok()?,
            _ => on.first_of_month(),
        };
        let next = match self {
            Period::Week => first.checked_add(7.days()).ok()?,
            _ => first.checked_add(1.month()).ok()?,
        };
        let number = |on: Date| EPOCH.until((Unit::Day, on)).ok().map(|span| i64::from(span.get_days()));
        Some((number(first)?, number(next)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(y: i16, m: i8, d: i8) -> i64 {
        i64::from(date(1970, 1, 1).until((Unit::Day, date(y, m, d))).unwrap().get_days())
    }

    #[test]
    fn spans_follow_the_calendar() {
        let leap = day(2028, 2, 29);
        assert_eq!(Period::Month.days(leap), (day(2028, 2, 1), day(2028, 3, 1)));
        assert_eq!(Period::Week.days(leap), (day(2028, 2, 28), day(2028, 3, 6)), "a Monday to a Monday");
        assert_eq!(Period::Week.days(day(2026, 11, 22)), (day(2026, 11, 16), day(2026, 11, 23)), "a Sunday");
        assert_eq!(Period::Day.days(leap), (leap, leap + 1));
        assert_eq!(Period::Month.days(day(2026, 12, 31)), (day(2026, 12, 1), day(2027, 1, 1)));
        assert_eq!(Period::Total.days(0), (i64::MIN, i64::MAX));
        for period in Period::ALL {
            assert_eq!(Period::from_name(period.name()), Some(period));
            for extreme in [i64::MIN, -1, i64::MAX] {
                let (from, to) = period.days(extreme);
                assert!(from <= extreme && (extreme < to || to == i64::MAX), "{period:?} {extreme}");
            }
        }
    }
}
