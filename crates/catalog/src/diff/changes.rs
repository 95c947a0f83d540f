//! The single changes behind a diff.

use std::sync::Arc;

use serde_json::{Map, Value};
use types::{PriceKind, PriceSheet, Quote};

use crate::endpoint::Status;
use crate::export::quote_text;
use crate::review::shown;
use crate::snapshot::Snapshot;

/// A fact with another value. Values are text; `None`: nobody states one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FactChange {
    /// `model`, `provider` or `endpoint`.
    pub of: &'static str,
    /// Its id.
    pub id: Arc<str>,
    /// Which fact.
    pub fact: String,
    /// The value before.
    pub old: Option<String>,
    /// The value after.
    pub new: Option<String>,
}

/// One price of a sheet, before and after.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct QuoteChange {
    /// What the price is for, by its key in files: `input_usd_per_mtok`.
    pub price: &'static str,
    /// When it holds: `above 200000 input tokens, 16:30 to 00:30 UTC`; empty: always.
    pub when: String,
    /// Decimal text, `unknown`, or `None` where there is no price of its own.
    pub old: Option<String>,
    /// Decimal text, `unknown`, or `None` where there is no price of its own.
    pub new: Option<String>,
    /// By how much, in percent with one digit: `+16.7`; `None` where one of the two is no number, or the old one is 0.
    pub percent: Option<String>,
}

type Row = (String, PriceKind, Quote);

fn rows(sheet: &PriceSheet) -> Vec<Row> {
    let mut rows: Vec<Row> =
        sheet.quotes.iter().map(|(kind, quote)| (String::new(), *kind, *quote)).collect();
    for change in &sheet.overrides {
        let size = change.above_input_tokens.map(|size| format!("above {size} input tokens"));
        let window = change.utc_window.map(|(from, to)| format!("{from} to {to} UTC"));
        let when: Vec<String> = size.into_iter().chain(window).collect();
        rows.extend(change.quotes.iter().map(|(kind, quote)| (when.join(", "), *kind, *quote)));
    }
    rows
}

/// The prices that differ between two sheets, those that always hold first.
pub fn quote_changes(old: &PriceSheet, new: &PriceSheet) -> Vec<QuoteChange> {
    let (before, after) = (rows(old), rows(new));
    let of = |rows: &[Row], (when, kind): (&str, PriceKind)| {
        rows.iter().find(|(w, k, _)| (w.as_str(), *k) == (when, kind)).map(|(_, _, quote)| *quote)
    };
    let fresh = after.iter().filter(|(when, kind, _)| of(&before, (when, *kind)).is_none());
    let all = before.iter().chain(fresh);
    let changes = all.filter_map(|(when, kind, _)| {
        let (was, is) = (of(&before, (when, *kind)), of(&after, (when, *kind)));
        (was != is).then(|| QuoteChange {
            price: kind.file_key(),
            when: when.clone(),
            old: was.map(|quote| quote_text(*kind, quote)),
            new: is.map(|quote| quote_text(*kind, quote)),
            percent: was.zip(is).and_then(|(was, is)| percent(was, is)),
        })
    });
    let mut changes: Vec<QuoteChange> = changes.collect();
    changes.sort_by_key(|change| !change.when.is_empty());
    changes
}

/// In whole tenths of a percent, rounded half away from zero, never through a float.
fn percent(was: Quote, is: Quote) -> Option<String> {
    let (was, is) = (i128::from(was.rate()?.nanos_per_million()), i128::from(is.rate()?.nanos_per_million()));
    if was == 0 {
        return None;
    }
    let twice = (is - was) * 2_000;
    let tenths = (twice + if twice < 0 { -was } else { was }) / (2 * was);
    let sign = if is < was { '-' } else { '+' };
    let tenths = tenths.unsigned_abs();
    Some(format!("{sign}{}.{}", tenths / 10, tenths % 10))
}

type Facts = Map<String, Value>;

fn compare(of: &'static str, id: &Arc<str>, old: &Facts, new: &Facts, changes: &mut Vec<FactChange>) {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let value = |facts: &Facts| facts.get(name).and_then(|claim| claim.get("value")).map(shown);
        let (was, is) = (value(old), value(new));
        if was != is {
            changes.push(FactChange { of, id: Arc::clone(id), fact: name.clone(), old: was, new: is });
        }
    }
}

/// Facts that differ, but for those that [`status_changes`] tells of.
pub(super) fn fact_changes(old: &Snapshot, new: &Snapshot) -> Vec<FactChange> {
    let mut changes = Vec::new();
    for after in &new.models {
        let Some(before) = old.model(&after.id) else { continue };
        let with_name = |model: &crate::model::Model| {
            let mut facts = model.facts.to_json();
            facts.remove("retires");
            facts.insert("name".to_owned(), serde_json::json!({ "value": model.name }));
            facts
        };
        compare("model", &after.id, &with_name(before), &with_name(after), &mut changes);
    }
    for after in &new.providers {
        let Some((_, before)) = old.provider(&after.id) else { continue };
        compare("provider", &after.id, &before.facts.to_json(), &after.facts.to_json(), &mut changes);
    }
    for after in &new.endpoints {
        let Some(before) = old.endpoint(&after.id) else { continue };
        let is_news = after.status == Status::Deprecated && before.status != Status::Deprecated;
        let with_status = |endpoint: &crate::endpoint::Endpoint| {
            let mut facts = endpoint.facts.to_json();
            if !is_news {
                facts.insert("status".to_owned(), serde_json::json!({ "value": endpoint.status }));
            }
            facts
        };
        compare("endpoint", &after.id, &with_status(before), &with_status(after), &mut changes);
    }
    changes
}

/// What is about to end that was not, or on another day.
pub(super) fn status_changes(old: &Snapshot, new: &Snapshot) -> Vec<FactChange> {
    let mut changes = Vec::new();
    for after in &new.models {
        let day = |model: &crate::model::Model| model.facts.retires.as_ref().map(|claim| claim.value.clone());
        let was = old.model(&after.id).and_then(day);
        let is = day(after);
        let is_known = old.model(&after.id).is_some();
        if is_known && was != is {
            let id = Arc::clone(&after.id);
            changes.push(FactChange { of: "model", id, fact: "retires".to_owned(), old: was, new: is });
        }
    }
    for after in new.endpoints.iter().filter(|endpoint| endpoint.status == Status::Deprecated) {
        let before = old.endpoint(&after.id).filter(|before| before.status != Status::Deprecated);
        if let Some(before) = before {
            changes.push(FactChange {
                of: "endpoint",
                id: Arc::clone(&after.id),
                fact: "status".to_owned(),
                old: Some(before.status.name().to_owned()),
                new: Some(after.status.name().to_owned()),
            });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use types::{Override, Rate};

    use super::*;

    fn known(text: &str) -> Quote {
        Quote::Known(Rate::parse_per_million(text).unwrap())
    }

    #[test]
    fn prices_say_what_they_were_and_by_how_much_they_moved() {
        let rows = [
            ("0.60", "0.70", Some("+16.7")),
            ("0.70", "0.60", Some("-14.3")),
            ("3", "0", Some("-100.0")),
            ("0", "3", None),
            ("1", "1.0004", Some("+0.0")),
            ("1", "1.0005", Some("+0.1")),
            ("1", "0.9995", Some("-0.1")),
            ("0.0001", "100", Some("+99999900.0")),
        ];
        for (was, is, wanted) in rows {
            assert_eq!(percent(known(was), known(is)).as_deref(), wanted, "{was} -> {is}");
        }
        let sheet = |input: &str, above: Option<&str>| PriceSheet {
            quotes: vec![(PriceKind::Input, known(input)), (PriceKind::Output, Quote::Unknown)],
            overrides: above
                .map(|text| Override {
                    above_input_tokens: Some(200_000),
                    utc_window: None,
                    quotes: vec![(PriceKind::Input, known(text))],
                })
                .into_iter()
                .collect(),
        };
        let changes = quote_changes(&sheet("1", None), &sheet("2", Some("4")));
        let told: Vec<_> = changes
            .iter()
            .map(|c| (c.price, c.when.as_str(), c.old.as_deref(), c.new.as_deref(), c.percent.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("input_usd_per_mtok", "", Some("1"), Some("2"), Some("+100.0")),
                ("input_usd_per_mtok", "above 200000 input tokens", None, Some("4"), None),
            ]
        );
    }
}
