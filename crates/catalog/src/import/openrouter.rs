//! OpenRouter's `GET /api/v1/models`, and `GET /api/v1/models/{author}/{slug}/endpoints` of one model or several such answers in a list.
//!
//! Prices are dollars per single unit as text; `min_prompt_tokens` holds above, like our sizes, and clock times are `HHMM`. The list of
//! models prices what OpenRouter itself sells: that is an offer of the provider `openrouter`, where the catalog has one. A parameter
//! that is listed is supported; one that isn't may be. Models of `openrouter` itself and variants (`:free`) are not models here.

use serde_json::value::RawValue;
use types::{PriceKind, UtcMinute};

use super::feed::{Entry, Feed, Key, Line, Offer, Says, known, modalities, source};
use super::raw::{Fields, list};
use super::{FeedError, Tally};
use crate::endpoint::EndpointFacts;
use crate::export::PRICE_KEYS;
use crate::model::{Modality, ModelFacts};

/// From dollars per unit to nano-dollars per million.
pub(super) const SHIFT: i32 = 15;
const ID: &str = "openrouter";

/// OpenRouter's slug of a provider -> ours, where they differ.
const PROVIDERS: [(&str, &str); 7] = [
    ("google-ai-studio", "google"),
    ("together", "togetherai"),
    ("fireworks", "fireworks-ai"),
    ("novita", "novita-ai"),
    ("z-ai", "zai"),
    ("cloudflare", "cloudflare-workers-ai"),
    ("nebius-fast", "nebius"),
];

const MODEL_NO_PLACE: [&str; 15] = [
    "created",
    "description",
    "per_request_limits",
    "default_parameters",
    "benchmarks",
    "links",
    "reasoning",
    "supported_voices",
    "object",
    "owned_by",
    "available",
    "endpoint_count",
    "aliases",
    "retires",
    "successor",
];

const ENDPOINT_NO_PLACE: [&str; 26] = [
    "name",
    "model_id",
    "model_name",
    "provider_name",
    "max_prompt_tokens",
    "status",
    "uptime_last_30m",
    "uptime_last_5m",
    "uptime_last_1d",
    "supports_implicit_caching",
    "latency_last_30m",
    "throughput_last_30m",
    "can_abort",
    "moderation_required",
    "id",
    "provider_model_id",
    "region",
    "prices",
    "price_version",
    "supports_voice_cloning",
    "stage",
    "samples_last_30m",
    "available",
    "billable",
    "source",
    "as_of",
];

pub(super) fn read(raw: &RawValue, as_of: &str, tally: &mut Tally) -> Result<Feed, FeedError> {
    let says = Says::new(ID, as_of);
    let mut entries = Vec::new();
    for raw in documents(raw, tally)? {
        let mut fields = Fields::new(raw, "model", "data")?;
        let id = fields.text("id")?.ok_or_else(|| FeedError::new("data", "has an entry without `id`"))?;
        fields.at.clone_from(&id);
        if let Some(endpoints) = fields.raw("endpoints") {
            fields.no_place(&["name", "created", "description", "architecture", "links"], tally);
            fields.finish(tally);
            for raw in list(endpoints, &id)? {
                entries.push(endpoint(&id, raw, &says, tally)?);
            }
        } else {
            entries.extend(model(&id, fields, &says, tally)?);
        }
    }
    Ok(Feed {
        source: source(ID, "OpenRouter", "https://openrouter.ai"),
        providers: Vec::new(),
        entries,
        carries: |line| PRICE_KEYS.iter().any(|(kind, _)| *kind == line.kind),
        is_own_word: false,
    })
}

/// The objects of `{"data": [...]}`, `{"data": {...}}`, or a list of either.
fn documents<'t>(raw: &'t RawValue, tally: &mut Tally) -> Result<Vec<&'t RawValue>, FeedError> {
    let whole = if raw.get().starts_with('[') { list(raw, "the feed")? } else { vec![raw] };
    let mut found = Vec::new();
    for raw in whole {
        let mut fields = Fields::new(raw, "answer", "the feed")?;
        let data = fields.raw("data").ok_or_else(|| FeedError::new("the feed", "has no `data`"))?;
        fields.no_place(&["object", "total_count", "links"], tally);
        fields.finish(tally);
        if data.get().starts_with('[') { found.extend(list(data, "data")?) } else { found.push(data) }
    }
    Ok(found)
}

/// `None` for what is no model.
fn model(
    id: &str,
    mut fields: Fields<'_>,
    says: &Says,
    tally: &mut Tally,
) -> Result<Option<Entry>, FeedError> {
    let prices = fields.object("pricing", "pricing")?;
    let title = fields.text("name")?;
    let canonical = fields.text("canonical_slug")?;
    let Some((author, slug)) = id.split_once('/').filter(|(author, _)| *author != ID) else {
        tally.skip("no model, but a router", id);
        return Ok(None);
    };
    let (slug, is_variant) = slug.split_once(':').map_or((slug, false), |(slug, _)| (slug, true));
    let mut facts = ModelFacts {
        context_tokens: known(fields.count("context_length")?).map(|v| says.claim(v)),
        knowledge_cutoff: fields.date("knowledge_cutoff")?.map(|v| says.claim(v)),
        retires: fields.date("expiration_date")?.map(|v| says.claim(v)),
        ..ModelFacts::default()
    };
    weights_and_limit(&mut fields, &mut facts, says, tally)?;
    architecture(&mut fields, &mut facts, says, tally)?;
    let parameters = fields.texts("supported_parameters")?.unwrap_or_default();
    let listed = |name: &str| parameters.iter().any(|known| known == name).then(|| says.claim(true));
    facts.tool_call = listed("tools");
    facts.reasoning = listed("reasoning");
    facts.structured_output = listed("structured_outputs");
    fields.no_place(&MODEL_NO_PLACE, tally);
    fields.finish(tally);
    let lines = match prices {
        Some(prices) => pricing(prices, tally)?,
        None => Vec::new(),
    };
    if is_variant {
        facts = ModelFacts::default();
    }
    let (maker, title) = match title.as_deref().and_then(|title| title.split_once(": ")) {
        Some((maker, title)) => (maker.to_owned(), Some(title.to_owned())),
        None => (author.to_owned(), title),
    };
    let offer = Offer {
        provider: ID.to_owned(),
        key: Key::Id(id.to_owned()),
        facts: EndpointFacts::default(),
        status: None,
        lines,
        says_free: id.ends_with(":free"),
    };
    let names = [Some(format!("{author}/{slug}")), canonical, Some(slug.to_owned())];
    Ok(Some(Entry {
        at: id.to_owned(),
        names: names.into_iter().flatten().collect(),
        title: title.map(|title| title.trim_end_matches(" (free)").to_owned()),
        family: None,
        author: Some((author.to_ascii_lowercase(), maker)),
        facts,
        offer: Some(offer),
        makes_model: !is_variant,
    }))
}

fn weights_and_limit(
    fields: &mut Fields<'_>,
    facts: &mut ModelFacts,
    says: &Says,
    tally: &mut Tally,
) -> Result<(), FeedError> {
    if let Some(name) = fields.text("hugging_face_id")? {
        facts.weights_url = Some(says.claim(format!("https://huggingface.co/{name}")));
        facts.open_weights = Some(says.claim(true));
    }
    if let Some(mut top) = fields.object("top_provider", "top_provider")? {
        facts.max_output_tokens = known(top.count("max_completion_tokens")?).map(|v| says.claim(v));
        top.no_place(&["context_length", "is_moderated"], tally);
        top.finish(tally);
    }
    Ok(())
}

fn architecture(
    fields: &mut Fields<'_>,
    facts: &mut ModelFacts,
    says: &Says,
    tally: &mut Tally,
) -> Result<(), FeedError> {
    let Some(mut shape) = fields.object("architecture", "architecture")? else { return Ok(()) };
    let inputs = shape.texts("input_modalities")?.unwrap_or_default();
    let outputs = shape.texts("output_modalities")?.unwrap_or_default();
    facts.input_modalities = modalities(&inputs, &Modality::INPUTS).map(|v| says.claim(v));
    facts.output_modalities = modalities(&outputs, &Modality::OUTPUTS).map(|v| says.claim(v));
    shape.no_place(&["modality", "tokenizer", "instruct_type"], tally);
    shape.finish(tally);
    Ok(())
}

/// One of the endpoints of a model. It carries no id of the provider's own, so it can only meet an offer that is there.
fn endpoint(model: &str, raw: &RawValue, says: &Says, tally: &mut Tally) -> Result<Entry, FeedError> {
    let mut fields = Fields::new(raw, "endpoint", model)?;
    let tag = fields.text("tag")?.unwrap_or_default();
    let at = format!("{model} at {tag}");
    fields.at.clone_from(&at);
    let (slug, variant) = match tag.split_once('/') {
        Some((slug, variant)) => (slug, Some(variant.to_owned())),
        None => (tag.as_str(), None),
    };
    let ours = PROVIDERS.iter().find(|(theirs, _)| *theirs == slug).map_or(slug, |(_, ours)| ours);
    let parameters = fields.texts("supported_parameters")?;
    let facts = EndpointFacts {
        context_tokens: known(fields.count("context_length")?).map(|v| says.claim(v)),
        max_output_tokens: known(fields.count("max_completion_tokens")?).map(|v| says.claim(v)),
        quantization: fields
            .text("quantization")?
            .filter(|name| crate::kind::is_quantization(name))
            .map(|v| says.claim(v)),
        supported_parameters: parameters.filter(|list| !list.is_empty()).map(|v| says.claim(v)),
        ..EndpointFacts::default()
    };
    let lines = match fields.object("pricing", "pricing")? {
        Some(prices) => pricing(prices, tally)?,
        None => Vec::new(),
    };
    fields.no_place(&ENDPOINT_NO_PLACE, tally);
    fields.finish(tally);
    // Quantizations stand in the tag as well; our variants are named by whoever wrote the file.
    let variant = variant.filter(|name| !crate::kind::is_quantization(name));
    let offer = Offer {
        provider: ours.to_owned(),
        key: Key::Variant(variant),
        facts,
        status: None,
        lines,
        says_free: model.ends_with(":free"),
    };
    Ok(Entry {
        at,
        names: vec![model.split_once(':').map_or(model, |(plain, _)| plain).to_owned()],
        offer: Some(offer),
        ..Entry::default()
    })
}

/// `-1` is a price that changes from call to call: none.
fn pricing(mut fields: Fields<'_>, tally: &mut Tally) -> Result<Vec<Line>, FeedError> {
    let mut lines = unit_prices(&mut fields, (None, None), tally)?;
    for raw in fields.list("overrides")? {
        let mut change = Fields::new(raw, "pricing.overrides", &fields.at)?;
        let above = change.count("min_prompt_tokens")?;
        let (from, to) = (clock(&mut change, "utc_start")?, clock(&mut change, "utc_end")?);
        let window = from.zip(to);
        if above.is_none() && window.is_none() {
            return Err(change
                .bad("overrides", "has an entry without `min_prompt_tokens` or `utc_start` and `utc_end`"));
        }
        lines.extend(unit_prices(&mut change, (above, window), tally)?);
        change.finish(tally);
    }
    fields.no_place(&["image", "discount"], tally);
    fields.finish(tally);
    Ok(lines)
}

type Condition = (Option<u64>, Option<(UtcMinute, UtcMinute)>);

fn unit_prices(
    fields: &mut Fields<'_>,
    (above, window): Condition,
    tally: &mut Tally,
) -> Result<Vec<Line>, FeedError> {
    let mut lines = Vec::new();
    for (kind, key) in PRICE_KEYS {
        let Some(raw) = fields.raw(key) else { continue };
        if super::raw::decimal(raw).is_some_and(|number| number.negative && !number.is_zero()) {
            continue;
        }
        let quote =
            super::raw::quote(raw, kind, SHIFT, tally).map_err(|message| fields.bad(key, &message))?;
        // A request, a picture or a search at 0 is OpenRouter's way to say that it has no price of its own.
        let is_free_extra = !matches!(kind, PriceKind::Input | PriceKind::Output)
            && quote.rate().is_some_and(|rate| rate.nanos_per_million() == 0);
        if !is_free_extra {
            lines.push(Line { above, window, kind, quote });
        }
    }
    Ok(lines)
}

/// `1630`, a time of day.
fn clock(fields: &mut Fields<'_>, key: &str) -> Result<Option<UtcMinute>, FeedError> {
    let Some(number) = fields.count(key)? else { return Ok(None) };
    let minute = UtcMinute::parse(&format!("{:02}:{:02}", number / 100, number % 100));
    minute.map(Some).ok_or_else(|| fields.bad(key, "must be a UTC time such as 1630"))
}
