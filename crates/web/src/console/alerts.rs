//! `/console/alerts`: what the owner was told of, newest first, and what to do about it.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};
use types::Right;

use super::again::Again;
use super::amount;
use super::frame::Frame;
use super::logs::instant;
use super::names::{Names, model_path};
use super::signed::{Signed, segment};
use crate::format::{self, Shown};
use crate::shell::Failed;

const ALERTS: &str = "/console/alerts";

/// An alert as the API tells it.
#[derive(Deserialize)]
struct Alert {
    #[serde(rename = "type")]
    kind: String,
    data: Map<String, Value>,
    created_at: String,
}

/// A row.
struct Line {
    at: Shown,
    class: &'static str,
    kind: &'static str,
    text: String,
    /// Where something can be done about it: words and address.
    act: Option<(&'static str, String)>,
    /// The hash of the key that spends, while it is on.
    stops: Option<String>,
    rest: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "console/alerts.html")]
struct Page {
    shell: Frame,
    lines: Vec<Line>,
    may_govern: bool,
}

pub(crate) async fn alerts(signed: Signed) -> Result<Response, Failed> {
    let alerts: Vec<Alert> = signed.get("/v1/alerts").await?;
    let names = Names::of_keys(&signed).await?;
    let page = Page {
        shell: Frame::of(&signed, "Alerts", ALERTS),
        lines: alerts.iter().map(|alert| line(alert, &names)).collect(),
        may_govern: signed.me.may(Right::Govern),
    };
    Ok(Again::default().answer(&page))
}

fn line(alert: &Alert, names: &Names) -> Line {
    let told = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text = |name: &str| alert.data.get(name).map(told).unwrap_or_default();
    let usd = |name: &str| amount::usd(&text(name)).short;
    let subject = text("subject");
    let id = subject.strip_prefix("key:").map_or_else(|| text("key"), str::to_owned);
    let spender = names.key(&id);
    let key = spender.map(|key| ("Open the key", key.path()));
    let model = |word| Some((word, model_path(&text("model"))?));
    let budget = Some(text("budget")).filter(|id| !id.is_empty());
    let budget = budget.map(|id| ("Open the budget", format!("{}/{}", super::budgets::PATH, segment(&id))));
    let (class, kind, words, act) = match alert.kind.as_str() {
        "key.frozen" => (
            "bad",
            "Key frozen",
            format!(
                "{} spent {} in an hour, and usually spends {}. It was frozen: its calls are refused until somebody starts it again.",
                text("name"),
                usd("spent_in_an_hour_usd"),
                usd("usual_hour_usd")
            ),
            key,
        ),
        "key.threshold" => (
            "warn",
            "Key near its limit",
            format!(
                "{} has spent {} of {} ({}%).",
                text("name"),
                usd("spent_usd"),
                usd("limit_usd"),
                text("percent")
            ),
            key,
        ),
        "budget.threshold" => (
            "warn",
            "Budget",
            format!(
                "{} has spent {} of {} ({}%).",
                text("name"),
                usd("spent_usd"),
                usd("amount_usd"),
                text("percent")
            ),
            budget,
        ),
        "model.price_changed" => (
            "warn",
            "Price changed",
            format!("The price of {} changed.", text("model")),
            model("Open the model"),
        ),
        "model.deprecated" => (
            "warn",
            "Model goes away",
            format!("{} is to be retired.", text("model")),
            model("Open the model"),
        ),
        _ => ("warn", "Alert", alert.kind.clone(), None),
    };
    Line {
        at: instant(&alert.created_at).map_or_else(Shown::unknown, format::instant),
        class,
        kind,
        text: words,
        act,
        stops: spender.filter(|key| !key.disabled).map(|key| key.hash.clone()),
        rest: alert.data.iter().map(|(name, value)| (name.replace('_', " "), told(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::testing::api::{FakeApi, visit};

    #[tokio::test]
    async fn an_alert_is_a_sentence_with_what_to_do() {
        let alerts = json!({"data": [
            {"id": "a1", "type": "key.frozen", "created_at": "2026-07-03T11:00:00Z",
             "data": {"key": "key_9", "name": "Night <b>job", "spent_in_an_hour_usd": "12.5", "usual_hour_usd": "0.1"}},
            {"id": "a3", "type": "budget.threshold", "created_at": "2026-07-03T10:00:00Z",
             "data": {"budget": "bud_1", "name": "Batch", "subject": "key:key_8", "spent_usd": "9", "amount_usd": "10", "percent": 80}},
            {"id": "a2", "type": "something.new", "created_at": "2026-07-02T11:00:00Z", "data": {"model": "javascript:alert(1)"}},
        ]});
        let api = FakeApi::signed_in("owner", false).answering("GET /v1/alerts", 200, alerts).answering(
            "GET /v1/keys",
            200,
            json!({"data": [{"id": "key_8", "hash": "h8", "name": "b"}, {"id": "key_9", "hash": "h9", "name": "n", "disabled": true}]}),
        );
        let page = visit(&Arc::new(api), "/console/alerts", None).await;
        assert_eq!(page.status, 200);
        page.holds("href=\"/console/budgets/bud_1\"").holds("href=\"/console/keys/key_9\"");
        page.holds("name=\"key\" value=\"h8\"").lacks("value=\"h9\"");
        page.holds("Night &#60;b&#62;job spent $12.50 in an hour, and usually spends $0.10.");
        page.lacks("<b>job");
        page.lacks("href=\"javascript");
        page.holds("something.new");
    }

    #[tokio::test]
    async fn without_alerts_it_says_what_they_are() {
        let api = FakeApi::signed_in("viewer", false)
            .answering("GET /v1/alerts", 200, json!({"data": []}))
            .answering("GET /v1/keys", 200, json!({"data": []}));
        visit(&Arc::new(api), "/console/alerts", None).await.holds("Nothing to report");
    }
}
