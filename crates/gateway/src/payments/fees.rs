//! `GET /v1/fees`: what is charged beside the providers' prices, today and later. For everyone. And the same as the configuration has
//! it, for who may change that.

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

/// A setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its path in the configuration: `fees.top_up`.
    pub path: &'static str,
    /// Its value as the file has it, TOML.
    pub value: String,
    /// What it does, for people.
    pub about: &'static str,
}

/// Everything of the configuration that says what is charged beside the providers' prices.
pub fn settings(fees: &Fees) -> Vec<Setting> {
    let text = |text: String| format!("\"{text}\"");
    let list = |rows: Vec<String>| match rows.is_empty() {
        true => String::from("[]"),
        false => format!("[{}]", rows.join(", ")),
    };
    let steps = fees.top_up.iter().map(|step| match step.until {
        Some(until) => format!("{{ percent = \"{}\", until = \"{}\" }}", step.percent, date(until)),
        None => format!("{{ percent = \"{}\" }}", step.percent),
    });
    let markup: Vec<String> = fees
        .markup
        .iter()
        .map(|(pattern, percent)| format!("\"{}\" = \"{percent}\"", pattern.as_str()))
        .collect();
    let discount = fees
        .discount
        .iter()
        .map(|step| format!("{{ from_usd = \"{}\", percent = \"{}\" }}", step.from, step.percent));
    let rows = [
        ("fees.top_up", list(steps.collect()), "the fee of topping up, in percent, by day"),
        (
            "fees.fee_on",
            text(fees.fee_on.name().to_owned()),
            "whether that fee is paid on top of the credit or taken out of what is paid",
        ),
        (
            "fees.fee_min_usd",
            text(fees.fee_min.to_string()),
            "the least that a top-up fee is, where there is one",
        ),
        ("fees.top_up_min_usd", text(fees.top_up_min.to_string()), "the least that can be topped up"),
        ("fees.top_up_max_usd", text(fees.top_up_max.to_string()), "the most that can be topped up at once"),
        ("fees.refund_fees", fees.refund_fees.to_string(), "whether a refund gives its part of the fee back"),
        (
            "fees.byok_percent",
            text(fees.byok.to_string()),
            "the fee of calls that accounts' own provider keys pay for, in percent of the list price",
        ),
        (
            "fees.markup",
            if markup.is_empty() { String::from("{}") } else { format!("{{ {} }}", markup.join(", ")) },
            "what is added to the providers' prices, in percent, by model",
        ),
        (
            "fees.volume_discount",
            list(discount.collect()),
            "what is taken off from so much use in a calendar month on, in percent",
        ),
        ("credits.trial_usd", text(fees.trial.to_string()), "the credit that who signs up begins with"),
    ];
    rows.into_iter().map(|(path, value, about)| Setting { path, value, about }).collect()
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
