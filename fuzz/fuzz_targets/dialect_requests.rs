//! Whatever a caller sends in any dialect is refused with a reason, or becomes JSON for every provider that can take it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::call::{Call, PathSays};
use wire::hub::{Dialect, Fetched, Flavor, Target};
use wire::openai_chat::Adapt;

const IN: [Dialect; 5] =
    [Dialect::Chat, Dialect::Completions, Dialect::Responses, Dialect::Messages, Dialect::Gemini];
const OUT: [(Dialect, Flavor, &str); 9] = [
    (Dialect::Chat, Flavor::Direct, "gpt-5"),
    (Dialect::Chat, Flavor::Mistral, "mistral-small"),
    (Dialect::Responses, Flavor::Direct, "gpt-5"),
    (Dialect::Messages, Flavor::Direct, "claude-opus-4-7"),
    (Dialect::Messages, Flavor::Vertex, "claude-3-5-haiku"),
    (Dialect::Gemini, Flavor::Direct, "gemini-2.5-pro"),
    (Dialect::Converse, Flavor::Bedrock, "anthropic.claude-sonnet-4"),
    (Dialect::Cohere, Flavor::Direct, "command-a"),
    (Dialect::Ollama, Flavor::Direct, "llama3"),
];

/// The first byte says which dialect, the rest is the body.
fuzz_target!(|input: &[u8]| {
    let Some((first, body)) = input.split_first() else { return };
    let from = IN[usize::from(*first) % IN.len()];
    let says = PathSays { model: Some("a/b"), stream: first & 0x80 != 0, memory: None };
    let Ok(call) = Call::scan(from, body, &says) else { return };
    let (adapt, fetched) = (Adapt::default(), Fetched::new());
    for (to, flavor, model) in OUT {
        let target = Target {
            model,
            max_output_tokens: Some(8_192),
            flavor,
            adapt: &adapt,
            structured_output: None,
            reasoning: None,
            auto_cache: false,
            fetched: &fetched,
        };
        if let Ok(outgoing) = call.outgoing(to, &target) {
            wire::json::object(&outgoing.body).expect("JSON in, JSON out");
        }
    }
});
