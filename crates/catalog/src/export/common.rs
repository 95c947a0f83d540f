//! What OpenRouter's shapes of models and endpoints share.

use serde_json::{Map, Value, json};
use types::{PriceKind, PriceSheet, Quote};

use super::View;
use crate::endpoint::Endpoint;
use crate::kind::names;
use crate::model::{Modality, Model};

/// OpenRouter's name of each price.
pub(crate) const PRICE_KEYS: [(PriceKind, &str); 15] = [
    (PriceKind::Input, "prompt"),
    (PriceKind::Output, "completion"),
    (PriceKind::Requests, "request"),
    (PriceKind::ImageInput, "image_token"),
    (PriceKind::ImageOutput, "image_output"),
    (PriceKind::AudioInput, "audio"),
    (PriceKind::AudioOutput, "audio_output"),
    (PriceKind::Searches, "web_search"),
    (PriceKind::Reasoning, "internal_reasoning"),
    (PriceKind::CacheRead, "input_cache_read"),
    (PriceKind::CacheWrite, "input_cache_write"),
    (PriceKind::CacheWrite1h, "input_cache_write_1h"),
    (PriceKind::Images, "image_generated"),
    (PriceKind::AudioSeconds, "audio_second"),
    (PriceKind::Characters, "character"),
];

/// A quote in the words of files: dollars per million tokens or characters, or per one of the rest.
pub(crate) fn quote_text(kind: PriceKind, quote: Quote) -> String {
    match quote {
        Quote::Unknown => "unknown".to_owned(),
        Quote::Known(rate) if kind.is_per_unit() => rate.per_unit(),
        Quote::Known(rate) => rate.per_million(),
    }
}

fn unit_prices(quotes: &[(PriceKind, Quote)]) -> Map<String, Value> {
    let keyed = PRICE_KEYS.iter().filter_map(|(kind, key)| {
        let (_, quote) = quotes.iter().find(|(k, _)| k == kind)?;
        Some(((*key).to_owned(), json!(quote.rate().map(types::Rate::per_unit))))
    });
    keyed.collect()
}

/// Dollars per single token as decimal text; `null` is charged and unknown. `prompt` and `completion` are always there.
pub(super) fn pricing(sheet: Option<&PriceSheet>) -> Value {
    let mut map = Map::new();
    map.insert("prompt".to_owned(), Value::Null);
    map.insert("completion".to_owned(), Value::Null);
    let Some(sheet) = sheet else {
        return Value::Object(map);
    };
    map.extend(unit_prices(&sheet.quotes));
    if !sheet.overrides.is_empty() {
        let overrides = sheet.overrides.iter().map(|change| {
            let mut entry = Map::new();
            if let Some(size) = change.above_input_tokens {
                entry.insert("min_prompt_tokens".to_owned(), json!(size));
            }
            if let Some((from, to)) = change.utc_window {
                let clock = |minute: u16| minute / 60 * 100 + minute % 60;
                entry.insert("utc_start".to_owned(), json!(clock(from.minute())));
                entry.insert("utc_end".to_owned(), json!(clock(to.minute())));
            }
            entry.extend(unit_prices(&change.quotes));
            Value::Object(entry)
        });
        map.insert("overrides".to_owned(), overrides.collect());
    }
    Value::Object(map)
}

/// The endpoint whose price stands for the model: the cheapest that can be called and billed, else the cheapest with
/// known prices. Equals: the first by id.
pub(super) fn cheapest<'s>(view: &View<'s>, model: usize) -> Option<&'s Endpoint> {
    let snapshot = view.snapshot;
    let usable = |endpoint: &&Endpoint| endpoint.is_priced() && (view.available)(endpoint);
    let priced = |endpoint: &'s Endpoint| Some((endpoint.blended()?, endpoint));
    let best = snapshot.model_endpoints(model).filter(usable).filter_map(priced).min_by_key(|(sum, _)| *sum);
    let best =
        best.or_else(|| snapshot.model_endpoints(model).filter_map(priced).min_by_key(|(sum, _)| *sum));
    best.map(|(_, endpoint)| endpoint)
}

/// `{modality, input_modalities, output_modalities, tokenizer, instruct_type}`.
pub(super) fn architecture(inputs: &[Modality], outputs: &[Modality], tokenizer: &str) -> Value {
    let (inputs, outputs) = (names(inputs, Modality::name), names(outputs, Modality::name));
    json!({
        "modality": format!("{}->{}", inputs.join("+"), outputs.join("+")),
        "input_modalities": inputs,
        "output_modalities": outputs,
        "tokenizer": tokenizer,
        "instruct_type": null,
    })
}

/// OpenRouter's group of tokenizers, by author and family; `Other` where none is certain.
pub(super) fn tokenizer(model: &Model) -> &'static str {
    let family = model.family.as_deref().unwrap_or(&model.slug);
    match (&*model.author, family) {
        ("openai", _) => "GPT",
        ("anthropic", _) => "Claude",
        ("google", family) if family.starts_with("gemma") => "Gemma",
        ("google", family) if family.starts_with("gemini") => "Gemini",
        ("x-ai" | "xai", _) => "Grok",
        ("cohere", _) => "Cohere",
        ("amazon", family) if family.contains("nova") => "Nova",
        ("qwen" | "alibaba", _) => "Qwen",
        ("deepseek", _) => "DeepSeek",
        ("mistralai", _) => "Mistral",
        ("meta-llama" | "meta", _) if model.slug.contains("llama-4") => "Llama4",
        ("meta-llama" | "meta", _) if model.slug.contains("llama-3") => "Llama3",
        ("meta-llama" | "meta", _) if model.slug.contains("llama-2") => "Llama2",
        _ => "Other",
    }
}

/// Seconds since 1970 of the release, else of the date of the facts, else 0.
pub(super) fn created(model: &Model) -> i64 {
    let dated = || crate::kind::day(&model.as_of).map(|day| day.saturating_mul(86_400));
    model.released_unix().or_else(dated).unwrap_or(0)
}
