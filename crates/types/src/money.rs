//! Money is a whole number of nano-dollars. No float touches it, on the way in or on the way out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nano-dollars in one US dollar.
pub const NANOS_PER_USD: i64 = 1_000_000_000;

/// An amount in nano-dollars (1e-9 USD). Range: about ±9.2 billion dollars.
///
/// Text form: plain decimal dollars, never scientific, no trailing zeros (`0.00000735`, `-2.5`, `0`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

/// Why a text is not an amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain decimal such as `2.50`.
    #[error("`{0}` is not a decimal amount; write plain digits such as `2.50`")]
    NotDecimal(String),
    /// More than nine digits after the point.
    #[error("`{0}` has more than nine digits after the point; the smallest amount is 0.000000001")]
    TooFine(String),
    /// Does not fit 64 bits of nano-dollars.
    #[error("`{0}` is too large an amount")]
    TooLarge(String),
}

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);
    /// The largest amount.
    pub const MAX: Money = Money(i64::MAX);

    /// From nano-dollars.
    pub const fn from_nanos(nanos: i64) -> Money {
        Money(nanos)
    }

    /// From whole dollars; saturates.
    pub const fn from_usd(usd: i64) -> Money {
        Money(usd.saturating_mul(NANOS_PER_USD))
    }

    /// In nano-dollars.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// `self + other`, or `None` on overflow.
    pub const fn checked_add(self, other: Money) -> Option<Money> {
        match self.0.checked_add(other.0) {
            Some(n) => Some(Money(n)),
            None => None,
        }
    }

    /// `self - other`, or `None` on overflow.
    pub const fn checked_sub(self, other: Money) -> Option<Money> {
        match self.0.checked_sub(other.0) {
            Some(n) => Some(Money(n)),
            None => None,
        }
    }

    /// `self + other`, held at the ends of the range.
    pub const fn saturating_add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }

    /// `self - other`, held at the ends of the range.
    pub const fn saturating_sub(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }

    /// The amount with its sign turned; saturates.
    pub const fn negated(self) -> Money {
        Money(self.0.saturating_neg())
    }

    /// True below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// With exactly `digits` digits after the point, cut towards zero: for totals on pages. At most 9.
    pub fn to_fixed(self, digits: usize) -> String {
        let digits = digits.min(9);
        let whole = self.0.unsigned_abs() / NANOS_PER_USD.unsigned_abs();
        let nanos = self.0.unsigned_abs() % NANOS_PER_USD.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let fraction: String = format!("{nanos:09}").chars().take(digits).collect();
        if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let abs = self.0.unsigned_abs();
        let (whole, nanos) = (abs / NANOS_PER_USD.unsigned_abs(), abs % NANOS_PER_USD.unsigned_abs());
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if nanos == 0 {
            return Ok(());
        }
        let (mut value, mut width) = (nanos, 9usize);
        while value.is_multiple_of(10) {
            value /= 10;
            width -= 1;
        }
        write!(f, ".{value:0width$}")
    }
}

/// Reads plain decimal digits with up to `scale` digits after the point into an integer of that scale.
pub(crate) fn parse_scaled(text: &str, scale: usize) -> Result<i128, MoneyError> {
    let bad = || MoneyError::NotDecimal(text.chars().take(40).collect());
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
        return Err(bad());
    }
    if whole.len() > 24 {
        return Err(MoneyError::TooLarge(text.chars().take(40).collect()));
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > scale {
        return Err(MoneyError::TooFine(text.chars().take(40).collect()));
    }
    let value: i128 = format!("{whole}{fraction:0<scale$}").parse().map_err(|_| bad())?;
    Ok(if negative { -value } else { value })
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Money, MoneyError> {
        let scaled = parse_scaled(text, 9)?;
        i64::try_from(scaled).map(Money).map_err(|_| MoneyError::TooLarge(text.to_owned()))
    }
}

/// As nano-dollars (an integer), for our own records. Answers to callers use the text form.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Money, D::Error> {
        i64::deserialize(d).map(Money)
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Money>>(iter: I) -> Money {
        iter.fold(Money::ZERO, Money::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_writes_plain_decimals() {
        let rows = [
            ("0", 0, "0"),
            ("2.50", 2_500_000_000, "2.5"),
            ("-0.000000001", -1, "-0.000000001"),
            ("0.00000735", 7350, "0.00000735"),
            ("9223372036.854775807", i64::MAX, "9223372036.854775807"),
        ];
        for (text, nanos, shown) in rows {
            let money: Money = text.parse().unwrap();
            assert_eq!(money.nanos(), nanos, "{text}");
            assert_eq!(money.to_string(), shown);
        }
    }

    #[test]
    fn refuses_what_is_no_plain_decimal() {
        for text in
            ["", ".", "1.", ".5", "1e3", "+1", "0x1", " 1", "1 ", "١", "1.0000000001", "9999999999999", "--1"]
        {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    fn totals_have_fixed_digits() {
        assert_eq!(Money::from_nanos(-1_239_000_000).to_fixed(2), "-1.23");
        assert_eq!(Money::from_usd(5).to_fixed(0), "5");
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_same(nanos: i64) {
            let money = Money::from_nanos(nanos);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }
    }
}
