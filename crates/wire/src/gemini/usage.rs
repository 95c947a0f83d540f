//! Google's arithmetic of usage.
//!
//! `promptTokenCount` includes what came from the cache, but not `toolUsePromptTokenCount`; `candidatesTokenCount` excludes
//! thoughts; the total is the sum of prompt, tool use, candidates and thoughts. Counts of a stream are cumulative.

use types::{Usage, UsageSource};

use super::keys;
use crate::hub::Settlement;
use crate::node::Node;
use crate::writer::Writer;

/// Reads `usageMetadata` into exclusive buckets that add up to the provider's total. `None` when it holds no counts.
pub fn read_usage(node: Node<'_>) -> Option<Usage> {
    let mut counts = Counts::default();
    for (key, value) in node.members() {
        match &*key {
            "promptTokenCount" => counts.prompt = keys::number(value),
            "candidatesTokenCount" | "responseTokenCount" => counts.candidates = keys::number(value),
            "thoughtsTokenCount" => counts.thoughts = keys::number(value),
            "toolUsePromptTokenCount" => counts.tool_use = keys::number(value).unwrap_or(0),
            "cachedContentTokenCount" => counts.cached = keys::number(value).unwrap_or(0),
            "totalTokenCount" => counts.total = keys::number(value),
            "promptTokensDetails" => counts.audio_in = of(value, "AUDIO"),
            "cacheTokensDetails" => counts.audio_cached = of(value, "AUDIO"),
            "candidatesTokensDetails" | "responseTokensDetails" => {
                counts.audio_out = of(value, "AUDIO");
                counts.image_out = of(value, "IMAGE");
            }
            _ => (),
        }
    }
    counts.buckets()
}

/// Tokens of one modality.
fn of(details: Node<'_>, modality: &str) -> u64 {
    let is =
        |one: &Node<'_>| one.get_string("modality").is_some_and(|name| name.eq_ignore_ascii_case(modality));
    let counts = details.elements().into_iter().filter(is).filter_map(|one| one.get("tokenCount"));
    counts.filter_map(keys::number).fold(0, u64::saturating_add)
}

#[derive(Default)]
struct Counts {
    prompt: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    total: Option<u64>,
    tool_use: u64,
    cached: u64,
    audio_in: u64,
    audio_cached: u64,
    audio_out: u64,
    image_out: u64,
}

impl Counts {
    fn buckets(&self) -> Option<Usage> {
        let told = [self.prompt, self.candidates, self.thoughts, self.total];
        if told.iter().all(Option::is_none) {
            return None;
        }
        let prompt = self.prompt.unwrap_or(0).saturating_add(self.tool_use);
        let known = [self.candidates, self.thoughts].into_iter().flatten().fold(prompt, u64::saturating_add);
        // A total that is larger than its parts has a part that was not told: thoughts, unless those were.
        let hidden = self.total.unwrap_or(0).saturating_sub(known);
        let (candidates, thoughts, hidden_input) = match (self.prompt, self.candidates, self.thoughts) {
            (None, c, t) => (c.unwrap_or(0), t.unwrap_or(0), hidden),
            (_, Some(candidates), None) => (candidates, hidden, 0),
            (_, None, thoughts) => (hidden, thoughts.unwrap_or(0), 0),
            (_, Some(candidates), Some(thoughts)) => (candidates.saturating_add(hidden), thoughts, 0),
        };
        let mut rest = prompt.saturating_add(hidden_input);
        let mut take = |wanted: u64| {
            let got = wanted.min(rest);
            rest -= got;
            got
        };
        let cache_read = take(self.cached);
        let audio_input = take(self.audio_in.saturating_sub(self.audio_cached));
        let input = rest;
        let mut rest = candidates;
        let mut take = |wanted: u64| {
            let got = wanted.min(rest);
            rest -= got;
            got
        };
        let audio_output = take(self.audio_out);
        let image_output = take(self.image_out);
        Some(Usage {
            input,
            cache_read,
            audio_input,
            output: rest,
            reasoning: thoughts,
            audio_output,
            image_output,
            requests: 1,
            ..Usage::default()
        })
    }
}

/// Writes `usageMetadata` of our own, with its cost.
pub(super) fn write(w: &mut Writer, settlement: &Settlement) {
    let usage = &settlement.usage;
    let candidates = usage.output_total().saturating_sub(usage.reasoning);
    let total = usage.input_total().saturating_add(usage.output_total());
    w.begin_object()
        .field_json("promptTokenCount", &usage.input_total())
        .field_json("candidatesTokenCount", &candidates)
        .field_json("totalTokenCount", &total);
    if usage.cache_read > 0 {
        w.field_json("cachedContentTokenCount", &usage.cache_read);
    }
    if usage.reasoning > 0 {
        w.field_json("thoughtsTokenCount", &usage.reasoning);
    }
    if usage.audio_input > 0 {
        let text = usage.input_total() - usage.audio_input;
        details(w, "promptTokensDetails", &[("TEXT", text), ("AUDIO", usage.audio_input)]);
    }
    if usage.audio_output > 0 || usage.image_output > 0 {
        let parts = [("TEXT", usage.output), ("AUDIO", usage.audio_output), ("IMAGE", usage.image_output)];
        details(w, "candidatesTokensDetails", &parts);
    }
    w.field_raw("cost", settlement.cost.to_string().as_bytes());
    if settlement.source == UsageSource::Estimated {
        w.field_json("estimated", &true);
    }
    w.end_object();
}

fn details(w: &mut Writer, key: &str, parts: &[(&str, u64)]) {
    w.key(key).begin_array();
    for (modality, count) in parts.iter().filter(|(_, count)| *count > 0) {
        w.begin_object().field("modality", modality).field_json("tokenCount", count).end_object();
    }
    w.end_array();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<Usage> {
        read_usage(Node::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn buckets_of_recorded_variants() {
        // (usage, [input, cache_read, audio_in, output, reasoning, image_out])
        let rows = [
            (r#"{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}"#, [10, 0, 0, 5, 0, 0]),
            (
                r#"{"promptTokenCount":100,"candidatesTokenCount":20,"thoughtsTokenCount":30,"cachedContentTokenCount":64,"totalTokenCount":150}"#,
                [36, 64, 0, 20, 30, 0],
            ),
            (
                r#"{"promptTokenCount":19,"candidatesTokenCount":7,"toolUsePromptTokenCount":50,"thoughtsTokenCount":3,"totalTokenCount":79}"#,
                [69, 0, 0, 7, 3, 0],
            ),
            (r#"{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":20}"#, [9, 0, 0, 4, 7, 0]),
            (r#"{"promptTokenCount":"9","totalTokenCount":"9"}"#, [9, 0, 0, 0, 0, 0]),
            (
                r#"{"promptTokenCount":40,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8},{"modality":"AUDIO","tokenCount":32}],"candidatesTokenCount":1290,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}],"totalTokenCount":1330}"#,
                [8, 0, 32, 0, 0, 1290],
            ),
        ];
        for (text, expect) in rows {
            let u = read(text).unwrap();
            let got = [u.input, u.cache_read, u.audio_input, u.output, u.reasoning, u.image_output];
            assert_eq!(got, expect, "{text}");
        }
        for nothing in ["{}", r#"{"promptTokenCount":null}"#, r#"{"trafficType":"x","promptTokenCount":{}}"#]
        {
            assert_eq!(read(nothing), None);
        }
    }

    proptest! {
        /// The partition identity, whatever the details claim.
        #[test]
        fn buckets_add_up(p in 0u64..1_000_000, c in 0u64..1_000_000, t in 0u64..1_000_000, tools in 0u64..1000,
                          cached: u32, audio: u32, image: u32) {
            let text = serde_json::json!({"promptTokenCount": p, "candidatesTokenCount": c, "thoughtsTokenCount": t,
                "toolUsePromptTokenCount": tools, "totalTokenCount": p + c + t + tools, "cachedContentTokenCount": cached,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": audio}],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": image}]}).to_string();
            let usage = read(&text).unwrap();
            prop_assert_eq!(usage.input_total(), p + tools);
            prop_assert_eq!(usage.output_total(), c + t);
            let mut w = Writer::default();
            let settlement = Settlement { usage, source: UsageSource::Provider, cost: "0.5".parse().unwrap(),
                own_key_cost: None, input_cost: "0".parse().unwrap(), output_cost: "0".parse().unwrap(),
                warnings: vec![], metadata: None };
            write(&mut w, &settlement);
            prop_assert_eq!(read(std::str::from_utf8(&w.finish()).unwrap()), Some(usage));
        }
    }
}
