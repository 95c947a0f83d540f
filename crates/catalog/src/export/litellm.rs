//! The shape of LiteLLM's price map: one entry per offer that LiteLLM has a provider for, dollars per single unit.
//!
//! That shape has no word for unknown prices, time-of-day windows, regions, sources or dates, and tiers only for a few sizes. An offer
//! whose input or output price is unknown has no prices there; LiteLLM would take what is left out for free, so such offers are
//! left out whole.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use types::PriceKind;

use crate::endpoint::Endpoint;
use crate::import::{LITELLM_PRICES, LITELLM_PROVIDERS, LITELLM_SIZES};
use crate::model::Modality;
use crate::snapshot::Snapshot;

type Entry = BTreeMap<String, Box<RawValue>>;

/// `{<call name>: {litellm_provider, mode, input_cost_per_token, ...}}`.
pub fn litellm(snapshot: &Snapshot) -> String {
    let mut map = BTreeMap::new();
    for endpoint in snapshot.endpoints.iter().filter(|endpoint| endpoint.is_priced()) {
        let provider = endpoint.provider_in(snapshot).map_or("", |provider| &*provider.id);
        let Some((theirs, _)) = LITELLM_PROVIDERS.iter().find(|(_, ours)| *ours == provider) else {
            continue;
        };
        let plain = matches!(*theirs, "openai" | "anthropic" | "bedrock" | "cohere");
        let key = if plain {
            endpoint.provider_model_id.to_string()
        } else {
            let prefix = theirs.split_once('-').map_or(*theirs, |(prefix, _)| prefix);
            format!("{prefix}/{}", endpoint.provider_model_id)
        };
        // Two offers under one name are one to LiteLLM: the first, which has no variant.
        map.entry(key).or_insert_with(|| entry(snapshot, endpoint, theirs));
    }
    serde_json::to_string(&map).unwrap_or_default()
}

fn entry(snapshot: &Snapshot, endpoint: &Endpoint, provider: &str) -> Entry {
    let mut map = Entry::new();
    let mut put = |key: &str, json: String| {
        if let Ok(raw) = RawValue::from_string(json) {
            map.insert(key.to_owned(), raw);
        }
    };
    let text = |text: &str| serde_json::Value::from(text).to_string();
    put("litellm_provider", text(provider));
    put("mode", text(mode(endpoint.output_modalities(snapshot))));
    if let Some(tokens) = endpoint.context_tokens(snapshot) {
        put("max_input_tokens", tokens.to_string());
    }
    if let Some(tokens) = endpoint.max_output_tokens(snapshot) {
        put("max_output_tokens", tokens.to_string());
        put("max_tokens", tokens.to_string());
    }
    let inputs = endpoint.input_modalities(snapshot);
    let model = endpoint.model_in(snapshot);
    for (key, holds) in [
        ("supports_function_calling", endpoint.tool_call(snapshot) == Some(true)),
        ("supports_response_schema", endpoint.structured_output(snapshot) == Some(true)),
        ("supports_reasoning", model.is_some_and(|model| model.reasoning() == Some(true))),
        ("supports_vision", inputs.contains(&Modality::Image)),
        ("supports_pdf_input", inputs.contains(&Modality::File)),
        ("supports_audio_input", inputs.contains(&Modality::Audio)),
        ("supports_video_input", inputs.contains(&Modality::Video)),
        ("supports_prompt_caching", endpoint.price.quote(PriceKind::CacheRead).is_some()),
    ] {
        if holds {
            put(key, "true".to_owned());
        }
    }
    if let Some(date) = model.and_then(|model| model.facts.retires.as_ref()) {
        put("deprecation_date", text(&date.value));
    }
    let mut price = |kind: PriceKind, quote: types::Quote, ending: &str| {
        let key = LITELLM_PRICES.iter().find(|(_, known)| *known == kind);
        if let (Some((key, _)), Some(rate)) = (key, quote.rate()) {
            put(&format!("{key}{ending}"), rate.per_unit());
        }
    };
    for (kind, quote) in &endpoint.price.quotes {
        price(*kind, *quote, "");
    }
    for change in endpoint.price.overrides.iter().filter(|change| change.utc_window.is_none()) {
        let size = LITELLM_SIZES.iter().find(|(_, size)| Some(*size) == change.above_input_tokens);
        for (kind, quote) in size.into_iter().flat_map(|_| &change.quotes) {
            price(*kind, *quote, size.map_or("", |(ending, _)| ending));
        }
    }
    map
}

fn mode(outputs: &[Modality]) -> &'static str {
    match outputs.first() {
        Some(Modality::Embeddings) => "embedding",
        Some(Modality::Rerank) => "rerank",
        Some(Modality::Image) => "image_generation",
        Some(Modality::Transcription) => "audio_transcription",
        Some(Modality::Audio) => "audio_speech",
        _ => "chat",
    }
}
