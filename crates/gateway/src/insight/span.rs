//! Spans of time and what they are cut into: hours, days, weeks, months, in UTC. Rollups know whole hours and days, so a span begins
//! and ends with one.

use jiff::civil::Date;
use jiff::{Timestamp as Instant, ToSpan};

use super::invalid;
use crate::error::GatewayError;

pub(crate) const EPOCH: Date = jiff::civil::date(1970, 1, 1);
/// Most days of a span that is cut into hours, or that begins or ends within a day.
pub(crate) const HOURLY_DAYS_MAX: i64 = 14;
/// Most days of any span.
pub(crate) const DAYS_MAX: i64 = 800;
const HOURS_PER_DAY: i64 = 24;
const SECONDS_PER_HOUR: i64 = 3_600;

/// What a span is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    Whole,
    Hour,
    Day,
    Week,
    Month,
}

impl Grain {
    /// By its name, which was given as `field`.
    pub(crate) fn read(field: &str, name: &str) -> Result<Grain, GatewayError> {
        Ok(match name {
            "hour" => Grain::Hour,
            "day" => Grain::Day,
            "week" => Grain::Week,
            "month" => Grain::Month,
            "minute" => {
                return Err(invalid(format!(
                    "use is kept by the hour: `{field}` is `hour`, `day`, `week` or `month`"
                )));
            }
            _ => return Err(invalid(format!("`{field}` is `hour`, `day`, `week` or `month`, not `{name}`"))),
        })
    }
}

/// A span of whole hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first hour since 1970.
    pub(crate) from: i64,
    /// The hour behind the last.
    pub(crate) to: i64,
}

/// A piece of a span that one question is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The hours are asked, else the days.
    pub(crate) hours: bool,
    /// The first hour or day.
    pub(crate) from: i64,
    /// The one behind the last.
    pub(crate) to: i64,
    /// One row for each.
    pub(crate) split: bool,
}

impl Span {
    /// From one hour to another; an empty, overlong or inverted one is refused.
    pub(crate) fn of(from: i64, to: i64) -> Result<Span, GatewayError> {
        if from >= to {
            return Err(invalid("the span must end after it begins"));
        }
        if to - from > DAYS_MAX * HOURS_PER_DAY {
            return Err(invalid(format!("a span has at most {DAYS_MAX} days; ask for a shorter one")));
        }
        Ok(Span { from, to })
    }

    /// The last so many days before an instant, in seconds since 1970, that day included.
    pub(crate) fn last_days(days: i64, now_s: i64) -> Span {
        let today = now_s.div_euclid(SECONDS_PER_HOUR * HOURS_PER_DAY);
        Span { from: (today - days + 1) * HOURS_PER_DAY, to: (today + 1) * HOURS_PER_DAY }
    }

    /// What is answered where no span is given: so many days, or the last week by the hour.
    pub(crate) fn usual(grain: Grain, days: i64, now_s: i64) -> Span {
        Span::last_days(if grain == Grain::Hour { 7 } else { days }, now_s)
    }

    fn is_whole_days(self) -> bool {
        self.from % HOURS_PER_DAY == 0 && self.to % HOURS_PER_DAY == 0
    }

    /// The questions that answer it. Weeks begin on Monday; those and months at its ends are cut off there.
    pub(crate) fn pieces(self, grain: Grain) -> Result<Vec<Piece>, GatewayError> {
        let by_hours = grain == Grain::Hour || !self.is_whole_days();
        if by_hours && self.to - self.from > HOURLY_DAYS_MAX * HOURS_PER_DAY {
            return Err(invalid(format!(
                "a span that is cut into hours, or that does not begin and end at midnight UTC, has at most {HOURLY_DAYS_MAX} days"
            )));
        }
        let unit = if by_hours { 1 } else { HOURS_PER_DAY };
        let split = grain == Grain::Hour || grain == Grain::Day && !by_hours;
        let mut pieces = Vec::new();
        let mut from = self.from;
        while from < self.to {
            let end = if split { self.to } else { next(grain, from).min(self.to) };
            pieces.push(Piece { hours: by_hours, from: from / unit, to: end / unit, split });
            from = end;
        }
        Ok(pieces)
    }

    /// Its ends as text.
    pub(crate) fn ends(self) -> [String; 2] {
        [self.from, self.to].map(instant)
    }
}

/// The hour at which what an hour lies in is over.
fn next(grain: Grain, hour: i64) -> i64 {
    let day = hour.div_euclid(HOURS_PER_DAY);
    let end = match grain {
        Grain::Whole => return i64::MAX,
        Grain::Hour => return hour + 1,
        Grain::Day => day + 1,
        // 1970-01-01 was a Thursday.
        Grain::Week => day - (day + 3).rem_euclid(7) + 7,
        Grain::Month => date(day).first_of_month().checked_add(1.month()).map_or(day + 1, day_of),
    };
    end * HOURS_PER_DAY
}

/// Days since 1970.
pub(crate) fn day_of(date: Date) -> i64 {
    date.since(EPOCH).map_or(0, |span| i64::from(span.get_days()))
}

/// The date of a day since 1970.
pub(crate) fn date(day: i64) -> Date {
    EPOCH.checked_add(day.days()).unwrap_or(EPOCH)
}

fn instant(hour: i64) -> String {
    Instant::from_second(hour.saturating_mul(SECONDS_PER_HOUR))
        .map_or_else(|_| String::new(), |t| t.to_string())
}

/// How a row says when it is: the instant of an hour, the date of a day or of a week's first day, the month.
pub(crate) fn label(grain: Grain, hours: bool, at: i64) -> String {
    let hour = if hours { at } else { at * HOURS_PER_DAY };
    let day = date(hour.div_euclid(HOURS_PER_DAY));
    match grain {
        Grain::Hour => instant(hour),
        Grain::Whole | Grain::Day => day.to_string(),
        Grain::Week => date(next(Grain::Week, hour) / HOURS_PER_DAY - 7).to_string(),
        Grain::Month => day.to_string().chars().take(7).collect(),
    }
}

/// An instant or a date as the hour that it lies in; the end of a span goes up to a whole hour, and a date there counts whole where
/// `whole` says so.
pub(crate) fn read(text: &str, name: &str, is_end: bool, whole: bool) -> Result<i64, GatewayError> {
    if let Ok(date) = text.parse::<Date>()
        && text.len() == 10
    {
        return Ok((day_of(date) + i64::from(is_end && whole)) * HOURS_PER_DAY);
    }
    let wrong = || invalid(format!("`{name}` is no instant; write `2026-01-31T00:00:00Z` or `2026-01-31`"));
    let micros = text.parse::<Instant>().map_err(|_| wrong())?.as_microsecond();
    let length = SECONDS_PER_HOUR * 1_000_000;
    let up = if is_end { length - 1 } else { 0 };
    Ok(micros.saturating_add(up).div_euclid(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(text: &str) -> i64 {
        read(text, "x", false, false).unwrap()
    }

    #[test]
    fn days_are_counted_from_the_epoch() {
        assert_eq!(day_of("1970-01-01".parse().unwrap()), 0);
        assert_eq!(day_of("2026-11-20".parse().unwrap()), 20_777);
        assert_eq!(date(20_777).to_string(), "2026-11-20");
    }

    #[test]
    fn a_span_is_cut_where_weeks_and_months_begin() {
        let span = Span::of(hour("2026-01-30"), hour("2026-03-03")).unwrap();
        let cut = |grain| -> Vec<String> {
            let pieces = span.pieces(grain).unwrap();
            pieces
                .iter()
                .map(|piece| format!("{}+{}", label(grain, piece.hours, piece.from), piece.to - piece.from))
                .collect()
        };
        assert_eq!(cut(Grain::Month), ["2026-01+2", "2026-02+28", "2026-03+2"]);
        assert_eq!(
            cut(Grain::Week),
            ["2026-01-26+3", "2026-02-02+7", "2026-02-09+7", "2026-02-16+7", "2026-02-23+7", "2026-03-02+1"]
        );
        assert_eq!(cut(Grain::Whole), ["2026-01-30+32"]);
        assert_eq!(span.pieces(Grain::Day).unwrap().len(), 1, "one question for all days");
        assert!(span.pieces(Grain::Hour).is_err(), "32 days by the hour");
        let part = Span::of(hour("2026-01-30T05:00:00Z"), hour("2026-02-01T01:00:00Z")).unwrap();
        let days: Vec<String> = part
            .pieces(Grain::Day)
            .unwrap()
            .iter()
            .map(|p| format!("{}+{}", label(Grain::Day, p.hours, p.from), p.to - p.from))
            .collect();
        assert_eq!(days, ["2026-01-30+19", "2026-01-31+24", "2026-02-01+1"]);
    }

    #[test]
    fn ends_are_whole_hours_and_dates() {
        assert_eq!(read("2026-01-31", "x", true, true).unwrap(), hour("2026-02-01"));
        assert_eq!(read("2026-01-31", "x", true, false).unwrap(), hour("2026-01-31"));
        assert_eq!(read("2026-01-31T05:00:01Z", "x", true, false).unwrap(), hour("2026-01-31T06:00:00Z"));
        assert_eq!(
            read("2026-01-31T05:59:59+02:00", "x", false, false).unwrap(),
            hour("2026-01-31T03:00:00Z")
        );
        assert!(read("yesterday", "x", false, false).is_err());
        assert_eq!(label(Grain::Hour, true, hour("2026-01-31T05:00:00Z")), "2026-01-31T05:00:00Z");
    }
}
