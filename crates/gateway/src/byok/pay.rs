//! Who pays for an attempt, and the money that is set aside for it.
//!
//! - With the operator's key the account's money pays the list price. With an own key the provider bills its owner, and the
//!   account's money pays the fee only: its rate on the list price.
//! - The fee is held like any other money before the call goes out, from the balance for fees: calls at once can't overdraw it.
//!   With `on_empty: credits` credits stand behind it; where nobody needs a balance the fee is booked as use.
//! - Of a plan that mixes keys, each attempt holds from what pays for it; what the attempt before held goes back first.

use ledger::{BillingMode, FeeFrom, FeeRate, Hold};
use routing::plan::Step;
use types::Money;

use super::own::Own;
use super::settings::OnEmpty;
use crate::app::Gateway;
use crate::error::GatewayError;
use crate::hold::Wanted;

/// Who pays for an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Payer {
    /// The account's money, at list price.
    #[default]
    Account,
    /// An own key; the account's money pays the fee.
    Own(Paying),
    /// Nobody: no attempt is under way, and nothing is held.
    Nobody,
}

/// How the fee of an own key is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paying {
    /// The own key's id.
    pub(crate) key: String,
    /// The fee.
    pub(crate) rate: FeeRate,
    /// From which book.
    pub(crate) from: FeeFrom,
}

impl Payer {
    /// What the account pays of a list price.
    pub(crate) fn price(&self, list: Money) -> Money {
        match self {
            Payer::Account => list,
            Payer::Own(paying) => paying.rate.of(list),
            Payer::Nobody => Money::ZERO,
        }
    }

    /// The list price that an amount of the account's money pays for.
    pub(crate) fn covers(&self, amount: Money) -> Money {
        match self {
            Payer::Account => amount,
            Payer::Own(paying) => paying.rate.covers(amount),
            Payer::Nobody => Money::ZERO,
        }
    }

    /// Whether an own key pays the provider.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Payer::Own(_))
    }

    /// Whether what is held for one attempt serves for another: both are made with the operator's key, or both with own ones.
    pub(crate) fn pays(&self, step: &Step) -> bool {
        match self {
            Payer::Account => step.own.is_none(),
            Payer::Own(_) => step.own.is_some(),
            Payer::Nobody => false,
        }
    }
}

/// Sets aside what an attempt, and those of its kind behind it, may cost.
pub(crate) async fn acquire(
    gateway: &Gateway,
    wanted: &Wanted<'_>,
    own: Option<&Own>,
    step: &Step,
) -> Result<(Payer, Hold), GatewayError> {
    let key = wanted.key;
    let Some((own, mine)) = own.and_then(|own| Some((own, own.key(step.own?)?))) else {
        return Ok((Payer::Account, wanted.hold(wanted.purses, &Payer::Account, true).await?));
    };
    let rate = gateway.byok.rate();
    let payer = |from| Payer::Own(Paying { key: mine.row.id.clone(), rate, from });
    if gateway.settings.mode == BillingMode::Metered || rate == FeeRate::NONE {
        let payer = payer(FeeFrom::Byok);
        let hold = wanted.hold(wanted.purses, &payer, true).await?;
        return Ok((payer, hold));
    }
    let opted_in = own.settings.on_empty == OnEmpty::Credits;
    // Key and budgets count what is charged, fees too; only the account's own balance is another.
    let set = wanted.purses.with_instead(&key.account.purse, gateway.byok.purse(&key.account));
    let first = payer(FeeFrom::Byok);
    match wanted.hold(&set, &first, !opted_in).await {
        Err(GatewayError::NoMoney(refusal)) if opted_in && &*refusal.scope == "byok" => {
            let payer = payer(FeeFrom::Credits);
            let hold = wanted.hold(wanted.purses, &payer, true).await?;
            Ok((payer, hold))
        }
        held => held.map(|hold| (first, hold)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_key_s_calls_cost_their_fee_only() {
        let paying = Paying { key: "byok_1".into(), rate: "5".parse().unwrap(), from: FeeFrom::Byok };
        let (account, own) = (Payer::Account, Payer::Own(paying));
        let list = Money::from_nanos(101);
        assert_eq!((account.price(list), own.price(list)), (list, Money::from_nanos(6)));
        assert_eq!((account.covers(list), own.covers(Money::from_nanos(5))), (list, Money::from_nanos(100)));
        assert_eq!((Payer::Nobody.price(list), Payer::Nobody.covers(list)), (Money::ZERO, Money::ZERO));
    }
}
