//! `GET /v1/server/fees`: the fees in force, as the configuration has them, and what they brought in, as the books have it.

use std::sync::Arc;

use http::request::Parts;
use serde_json::{Value, json};
use store::{Earned, FeeIncome};

use super::{Answer, earned};
use crate::app::Worker;
use crate::desk::Desk;
use crate::insight::span::{self, Grain};
use crate::payments::fees;
use crate::router;

/// `GET /v1/server/fees?from=&to=`.
pub(super) async fn show(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let query = router::query(parts);
    let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let desk = Desk::open(worker, parts);
    let (from, to) = earned::days(given("from"), given("to"), desk.now().seconds())?;
    let income = desk.store(|gateway| async move { gateway.store.fee_income(from, to).await }).await?;
    let gateway = desk.gateway();
    let settings: Vec<Value> = fees::settings(&gateway.settings.fees)
        .into_iter()
        .map(|setting| json!({"setting": setting.path, "value": setting.value, "about": setting.about}))
        .collect();
    let [from, to] = [from, to - 1].map(|day| span::label(Grain::Day, false, day));
    let body = json!({
        "settings": settings,
        "summary": gateway.settings.fees.sentences(desk.now().day(), &crate::payments::date),
        "from": from,
        "to": to,
        "earned": rows(&income),
        "fees_usd": in_all(&income),
    });
    Ok(router::json(json!({ "data": body }).to_string()))
}

/// Fees, without what was given away.
fn in_all(income: &FeeIncome) -> String {
    let fees = [income.top_ups, income.refunds, income.own_keys];
    fees.iter().map(|earned| earned.amount).sum::<types::Money>().to_string()
}

fn rows(income: &FeeIncome) -> Vec<Value> {
    let row = |of: &str, earned: Earned| json!({"of": of, "count": earned.count, "amount_usd": earned.amount.to_string()});
    vec![
        row("top_ups", income.top_ups),
        row("refunds", income.refunds),
        row("own_keys", income.own_keys),
        row("promotions", income.promotions),
        row("grants", income.grants),
    ]
}

#[cfg(test)]
mod tests {
    use types::Money;

    use super::*;

    #[test]
    fn what_is_given_away_is_no_fee() {
        let of = |cents: i64| Earned { count: 1, amount: Money::from_nanos(cents * 10_000_000) };
        let income = FeeIncome {
            top_ups: of(125),
            refunds: of(-25),
            own_keys: of(7),
            promotions: of(-500),
            grants: of(-900),
        };
        assert_eq!(in_all(&income), "1.07");
        assert_eq!(rows(&income)[3], json!({"of": "promotions", "count": 1, "amount_usd": "-5"}));
    }
}
