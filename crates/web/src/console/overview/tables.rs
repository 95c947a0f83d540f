//! The tables: what was used, by model, key, provider, and one more; each row is a filter.

use types::Money;

use super::View;
use super::ask::{Dimension, Question, Row, Told};
use crate::console::names::{Key, Names};
use crate::format::{self, Shown};

/// Rows that are shown; all are in the CSV.
const ROWS_SHOWN: usize = 8;
/// Rows that are asked for: by spend, and among equals by requests.
const ROWS_ASKED: usize = 50;
const METRICS: &str = "total_usage,request_count,tokens_total,error_count,error_rate";

/// A table.
pub(super) struct Table {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) one: &'static str,
    pub(super) lines: Vec<Line>,
    /// There are more than are shown.
    pub(super) has_more: bool,
    pub(super) csv: String,
    /// The shares are of requests: nothing was spent.
    pub(super) of_requests: bool,
    /// Why there are no rows, and where to look instead.
    pub(super) instead: Option<(String, String)>,
}

/// A row.
pub(super) struct Line {
    pub(super) name: String,
    /// To the same page of this alone.
    pub(super) href: String,
    /// To where a key is capped or stopped.
    pub(super) act: Option<String>,
    pub(super) is_here: bool,
    /// Hundredths.
    pub(super) width: u64,
    pub(super) share: Shown,
    pub(super) spend: Shown,
    pub(super) requests: Shown,
    pub(super) tokens: Shown,
    pub(super) errors: Shown,
}

impl View {
    /// What is asked for a table; nothing where it can't be told of what the page is of.
    pub(super) fn table_path(&self, by: Dimension) -> Option<String> {
        let question = Question {
            order_by: Some("total_usage"),
            limit: Some(ROWS_ASKED),
            ..Question::of(METRICS, Some(by), &self.period, &self.filters)
        };
        self.filters.tell(by).then(|| question.path(None))
    }
}

/// Makes a table. `total`: of everything that the page is of.
pub(super) fn table(view: &View, names: &Names, by: Dimension, told: Option<Told>, total: &Row) -> Table {
    let csv = Question {
        order_by: Some("total_usage"),
        limit: Some(10_000),
        ..Question::of(METRICS, Some(by), &view.period, &view.filters)
    };
    let instead = told.is_none().then(|| {
        let other = view.filters.pairs().map(|(name, _)| name).find(|name| *name != "key").unwrap_or("key");
        (
            format!("Use of one {} is not kept apart by {}; the log is.", word(other), by.one.to_lowercase()),
            view.log_href(),
        )
    });
    let mut rows = told.as_ref().map(|told| told.data.clone()).unwrap_or_default();
    rows.sort_by_key(|row| std::cmp::Reverse((row.money("total_usage"), row.count("request_count"))));
    let spent = total.money("total_usage");
    let of_requests = spent <= Money::ZERO;
    let has_more = rows.len() > ROWS_SHOWN || told.is_some_and(|told| told.metadata.truncated);
    let whole = if of_requests { total.count("request_count") } else { nanos(spent) };
    let line = |row: &Row| {
        let value = row.text(by.name);
        let part = if of_requests { row.count("request_count") } else { nanos(row.money("total_usage")) };
        Line {
            name: view.word(names, by, value),
            href: view.only(by, value),
            act: names.key(value).filter(|_| by.name == "key").map(Key::path),
            is_here: view.filters.value(by) == Some(value),
            width: u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1)))
                .unwrap_or_default()
                .min(100),
            share: Shown::same(format::percent(part, whole).short),
            spend: row.dollars("total_usage"),
            requests: format::short(row.count("request_count")),
            tokens: format::short(row.count("tokens_total")),
            errors: format::percent(row.count("error_count"), row.count("request_count")),
        }
    };
    Table {
        id: by.name,
        title: by.many,
        one: by.one,
        lines: rows.iter().take(ROWS_SHOWN).map(line).collect(),
        has_more,
        csv: csv.path(Some("csv")),
        of_requests,
        instead,
    }
}

fn nanos(amount: Money) -> u64 {
    u64::try_from(amount.nanos()).unwrap_or_default()
}

fn word(name: &str) -> String {
    let known = super::ask::DIMENSIONS.iter().find(|by| by.name == name);
    known.map_or(name.to_owned(), |by| by.one.to_lowercase())
}
