//! What a call costs whose provider is paid by the caller's own key: a percentage of what it would have cost at list price.
//!
//! `fee = list price x rate / 100, rounded up to the nano-dollar`, once per generation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use types::Money;

/// The highest rate: the list price itself.
const RATE_MAX: u32 = 10_000;

/// A percentage in steps of a hundredth: 500 is 5 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeeRate(u32);

/// A text that is no percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fee is a percentage from 0 to 100 with up to two digits after the point, such as 5 or 2.5")]
pub struct FeeRateError;

impl FeeRate {
    /// No fee.
    pub const NONE: FeeRate = FeeRate(0);

    /// Hundredths of a percent.
    pub const fn hundredths(self) -> u32 {
        self.0
    }

    /// The fee on a list price; nothing on what is negative.
    pub fn of(self, list: Money) -> Money {
        let product = i128::from(list.nanos().max(0)) * i128::from(self.0);
        let nanos = (product + i128::from(RATE_MAX) - 1) / i128::from(RATE_MAX);
        Money::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// The list price that an amount pays the fee of; without a fee any.
    pub fn covers(self, amount: Money) -> Money {
        if self.0 == 0 {
            return Money::MAX;
        }
        let nanos = i128::from(amount.nanos().max(0)) * i128::from(RATE_MAX) / i128::from(self.0);
        Money::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for FeeRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{whole}"),
            _ if rest.is_multiple_of(10) => write!(f, "{whole}.{}", rest / 10),
            _ => write!(f, "{whole}.{rest:02}"),
        }
    }
}

impl FromStr for FeeRate {
    type Err = FeeRateError;

    fn from_str(text: &str) -> Result<FeeRate, FeeRateError> {
        let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 3 || fraction.len() > 2 {
            return Err(FeeRateError);
        }
        let hundredths: u32 = format!("{whole}{fraction:0<2}").parse().map_err(|_| FeeRateError)?;
        if hundredths > RATE_MAX { Err(FeeRateError) } else { Ok(FeeRate(hundredths)) }
    }
}

/// Which book a fee is taken from, where nothing is metered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeFrom {
    /// The balance for fees.
    #[default]
    Byok,
    /// The account's credits, as its owner opted in.
    Credits,
}

/// The fee of a generation that the caller's own key paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// The rate.
    pub rate: FeeRate,
    /// The rate on the list price. What was charged of it is the record's `charged`.
    pub due: Money,
    /// Which book it is taken from.
    #[serde(default)]
    pub from: FeeFrom,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_and_write_as_people_do() {
        let rows = [
            ("5", Ok(500), "5"),
            ("2.5", Ok(250), "2.5"),
            ("0.05", Ok(5), "0.05"),
            ("100", Ok(10_000), "100"),
            ("0", Ok(0), "0"),
            ("100.01", Err(FeeRateError), ""),
            ("-1", Err(FeeRateError), ""),
            ("5%", Err(FeeRateError), ""),
            ("1.234", Err(FeeRateError), ""),
            ("", Err(FeeRateError), ""),
            (".5", Err(FeeRateError), ""),
            ("5.", Err(FeeRateError), ""),
            ("5.x", Err(FeeRateError), ""),
            ("x.5", Err(FeeRateError), ""),
            ("0005", Err(FeeRateError), ""),
        ];
        for (text, hundredths, shown) in rows {
            let rate = text.parse::<FeeRate>();
            assert_eq!(rate.map(FeeRate::hundredths), hundredths, "{text}");
            assert!(rate.is_err() || rate.is_ok_and(|rate| rate.to_string() == shown), "{text}");
        }
    }

    #[test]
    fn a_fee_is_rounded_up_and_what_it_covers_never_costs_more() {
        let rate = |text: &str| text.parse::<FeeRate>().unwrap();
        let rows = [
            ("5", 100, 5),
            ("5", 1, 1),
            ("5", 0, 0),
            ("5", -7, 0),
            ("0", 100, 0),
            ("0.01", 1, 1),
            ("100", 7, 7),
        ];
        for (text, list, fee) in rows {
            assert_eq!(rate(text).of(Money::from_nanos(list)), Money::from_nanos(fee), "{text} of {list}");
        }
        assert_eq!(rate("100").of(Money::MAX), Money::MAX);
        assert_eq!(FeeRate::NONE.covers(Money::ZERO), Money::MAX);
        for amount in [0, 1, 7, 999, 1_000_001] {
            for text in ["5", "0.01", "33.33"] {
                let covered = rate(text).covers(Money::from_nanos(amount));
                assert!(rate(text).of(covered) <= Money::from_nanos(amount), "{text} {amount}");
                let more = covered.saturating_add(Money::from_nanos(1));
                assert!(rate(text).of(more) > Money::from_nanos(amount), "{text} {amount}");
            }
        }
    }
}
