//! `/console/credits`: the balance and every movement of it, as a bank's statement says it; and the ways in which credit comes.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Right;

use super::again::Again;
use super::amount;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Signed, sentence};
use crate::format::{self, Shown};
use crate::model::Stat;
use crate::shell::Failed;

pub(crate) const PATH: &str = "/console/credits";

const DONE: [(&str, &str); 3] = [
    ("redeemed", "The voucher is credit now."),
    ("auto", "The rules of automatic top-ups are changed."),
    ("paid", "Stripe tells of the payment within moments; the credit follows then."),
];

#[derive(Deserialize)]
struct Credits {
    mode: String,
    used_usd: String,
    metered_usd: String,
    balance_usd: String,
    held_usd: String,
    byok: Byok,
}

#[derive(Deserialize)]
struct Byok {
    fee_percent: String,
    #[serde(default)]
    balance_usd: Option<String>,
    fees_usd: String,
    usage_usd: String,
    requests: u64,
}

#[derive(Default, Deserialize)]
struct Fees {
    #[serde(default)]
    summary: Vec<String>,
    #[serde(default)]
    top_up: TopUp,
}

#[derive(Default, Deserialize)]
struct TopUp {
    #[serde(default)]
    offered: bool,
    #[serde(default)]
    min_usd: String,
}

#[derive(Deserialize)]
struct Movement {
    at: String,
    kind: String,
    #[serde(default)]
    entry: Option<String>,
    #[serde(default)]
    calls: Option<u64>,
    amount_usd: String,
    balance_usd: String,
}

#[derive(Deserialize)]
struct Statement {
    from: String,
    to: String,
    opening_usd: String,
    movements: Vec<Movement>,
    closing_usd: String,
}

#[derive(Deserialize)]
struct Auto {
    enabled: bool,
    threshold_usd: String,
    amount_usd: String,
    month_max_usd: String,
    payment_method_saved: bool,
    #[serde(default)]
    why_off: Option<String>,
}

#[derive(Deserialize)]
struct Order {
    id: String,
    kind: String,
    status: String,
    balance: String,
    total_usd: String,
    fee_usd: String,
    credited_usd: String,
    refunded_usd: String,
    created_at: String,
}

/// A line of the statement.
struct Line {
    day: Shown,
    what: String,
    note: String,
    amount: Shown,
    is_in: bool,
    balance: Shown,
}

/// The statement for people.
struct Paper {
    from: String,
    to: String,
    opening: Shown,
    closing: Shown,
    lines: Vec<Line>,
    csv: String,
}

/// A payment for people.
struct Paid {
    id: String,
    at: Shown,
    what: &'static str,
    class: &'static str,
    status: String,
    total: Shown,
    fee: Shown,
    credited: Shown,
    refunded: Option<Shown>,
}

/// What only those see who pay.
struct Till {
    paper: Option<Paper>,
    orders: Vec<Paid>,
    auto: Option<Auto>,
    auto_form: Form,
    fees: Fees,
}

#[derive(Template)]
#[template(path = "console/credits.html")]
struct Page {
    shell: Frame,
    stats: Vec<Stat>,
    is_metered: bool,
    till: Option<Till>,
    form: Form,
}

/// Where somebody pays: another site, so a link and no redirect.
#[derive(Template)]
#[template(path = "console/credits_go.html")]
struct Go {
    shell: Frame,
    total: Shown,
    fee: Shown,
    credited: Shown,
    url: String,
}

/// `GET /console/credits`.
pub(crate) async fn show(signed: Signed) -> Result<Response, Failed> {
    page(&signed, Again::default()).await
}

async fn page(signed: &Signed, again: Again) -> Result<Response, Failed> {
    let credits: Credits = signed.get("/v1/credits").await?;
    let form = again.form(Form::default);
    let till = match signed.me.may(Right::Pay) {
        true => Some(till(signed, &form).await?),
        false => None,
    };
    let shell = Frame::of(signed, "Credits", PATH).told(signed, &DONE).again(&again);
    let is_metered = credits.mode == "metered";
    let page = Page { shell, stats: stats(&credits), is_metered, till, form };
    Ok(again.answer(&page))
}

fn stats(credits: &Credits) -> Vec<Stat> {
    let stat = |name, value: &str, note: String| Stat { name, value: amount::usd(value), note };
    let held = format!("{} held by calls in flight", amount::usd(&credits.held_usd).short);
    let mut all = vec![
        stat("Balance", &credits.balance_usd, held),
        stat("Used of credit", &credits.used_usd, String::from("in all")),
    ];
    if credits.mode == "metered" {
        all.push(stat("Used without a balance", &credits.metered_usd, String::from("in all")));
    }
    if credits.byok.requests > 0 || credits.byok.balance_usd.is_some() {
        let byok = &credits.byok;
        let note = format!(
            "{} % of {} in {}",
            byok.fee_percent,
            amount::usd(&byok.usage_usd).short,
            format::count_of(byok.requests, "call")
        );
        all.push(stat("Fees of own provider keys", &byok.fees_usd, note));
        if let Some(balance) = &byok.balance_usd {
            all.push(stat("Balance for fees", balance, String::new()));
        }
    }
    all
}

/// A day as a query may name it, nothing else.
fn asked_day<'s>(signed: &'s Signed, name: &str) -> Option<&'s str> {
    let is_day = |text: &&str| text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    signed.visit.ask(name).filter(is_day)
}

async fn till(signed: &Signed, typed: &Form) -> Result<Till, Failed> {
    let mut path = String::from("/v1/credits/statement");
    for (at, name) in ["from", "to"].into_iter().enumerate() {
        if let Some(day) = asked_day(signed, name) {
            path.push_str(&format!("{}{name}={day}", if at == 0 || !path.contains('?') { '?' } else { '&' }));
        }
    }
    let paper = match signed.ask::<Statement>(&path).await {
        Ok(statement) => Some(paper(statement)),
        Err(refused) if refused.status == StatusCode::BAD_REQUEST => None,
        Err(refused) => return Err(signed.failed(&refused)),
    };
    let orders: Vec<Order> = signed.get("/v1/credits/orders").await?;
    let auto: Option<Auto> = signed.ask("/v1/credits/auto-top-up").await.ok();
    let fees: Fees = signed.ask("/v1/fees").await.unwrap_or_default();
    let auto_form = match (typed.text("act"), &auto) {
        (Some("auto"), _) => typed.clone(),
        (_, Some(auto)) => Form::default()
            .ticked("enabled", auto.enabled)
            .with("threshold_usd", filled(&auto.threshold_usd))
            .with("amount_usd", filled(&auto.amount_usd))
            .with("month_max_usd", filled(&auto.month_max_usd)),
        _ => Form::default(),
    };
    if fees.top_up.offered {
        signed.offers(Method::POST, "/v1/credits/checkout", Some(&json!({ "amount_usd": "25" })));
    }
    Ok(Till { paper, orders: orders.into_iter().map(paid).collect(), auto, auto_form, fees })
}

/// Nothing was ever said where it is nothing.
fn filled(usd: &str) -> &str {
    if usd == "0" { "" } else { usd }
}

fn paper(statement: Statement) -> Paper {
    let line = |movement: Movement| {
        let note = match (movement.calls, movement.entry) {
            (Some(calls), _) => format::count_of(calls, "call"),
            (None, Some(entry)) => entry,
            (None, None) => String::new(),
        };
        Line {
            day: amount::day(&movement.at),
            what: words(&movement.kind),
            note,
            is_in: !amount::money(&movement.amount_usd).is_negative(),
            amount: amount::usd(&movement.amount_usd),
            balance: amount::usd(&movement.balance_usd),
        }
    };
    Paper {
        csv: format!("/v1/credits/statement?from={}&to={}&format=csv", statement.from, statement.to),
        opening: amount::usd(&statement.opening_usd),
        closing: amount::usd(&statement.closing_usd),
        lines: statement.movements.into_iter().map(line).collect(),
        from: statement.from,
        to: statement.to,
    }
}

/// A kind of movement in words.
fn words(kind: &str) -> String {
    match kind {
        "usage" => String::from("Use"),
        _ => sentence(&kind.replace('_', " ")).trim_end_matches('.').to_owned(),
    }
}

fn paid(order: Order) -> Paid {
    let refunded = amount::money(&order.refunded_usd);
    Paid {
        at: amount::day(&order.created_at),
        what: match (order.kind.as_str(), order.balance.as_str()) {
            (_, "byok") => "Balance for fees",
            ("auto", _) => "Automatic top-up",
            _ => "Top-up",
        },
        class: match order.status.as_str() {
            "paid" => "good",
            "failed" => "bad",
            _ => "warn",
        },
        total: amount::usd(&order.total_usd),
        fee: amount::usd(&order.fee_usd),
        credited: amount::usd(&order.credited_usd),
        refunded: (refunded != types::Money::ZERO).then(|| format::cost(refunded)),
        status: order.status,
        id: order.id,
    }
}

/// `POST /console/credits`.
pub(crate) async fn act(signed: Signed, form: Form) -> Result<Response, Failed> {
    let sent = match form.text("act").unwrap_or_default() {
        "redeem" => {
            // A code is worth money until it is used: it is not shown at the foot.
            let body = json!({ "code": form.text("code").unwrap_or_default() });
            signed.send_unseen(Method::POST, "/v1/credits/redeem", Some(&body)).await.map(|_| "redeemed")
        }
        "auto" => {
            let mut body = form.object(&["threshold_usd", "amount_usd", "month_max_usd"]);
            body.insert(String::from("enabled"), form.has("enabled").into());
            let body = Value::Object(body);
            signed.send(Method::PUT, "/v1/credits/auto-top-up", Some(&body)).await.map(|_| "auto")
        }
        _ => return pay(&signed, form).await,
    };
    match sent {
        Ok(word) => Ok(done(&format!("{PATH}?done={word}"))),
        Err(refused) => page(&signed, Again::refused(form, &refused)).await,
    }
}

async fn pay(signed: &Signed, form: Form) -> Result<Response, Failed> {
    let mut body = form.object(&["balance"]);
    body.insert(String::from("amount_usd"), form.text("amount").unwrap_or_default().into());
    body.insert(String::from("save_payment_method"), form.has("save").into());
    match signed.send(Method::POST, "/v1/credits/checkout", Some(&Value::Object(body))).await {
        Ok(answer) => {
            let text = |name: &str| {
                answer.pointer(&format!("/data/{name}")).and_then(Value::as_str).unwrap_or_default()
            };
            let page = Go {
                shell: Frame::of(signed, "Pay", PATH),
                total: amount::usd(text("total_usd")),
                fee: amount::usd(text("fee_usd")),
                credited: amount::usd(text("credited_usd")),
                url: text("url").to_owned(),
            };
            Ok(Again::default().answer(&page))
        }
        Err(refused) => page(signed, Again::refused(form, &refused)).await,
    }
}

#[cfg(test)]
mod tests;
