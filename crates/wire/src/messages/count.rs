//! `/v1/messages/count_tokens`.

use crate::extensions::is_ours;
use crate::hub::{Flavor, Outgoing, Target};
use crate::node::Node;
use crate::writer::Writer;

/// What a count takes of a request.
const COUNTED: [&str; 7] =
    ["messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"];

/// A provider's request as one that only counts.
pub fn count_request(body: &[u8], target: &Target<'_>) -> Outgoing {
    let mut w = Writer::with_capacity(body.len());
    w.begin_object().field("model", target.model);
    if target.flavor == Flavor::Vertex {
        w.field("anthropic_version", "vertex-2023-10-16");
    }
    for (key, value) in Node::parse(body).map(Node::members).unwrap_or_default() {
        if COUNTED.contains(&&*key) && !is_ours(&key) {
            w.field_raw(&key, value.raw());
        }
    }
    w.end_object();
    Outgoing { body: w.finish(), ..Outgoing::default() }
}

/// A provider's count.
pub fn read_count(body: &[u8]) -> Option<u64> {
    Node::parse(body).ok()?.get("input_tokens")?.u64()
}

/// A count for the caller.
pub fn write_count(tokens: u64, estimated: bool) -> String {
    match estimated {
        true => format!("{{\"input_tokens\":{tokens},\"estimated\":true}}"),
        false => format!("{{\"input_tokens\":{tokens}}}"),
    }
}
