//! 200 usages of real price lists, each with the list's source, and what they cost by an independent reckoning in decimal
//! numbers (e2e/clients/price_vectors.py).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use types::{Override, PriceKind, PriceSheet, Quote, Rate, Timestamp, Usage, UtcMinute};

#[derive(Deserialize)]
struct Vector {
    endpoint: String,
    source: String,
    as_of: String,
    at: String,
    prices: BTreeMap<String, String>,
    overrides: Vec<BTreeMap<String, Value>>,
    usage: Usage,
    lines: BTreeMap<String, String>,
    total: String,
}

fn quotes(find: &dyn Fn(&str) -> Option<String>) -> Vec<(PriceKind, Quote)> {
    let read = |kind: PriceKind, text: String| match kind.is_per_unit() {
        true => Rate::parse_per_unit(&text).unwrap(),
        false => Rate::parse_per_million(&text).unwrap(),
    };
    let quote = |kind: PriceKind| Some((kind, Quote::Known(read(kind, find(kind.file_key())?))));
    PriceKind::ALL.into_iter().filter_map(quote).collect()
}

fn change(table: &BTreeMap<String, Value>) -> Override {
    let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let minute = |key: &str| text(key).and_then(|text| UtcMinute::parse(&text));
    Override {
        above_input_tokens: table.get("above_input_tokens").and_then(Value::as_u64),
        utc_window: minute("utc_from").zip(minute("utc_to")),
        quotes: quotes(&text),
    }
}

fn vectors() -> Vec<Vector> {
    include_str!("vectors.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn two_hundred_bills_are_what_somebody_else_makes_of_them() {
    for (at, vector) in vectors().iter().enumerate() {
        let sheet = PriceSheet {
            quotes: quotes(&|key| vector.prices.get(key).cloned()),
            overrides: vector.overrides.iter().map(change).collect(),
        };
        let minute = UtcMinute::parse(&vector.at).unwrap().minute();
        let cost = sheet.cost(&vector.usage, Timestamp::from_seconds(i64::from(minute) * 60)).unwrap();
        let lines: BTreeMap<String, String> =
            cost.lines.iter().map(|line| (line.kind.name().to_owned(), line.amount.to_string())).collect();
        let what = format!("line {}: {} by {}", at + 1, vector.endpoint, vector.source);
        assert_eq!(lines, vector.lines, "{what}");
        assert_eq!(cost.total.to_string(), vector.total, "{what}");
    }
}

#[test]
fn they_cover_ten_providers_and_every_kind_of_price() {
    let all = vectors();
    assert_eq!(all.len(), 200);
    assert!(all.iter().all(|v| v.source.starts_with("https://") && v.as_of.len() >= 4));
    let providers: BTreeSet<&str> = all.iter().filter_map(|v| v.endpoint.split('/').next()).collect();
    assert!(providers.len() >= 10, "{providers:?}");
    let billed: BTreeSet<&str> = all.iter().flat_map(|v| v.lines.keys()).map(String::as_str).collect();
    let missing: Vec<&str> =
        PriceKind::ALL.iter().map(|kind| kind.name()).filter(|name| !billed.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
    let has = |key: &str| all.iter().filter(|v| v.overrides.iter().any(|o| o.contains_key(key))).count();
    assert!(has("above_input_tokens") >= 20 && has("utc_from") >= 4);
}
