//! `/console/server/fees`: the fees in force as the configuration has them, and what they brought in as the books have it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use types::Money;

use super::{FEES, MARGIN};
use crate::console::amount;
use crate::console::frame::Frame;
use crate::console::period::Period;
use crate::console::signed::Signed;
use crate::format::{self, Shown};
use crate::shell::{self, Failed};

#[derive(Deserialize)]
struct Told {
    settings: Vec<Setting>,
    summary: Vec<String>,
    earned: Vec<Earned>,
    fees_usd: String,
}

#[derive(Deserialize)]
struct Setting {
    setting: String,
    value: String,
    about: String,
}

#[derive(Deserialize)]
struct Earned {
    of: String,
    count: u64,
    amount_usd: String,
}

/// A line of what came in.
struct Line {
    name: &'static str,
    count: String,
    amount: Shown,
    is_given: bool,
}

struct Pick {
    name: &'static str,
    href: String,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "console/server_fees.html")]
struct Page {
    shell: Frame,
    words: String,
    spans: Vec<Pick>,
    lines: Vec<Line>,
    fees: Shown,
    is_empty: bool,
    settings: Vec<Setting>,
    summary: Vec<String>,
    margin: String,
}

/// `GET /console/server/fees`.
pub(crate) async fn fees(signed: Signed) -> Result<Response, Failed> {
    let period = Period::of(&signed.visit);
    let [from, to] = period.dates();
    let told: Told = signed.get(&format!("/v1/server/fees?from={from}&to={to}")).await?;
    let spans = period.choices().into_iter().map(|choice| Pick {
        name: choice.name,
        href: format!("{FEES}?period={}", choice.slug),
        is_here: choice.is_here,
    });
    let page = Page {
        shell: Frame::of(&signed, "Fees", FEES).problem(period.problem.clone()),
        words: period.words(),
        spans: spans.collect(),
        is_empty: told.earned.iter().all(|one| one.count == 0),
        lines: told.earned.iter().filter_map(line).collect(),
        fees: amount::usd(&told.fees_usd),
        settings: told.settings,
        summary: told.summary,
        margin: format!("{MARGIN}?from={from}&to={to}"),
    };
    Ok(shell::private(shell::page(StatusCode::OK, &page)))
}

fn line(one: &Earned) -> Option<Line> {
    let (name, unit, is_given) = match one.of.as_str() {
        "top_ups" => ("Fees of top-ups", "top-up", false),
        "refunds" => ("Fees that went back with refunds", "refund", false),
        "own_keys" => ("Fees of calls with own provider keys", "call", false),
        "promotions" => ("Trial credit and vouchers", "time", true),
        "grants" => ("Credit that you granted", "grant", true),
        _ => return None,
    };
    // The books say what it took from us; a page says what was given.
    let told: Money = amount::money(&one.amount_usd);
    let shown = if is_given { told.negated() } else { told };
    Some(Line { name, count: format::count_of(one.count, unit), amount: format::cost(shown), is_given })
}
