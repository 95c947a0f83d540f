//! `GET /v1/fees`: what is charged beside the providers' prices, today and later. For everyone.

use std::sync::Arc;

use http::Response;
use ledger::Fees;
use serde_json::{Value, json};

use super::{date, usd};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::router;

/// Answers from the configuration.
pub(crate) fn show(worker: &Arc<Worker>) -> Response<ResponseBody> {
    let gateway = &worker.gateway;
    let today = gateway.clock.now().day();
    router::json(
        json!({ "data": object(&gateway.settings.fees, today, gateway.payments.stripe.is_some()) })
            .to_string(),
    )
}

fn object(fees: &Fees, today: i64, offered: bool) -> Value {
    let now = fees.step_on(today);
    let mut from = None;
    let mut schedule = Vec::new();
    for step in fees.top_up.iter().filter(|step| step.until.is_none_or(|until| today <= until)) {
        schedule.push(json!({
            "percent": step.percent.to_string(), "from": from.map(date), "until": step.until.map(date),
        }));
        from = step.until.map(|until| until + 1);
    }
    json!({
        "currency": "USD",
        "as_of": date(today),
        "summary": fees.sentences(today, &date),
        "top_up": {
            "offered": offered,
            "percent": now.percent.to_string(),
            "until": now.until.map(date),
            "fee_on": fees.fee_on.name(),
            "fee_min_usd": usd(fees.fee_min),
            "min_usd": usd(fees.top_up_min),
            "max_usd": usd(fees.top_up_max),
            "schedule": schedule,
        },
        "refunds": { "fees_too": fees.refund_fees },
        "byok": { "percent": fees.byok.to_string() },
        "markup": fees.markup.iter().map(|(pattern, percent)| {
            json!({ "model": pattern.as_str(), "percent": percent.to_string() })
        }).collect::<Vec<_>>(),
        "volume_discount": fees.discount.iter().map(|step| {
            json!({ "from_usd": usd(step.from), "percent": step.percent.to_string() })
        }).collect::<Vec<_>>(),
        "trial_usd": usd(fees.trial),
    })
}
