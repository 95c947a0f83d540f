//! Usage in the arithmetic of Responses: input includes what was cached, output includes reasoning.

use types::{Usage, UsageSource};

use crate::hub::Settlement;
use crate::node::Node;
use crate::writer::Writer;

/// Reads a usage object into exclusive buckets that add up to its totals. `None`: it holds no counts.
pub fn read_usage(node: Node<'_>) -> Option<Usage> {
    let number = |node: Option<Node<'_>>, key: &str| node.and_then(|n| n.get(key)).and_then(Node::u64);
    let (input, output) = (number(Some(node), "input_tokens"), number(Some(node), "output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let details = node.get("input_tokens_details");
    let read = number(details, "cached_tokens").unwrap_or(0).min(input);
    let written = number(details, "cache_write_tokens").unwrap_or(0).min(input - read);
    let reasoning = number(node.get("output_tokens_details"), "reasoning_tokens").unwrap_or(0).min(output);
    Some(Usage {
        input: input - read - written,
        cache_read: read,
        cache_write: written,
        output: output - reasoning,
        reasoning,
        requests: 1,
        ..Usage::default()
    })
}

/// Our usage object.
pub(super) fn write_usage(settlement: &Settlement) -> Vec<u8> {
    let usage = &settlement.usage;
    let (input, output) = (usage.input_total(), usage.output_total());
    let mut w = Writer::with_capacity(400);
    w.begin_object().field_json("input_tokens", &input);
    w.key("input_tokens_details").begin_object().field_json("cached_tokens", &usage.cache_read);
    w.field_json("cache_write_tokens", &usage.cache_write.saturating_add(usage.cache_write_1h)).end_object();
    w.field_json("output_tokens", &output);
    w.key("output_tokens_details").begin_object();
    w.field_json("reasoning_tokens", &usage.reasoning).end_object();
    w.field_json("total_tokens", &input.saturating_add(output));
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

    proptest! {
        #[test]
        fn buckets_add_up(input: u32, output: u32, cached: u32, written: u32, reasoning: u32) {
            let text = serde_json::json!({"input_tokens": input, "output_tokens": output,
                "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
                "output_tokens_details": {"reasoning_tokens": reasoning}}).to_string();
            let usage = read_usage(Node::parse(text.as_bytes()).unwrap()).unwrap();
            prop_assert_eq!((usage.input_total(), usage.output_total()), (u64::from(input), u64::from(output)));
        }
    }
}
