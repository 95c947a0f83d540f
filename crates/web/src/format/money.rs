//! Prices and amounts. They are integers until the digits stand there.

use types::{Money, PriceKind, Quote, Rate};

use super::number::grouped;
use super::shown::Shown;

/// The most digits of a price that are shown; the exact one is its title.
const PRICE_DIGITS_MAX: u32 = 6;
/// Significant digits of an estimate below one dollar.
const COST_DIGITS: u32 = 3;
/// Digits after the point that every amount has.
const CENTS: u32 = 2;

/// An amount of dollars in units of a power of ten below one.
#[derive(Clone, Copy)]
struct Decimal {
    value: u128,
    scale: u32,
}

impl Decimal {
    /// Half up to so many digits after the point.
    fn rounded(self, digits: u32) -> Decimal {
        let Some(divisor) = self.scale.checked_sub(digits).and_then(|drop| 10_u128.checked_pow(drop)) else {
            return self;
        };
        Decimal { value: (self.value + divisor / 2) / divisor, scale: digits }
    }

    /// Half up to so many significant digits; those before the point stay.
    fn significant(self, digits: u32) -> Decimal {
        let length = self.value.checked_ilog10().map_or(1, |log| log + 1);
        self.rounded(self.scale.saturating_sub(length.saturating_sub(digits)))
    }

    /// Plain digits with at least two after the point.
    fn dollars(self) -> String {
        let unit = 10_u128.checked_pow(self.scale).unwrap_or(u128::MAX);
        let (whole, mut rest) = (self.value / unit, self.value % unit);
        let mut width = self.scale;
        while width > CENTS && rest % 10 == 0 {
            rest /= 10;
            width -= 1;
        }
        while width < CENTS {
            rest *= 10;
            width += 1;
        }
        format!("${}.{rest:0width$}", grouped(whole), width = width as usize)
    }
}

fn price(rate: Rate, scale: u32) -> Shown {
    let nanos = u128::from(rate.nanos_per_million().unsigned_abs());
    if nanos == 0 {
        return Shown::same("free");
    }
    let exact = Decimal { value: nanos, scale };
    Shown::both(exact.significant(PRICE_DIGITS_MAX).dollars(), exact.dollars())
}

/// Dollars per million: `$0.15`; nothing is `free`.
pub(crate) fn per_million(rate: Rate) -> Shown {
    price(rate, 9)
}

/// Dollars per thousand: `$0.00015`.
pub(crate) fn per_thousand(rate: Rate) -> Shown {
    price(rate, 12)
}

/// Dollars per one: `$0.04`.
fn per_one(rate: Rate) -> Shown {
    price(rate, 15)
}

/// A price in the unit of its kind, see [`unit`]. Unknown is charged but not known; `None` is not charged of its own.
pub(crate) fn quote(kind: PriceKind, quote: Option<Quote>) -> Shown {
    match quote {
        Some(Quote::Known(rate)) if kind.is_per_unit() => per_one(rate),
        Some(Quote::Known(rate)) => per_million(rate),
        Some(Quote::Unknown) => Shown::unknown(),
        None => Shown { short: "–".to_owned(), exact: "no price of its own".to_owned(), is_known: false },
    }
}

/// What a price is counted in.
pub(crate) const fn unit(kind: PriceKind) -> &'static str {
    match kind {
        PriceKind::Requests => "per request",
        PriceKind::Searches => "per search",
        PriceKind::Images => "per image",
        PriceKind::AudioSeconds => "per second of audio",
        PriceKind::Characters => "per 1M characters",
        _ => "per 1M tokens",
    }
}

/// A price's name for people.
pub(crate) const fn price_name(kind: PriceKind) -> &'static str {
    match kind {
        PriceKind::Input => "Input",
        PriceKind::CacheRead => "Cache read",
        PriceKind::CacheWrite => "Cache write",
        PriceKind::CacheWrite1h => "Cache write, 1 hour",
        PriceKind::AudioInput => "Audio input",
        PriceKind::ImageInput => "Image input",
        PriceKind::Output => "Output",
        PriceKind::Reasoning => "Reasoning",
        PriceKind::AudioOutput => "Audio output",
        PriceKind::ImageOutput => "Image output",
        PriceKind::Requests => "Request",
        PriceKind::Searches => "Search",
        PriceKind::Images => "Image",
        PriceKind::AudioSeconds => "Audio",
        PriceKind::Characters => "Characters",
    }
}

fn exact(amount: Money) -> Decimal {
    Decimal { value: u128::from(amount.nanos().unsigned_abs()), scale: 9 }
}

fn signed(amount: Money, dollars: &str) -> String {
    if amount.is_negative() { format!("-{dollars}") } else { dollars.to_owned() }
}

/// An amount of the books with two digits, the rest cut as on bills. Less than a cent that is not nothing says so.
pub(crate) fn total(amount: Money) -> Shown {
    let cut = Decimal { value: exact(amount).value / 10_000_000, scale: 2 };
    let short = match (cut.value, amount.nanos()) {
        (0, nanos) if nanos > 0 => "< $0.01".to_owned(),
        (0, nanos) if nanos < 0 => "> -$0.01".to_owned(),
        _ => signed(amount, &cut.dollars()),
    };
    Shown::both(short, signed(amount, &exact(amount).dollars()))
}

/// An estimate: two digits from one dollar on, three significant ones below it.
pub(crate) fn cost(amount: Money) -> Shown {
    let all = exact(amount);
    let near = all.rounded(CENTS);
    let shown = if near.value >= 100 { near } else { all.significant(COST_DIGITS) };
    Shown::both(signed(amount, &shown.dollars()), signed(amount, &all.dollars()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::{Money, PriceKind, Quote, Rate};

    use super::{cost, per_million, per_one, per_thousand, quote, total, unit};

    fn rate(text: &str) -> Rate {
        Rate::parse_per_million(text).unwrap()
    }

    #[test]
    fn prices_keep_their_significant_digits() {
        let rows = [
            ("0.15", "$0.15", "$0.00015"),
            ("0.6", "$0.60", "$0.0006"),
            ("3", "$3.00", "$0.003"),
            ("15", "$15.00", "$0.015"),
            ("0.234375", "$0.234375", "$0.000234375"),
            ("0.0001", "$0.0001", "$0.0000001"),
            ("1234567.5", "$1,234,568.00", "$1,234.57"),
            ("0.000000001", "$0.000000001", "$0.000000000001"),
            ("0", "free", "free"),
        ];
        for (text, million, thousand) in rows {
            assert_eq!(per_million(rate(text)).short, million, "{text}");
            assert_eq!(per_thousand(rate(text)).short, thousand, "{text}");
        }
        assert_eq!(per_million(rate("0.123456789")).short, "$0.123457");
        assert_eq!(per_million(rate("0.123456789")).title(), Some("$0.123456789"));
        assert_eq!(per_one(Rate::parse_per_unit("0.04").unwrap()).short, "$0.04");
        assert_eq!(per_one(Rate::parse_per_unit("0.000000000000001").unwrap()).short, "$0.000000000000001");
    }

    #[test]
    fn known_unknown_and_absent_are_three_things() {
        let shown = |kind, q| {
            let shown = quote(kind, q);
            (shown.short.clone(), shown.text().to_owned(), shown.is_known)
        };
        let known = Some(Quote::Known(rate("40000")));
        assert_eq!(shown(PriceKind::Images, known), ("$0.04".into(), "$0.04".into(), true));
        assert_eq!(shown(PriceKind::Input, known), ("$40,000.00".into(), "$40,000.00".into(), true));
        assert_eq!(shown(PriceKind::Input, Some(Quote::Unknown)), ("–".into(), "unknown".into(), false));
        assert_eq!(shown(PriceKind::CacheRead, None), ("–".into(), "no price of its own".into(), false));
        assert_eq!(unit(PriceKind::Images), "per image");
        for kind in PriceKind::ALL {
            assert_eq!(unit(kind).starts_with("per 1M"), !kind.is_per_unit(), "{kind:?}");
        }
    }

    #[test]
    fn amounts_never_turn_into_nothing() {
        let rows = [
            (1_234_567_890_000_i64, "$1,234.56", "$1,234.57", "$1,234.56789"),
            (1_800_000_000, "$1.80", "$1.80", "$1.80"),
            (995_000_000, "$0.99", "$1.00", "$0.995"),
            (994_999_999, "$0.99", "$0.995", "$0.994999999"),
            (13_000_000, "$0.01", "$0.013", "$0.013"),
            (9_999_999, "< $0.01", "$0.01", "$0.009999999"),
            (12_345, "< $0.01", "$0.0000123", "$0.000012345"),
            (1, "< $0.01", "$0.000000001", "$0.000000001"),
            (0, "$0.00", "$0.00", "$0.00"),
            (-1, "> -$0.01", "-$0.000000001", "-$0.000000001"),
            (-2_500_000_000, "-$2.50", "-$2.50", "-$2.50"),
            (i64::MIN, "-$9,223,372,036.85", "-$9,223,372,036.85", "-$9,223,372,036.854775808"),
        ];
        for (nanos, books, estimate, exact) in rows {
            let amount = Money::from_nanos(nanos);
            assert_eq!(
                (total(amount).short.as_str(), cost(amount).short.as_str()),
                (books, estimate),
                "{nanos}"
            );
            assert_eq!(total(amount).exact, exact);
            assert_eq!(cost(amount).exact, exact);
        }
    }

    proptest! {
        /// The exact text is the amount, and the short one differs from it by less than its last digit.
        #[test]
        fn what_is_shown_is_the_amount(nanos: i64) {
            let amount = Money::from_nanos(nanos);
            let plain = |text: &str| text.replace(['$', ','], "");
            prop_assert_eq!(plain(&cost(amount).exact).parse::<Money>().unwrap(), amount);
            prop_assert_eq!(plain(&total(amount).exact).parse::<Money>().unwrap(), amount);
            let near = plain(&cost(amount).short).parse::<Money>().unwrap().nanos();
            prop_assert!(near.abs_diff(nanos) <= (nanos.unsigned_abs() / 200).min(5_000_000));
        }

        #[test]
        fn a_price_reads_back(nanos in 1_i64..2_000_000_000_000) {
            let rate = Rate::from_nanos_per_million(nanos).unwrap();
            let plain = |text: String| text.replace(['$', ','], "");
            prop_assert_eq!(Rate::parse_per_million(&plain(per_million(rate).exact)).unwrap(), rate);
            prop_assert_eq!(Rate::parse_per_unit(&plain(per_one(rate).exact)).unwrap(), rate);
            let near = Rate::parse_per_million(&plain(per_million(rate).short)).unwrap().nanos_per_million();
            prop_assert!(near.abs_diff(nanos) <= nanos.unsigned_abs() / 100_000);
        }
    }
}
