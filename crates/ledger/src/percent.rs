//! Percentages as whole numbers, and patterns of model names that they stand beside.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use types::Money;

/// Parts per million: 3 % is 30,000. Text form: plain decimal percent with up to four digits after the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(u32);

/// The largest percentage: the price doubled ten times over.
const PERCENT_MAX: u32 = 1_000;
const PPM_PER_PERCENT: u32 = 10_000;
const MILLION: i128 = 1_000_000;

/// A text that is no percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no percentage; write 0 to 1000 with up to four digits after the point, such as 5 or 2.5")]
pub struct PercentError(String);

impl Percent {
    /// Nothing.
    pub const ZERO: Percent = Percent(0);

    /// Parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// From parts per million; `None` beyond 1000 %.
    pub const fn from_ppm(ppm: u32) -> Option<Percent> {
        if ppm <= PERCENT_MAX * PPM_PER_PERCENT { Some(Percent(ppm)) } else { None }
    }

    /// True for 0 %.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    fn exact(self, of: Money) -> i128 {
        i128::from(of.nanos().max(0)) * i128::from(self.0)
    }

    /// The share of an amount, rounded up to the nano-dollar; a negative amount has none.
    pub fn of_up(self, amount: Money) -> Money {
        let exact = self.exact(amount);
        money(exact.div_euclid(MILLION) + i128::from(exact.rem_euclid(MILLION) != 0))
    }

    /// The share of an amount, rounded down to the nano-dollar; a negative amount has none.
    pub fn of_down(self, amount: Money) -> Money {
        money(self.exact(amount).div_euclid(MILLION))
    }

    /// The share of an amount in whole cents, half a cent up; a negative amount has none.
    pub fn of_in_cents(self, amount: Money) -> Money {
        let per_cent = MILLION * i128::from(NANOS_PER_CENT);
        let cents = (self.exact(amount) * 2 + per_cent).div_euclid(per_cent * 2);
        money(cents * i128::from(NANOS_PER_CENT))
    }
}

/// Nano-dollars in a cent.
pub(crate) const NANOS_PER_CENT: i64 = 10_000_000;

fn money(nanos: i128) -> Money {
    Money::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / PPM_PER_PERCENT, self.0 % PPM_PER_PERCENT);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:04}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Percent {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Percent, PercentError> {
        let wrong = || PercentError(text.chars().take(40).collect());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, max: usize| {
            !part.is_empty() && part.len() <= max && part.bytes().all(|b| b.is_ascii_digit())
        };
        if !digits(whole, 4) || !digits(fraction, 4) {
            return Err(wrong());
        }
        let whole: u32 = whole.parse().map_err(|_| wrong())?;
        let fraction: u32 = format!("{fraction:0<4}").parse().map_err(|_| wrong())?;
        let ppm = whole.checked_mul(PPM_PER_PERCENT).and_then(|ppm| ppm.checked_add(fraction));
        ppm.and_then(Percent::from_ppm).ok_or_else(wrong)
    }
}

/// A model's name, or all that begin with what stands before a `*` at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// `None` when it is empty, longer than 200 bytes, has characters that no model's name has, or a `*` anywhere but at the
    /// end.
    pub fn new(text: &str) -> Option<Pattern> {
        let name = text.strip_suffix('*').unwrap_or(text);
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"/._-:".contains(&b);
        let good = !text.is_empty() && text.len() <= 200 && name.bytes().all(fits);
        good.then(|| Pattern(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How much of a name it says, where it fits: the longest decides, and a name without `*` says most.
    pub fn fits(&self, model: &str) -> Option<usize> {
        match self.0.strip_suffix('*') {
            Some(start) => model.starts_with(start).then_some(start.len()),
            None => (self.0 == model).then_some(usize::MAX),
        }
    }
}
