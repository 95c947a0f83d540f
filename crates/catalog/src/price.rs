//! Reads price sheets, from files and from the configuration, and names their versions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use types::{Override, PriceKind, PriceSheet, Quote, UtcMinute};

use crate::claim::Claim;
use crate::document::{Page, Table};
use crate::endpoint::PriceClaim;
use crate::kind;
use crate::overlay::CONFIG_SOURCE;
use crate::problem::Flaw;

/// The most overrides of one sheet.
const OVERRIDES_MAX: usize = 32;

/// A sheet, the claims behind it, and where it prices reasoning apart.
#[derive(Debug, Default)]
pub(crate) struct Prices {
    pub(crate) sheet: PriceSheet,
    pub(crate) claims: Vec<PriceClaim>,
    pub(crate) reasoning_line: Option<usize>,
}

/// Reads `[price]` with its overrides.
pub(crate) fn read(mut table: Table<'_>, page: &mut Page<'_>) -> Prices {
    let mut prices = Prices::default();
    let changes = table.tables(page, "overrides");
    prices.sheet.quotes = quotes(&mut table, page, None, &mut prices.claims, &mut prices.reasoning_line);
    if changes.len() > OVERRIDES_MAX {
        page.problem(table.line, "bad-value", format!("`overrides` must be at most {OVERRIDES_MAX}"));
    }
    table.finish(page);
    for (at, change) in changes.into_iter().take(OVERRIDES_MAX).enumerate() {
        let line = change.line;
        let change = read_override(change, page, at, &mut prices);
        let same = |o: &Override| {
            (o.above_input_tokens, o.utc_window) == (change.above_input_tokens, change.utc_window)
        };
        if prices.sheet.overrides.iter().any(same) {
            page.problem(line, "duplicate-override", "another override has the same conditions");
        }
        prices.sheet.overrides.push(change);
    }
    prices
}

fn read_override(mut table: Table<'_>, page: &mut Page<'_>, at: usize, prices: &mut Prices) -> Override {
    let above_input_tokens = table.value(page, "above_input_tokens", kind::count);
    let from = table.value(page, "utc_from", minute);
    let to = table.value(page, "utc_to", minute);
    if from.is_some() != to.is_some() {
        page.problem(table.line, "missing-key", "`utc_from` and `utc_to` come together");
    }
    let utc_window = from.zip(to);
    if above_input_tokens.is_none() && utc_window.is_none() {
        page.problem(
            table.line,
            "override-without-condition",
            "give `above_input_tokens`, or `utc_from` and `utc_to`",
        );
    }
    let index = u32::try_from(at).ok();
    let quotes = quotes(&mut table, page, index, &mut prices.claims, &mut prices.reasoning_line);
    if quotes.is_empty() {
        page.problem(table.line, "override-without-price", "an override must change at least one price");
    }
    table.finish(page);
    Override { above_input_tokens, utc_window, quotes }
}

fn minute(value: &toml::de::DeValue<'_>) -> Result<UtcMinute, Flaw> {
    let text = value.as_str().unwrap_or_default();
    UtcMinute::parse(text)
        .ok_or_else(|| Flaw::new("bad-value", "must be a UTC time as text, such as \"16:30\""))
}

fn quotes(
    table: &mut Table<'_>,
    page: &mut Page<'_>,
    override_index: Option<u32>,
    claims: &mut Vec<PriceClaim>,
    reasoning_line: &mut Option<usize>,
) -> Vec<(PriceKind, Quote)> {
    let mut quotes = Vec::new();
    for price_kind in PriceKind::ALL {
        let key = price_kind.file_key();
        let line = table.line_of(page, key);
        let read = |value: &toml::de::DeValue<'_>| match value.as_str() {
            Some(text) => kind::quote(price_kind, text),
            None => Err(Flaw::new("price-not-decimal", "must be decimal text in quotes, such as \"0.15\"")),
        };
        let Some(claim) = table.claim(page, key, read) else {
            continue;
        };
        if price_kind == PriceKind::Reasoning {
            *reasoning_line = reasoning_line.or(line);
        }
        quotes.push((price_kind, claim.value));
        claims.push(PriceClaim { kind: price_kind, override_index, claim });
    }
    quotes
}

/// Reads the price table of a configured model. Errors are pairs of key and what is wrong with it.
pub(crate) fn from_config(table: Option<&BTreeMap<String, String>>) -> Result<Prices, Vec<(String, String)>> {
    let mut prices = Prices::default();
    let mut errors = Vec::new();
    let Some(table) = table else {
        let unknown = [PriceKind::Input, PriceKind::Output].map(|kind| (kind, Quote::Unknown));
        prices.sheet.quotes = unknown.to_vec();
        prices.claims = unknown.into_iter().map(|(kind, quote)| config_claim(kind, quote)).collect();
        return Ok(prices);
    };
    for key in table.keys().filter(|key| !PriceKind::ALL.iter().any(|kind| kind.file_key() == *key)) {
        let allowed = PriceKind::ALL.map(PriceKind::file_key).join(", ");
        errors.push((key.clone(), format!("is not a price; allowed: {allowed}")));
    }
    for kind in PriceKind::ALL {
        let Some(text) = table.get(kind.file_key()) else {
            continue;
        };
        match kind::quote(kind, text) {
            Ok(quote) => {
                prices.sheet.quotes.push((kind, quote));
                prices.claims.push(config_claim(kind, quote));
            }
            Err(flaw) => errors.push((kind.file_key().to_owned(), flaw.message)),
        }
    }
    if errors.is_empty() { Ok(prices) } else { Err(errors) }
}

fn config_claim(kind: PriceKind, value: Quote) -> PriceClaim {
    let claim =
        Claim { value, source: CONFIG_SOURCE.into(), as_of: "".into(), rule: None, dissent: Vec::new() };
    PriceClaim { kind, override_index: None, claim }
}

/// The name of an endpoint's prices.
pub(crate) fn version(endpoint_id: &str, sheet: &PriceSheet) -> Arc<str> {
    types::price_version(endpoint_id, &serde_json::to_string(sheet).unwrap_or_default()).into()
}

/// A prefix and the first 16 hex digits of a hash.
pub(crate) fn hash_name(prefix: &str, hash: &[u8]) -> Arc<str> {
    let mut name = prefix.to_owned();
    for byte in hash.iter().take(8) {
        let _ = write!(name, "{byte:02x}");
    }
    name.into()
}
