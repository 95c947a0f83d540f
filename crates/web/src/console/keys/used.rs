//! What keys were used for, of the last thirty days: one question to the API for all of them.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Number, json};

use crate::console::signed::Signed;
use crate::format::{self, Shown};

/// Days that are looked at, today among them.
pub(super) const DAYS: i64 = 30;

/// A day of a key.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Row {
    #[serde(default)]
    pub(super) date: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    pub(super) model: Option<String>,
    pub(super) total_usage: Number,
    pub(super) request_count: u64,
    #[serde(default)]
    pub(super) error_count: u64,
}

/// Rows of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct Table {
    pub(super) data: Vec<Row>,
}

/// What a key was used for.
pub(crate) struct Used {
    pub(super) spent: Shown,
    pub(super) requests: Shown,
    /// `today`, `3 days ago`, or that it was not.
    pub(super) last: String,
}

/// The day of a row, since 1970.
pub(super) fn day(date: &str) -> Option<i64> {
    let text = date.get(..10)?;
    crate::console::amount::at(&format!("{text}T00:00:00Z")).map(types::Timestamp::day)
}

/// Days by key. A store that doesn't answer takes them away, not the page.
pub(super) async fn by_key(signed: &Signed) -> Option<HashMap<String, Vec<Row>>> {
    let ask = json!({
        "metrics": ["total_usage", "request_count"],
        "dimensions": ["key"],
        "granularity": "day",
        "limit": 10_000,
    });
    let table: Table = signed.query("/v1/analytics/query", &ask).await.ok()?;
    let mut all: HashMap<String, Vec<Row>> = HashMap::new();
    for row in table.data {
        if let Some(key) = row.key.clone() {
            all.entry(key).or_default().push(row);
        }
    }
    Some(all)
}

/// What one was used for.
pub(super) fn of(all: &Option<HashMap<String, Vec<Row>>>, key: &str, today: i64) -> Used {
    let Some(all) = all else {
        return Used { spent: Shown::unknown(), requests: Shown::unknown(), last: String::from("unknown") };
    };
    let none = Vec::new();
    sum(all.get(key).unwrap_or(&none), today)
}

/// What these days come to.
pub(super) fn sum(rows: &[Row], today: i64) -> Used {
    let spent = rows.iter().fold(types::Money::ZERO, |sum, row| {
        sum.saturating_add(crate::console::amount::number(&row.total_usage).unwrap_or_default())
    });
    let requests = rows.iter().map(|row| row.request_count).sum();
    let last = rows.iter().filter(|row| row.request_count > 0).filter_map(|row| day(&row.date)).max();
    let last = last.map_or_else(|| format!("not in {DAYS} days"), |last| format::age(last, today));
    Used { spent: format::cost(spent), requests: format::short(requests), last }
}
