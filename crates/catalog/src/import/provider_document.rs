//! What a supplier publishes of its offers: OpenRouter's provider document, schema 2.4.
//!
//! Each input and output modality has its own prices, dollars per single unit as text. `prompt_tokens: {gte: 200001}` is our "above
//! 200000". The document is the provider's own word: a price of 0 is believed.

use serde_json::value::RawValue;
use types::PriceKind;

use super::feed::{Entry, Feed, Key, Line, Offer, Says, known, modalities, source};
use super::openrouter::SHIFT;
use super::raw::Fields;
use super::{FeedError, Tally};
use crate::endpoint::{EndpointFacts, Status};
use crate::model::{Modality, ModelFacts};
use crate::snapshot::Snapshot;

/// Modality, type and unit of a price -> its kind. `""`: outside of the modalities.
pub(crate) const PRICES: [(&str, &str, &str, PriceKind); 14] = [
    ("text", "prompt", "token", PriceKind::Input),
    ("text", "cached_prompt", "token", PriceKind::CacheRead),
    ("text", "cache_write", "token", PriceKind::CacheWrite),
    ("text", "prompt", "character", PriceKind::Characters),
    ("audio", "prompt", "token", PriceKind::AudioInput),
    ("audio", "prompt", "second", PriceKind::AudioSeconds),
    ("image", "prompt", "token", PriceKind::ImageInput),
    ("text", "completion", "token", PriceKind::Output),
    ("text", "internal_reasoning", "token", PriceKind::Reasoning),
    ("audio", "completion", "token", PriceKind::AudioOutput),
    ("image", "completion", "token", PriceKind::ImageOutput),
    ("image", "completion", "image", PriceKind::Images),
    ("", "request", "request", PriceKind::Requests),
    ("", "web_search", "search", PriceKind::Searches),
];

const MODEL_NO_PLACE: [&str; 14] = [
    "schema_version",
    "created",
    "description",
    "architecture",
    "context_length",
    "capacity",
    "datacenters",
    "compliance",
    "is_free",
    "discount_to_user",
    "tokenizer",
    "passthrough_parameters",
    "object",
    "owned_by",
];

pub(super) fn read(
    raw: &RawValue,
    base: &Snapshot,
    as_of: &str,
    provider: Option<&str>,
    tally: &mut Tally,
) -> Result<Feed, FeedError> {
    let known = provider.and_then(|slug| base.provider(slug));
    let Some((_, provider)) = known else {
        return Err(FeedError::new(
            "the feed",
            "say whose document it is: --provider and the slug of a provider of the catalog",
        ));
    };
    let id = format!("{}-document", provider.id);
    let says = Says::new(&id, as_of);
    let mut fields = Fields::new(raw, "document", "the feed")?;
    let mut entries = Vec::new();
    for raw in fields.list("data")? {
        entries.push(entry(&provider.id, raw, &says, tally)?);
    }
    fields.no_place(&["object"], tally);
    fields.finish(tally);
    if entries.is_empty() {
        return Err(FeedError::new("the feed", "has no `data`; is it a provider document?"));
    }
    let url = provider.docs.clone().or_else(|| provider.base_url.clone());
    let url = url.filter(|url| crate::kind::check_url(url).is_ok());
    Ok(Feed {
        source: source(
            &id,
            &format!("{}, list of models", provider.name),
            &url.unwrap_or_else(|| "https://openrouter.ai".to_owned()),
        ),
        providers: Vec::new(),
        entries,
        carries: |line| {
            PRICES.iter().any(|(_, _, _, kind)| *kind == line.kind) || line.kind == PriceKind::CacheWrite1h
        },
        is_own_word: true,
    })
}

fn entry(provider: &str, raw: &RawValue, says: &Says, tally: &mut Tally) -> Result<Entry, FeedError> {
    let mut fields = Fields::new(raw, "model", "data")?;
    let id = fields.text("id")?.ok_or_else(|| FeedError::new("data", "has an entry without `id`"))?;
    fields.at.clone_from(&id);
    let title = fields.text("name")?;
    let slug = match fields.object("openrouter", "openrouter")? {
        Some(mut named) => {
            let slug = named.text("slug")?;
            named.finish(tally);
            slug
        }
        None => None,
    };
    let mut facts = EndpointFacts::default();
    let mut lines = Vec::new();
    inputs(&mut fields, &mut facts, &mut lines, says, tally)?;
    outputs(&mut fields, &mut facts, &mut lines, says, tally)?;
    facts.quantization =
        fields.text("quantization")?.filter(|name| crate::kind::is_quantization(name)).map(|v| says.claim(v));
    facts.region = fields.text("deployment_region")?.map(|v| says.claim(v));
    let ready = fields.flag("is_ready")?.unwrap_or(true);
    let retires = fields.date("deprecation_date")?;
    let status = if retires.is_some() {
        Status::Deprecated
    } else if ready {
        Status::Live
    } else {
        Status::Alpha
    };
    let model_facts = ModelFacts {
        weights_url: fields
            .text("hugging_face_id")?
            .map(|name| says.claim(format!("https://huggingface.co/{name}"))),
        ..ModelFacts::default()
    };
    fields.no_place(&MODEL_NO_PLACE, tally);
    fields.finish(tally);
    let names = [slug, Some(id.clone()), Some(format!("{provider}/{id}"))];
    Ok(Entry {
        at: id.clone(),
        names: names.into_iter().flatten().collect(),
        title,
        facts: model_facts,
        offer: Some(Offer {
            provider: provider.to_owned(),
            key: Key::Id(id),
            facts,
            status: Some(status),
            lines,
            says_free: false,
        }),
        makes_model: true,
        ..Entry::default()
    })
}

fn inputs(
    fields: &mut Fields<'_>,
    facts: &mut EndpointFacts,
    lines: &mut Vec<Line>,
    says: &Says,
    tally: &mut Tally,
) -> Result<(), FeedError> {
    let mut names = Vec::new();
    for raw in fields.list("input_modalities")? {
        let mut modality = Fields::new(raw, "input_modality", &fields.at)?;
        let name = modality
            .text("type")?
            .ok_or_else(|| modality.bad("input_modalities", "has one without `type`"))?;
        if let Some(mut inputs) = modality.object("supported_inputs", "supported_inputs")? {
            let context = inputs.object("max_context_length", "max_context_length")?;
            if let Some(length) = measure(context, tally)?.filter(|_| name == "text") {
                facts.context_tokens = Some(says.claim(length));
            }
            inputs.no_place(&["sources", "formats", "max_count", "max_size"], tally);
            inputs.finish(tally);
        }
        prices(&mut modality, &name, lines, tally)?;
        modality.no_place(&["capacity", "passthrough_parameters"], tally);
        modality.finish(tally);
        names.push(name);
    }
    facts.input_modalities = modalities(&names, &Modality::INPUTS).map(|v| says.claim(v));
    Ok(())
}

fn outputs(
    fields: &mut Fields<'_>,
    facts: &mut EndpointFacts,
    lines: &mut Vec<Line>,
    says: &Says,
    tally: &mut Tally,
) -> Result<(), FeedError> {
    let mut names = Vec::new();
    for raw in fields.list("output_modalities")? {
        let mut modality = Fields::new(raw, "output_modality", &fields.at)?;
        let name = modality
            .text("type")?
            .ok_or_else(|| modality.bad("output_modalities", "has one without `type`"))?;
        let mut length = measure(modality.object("max_length", "max_length")?, tally)?;
        if let Some(mut outputs) = modality.object("supported_outputs", "supported_outputs")? {
            let stated = measure(outputs.object("max_output_tokens", "max_output_tokens")?, tally)?;
            length = length.or(stated);
            outputs.finish(tally);
        }
        if let Some(raw) = modality.raw("supported_parameters") {
            let mut list: Vec<String> = super::raw::object(raw, &fields.at)?.into_keys().collect();
            list.sort();
            let has = |name: &str| list.iter().any(|known| known == name);
            facts.tool_call = Some(says.claim(has("tools")));
            facts.structured_output = Some(says.claim(has("structured_outputs")));
            facts.supported_parameters = (!list.is_empty()).then(|| says.claim(list));
        }
        if let Some(length) = length.filter(|_| name == "text") {
            facts.max_output_tokens = Some(says.claim(length));
        }
        prices(&mut modality, &name, lines, tally)?;
        modality.no_place(&["capacity", "streaming", "passthrough_parameters"], tally);
        modality.finish(tally);
        names.push(name);
    }
    // What stands outside of the modalities: a fee per request, a search.
    match fields.raw("pricing") {
        Some(raw) if raw.get().starts_with('[') => {
            for raw in super::raw::list(raw, &fields.at)? {
                price(raw, "", &fields.at, lines, tally)?;
            }
        }
        // The older flat form beside the new one.
        Some(_) => *tally.no_place.entry("model.pricing".to_owned()).or_default() += 1,
        None => (),
    }
    facts.output_modalities = modalities(&names, &Modality::OUTPUTS).map(|v| says.claim(v));
    Ok(())
}

/// `{"value": 262144, "unit": "token"}`
fn measure(fields: Option<Fields<'_>>, tally: &mut Tally) -> Result<Option<u64>, FeedError> {
    let Some(mut fields) = fields else { return Ok(None) };
    let value = known(fields.count("value")?);
    let is_tokens = fields.text("unit")?.is_none_or(|unit| unit == "token");
    fields.finish(tally);
    Ok(value.filter(|_| is_tokens))
}

fn prices(
    fields: &mut Fields<'_>,
    modality: &str,
    lines: &mut Vec<Line>,
    tally: &mut Tally,
) -> Result<(), FeedError> {
    for raw in fields.list("pricing")? {
        price(raw, modality, &fields.at, lines, tally)?;
    }
    Ok(())
}

fn price(
    raw: &RawValue,
    modality: &str,
    at: &str,
    lines: &mut Vec<Line>,
    tally: &mut Tally,
) -> Result<(), FeedError> {
    let mut fields = Fields::new(raw, "pricing", at)?;
    let named = fields.text("type")?.unwrap_or_default();
    let unit = fields.text("unit")?.unwrap_or_default();
    let ttl = fields.count("ttl_seconds")?;
    let row = PRICES.iter().find(|(of, name, per, _)| (*of, *name, *per) == (modality, &*named, &*unit));
    let Some((_, _, _, kind)) = row else {
        let name = format!("pricing {modality} {named} per {unit}");
        *tally.no_place.entry(name.trim().to_owned()).or_default() += 1;
        return Ok(());
    };
    let kind = match kind {
        PriceKind::CacheWrite if ttl == Some(3_600) => PriceKind::CacheWrite1h,
        other => *other,
    };
    let quote = fields.price("cost_usd", kind, SHIFT, tally)?;
    let quote = quote.ok_or_else(|| fields.bad("cost_usd", "is missing"))?;
    lines.push(Line::base(kind, quote));
    for raw in fields.list("overrides")? {
        let mut change = Fields::new(raw, "pricing.overrides", at)?;
        let quote = change.price("cost_usd", kind, SHIFT, tally)?;
        let mut above = None;
        if let Some(mut when) = change.object("when", "pricing.when")? {
            if let Some(mut bound) = when.object("prompt_tokens", "pricing.when.prompt_tokens")? {
                above = bound.count("gte")?.and_then(|size| size.checked_sub(1)).filter(|size| *size > 0);
                bound.finish(tally);
            }
            when.finish(tally);
        }
        change.finish(tally);
        match (quote, above) {
            (Some(quote), Some(above)) => lines.push(Line { above: Some(above), ..Line::base(kind, quote) }),
            _ => tally.skip("a price under a condition that is not known here", at),
        }
    }
    fields.no_place(&["implicit"], tally);
    fields.finish(tally);
    Ok(())
}
