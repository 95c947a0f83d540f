//! Reads the usage block of the OpenAI dialect, in the variants that providers send, into exclusive buckets.
//!
//! `prompt_tokens` includes cached and audio tokens; `completion_tokens` includes reasoning, except where the total says
//! otherwise (xAI, Google's compatible endpoint): then reasoning stands outside. Buckets always add up to what was
//! reported; a part that is larger than its whole is cut to it.

use serde::Deserialize;
use types::Usage;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    prompt_cache_hit_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    num_search_queries: Option<u64>,
    server_tool_use: Option<ServerTools>,
    prompt_audio_seconds: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    cache_creation_tokens: Option<u64>,
    audio_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServerTools {
    web_search_requests: Option<u64>,
}

/// Reads a usage object. `None` when it holds no token counts at all; an explicit 0 is 0.
pub fn read(object: &[u8]) -> Option<Usage> {
    let raw: Raw = serde_json::from_slice(object).ok()?;
    let prompt = raw.prompt_tokens.or(raw.input_tokens);
    let completion = raw.completion_tokens.or(raw.output_tokens);
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    let (prompt, completion) = (prompt.unwrap_or(0), completion.unwrap_or(0));
    let details = raw.prompt_tokens_details.unwrap_or_default();
    let out = raw.completion_tokens_details.unwrap_or_default();

    let cached = details.cached_tokens.or(raw.prompt_cache_hit_tokens).or(raw.cached_tokens).unwrap_or(0);
    let mut rest = prompt;
    let mut take = |wanted: u64| {
        let got = wanted.min(rest);
        rest -= got;
        got
    };
    let cache_read = take(cached);
    let cache_write = take(details.cache_write_tokens.or(details.cache_creation_tokens).unwrap_or(0));
    let audio_input = take(details.audio_tokens.unwrap_or(0));
    let input = rest;

    let has_audio = audio_input > 0 || raw.prompt_audio_seconds.is_some();
    let reported = out.reasoning_tokens.or(raw.reasoning_tokens).unwrap_or(0);
    let sum = prompt.saturating_add(completion);
    // Where the total exceeds prompt + completion by the reasoning (or has no other explanation), it stands outside.
    let outside = match raw.total_tokens {
        Some(total) if total > sum && reported > 0 => total == sum.saturating_add(reported),
        _ => false,
    };
    let hidden = match raw.total_tokens {
        // Google's compatible endpoint; where audio was sent, a larger total has that cause (Mistral).
        Some(total) if !outside && reported == 0 && total > sum && !has_audio => total - sum,
        _ => 0,
    };
    let mut rest = completion;
    let reasoning = if outside {
        reported
    } else {
        let got = reported.min(rest);
        rest -= got;
        got + hidden
    };
    let mut take = |wanted: u64| {
        let got = wanted.min(rest);
        rest -= got;
        got
    };
    let audio_output = take(out.audio_tokens.unwrap_or(0));
    let image_output = take(out.image_tokens.unwrap_or(0));
    let searches = raw
        .server_tool_use
        .and_then(|tools| tools.web_search_requests)
        .or(raw.num_search_queries)
        .unwrap_or(0);
    Some(Usage {
        input,
        cache_read,
        cache_write,
        audio_input,
        output: rest,
        reasoning,
        audio_output,
        image_output,
        requests: 1,
        searches,
        ..Usage::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_of_recorded_variants() {
        // (usage, [input, cache_read, cache_write, audio_in, output, reasoning])
        let rows = [
            (r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}"#, [10, 0, 0, 0, 5, 0]),
            (
                r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":64,"audio_tokens":6},"completion_tokens_details":{"reasoning_tokens":15}}"#,
                [30, 64, 0, 6, 5, 15],
            ),
            (
                r#"{"prompt_tokens":100,"completion_tokens":9,"total_tokens":109,"prompt_cache_hit_tokens":60,"prompt_cache_miss_tokens":40}"#,
                [40, 60, 0, 0, 9, 0],
            ),
            (
                r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}"#,
                [32, 0, 0, 0, 9, 94],
            ),
            (r#"{"prompt_tokens":35,"completion_tokens":12,"total_tokens":109}"#, [35, 0, 0, 0, 12, 62]),
            (
                r#"{"prompt_tokens":10,"completion_tokens":0,"total_tokens":10,"prompt_tokens_details":null}"#,
                [10, 0, 0, 0, 0, 0],
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":99},"completion_tokens_details":{"reasoning_tokens":7}}"#,
                [0, 10, 0, 0, 0, 4],
            ),
            (r#"{"input_tokens":3,"output_tokens":4,"extra":{"a":1}}"#, [3, 0, 0, 0, 4, 0]),
        ];
        for (text, expect) in rows {
            let u = read(text.as_bytes()).unwrap();
            assert_eq!(
                [u.input, u.cache_read, u.cache_write, u.audio_input, u.output, u.reasoning],
                expect,
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_reported_is_not_zero() {
        assert_eq!(read(b"{}"), None);
        assert_eq!(read(b"null"), None);
        assert_eq!(read(br#"{"total_tokens":5}"#), None);
        assert_eq!(read(br#"{"prompt_tokens":"5"}"#), None);
        assert!(read(br#"{"prompt_tokens":0,"completion_tokens":0}"#).is_some());
    }

    proptest! {
        /// The partition identity: buckets add up to what was reported.
        #[test]
        fn buckets_add_up(p in 0u64..1_000_000, c in 0u64..1_000_000, cached: u32, written: u32, audio: u32, r: u32) {
            let text = serde_json::json!({"prompt_tokens": p, "completion_tokens": c,
                "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written, "audio_tokens": audio},
                "completion_tokens_details": {"reasoning_tokens": r}}).to_string();
            let usage = read(text.as_bytes()).unwrap();
            prop_assert_eq!(usage.input_total(), p);
            prop_assert_eq!(usage.output_total(), c);
        }
    }
}
