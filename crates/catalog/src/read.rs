//! Reads one file of each kind. The id is the path; the caller gives it.

use std::sync::Arc;

use toml::de::DeValue;

use crate::document::{Mention, Page, Table};
use crate::endpoint::{Endpoint, EndpointFacts, Status};
use crate::kind;
use crate::model::{Author, Benchmark, Model, ModelFacts, Source};
use crate::price;
use crate::problem::Flaw;
use crate::provider::{
    ErrorShape, MaxTokensName, OnDisconnect, Protocol, Provider, ProviderFacts, Quirks, StreamUsage,
    ToolCallIds,
};

/// A model with the places of its aliases.
pub(crate) struct ModelFile {
    pub(crate) model: Model,
    pub(crate) aliases: Vec<Mention>,
    pub(crate) successor_line: usize,
}

/// An endpoint before its model and provider are found.
pub(crate) struct EndpointFile {
    pub(crate) endpoint: Endpoint,
    pub(crate) model: Mention,
    pub(crate) provider: Arc<str>,
    pub(crate) reasoning_price_line: Option<usize>,
}

pub(crate) fn source(id: &str, mut table: Table<'_>, page: &mut Page<'_>) -> Option<Source> {
    let name = table.required(page, "name", kind::text);
    let url = table.required(page, "url", kind::URL.read);
    let note = table.value(page, "note", kind::text);
    table.finish(page);
    Some(Source { id: page.intern(id), name: name?, url: url?, note })
}

pub(crate) fn author(id: &str, mut table: Table<'_>, page: &mut Page<'_>) -> Option<Author> {
    let name = table.required(page, "name", kind::text);
    let url = table.value(page, "url", kind::URL.read);
    let country = table.value(page, "country", kind::COUNTRY.read);
    table.finish(page);
    Some(Author { id: page.intern(id), name: name?, url, country })
}

pub(crate) fn model(
    author: &str,
    slug: &str,
    mut table: Table<'_>,
    page: &mut Page<'_>,
) -> Option<ModelFile> {
    let (source, as_of) = table.provenance(page);
    let name = table.required(page, "name", kind::text);
    let description = table.value(page, "description", kind::text);
    let family = table.value(page, "family", kind::text);
    let aliases = aliases(&mut table, page);
    let mut below = table.table(page, "facts");
    let successor_line = below.line_of(page, "successor").unwrap_or(below.line);
    let facts = ModelFacts::read(&mut below, page);
    below.finish(page);
    let benchmarks = benchmarks(&mut table, page);
    table.finish(page);
    let model = Model {
        id: page.intern(&format!("{author}/{slug}")),
        author: page.intern(author),
        slug: page.intern(slug),
        name: name?,
        description,
        family,
        aliases: aliases.iter().map(|alias| alias.id.to_string()).collect(),
        facts,
        benchmarks,
        source,
        as_of,
        from_config: false,
    };
    Some(ModelFile { model, aliases, successor_line })
}

fn aliases(table: &mut Table<'_>, page: &mut Page<'_>) -> Vec<Mention> {
    let Some((node, line)) = table.take(page, "aliases") else {
        return Vec::new();
    };
    let DeValue::Array(items) = node.into_inner() else {
        page.problem(line, "bad-value", "`aliases` must be an array of text");
        return Vec::new();
    };
    let mut aliases = Vec::with_capacity(items.len());
    for item in items {
        let line = page.line(&item.span());
        match item.get_ref().as_str().filter(|text| is_alias(text)) {
            Some(text) => aliases.push(Mention { id: page.intern(text), line }),
            None => page.problem(
                line,
                "bad-id",
                "an alias must be lower-case text without spaces, at most 256 bytes",
            ),
        }
    }
    aliases
}

fn is_alias(text: &str) -> bool {
    const BYTES_MAX: usize = 256;
    let allowed = |b: u8| b.is_ascii_graphic() && !b.is_ascii_uppercase();
    !text.is_empty() && text.len() <= BYTES_MAX && text.bytes().all(allowed)
}

fn benchmarks(table: &mut Table<'_>, page: &mut Page<'_>) -> Vec<Benchmark> {
    let mut results = Vec::new();
    for mut row in table.tables(page, "benchmarks") {
        let name = row.required(page, "name", kind::text);
        let score = row.required(page, "score", kind::DECIMAL.read);
        let metric = row.value(page, "metric", kind::text);
        let date = row.value(page, "date", kind::DATE.read);
        let source = row.mentioned(page, "source");
        row.finish(page);
        if let (Some(name), Some(score), Some(source)) = (name, score, source) {
            results.push(Benchmark { name, score, metric, source: source.id, date });
        }
    }
    results
}

pub(crate) fn provider(id: &str, mut table: Table<'_>, page: &mut Page<'_>) -> Option<Provider> {
    let (source, as_of) = table.provenance(page);
    let name = table.required(page, "name", kind::text);
    let protocol = table
        .required(page, "protocol", |value: &DeValue<'_>| kind::one_of(value, Protocol::ALL, Protocol::name));
    let base_url = table.value(page, "base_url", kind::base_url);
    let api_key_env = table.value(page, "api_key_env", env_names).unwrap_or_default();
    let docs = table.value(page, "docs", kind::URL.read);
    let mut below = table.table(page, "facts");
    let facts = ProviderFacts::read(&mut below, page);
    below.finish(page);
    let mut below = table.table(page, "quirks");
    let says_rule = below.line_of(page, "on_disconnect").is_some();
    let mut quirks = quirks(&mut below, page);
    let goes_on = facts.cancel_stops_billing.as_ref().is_some_and(|stops| !stops.value);
    if goes_on && !says_rule {
        quirks.on_disconnect = OnDisconnect::DrainCapped;
    }
    below.finish(page);
    table.finish(page);
    Some(Provider {
        id: page.intern(id),
        name: name?.into(),
        protocol: protocol?,
        base_url,
        configured_base_url: None,
        api_key_env,
        docs,
        facts,
        quirks,
        source,
        as_of,
        from_config: false,
    })
}

fn env_names(value: &DeValue<'_>) -> Result<Vec<String>, Flaw> {
    let names = (kind::TEXTS.read)(value)?;
    let well_formed =
        |name: &String| name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if !names.iter().all(well_formed) {
        return Err(Flaw::new(
            "bad-value",
            "must name environment variables: capital letters, digits and `_`",
        ));
    }
    Ok(names)
}

fn header_name(value: &DeValue<'_>) -> Result<String, Flaw> {
    let text = kind::text(value)?;
    if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(Flaw::new(
            "bad-value",
            "must be a header's name in small letters, such as \"x-api-key\"",
        ));
    }
    Ok(text)
}

fn quirks(table: &mut Table<'_>, page: &mut Page<'_>) -> Quirks {
    let plain = Quirks::default();
    macro_rules! named {
        ($key:literal, $type:ty) => {
            table.value(page, $key, |value: &DeValue<'_>| kind::one_of(value, <$type>::ALL, <$type>::name))
        };
    }
    Quirks {
        max_tokens_name: named!("max_tokens_name", MaxTokensName),
        unsupported_parameters: table
            .value(page, "unsupported_parameters", kind::TEXTS.read)
            .unwrap_or_default(),
        stream_usage: named!("stream_usage", StreamUsage).unwrap_or_default(),
        tool_call_ids: named!("tool_call_ids", ToolCallIds).unwrap_or_default(),
        rename_roles: table.texts(page, "rename_roles").into_iter().collect(),
        rename_parameters: table.texts(page, "rename_parameters").into_iter().collect(),
        strict_parameters: table
            .value(page, "strict_parameters", kind::BOOL.read)
            .unwrap_or(plain.strict_parameters),
        error_shape: named!("error_shape", ErrorShape).unwrap_or_default(),
        on_disconnect: named!("on_disconnect", OnDisconnect).unwrap_or_default(),
        auth_header: table.value(page, "auth_header", header_name),
        auth_optional: table.value(page, "auth_optional", kind::BOOL.read).unwrap_or(plain.auth_optional),
        responses: table.value(page, "responses", kind::BOOL.read).unwrap_or(plain.responses),
    }
}

pub(crate) fn endpoint(
    provider: &str,
    name: &str,
    mut table: Table<'_>,
    page: &mut Page<'_>,
) -> Option<EndpointFile> {
    let (source, as_of) = table.provenance(page);
    let model = table.mentioned_model(page);
    let provider_model_id = table.required(page, "provider_model_id", kind::text);
    let variant = variant(name, &mut table, page);
    let status =
        table.value(page, "status", |value: &DeValue<'_>| kind::one_of(value, Status::ALL, Status::name));
    let mut below = table.table(page, "facts");
    let facts = EndpointFacts::read(&mut below, page);
    below.finish(page);
    let prices = price::read(table.table(page, "price"), page);
    table.finish(page);
    let id = page.intern(&format!("{provider}/{name}"));
    let endpoint = Endpoint {
        price_version: price::version(&id, &prices.sheet),
        id,
        model: 0,
        provider: 0,
        name: page.intern(name),
        variant,
        provider_model_id: provider_model_id?.into(),
        status: status.unwrap_or_default(),
        facts,
        price: Arc::new(prices.sheet),
        price_claims: prices.claims,
        source,
        as_of,
        from_config: false,
    };
    let provider = page.intern(provider);
    Some(EndpointFile { endpoint, model: model?, provider, reasoning_price_line: prices.reasoning_line })
}

/// The part of the name after `@`, which the key `variant` may repeat.
fn variant(name: &str, table: &mut Table<'_>, page: &mut Page<'_>) -> Option<Arc<str>> {
    let line = table.line_of(page, "variant").unwrap_or(table.line);
    let stated = table.value(page, "variant", kind::text);
    let named = name.split_once('@').map(|(_, variant)| variant);
    if stated.is_some() && stated.as_deref() != named {
        page.problem(line, "name-mismatch", "`variant` must be the part of the file's name after `@`");
    }
    named.map(|variant| page.intern(variant))
}
