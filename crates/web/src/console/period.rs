//! The days that a page of numbers is of, as its address says: `period=7d`, or `from` and `to`. All in UTC.

use jiff::civil::Date;

use crate::format::{self, count_of};
use crate::visit::Visit;

/// Most days that use is told of.
pub(crate) const DAYS_MAX: i64 = 800;
/// Days that are shown where the address says nothing.
const USUAL: &str = "30d";
/// The spans to choose from.
const NAMED: [(&str, &str); 6] = [
    ("today", "Today"),
    ("yesterday", "Yesterday"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("month", "This month"),
    ("90d", "90 days"),
];

/// Some days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    /// Of [`NAMED`], or empty where dates are given.
    pub(crate) slug: &'static str,
    /// The first, since 1970.
    pub(crate) first: i64,
    /// The last.
    pub(crate) last: i64,
    pub(crate) today: i64,
    /// What of the address was not taken, as a sentence.
    pub(crate) problem: Option<String>,
}

/// A span to choose.
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) slug: &'static str,
    pub(crate) is_here: bool,
}

/// What a span is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    Hour,
    Day,
    Week,
    Month,
}

impl Grain {
    /// As the API calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Grain::Hour => "hour",
            Grain::Day => "day",
            Grain::Week => "week",
            Grain::Month => "month",
        }
    }
}

/// One bar's span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// As the API's rows say it.
    pub(crate) key: String,
    /// Short, below the bar.
    pub(crate) label: String,
    /// In full.
    pub(crate) title: String,
}

/// A date as days since 1970.
pub(crate) fn day_of(text: &str) -> Option<i64> {
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10)?;
    Some(i64::from(date.since(jiff::civil::date(1970, 1, 1)).ok()?.get_days()))
}

impl Period {
    /// What the address says; what can't be taken is told, and the usual span shown.
    pub(crate) fn of(visit: &Visit) -> Period {
        let today = visit.today();
        let dates = (visit.ask("from"), visit.ask("to"));
        if let (None, None) = dates {
            return Period::named(visit.ask("period"), today);
        }
        let of = |text: Option<&str>, usual: i64| text.map_or(Some(usual), day_of);
        let found = of(dates.1, today).and_then(|last| Some((of(dates.0, last)?, last)));
        let problem = match found {
            None => "A date is written as 2026-01-31. Shown are the last 30 days instead.",
            Some((first, last)) if first > last => {
                "The span ends before it begins. Shown are the last 30 days instead."
            }
            Some((first, last)) if last - first >= DAYS_MAX => {
                "A span has at most 800 days. Shown are the last 30 instead."
            }
            Some((first, last)) => return Period { slug: "", first, last, today, problem: None },
        };
        Period { problem: Some(String::from(problem)), ..Period::named(None, today) }
    }

    fn named(asked: Option<&str>, today: i64) -> Period {
        let slug = NAMED.iter().map(|(slug, _)| *slug).find(|slug| Some(*slug) == asked).unwrap_or(USUAL);
        let (first, last) = match slug {
            "today" => (today, today),
            "yesterday" => (today - 1, today - 1),
            "7d" => (today - 6, today),
            "month" => (month_of(today), today),
            "90d" => (today - 89, today),
            _ => (today - 29, today),
        };
        Period { slug, first, last, today, problem: None }
    }

    pub(crate) fn choices(&self) -> Vec<Choice> {
        NAMED.iter().map(|(slug, name)| Choice { name, slug, is_here: *slug == self.slug }).collect()
    }

    /// How many.
    pub(crate) const fn days(&self) -> i64 {
        self.last - self.first + 1
    }

    /// The first and the last as dates.
    pub(crate) fn dates(&self) -> [String; 2] {
        [self.first, self.last].map(format::iso_day)
    }

    /// As many directly before, as `from` and `to` of the API; of today the same hours, where hours can be asked for.
    pub(crate) fn before(&self, by_hours: bool, hour: i64) -> [String; 2] {
        let [first, last] = [self.first, self.last].map(|day| format::iso_day(day - self.days()));
        if self.is_today() && by_hours {
            // Up to the end of this hour.
            let end = if hour == 23 {
                format!("{}T00:00:00Z", format::iso_day(self.first))
            } else {
                format!("{last}T{:02}:00:00Z", hour + 1)
            };
            return [format!("{first}T00:00:00Z"), end];
        }
        [first, last]
    }

    pub(crate) const fn is_today(&self) -> bool {
        self.first == self.today && self.last == self.today
    }

    /// What the one before is called.
    pub(crate) fn before_words(&self, by_hours: bool) -> String {
        match self.days() {
            1 if self.is_today() && by_hours => String::from("the same hours of yesterday"),
            1 => String::from("the day before"),
            days => format!("the {days} days before"),
        }
    }

    /// In words: `24 Oct to 22 Nov 2026, 30 days in UTC`.
    pub(crate) fn words(&self) -> String {
        let so_far = if self.last == self.today { "; today is not over" } else { "" };
        match self.days() {
            1 => format!("{} in UTC{so_far}", format::day(self.first).short),
            days => format!(
                "{} to {}, {} in UTC{so_far}",
                format::day(self.first).short,
                format::day(self.last).short,
                count_of(days.unsigned_abs(), "day")
            ),
        }
    }

    /// What it is cut into for a chart. `by_hours`: hours can be asked for.
    pub(crate) const fn grain(&self, by_hours: bool) -> Grain {
        match self.days() {
            ..=2 if by_hours => Grain::Hour,
            ..=92 => Grain::Day,
            93..=400 => Grain::Week,
            _ => Grain::Month,
        }
    }

    /// The bars, also those that nothing happened in.
    pub(crate) fn slots(&self, grain: Grain) -> Vec<Slot> {
        let mut slots: Vec<Slot> = Vec::new();
        for day in self.first..=self.last {
            let words = format::day(day).short;
            let short = words.rsplit_once(' ').map_or(words.as_str(), |(short, _)| short).to_owned();
            match grain {
                Grain::Hour => slots.extend((0..24).map(|hour| Slot {
                    key: format!("{}T{hour:02}:00:00Z", format::iso_day(day)),
                    label: format!("{hour:02}:00"),
                    title: format!("{words}, {hour:02}:00 to {:02}:00", hour + 1),
                })),
                Grain::Day => slots.push(Slot { key: format::iso_day(day), label: short, title: words }),
                Grain::Week => {
                    // 1970-01-01 was a Thursday.
                    let monday = day - (day + 3).rem_euclid(7);
                    let key = format::iso_day(monday);
                    if slots.last().is_none_or(|slot| slot.key != key) {
                        slots.push(Slot { key, label: short, title: format!("week from {words}") });
                    }
                }
                Grain::Month => {
                    let key: String = format::iso_day(day).chars().take(7).collect();
                    if slots.last().is_none_or(|slot| slot.key != key) {
                        let title = format::date(&key).short;
                        slots.push(Slot { key, label: title.clone(), title });
                    }
                }
            }
        }
        slots
    }

    /// What an address says of it.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        match self.slug {
            "" => {
                let [from, to] = self.dates();
                vec![("from", from), ("to", to)]
            }
            USUAL => Vec::new(),
            slug => vec![("period", slug.to_owned())],
        }
    }
}

/// The first day of the month that a day lies in.
fn month_of(day: i64) -> i64 {
    let month: String = format::iso_day(day).chars().take(7).collect();
    day_of(&format!("{month}-01")).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-03.
    const TODAY: i64 = 20_637;

    fn named(slug: &str) -> Period {
        Period::named(Some(slug), TODAY)
    }

    #[test]
    fn spans_have_their_days() {
        assert_eq!(format::iso_day(TODAY), "2026-07-03");
        let rows = [
            ("today", "2026-07-03", "2026-07-03"),
            ("yesterday", "2026-07-02", "2026-07-02"),
            ("7d", "2026-06-27", "2026-07-03"),
            ("30d", "2026-06-04", "2026-07-03"),
            ("month", "2026-07-01", "2026-07-03"),
            ("nonsense", "2026-06-04", "2026-07-03"),
        ];
        for (slug, first, last) in rows {
            assert_eq!(named(slug).dates(), [first, last], "{slug}");
        }
    }

    #[test]
    fn the_span_before_is_as_long() {
        assert_eq!(named("7d").before(true, 12), ["2026-06-20", "2026-06-26"]);
        assert_eq!(named("today").before(true, 12), ["2026-07-02T00:00:00Z", "2026-07-02T13:00:00Z"]);
        assert_eq!(named("today").before(true, 23), ["2026-07-02T00:00:00Z", "2026-07-03T00:00:00Z"]);
        assert_eq!(named("today").before(false, 12), ["2026-07-02", "2026-07-02"]);
        assert_eq!(named("yesterday").before(true, 12), ["2026-07-01", "2026-07-01"]);
    }

    #[test]
    fn slots_are_named_as_rows_are() {
        let of = |slug: &str, grain| named(slug).slots(grain);
        assert_eq!(of("today", Grain::Hour).len(), 24);
        assert_eq!(of("today", Grain::Hour)[5].key, "2026-07-03T05:00:00Z");
        assert_eq!(of("7d", Grain::Day)[0].key, "2026-06-27");
        assert_eq!(of("7d", Grain::Day)[0].label, "27 Jun");
        let weeks: Vec<String> = of("7d", Grain::Week).into_iter().map(|slot| slot.key).collect();
        assert_eq!(weeks, ["2026-06-22", "2026-06-29"]);
        let months: Vec<String> = of("30d", Grain::Month).into_iter().map(|slot| slot.key).collect();
        assert_eq!(months, ["2026-06", "2026-07"]);
    }
}
