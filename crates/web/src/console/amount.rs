//! Values of the API as pages show them.

use serde_json::Number;
use types::{Money, Timestamp};

use crate::format::{self, Shown};

/// Dollars. The API tells nano-dollars exactly, as a JSON number.
pub(crate) fn dollars(number: &Number) -> Shown {
    self::number(number).map_or_else(Shown::unknown, format::cost)
}

/// The same as an amount.
pub(crate) fn number(number: &Number) -> Option<Money> {
    let text = number.to_string();
    // A number as small as a nano-dollar is written with an exponent.
    let plain = || number.as_f64().map(|dollars| format!("{dollars:.9}"));
    text.parse().ok().or_else(|| plain()?.parse().ok())
}

/// An amount that the API tells as decimal text; what is none is nothing.
pub(crate) fn money(text: &str) -> Money {
    text.parse().unwrap_or(Money::ZERO)
}

/// The same for people, as books say it.
pub(crate) fn usd(text: &str) -> Shown {
    text.parse().map_or_else(|_| Shown::unknown(), format::cost)
}

/// The instant that the API tells.
pub(crate) fn at(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_microsecond()))
}

/// The same for people.
pub(crate) fn instant(text: &str) -> Shown {
    at(text).map_or_else(Shown::unknown, format::instant)
}

/// The same to the day.
pub(crate) fn day(text: &str) -> Shown {
    at(text).map_or_else(Shown::unknown, |at| Shown::both(format::day(at.day()).short, format::rfc3339(at)))
}

/// How many hundredths of a whole a part is, whole ones, at most 100; nothing of nothing is nothing.
pub(crate) fn percent(part: Money, whole: Money) -> u64 {
    let (part, whole) = (i128::from(part.nanos().max(0)), i128::from(whole.nanos()));
    let share = (part * 100).checked_div(whole.max(0)).unwrap_or_default();
    u64::try_from(share.min(100)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{dollars, instant, money, percent, usd};
    use types::Money;

    #[test]
    fn texts_are_read() {
        assert_eq!(usd("12.5").short, "$12.50");
        assert!(!usd("<b>").is_known);
        assert_eq!(money("x"), Money::ZERO);
        assert_eq!(instant("2026-03-16T14:05:09Z").short, "16 Mar 2026, 14:05 UTC");
        assert!(!instant("soon").is_known);
        let rows = [("1", "4", 25), ("5", "4", 100), ("1", "0", 0), ("-1", "4", 0)];
        for (part, whole, expect) in rows {
            assert_eq!(percent(money(part), money(whole)), expect, "{part} of {whole}");
        }
    }

    #[test]
    fn amounts_lose_no_digit() {
        let shown = |text: &str| dollars(&serde_json::from_str(text).unwrap());
        assert_eq!(shown("12.5").short, "$12.50");
        assert_eq!(shown("0.000000525").exact, "$0.000000525");
        assert_eq!(shown("1e-9").exact, "$0.000000001");
        assert_eq!(shown("0").short, "$0.00");
        assert!(!shown("1e40").is_known);
        assert_eq!((usd("0.00012").short, usd("much").is_known), (String::from("$0.00012"), false));
    }
}
