//! What of a catalog is watched, and what of its changes is news.

use std::collections::BTreeMap;

use catalog::{QuoteChange, Snapshot, Status, quote_changes};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::PriceChangeRow;
use types::{PriceSheet, Timestamp};

/// A change of a price.
const PRICE: &str = "model.price_changed";
/// The end of an offer or a model, announced or there.
const END: &str = "model.deprecated";

/// A catalog, as far as its changes are told.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Watched {
    models: BTreeMap<String, Ends>,
    endpoints: BTreeMap<String, Offer>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Ends {
    retires: Option<String>,
    successor: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Offer {
    model: String,
    provider: String,
    deprecated: bool,
    price: PriceSheet,
}

/// Something to tell.
#[derive(Debug)]
pub(super) struct News {
    pub(super) kind: &'static str,
    /// What it is about, within its kind.
    pub(super) about: String,
    pub(super) model: String,
    /// Whose offer; `None`: everybody's.
    pub(super) provider: Option<String>,
    pub(super) body: Value,
    pub(super) subject: String,
    pub(super) text: String,
}

impl Watched {
    pub(super) fn of(snapshot: &Snapshot) -> Watched {
        let models = snapshot.models.iter().map(|model| {
            let value =
                |claim: &Option<catalog::Claim<String>>| claim.as_ref().map(|claim| claim.value.clone());
            let ends =
                Ends { retires: value(&model.facts.retires), successor: value(&model.facts.successor) };
            (model.id.to_string(), ends)
        });
        let endpoints = snapshot.endpoints.iter().filter_map(|endpoint| {
            let offer = Offer {
                model: endpoint.model_in(snapshot)?.id.to_string(),
                provider: endpoint.provider_in(snapshot)?.id.to_string(),
                deprecated: endpoint.status == Status::Deprecated,
                price: PriceSheet::clone(&endpoint.price),
            };
            Some((endpoint.id.to_string(), offer))
        });
        Watched { models: models.collect(), endpoints: endpoints.collect() }
    }
}

/// What is news between two catalogs: models first, then offers, each by id.
pub(super) fn between(was: &Watched, is: &Watched) -> Vec<News> {
    let mut news = Vec::new();
    for (id, before) in &was.models {
        match is.models.get(id) {
            None => news.push(ending(id, None, id, "withdrawn", None, before.successor.as_deref())),
            Some(now) if now.retires.is_some() && now.retires != before.retires => {
                news.push(ending(id, None, id, "retires", now.retires.as_deref(), now.successor.as_deref()));
            }
            Some(_) => (),
        }
    }
    for (id, before) in &was.endpoints {
        // The end of a model is told once, not for each of its offers.
        let Some(ends) = is.models.get(&before.model) else { continue };
        let provider = Some(before.provider.as_str());
        let end = |what| ending(&before.model, provider, id, what, None, ends.successor.as_deref());
        match is.endpoints.get(id) {
            None => news.push(end("offer_withdrawn")),
            Some(now) => {
                if now.deprecated && !before.deprecated {
                    news.push(end("offer_deprecated"));
                }
                let changes = quote_changes(&before.price, &now.price);
                if !changes.is_empty() {
                    news.push(price(id, before, &changes));
                }
            }
        }
    }
    news
}

/// Every price that differs between two catalogs, and the endpoints that are new in the second, by endpoint.
pub(super) fn prices(was: &Watched, is: &Watched, number: i64, seen: Timestamp) -> Vec<PriceChangeRow> {
    let row = |endpoint: &str| PriceChangeRow {
        number,
        endpoint: endpoint.to_owned(),
        kind: String::new(),
        condition: String::new(),
        before: None,
        after: None,
        seen,
    };
    let mut rows = Vec::new();
    for (id, offer) in &is.endpoints {
        let Some(before) = was.endpoints.get(id) else {
            rows.push(row(id));
            continue;
        };
        rows.extend(quote_changes(&before.price, &offer.price).into_iter().map(|change| PriceChangeRow {
            kind: change.price.to_owned(),
            condition: change.when,
            before: change.old,
            after: change.new,
            ..row(id)
        }));
    }
    rows
}

fn price(endpoint: &str, offer: &Offer, changes: &[QuoteChange]) -> News {
    let Offer { model, provider, .. } = offer;
    let lines: Vec<String> = changes.iter().map(line).collect();
    News {
        kind: PRICE,
        about: endpoint.to_owned(),
        model: model.clone(),
        provider: Some(provider.clone()),
        body: json!({ "model": model, "provider": provider, "endpoint": endpoint, "changes": changes }),
        subject: format!("The price of {model} at {provider} changed"),
        text: format!(
            "You used {model} at {provider} in the last 30 days. Its price is another now, in US dollars:\n\n{}\n\nCalls that began \
             before cost what they did.",
            lines.join("\n")
        ),
    }
}

fn line(change: &QuoteChange) -> String {
    let value = |text: &Option<String>| text.clone().unwrap_or_else(|| "no price of its own".to_owned());
    let when = if change.when.is_empty() { String::new() } else { format!(" ({})", change.when) };
    let percent = change.percent.as_ref().map(|percent| format!(" ({percent} %)")).unwrap_or_default();
    format!("{}{when}: {} -> {}{percent}", change.price, value(&change.old), value(&change.new))
}

fn ending(
    model: &str,
    provider: Option<&str>,
    about: &str,
    what: &'static str,
    day: Option<&str>,
    successor: Option<&str>,
) -> News {
    let subject = match (what, provider, day) {
        ("retires", _, Some(day)) => format!("{model} retires on {day}"),
        ("offer_deprecated", Some(provider), _) => format!("{provider} will withdraw {model}"),
        ("offer_withdrawn", Some(provider), _) => format!("{provider} no longer offers {model}"),
        _ => format!("{model} is not in the catalog any more"),
    };
    let next = match successor {
        Some(successor) => format!("Its successor is {successor}."),
        None => "No successor is named.".to_owned(),
    };
    News {
        kind: END,
        about: about.to_owned(),
        model: model.to_owned(),
        provider: provider.map(str::to_owned),
        body: json!({
            "model": model, "provider": provider, "what": what, "retires": day, "successor": successor,
        }),
        text: format!("You used {model} in the last 30 days. {subject}. {next}"),
        subject,
    }
}

#[cfg(test)]
mod tests {
    use types::{PriceKind, Quote, Rate};

    use super::*;

    fn offer(input: &str, deprecated: bool) -> Offer {
        let quote = Quote::Known(Rate::parse_per_million(input).unwrap());
        Offer {
            model: "a/m".to_owned(),
            provider: "p".to_owned(),
            deprecated,
            price: PriceSheet { quotes: vec![(PriceKind::Input, quote)], overrides: Vec::new() },
        }
    }

    fn watched(retires: Option<&str>, offer: Option<Offer>) -> Watched {
        let ends = Ends { retires: retires.map(str::to_owned), successor: Some("a/n".to_owned()) };
        Watched {
            models: [("a/m".to_owned(), ends)].into(),
            endpoints: offer.map(|offer| ("p/m".to_owned(), offer)).into_iter().collect(),
        }
    }

    #[test]
    fn every_price_that_changed_is_kept() {
        let told = |was: &Watched, is: &Watched| {
            let rows = prices(was, is, 7, Timestamp(1));
            rows.into_iter().map(|row| (row.endpoint, row.kind, row.before, row.after)).collect::<Vec<_>>()
        };
        let (one, two) = (watched(None, Some(offer("1", false))), watched(None, Some(offer("2.5", false))));
        let text = |text: &str| text.to_owned();
        let changed = (text("p/m"), text("input_usd_per_mtok"), Some(text("1")), Some(text("2.5")));
        assert_eq!(told(&one, &two), [changed]);
        assert_eq!(told(&one, &one), []);
        assert_eq!(told(&one, &watched(None, None)), [], "what is gone has no price");
        assert_eq!(told(&watched(None, None), &one), [(text("p/m"), String::new(), None, None)], "new");
    }

    #[test]
    fn what_ends_or_costs_something_else_is_news() {
        let rows = [
            (watched(None, Some(offer("1", false))), vec![]),
            (watched(None, Some(offer("2", false))), vec!["The price of a/m at p changed"]),
            (watched(None, Some(offer("1", true))), vec!["p will withdraw a/m"]),
            (watched(None, None), vec!["p no longer offers a/m"]),
            (watched(Some("2030-01-31"), Some(offer("1", false))), vec!["a/m retires on 2030-01-31"]),
            (Watched::default(), vec!["a/m is not in the catalog any more"]),
        ];
        for (is, wanted) in rows {
            let news = between(&watched(None, Some(offer("1", false))), &is);
            let subjects: Vec<&str> = news.iter().map(|news| news.subject.as_str()).collect();
            assert_eq!(subjects, wanted);
        }
        let news =
            between(&watched(None, Some(offer("1", false))), &watched(None, Some(offer("1.5", false))));
        assert!(news[0].text.contains("input_usd_per_mtok: 1 -> 1.5 (+50.0 %)"), "{}", news[0].text);
        // What is kept of a catalog is read back.
        let kept = serde_json::to_string(&watched(None, Some(offer("1", false)))).unwrap();
        assert!(
            between(&serde_json::from_str(&kept).unwrap(), &watched(None, Some(offer("1", false))))
                .is_empty()
        );
    }
}
