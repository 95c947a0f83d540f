//! `/console/server/margin`: what was charged, what providers take, and what is left, by model, provider and organization.

use askama::Template;
use axum::response::Response;
use futures_util::future::try_join_all;
use serde::Deserialize;
use types::Money;

use super::MARGIN;
use crate::console::again::Again;
use crate::console::amount;
use crate::console::frame::Frame;
use crate::console::period::Period;
use crate::console::signed::Signed;
use crate::format::{self, Shown};
use crate::model::Stat;
use crate::shell::Failed;

/// Rows that are shown of each table.
const ROWS_SHOWN: usize = 50;
const TABLES: [(&str, &str, &str); 3] = [
    ("model", "Model", "Models"),
    ("provider", "Provider", "Providers"),
    ("organization", "Organization", "Organizations"),
];

#[derive(Deserialize)]
struct Told {
    rows: Vec<Row>,
    total: Row,
}

#[derive(Deserialize)]
struct Row {
    value: String,
    requests: u64,
    charged_usd: String,
    provider_cost_usd: String,
    margin_usd: String,
    margin_share: Option<f64>,
}

/// What organizations are called.
#[derive(Deserialize)]
struct Organization {
    id: String,
    name: String,
}

struct Line {
    name: String,
    /// Of an organization.
    id: Option<String>,
    requests: Shown,
    charged: Shown,
    cost: Shown,
    margin: Shown,
    share: String,
    is_loss: bool,
}

struct Table {
    id: &'static str,
    one: &'static str,
    many: &'static str,
    lines: Vec<Line>,
    has_more: bool,
}

struct Pick {
    name: &'static str,
    href: String,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "console/server_margin.html")]
struct Page {
    shell: Frame,
    words: String,
    spans: Vec<Pick>,
    stats: Vec<Stat>,
    tables: Vec<Table>,
    is_empty: bool,
}

pub(crate) async fn margin(signed: Signed) -> Result<Response, Failed> {
    let period = Period::of(&signed.visit);
    let [from, to] = period.dates();
    let paths = TABLES.map(|(by, ..)| format!("/v1/server/margin?by={by}&from={from}&to={to}"));
    let told: Vec<Told> = try_join_all(paths.iter().map(|path| signed.get::<Told>(path))).await?;
    let organizations: Vec<Organization> = signed.get("/v1/server/organizations").await?;
    let stats = told.first().map(|told| stats(&told.total)).unwrap_or_default();
    let is_empty = told.iter().all(|told| told.rows.is_empty());
    let tables = TABLES.into_iter().zip(told).map(|((id, one, many), told)| Table {
        id,
        one,
        many,
        has_more: told.rows.len() > ROWS_SHOWN,
        lines: told.rows.iter().take(ROWS_SHOWN).map(|row| line(row, &organizations)).collect(),
    });
    let spans = period.choices().into_iter().map(|choice| Pick {
        name: choice.name,
        href: format!("{MARGIN}?period={}", choice.slug),
        is_here: choice.is_here,
    });
    let again = Again::default().or(period.problem.clone());
    let page = Page {
        shell: Frame::of(&signed, "Margin", MARGIN).again(&again),
        words: period.words(),
        spans: spans.collect(),
        stats,
        tables: tables.collect(),
        is_empty,
    };
    Ok(again.answer(&page))
}

fn stats(total: &Row) -> Vec<Stat> {
    let stat = |name, text: &str, note: &str| Stat { name, value: amount::usd(text), note: note.to_owned() };
    let share = share(total.margin_share);
    vec![
        stat("Charged", &total.charged_usd, "fees for own keys included"),
        stat("Providers take", &total.provider_cost_usd, "every attempt counted"),
        stat("Left", &total.margin_usd, &share),
        Stat { name: "Requests", value: format::short(total.requests), note: String::new() },
    ]
}

fn share(share: Option<f64>) -> String {
    share.map(|share| format!("{:.1}% of the charge", share * 100.0)).unwrap_or_default()
}

fn line(row: &Row, organizations: &[Organization]) -> Line {
    let named = organizations.iter().find(|one| one.id == row.value).map(|one| one.name.clone());
    let margin: Option<Money> = row.margin_usd.parse().ok();
    Line {
        id: named.is_some().then(|| row.value.clone()),
        name: match (named, row.value.as_str()) {
            (Some(name), _) => name,
            (None, "") => String::from("(none reached)"),
            (None, value) => value.to_owned(),
        },
        requests: format::short(row.requests),
        charged: amount::usd(&row.charged_usd),
        cost: amount::usd(&row.provider_cost_usd),
        margin: amount::usd(&row.margin_usd),
        share: row
            .margin_share
            .map(|share| format!("{:.1}%", share * 100.0))
            .unwrap_or_else(|| String::from("–")),
        is_loss: margin.is_some_and(Money::is_negative),
    }
}
