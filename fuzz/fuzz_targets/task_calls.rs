//! Embeddings, rerank, images, speech, transcriptions: whatever a caller sends is refused or goes out whole, and whatever a
//! provider answers is an error or JSON with a cost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::{Task, UsageSource};
use wire::call::Call;
use wire::hub::{Dialect, Fetched, Flavor, Ident, Settlement, Target, Undo};
use wire::openai_chat::Adapt;
use wire::task::Form;

const OUT: [(Dialect, Flavor); 6] = [
    (Dialect::Chat, Flavor::Direct),
    (Dialect::Chat, Flavor::Mistral),
    (Dialect::Cohere, Flavor::Direct),
    (Dialect::Gemini, Flavor::Direct),
    (Dialect::Gemini, Flavor::Vertex),
    (Dialect::Ollama, Flavor::Direct),
];

/// The first byte says what and from whom; the request ends at the first zero byte, and the answer follows.
fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    let task = Task::ALL[1 + usize::from(*first) % (Task::ALL.len() - 1)];
    let (from, _) = OUT[usize::from(*first >> 4) % OUT.len()];
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let (request, answer) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(call) = Call::scan_task(task, request, Form::default()) else { return };
    let (adapt, fetched) = (Adapt::default(), Fetched::new());
    for (to, flavor) in OUT {
        let target = Target {
            model: "theirs",
            max_output_tokens: None,
            flavor,
            adapt: &adapt,
            structured_output: None,
            reasoning: None,
            auto_cache: false,
            fetched: &fetched,
        };
        if let Ok(outgoing) = call.outgoing(to, &target)
            && outgoing.headers.is_empty()
        {
            wire::json::object(&outgoing.body).expect("JSON in, JSON out");
        }
    }
    let ident =
        Ident { id: "gen-1".into(), model: "\"a/b\"".into(), provider: "\"P\"".into(), ..Ident::default() };
    let Ok(plain) = call.plain(from, false, answer, Undo::default()) else { return };
    let settlement = Settlement {
        usage: plain.seen().usage.unwrap_or_default(),
        source: UsageSource::Provider,
        cost: "0.000000001".parse().expect("an amount"),
        input_cost: "0.000000001".parse().expect("an amount"),
        output_cost: "0".parse().expect("an amount"),
        warnings: Vec::new(),
        own_key_cost: None,
        metadata: None,
    };
    let out = plain.render(answer, &ident, &settlement);
    if plain.content_type() == "application/json" {
        let members = wire::json::object(&out).expect("JSON out");
        assert!(wire::json::find(&out, &members, "usage").is_some());
    }
});
