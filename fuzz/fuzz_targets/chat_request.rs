//! Whatever a caller sends is refused, or goes out as JSON that asks for the provider's model.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wire::openai_chat::{Adapt, ChatRequest, StreamUsage};

fuzz_target!(|input: &[u8]| {
    let Some((quirks, body)) = input.split_first() else { return };
    let Ok(request) = ChatRequest::scan(body) else { return };
    let text = |value: &str| value.to_owned();
    let adapt = Adapt {
        max_tokens_name: [None, Some("max_tokens"), Some("max_completion_tokens")]
            [usize::from(quirks & 3).min(2)],
        unsupported: if quirks & 4 > 0 { vec![text("seed"), text("stop")] } else { Vec::new() },
        stream_usage: if quirks & 8 > 0 { StreamUsage::Never } else { StreamUsage::OnRequest },
        rename: if quirks & 16 > 0 { [(text("seed"), text("random_seed"))].into() } else { [].into() },
        rename_roles: if quirks & 32 > 0 { [(text("developer"), text("system"))].into() } else { [].into() },
        short_tool_call_ids: quirks & 64 > 0,
    };
    let adapted = adapt.apply(&request, "the \"model\"");
    let asked = &request.asked;
    assert!(asked.input_tokens_estimate() <= asked.input_tokens_max());
    if serde_json::from_slice::<Value>(body).is_ok() {
        let sent: Value = serde_json::from_slice(&adapted.body).expect("JSON in, JSON out");
        assert_eq!(sent["model"], "the \"model\"");
    }
});
