//! Structured data in the words of schema.org: a model as a product with its offers, questions and answers, and the way to
//! a page. Prices are the decimal text of the catalog, never floats.

use catalog::{Endpoint, Snapshot};
use serde_json::{Map, Value, json};
use types::{PriceKind, Quote, Rate};

use super::head::address;
use crate::describe::Faq;
use crate::format::price_name;

/// A model with its offers. `picture` is the path of its preview picture.
pub(crate) fn model(snapshot: &Snapshot, position: usize, base_url: &str, picture: &str) -> Option<Value> {
    let model = snapshot.models.get(position)?;
    let author = snapshot.author(&model.author);
    let path = format!("/{}", model.id);
    let mut product = Map::new();
    let mut put = |key: &str, value: Value| product.insert(key.to_owned(), value);
    put("@context", json!("https://schema.org"));
    put("@type", json!("Product"));
    put("name", json!(model.name));
    put("sku", json!(model.id));
    put("category", json!("AI model"));
    put("url", json!(address(base_url, &path, &[])));
    put("image", json!(address(base_url, picture, &[])));
    put("brand", json!({"@type": "Brand", "name": author.map_or(&*model.author, |author| &author.name)}));
    if let Some(text) = &model.description {
        put("description", json!(text));
    }
    if let Some(claim) = &model.facts.released {
        put("releaseDate", json!(claim.value));
    }
    let mut properties = Vec::new();
    for (name, tokens) in [("Context", model.context_tokens()), ("Maximum output", model.max_output_tokens())]
    {
        if let Some(tokens) = tokens {
            properties
                .push(json!({"@type": "PropertyValue", "name": name, "value": tokens, "unitText": "tokens"}));
        }
    }
    if !properties.is_empty() {
        put("additionalProperty", json!(properties));
    }
    let offers: Vec<Value> = snapshot
        .model_endpoints(position)
        .filter_map(|endpoint| offer(snapshot, endpoint, base_url))
        .collect();
    if !offers.is_empty() {
        put("offers", aggregate(snapshot, position, offers));
    }
    Some(Value::Object(product))
}

fn known(endpoint: &Endpoint, kind: PriceKind) -> Option<Rate> {
    endpoint.price.quote(kind).and_then(Quote::rate)
}

/// All offers, with the lowest and the highest input price where there is one.
fn aggregate(snapshot: &Snapshot, position: usize, offers: Vec<Value>) -> Value {
    // Offers without a known price are not in the list, but they are offers, and the page counts them.
    let count = snapshot.endpoints_of(position).len();
    let mut all = json!({"@type": "AggregateOffer", "priceCurrency": "USD", "offerCount": count});
    let inputs =
        || snapshot.model_endpoints(position).filter_map(|endpoint| known(endpoint, PriceKind::Input));
    if let (Some(low), Some(high), Some(map)) = (inputs().min(), inputs().max(), all.as_object_mut()) {
        map.insert("lowPrice".to_owned(), json!(low.per_million()));
        map.insert("highPrice".to_owned(), json!(high.per_million()));
    }
    if let Some(map) = all.as_object_mut() {
        map.insert("offers".to_owned(), Value::Array(offers));
    }
    all
}

/// An offer with every price that is known; `None` where none is: an offer without a price says nothing to machines.
fn offer(snapshot: &Snapshot, endpoint: &Endpoint, base_url: &str) -> Option<Value> {
    let (model, provider) = (endpoint.model_in(snapshot)?, endpoint.provider_in(snapshot)?);
    let prices: Vec<Value> =
        PriceKind::ALL.into_iter().filter_map(|kind| Some(price(kind, known(endpoint, kind)?))).collect();
    (!prices.is_empty()).then(|| {
        json!({
            "@type": "Offer",
            "sku": endpoint.id,
            "url": address(base_url, &format!("/{}/{}", model.id, provider.id), &[]),
            "seller": {"@type": "Organization", "name": provider.name},
            "priceSpecification": prices,
        })
    })
}

fn price(kind: PriceKind, rate: Rate) -> Value {
    let (price, count) =
        if kind.is_per_unit() { (rate.per_unit(), 1) } else { (rate.per_million(), 1_000_000) };
    let unit = match kind {
        PriceKind::Requests => "requests",
        PriceKind::Searches => "searches",
        PriceKind::Images => "images",
        PriceKind::AudioSeconds => "seconds of audio",
        PriceKind::Characters => "characters",
        _ => "tokens",
    };
    json!({
        "@type": "UnitPriceSpecification",
        "name": price_name(kind),
        "price": price,
        "priceCurrency": "USD",
        "referenceQuantity": {"@type": "QuantitativeValue", "value": count, "unitText": unit},
    })
}

/// Questions and answers.
pub(crate) fn questions(all: &[Faq]) -> Value {
    let question = |faq: &Faq| {
        json!({
            "@type": "Question",
            "name": faq.question,
            "acceptedAnswer": {"@type": "Answer", "text": faq.answer.replace('`', "")},
        })
    };
    json!({
        "@context": "https://schema.org",
        "@type": "FAQPage",
        "mainEntity": all.iter().map(question).collect::<Vec<_>>(),
    })
}

/// The way to a page: names and paths, from the first page on.
pub(crate) fn breadcrumbs(base_url: &str, way: &[(&str, &str)]) -> Value {
    let item = |(at, (name, path)): (usize, &(&str, &str))| json!({"@type": "ListItem", "position": at + 1, "name": name, "item": address(base_url, path, &[])});
    json!({
        "@context": "https://schema.org",
        "@type": "BreadcrumbList",
        "itemListElement": way.iter().enumerate().map(item).collect::<Vec<_>>(),
    })
}

/// Text for `<script type="application/ld+json">`: nothing in it ends the element or begins another. A template must write it as
/// it is, without escaping.
pub(crate) fn script_text(value: &Value) -> String {
    value
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}
