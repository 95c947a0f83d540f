//! `GET /v1/server/margin`: what accounts were charged, what providers take for it, and the difference, of everybody's use.

use std::sync::Arc;

use http::request::Parts;
use serde_json::{Value, json};
use store::{EarnedBy, EarnedRow};
use types::Money;

use super::Answer;
use crate::app::Worker;
use crate::desk::Desk;
use crate::insight::invalid;
use crate::insight::span::{self, Grain, Span};
use crate::router;

/// Days that are answered where nobody says which.
const DAYS: i64 = 30;
const HOURS_PER_DAY: i64 = 24;

/// The days of the span, in whole days.
pub(super) fn days(
    from: Option<&str>,
    to: Option<&str>,
    now_s: i64,
) -> Result<(i64, i64), crate::error::GatewayError> {
    let usual = Span::last_days(DAYS, now_s);
    let to = to.map_or(Ok(usual.to), |text| span::read(text, "to", true, true))?;
    let from = from.map_or(Ok(usual.from), |text| span::read(text, "from", false, true))?;
    let span = Span::of(from, to)?;
    Ok((span.from.div_euclid(HOURS_PER_DAY), (span.to + HOURS_PER_DAY - 1).div_euclid(HOURS_PER_DAY)))
}

/// `GET /v1/server/margin?by=model|provider|organization&from=&to=`.
pub(super) async fn margin(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let query = router::query(parts);
    let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let by = match given("by") {
        None | Some("model") => EarnedBy::Model,
        Some("provider") => EarnedBy::Provider,
        Some("organization") => EarnedBy::Account,
        Some(_) => return Err(invalid("`by` is model, provider or organization")),
    };
    let desk = Desk::open(worker, parts);
    let (from, to) = days(given("from"), given("to"), desk.now().seconds())?;
    let rows = desk.store(|gateway| async move { gateway.store.earned(by, from, to).await }).await?;
    let total = rows.iter().fold(EarnedRow::default(), |sum, row| sum.plus(row));
    let shown: Vec<Value> = rows.iter().map(object).collect();
    let ends = [from, to - 1].map(|day| span::label(Grain::Day, false, day));
    let [from, to] = ends;
    let body = json!({"data": {"from": from, "to": to, "rows": shown, "total": object(&total)}});
    Ok(router::json(body.to_string()))
}

fn object(row: &EarnedRow) -> Value {
    let margin = row.charged.saturating_sub(row.provider_cost);
    json!({
        "value": row.value,
        "requests": row.requests,
        "failed": row.failed,
        "charged_usd": row.charged.to_string(),
        "provider_cost_usd": row.provider_cost.to_string(),
        "margin_usd": margin.to_string(),
        "margin_share": (row.charged > Money::ZERO).then(|| share(margin, row.charged)),
    })
}

/// A share of an amount, to four digits behind the point.
fn share(part: Money, whole: Money) -> Value {
    let share = i128::from(part.nanos()) * 10_000 / i128::from(whole.nanos().max(1));
    let sign = if share < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:04}", share.abs() / 10_000, share.abs() % 10_000);
    serde_json::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_what_is_left_of_the_charge() {
        let row = EarnedRow {
            value: String::from("a/b"),
            charged: Money::from_nanos(200),
            provider_cost: Money::from_nanos(250),
            ..EarnedRow::default()
        };
        let told = object(&row);
        assert_eq!((&told["margin_usd"], &told["margin_share"]), (&json!("-0.00000005"), &json!(-0.25)));
        assert_eq!(object(&EarnedRow::default())["margin_share"], Value::Null);
    }

    #[test]
    fn days_count_whole() {
        let now = 1_783_080_000;
        assert_eq!(days(Some("2026-07-01"), Some("2026-07-02"), now).unwrap(), (20_635, 20_637));
        assert_eq!(days(None, None, now).unwrap(), (20_608, 20_638));
        assert!(days(Some("2026-07-02"), Some("2026-07-01"), now).is_err());
    }
}
