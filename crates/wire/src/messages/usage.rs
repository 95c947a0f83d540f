//! Usage in Anthropic's arithmetic: `input_tokens` leaves out what was read from or written to the cache.

use types::{Usage, UsageSource};

use crate::hub::Settlement;
use crate::node::Node;
use crate::writer::Writer;

/// What was said of usage so far. Streams say it in parts, and what comes later holds, field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    input: Option<u64>,
    read: Option<u64>,
    written: Option<u64>,
    written_5m: Option<u64>,
    written_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    searches: Option<u64>,
}

impl Told {
    /// Takes in a usage object.
    pub(super) fn take(&mut self, node: Node<'_>) {
        let number = |node: Node<'_>, key: &str| node.get(key).and_then(Node::u64);
        let put = |place: &mut Option<u64>, value: Option<u64>| *place = value.or(*place);
        put(&mut self.input, number(node, "input_tokens"));
        put(&mut self.read, number(node, "cache_read_input_tokens"));
        put(&mut self.written, number(node, "cache_creation_input_tokens"));
        put(&mut self.output, number(node, "output_tokens"));
        if let Some(split) = node.get("cache_creation") {
            put(&mut self.written_5m, number(split, "ephemeral_5m_input_tokens"));
            put(&mut self.written_1h, number(split, "ephemeral_1h_input_tokens"));
        }
        if let Some(details) = node.get("output_tokens_details") {
            put(&mut self.thinking, number(details, "thinking_tokens"));
        }
        if let Some(tools) = node.get("server_tool_use") {
            put(&mut self.searches, number(tools, "web_search_requests"));
        }
    }

    /// Exclusive buckets that add up to the provider's own totals. `None`: nothing was said.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let written = self
            .written
            .unwrap_or_else(|| self.written_5m.unwrap_or(0).saturating_add(self.written_1h.unwrap_or(0)));
        let hour = self.written_1h.unwrap_or(0).min(written);
        let output = self.output.unwrap_or(0);
        let thinking = self.thinking.unwrap_or(0).min(output);
        Some(Usage {
            input: self.input.unwrap_or(0),
            cache_read: self.read.unwrap_or(0),
            cache_write: written - hour,
            cache_write_1h: hour,
            output: output - thinking,
            reasoning: thinking,
            requests: 1,
            searches: self.searches.unwrap_or(0),
            ..Usage::default()
        })
    }
}

/// Reads a whole usage object.
pub fn read_usage(node: Node<'_>) -> Option<Usage> {
    let mut told = Told::default();
    told.take(node);
    told.usage()
}

/// Our usage object: Anthropic's fields, our cost.
pub(super) fn write_usage(settlement: &Settlement) -> Vec<u8> {
    let usage = &settlement.usage;
    let input = usage.input.saturating_add(usage.audio_input).saturating_add(usage.image_input);
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    let mut w = Writer::with_capacity(400);
    w.begin_object().field_json("input_tokens", &input);
    w.field_json("cache_creation_input_tokens", &written);
    w.field_json("cache_read_input_tokens", &usage.cache_read);
    w.key("cache_creation").begin_object();
    w.field_json("ephemeral_5m_input_tokens", &usage.cache_write);
    w.field_json("ephemeral_1h_input_tokens", &usage.cache_write_1h).end_object();
    w.field_json("output_tokens", &usage.output_total());
    if usage.reasoning > 0 {
        w.key("output_tokens_details").begin_object();
        w.field_json("thinking_tokens", &usage.reasoning).end_object();
    }
    if usage.searches > 0 {
        w.key("server_tool_use").begin_object();
        w.field_json("web_search_requests", &usage.searches).end_object();
    }
    cost_fields(settlement, &mut w);
    w.end_object();
    w.finish()
}

/// The fields that are ours.
pub(super) fn cost_fields(settlement: &Settlement, w: &mut Writer) {
    w.field_raw("cost", settlement.cost.to_string().as_bytes())
        .field_json("is_byok", &settlement.own_key_cost.is_some());
    w.key("cost_details").begin_object();
    w.field_raw("upstream_inference_cost", settlement.upstream_cost().to_string().as_bytes());
    w.field_raw("upstream_inference_input_cost", settlement.input_cost.to_string().as_bytes());
    w.field_raw("upstream_inference_output_cost", settlement.output_cost.to_string().as_bytes());
    w.end_object();
    if settlement.source == UsageSource::Estimated {
        w.field_json("estimated", &true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn later_words_hold_field_by_field() {
        let mut told = Told::default();
        let start = br#"{"input_tokens":10,"cache_read_input_tokens":5,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4},"output_tokens":1}"#;
        told.take(Node::parse(start).unwrap());
        told.take(Node::parse(br#"{"output_tokens":20,"cache_read_input_tokens":null}"#).unwrap());
        let usage = told.usage().unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.cache_write, usage.cache_write_1h), (10, 5, 3, 4));
        assert_eq!((usage.output, usage.input_total()), (20, 22));
        assert!(read_usage(Node::parse(b"{}").unwrap()).is_none());
    }

    proptest! {
        #[test]
        fn buckets_add_up(input: u32, read: u32, w5: u32, w1: u32, out: u32, thinking: u32) {
            let written = u64::from(w5) + u64::from(w1);
            let text = serde_json::json!({"input_tokens": input, "cache_read_input_tokens": read,
                "cache_creation_input_tokens": written, "output_tokens": out,
                "cache_creation": {"ephemeral_5m_input_tokens": w5, "ephemeral_1h_input_tokens": w1},
                "output_tokens_details": {"thinking_tokens": thinking}}).to_string();
            let usage = read_usage(Node::parse(text.as_bytes()).unwrap()).unwrap();
            prop_assert_eq!(usage.input_total(), u64::from(input) + u64::from(read) + written);
            prop_assert_eq!(usage.output_total(), u64::from(out));
        }
    }
}
