//! models.dev's `api.json`: providers with their offers, dollars per million tokens.
//!
//! A limit of 0 is unknown there, and `cost` is left out where nobody knows it. A tier holds above its size, like ours.

use serde_json::value::RawValue;
use types::PriceKind;

use super::feed::{Entry, Feed, Key, Line, Offer, Says, known, modalities, source};
use super::merge::new_provider;
use super::raw::{Fields, object};
use super::{FeedError, Tally};
use crate::endpoint::{EndpointFacts, Status};
use crate::kind::{self, check_base_url};
use crate::model::{Modality, ModelFacts};
use crate::provider::{Protocol, Provider};

/// From dollars per million to nano-dollars per million.
const SHIFT: i32 = 9;
const ID: &str = "models.dev";

const PRICES: [(&str, PriceKind); 7] = [
    ("input", PriceKind::Input),
    ("output", PriceKind::Output),
    ("reasoning", PriceKind::Reasoning),
    ("cache_read", PriceKind::CacheRead),
    ("cache_write", PriceKind::CacheWrite),
    ("input_audio", PriceKind::AudioInput),
    ("output_audio", PriceKind::AudioOutput),
];

const MODEL_NO_PLACE: [&str; 9] = [
    "attachment",
    "last_updated",
    "interleaved",
    "experimental",
    "provider",
    "description",
    "links",
    "weights",
    "benchmarks",
];

pub(super) fn read(raw: &RawValue, as_of: &str, tally: &mut Tally) -> Result<Feed, FeedError> {
    let says = Says::new(ID, as_of);
    let (mut providers, mut entries) = (Vec::new(), Vec::new());
    for (id, raw) in object(raw, "the feed")? {
        let mut fields = Fields::new(raw, "provider", &id)?;
        let provider = provider(&id, &mut fields, as_of)?;
        fields.no_place(&["id"], tally);
        let models = fields.raw("models").ok_or_else(|| FeedError::new(&id, "has no `models`"))?;
        fields.finish(tally);
        for (key, raw) in object(models, &id)? {
            entries.push(entry(&id, &key, raw, &says, tally)?);
        }
        providers.extend(provider);
    }
    if entries.is_empty() {
        return Err(FeedError::new("the feed", "has no models; is it the api.json of models.dev?"));
    }
    Ok(Feed {
        source: source(ID, "models.dev", "https://models.dev"),
        providers,
        entries,
        carries: |line| line.window.is_none() && PRICES.iter().any(|(_, kind)| *kind == line.kind),
        is_own_word: false,
    })
}

/// `None` where it is not said how the provider is spoken to.
fn provider(id: &str, fields: &mut Fields<'_>, as_of: &str) -> Result<Option<Provider>, FeedError> {
    let name = fields.text("name")?.unwrap_or_else(|| id.to_owned());
    let npm = fields.text("npm")?.unwrap_or_default();
    let api = fields.text("api")?.map(|url| url.trim_end_matches('/').to_owned());
    let env = fields.texts("env")?.unwrap_or_default();
    let docs = fields.text("doc")?.filter(|url| kind::check_url(url).is_ok());
    let protocol = match npm.as_str() {
        "@ai-sdk/openai-compatible" => Protocol::Openai,
        "@ai-sdk/anthropic" => Protocol::Anthropic,
        _ => return Ok(None),
    };
    let Some(url) = api.filter(|url| check_base_url(url).is_ok()).filter(|_| kind::is_id(id)) else {
        return Ok(None);
    };
    let env_name =
        |name: &String| name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let mut provider = new_provider(id, &name, protocol, ID, as_of);
    provider.base_url = Some(url);
    provider.api_key_env = env.into_iter().filter(env_name).collect();
    provider.docs = docs;
    Ok(Some(provider))
}

fn entry(
    provider: &str,
    key: &str,
    raw: &RawValue,
    says: &Says,
    tally: &mut Tally,
) -> Result<Entry, FeedError> {
    let at = format!("{provider}/{key}");
    let mut fields = Fields::new(raw, "model", &at)?;
    let own_id = fields.text("id")?.unwrap_or_else(|| key.to_owned());
    let title = fields.text("name")?;
    let family = fields.text("family")?;
    let mut facts = ModelFacts {
        released: fields.date("release_date")?.map(|v| says.claim(v)),
        knowledge_cutoff: fields.date("knowledge")?.map(|v| says.claim(v)),
        open_weights: fields.flag("open_weights")?.map(|v| says.claim(v)),
        reasoning: fields.flag("reasoning")?.map(|v| says.claim(v)),
        temperature: fields.flag("temperature")?.map(|v| says.claim(v)),
        ..ModelFacts::default()
    };
    let mut offered = EndpointFacts {
        tool_call: fields.flag("tool_call")?.map(|v| says.claim(v)),
        structured_output: fields.flag("structured_output")?.map(|v| says.claim(v)),
        ..EndpointFacts::default()
    };
    limits(&mut fields, &mut offered, says, tally)?;
    let status = match fields.text("status")?.as_deref() {
        None => Some(Status::Live),
        Some(name) => Status::from_name(name),
    };
    let lines = match fields.object("cost", "cost")? {
        None => Vec::new(),
        Some(cost) => cost_lines(cost, tally)?,
    };
    efforts(&mut fields, &mut offered, says, tally)?;
    fields.no_place(&MODEL_NO_PLACE, tally);
    if let Some(license) = fields.text("license")? {
        facts.license = Some(says.claim(license));
    }
    fields.finish(tally);
    let offer = Offer {
        provider: provider.to_owned(),
        key: if key.contains('@') && key != own_id {
            Key::Name(key.to_owned())
        } else {
            Key::Id(own_id.clone())
        },
        facts: offered,
        status,
        lines,
        says_free: false,
    };
    Ok(Entry {
        names: vec![own_id.clone(), format!("{provider}/{own_id}"), last(&own_id)],
        at,
        title,
        family,
        author: None,
        facts,
        offer: Some(offer),
        makes_model: true,
    })
}

/// What an offer takes and gives, and how much.
fn limits(
    fields: &mut Fields<'_>,
    offered: &mut EndpointFacts,
    says: &Says,
    tally: &mut Tally,
) -> Result<(), FeedError> {
    if let Some(mut limit) = fields.object("limit", "limit")? {
        offered.context_tokens = known(limit.count("context")?).map(|v| says.claim(v));
        offered.max_output_tokens = known(limit.count("output")?).map(|v| says.claim(v));
        limit.no_place(&["input"], tally);
        limit.finish(tally);
    }
    if let Some(mut lists) = fields.object("modalities", "modalities")? {
        let inputs = lists.texts("input")?.unwrap_or_default();
        offered.input_modalities = modalities(&inputs, &Modality::INPUTS).map(|v| says.claim(v));
        // Vectors and ranks count as text there: only what says more than text is a claim.
        let outputs = modalities(&lists.texts("output")?.unwrap_or_default(), &Modality::OUTPUTS);
        offered.output_modalities =
            outputs.filter(|list| list.as_slice() != [Modality::Text]).map(|v| says.claim(v));
        lists.finish(tally);
    }
    Ok(())
}

fn last(id: &str) -> String {
    id.rsplit_once('/').map_or(id, |(_, last)| last).to_owned()
}

/// `reasoning_options: [{type: "effort", values: ["low", ...]}]`; the other kinds of option have no place.
fn efforts(
    fields: &mut Fields<'_>,
    offered: &mut EndpointFacts,
    says: &Says,
    tally: &mut Tally,
) -> Result<(), FeedError> {
    for raw in fields.list("reasoning_options")? {
        let mut option = Fields::new(raw, "reasoning_option", &fields.at)?;
        let kind = option.text("type")?;
        let values: Option<Vec<Option<String>>> =
            option.raw("values").and_then(|raw| serde_json::from_str(raw.get()).ok());
        let values: Vec<String> = values.unwrap_or_default().into_iter().flatten().collect();
        if kind.as_deref() == Some("effort") && !values.is_empty() {
            offered.reasoning_efforts = Some(says.claim(values));
        }
        option.no_place(&["min", "max"], tally);
        option.finish(tally);
    }
    Ok(())
}

fn cost_lines(mut cost: Fields<'_>, tally: &mut Tally) -> Result<Vec<Line>, FeedError> {
    let mut lines = Vec::new();
    for (key, kind) in PRICES {
        let quote = cost.price(key, kind, SHIFT, tally)?;
        lines.extend(quote.map(|quote| Line::base(kind, quote)));
    }
    for raw in cost.list("tiers")? {
        let mut tier = Fields::new(raw, "tier", &cost.at)?;
        let bound = tier.object("tier", "tier.tier")?;
        let Some(mut bound) = bound else { return Err(tier.bad("tier", "is missing")) };
        let (kind, size) = (bound.text("type")?, bound.count("size")?);
        bound.finish(tally);
        let Some(above) = size.filter(|_| kind.as_deref() == Some("context")) else {
            tally.skip("a tier that is not by the size of the prompt", &tier.at);
            continue;
        };
        for (key, kind) in PRICES {
            let quote = tier.price(key, kind, SHIFT, tally)?;
            lines.extend(quote.map(|quote| Line { above: Some(above), ..Line::base(kind, quote) }));
        }
        tier.finish(tally);
    }
    // The older way to say one tier; it repeats `tiers`.
    cost.no_place(&["context_over_200k"], tally);
    cost.finish(tally);
    Ok(lines)
}
