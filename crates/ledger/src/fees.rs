//! What is earned beside the providers' prices, and the one place that computes and words it.
//!
//! - **Top-up.** `top`: the customer is credited what was asked for and pays the fee on top of it. `included`: the customer
//!   pays what was asked for and is credited what is left of it. The fee is the percentage of what was asked for, in whole
//!   cents, half a cent up, and at least the minimum; at 0 % there is no fee. What is credited and the fee always add up to
//!   what is paid.
//! - **When.** Each step of the list holds through its last day (UTC, included); the last step has none.
//! - **Generations.** `charge = cost + markup - discount`: the markup is a percentage of the cost, rounded up to the nano,
//!   the discount one of cost and markup together, rounded down. The markup is that of the longest pattern that fits the
//!   model, the discount that of the highest step which the account's use of the calendar month (UTC) has reached before
//!   the call.
//! - **Refunds.** How a sum that went back splits into credit and fee follows from the sum of all that went back, so that
//!   neither order nor repetition matters: [`Split`].

use serde::{Deserialize, Serialize};
use types::Money;

use crate::fee::FeeRate;
use crate::percent::{NANOS_PER_CENT, Pattern, Percent};

/// What a fee is taken of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeOn {
    /// Paid on top of the credit.
    #[default]
    Top,
    /// Part of what is paid.
    Included,
}

impl FeeOn {
    /// The name in the configuration: `included`.
    pub const fn name(self) -> &'static str {
        match self {
            FeeOn::Top => "top",
            FeeOn::Included => "included",
        }
    }
}

/// A percentage and its last day, in days since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeStep {
    /// The percentage.
    pub percent: Percent,
    /// The last day on which it applies; `None`: from then on.
    pub until: Option<i64>,
}

/// A discount and the use of a month from which on it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscountStep {
    /// Use of the calendar month.
    pub from: Money,
    /// Off everything after it.
    pub percent: Percent,
}

/// Everything that is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// In the order of days; the last has no end.
    pub top_up: Vec<FeeStep>,
    /// What the top-up fee is taken of.
    pub fee_on: FeeOn,
    /// The least that a top-up fee is, where there is one.
    pub fee_min: Money,
    /// The least that can be topped up.
    pub top_up_min: Money,
    /// The most that can be topped up at once.
    pub top_up_max: Money,
    /// Of the list price of calls with customers' own keys.
    pub byok: FeeRate,
    /// By model.
    pub markup: Vec<(Pattern, Percent)>,
    /// By the use of a month, in the order of amounts.
    pub discount: Vec<DiscountStep>,
    /// Whether a refund gives its part of the fee back.
    pub refund_fees: bool,
    /// What a new account begins with.
    pub trial: Money,
}

/// Why configured steps make no schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeesError {
    /// The last step ends, or an earlier one does not.
    #[error("every step but the last needs `until`, and the last must not have it")]
    Open,
    /// The days go back, or the amounts do.
    #[error("the steps must go up: each `until` after the one before, each `from_usd` above the one before")]
    Order,
    /// A discount of more than all.
    #[error("a discount is 100 % at most")]
    TooMuch,
}

/// What a top-up is made of; `credited + fee == total`, all in whole cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// What is paid.
    pub total: Money,
    /// What the operator keeps.
    pub fee: Money,
    /// What the balance grows by.
    pub credited: Money,
    /// The percentage that applied.
    pub percent: Percent,
}

/// Why an amount can't be topped up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopUpError {
    /// Not whole cents.
    #[error("write an amount in whole cents, such as 25 or 12.50")]
    Cents,
    /// Below the minimum.
    #[error("the least that can be topped up is {0} USD")]
    TooLittle(Money),
    /// Above the maximum.
    #[error("the most that can be topped up at once is {0} USD")]
    TooMuch(Money),
    /// The fee would leave nothing.
    #[error("the fee of {0} USD would leave no credit; top up more")]
    NothingLeft(Money),
}

impl Fees {
    /// Checks the steps.
    pub fn check(&self) -> Result<(), FeesError> {
        let (last, before) = match self.top_up.split_last() {
            Some((last, before)) => (Some(last), before),
            None => (None, &[][..]),
        };
        if last.is_some_and(|step| step.until.is_some()) || before.iter().any(|step| step.until.is_none()) {
            return Err(FeesError::Open);
        }
        let rises = |pair: &[FeeStep]| matches!(pair, [a, b] if a.until < b.until);
        if !before.windows(2).all(rises) {
            return Err(FeesError::Order);
        }
        let rises = |pair: &[DiscountStep]| matches!(pair, [a, b] if a.from < b.from);
        if !self.discount.windows(2).all(rises) {
            return Err(FeesError::Order);
        }
        let whole = Percent::from_ppm(1_000_000).unwrap_or_default();
        if self.discount.iter().any(|step| step.percent > whole) { Err(FeesError::TooMuch) } else { Ok(()) }
    }

    /// The step of a day; 0 % for good where none is configured.
    pub fn step_on(&self, day: i64) -> FeeStep {
        let holds = |step: &&FeeStep| step.until.is_none_or(|until| day <= until);
        self.top_up.iter().find(holds).copied().unwrap_or(FeeStep { percent: Percent::ZERO, until: None })
    }

    /// What topping up `asked` on a day is made of.
    pub fn top_up(&self, asked: Money, day: i64) -> Result<TopUp, TopUpError> {
        if asked.nanos() % NANOS_PER_CENT != 0 {
            return Err(TopUpError::Cents);
        }
        if asked < self.top_up_min || asked <= Money::ZERO {
            return Err(TopUpError::TooLittle(self.top_up_min));
        }
        if asked > self.top_up_max {
            return Err(TopUpError::TooMuch(self.top_up_max));
        }
        let percent = self.step_on(day).percent;
        let fee = if percent.is_zero() { Money::ZERO } else { percent.of_in_cents(asked).max(self.fee_min) };
        let (total, credited) = match self.fee_on {
            FeeOn::Top => (asked.checked_add(fee).ok_or(TopUpError::TooMuch(self.top_up_max))?, asked),
            FeeOn::Included => (asked, asked.saturating_sub(fee)),
        };
        if credited <= Money::ZERO {
            return Err(TopUpError::NothingLeft(fee));
        }
        Ok(TopUp { total, fee, credited, percent })
    }

    /// The markup of a model.
    pub fn markup_of(&self, model: &str) -> Percent {
        let fitting = self.markup.iter().filter_map(|(p, percent)| Some((p.fits(model)?, *percent)));
        fitting.max_by_key(|(length, _)| *length).map_or(Percent::ZERO, |(_, percent)| percent)
    }

    /// The largest markup that any model has.
    pub fn markup_max(&self) -> Percent {
        self.markup.iter().map(|(_, percent)| *percent).max().unwrap_or_default()
    }

    /// The discount of an account that has used this much in the month.
    pub fn discount_at(&self, used: Money) -> Percent {
        self.discount.iter().rev().find(|step| used >= step.from).map_or(Percent::ZERO, |step| step.percent)
    }

    /// What a person should know of the fees on a day, in sentences; `date` words a day.
    pub fn sentences(&self, day: i64, date: &dyn Fn(i64) -> String) -> Vec<String> {
        let mut said = Vec::new();
        let mut from = None;
        for step in self.top_up.iter().filter(|step| step.until.is_none_or(|until| day <= until)) {
            said.push(self.step_sentence(*step, from, date));
            from = step.until.map(|until| until + 1);
        }
        if said.is_empty() {
            said.push("Topping up is free of fees.".to_owned());
        }
        said.push(format!("The least that can be topped up is {} USD.", self.top_up_min));
        if self.byok != FeeRate::NONE {
            said.push(format!("Calls with your own provider keys cost {} % of their price.", self.byok));
        }
        for (pattern, percent) in self.markup.iter().filter(|(_, percent)| !percent.is_zero()) {
            said.push(format!("{} costs {percent} % more than at the provider.", pattern.as_str()));
        }
        for step in &self.discount {
            let DiscountStep { from, percent } = step;
            said.push(format!("From {from} USD of use in a calendar month on, {percent} % off."));
        }
        let fees = if self.refund_fees { "with its part of the fee" } else { "without the fee" };
        said.push(format!("Credit that is not used can be refunded {fees}."));
        if self.trial > Money::ZERO {
            said.push(format!("A new account begins with {} USD.", self.trial));
        }
        said.push("All amounts are in US dollars.".to_owned());
        said
    }

    fn step_sentence(&self, step: FeeStep, from: Option<i64>, date: &dyn Fn(i64) -> String) -> String {
        let when = match (from, step.until) {
            (None, None) => String::new(),
            (None, Some(until)) => format!(" through {}", date(until)),
            (Some(from), None) => format!(" from {}", date(from)),
            (Some(from), Some(until)) => format!(" from {} through {}", date(from), date(until)),
        };
        if step.percent.is_zero() {
            return format!("Topping up is free of fees{when}.");
        }
        let how = match self.fee_on {
            FeeOn::Top => "on top of the credit",
            FeeOn::Included => "of what is paid, taken out of it",
        };
        let least = match self.fee_min > Money::ZERO {
            true => format!(", at least {} USD", self.fee_min),
            false => String::new(),
        };
        format!("Topping up costs {} % {how}{least}{when}.", step.percent)
    }
}

/// What a call costs its caller beside the provider's price. Kept on the record, so that the charge can be computed again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Of the cost, parts per million.
    #[serde(rename = "up", default, skip_serializing_if = "Percent::is_zero_ref")]
    pub markup: Percent,
    /// Of cost and markup, parts per million.
    #[serde(rename = "off", default, skip_serializing_if = "Percent::is_zero_ref")]
    pub discount: Percent,
}

impl Percent {
    fn is_zero_ref(&self) -> bool {
        self.is_zero()
    }
}

/// What a generation costs its caller: `cost + markup - discount == total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// At the provider's prices.
    pub cost: Money,
    /// On top.
    pub markup: Money,
    /// Off.
    pub discount: Money,
    /// What is to be paid.
    pub total: Money,
}

impl Terms {
    /// The charge of a cost.
    pub fn charge(self, cost: Money) -> Charge {
        let markup = self.markup.of_up(cost);
        let gross = cost.saturating_add(markup);
        let discount = self.discount.of_down(gross).min(gross);
        // Near the end of the range the markup is what is left of it.
        Charge { cost, markup: gross.saturating_sub(cost), discount, total: gross.saturating_sub(discount) }
    }

    /// The most that something may cost for its charge to stay within `total`, whatever the discount.
    pub fn cost_within(self, total: Money) -> Money {
        let exact = i128::from(total.nanos()) * 1_000_000 / (1_000_000 + i128::from(self.markup.ppm()));
        Money::from_nanos(i64::try_from(exact).unwrap_or(i64::MAX))
    }

    /// `None` where nothing is added or taken off.
    pub fn some(self) -> Option<Terms> {
        (self != Terms::default()).then_some(self)
    }
}

/// How much of what went back of a payment is credit, how much is fee, and how much is beyond both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Off the balance.
    pub credit: Money,
    /// Off the fees.
    pub fee: Money,
    /// More than was ever paid: the operator's loss.
    pub excess: Money,
}

impl Split {
    /// Splits the sum of all that went back of a payment. Without `refund_fees` the credit goes first; with it, both in the
    /// proportion in which they were paid, the credit rounded to whole cents, half a cent up.
    pub fn of(returned: Money, credited: Money, fee: Money, refund_fees: bool) -> Split {
        let total = credited.saturating_add(fee);
        let within = returned.clamp(Money::ZERO, total.max(Money::ZERO));
        let credit = if refund_fees && total > Money::ZERO {
            let (part, whole) = (i128::from(within.nanos()), i128::from(total.nanos()));
            let unit = whole * i128::from(NANOS_PER_CENT);
            let cents = (part * i128::from(credited.nanos()) * 2 + unit).div_euclid(unit * 2);
            let nanos = i64::try_from(cents * i128::from(NANOS_PER_CENT)).unwrap_or(i64::MAX);
            // Whatever was rounded, neither part is more than it was, and both add up.
            let least = within.saturating_sub(fee).max(Money::ZERO);
            Money::from_nanos(nanos).min(credited).min(within).max(least)
        } else {
            within.min(credited)
        };
        let fee = within.saturating_sub(credit);
        Split { credit, fee, excess: returned.saturating_sub(within).max(Money::ZERO) }
    }

    /// What is to be paid back, fee included, so that `credit` more goes off the balance.
    pub fn payment_for(credit: Money, credited: Money, fee: Money, refund_fees: bool) -> Money {
        if !refund_fees || credited <= Money::ZERO {
            return credit;
        }
        let part = i128::from(credit.nanos()) * i128::from(fee.nanos());
        let unit = i128::from(credited.nanos()) * i128::from(NANOS_PER_CENT);
        let cents = part.div_euclid(unit);
        let fee_part = i64::try_from(cents * i128::from(NANOS_PER_CENT)).unwrap_or(0);
        credit.saturating_add(Money::from_nanos(fee_part))
    }
}

/// An amount in whole cents, as processors count; `None` where it has fractions of one.
pub fn cents(amount: Money) -> Option<i64> {
    (amount.nanos() % NANOS_PER_CENT == 0).then(|| amount.nanos() / NANOS_PER_CENT)
}

/// The whole cents of an amount; what is below zero goes further below.
pub fn whole_cents(amount: Money) -> Money {
    Money::from_nanos(amount.nanos().saturating_sub(amount.nanos().rem_euclid(NANOS_PER_CENT)))
}

/// An amount from cents; `None` beyond the range.
pub fn from_cents(cents: i64) -> Option<Money> {
    cents.checked_mul(NANOS_PER_CENT).map(Money::from_nanos)
}
