//! What calls cost beside the providers' prices: markup by model, discount by what the account has used this month.
//!
//! Where neither is configured nothing is looked up. The discount goes by what is in the books: a job reads the month's use
//! every few seconds, so a step that was reached, and the first of a month, act a few seconds late. The record keeps the
//! percentages that applied.

use std::collections::HashMap;

use arc_swap::ArcSwap;
use catalog::{Endpoint, Snapshot};
use ledger::{Fees, Percent, Terms};
use types::{AccountId, Money};

use crate::app::Gateway;

/// Accounts with a discount at present; the job that reads the books replaces it whole.
#[derive(Debug, Default)]
pub struct Discounts(ArcSwap<HashMap<AccountId, Percent>>);

impl Discounts {
    /// Replaces all, from what each account has used this month.
    pub fn take(&self, fees: &Fees, used: impl IntoIterator<Item = (AccountId, Money)>) {
        let discounts = used.into_iter().map(|(account, used)| (account, fees.discount_at(used)));
        self.0.store(std::sync::Arc::new(discounts.filter(|(_, percent)| !percent.is_zero()).collect()));
    }

    /// That of an account.
    pub fn of(&self, account: &AccountId) -> Percent {
        self.0.load().get(account).copied().unwrap_or_default()
    }
}

/// The terms of one account's call.
#[derive(Clone, Copy)]
pub(crate) struct Pricing<'a> {
    /// `None`: nothing is added and nothing taken off.
    fees: Option<&'a Fees>,
    discount: Percent,
}

impl<'a> Pricing<'a> {
    pub(crate) fn of(gateway: &'a Gateway, account: &AccountId) -> Pricing<'a> {
        let fees = &gateway.settings.fees;
        if fees.markup.is_empty() && fees.discount.is_empty() {
            return Pricing { fees: None, discount: Percent::ZERO };
        }
        Pricing { fees: Some(fees), discount: gateway.discounts.of(account) }
    }

    /// Those of a model; `None`: it costs what the provider takes.
    pub(crate) fn terms(&self, model: &str) -> Option<Terms> {
        let fees = self.fees?;
        Terms { markup: fees.markup_of(model), discount: self.discount }.some()
    }

    /// What is to be paid for a cost at an endpoint.
    pub(crate) fn charge(&self, snapshot: &Snapshot, endpoint: &Endpoint, cost: Money) -> Money {
        let model = self.fees.and_then(|_| snapshot.models.get(endpoint.model));
        let terms = model.and_then(|model| self.terms(&model.id));
        terms.map_or(cost, |terms| terms.charge(cost).total)
    }

    /// What a call may cost at providers' prices so that its charge stays within an allowance, whatever the model.
    pub(crate) fn cost_within(&self, allowed: Money) -> Money {
        let Some(fees) = self.fees else { return allowed };
        Terms { markup: fees.markup_max(), discount: Percent::ZERO }.cost_within(allowed)
    }
}

#[cfg(test)]
mod tests {
    use ledger::DiscountStep;

    use super::*;

    #[test]
    fn discounts_follow_the_use_of_the_month() {
        let step = DiscountStep { from: Money::from_usd(10), percent: Percent::from_ppm(20_000).unwrap() };
        let fees = Fees { discount: vec![step], ..Fees::default() };
        let discounts = Discounts::default();
        let (a, b) = (AccountId::new("a"), AccountId::new("b"));
        discounts.take(&fees, [(a.clone(), Money::from_usd(10)), (b.clone(), Money::from_usd(9))]);
        assert_eq!((discounts.of(&a), discounts.of(&b)), (step.percent, Percent::ZERO));
        discounts.take(&fees, []);
        assert_eq!(discounts.of(&a), Percent::ZERO, "a new month");
    }
}
