//! LiteLLM's `model_prices_and_context_window.json`: one flat object, dollars per single unit as numbers, often with exponents.
//!
//! Keys are call names: the provider's own id, for many providers behind a prefix. `above_128k` and `above_200k` hold above 128,000 and
//! 200,000 tokens. Prices of batches, priority and flex tiers, pixels and seconds have no place here.

use serde_json::value::RawValue;
use types::PriceKind;

use super::feed::{Entry, Feed, Key, Line, Offer, Says, known, source};
use super::raw::{Fields, object};
use super::{FeedError, Tally};
use crate::endpoint::EndpointFacts;
use crate::model::{Modality, ModelFacts};

/// From dollars per unit to nano-dollars per million.
const SHIFT: i32 = 15;
const ID: &str = "litellm";

/// LiteLLM's provider -> ours.
pub(crate) const PROVIDERS: [(&str, &str); 26] = [
    ("anthropic", "anthropic"),
    ("azure", "azure"),
    ("azure_ai", "azure"),
    ("bedrock", "amazon-bedrock"),
    ("bedrock_converse", "amazon-bedrock"),
    ("cerebras", "cerebras"),
    ("cohere", "cohere"),
    ("cohere_chat", "cohere"),
    ("dashscope", "alibaba"),
    ("databricks", "databricks"),
    ("deepinfra", "deepinfra"),
    ("deepseek", "deepseek"),
    ("fireworks_ai", "fireworks-ai"),
    ("gemini", "google"),
    ("groq", "groq"),
    ("mistral", "mistral"),
    ("moonshot", "moonshotai"),
    ("nebius", "nebius"),
    ("novita", "novita-ai"),
    ("openai", "openai"),
    ("openrouter", "openrouter"),
    ("perplexity", "perplexity"),
    ("together_ai", "togetherai"),
    ("vertex_ai-language-models", "google-vertex"),
    ("vertex_ai-anthropic_models", "google-vertex-anthropic"),
    ("xai", "xai"),
];

/// LiteLLM's key of each price.
pub(crate) const PRICES: [(&str, PriceKind); 14] = [
    ("input_cost_per_token", PriceKind::Input),
    ("output_cost_per_token", PriceKind::Output),
    ("cache_read_input_token_cost", PriceKind::CacheRead),
    ("cache_creation_input_token_cost", PriceKind::CacheWrite),
    ("cache_creation_input_token_cost_above_1hr", PriceKind::CacheWrite1h),
    ("output_cost_per_reasoning_token", PriceKind::Reasoning),
    ("input_cost_per_audio_token", PriceKind::AudioInput),
    ("output_cost_per_audio_token", PriceKind::AudioOutput),
    ("input_cost_per_image_token", PriceKind::ImageInput),
    ("output_cost_per_image_token", PriceKind::ImageOutput),
    ("output_cost_per_image", PriceKind::Images),
    ("input_cost_per_second", PriceKind::AudioSeconds),
    ("input_cost_per_character", PriceKind::Characters),
    ("input_cost_per_request", PriceKind::Requests),
];

/// Sizes that prices are told apart by, with the ending of their keys.
pub(crate) const SIZES: [(&str, u64); 4] = [
    ("_above_128k_tokens", 128_000),
    ("_above_200k_tokens", 200_000),
    ("_above_256k_tokens", 256_000),
    ("_above_272k_tokens", 272_000),
];

const NO_PLACE: [&str; 48] = [
    "metadata",
    "source",
    "supported_endpoints",
    "supported_regions",
    "supported_modalities",
    "supported_output_modalities",
    "supports_system_messages",
    "supports_parallel_function_calling",
    "supports_prompt_caching",
    "supports_assistant_prefill",
    "supports_tool_choice",
    "supports_native_streaming",
    "supports_computer_use",
    "supports_web_search",
    "supports_url_context",
    "supports_embedding_image_input",
    "supports_image_input",
    "supports_service_tier",
    "supports_multimodal",
    "rpm",
    "tpm",
    "rpd",
    "tool_use_system_prompt_tokens",
    "search_context_cost_per_query",
    "file_search_cost_per_1k_calls",
    "max_tokens",
    "file_search_cost_per_gb_per_day",
    "vector_store_cost_per_gb_per_day",
    "code_interpreter_cost_per_session",
    "computer_use_input_cost_per_1k_tokens",
    "computer_use_output_cost_per_1k_tokens",
    "input_cost_per_image",
    "input_cost_per_pixel",
    "output_cost_per_pixel",
    "output_cost_per_second",
    "output_cost_per_character",
    "input_cost_per_query",
    "input_cost_per_token_batches",
    "output_cost_per_token_batches",
    "input_cost_per_token_priority",
    "output_cost_per_token_priority",
    "input_cost_per_token_flex",
    "output_cost_per_token_flex",
    "cache_read_input_token_cost_priority",
    "cache_read_input_token_cost_flex",
    "output_vector_size",
    "max_images_per_prompt",
    "comment",
];

pub(super) fn read(raw: &RawValue, as_of: &str, tally: &mut Tally) -> Result<Feed, FeedError> {
    let says = Says::new(ID, as_of);
    let mut entries = Vec::new();
    for (key, raw) in object(raw, "the feed")? {
        // An entry that explains the others.
        if key == "sample_spec" {
            continue;
        }
        let mut fields = Fields::new(raw, "model", &key)?;
        let Some(theirs) = fields.text("litellm_provider")? else {
            return Err(FeedError::new(&key, "has no `litellm_provider`; is it LiteLLM's price map?"));
        };
        let known = PROVIDERS.iter().find(|(name, _)| *name == theirs);
        let Some((_, provider)) = known else {
            tally.skip("of a provider that is not known here", &key);
            continue;
        };
        entries.push(entry(&key, &theirs, provider, fields, &says, tally)?);
    }
    Ok(Feed {
        source: source(ID, "LiteLLM", "https://github.com/BerriAI/litellm"),
        providers: Vec::new(),
        entries,
        carries: |line| line.window.is_none() && PRICES.iter().any(|(_, kind)| *kind == line.kind),
        is_own_word: false,
    })
}

fn entry(
    key: &str,
    theirs: &str,
    provider: &str,
    mut fields: Fields<'_>,
    says: &Says,
    tally: &mut Tally,
) -> Result<Entry, FeedError> {
    // `gemini/gemini-2.5-flash`, `vertex_ai/...`: the prefix is LiteLLM's.
    let prefix = key
        .split_once('/')
        .filter(|(prefix, _)| *prefix == theirs || theirs.starts_with(&format!("{prefix}-")));
    let own_id = prefix.map_or(key, |(_, rest)| rest).to_owned();
    let mode = fields.text("mode")?;
    let yes = |flag: Option<bool>| flag.filter(|yes| *yes).map(|yes| says.claim(yes));
    let max_input = known(fields.count("max_input_tokens")?);
    let mut facts = EndpointFacts {
        context_tokens: max_input.map(|v| says.claim(v)),
        max_output_tokens: known(fields.count("max_output_tokens")?).map(|v| says.claim(v)),
        // What isn't listed may be: only a yes is a claim.
        tool_call: yes(fields.flag("supports_function_calling")?),
        structured_output: yes(fields.flag("supports_response_schema")?),
        ..EndpointFacts::default()
    };
    let model_facts = ModelFacts {
        reasoning: yes(fields.flag("supports_reasoning")?),
        retires: deprecation(&mut fields)?.map(|v| says.claim(v)),
        ..ModelFacts::default()
    };
    facts.input_modalities = inputs(&mut fields)?.map(|list| says.claim(list));
    facts.output_modalities = match mode.as_deref() {
        Some("embedding") => Some(says.claim(vec![Modality::Embeddings])),
        Some("rerank") => Some(says.claim(vec![Modality::Rerank])),
        Some("image_generation") => Some(says.claim(vec![Modality::Image])),
        Some("audio_transcription") => Some(says.claim(vec![Modality::Transcription])),
        Some("audio_speech") => Some(says.claim(vec![Modality::Audio])),
        _ => None,
    };
    fields.no_place(&["supports_audio_output"], tally);
    let lines = lines(&mut fields, tally)?;
    fields.no_place(&NO_PLACE, tally);
    fields.finish(tally);
    let last = own_id.rsplit_once('/').map_or(own_id.as_str(), |(_, last)| last).to_owned();
    Ok(Entry {
        at: key.to_owned(),
        names: vec![format!("{provider}/{own_id}"), own_id.clone(), last],
        offer: Some(Offer {
            provider: provider.to_owned(),
            key: Key::Id(own_id),
            facts,
            status: None,
            lines,
            says_free: false,
        }),
        facts: model_facts,
        // It says too little of a model to begin one: an offer of a model that is known is as far as it goes.
        makes_model: false,
        ..Entry::default()
    })
}

/// Some dates there are words.
fn deprecation(fields: &mut Fields<'_>) -> Result<Option<String>, FeedError> {
    let text = fields.text("deprecation_date")?;
    Ok(text.filter(|text| crate::kind::day(text).is_some()))
}

fn inputs(fields: &mut Fields<'_>) -> Result<Option<Vec<Modality>>, FeedError> {
    let mut list = vec![Modality::Text];
    for (key, modality) in [
        ("supports_vision", Modality::Image),
        ("supports_pdf_input", Modality::File),
        ("supports_audio_input", Modality::Audio),
        ("supports_video_input", Modality::Video),
    ] {
        if fields.flag(key)? == Some(true) {
            list.push(modality);
        }
    }
    Ok((list.len() > 1).then_some(list))
}

fn lines(fields: &mut Fields<'_>, tally: &mut Tally) -> Result<Vec<Line>, FeedError> {
    let mut lines = Vec::new();
    for (key, kind) in PRICES {
        let quote = fields.price(key, kind, SHIFT, tally)?;
        lines.extend(quote.map(|quote| Line::base(kind, quote)));
        for (ending, above) in SIZES {
            let quote = fields.price(&format!("{key}{ending}"), kind, SHIFT, tally)?;
            lines.extend(quote.map(|quote| Line { above: Some(above), ..Line::base(kind, quote) }));
        }
    }
    Ok(lines)
}
