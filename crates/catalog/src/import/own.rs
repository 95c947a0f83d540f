//! Our own format back into a snapshot: what `/catalog.json` and `tollway catalog export own` write.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use types::{Override, PriceKind, PriceSheet, Quote, UtcMinute};

use super::FeedError;
use crate::claim::{Claim, Dissent};
use crate::endpoint::{Endpoint, EndpointFacts, PriceClaim, Status};
use crate::export::FORMAT;
use crate::kind;
use crate::model::{Author, Benchmark, Model, ModelFacts, Source};
use crate::overlay::CONFIG_SOURCE;
use crate::price;
use crate::provider::{Protocol, Provider, ProviderFacts, Quirks};
use crate::snapshot::{Parts, Snapshot};

#[derive(Deserialize)]
struct Document {
    format: u32,
    sources: Vec<Source>,
    authors: Vec<Author>,
    models: Vec<OwnModel>,
    providers: Vec<OwnProvider>,
    endpoints: Vec<OwnEndpoint>,
}

#[derive(Deserialize)]
struct OwnModel {
    id: String,
    author: String,
    name: String,
    description: Option<String>,
    family: Option<String>,
    aliases: Vec<String>,
    facts: ModelFacts,
    benchmarks: Vec<Benchmark>,
    source: String,
    as_of: Option<String>,
}

#[derive(Deserialize)]
struct OwnProvider {
    id: String,
    name: String,
    protocol: Protocol,
    base_url: Option<String>,
    api_key_env: Vec<String>,
    docs: Option<String>,
    facts: ProviderFacts,
    quirks: Quirks,
    source: String,
    as_of: Option<String>,
}

type Prices = BTreeMap<String, Claim<String>>;

#[derive(Deserialize)]
struct OwnOverride {
    above_input_tokens: Option<u64>,
    utc_from: Option<String>,
    utc_to: Option<String>,
    price: Prices,
}

#[derive(Deserialize)]
struct OwnEndpoint {
    id: String,
    model: String,
    provider: String,
    variant: Option<String>,
    provider_model_id: String,
    status: Status,
    facts: EndpointFacts,
    price: Prices,
    price_overrides: Vec<OwnOverride>,
    source: String,
    as_of: Option<String>,
}

/// Reads our own format.
///
/// # Errors
/// The first entry that is wrong.
pub fn own(text: &str) -> Result<Snapshot, FeedError> {
    let document: Document = serde_json::from_str(text)
        .map_err(|error| FeedError::new("the file", format!("is not our own format: {error}")))?;
    if document.format != FORMAT {
        let message = format!("is of format {}; this version reads {FORMAT}", document.format);
        return Err(FeedError::new("the file", message));
    }
    let mut parts = Parts {
        sources: document.sources,
        authors: document.authors,
        providers: document.providers.into_iter().map(provider).collect(),
        ..Parts::default()
    };
    for own in document.models {
        parts.models.push(model(own)?);
    }
    for own in document.endpoints {
        parts.endpoints.push(endpoint(own)?);
    }
    Snapshot::assemble(parts).map_err(|message| FeedError::new("the file", message))
}

fn provider(own: OwnProvider) -> Provider {
    Provider {
        from_config: own.source == CONFIG_SOURCE,
        id: own.id.into(),
        name: own.name.into(),
        protocol: own.protocol,
        base_url: own.base_url,
        configured_base_url: None,
        api_key_env: own.api_key_env,
        docs: own.docs,
        facts: own.facts,
        quirks: own.quirks,
        source: own.source.into(),
        as_of: own.as_of.unwrap_or_default().into(),
    }
}

fn model(own: OwnModel) -> Result<Model, FeedError> {
    let Some((_, slug)) = own.id.split_once('/').filter(|(author, _)| *author == own.author) else {
        return Err(FeedError::new(&own.id, "is no id of a model of its author"));
    };
    Ok(Model {
        from_config: own.source == CONFIG_SOURCE,
        slug: slug.into(),
        author: own.author.into(),
        id: own.id.as_str().into(),
        name: own.name,
        description: own.description,
        family: own.family,
        aliases: own.aliases,
        facts: own.facts,
        benchmarks: own.benchmarks,
        source: own.source.into(),
        as_of: own.as_of.unwrap_or_default().into(),
    })
}

fn endpoint(own: OwnEndpoint) -> Result<(Arc<str>, Arc<str>, Endpoint), FeedError> {
    let Some((_, name)) = own.id.split_once('/') else {
        return Err(FeedError::new(&own.id, "is no id of an endpoint"));
    };
    let mut claims = Vec::new();
    let mut sheet =
        PriceSheet { quotes: prices(&own.id, &own.price, None, &mut claims)?, overrides: Vec::new() };
    for (change, at) in own.price_overrides.iter().zip(0u32..) {
        let minute = |text: &Option<String>| text.as_deref().and_then(UtcMinute::parse);
        sheet.overrides.push(Override {
            above_input_tokens: change.above_input_tokens,
            utc_window: minute(&change.utc_from).zip(minute(&change.utc_to)),
            quotes: prices(&own.id, &change.price, Some(at), &mut claims)?,
        });
    }
    let endpoint = Endpoint {
        price_version: price::version(&own.id, &sheet),
        name: name.into(),
        id: own.id.as_str().into(),
        model: 0,
        provider: 0,
        variant: own.variant.map(Into::into),
        provider_model_id: own.provider_model_id.into(),
        status: own.status,
        facts: own.facts,
        price: Arc::new(sheet),
        price_claims: claims,
        from_config: own.source == CONFIG_SOURCE,
        source: own.source.into(),
        as_of: own.as_of.unwrap_or_default().into(),
    };
    Ok((own.model.into(), own.provider.into(), endpoint))
}

fn prices(
    id: &str,
    table: &Prices,
    override_index: Option<u32>,
    claims: &mut Vec<PriceClaim>,
) -> Result<Vec<(PriceKind, Quote)>, FeedError> {
    if let Some(key) =
        table.keys().find(|key| PriceKind::ALL.iter().all(|kind| kind.file_key() != key.as_str()))
    {
        return Err(FeedError::new(id, format!("`{key}` is no price")));
    }
    let mut quotes = Vec::new();
    for kind in PriceKind::ALL {
        let Some(claim) = table.get(kind.file_key()) else { continue };
        let read = |text: &str| {
            kind::quote(kind, text)
                .map_err(|flaw| FeedError::new(id, format!("`{}` {}", kind.file_key(), flaw.message)))
        };
        let value = read(&claim.value)?;
        let mut dissent = Vec::with_capacity(claim.dissent.len());
        for other in &claim.dissent {
            dissent.push(Dissent {
                value: read(&other.value)?,
                source: Arc::clone(&other.source),
                as_of: Arc::clone(&other.as_of),
            });
        }
        quotes.push((kind, value));
        let claim = Claim {
            value,
            source: Arc::clone(&claim.source),
            as_of: Arc::clone(&claim.as_of),
            rule: claim.rule,
            dissent,
        };
        claims.push(PriceClaim { kind, override_index, claim });
    }
    Ok(quotes)
}
