//! `tollway ledger rerate`: a wrong price is put right by new entries.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ledger::{BillingMode, Correction};
use serde_json::{Value, json};
use store::{PriceVersion, Rerate, RerateStep, Rerated, Store};
use types::{GenerationId, Money, Override, PriceKind, PriceSheet, Quote, Rate, Timestamp, UtcMinute};

use super::args;
use super::output::columns;
use super::{Context, Failure, keys};

/// Most generations that are listed as not priced.
const UNPRICED_MAX: usize = 100;

pub(super) async fn rerate(context: &mut Context<'_>, args: &args::Rerate) -> Result<(), Failure> {
    let (loaded, store) = keys::open_with_catalog(context).await?;
    let old = store.price_version(&args.price_version).await.map_err(|e| keys::failed(&e))?;
    let old = old.ok_or_else(|| {
        let why = format!(
            "nothing was billed at price version `{}`; GET /v1/generation names it",
            args.price_version
        );
        Failure::BadInput(why)
    })?;
    let new = new_version(&store, &loaded.catalog, &old, &args.new).await?;
    if new.id == old.id {
        return Err(Failure::BadInput(format!("`{}` has these very prices already", old.id)));
    }
    let now = context.clock.now();
    let how = Rerate {
        old: &old.id,
        new: &new,
        since: args.since.map_or(Timestamp(0), |since| since.instant_before(now)),
        collect: args.collect,
        apply: args.apply.then_some(now),
    };
    let mut report = Report::default();
    let mut last: Option<GenerationId> = None;
    loop {
        let step = store.rerate(&how, last.as_ref()).await.map_err(|e| keys::failed(&e))?;
        last = step.last;
        report.take(&step);
        if last.is_none() {
            break;
        }
    }
    store.close().await;
    let (human, json) = (report.human(&old, &new, args), report.json(&old, &new, args.apply));
    context.out.answer(&human, &json)?;
    match report.unpriced_count {
        0 => Ok(()),
        count => Err(Failure::Failed(format!(
            "{count} generations used something that the new prices don't have; add a price for it and run this again"
        ))),
    }
}

/// A version of the store, else of the catalog, else the prices of a file.
async fn new_version(
    store: &Store,
    catalog: &::catalog::Snapshot,
    old: &PriceVersion,
    text: &str,
) -> Result<PriceVersion, Failure> {
    if let Some(known) = store.price_version(text).await.map_err(|e| keys::failed(&e))? {
        return Ok(known);
    }
    if let Some(endpoint) = catalog.endpoints.iter().find(|endpoint| *endpoint.price_version == *text) {
        let (endpoint, sheet) = (endpoint.id.to_string(), Arc::clone(&endpoint.price));
        return Ok(PriceVersion { id: text.to_owned(), endpoint, sheet });
    }
    let path = Path::new(text);
    if !path.is_file() {
        let why = format!("--as {text} is no price version of the store or the catalog, and no file");
        return Err(Failure::BadInput(why));
    }
    let bad = |what: String| Failure::BadInput(format!("--as {text}: {what}"));
    let toml = std::fs::read_to_string(path).map_err(|error| bad(format!("can't be read: {error}")))?;
    let sheet = sheet(&toml).map_err(bad)?;
    let json = serde_json::to_string(&sheet).map_err(|error| bad(error.to_string()))?;
    let id = types::price_version(&old.endpoint, &json);
    Ok(PriceVersion { id, endpoint: old.endpoint.clone(), sheet: Arc::new(sheet) })
}

/// Prices as a catalog's endpoint has them in `[price]`, at the top of the file or in that table.
fn sheet(text: &str) -> Result<PriceSheet, String> {
    let mut table: toml::Table = toml::from_str(text).map_err(|error| format!("is no TOML: {error}"))?;
    if let Some(toml::Value::Table(price)) = table.remove("price") {
        table = price;
    }
    let overrides = match table.remove("overrides") {
        None => Vec::new(),
        Some(toml::Value::Array(list)) => list,
        Some(_) => return Err("`overrides` must be a list of tables".to_owned()),
    };
    let quotes = quotes(&table)?;
    if quotes.is_empty() {
        return Err(format!("has no price; write such as {} = \"0.15\"", PriceKind::Input.file_key()));
    }
    let overrides = overrides.into_iter().map(change).collect::<Result<_, _>>()?;
    Ok(PriceSheet { quotes, overrides })
}

fn change(value: toml::Value) -> Result<Override, String> {
    let toml::Value::Table(mut table) = value else { return Err("an override must be a table".to_owned()) };
    let above_input_tokens = match table.remove("above_input_tokens") {
        None => None,
        Some(size) => {
            let size = size.as_integer().and_then(|size| u64::try_from(size).ok());
            Some(size.ok_or("`above_input_tokens` must be a whole number")?)
        }
    };
    let mut minute = |key: &str| match table.remove(key) {
        None => Ok(None),
        Some(value) => {
            let minute = value.as_str().and_then(UtcMinute::parse);
            minute.map(Some).ok_or_else(|| format!("`{key}` must be a UTC time such as \"16:30\""))
        }
    };
    let utc_window = match (minute("utc_from")?, minute("utc_to")?) {
        (Some(from), Some(to)) => Some((from, to)),
        (None, None) => None,
        _ => return Err("`utc_from` and `utc_to` come together".to_owned()),
    };
    if above_input_tokens.is_none() && utc_window.is_none() {
        return Err("an override needs `above_input_tokens`, or `utc_from` and `utc_to`".to_owned());
    }
    Ok(Override { above_input_tokens, utc_window, quotes: quotes(&table)? })
}

fn quotes(table: &toml::Table) -> Result<Vec<(PriceKind, Quote)>, String> {
    if let Some(key) = table.keys().find(|key| !PriceKind::ALL.iter().any(|kind| kind.file_key() == *key)) {
        let allowed = PriceKind::ALL.map(PriceKind::file_key).join(", ");
        return Err(format!("`{key}` is no price; allowed: {allowed}"));
    }
    let mut quotes = Vec::new();
    for kind in PriceKind::ALL {
        let Some(value) = table.get(kind.file_key()) else { continue };
        let text = value.as_str().ok_or_else(|| {
            format!("`{}` must be decimal text in quotes, such as \"0.15\"", kind.file_key())
        })?;
        let rate =
            if kind.is_per_unit() { Rate::parse_per_unit(text) } else { Rate::parse_per_million(text) };
        quotes.push((kind, Quote::Known(rate.map_err(|error| format!("`{}`: {error}", kind.file_key()))?)));
    }
    Ok(quotes)
}

/// What an account gets back, or owes.
#[derive(Default)]
struct Owed {
    generations: u64,
    charged: Money,
    cost: Money,
}

#[derive(Default)]
struct Report {
    seen: u64,
    accounts: BTreeMap<(String, &'static str), Owed>,
    days: BTreeMap<(String, i64), Money>,
    providers: BTreeMap<String, Money>,
    unpriced: Vec<(GenerationId, String)>,
    unpriced_count: u64,
}

impl Report {
    fn take(&mut self, step: &RerateStep) {
        self.seen += step.seen;
        self.unpriced_count += step.unpriced.len() as u64;
        let room = UNPRICED_MAX.saturating_sub(self.unpriced.len());
        self.unpriced.extend(step.unpriced.iter().take(room).cloned());
        for Rerated { record, correction, .. } in &step.changed {
            let Correction { cost, charged, provider_cost } = *correction;
            let mode = if record.mode == BillingMode::Prepaid { "credits" } else { "metered" };
            let owed = self.accounts.entry((record.account.to_string(), mode)).or_default();
            owed.generations += 1;
            owed.charged = owed.charged.saturating_add(charged);
            owed.cost = owed.cost.saturating_add(cost);
            let day = self.days.entry((record.account.to_string(), record.created.day())).or_default();
            *day = day.saturating_add(charged);
            let provider = self.providers.entry(record.provider.clone()).or_default();
            *provider = provider.saturating_add(provider_cost);
        }
    }

    fn changed(&self) -> u64 {
        self.accounts.values().map(|owed| owed.generations).sum()
    }

    fn human(&self, old: &PriceVersion, new: &PriceVersion, args: &args::Rerate) -> String {
        let mut text = format!(
            "{} generations of {} at {}; at {} {} of them cost something else\n",
            self.seen,
            old.endpoint,
            old.id,
            new.id,
            self.changed()
        );
        if self.changed() > 0 {
            let heading = ["account", "balance", "generations", "cost USD", "owed to the account USD"];
            let mut rows = vec![heading.map(str::to_owned).to_vec()];
            rows.extend(self.accounts.iter().map(|((account, mode), owed)| {
                let back = owed.charged.negated().to_string();
                vec![
                    account.clone(),
                    (*mode).to_owned(),
                    owed.generations.to_string(),
                    owed.cost.to_string(),
                    back,
                ]
            }));
            let heading = ["provider", "its cost USD"];
            let mut providers = vec![heading.map(str::to_owned).to_vec()];
            providers.extend(self.providers.iter().map(|(slug, cost)| vec![slug.clone(), cost.to_string()]));
            text.push_str(&format!("\n{}\n{}", columns(&rows), columns(&providers)));
        }
        for (id, why) in &self.unpriced {
            text.push_str(&format!("\nnot rated: {id}: {why}"));
        }
        text.push_str(match (self.changed(), args.apply) {
            (0, _) => "\nnothing to correct",
            (_, true) => "\nbooked; `tollway ledger verify` checks it",
            (_, false) => "\nnothing is booked yet; --apply books it",
        });
        text
    }

    fn json(&self, old: &PriceVersion, new: &PriceVersion, applied: bool) -> Value {
        let accounts: Vec<Value> = self
            .accounts
            .iter()
            .map(|((account, mode), owed)| {
                json!({
                    "account": account,
                    "balance": mode,
                    "generations": owed.generations,
                    "cost_usd": owed.cost.to_string(),
                    "charged_usd": owed.charged.to_string(),
                    "owed_usd": owed.charged.negated().to_string(),
                })
            })
            .collect();
        let days: Vec<Value> = self
            .days
            .iter()
            .map(|((account, day), charged)| {
                json!({ "account": account, "day": date(*day), "charged_usd": charged.to_string() })
            })
            .collect();
        json!({
            "price_version": old.id,
            "as": new.id,
            "endpoint": old.endpoint,
            "generations": self.seen,
            "corrected": self.changed(),
            "applied": applied,
            "accounts": accounts,
            "days": days,
            "providers": self.providers.iter()
                .map(|(slug, cost)| json!({ "provider": slug, "cost_usd": cost.to_string() }))
                .collect::<Vec<_>>(),
            "not_rated": self.unpriced.iter()
                .map(|(id, why)| json!({ "generation": id, "reason": why }))
                .collect::<Vec<_>>(),
            "not_rated_count": self.unpriced_count,
        })
    }
}

/// `2026-11-20`
pub(super) fn date(day: i64) -> String {
    let at = jiff::Timestamp::from_second(day.saturating_mul(86_400));
    at.map_or_else(|_| day.to_string(), |at| at.to_string().chars().take(10).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_prices_is_read_as_in_the_catalog() {
        let text = "[price]\ninput_usd_per_mtok = \"0.15\"\nrequest_usd = \"0.01\"\n\
            [[price.overrides]]\nabove_input_tokens = 200000\ninput_usd_per_mtok = \"0.30\"\n\
            [[price.overrides]]\nutc_from = \"16:30\"\nutc_to = \"00:30\"\ninput_usd_per_mtok = \"0.07\"\n";
        let sheet = sheet(text).unwrap();
        assert_eq!(sheet.quotes.len(), 2);
        assert_eq!(
            sheet.quote(PriceKind::Requests),
            Some(Quote::Known(Rate::parse_per_unit("0.01").unwrap()))
        );
        assert_eq!((sheet.overrides.len(), sheet.overrides[0].above_input_tokens), (2, Some(200_000)));
        assert_eq!(
            sheet.overrides[1].utc_window.map(|(from, to)| (from.minute(), to.minute())),
            Some((990, 30))
        );
    }

    #[test]
    fn what_is_wrong_in_it_is_said() {
        let rows = [
            ("", "has no price"),
            ("x", "is no TOML"),
            ("inptu_usd_per_mtok = \"1\"", "is no price; allowed: input_usd_per_mtok"),
            ("input_usd_per_mtok = 0.15", "in quotes"),
            ("input_usd_per_mtok = \"-1\"", "not a decimal amount"),
            ("input_usd_per_mtok = \"1\"\noverrides = 3", "list of tables"),
            (
                "input_usd_per_mtok = \"1\"\n[[overrides]]\ninput_usd_per_mtok = \"2\"",
                "needs `above_input_tokens`",
            ),
            ("input_usd_per_mtok = \"1\"\n[[overrides]]\nutc_from = \"10:00\"", "come together"),
        ];
        for (text, expect) in rows {
            let error = sheet(text).unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        }
    }

    #[test]
    fn days_are_dates() {
        assert_eq!((date(0), date(20_777)), ("1970-01-01".to_owned(), "2026-11-20".to_owned()));
    }
}
